//! What Amazon API Gateway changes in heads on their way, for APIs that behave like its own: names that end here, names
//! that come out changed, and what is added (reference, sections 4.4, 8.2, 8.3 and 8.4).
//!
//! Where its documentation and what was recorded of it differ, the records count. Where doing the same would break a
//! message or hide something that matters, it is not done:
//!
//! - `Content-Encoding` passes both ways. Amazon's gateway drops it; but here the content passes as it is, and whoever gets
//!   it without the field could not read it.
//! - `X-Forwarded-For`, `-Proto` and `-Host` are written as everywhere else. Amazon's gateway leaves what the client sent in
//!   place, which says whatever the client likes.
//! - Several lines of one name stay several lines, which means the same (RFC 9110 §5.3).

use super::request::{Rules, Run};
use crate::{
    base::ids::RequestId,
    h1::encode,
    http::{
        field::Known,
        head::{FieldLine, ResponseHead},
        hop::{self, Fate},
    },
};

/// Whose manners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Those of REST APIs.
    Rest,
    /// Those of HTTP APIs.
    Http,
}

/// The manners of one API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manners {
    /// Whose they are.
    pub kind: Kind,
    /// `X-Amzn-Apigateway-Api-Id` as a whole line.
    id_line: Box<[u8]>,
    /// `User-Agent` as a whole line, for requests that have none.
    agent_line: Box<[u8]>,
}

/// The manners in which one request is forwarded.
#[derive(Clone, Copy, Debug)]
pub struct Polite<'a> {
    /// Those of its API.
    pub manners: &'a Manners,
    /// What it is called: its trace id is made of this.
    pub id: RequestId,
    /// When it came, in seconds since 1970.
    pub seconds: u64,
}

impl Manners {
    /// The manners of the API `name`, which can stand in a field.
    #[must_use]
    pub fn new(kind: Kind, name: &str) -> Self {
        let line = |start: &str| format!("{start}{name}\r\n").into_bytes().into_boxed_slice();
        Self { kind, id_line: line("X-Amzn-Apigateway-Api-Id: "), agent_line: line("User-Agent: AmazonAPIGateway_") }
    }

    /// Whether a request may ask its upstream to switch to another protocol, and speak of trailers.
    #[must_use]
    pub const fn passes_upgrades(&self) -> bool {
        matches!(self.kind, Kind::Http)
    }
}

/// Names that a REST API takes off every request (reference 8.4 \[S\]) and that are not this hop's business anyway; `Via` is
/// taken off before `http_proxy` (reference 4.4 \[S\]).
const REQUEST_ENDS: [&[u8]; 4] = [b"content-md5", b"max-forwards", b"www-authenticate", b"x-amzn-apigateway-api-id"];

impl Polite<'_> {
    /// Whether a field line of the request, which the wire would let pass, goes along.
    pub(super) fn passes(&self, line: &FieldLine, bytes: &[u8]) -> bool {
        match (self.manners.kind, line.known) {
            (Kind::Http, _) => true,
            (Kind::Rest, Known::Server | Known::Trailer | Known::Via) => false,
            (Kind::Rest, Known::Other) => !is_one_of(line.name.of(bytes), &REQUEST_ENDS),
            (Kind::Rest, _) => true,
        }
    }

    /// Appends what is added to the request with these field lines (reference 4.4 \[S\]; 4.5 \[D26\] for HTTP APIs).
    pub(super) fn add(
        &self,
        fields: &[FieldLine],
        bytes: &[u8],
        client: &[u8],
        host: &[u8],
        secure: bool,
        out: &mut Vec<u8>,
    ) {
        self.add_beside(fields, None, bytes, client, host, secure, out);
    }

    /// The same beside mapped headers.
    #[expect(clippy::too_many_arguments, reason = "what may be added names all that it is made of")]
    pub(super) fn add_beside(
        &self,
        fields: &[FieldLine],
        rules: Option<&Rules>,
        bytes: &[u8],
        client: &[u8],
        host: &[u8],
        secure: bool,
        out: &mut Vec<u8>,
    ) {
        let mapped = |name: &[u8]| rules.is_some_and(|rules| rules.replaces(name));
        if self.manners.kind == Kind::Http {
            if !mapped(b"forwarded") {
                forwarded(client, host, secure, out);
            }
            return;
        }
        let has =
            |name: &[u8]| mapped(name) || fields.iter().any(|line| line.name.of(bytes).eq_ignore_ascii_case(name));
        if !has(b"accept") {
            out.extend_from_slice(b"Accept: application/json\r\n");
        }
        if !mapped(b"user-agent") && !fields.iter().any(|line| line.known == Known::UserAgent) {
            out.extend_from_slice(&self.manners.agent_line);
        }
        if !has(b"x-amzn-trace-id") {
            trace(self.id, self.seconds, out);
        }
        out.extend_from_slice(&self.manners.id_line);
    }
}

/// Appends `X-Amzn-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793` for the request that is called `id` and came `seconds`
/// after 1970.
pub fn trace(id: RequestId, seconds: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"X-Amzn-Trace-Id: Root=1-");
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    hexadecimal(u128::from(seconds), 8, out);
    out.push(b'-');
    hexadecimal(id.0, 24, out);
    out.extend_from_slice(b"\r\n");
}

/// `Forwarded` (RFC 7239 §4) of this hop alone: what the client said of itself in such a field is not repeated.
fn forwarded(client: &[u8], host: &[u8], secure: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(b"Forwarded: for=");
    if client.contains(&b':') {
        // RFC 7239 §6: an IPv6 address stands in brackets and quotes.
        out.extend_from_slice(b"\"[");
        out.extend_from_slice(client);
        out.extend_from_slice(b"]\"");
    } else {
        out.extend_from_slice(client);
    }
    // A host with a port is no token, so that it would have to be quoted; one that cannot be quoted is left out.
    if !host.is_empty() && !host.iter().any(|b| matches!(b, b'"' | b'\\')) {
        out.extend_from_slice(b";host=\"");
        out.extend_from_slice(host);
        out.push(b'"');
    }
    out.extend_from_slice(if secure { b";proto=https\r\n" } else { b";proto=http\r\n" });
}

/// The last `digits` of a number, in hexadecimal.
fn hexadecimal(number: u128, digits: u32, out: &mut Vec<u8>) {
    for place in (0..digits).rev() {
        let nibble = u8::try_from(number >> (4 * place) & 0xf).unwrap_or(0);
        out.push(if nibble < 10 { b'0' + nibble } else { b'a' - 10 + nibble });
    }
}

/// What an answer looks like from outside, besides what the upstream says.
#[derive(Clone, Copy)]
pub struct Worn<'a> {
    /// The manners of the API, if it has any.
    pub manners: Option<&'a Manners>,
    /// The upstream's `Access-Control-*` are not believed.
    pub own_cors: bool,
    /// The answer gets a request id of ours: the upstream's own comes out changed.
    pub own_id: bool,
    /// Appends what is added.
    pub tail: &'a dyn Fn(&mut Vec<u8>),
}

impl std::fmt::Debug for Worn<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worn").field("manners", &self.manners).finish_non_exhaustive()
    }
}

/// What becomes of a field line of an answer.
enum Turn {
    Pass,
    End,
    Remap,
}

impl Worn<'_> {
    /// Appends the field lines of an answer, but those that are removed.
    pub(super) fn fields(&self, out: &mut Vec<u8>, head: &ResponseHead, bytes: &[u8], removed: impl Fn(&[u8]) -> bool) {
        let mut run = Run::default();
        let mut typed = false;
        for line in &head.fields {
            let name = line.name.of(bytes);
            typed |= is_word(name, b"content-type");
            match self.turn(line, name) {
                _ if removed(name) => run.end(bytes, out),
                Turn::Pass => {
                    run.add(line, bytes, out);
                    continue;
                }
                Turn::End => run.end(bytes, out),
                Turn::Remap => {
                    run.end(bytes, out);
                    out.extend_from_slice(b"x-amzn-Remapped-");
                    encode::field(out, name, line.value.of(bytes));
                }
            }
        }
        run.end(bytes, out);
        let rest = self.remaps_dates();
        // RFC 9110 §15.4.5: what a 304 says of the content is said of the one that is stored.
        if rest && !typed && !matches!(head.status.0, 101 | 304) {
            out.extend_from_slice(b"Content-Type: application/json\r\n");
        }
        (self.tail)(out);
    }

    /// Whether an upstream's `Date` comes out under another name, so that the answer needs one.
    pub(super) fn remaps_dates(&self) -> bool {
        self.manners.is_some_and(|manners| manners.kind == Kind::Rest)
    }

    fn turn(&self, line: &FieldLine, name: &[u8]) -> Turn {
        let passes = hop::response(line) == Fate::Pass;
        if line.known == Known::Other {
            return match self.other(name) {
                Turn::Pass if !passes => Turn::End,
                turn => turn,
            };
        }
        if self.manners.is_none_or(|manners| manners.kind == Kind::Http) {
            return if passes { Turn::Pass } else { Turn::End };
        }
        match line.known {
            // Reference 8.4 [S]: those of all types.
            Known::Connection | Known::ContentLength | Known::Date | Known::Server => Turn::Remap,
            // Reference 8.4 [S]: those of http_proxy.
            Known::Via => Turn::End,
            _ if passes => Turn::Pass,
            _ => Turn::End,
        }
    }

    fn other(&self, name: &[u8]) -> Turn {
        if self.own_cors
            && name.len() > CORS.len()
            && name.get(..CORS.len()).is_some_and(|n| n.eq_ignore_ascii_case(CORS))
        {
            return Turn::End;
        }
        if self.own_id {
            // Reference 8.4 [S]; one of each kind is enough, so the short ones, too.
            let ours = is_word(name, b"x-amzn-requestid") || is_word(name, b"x-amz-apigw-id");
            match self.manners {
                Some(Manners { kind: Kind::Rest, .. }) if ours => return Turn::Remap,
                Some(Manners { kind: Kind::Http, .. }) | None if is_word(name, b"apigw-requestid") => return Turn::End,
                None if ours => return Turn::End,
                _ => {}
            }
        }
        Turn::Pass
    }
}

const CORS: &[u8] = b"access-control-";

fn is_word(name: &[u8], lower: &[u8]) -> bool {
    name.len() == lower.len() && name.eq_ignore_ascii_case(lower)
}

fn is_one_of(name: &[u8], lower: &[&[u8]]) -> bool {
    lower.iter().any(|one| is_word(name, one))
}
