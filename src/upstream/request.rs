//! The request head as it is sent upstream: re-framed from what was understood, never copied blindly.

use super::manners::Polite;
use crate::{
    base::span::Span,
    h1::encode,
    http::{
        field::Known,
        head::{FieldLine, Framing, RequestHead, Version},
        hop::{self, Fate},
        method::Method,
    },
};

/// Everything that the upstream is told.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The client's head.
    pub head: &'a RequestHead,
    /// The bytes its spans point into.
    pub bytes: &'a [u8],
    /// The path and query to ask for, instead of the client's.
    pub target: Option<&'a [u8]>,
    /// The body's length, if it was collected: then it goes out with that, however it came.
    pub held: Option<u64>,
    /// The `Host` to send, instead of the client's.
    pub host: Option<&'a [u8]>,
    /// The client's address as text.
    pub client: &'a [u8],
    /// The client is a trusted proxy: its forwarding fields are passed on and added to.
    pub trusted: bool,
    /// What it says of who sent it was for the gateway alone: `Authorization` does not go along.
    pub signed: bool,
    /// The client came over TLS.
    pub secure: bool,
    /// The API behaves like one of Amazon's.
    pub polite: Option<Polite<'a>>,
    /// The integration maps requests.
    pub shape: Option<Shape<'a>>,
    /// The answer is for a cache: these lines are sent in the place of the client's conditions.
    pub conditions: Option<&'a [u8]>,
}

/// What an integration makes of every request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The method to ask with, instead of the client's.
    pub method: Option<Method>,
    /// Names of the headers that are mapped: the client's own do not go along.
    pub replaced: Vec<Box<str>>,
    /// No header of the client's goes along but those that say what the body is.
    pub bare: bool,
}

/// What was made of one request.
#[derive(Clone, Copy, Debug)]
pub struct Shape<'a> {
    /// By these rules.
    pub rules: &'a Rules,
    /// Field lines that were made for it.
    pub lines: &'a [u8],
    /// Its body is not the client's.
    pub own_body: bool,
    /// It is a request of the gateway's own: this is its whole head.
    pub whole: Option<&'a [u8]>,
}

impl Rules {
    /// Whether the client's header of that name does not go along.
    #[must_use]
    pub fn replaces(&self, name: &[u8]) -> bool {
        self.replaced.iter().any(|mapped| mapped.as_bytes().eq_ignore_ascii_case(name))
    }
}

impl Outgoing<'_> {
    /// Appends the head, its blank line included.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let head = self.head;
        if let Some(shape) = &self.shape {
            return self.encode_shaped(shape, out);
        }
        out.extend_from_slice(head.method_token.of(self.bytes));
        out.push(b' ');
        self.target(out);
        out.extend_from_slice(b" HTTP/1.1\r\n");
        // RFC 9110 §7.2: Host comes first, and there is exactly one.
        out.extend_from_slice(b"Host: ");
        out.extend_from_slice(self.host.unwrap_or_else(|| head.host.of(self.bytes)));
        out.extend_from_slice(b"\r\n");
        let mut forwarded_for = Span::EMPTY;
        let (mut proto, mut host) = (Span::EMPTY, Span::EMPTY);
        let mut run = Run::default();
        for line in &head.fields {
            match line.known {
                Known::XForwardedFor if self.trusted => forwarded_for = last_of(forwarded_for, line),
                Known::XForwardedProto if self.trusted => proto = line.value,
                Known::XForwardedHost if self.trusted => host = line.value,
                _ if self.passes(line) => {
                    run.add(line, self.bytes, out);
                    continue;
                }
                _ => {}
            }
            run.end(self.bytes, out);
        }
        run.end(self.bytes, out);
        self.framing(out);
        self.forwarded(out, forwarded_for, proto, host);
        if let Some(polite) = &self.polite {
            let host = head.host.of(self.bytes);
            polite.add(&head.fields, self.bytes, self.client, host, self.secure, out);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The same for an integration that maps requests: mapped headers stand in the place of the client's.
    #[cold]
    fn encode_shaped(&self, shape: &Shape<'_>, out: &mut Vec<u8>) {
        let (head, rules) = (self.head, shape.rules);
        if let Some(whole) = shape.whole {
            return out.extend_from_slice(whole);
        }
        out.extend_from_slice(
            rules.method.map_or_else(|| head.method_token.of(self.bytes), |method| method.name().as_bytes()),
        );
        out.push(b' ');
        self.target(out);
        out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
        out.extend_from_slice(self.host.unwrap_or_else(|| head.host.of(self.bytes)));
        out.extend_from_slice(b"\r\n");
        let mut forwarded_for = Span::EMPTY;
        let (mut proto, mut host) = (Span::EMPTY, Span::EMPTY);
        for line in &head.fields {
            let name = line.name.of(self.bytes);
            match line.known {
                Known::XForwardedFor if self.trusted => forwarded_for = last_of(forwarded_for, line),
                Known::XForwardedProto if self.trusted => proto = line.value,
                Known::XForwardedHost if self.trusted => host = line.value,
                _ if rules.replaces(name) || rules.bare && !self.describes_body(name) => {}
                _ if self.passes(line) => encode::field(out, name, line.value.of(self.bytes)),
                _ => {}
            }
        }
        out.extend_from_slice(shape.lines);
        self.framing(out);
        self.forwarded(out, forwarded_for, proto, host);
        let own: &[FieldLine] = if rules.bare { &[] } else { &head.fields };
        match &self.polite {
            Some(polite) => {
                let host = head.host.of(self.bytes);
                polite.add_beside(own, Some(rules), self.bytes, self.client, host, self.secure, out);
            }
            // Reference 4.4 [S]: an integration that gets none of the client's headers is told what it may answer with.
            None if rules.bare && !rules.replaces(b"accept") => {
                out.extend_from_slice(b"Accept: application/json\r\n");
            }
            None => {}
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Whether a header says what the body is that goes along (reference 4.4 \[S\], and what reading it takes).
    fn describes_body(&self, name: &[u8]) -> bool {
        let word = |lower: &[u8]| name.eq_ignore_ascii_case(lower);
        let bodiless = matches!(self.method(), Method::Get | Method::Head | Method::Options);
        word(b"content-type") && !bodiless
            || word(b"content-encoding")
                && self.head.framing != Framing::None
                && !self.shape.is_some_and(|shape| shape.own_body)
    }

    /// The method that the upstream is asked with.
    #[inline]
    #[must_use]
    pub fn method(&self) -> Method {
        self.shape.and_then(|shape| shape.rules.method).unwrap_or(self.head.method)
    }

    /// Whether only what is mapped goes along.
    fn is_bare(&self) -> bool {
        self.shape.is_some_and(|shape| shape.rules.bare)
    }

    /// Whether a forwarding field is mapped.
    fn maps(&self, name: &[u8]) -> bool {
        self.shape.is_some_and(|shape| shape.rules.replaces(name))
    }

    /// The protocol that the upstream is asked to switch to.
    pub(super) fn upgrade(&self) -> Option<Span> {
        if self.shape.is_some_and(|shape| shape.rules.bare || shape.rules.method.is_some()) {
            return None;
        }
        self.head.upgrade.filter(|_| self.polite.is_none_or(|polite| polite.manners.passes_upgrades()))
    }

    fn target(&self, out: &mut Vec<u8>) {
        let head = self.head;
        if let Some(target) = self.target {
            out.extend_from_slice(target);
            return;
        }
        match (head.path.of(self.bytes), head.has_query) {
            // `OPTIONS *`, and an absolute target without a path (RFC 9112 §3.2.4).
            (b"", false) if head.target.of(self.bytes) == b"*" => out.push(b'*'),
            (b"", _) => out.push(b'/'),
            (path, _) => out.extend_from_slice(path),
        }
        if head.has_query {
            out.push(b'?');
            out.extend_from_slice(head.query.of(self.bytes));
        }
    }

    /// Whether a field line goes along as it is (RFC 9110 §7.6.1). `Forwarded` from anyone but a trusted proxy is hearsay.
    #[inline]
    fn passes(&self, line: &FieldLine) -> bool {
        match line.known {
            Known::Forwarded => self.trusted && !line.nominated,
            Known::Authorization if self.signed => false,
            // It announces what was not kept (RFC 9110 §6.6.2).
            Known::Trailer if self.held.is_some() => false,
            _ if self.conditions.is_some() && is_condition(line.name.of(self.bytes)) => false,
            _ => hop::request(line) == Fate::Pass && self.polite.is_none_or(|polite| polite.passes(line, self.bytes)),
        }
    }

    fn framing(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.conditions.unwrap_or_default());
        match (self.held, self.head.framing) {
            (None, Framing::Chunked) => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
            _ => {
                if let Some(length) = self.held.or(self.head.content_length) {
                    out.extend_from_slice(b"Content-Length: ");
                    encode::decimal(out, length);
                    out.extend_from_slice(b"\r\n");
                } else if self.shape.is_some() && matches!(self.method(), Method::Post | Method::Put | Method::Patch) {
                    // RFC 9110 §8.6: the client may have asked with a method that has none.
                    out.extend_from_slice(b"Content-Length: 0\r\n");
                }
            }
        }
        if let Some(protocol) = self.upgrade() {
            encode::field(out, b"Connection", b"Upgrade");
            encode::field(out, b"Upgrade", protocol.of(self.bytes));
        } else if self.head.te_trailers
            && !self.is_bare()
            && self.polite.is_none_or(|polite| polite.manners.passes_upgrades())
        {
            out.extend_from_slice(b"Connection: TE\r\nTE: trailers\r\n");
        }
    }

    fn forwarded(&self, out: &mut Vec<u8>, before: Span, proto: Span, host: Span) {
        if !self.maps(b"x-forwarded-for") {
            out.extend_from_slice(b"X-Forwarded-For: ");
            if !before.is_empty() {
                self.all_of(Known::XForwardedFor, out);
                out.extend_from_slice(b", ");
            }
            out.extend_from_slice(self.client);
            out.extend_from_slice(b"\r\n");
        }
        if !self.maps(b"x-forwarded-proto") {
            out.extend_from_slice(b"X-Forwarded-Proto: ");
            let own: &[u8] = if self.secure { b"https" } else { b"http" };
            out.extend_from_slice(if proto.is_empty() { own } else { proto.of(self.bytes) });
            out.extend_from_slice(b"\r\n");
        }
        let host = if host.is_empty() { self.head.host.of(self.bytes) } else { host.of(self.bytes) };
        if !host.is_empty() && !self.maps(b"x-forwarded-host") {
            out.extend_from_slice(b"X-Forwarded-Host: ");
            out.extend_from_slice(host);
            out.extend_from_slice(b"\r\n");
        }
    }

    /// All values of a list field, joined as RFC 9110 §5.3 allows.
    fn all_of(&self, known: Known, out: &mut Vec<u8>) {
        let mut first = true;
        for line in self.head.fields.iter().filter(|line| line.known == known && !line.value.is_empty()) {
            if !first {
                out.extend_from_slice(b", ");
            }
            first = false;
            out.extend_from_slice(line.value.of(self.bytes));
        }
    }
}

/// Whether a header asks whether something has changed (RFC 9110 §13.1).
fn is_condition(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"if-none-match") || name.eq_ignore_ascii_case(b"if-modified-since")
}

fn last_of(before: Span, line: &FieldLine) -> Span {
    if line.value.is_empty() { before } else { line.value }
}

/// Field lines that stand behind one another and go along together: one copy instead of four per line.
#[derive(Debug, Default)]
pub struct Run {
    start: u32,
    end: u32,
}

impl Run {
    /// Adds `line` to the run, or writes the run and begins another one.
    #[inline]
    pub fn add(&mut self, line: &FieldLine, bytes: &[u8], out: &mut Vec<u8>) {
        // The parser has seen CRLF, and nothing but white space before it, between two lines.
        if self.end != 0 && line.name.start == self.end + 2 {
            self.end = line.value.end;
            return;
        }
        self.end(bytes, out);
        (self.start, self.end) = (line.name.start, line.value.end.max(line.name.end));
        if line.value.is_empty() {
            // The span of an empty value says nothing about the colon: write such a line by itself.
            encode::field(out, line.name.of(bytes), b"");
            *self = Self::default();
        }
    }

    /// Writes the run.
    #[inline]
    pub fn end(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        if self.end != 0 {
            out.extend_from_slice(Span { start: self.start, end: self.end }.of(bytes));
            out.extend_from_slice(b"\r\n");
            *self = Self::default();
        }
    }
}

/// Whether a client of that version can be sent interim responses and chunked bodies (RFC 9110 §15.2, RFC 9112 §6.1).
#[must_use]
pub fn is_modern(version: Version) -> bool {
    version == Version::Http11
}
