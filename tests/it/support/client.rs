//! A client that sends exactly the bytes it is told to, and reads answers strictly.

use super::tools::show;
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    time::{Duration, Instant},
};

/// How long a client waits for bytes before it calls the gateway stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// What came and was not taken yet.
    pub(crate) buffer: Vec<u8>,
}

/// A response as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    /// The content, transfer coding removed.
    pub(crate) content: Vec<u8>,
}

impl Response {
    /// The value of the first field line with that name, in any letter case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.content).into_owned()
    }
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        Self::try_connect(port).unwrap_or_else(|error| panic!("connect to 127.0.0.1:{port}: {error}"))
    }

    pub(crate) fn try_connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).expect("send to the gateway");
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent.
    pub(crate) fn shut(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Sends a request and reads its answer.
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>) -> Response {
        let head_only = request.as_ref().starts_with(b"HEAD ");
        self.send(request);
        self.response_to(head_only).expect("a response")
    }

    /// `GET path` for `host` on this connection.
    pub(crate) fn get(&mut self, host: &str, path: &str) -> Response {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }

    /// Reads one final response; interim ones before it are skipped.
    pub(crate) fn response(&mut self) -> io::Result<Response> {
        self.response_to(false)
    }

    pub(crate) fn response_to(&mut self, head_only: bool) -> io::Result<Response> {
        loop {
            let mut response = self.head()?;
            if (100..200).contains(&response.status) && response.status != 101 {
                continue;
            }
            if !(head_only || matches!(response.status, 101 | 204 | 304)) {
                response.content = self.content(&response)?;
            }
            return Ok(response);
        }
    }

    /// Reads a response's head.
    pub(crate) fn head(&mut self) -> io::Result<Response> {
        let end = self.fill_until(|buffer| position(buffer, b"\r\n\r\n").map(|at| at + 4))?;
        let head: Vec<u8> = self.buffer.drain(..end).collect();
        let text = String::from_utf8_lossy(&head[..end - 4]).into_owned();
        let mut lines = text.split("\r\n");
        let first = lines.next().unwrap_or_default();
        let status = first
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(|| invalid(format!("not a status line: {}", show(&head))))?;
        let fields = lines
            .map(|line| {
                let (name, value) = line.split_once(':').ok_or_else(|| invalid(format!("not a field: {line:?}")))?;
                Ok((name.to_owned(), value.trim().to_owned()))
            })
            .collect::<io::Result<_>>()?;
        Ok(Response { status, fields, content: Vec::new() })
    }

    fn content(&mut self, head: &Response) -> io::Result<Vec<u8>> {
        if head.field("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            let mut content = Vec::new();
            while let Some(chunk) = self.chunk()? {
                content.extend(chunk);
            }
            let _trailers = self.line_section()?;
            return Ok(content);
        }
        if let Some(length) = head.field("content-length") {
            let length: usize = length.parse().map_err(|_| invalid(format!("content-length {length:?}")))?;
            return self.take(length);
        }
        let mut content = std::mem::take(&mut self.buffer);
        self.stream.read_to_end(&mut content)?;
        Ok(content)
    }

    /// The data of the next chunk; `None` after the last chunk's line, before the trailer section.
    pub(crate) fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let end = self.fill_until(|buffer| position(buffer, b"\r\n"))?;
        let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end + 2);
        let canonical = !line.is_empty() && line.bytes().all(|b| b.is_ascii_hexdigit());
        let size = usize::from_str_radix(&line, 16).ok().filter(|_| canonical);
        let size = size.ok_or_else(|| invalid(format!("not a chunk size: {line:?}")))?;
        if size == 0 {
            return Ok(None);
        }
        let mut data = self.take(size + 2)?;
        if !data.ends_with(b"\r\n") {
            return Err(invalid(format!("a chunk that does not end in CRLF: {}", show(&data))));
        }
        data.truncate(size);
        Ok(Some(data))
    }

    /// The lines up to and without the next empty one.
    pub(crate) fn line_section(&mut self) -> io::Result<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            let end = self.fill_until(|buffer| position(buffer, b"\r\n"))?;
            let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
            self.buffer.drain(..end + 2);
            if line.is_empty() {
                return Ok(lines);
            }
            lines.push(line);
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if self.buffer.len() < length {
            let have = self.buffer.len();
            self.buffer.resize(length, 0);
            self.stream.read_exact(&mut self.buffer[have..])?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    fn fill_until(&mut self, found: impl Fn(&[u8]) -> Option<usize>) -> io::Result<usize> {
        loop {
            if let Some(at) = found(&self.buffer) {
                return Ok(at);
            }
            let mut chunk = [0; 16 * 1024];
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                let had = format!("closed after {}", show(&self.buffer));
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, had));
            }
            self.buffer.extend_from_slice(&chunk[..count]);
        }
    }

    /// Whether the gateway closes the connection, orderly or not, within the time, without another byte.
    pub(crate) fn is_closed_within(&mut self, limit: Duration) -> bool {
        if !self.buffer.is_empty() {
            return false;
        }
        self.stream.set_read_timeout(Some(limit)).unwrap();
        let start = Instant::now();
        let answer = self.stream.read(&mut [0; 1]);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        match answer {
            Ok(count) => count == 0,
            Err(error) => start.elapsed() < limit && error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

/// One `GET` on a connection of its own.
pub(crate) fn get(port: u16, host: &str, path: &str) -> Response {
    Client::connect(port).ask(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

pub(crate) fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
