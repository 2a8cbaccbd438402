//! Requests to services that authorize by the status of their answer: what Envoy's ext_authz, nginx's auth_request and Traefik's
//! forward authentication send, in one form that services for any of them understand.

use crate::http::{
    head::RequestHead,
    hop::{self, Fate},
};

/// What is asked about a request.
#[derive(Clone, Copy, Debug)]
pub struct Inquiry<'a> {
    /// The request's head.
    pub head: &'a RequestHead,
    /// The bytes that its spans point into.
    pub bytes: &'a [u8],
    /// The method to ask with, if it is not the request's own.
    pub method: Option<&'a str>,
    /// The path to ask for.
    pub path: &'a str,
    /// The request's own path and query follow.
    pub append_path: bool,
    /// The `Host` to send, if it is not the request's own.
    pub host: Option<&'a str>,
    /// Where the request comes from.
    pub source: &'a str,
    /// It came over TLS.
    pub secure: bool,
}

impl Inquiry<'_> {
    /// Appends the head of the request, its blank line included; of the request's own headers those go along that `sends` names.
    pub fn write(&self, sends: impl Fn(&[u8]) -> bool, out: &mut Vec<u8>) {
        let (head, bytes) = (self.head, self.bytes);
        let token = head.method_token.of(bytes);
        let method = self.method.map_or(token, str::as_bytes);
        let host = head.host.of(bytes);
        out.extend_from_slice(method);
        out.push(b' ');
        match self.append_path {
            false => out.extend_from_slice(self.path.as_bytes()),
            true => {
                out.extend_from_slice(self.path.trim_end_matches('/').as_bytes());
                self.target(out);
            }
        }
        out.extend_from_slice(b" HTTP/1.1\r\nHost: ");
        out.extend_from_slice(self.host.map_or(host, str::as_bytes));
        out.extend_from_slice(b"\r\n");
        for line in &head.fields {
            let name = line.name.of(bytes);
            // What is said below is the gateway's to say.
            let own = name.get(..12).is_some_and(|start| start.eq_ignore_ascii_case(b"x-forwarded-"));
            let framing = [&b"host"[..], b"content-length", b"expect"].iter().any(|own| name.eq_ignore_ascii_case(own));
            if sends(name) && !own && !framing && hop::request(line) == Fate::Pass {
                field(out, name, line.value.of(bytes));
            }
        }
        field(out, b"X-Forwarded-Method", token);
        out.extend_from_slice(b"X-Forwarded-Uri: ");
        self.target(out);
        out.extend_from_slice(b"\r\n");
        field(out, b"X-Forwarded-Proto", if self.secure { b"https" } else { b"http" });
        if !host.is_empty() {
            field(out, b"X-Forwarded-Host", host);
        }
        field(out, b"X-Forwarded-For", self.source.as_bytes());
        if !matches!(method, b"GET" | b"HEAD" | b"OPTIONS" | b"DELETE") {
            // RFC 9110 §8.6: whoever expects content hears that there is none.
            field(out, b"Content-Length", b"0");
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the request's path and query as they came.
    fn target(&self, out: &mut Vec<u8>) {
        let path = self.head.path.of(self.bytes);
        out.extend_from_slice(if path.is_empty() { b"/" } else { path });
        if self.head.has_query {
            out.push(b'?');
            out.extend_from_slice(self.head.query.of(self.bytes));
        }
    }
}

fn field(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    for part in [name, b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}
