//! The Invoke API of AWS Lambda, which whatever imitates Lambda has, too: an event goes out as JSON, a payload comes back.

use crate::http::{field::is_word, head::ResponseHead, status::Status};

/// What an invocation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invoked {
    /// The function has answered.
    Answered,
    /// The function has failed: what it says is an error (`X-Amz-Function-Error`).
    Thrown,
    /// There is no such function, it may not be invoked, or the request is wrong: that will not change by itself.
    Refused,
    /// It could not be invoked at the moment.
    Unavailable,
}

/// What the answer of the Invoke API means whose head is `head`.
#[must_use]
pub fn invoked(head: &ResponseHead, bytes: &[u8]) -> Invoked {
    match head.status {
        Status(200..=299) => {
            let is_error = |name: &[u8]| is_word(name, b"x-amz-function-error");
            match head.fields.iter().any(|line| is_error(line.name.of(bytes))) {
                true => Invoked::Thrown,
                false => Invoked::Answered,
            }
        }
        Status(429) => Invoked::Unavailable,
        Status(300..=499) => Invoked::Refused,
        Status(_) => Invoked::Unavailable,
    }
}

/// Appends the head of an invocation, its blank line included; `signed` are the headers that a signature adds.
pub fn head<'h>(
    path: &str,
    host: &str,
    length: usize,
    signed: impl Iterator<Item = (&'h str, &'h [u8])>,
    out: &mut Vec<u8>,
) {
    let mut add = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    add(&[b"POST ", path.as_bytes(), b" HTTP/1.1\r\nHost: ", host.as_bytes(), b"\r\n"]);
    for (name, value) in signed {
        add(&[name.as_bytes(), b": ", value, b"\r\n"]);
    }
    let length = length.to_string();
    add(&[b"Content-Type: ", CONTENT_TYPE, b"\r\nContent-Length: ", length.as_bytes()]);
    add(&[b"\r\nAccept: */*\r\nUser-Agent: ringgate\r\n\r\n"]);
}

/// What events are.
pub const CONTENT_TYPE: &[u8] = b"application/json";
