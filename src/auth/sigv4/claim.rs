//! What a request claims: who signed it, when, for what, over which headers.

use super::{ALGORITHM, Failure, body, body::Hash, failure::Shown, time};
use crate::{
    base::{limits, span::Span},
    http::{field::Known, head::RequestHead, list::trim},
    mapping::{
        percent::{Came, decoded},
        query,
    },
};

/// A claim: places in the texts that [`Texts`] holds.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    /// In the query, instead of in the header.
    pub presigned: bool,
    /// The whole credential.
    pub credential: Span,
    /// Its parts: access key, day, region, service, terminator.
    pub parts: [Span; 5],
    /// The signature.
    pub signature: Span,
    /// When it was signed, in seconds since 1970.
    pub signed: u64,
    /// For how many seconds it holds, if it says that.
    pub expires: Option<u64>,
    /// The session token that came with it.
    pub token: Option<Span>,
}

/// What a claim's places lie in; its memory is used again.
#[derive(Debug, Default)]
pub struct Texts {
    /// Texts of the claim, decoded.
    pub bytes: Vec<u8>,
    /// The names of the signed headers in `bytes`, in lower case and in order.
    pub names: Vec<Span>,
}

impl Texts {
    fn push(&mut self, text: impl IntoIterator<Item = u8>) -> Span {
        let start = self.bytes.len();
        self.bytes.extend(text);
        Span::new(start, self.bytes.len())
    }

    /// The signed headers' names.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.names.iter().map(|name| name.of(&self.bytes))
    }

    /// Whether a header of this name, in any letter case, is signed.
    #[must_use]
    pub fn has_name(&self, name: &[u8]) -> bool {
        self.names().any(|signed| signed.eq_ignore_ascii_case(name))
    }
}

/// Reads a request's claim.
///
/// # Errors
/// If there is none, and what is wrong with it. Whether it is true is not looked at.
pub fn read(head: &RequestHead, bytes: &[u8], texts: &mut Texts) -> Result<Claim, Failure> {
    texts.bytes.clear();
    texts.names.clear();
    let mut headers = head.fields.iter().filter(|field| field.known == Known::Authorization);
    let header = headers.next();
    if headers.next().is_some() {
        return Err(Failure::Twice("Authorization"));
    }
    let queried = is_presigned(head.query.of(bytes));
    match header {
        Some(_) if queried => Err(Failure::Both),
        Some(header) => from_header(head, bytes, header.value.of(bytes), texts),
        None if queried => from_query(head.query.of(bytes), texts),
        None => Err(Failure::NoToken),
    }
}

/// The only value of a header.
///
/// # Errors
/// If there are several.
pub fn header<'b>(head: &RequestHead, bytes: &'b [u8], name: &'static str) -> Result<Option<&'b [u8]>, Failure> {
    let mut all = head.fields.iter().filter(|field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()));
    let first = all.next().map(|field| field.value.of(bytes));
    if all.next().is_some() { Err(Failure::Twice(name)) } else { Ok(first) }
}

/// The hash of the body that the request announces.
///
/// # Errors
/// If it announces something else than a hash.
pub fn payload(head: &RequestHead, bytes: &[u8]) -> Result<Option<Hash>, Failure> {
    match header(head, bytes, "x-amz-content-sha256") {
        Ok(None) => Ok(None),
        Ok(Some(text)) => body::unhex(text).map(Some).ok_or(Failure::PayloadForm),
        Err(_) => Err(Failure::PayloadForm),
    }
}

fn is_presigned(text: &[u8]) -> bool {
    !text.is_empty() && query::pairs(text).any(|(name, _)| is(name, "X-Amz-Algorithm") || is(name, "X-Amz-Signature"))
}

fn is(raw: &[u8], name: &str) -> bool {
    raw == name.as_bytes()
        || raw.len() > name.len() && raw.contains(&b'%') && decoded(raw, Came::Query).eq(name.bytes())
}

/// Places in the texts, as they are found.
#[derive(Default)]
struct Found {
    credential: Option<Span>,
    signature: Option<Span>,
    signed_headers: Option<Span>,
}

fn from_header(head: &RequestHead, bytes: &[u8], value: &[u8], texts: &mut Texts) -> Result<Claim, Failure> {
    let value = trim(value);
    let space = value.iter().position(|b| *b == b' ').unwrap_or(value.len());
    let (algorithm, rest) = value.split_at(space);
    if algorithm.contains(&b'=') {
        return Err(Failure::NoAlgorithm);
    }
    let found = pairs(value, rest, texts)?;
    let stamp = header(head, bytes, "X-Amz-Date")?;
    let date = match stamp {
        Some(_) => None,
        None => header(head, bytes, "Date")?,
    };
    let (Some(credential), Some(signature), Some(names), Some(when)) =
        (found.credential, found.signature, found.signed_headers, stamp.or(date))
    else {
        return Err(Failure::Lacking {
            credential: found.credential.is_none(),
            signature: found.signature.is_none(),
            signed_headers: found.signed_headers.is_none(),
            date: stamp.or(date).is_none(),
            header: Shown::hash_of(value),
        });
    };
    let signed = if stamp.is_some() { time::parse(when) } else { time::parse_http(when) };
    let signed = signed.ok_or_else(|| Failure::Date(Shown::new(when)))?;
    is_supported(algorithm)?;
    signed_headers(names, texts)?;
    let token = header(head, bytes, "X-Amz-Security-Token")?.map(|token| texts.push(token.iter().copied()));
    let parts = credential_parts(credential, texts)?;
    Ok(Claim { presigned: false, credential, parts, signature, signed, expires: None, token })
}

/// The `key=value` pairs of the header, which commas and blanks separate.
fn pairs(value: &[u8], rest: &[u8], texts: &mut Texts) -> Result<Found, Failure> {
    let mut found = Found::default();
    for piece in rest.split(|b| matches!(b, b',' | b' ' | b'\t')).filter(|piece| !piece.is_empty()) {
        let Some(equals) = piece.iter().position(|b| *b == b'=') else {
            return Err(Failure::NotAPair(Shown::hash_of(value)));
        };
        let (key, text) = (&piece[..equals], &piece[equals + 1..]);
        let (place, name) = match key {
            b"Credential" => (&mut found.credential, "Credential"),
            b"Signature" => (&mut found.signature, "Signature"),
            b"SignedHeaders" => (&mut found.signed_headers, "SignedHeaders"),
            _ => continue,
        };
        if place.is_some() {
            return Err(Failure::Twice(name));
        }
        *place = (!text.is_empty()).then(|| texts.push(text.iter().copied()));
    }
    Ok(found)
}

fn from_query(text: &[u8], texts: &mut Texts) -> Result<Claim, Failure> {
    const NAMES: [&str; 7] = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Signature",
        "X-Amz-SignedHeaders",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-Security-Token",
    ];
    let mut found = [None; NAMES.len()];
    for (name, value) in query::pairs(text) {
        let Some(at) = NAMES.iter().position(|known| is(name, known)) else { continue };
        if found[at].is_some() {
            return Err(Failure::Twice(NAMES[at]));
        }
        found[at] = Some(texts.push(decoded(value, Came::Query)));
    }
    let [Some(algorithm), Some(credential), Some(signature), Some(names), Some(date), expires, token] = found else {
        let lacks = NAMES.iter().zip(&found).take(5).filter(|(_, found)| found.is_none());
        return Err(Failure::QueryLacking(lacks.map(|(name, _)| *name).collect()));
    };
    let date = date.of(&texts.bytes);
    let signed = time::parse(date).ok_or_else(|| Failure::Date(Shown::new(date)))?;
    let expires = expires.map(|place| seconds(place.of(&texts.bytes))).transpose()?;
    is_supported(algorithm.of(&texts.bytes))?;
    signed_headers(names, texts)?;
    let parts = credential_parts(credential, texts)?;
    Ok(Claim { presigned: true, credential, parts, signature, signed, expires, token })
}

fn seconds(text: &[u8]) -> Result<u64, Failure> {
    let number = std::str::from_utf8(text).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
    let number = number.and_then(|text| text.parse::<u64>().ok());
    number.filter(|seconds| (1..=limits::PRESIGNED_SECONDS_MAX).contains(seconds)).ok_or(Failure::Expires)
}

fn is_supported(algorithm: &[u8]) -> Result<(), Failure> {
    if algorithm == ALGORITHM.as_bytes() { Ok(()) } else { Err(Failure::Algorithm(Shown::new(algorithm))) }
}

fn credential_parts(credential: Span, texts: &Texts) -> Result<[Span; 5], Failure> {
    let bytes = credential.of(&texts.bytes);
    let (mut parts, mut count, mut at) = ([Span::EMPTY; 5], 0, credential.start as usize);
    for part in bytes.split(|b| *b == b'/') {
        if let Some(place) = parts.get_mut(count) {
            *place = Span::new(at, at + part.len());
        }
        (count, at) = (count + 1, at + part.len() + 1);
    }
    if count == parts.len() { Ok(parts) } else { Err(Failure::Credential(Shown::new(bytes))) }
}

/// Notes the signed headers' names in order: a client may list them as it likes, but the signature is over the ordered list.
fn signed_headers(list: Span, texts: &mut Texts) -> Result<(), Failure> {
    let Texts { bytes, names } = texts;
    let (start, end) = (list.start as usize, list.end as usize);
    if let Some(list) = bytes.get_mut(start..end) {
        list.make_ascii_lowercase();
    }
    let mut at = start;
    for name in list.of(bytes).split(|b| *b == b';') {
        if names.len() >= limits::FIELDS_MAX {
            return Err(Failure::Mismatch);
        }
        names.push(Span::new(at, at + name.len()));
        at += name.len() + 1;
    }
    names.sort_unstable_by_key(|name| name.of(bytes));
    if names.windows(2).any(|two| two[0].of(bytes) == two[1].of(bytes)) {
        return Err(Failure::Twice("SignedHeaders"));
    }
    if names.iter().all(|name| name.of(bytes) != b"host") { Err(Failure::HostNotSigned) } else { Ok(()) }
}
