//! The body of the fuzz target `sigv4`, and requests from texts for whoever tests signatures.
//!
//! Whatever the bytes are: nothing panics, nobody forges a signature, what was signed is accepted, and what was changed behind
//! the signature is not.

use super::{Body, Core, EXECUTE_API, Failure, Outgoing, Request, Secret, Signer, User, Users, Verifier, body};
use crate::{
    base::{clock::UnixTime, span::Span},
    http::{
        field::Known,
        head::{FieldLine, RequestHead},
        list,
        method::Method,
    },
};
use std::sync::Arc;

/// When the requests of tests are signed and verified: 2015-08-30, 12:36:00.
pub const NOW: UnixTime = UnixTime::from_nanos(1_440_938_160_000_000_000);

const KEY_ID: &str = "AKIDEXAMPLE";
const REGION: &str = "us-east-1";

/// Verifies the request that the bytes are, signs it, verifies it, changes it at the place that the first bytes name, and
/// verifies it again.
///
/// # Panics
/// Where a promise is broken.
pub fn fuzz_sigv4(data: &[u8]) {
    let Some(([high, low, form], text)) = data.split_first_chunk() else { return };
    let Some((head, bytes)) = request(text) else { return };
    let verifier = verifier();
    let mut core = Core::default();
    for given in [Body::None, Body::Later, Body::Hash(body::EMPTY)] {
        let verdict = verifier.verify(Request { head: &head, bytes: &bytes }, given, NOW, &mut core);
        // The secret is in nobody's hands.
        assert!(verdict.is_err(), "a forged signature");
        let told = verdict.map_or_else(|failure| failure.to_string(), |_| String::new());
        assert!(!told.is_empty() && told.len() < 1024, "{told}");
    }
    let Some(signed) = signed(&head, &bytes, text, *form) else { return };
    assert_eq!(judge(&verifier, &signed, &mut core), Ok(()), "{}", String::from_utf8_lossy(&signed));
    let mut changed = signed;
    let at = usize::from(u16::from_be_bytes([*high, *low])) % changed.len();
    if change(&mut changed, at) {
        assert!(judge(&verifier, &changed, &mut core).is_err(), "{}", String::from_utf8_lossy(&changed));
    }
}

/// A request from its text: a line with method, target and version, header lines, an empty line, the body. A looser reading than
/// that of the network, as the published suite of signatures needs it: targets with blanks, headers that go on in the next line.
#[must_use]
pub fn request(text: &[u8]) -> Option<(RequestHead, Vec<u8>)> {
    let mut head = RequestHead::with_capacity(8);
    let end = text.windows(2).position(|two| two == b"\n\n").unwrap_or_else(|| text.trim_ascii_end().len());
    let mut at = 0;
    for line in text.get(..end)?.split(|b| *b == b'\n') {
        let whole = Span::new(at, at + line.len());
        at += line.len() + 1;
        match head.fields.last_mut() {
            _ if whole.start == 0 => start_line(line, &mut head)?,
            Some(field) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                field.value = Span { end: whole.end, ..field.value };
            }
            _ => head.fields.push(field(line, whole)?),
        }
    }
    head.host = head.fields.iter().find(|field| field.known == Known::Host)?.value;
    head.host_name = head.host;
    Some((head, text.to_vec()))
}

/// The content of a request from its text.
#[must_use]
pub fn content(text: &[u8]) -> &[u8] {
    let end = text.windows(2).position(|two| two == b"\n\n");
    end.and_then(|end| text.get(end + 2..)).unwrap_or_default()
}

/// A verifier that knows one user.
#[must_use]
pub fn verifier() -> Verifier {
    Verifier::new(Arc::new(Users::new(vec![user()])), REGION, EXECUTE_API)
}

/// A signer for that user.
#[must_use]
pub fn signer() -> Signer {
    Signer::new(KEY_ID, user().secret_access_key, None, REGION, EXECUTE_API)
}

fn user() -> User {
    let secret_access_key = Secret::new(&b"a secret that no input of a fuzzer was signed with"[..]);
    User { access_key_id: KEY_ID.into(), secret_access_key, session_token: None, expires: None }
}

/// What the verifier says about a request from its text, with its body there.
///
/// # Errors
/// As [`Verifier::verify`].
pub fn judge(verifier: &Verifier, text: &[u8], core: &mut Core) -> Result<(), Failure> {
    let (head, bytes) = request(text).ok_or(Failure::NoToken)?;
    let body = Body::Hash(body::hash(content(text)));
    verifier.verify(Request { head: &head, bytes: &bytes }, body, NOW, core).map(|_| ())
}

fn start_line(line: &[u8], head: &mut RequestHead) -> Option<()> {
    let method = line.iter().position(|b| *b == b' ')?;
    let target = line.iter().rposition(|b| *b == b' ').filter(|end| *end > method)?;
    head.method = Method::from_token(line.get(..method)?);
    head.method_token = Span::new(0, method);
    head.target = Span::new(method + 1, target);
    let query = head.target.of(line).iter().position(|b| *b == b'?').map(|at| method + 1 + at);
    head.path = Span::new(method + 1, query.unwrap_or(target));
    head.has_query = query.is_some();
    head.query = query.map_or(Span::EMPTY, |at| Span::new(at + 1, target));
    head.path.of(line).starts_with(b"/").then_some(())
}

fn field(line: &[u8], whole: Span) -> Option<FieldLine> {
    let colon = line.iter().position(|b| *b == b':')?;
    let name = line.get(..colon).filter(|name| list::is_token(name))?;
    let start = whole.start as usize;
    let known = Known::of(name);
    Some(FieldLine {
        name: Span::new(start, start + colon),
        value: Span::new(start + colon + 1, whole.end as usize),
        known,
        nominated: false,
    })
}

/// The same request, signed; `None` if it has headers that signing would write.
fn signed(head: &RequestHead, bytes: &[u8], text: &[u8], form: u8) -> Option<Vec<u8>> {
    let method = std::str::from_utf8(head.method_token.of(bytes)).ok().filter(|m| list::is_token(m.as_bytes()))?;
    let names: Vec<String> =
        head.fields.iter().map(|field| String::from_utf8_lossy(field.name.of(bytes)).to_ascii_lowercase()).collect();
    let own = |name: &str| name.starts_with("x-amz-") || name == "authorization";
    let hosts = names.iter().filter(|name| *name == "host").count();
    let query = head.query.of(bytes);
    let is_claim = super::verify::has_claim(Request { head, bytes });
    // What a presigned query adds may not be there already: of two the verifier takes neither.
    let is_taken = form & 1 == 1 && (query.contains(&b'%') || query.windows(6).any(|six| six == b"X-Amz-"));
    if names.iter().any(|name| own(name)) || hosts != 1 || is_claim || is_taken {
        return None;
    }
    let headers: Vec<(&str, &[u8])> =
        names.iter().map(String::as_str).zip(head.fields.iter().map(|field| field.value.of(bytes))).collect();
    let content = content(text);
    let outgoing =
        Outgoing { method, path: head.path.of(bytes), query, headers: &headers, payload: body::hash(content) };
    let (mut query, mut added) = (query.to_vec(), Vec::new());
    if form & 1 == 1 {
        query = signer().presign(&outgoing, 60, NOW);
    } else {
        for (name, value) in signer().sign(&outgoing, NOW).headers() {
            added.extend_from_slice(&[name.as_bytes(), b":", value, b"\n"].concat());
        }
    }
    let first = [method.as_bytes(), b" ", outgoing.path, b"?", &query, b" HTTP/1.1\n"].concat();
    let lines = names.iter().zip(&headers).map(|(name, (_, value))| [name.as_bytes(), b":", value, b"\n"].concat());
    Some([first, lines.flatten().collect(), added, b"\n".to_vec(), content.to_vec()].concat())
}

/// Changes a letter or digit at or behind `at`, if that is something that a signature covers.
fn change(text: &mut [u8], at: usize) -> bool {
    let Some(at) = (at..text.len()).find(|at| text[*at].is_ascii_alphanumeric()) else { return false };
    let line_end = text.iter().position(|b| *b == b'\n').unwrap_or(text.len());
    let version = line_end.saturating_sub(b" HTTP/1.1".len());
    // What `..` leads out of is no part of the path that is meant; the version is the transport's.
    if at < line_end && (at >= version || text.windows(2).take(line_end).any(|two| two == b"..")) {
        return false;
    }
    text[at] = if text[at].eq_ignore_ascii_case(&b'q') { b'z' } else { b'q' };
    true
}
