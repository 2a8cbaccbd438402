//! Requests that are signed: what the gateway itself sends to Amazon's services and to what imitates them.

use super::{
    ALGORITHM, Secret, TERMINATOR,
    body::{self, Hash},
    canonical::{self, Sorting},
    keys::signing_key,
    time,
    verify::{hex, string_to_sign},
};
use crate::base::clock::UnixTime;
use aws_lc_rs::hmac;

/// Signs for one user, region and service.
#[derive(Debug)]
pub struct Signer {
    access_key_id: Box<str>,
    secret: Secret,
    session_token: Option<Secret>,
    region: Box<str>,
    service: Box<str>,
    /// The key of the day that was signed on last.
    key: Option<([u8; time::DAY_BYTES], hmac::Key)>,
    sorting: Sorting,
    canonical: Vec<u8>,
    to_sign: Vec<u8>,
}

/// A request that is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'o> {
    /// Its method.
    pub method: &'o str,
    /// Its path as it will be sent.
    pub path: &'o [u8],
    /// Its query as it will be sent, without `?`.
    pub query: &'o [u8],
    /// The headers that are signed, among them `host`, names in lower case; without those that signing adds.
    pub headers: &'o [(&'o str, &'o [u8])],
    /// The hash of its body.
    pub payload: Hash,
}

/// What signing adds to a request: headers, in a form that can be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// `Authorization`
    pub authorization: String,
    /// `X-Amz-Date`
    pub date: String,
    /// `X-Amz-Security-Token`, for temporary credentials.
    pub session_token: Option<Secret>,
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signed({})", self.date)
    }
}

impl Signed {
    /// The headers' names and values.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let token = self.session_token.as_ref().map(|token| ("x-amz-security-token", token.reveal()));
        let date = ("x-amz-date", self.date.as_bytes());
        [date, ("authorization", self.authorization.as_bytes())].into_iter().chain(token)
    }
}

impl Signer {
    /// A signer with these credentials.
    #[must_use]
    pub fn new(
        access_key_id: &str,
        secret: Secret,
        session_token: Option<Secret>,
        region: &str,
        service: &str,
    ) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret,
            session_token,
            region: region.into(),
            service: service.into(),
            key: None,
            sorting: Sorting::default(),
            canonical: Vec::new(),
            to_sign: Vec::new(),
        }
    }

    /// Signs in headers. All headers that are given are signed, and those that are added but `Authorization`.
    #[must_use]
    pub fn sign(&mut self, request: &Outgoing<'_>, now: UnixTime) -> Signed {
        let stamp = time::stamp(now);
        let token = self.session_token.clone();
        let mut headers = request.headers.to_vec();
        headers.push(("x-amz-date", &stamp));
        if let Some(token) = &token {
            headers.push(("x-amz-security-token", token.reveal()));
        }
        let names = self.canonical(request, request.query, &mut headers);
        let signature = self.signature(&stamp);
        let (key_id, scope) = (&self.access_key_id, self.scope(&stamp));
        Signed {
            authorization: format!(
                "{ALGORITHM} Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
            ),
            date: text(&stamp),
            session_token: token,
        }
    }

    /// Signs in the query: gives the whole query, which is valid for `seconds`.
    #[must_use]
    pub fn presign(&mut self, request: &Outgoing<'_>, seconds: u64, now: UnixTime) -> Vec<u8> {
        let stamp = time::stamp(now);
        let mut headers = request.headers.to_vec();
        // The order of one name's values is theirs.
        headers.sort_by_key(|(name, _)| *name);
        let credential = format!("{}/{}", self.access_key_id, self.scope(&stamp));
        let mut names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        names.dedup();
        let mut query = request.query.to_vec();
        let mut add = |name: &str, value: &[u8]| {
            if !query.is_empty() {
                query.push(b'&');
            }
            query.extend_from_slice(name.as_bytes());
            query.push(b'=');
            canonical::encode(value, &mut query);
        };
        add("X-Amz-Algorithm", ALGORITHM.as_bytes());
        add("X-Amz-Credential", credential.as_bytes());
        add("X-Amz-Date", &stamp);
        add("X-Amz-Expires", seconds.to_string().as_bytes());
        add("X-Amz-SignedHeaders", names.join(";").as_bytes());
        if let Some(token) = &self.session_token {
            add("X-Amz-Security-Token", token.reveal());
        }
        self.canonical(request, &query, &mut headers);
        let signature = self.signature(&stamp);
        query.extend_from_slice(b"&X-Amz-Signature=");
        query.extend_from_slice(signature.as_bytes());
        query
    }

    /// Writes the canonical request; gives the list of the signed headers.
    fn canonical(&mut self, request: &Outgoing<'_>, query: &[u8], headers: &mut [(&str, &[u8])]) -> String {
        // The order of one name's values is theirs.
        headers.sort_by_key(|(name, _)| *name);
        let out = &mut self.canonical;
        out.clear();
        out.extend_from_slice(request.method.as_bytes());
        out.push(b'\n');
        canonical::path(request.path, out);
        out.push(b'\n');
        canonical::query(query, false, &mut self.sorting, out);
        let mut names = String::new();
        for (at, (name, value)) in headers.iter().enumerate() {
            if at > 0 && headers[at - 1].0 == *name {
                out.push(b',');
            } else {
                out.push(b'\n');
                out.extend_from_slice(name.as_bytes());
                out.push(b':');
                names = if names.is_empty() { (*name).to_owned() } else { names + ";" + name };
            }
            canonical::value(value, out);
        }
        out.extend_from_slice(b"\n\n");
        out.extend_from_slice(names.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(&body::hex(&request.payload));
        names
    }

    /// The signature of the canonical request that was written last.
    fn signature(&mut self, stamp: &[u8; time::STAMP_BYTES]) -> String {
        let day = time::day(stamp);
        let scope = [&day[..], self.region.as_bytes(), self.service.as_bytes(), TERMINATOR.as_bytes()];
        string_to_sign(stamp, &scope, &body::hash(&self.canonical), &mut self.to_sign);
        if self.key.as_ref().is_none_or(|(of, _)| *of != day) {
            self.key = Some((day, signing_key(self.secret.reveal(), day, (&self.region, &self.service))));
        }
        match &self.key {
            Some((_, key)) => text(&hex(&hmac::sign(key, &self.to_sign))),
            None => String::new(),
        }
    }

    fn scope(&self, stamp: &[u8; time::STAMP_BYTES]) -> String {
        format!("{}/{}/{}/{TERMINATOR}", text(&time::day(stamp)), self.region, self.service)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
