//! Whether a request was signed by whom it says.

use super::{
    Failure, KeyCache, UserId, Users,
    body::{self, Hash},
    canonical::{self, Sorting},
    claim::{self, Claim, Texts},
    failure::{self, Shown},
    keys::{Mark, mark},
    time,
};
use crate::{
    base::{clock::UnixTime, limits},
    http::{field::Known, head::RequestHead},
};
use aws_lc_rs::{constant_time, hmac};
use std::sync::Arc;

/// Verifies requests for one region and service. Immutable, shared by the cores.
pub struct Verifier {
    users: Arc<Users>,
    region: Box<str>,
    service: Box<str>,
    /// One per user.
    marks: Box<[Mark]>,
}

/// A request as it came.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// Its head.
    pub head: &'r RequestHead,
    /// What the head's places lie in.
    pub bytes: &'r [u8],
}

/// What is known of a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// There is none.
    None,
    /// All of it is there, and has this hash.
    Hash(Hash),
    /// It is still to come. Only if its hash was announced can the request be judged, and only for as long as the hash turns out
    /// to be that.
    Later,
}

/// A request whose signature is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verified {
    /// Whose.
    pub user: UserId,
    /// It came in the query.
    pub presigned: bool,
    /// The hash that the body has to have that was still to come.
    pub body: Option<Hash>,
}

/// What a core keeps for verifying: keys, and memory that is used again.
#[derive(Debug, Default)]
pub struct Core {
    /// Signing keys.
    pub keys: KeyCache,
    texts: Texts,
    sorting: Sorting,
    canonical: Vec<u8>,
    to_sign: Vec<u8>,
}

/// Without the users' marks: those are made of secrets.
impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({} in {}, {} users)", self.service, self.region, self.marks.len())
    }
}

impl Verifier {
    /// A verifier of what these users sign for `region` and `service` ([`super::EXECUTE_API`]).
    #[must_use]
    pub fn new(users: Arc<Users>, region: &str, service: &str) -> Self {
        let marks = users.iter().map(|user| mark(user, region, service)).collect();
        Self { users, region: region.into(), service: service.into(), marks }
    }

    /// Its users.
    #[must_use]
    pub fn users(&self) -> &Users {
        &self.users
    }

    /// Its region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Whether `request` was signed by one of the users, for this region and service, and not too long ago.
    ///
    /// # Errors
    /// What is wrong, in the order in which Amazon looks: the claim's form, its date, its scope, the user, the signature.
    pub fn verify(
        &self,
        request: Request<'_>,
        body: Body,
        now: UnixTime,
        core: &mut Core,
    ) -> Result<Verified, Failure> {
        let Request { head, bytes } = request;
        let claim = claim::read(head, bytes, &mut core.texts)?;
        is_timely(&claim, now.seconds())?;
        are_signed(head, bytes, &core.texts)?;
        let stamp = time::format(claim.signed);
        let [key_id, scope @ ..] = claim.parts.map(|part| part.of(&core.texts.bytes));
        if let Some(failure) = failure::scope(&scope, &self.region, &self.service, &stamp) {
            return Err(failure);
        }
        let (id, user) = self.users.find(key_id).ok_or(Failure::UnknownUser)?;
        let mark = usize::try_from(id.0).ok().and_then(|id| self.marks.get(id)).ok_or(Failure::UnknownUser)?;
        let (payload, later) = payload(claim::payload(head, bytes)?, body)?;

        core.canonical.clear();
        canonical(&request, &claim, &payload, &mut core.canonical, &core.texts, &mut core.sorting)?;
        string_to_sign(&stamp, &scope, &body::hash(&core.canonical), &mut core.to_sign);
        let key = core.keys.key(user, mark, time::day(&stamp), (&self.region, &self.service));
        let expect = hex(&hmac::sign(key, &core.to_sign));
        let given = claim.signature.of(&core.texts.bytes);
        if constant_time::verify_slices_are_equal(&expect, given).is_err() {
            return Err(Failure::Mismatch);
        }
        // Only who has the secret learns that a token is wrong or credentials have ended.
        let token = claim.token.map(|token| token.of(&core.texts.bytes));
        let is_theirs = match (&user.session_token, token) {
            (Some(expect), Some(token)) => expect.is(token),
            (None, None) => true,
            _ => false,
        };
        if !is_theirs {
            return Err(Failure::UnknownUser);
        }
        if user.expires.is_some_and(|expires| expires <= now.seconds()) {
            return Err(Failure::ExpiredCredentials);
        }
        is_announced(claim::payload(head, bytes)?, body)?;
        Ok(Verified { user: id, presigned: claim.presigned, body: later })
    }
}

impl Core {
    /// The canonical form of the request that was verified last, for people who look for what differs from theirs.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }
}

/// Whether a request has anything in it that could be a signature.
#[must_use]
pub fn has_claim(request: Request<'_>) -> bool {
    !matches!(claim::read(request.head, request.bytes, &mut Texts::default()), Err(Failure::NoToken))
}

/// Appends the string that is signed (reference, section 7.1, step 5).
pub(super) fn string_to_sign(stamp: &[u8], scope: &[&[u8]; 4], canonical: &Hash, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(super::ALGORITHM.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(stamp);
    for (at, part) in scope.iter().enumerate() {
        out.push(if at == 0 { b'\n' } else { b'/' });
        out.extend_from_slice(part);
    }
    out.push(b'\n');
    out.extend_from_slice(&body::hex(canonical));
}

/// A signature as it is written.
pub(super) fn hex(tag: &hmac::Tag) -> [u8; 64] {
    let mut bytes = [0; body::HASH_BYTES];
    bytes.copy_from_slice(tag.as_ref());
    body::hex(&bytes)
}

/// Writes the request as its signature covers it.
fn canonical(
    request: &Request<'_>,
    claim: &Claim,
    payload: &Hash,
    out: &mut Vec<u8>,
    texts: &Texts,
    sorting: &mut Sorting,
) -> Result<(), Failure> {
    let Request { head, bytes } = *request;
    out.extend_from_slice(head.method_token.of(bytes));
    out.push(b'\n');
    canonical::path(head.path.of(bytes), out);
    out.push(b'\n');
    canonical::query(head.query.of(bytes), claim.presigned, sorting, out);
    out.push(b'\n');
    for name in texts.names() {
        out.extend_from_slice(name);
        out.push(b':');
        if name == b"host" {
            // The authority that the request was routed by: an absolute target's before the field's (RFC 9112 §3.2.2).
            canonical::value(head.host.of(bytes), out);
        } else {
            joined(head, bytes, name, out)?;
        }
        out.push(b'\n');
    }
    out.push(b'\n');
    for (at, name) in texts.names().enumerate() {
        if at > 0 {
            out.push(b';');
        }
        out.extend_from_slice(name);
    }
    out.push(b'\n');
    out.extend_from_slice(&body::hex(payload));
    Ok(())
}

/// Appends all values of a header. One that was signed and is not there was taken away: an empty value would not show that.
fn joined(head: &RequestHead, bytes: &[u8], name: &[u8], out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut count = 0;
    for field in head.fields.iter().filter(|field| field.name.of(bytes).eq_ignore_ascii_case(name)) {
        if count > 0 {
            out.push(b',');
        }
        canonical::value(field.value.of(bytes), out);
        count += 1;
    }
    if count == 0 { Err(Failure::Mismatch) } else { Ok(()) }
}

fn is_timely(claim: &Claim, now: u64) -> Result<(), Failure> {
    let (signed, skew) = (claim.signed, limits::SIGNATURE_SKEW.as_secs());
    let holds = claim.expires.unwrap_or(skew);
    if signed > now.saturating_add(skew) {
        return Err(Failure::NotYet { signed, now });
    }
    if signed.saturating_add(holds) < now { Err(Failure::Expired { signed, now, holds }) } else { Ok(()) }
}

/// Every `x-amz-*` header changes what a request means, so it has to be signed. CloudFront adds its own behind the client.
fn are_signed(head: &RequestHead, bytes: &[u8], texts: &Texts) -> Result<(), Failure> {
    for field in head.fields.iter().filter(|field| field.known == Known::Other) {
        let name = field.name.of(bytes);
        let is_amazon = name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"x-amz-"));
        if is_amazon && !name.eq_ignore_ascii_case(b"x-amz-cf-id") && !texts.has_name(name) {
            return Err(Failure::NotSigned(Shown::new(name)));
        }
    }
    Ok(())
}

/// The hash that the signature is made over, and the one that a body which is still to come has to have.
fn payload(announced: Option<Hash>, body: Body) -> Result<(Hash, Option<Hash>), Failure> {
    match (announced, body) {
        (Some(announced), Body::Later) => Ok((announced, Some(announced))),
        (Some(announced), _) => Ok((announced, None)),
        (None, Body::None) => Ok((body::EMPTY, None)),
        (None, Body::Hash(hash)) => Ok((hash, None)),
        (None, Body::Later) => Err(Failure::BodyNeeded),
    }
}

/// Whether a body that is there is the announced one.
fn is_announced(announced: Option<Hash>, body: Body) -> Result<(), Failure> {
    let is = match body {
        Body::None => body::EMPTY,
        Body::Hash(hash) => hash,
        Body::Later => return Ok(()),
    };
    if announced.is_none_or(|announced| announced == is) { Ok(()) } else { Err(Failure::BodyMismatch) }
}
