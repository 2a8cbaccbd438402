//! One connection of the admin listener: requests in, responses out, everything with a deadline.

use super::{
    Access, AdminState,
    pages::{self, Response},
    request::{self, HEAD_BYTES_MAX, Method, Read as HeadRead},
};
use crate::{
    base::clock::{Instant, monotonic_now, unix_now},
    http::{date, status::Status},
};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

/// For one request's head, the wait for it included, and for one write of a response.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Requests on one connection: a scraper asks every few seconds, nobody needs more for long.
const REQUESTS_MAX: usize = 100;
/// How long the rest of what a client sends is read and thrown away, so that it sees our answer before the close.
const LINGER: Duration = Duration::from_secs(1);

/// Serves requests until the client has none left, is too slow, or is wrong.
pub(super) fn serve(stream: &TcpStream, state: &AdminState, access: &Access) {
    let mut buffer = Vec::new();
    for served in 1..=REQUESTS_MAX {
        let Ok(answered) = exchange(stream, state, access, &mut buffer, served < REQUESTS_MAX) else { break };
        if !answered {
            linger(stream);
            break;
        }
    }
}

/// Answers that there is no room, without waiting for the question.
pub(super) fn turn_away(stream: &TcpStream) {
    let response = pages::error(503, "too many connections to the admin listener");
    // Whoever cannot be told will see the close.
    let _ = stream.set_nonblocking(true).and_then(|()| (&*stream).write_all(&encode(&response, true, false)));
    let _ = stream.shutdown(Shutdown::Write);
}

/// One request and its response. Whether the connection may serve another one; an error if there is nothing to say.
fn exchange(
    stream: &TcpStream,
    state: &AdminState,
    access: &Access,
    buffer: &mut Vec<u8>,
    may_keep: bool,
) -> io::Result<bool> {
    let until = monotonic_now().plus(TIMEOUT);
    let (response, with_body, keep) = loop {
        match request::read(buffer) {
            HeadRead::Complete(request) => {
                buffer.drain(..request.length);
                let response = pages::answer(state, access, &request);
                break (response, request.method != Method::Head, request.keep_alive && may_keep);
            }
            HeadRead::Wrong(status, why) => break (pages::error(status, why), true, false),
            HeadRead::Partial => {}
        }
        match fill(stream, buffer, until) {
            Ok(true) => {}
            Err(error) if is_timeout(&error) && !buffer.is_empty() => {
                break (pages::error(408, "the request took too long"), true, false);
            }
            Ok(false) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) => return Err(error),
        }
    };
    stream.set_write_timeout(Some(TIMEOUT))?;
    (&*stream).write_all(&encode(&response, with_body, keep))?;
    Ok(keep)
}

/// Reads more of a head, until the deadline. False at the end of the stream.
fn fill(mut stream: &TcpStream, buffer: &mut Vec<u8>, until: Instant) -> io::Result<bool> {
    let mut more = [0; 2048];
    let room = more.len().min(HEAD_BYTES_MAX + 1 - buffer.len().min(HEAD_BYTES_MAX));
    let left = until.since(monotonic_now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))?;
    let n = match stream.read(&mut more[..room]) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
        other => other?,
    };
    buffer.extend_from_slice(&more[..n]);
    Ok(n > 0)
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn linger(stream: &TcpStream) {
    let until = monotonic_now().plus(LINGER);
    let mut rest = Vec::new();
    // Whatever ends this, the connection is closed after it.
    let _ = stream.shutdown(Shutdown::Write);
    while matches!(fill(stream, &mut rest, until), Ok(true)) {
        rest.clear();
    }
}

fn encode(response: &Response, with_body: bool, keep: bool) -> Vec<u8> {
    let body = response.body.as_bytes();
    let mut now = [0; date::DATE_BYTES];
    date::format(unix_now(), &mut now);
    let mut out = format!(
        "HTTP/1.1 {status} {reason}\r\nDate: {date}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nCache-Control: no-store\r\n\
         X-Content-Type-Options: nosniff\r\n{fields}{connection}\r\n",
        status = response.status,
        reason = Status(response.status).reason(),
        date = String::from_utf8_lossy(&now),
        kind = response.content_type,
        length = body.len(),
        fields = response.fields,
        connection = if keep { "" } else { "Connection: close\r\n" },
    )
    .into_bytes();
    if with_body {
        out.extend_from_slice(body);
    }
    out
}
