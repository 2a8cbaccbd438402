//! A stored response: its head as it will be sent, and its content behind it, in one piece of memory that whoever sends it shares.

use super::{
    condition::Validators,
    control::values,
    tally::Tally,
    terms::{State, Terms},
};
use crate::{
    base::{clock::Instant, limits, span::Span},
    http::{
        field::Known,
        head::{FieldLine, Framing, ResponseHead, Version},
        hop::{self, Fate},
        status::Status,
    },
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A response that is kept.
#[derive(Debug)]
pub struct Stored {
    /// How long it is good.
    pub terms: Terms,
    /// Its status.
    pub status: Status,
    /// What it is purged by.
    pub labels: Labels,
    /// It is not to be sent any more, whoever still holds it.
    gone: AtomicBool,
    /// Where the status line ends.
    line_end: u16,
    /// Where the head ends: its blank line, `Content-Length`, `Age` and what is said of the connection are not part of it.
    head_end: u32,
    bytes: Box<[u8]>,
}

/// What stored responses are purged by.
#[derive(Clone, Debug)]
pub struct Labels {
    /// A hash of the host, the path and the query.
    pub url: u64,
    /// What it is counted with; that of its route.
    pub tally: Arc<Tally>,
    /// Hashes of `Surrogate-Key` and `Cache-Tag`.
    pub tags: Box<[u64]>,
    /// How many purges there were when it was asked for: it is none of their business.
    pub since: u64,
}

/// A response that is being received.
#[derive(Debug)]
pub struct Draft {
    terms: Terms,
    status: Status,
    line_end: u16,
    head_end: u32,
    bytes: Vec<u8>,
    /// Head and content may be that in all.
    most: usize,
}

impl Draft {
    /// A response with this head, whose content of up to `most` bytes is still to come. `date` appends the value of the `Date` that
    /// it gets if it has none (RFC 9110 §6.6.1). `None` if it is too large.
    #[must_use]
    pub fn new(
        head: &ResponseHead,
        bytes: &[u8],
        terms: Terms,
        most: usize,
        date: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Self> {
        let announced = match head.framing {
            Framing::Length(length) => usize::try_from(length).ok()?,
            _ => 0,
        };
        if announced > most {
            return None;
        }
        let mut out = Vec::with_capacity(bytes.len() + announced.min(limits::BULK_BUFFER_BYTES));
        let line_end = status_line(&mut out, head.status);
        for line in head.fields.iter().filter(|line| is_kept(line, bytes)) {
            field(&mut out, line.name.of(bytes), line.value.of(bytes));
        }
        if !head.has_date {
            out.extend_from_slice(b"Date: ");
            date(&mut out);
            out.extend_from_slice(b"\r\n");
        }
        let head_end = u32::try_from(out.len()).ok()?;
        let most = most.saturating_add(out.len());
        Some(Self { terms, status: head.status, line_end, head_end, bytes: out, most })
    }

    /// `old` with what the 304 with this head says anew (RFC 9111 §3.2 and §4.3.4), on new terms.
    #[must_use]
    pub fn freshened(old: &Stored, head: &ResponseHead, bytes: &[u8]) -> (ResponseHead, Vec<u8>) {
        let mut out = Vec::with_capacity(old.bytes.len() + bytes.len());
        let renewed = |line: &&FieldLine| is_kept(line, bytes) && !is_contents(line.name.of(bytes));
        let (fields, own) = (old.fields(), &*old.bytes);
        for line in &fields {
            let name = line.name.of(own);
            if !head.fields.iter().filter(renewed).any(|new| new.name.of(bytes).eq_ignore_ascii_case(name)) {
                field(&mut out, name, line.value.of(own));
            }
        }
        for line in head.fields.iter().filter(renewed) {
            field(&mut out, line.name.of(bytes), line.value.of(bytes));
        }
        // RFC 9111 §4.3.4: how old it is says the newer one alone.
        for age in values(&head.fields, bytes, "age") {
            field(&mut out, b"Age", age);
        }
        let fields = parse(&out, 0);
        let has_date = fields.iter().any(|line| line.known == Known::Date);
        let merged = ResponseHead {
            status: old.status,
            has_date,
            framing: Framing::Length(old.content().len() as u64),
            fields,
            ..ResponseHead::with_capacity(0)
        };
        (merged, out)
    }

    /// Adds content.
    pub fn add(&mut self, content: &[u8]) {
        self.bytes.extend_from_slice(content);
    }

    /// Its head, for whoever adds the content, and how long both together may become.
    #[must_use]
    pub fn take(&mut self) -> (Vec<u8>, usize) {
        (std::mem::take(&mut self.bytes), self.most)
    }

    /// The other way about.
    pub fn give_back(&mut self, bytes: Vec<u8>) {
        self.bytes = bytes;
    }

    /// The response, now that all of it is there.
    #[must_use]
    pub fn finish(self, labels: Labels) -> Stored {
        let Self { terms, status, line_end, head_end, bytes, .. } = self;
        let (gone, bytes) = (AtomicBool::new(false), bytes.into_boxed_slice());
        Stored { terms, status, labels, gone, line_end, head_end, bytes }
    }
}

impl Stored {
    /// Status line and field lines, each with its CRLF.
    #[inline]
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.bytes.get(..self.head_end as usize).unwrap_or_default()
    }

    /// The field lines, each with its CRLF.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        self.head().get(usize::from(self.line_end)..).unwrap_or_default()
    }

    /// Its content.
    #[inline]
    #[must_use]
    pub fn content(&self) -> &[u8] {
        self.bytes.get(self.head_end as usize..).unwrap_or_default()
    }

    /// The field lines as offsets into [`Stored::head`].
    #[must_use]
    pub fn fields(&self) -> Vec<FieldLine> {
        parse(self.head(), usize::from(self.line_end))
    }

    /// As it was received, into `head`, whose spans point into [`Stored::head`] then.
    pub fn received(&self, head: &mut ResponseHead) {
        let length = self.content().len() as u64;
        head.fields.clear();
        read(self.head(), usize::from(self.line_end), &mut head.fields);
        let fields = std::mem::take(&mut head.fields);
        let bodiless = matches!(self.status.0, 204 | 304);
        *head = ResponseHead {
            version: Version::Http11,
            status: self.status,
            // `HTTP/1.1 200 ` is in front of it.
            reason: Span { start: 13, end: u32::from(self.line_end).saturating_sub(2).max(13) },
            framing: if length == 0 { Framing::None } else { Framing::Length(length) },
            content_length: (!bodiless).then_some(length),
            keep_alive: true,
            has_date: true,
            fields,
            ..ResponseHead::with_capacity(0)
        };
    }

    /// One of these parts, if they fit together: where the status line and where the head ends in `bytes`.
    #[must_use]
    pub(super) fn of_parts(
        (terms, status, labels): (Terms, Status, Labels),
        (line_end, head_end): (u16, u32),
        bytes: Box<[u8]>,
    ) -> Option<Self> {
        let fits = u32::from(line_end) <= head_end && head_end as usize <= bytes.len();
        fits.then(|| Self { terms, status, labels, gone: AtomicBool::new(false), line_end, head_end, bytes })
    }

    /// Where the status line and where the head ends, and all its bytes.
    pub(super) fn parts(&self) -> ((u16, u32), &[u8]) {
        ((self.line_end, self.head_end), &self.bytes)
    }

    /// What it is compared with.
    #[must_use]
    pub fn validators<'a>(&'a self, fields: &'a [FieldLine]) -> Validators<'a> {
        let one = |name| values(fields, self.head(), name).next();
        Validators { etag: one("etag"), modified: one("last-modified"), dated: one("date") }
    }

    /// What it is good for at `now`.
    #[inline]
    #[must_use]
    pub fn state(&self, now: Instant, wish: &super::Wish) -> State {
        self.terms.state(now, wish)
    }

    /// Whether it is not to be sent any more.
    #[inline]
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// It is not to be sent any more.
    pub fn end(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Bytes that it takes.
    #[must_use]
    pub fn weight(&self) -> u64 {
        (self.bytes.len() + self.labels.tags.len() * 8 + size_of::<Self>() + OVERHEAD_BYTES) as u64
    }
}

/// What a table and the allocator take for each response: measured with 10 million of them.
const OVERHEAD_BYTES: usize = 96;

fn status_line(out: &mut Vec<u8>, status: Status) -> u16 {
    let hundreds = |n: u16| b'0' + u8::try_from(n % 10).unwrap_or(0);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(&[hundreds(status.0 / 100), hundreds(status.0 / 10), hundreds(status.0), b' ']);
    out.extend_from_slice(status.reason().as_bytes());
    out.extend_from_slice(b"\r\n");
    u16::try_from(out.len()).unwrap_or(u16::MAX)
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// RFC 9111 §3.1: what ends at the next hop is not kept. Neither is what is written anew each time.
fn is_kept(line: &FieldLine, bytes: &[u8]) -> bool {
    let name = line.name.of(bytes);
    hop::response(line) == Fate::Pass
        // Content is kept without trailers.
        && line.known != Known::Trailer
        && !name.eq_ignore_ascii_case(b"age")
        && !name.eq_ignore_ascii_case(b"content-length")
        && !name.eq_ignore_ascii_case(b"cache-status")
}

/// RFC 9111 §3.2: what tells of the content is not changed by an answer that has none.
fn is_contents(name: &[u8]) -> bool {
    [&b"content-encoding"[..], b"content-type", b"content-range"].iter().any(|own| name.eq_ignore_ascii_case(own))
}

fn parse(head: &[u8], from: usize) -> Vec<FieldLine> {
    let mut fields = Vec::new();
    read(head, from, &mut fields);
    fields
}

/// Reads field lines that were written by [`field`].
fn read(head: &[u8], from: usize, fields: &mut Vec<FieldLine>) {
    let span = |start: usize, end: usize| Span {
        start: u32::try_from(start).unwrap_or(u32::MAX),
        end: u32::try_from(end).unwrap_or(u32::MAX),
    };
    let mut at = from;
    while let Some(rest) = head.get(at..).filter(|rest| !rest.is_empty()) {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap_or(rest.len());
        let line = rest.get(..end).unwrap_or_default();
        if let Some(colon) = line.iter().position(|&b| b == b':') {
            let name = line.get(..colon).unwrap_or_default();
            let value = span((at + colon + 2).min(at + end), at + end);
            fields.push(FieldLine { name: span(at, at + colon), value, known: Known::of(name), nominated: false });
        }
        at += end + 2;
    }
}
