//! What an integration makes of a request besides forwarding it: values that move from one place to another (reference,
//! sections 4.1 and 4.4).
//!
//! Everything is looked up when the plan is made; what is left is to copy bytes, encoded for where they go. Names of headers
//! have no case, unlike in Amazon's gateway: HTTP's have none. A mapped header belongs to the mapping: where its source is
//! not there, it is not sent, not even the client's own.

use super::{
    PathTemplate, Piece,
    respond::{Requests, Responses},
};
use crate::{
    http::{head::RequestHead, list},
    mapping::{
        percent::{self, Came, Zone},
        query,
    },
    observe::{
        event::ExchangeRecord,
        text::Escape,
        variables::{Value as Shown, Variable},
    },
    route::Params,
    upstream::request::Rules,
};
use bytes::Bytes;

/// The mapping of one route's requests.
#[derive(Clone, Debug)]
pub struct Mapped {
    /// What does not depend on the request.
    pub rules: Rules,
    /// The values of [`Piece::Mapped`].
    pub pieces: Vec<Value>,
    /// Parameters that are added to the query: encoded names, and values.
    pub query: Vec<(Box<[u8]>, Value)>,
    /// Headers: names and values.
    pub headers: Vec<(Box<str>, Value)>,
    /// `Host`, if it is mapped.
    pub host: Option<Value>,
    /// Some value is one of the exchange's, so that its record is needed.
    pub asks_record: bool,
    /// `http`: what is made of requests' bodies and of answers.
    pub custom: Option<Box<Custom>>,
}

/// What an `http` integration does besides.
#[derive(Clone, Debug)]
pub struct Custom {
    /// Bodies that go out instead of the clients'.
    pub requests: Requests<Bytes>,
    /// What is made of answers.
    pub responses: Responses,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The same for every request, encoded for where it goes.
    Literal(Box<[u8]>),
    /// `context.NAME`
    Context(Variable),
    /// `method.request.header.NAME`: the last one of that name.
    Header(Box<str>),
    /// `method.request.multivalueheader.NAME`: all of that name, with commas.
    Headers(Box<str>),
    /// `method.request.path.NAME`, by its index.
    Path(usize),
    /// `method.request.querystring.NAME`: the last one of that name.
    Query(Box<str>),
    /// `method.request.multivaluequerystring.NAME`: all of that name.
    Queries(Box<str>),
}

/// A request whose values are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The exchange as far as it is known.
    pub record: &'a ExchangeRecord<'a>,
    /// The request's head.
    pub head: &'a RequestHead,
    /// The bytes that its spans point into.
    pub bytes: &'a [u8],
    /// Where the path parameters are.
    pub params: &'a Params,
    /// In which path.
    pub path: &'a [u8],
}

/// What was written for one request, in one piece of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Where the target ends: before it stands what is asked for.
    pub target: usize,
    /// Where the host ends, if there is one.
    pub host: usize,
}

/// Why a request cannot be mapped: its path would have a hole, or lead elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPath(pub &'static str);

impl Mapped {
    /// Writes target, host and header lines into `out`, one behind the other.
    ///
    /// # Errors
    /// A value that a path needs is not there, or would be a segment of dots.
    pub fn write(
        &self,
        template: Option<&PathTemplate>,
        asked: &Asked<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Written, BadPath> {
        out.clear();
        self.path(template, asked, out)?;
        if asked.head.has_query && !self.rules.bare {
            separate(out);
            out.extend_from_slice(asked.head.query.of(asked.bytes));
        }
        for (name, value) in &self.query {
            value.parameters(name, asked, out);
        }
        let target = out.len();
        if let Some(host) = &self.host {
            host.header(asked, out);
            let good = |b: &u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(b);
            if !out.get(target..).unwrap_or_default().iter().all(good) {
                out.truncate(target);
            }
        }
        let host = out.len();
        for (name, value) in &self.headers {
            let start = out.len();
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            if value.header(asked, out) {
                out.extend_from_slice(b"\r\n");
            } else {
                out.truncate(start);
            }
        }
        Ok(Written { target, host })
    }

    fn path(&self, template: Option<&PathTemplate>, asked: &Asked<'_>, out: &mut Vec<u8>) -> Result<(), BadPath> {
        let Some(template) = template else {
            let path = asked.head.path.of(asked.bytes);
            out.extend_from_slice(if path.is_empty() { b"/" } else { path });
            return Ok(());
        };
        for piece in &template.pieces {
            match piece {
                Piece::Literal(text) => out.extend_from_slice(text),
                Piece::Parameter(index) => out.extend_from_slice(asked.parameter(*index).unwrap_or_default()),
                Piece::Mapped(index, zone) => {
                    let start = out.len();
                    if let Some(value) = self.pieces.get(*index) {
                        value.encoded(asked, *zone, out);
                    }
                    if *zone == Zone::Path && out.len() == start {
                        return Err(BadPath("path_value_missing"));
                    }
                }
            }
        }
        let path = out.split(|b| *b == b'?').next().unwrap_or_default();
        // Without mapped values it is what the configuration and the router let pass.
        if !self.pieces.is_empty() && percent::has_dots(path) {
            return Err(BadPath("path_value_dots"));
        }
        Ok(())
    }
}

impl Written {
    /// The target, the host if there is one, and the header lines.
    #[must_use]
    pub fn split(self, all: &[u8]) -> (&[u8], Option<&[u8]>, &[u8]) {
        let host = all.get(self.target..self.host).filter(|host| !host.is_empty());
        (all.get(..self.target).unwrap_or_default(), host, all.get(self.host..).unwrap_or_default())
    }
}

impl Asked<'_> {
    fn parameter(&self, index: usize) -> Option<&[u8]> {
        self.params.get(index).map(|span| span.of(self.path))
    }

    fn header(&self, name: &str) -> impl DoubleEndedIterator<Item = &[u8]> {
        let is = move |name_of: &[u8]| name_of.eq_ignore_ascii_case(name.as_bytes());
        let lines = self.head.fields.iter().filter(move |line| is(line.name.of(self.bytes)));
        lines.map(|line| line.value.of(self.bytes))
    }

    fn query(&self) -> &[u8] {
        self.head.query.of(self.bytes)
    }
}

impl Value {
    /// Whether it is one of the exchange's.
    #[must_use]
    pub const fn asks_record(&self) -> bool {
        matches!(self, Self::Context(_))
    }

    /// Appends the value as it is in a path or a query; whether there is one.
    fn encoded(&self, asked: &Asked<'_>, zone: Zone, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Literal(text) => out.extend_from_slice(text),
            Self::Path(index) => match asked.parameter(*index) {
                Some(value) => percent::append(value, Came::Path, zone, out),
                None => return false,
            },
            Self::Query(name) | Self::Queries(name) => match query::last(asked.query(), name.as_bytes()) {
                Some(value) => percent::append(value, Came::Query, zone, out),
                None => return false,
            },
            Self::Header(_) | Self::Headers(_) | Self::Context(_) => {
                let start = out.len();
                let found = self.plain(asked, out);
                percent::encode_tail(out, start);
                return found;
            }
        }
        true
    }

    /// Appends the value as bytes that mean themselves; whether there is one.
    fn plain(&self, asked: &Asked<'_>, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Literal(text) => out.extend_from_slice(text),
            Self::Context(variable) => return context(variable, asked.record, out),
            Self::Header(name) => match asked.header(name).next_back() {
                Some(value) => out.extend_from_slice(value),
                None => return false,
            },
            Self::Headers(name) => return joined(asked.header(name), Came::Plain, out),
            Self::Path(index) => match asked.parameter(*index) {
                Some(value) => out.extend(percent::decoded(value, Came::Path)),
                None => return false,
            },
            Self::Query(name) => match query::last(asked.query(), name.as_bytes()) {
                Some(value) => out.extend(percent::decoded(value, Came::Query)),
                None => return false,
            },
            Self::Queries(name) => return joined(query::all(asked.query(), name.as_bytes()), Came::Query, out),
        }
        true
    }

    /// Appends the value of a header; whether there is one that can stand there (RFC 9110 §5.5).
    fn header(&self, asked: &Asked<'_>, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        self.plain(asked, out) && settled(out, start)
    }

    /// Appends the parameter `name` with this value, or several with each of its values.
    fn parameters(&self, name: &[u8], asked: &Asked<'_>, out: &mut Vec<u8>) {
        if let Self::Queries(source) = self {
            for value in query::all(asked.query(), source.as_bytes()) {
                begin(name, out);
                percent::append(value, Came::Query, Zone::Query, out);
            }
            return;
        }
        let start = out.len();
        begin(name, out);
        if !self.encoded(asked, Zone::Query, out) {
            out.truncate(start);
        }
    }
}

/// Appends what is known of the exchange; whether it is.
pub(super) fn context(variable: &Variable, record: &ExchangeRecord<'_>, out: &mut Vec<u8>) -> bool {
    match variable.of(record) {
        Shown::Missing => return false,
        Shown::Bytes(bytes) => out.extend_from_slice(bytes),
        Shown::Joined(first, between, second) => {
            out.extend_from_slice(first);
            out.push(between);
            out.extend_from_slice(second);
        }
        // Numbers, times and addresses need no escaping.
        other => other.append(out, Escape::Json),
    }
    true
}

/// Makes what stands behind `start` the value of a header (RFC 9110 §5.5): without blanks around it. Whether it can be one.
pub(super) fn settled(out: &mut Vec<u8>, start: usize) -> bool {
    let value = out.get(start..).unwrap_or_default();
    let good = value.iter().all(|b| list::is_value_byte(*b));
    let trimmed = list::trim(value);
    let (length, blanks) = (trimmed.len(), value.iter().take_while(|b| matches!(b, b' ' | b'\t')).count());
    if good && length > 0 {
        out.drain(start..start + blanks);
        out.truncate(start + length);
    } else {
        out.truncate(start);
    }
    good
}

fn begin(name: &[u8], out: &mut Vec<u8>) {
    separate(out);
    out.extend_from_slice(name);
    out.push(b'=');
}

/// What stands before the next parameter.
fn separate(out: &mut Vec<u8>) {
    match (out.contains(&b'?'), out.last()) {
        (false, _) => out.push(b'?'),
        (true, Some(b'?' | b'&')) => {}
        (true, _) => out.push(b'&'),
    }
}

fn joined<'v>(values: impl Iterator<Item = &'v [u8]>, came: Came, out: &mut Vec<u8>) -> bool {
    let mut any = false;
    for value in values {
        if any {
            out.push(b',');
        }
        any = true;
        out.extend(percent::decoded(value, came));
    }
    any
}
