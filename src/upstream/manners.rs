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

#[cfg(test)]
mod tests {
    use super::{Kind, Manners, Polite, Worn};
    use crate::{
        base::ids::RequestId,
        h1::parse::{self, HeadLimits},
        http::{
            head::{RequestHead, ResponseHead},
            method::Method,
        },
        upstream::request::Outgoing,
    };

    const LIMITS: HeadLimits = HeadLimits { bytes: 4000, fields: 16 };

    /// The lines of a request with that field line, as a REST API sends it on.
    fn forwarded(manners: &Manners, line: &str) -> Vec<String> {
        let bytes = format!("POST /x HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n").into_bytes();
        let mut head = RequestHead::with_capacity(16);
        parse::request(&bytes, LIMITS, &mut head).unwrap_or_else(|error| panic!("{line}: {error:?}"));
        let outgoing = Outgoing {
            head: &head,
            bytes: &bytes,
            target: None,
            held: None,
            host: Some(b"endpoint"),
            client: b"10.0.0.1",
            trusted: false,
            signed: false,
            secure: false,
            polite: Some(Polite { manners, id: RequestId::default(), seconds: 0 }),
            shape: None,
            conditions: None,
        };
        let mut out = Vec::new();
        outgoing.encode(&mut out);
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    /// The lines of an answer with that field line, as a REST API sends it on, but what frames it.
    fn answered(manners: &Manners, line: &str) -> Vec<String> {
        let bytes = format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n").into_bytes();
        let mut head = ResponseHead::with_capacity(16);
        parse::response(&bytes, LIMITS, Method::Get, &mut head).unwrap_or_else(|error| panic!("{line}: {error:?}"));
        let mut out = Vec::new();
        let worn = Worn { manners: Some(manners), own_cors: false, own_id: true, tail: &|_| {} };
        worn.fields(&mut out, &head, &bytes, |_| false);
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    /// The table of section 8.3, for `http_proxy`. Where the records of 8.4 say something else, they count; where doing the
    /// same would break a message, it is not done.
    #[test]
    fn reference_8_3_every_header_both_ways() {
        use What::{Drop, Own, Pass, Remap};
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum What {
            Pass,
            Drop,
            Remap,
            /// Written by the gateway.
            Own,
        }
        let manners = Manners::new(Kind::Rest, "shop");
        for (line, request, response, evidence) in [
            ("Age: 1", Pass, Pass, "8.3 [D26]"),
            ("Accept-Charset: utf-8", Pass, Pass, "8.3 [D26]"),
            ("Accept-Encoding: gzip", Pass, Pass, "8.3 [D26]"),
            ("Content-Type: text/plain", Pass, Pass, "8.3 [D26]"),
            ("Pragma: x", Pass, Pass, "8.3 [D26]"),
            ("Range: bytes=0-1", Pass, Pass, "8.3 [D26]"),
            ("Referer: http://a/", Pass, Pass, "8.3 [D26]"),
            ("Warn: x", Pass, Pass, "8.3 [D26]"),
            ("Accept: text/plain", Pass, Pass, "8.3 [D26]: http_proxy passes it both ways"),
            ("Authorization: Bearer x", Pass, Pass, "8.3 [D26] remaps it; 8.4 [S]: only for http and aws"),
            ("Connection: x-y", Drop, Remap, "8.4 [S]: removed when the request is parsed, remapped"),
            ("Content-Encoding: gzip", Pass, Pass, "8.3 [D26] and 8.4 [S] drop it; the content would be unreadable"),
            ("Content-Length: 3", Own, Remap, "8.3 [D26]: regenerated; 8.4 [S]: remapped"),
            ("Content-MD5: x", Drop, Pass, "8.3 [D26], 8.4 [S]: taken off; remapped for http and aws only"),
            ("Date: Sun, 06 Nov 1994 08:49:37 GMT", Pass, Remap, "8.3 [D26], 8.4 [S]"),
            ("Expect: 100-continue", Own, Pass, "8.3 [D26]: dropped; here it is asked for as the body needs it"),
            (
                "Host: other",
                Own,
                Pass,
                "8.3 [D26]: overwritten; in an answer it means nothing, and 8.4 [S] does not drop it",
            ),
            ("Max-Forwards: 3", Drop, Pass, "8.3 [D26], 8.4 [S]: remapped for http and aws only"),
            ("Proxy-Authenticate: x", Drop, Drop, "8.3 [D26]"),
            ("Server: x", Drop, Remap, "8.3 [D26], 8.4 [S]"),
            ("TE: trailers", Drop, Drop, "8.3 [D26]"),
            ("Transfer-Encoding: chunked", Own, Drop, "8.3 [D26]: dropped; the content is framed anew"),
            ("Trailer: x", Drop, Pass, "8.3 [D26]: taken off; trailers that come back are passed on"),
            ("Upgrade: x", Drop, Drop, "8.3 [D26]"),
            ("User-Agent: x", Pass, Pass, "8.3 [D26]; 8.4 [S]: remapped for http and aws only"),
            ("Via: 1.1 x", Drop, Drop, "8.3 [D26], 8.4 [S]"),
            ("WWW-Authenticate: Basic", Drop, Pass, "8.3 [D26]: taken off; 8.4 [S]: remapped for http and aws only"),
        ] {
            let name = line.split(':').next().unwrap();
            let fate = |lines: &[String]| {
                let named = |prefix: &str| {
                    let start = format!("{prefix}{name}:").to_ascii_lowercase();
                    lines.iter().find(|line| line.to_ascii_lowercase().starts_with(&start))
                };
                match (named(""), named("x-amzn-remapped-")) {
                    (Some(found), None) if found == line => Pass,
                    (Some(_), None) => Own,
                    (None, Some(_)) => Remap,
                    (None, None) => Drop,
                    (Some(_), Some(_)) => panic!("{lines:?}"),
                }
            };
            let mut sent = forwarded(&manners, &if name == "Host" { "X: y".to_owned() } else { line.to_owned() });
            // What the gateway adds to every request is not what came.
            sent.retain(|line| line != "User-Agent: AmazonAPIGateway_shop" && line != "Accept: application/json");
            let own = matches!(request, Own);
            let went = fate(&sent);
            assert!(went == request || own && went != Remap, "request, {line}: {went:?}, {evidence}: {sent:?}");
            let back = answered(&manners, line);
            assert_eq!(fate(&back), response, "response, {line}: {evidence}: {back:?}");
        }
        assert!(forwarded(&manners, "X: y").contains(&"Host: endpoint".to_owned()), "8.3 [D26]: the endpoint's host");
    }

    #[test]
    fn reference_8_2_what_answers_have_besides() {
        let manners = Manners::new(Kind::Rest, "shop");
        for (line, expected, evidence) in [
            ("x-amzn-RequestId: theirs", "x-amzn-Remapped-x-amzn-RequestId: theirs", "8.4 [S]: the backend's own"),
            ("x-amz-apigw-id: theirs", "x-amzn-Remapped-x-amz-apigw-id: theirs", "8.4 [S]"),
            ("X-Amzn-Trace-Id: Root=1", "X-Amzn-Trace-Id: Root=1", "8.2 [S]: http_proxy passes the backend's"),
            ("X: y", "Content-Type: application/json", "8.2: always present"),
        ] {
            let lines = answered(&manners, line);
            assert!(lines.iter().any(|line| line == expected), "{line}: {evidence}: {lines:?}");
        }
        let http = Manners::new(Kind::Http, "web");
        assert_eq!(answered(&http, "apigw-requestid: theirs"), Vec::<String>::new(), "8.2: one id, which is ours");
        assert_eq!(answered(&http, "Server: x"), ["Server: x"], "8.4 is about REST APIs");
    }
}
