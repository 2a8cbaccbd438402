//! Answers of upstreams that reach the client as another response: how they are framed and written.

use super::write::{Context, Shape, encode_upstream};
use crate::{
    exchange::{
        Opened,
        respond::{Given, Sent},
    },
    h1::encode,
    http::{
        head::{Framing, ResponseHead},
        method::Method,
        status::Status,
    },
    upstream::{
        response::{Connection, Edited},
        transcode::{Sink, Transcoder},
    },
};

impl Shape {
    /// The same where the client gets `given` for an answer with `head`, of whose content `first` is there; the status, and the
    /// content that goes out instead, if any does.
    pub(super) fn remade<'c>(
        self,
        given: &Given<'c>,
        head: &ResponseHead,
        first: &mut &[u8],
        method: Method,
    ) -> (Self, Status, Option<&'c [u8]>) {
        let status = given.status();
        let own = match given.content() {
            Sent::Passed => {
                // RFC 9110 §8.6: the status that came may have had no content; the one that goes out could have.
                let none = head.framing == Framing::None && method != Method::Head;
                let length = self.length.or_else(|| (none && !matches!(status.0, 204 | 304)).then_some(0));
                return (Self { tunnel: false, length, ..self }, status, None);
            }
            Sent::Own(text) => Some(text),
            Sent::Nothing => None,
        };
        // Where all of it is there already, it is passed over, and the upstream's connection is as good as new.
        let mut content = Transcoder::new(head.framing, Sink::Raw, false);
        let whole = matches!(content.feed(first), Ok(fed) if fed.used == first.len()) && content.is_done();
        if whole {
            *first = b"";
        }
        let length = own.map(|text| text.len() as u64).or_else(|| (status.0 == 205).then_some(0));
        let (framing, sink) = (Framing::None, Sink::Raw);
        let own = own.filter(|_| method != Method::Head).unwrap_or_default();
        (Self { framing, sink, until_close: false, tunnel: false, dropped: !whole, length }, status, Some(own))
    }
}

/// Appends the head of an answer that passes with changes, its blank line included.
fn encode_edited(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    opened: &Opened,
    given: &Given<'_>,
    (head, head_bytes): (&ResponseHead, &[u8]),
    shape: &Shape,
    connection: Connection<'_>,
) {
    let core = &*context.client.core;
    let added = |out: &mut Vec<u8>| given.added(core, opened, &context.request, (&head.fields, head_bytes), out);
    let removed = given.edit().map_or(&[][..], |edit| &edit.removed);
    let emptied = given.content() != Sent::Passed;
    let edited = Edited { status: given.status(), emptied, removed, added: &added };
    encode_upstream(out, context, opened, (head, head_bytes), shape, connection, Some(edited));
}

/// Appends the head of `given`, its blank line included, for an answer with `head`; `passes` if its content goes along.
#[expect(clippy::too_many_arguments, reason = "a head names all that it is made of")]
pub(super) fn encode(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    opened: &Opened,
    given: &Given<'_>,
    (head, head_bytes): (&ResponseHead, &[u8]),
    shape: &Shape,
    passes: bool,
    connection: Connection<'_>,
) {
    if given.edit().is_some() {
        return encode_edited(out, context, opened, given, (head, head_bytes), shape, connection);
    }
    let core = &*context.client.core;
    let status = given.status();
    encode::status_line(out, status, status.reason().as_bytes());
    given.fields(core, opened, &context.request, (&head.fields, head_bytes), out);
    if shape.sink == Sink::Chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    } else if let Some(length) = shape.length.or_else(|| head.content_length.filter(|_| passes)) {
        out.extend_from_slice(b"Content-Length: ");
        encode::decimal(out, length);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"Date: ");
    core.date(core.net.recent(), out);
    out.extend_from_slice(b"\r\n");
    connection.encode(out);
    out.extend_from_slice(b"\r\n");
}
