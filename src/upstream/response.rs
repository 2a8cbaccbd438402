//! The response head as it is sent to the client: re-framed from what was understood.

use super::{manners::Worn, request::Run};
use crate::{
    h1::encode,
    http::{
        head::ResponseHead,
        hop::{self, Fate},
        status::Status,
    },
};

/// What the client's side of the response is like.
#[derive(Clone, Copy)]
pub struct Manner<'a> {
    /// `Transfer-Encoding: chunked` towards the client.
    pub chunked: bool,
    /// What `Content-Length` says, where that is not what the upstream says.
    pub length: Option<u64>,
    /// What the `Connection` field says.
    pub connection: Connection<'a>,
    /// Appends the value of the `Date` to add where the upstream sent none (RFC 9110 §6.6.1).
    pub date: &'a dyn Fn(&mut Vec<u8>),
    /// Appends field lines that are the gateway's own.
    pub more: &'a dyn Fn(&mut Vec<u8>),
    /// The API has something of its own to say about answers.
    pub worn: Option<Worn<'a>>,
    /// What is changed of the answer, if anything is.
    pub edited: Option<Edited<'a>>,
}

/// What is changed of an answer on its way.
#[derive(Clone, Copy)]
pub struct Edited<'a> {
    /// The status that the client gets.
    pub status: Status,
    /// There is no content any more.
    pub emptied: bool,
    /// Names of headers that do not go along.
    pub removed: &'a [Box<str>],
    /// Appends headers that are added.
    pub added: &'a dyn Fn(&mut Vec<u8>),
}

impl Edited<'_> {
    fn removes(&self, name: &[u8]) -> bool {
        self.removed.iter().any(|gone| gone.as_bytes().eq_ignore_ascii_case(name))
    }
}

impl std::fmt::Debug for Manner<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Manner")
            .field("chunked", &self.chunked)
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}

/// What is said of the connection.
#[derive(Clone, Copy, Debug)]
pub enum Connection<'a> {
    /// Nothing: HTTP/1.1 keeps it.
    Implied,
    /// `keep-alive`: HTTP/1.0 has to be told.
    KeepAlive,
    /// `close`
    Close,
    /// `upgrade`, to that protocol.
    Upgrade(&'a [u8]),
}

impl Connection<'_> {
    /// Appends the field lines that say it.
    pub fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Implied => {}
            Self::KeepAlive => out.extend_from_slice(b"Connection: keep-alive\r\n"),
            Self::Close => out.extend_from_slice(b"Connection: close\r\n"),
            Self::Upgrade(protocol) => {
                out.extend_from_slice(b"Connection: Upgrade\r\n");
                encode::field(out, b"Upgrade", protocol);
            }
        }
    }
}

/// Appends the head whose spans point into `bytes`, its blank line included.
pub fn encode(out: &mut Vec<u8>, head: &ResponseHead, bytes: &[u8], manner: &Manner<'_>) {
    let mut dated = head.has_date;
    match (&manner.worn, &manner.edited) {
        (None, None) => {
            encode::status_line(out, head.status, head.reason.of(bytes));
            fields(out, head, bytes, |_| false);
        }
        (worn, edited) => {
            let status = edited.map_or(head.status, |edited| edited.status);
            let reason = if status == head.status { head.reason.of(bytes) } else { status.reason().as_bytes() };
            encode::status_line(out, status, reason);
            let removed = |name: &[u8]| edited.is_some_and(|edited| edited.removes(name));
            match worn {
                None => fields(out, head, bytes, removed),
                Some(worn) => worn.fields(out, head, bytes, removed),
            }
            if let Some(edited) = edited {
                (edited.added)(out);
            }
            dated &= !removed(b"date") && !worn.is_some_and(|worn| worn.remaps_dates());
        }
    }
    let kept = !manner.edited.is_some_and(|edited| edited.emptied);
    if manner.chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    } else if let Some(length) = manner.length.or_else(|| head.content_length.filter(|_| kept)) {
        out.extend_from_slice(b"Content-Length: ");
        encode::decimal(out, length);
        out.extend_from_slice(b"\r\n");
    }
    if !dated {
        out.extend_from_slice(b"Date: ");
        (manner.date)(out);
        out.extend_from_slice(b"\r\n");
    }
    (manner.more)(out);
    manner.connection.encode(out);
    out.extend_from_slice(b"\r\n");
}

/// Appends an interim head.
pub fn encode_interim(out: &mut Vec<u8>, head: &ResponseHead, bytes: &[u8]) {
    encode::status_line(out, head.status, head.reason.of(bytes));
    fields(out, head, bytes, |_| false);
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn fields(out: &mut Vec<u8>, head: &ResponseHead, bytes: &[u8], removed: impl Fn(&[u8]) -> bool) {
    let mut run = Run::default();
    for line in &head.fields {
        if hop::response(line) == Fate::Pass && !removed(line.name.of(bytes)) {
            run.add(line, bytes, out);
        } else {
            run.end(bytes, out);
        }
    }
    run.end(bytes, out);
}
