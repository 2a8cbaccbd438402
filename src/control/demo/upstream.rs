//! The demo's own upstream: a small blocking server on loopback, a thread per connection, made to be looked at.

use crate::{
    config::json::Json,
    h1::{
        chunked::{Decoder, What},
        parse::{HeadLimits, Parsed, request},
    },
    http::head::{Framing, RequestHead},
};
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::Builder,
    time::Duration,
};

/// How many connections are kept; past it each request gets its answer and the connection is closed.
const KEPT_MAX: usize = 256;
/// Bytes of a request's body that the echo shows.
const SHOWN_MAX: usize = 4096;
/// Events of a stream, and the pause between them.
const EVENTS: usize = 10;
const EVENT_PAUSE: Duration = Duration::from_millis(300);
const STACK_BYTES: usize = 256 * 1024;
const LIMITS: HeadLimits = HeadLimits { bytes: 64 * 1024, fields: 256 };

/// Starts it on a free port of loopback; it runs as long as the process.
///
/// # Errors
/// When there is no port or no thread to be had.
pub(super) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let count = Arc::new(AtomicUsize::new(0));
    Builder::new().name("demo-upstream".to_owned()).stack_size(STACK_BYTES).spawn(move || {
        for stream in listener.incoming().flatten() {
            let kept = Kept::new(&count);
            // No thread to be had: the connection is closed, and the gateway says so.
            let _ = Builder::new()
                .name("demo-upstream".to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || serve(stream, &kept));
        }
    })?;
    Ok(address)
}

/// Counts a connection for as long as it lives.
struct Kept(Arc<AtomicUsize>);

impl Kept {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(count))
    }

    fn may_stay(&self) -> bool {
        self.0.load(Ordering::Relaxed) <= KEPT_MAX
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn serve(stream: TcpStream, kept: &Kept) {
    let mut connection = Connection { stream, buffer: Vec::new(), head: RequestHead::with_capacity(32) };
    // Whatever ends it, the peer has seen it: there is nobody to tell.
    while let Ok(true) = connection.exchange(kept) {}
}

struct Connection {
    stream: TcpStream,
    /// What was received and not used yet.
    buffer: Vec<u8>,
    head: RequestHead,
}

/// What a request said, as far as the answers need it.
struct Asked {
    method: String,
    target: String,
    path: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    body_bytes: u64,
    keep_alive: bool,
}

impl Connection {
    /// One request and its answer; whether the connection stays.
    fn exchange(&mut self, kept: &Kept) -> io::Result<bool> {
        self.stream.set_nodelay(true)?;
        self.stream.set_read_timeout(Some(Duration::from_secs(90)))?;
        self.stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        let Some(mut asked) = self.request()? else { return Ok(false) };
        asked.keep_alive &= kept.may_stay();
        match asked.path.strip_prefix("/hello/") {
            Some(name) if !name.is_empty() => self.answer(&asked, &greeting(&decode(name)))?,
            _ if asked.path == "/stream" => self.events(&asked)?,
            _ => self.answer(&asked, &echo(&asked))?,
        }
        Ok(asked.keep_alive)
    }

    fn request(&mut self) -> io::Result<Option<Asked>> {
        let end = loop {
            match request(&self.buffer, LIMITS, &mut self.head) {
                Ok(Parsed::Complete(end)) => break end,
                Ok(Parsed::Partial) if self.receive()? == 0 => return Ok(None),
                Ok(Parsed::Partial) => {}
                Err(_) => {
                    self.stream
                        .write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")?;
                    return Ok(None);
                }
            }
        };
        let mut asked = describe(&self.buffer, &self.head);
        self.buffer.drain(..end);
        if self.head.expect_continue && self.buffer.is_empty() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        self.body(&mut asked)?;
        Ok(Some(asked))
    }

    fn receive(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 16 * 1024];
        let count = self.stream.read(&mut chunk)?;
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    fn body(&mut self, asked: &mut Asked) -> io::Result<()> {
        match self.head.framing {
            Framing::Chunked => self.chunked(asked),
            Framing::Length(length) => {
                while asked.body_bytes < length {
                    self.more()?;
                    let left = usize::try_from(length - asked.body_bytes).unwrap_or(usize::MAX);
                    let part: Vec<u8> = self.buffer.drain(..left.min(self.buffer.len())).collect();
                    asked.take(&part);
                }
                Ok(())
            }
            Framing::None | Framing::UntilClose => Ok(()),
        }
    }

    fn chunked(&mut self, asked: &mut Asked) -> io::Result<()> {
        let mut decoder = Decoder::new();
        loop {
            let step = decoder.next(&self.buffer).map_err(|_| io::ErrorKind::InvalidData)?;
            match step.what {
                What::End => {
                    self.buffer.drain(..step.consumed);
                    return Ok(());
                }
                What::Data(data) => asked.take(&self.buffer[data]),
                What::Trailers(_) => {}
                What::NeedMore => {
                    self.buffer.drain(..step.consumed);
                    self.fill()?;
                    continue;
                }
            }
            self.buffer.drain(..step.consumed);
        }
    }

    /// Makes sure that something is there.
    fn more(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() { self.fill() } else { Ok(()) }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.receive()? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn answer(&mut self, asked: &Asked, body: &Json) -> io::Result<()> {
        let body = format!("{}\n", body.pretty());
        let close = if asked.keep_alive { "" } else { "Connection: close\r\n" };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{close}\r\n",
            body.len()
        );
        let body = if asked.method == "HEAD" { "" } else { &body };
        self.stream.write_all(format!("{head}{body}").as_bytes())
    }

    fn events(&mut self, asked: &Asked) -> io::Result<()> {
        let close = if asked.keep_alive { "" } else { "Connection: close\r\n" };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n";
        self.stream.write_all(format!("{head}Transfer-Encoding: chunked\r\n{close}\r\n").as_bytes())?;
        if asked.method == "HEAD" {
            return Ok(());
        }
        for number in 1..=EVENTS {
            let event = format!("id: {number}\ndata: event {number} of {EVENTS}\n\n");
            self.stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
            // Nobody unparks this thread: it is a pause.
            std::thread::park_timeout(EVENT_PAUSE);
        }
        self.stream.write_all(b"0\r\n\r\n")
    }
}

impl Asked {
    fn take(&mut self, part: &[u8]) {
        self.body_bytes += part.len() as u64;
        let room = SHOWN_MAX.saturating_sub(self.body.len());
        self.body.extend_from_slice(&part[..part.len().min(room)]);
    }
}

fn describe(buffer: &[u8], head: &RequestHead) -> Asked {
    let text = |span: crate::base::span::Span| String::from_utf8_lossy(span.of(buffer)).into_owned();
    Asked {
        method: text(head.method_token),
        target: text(head.target),
        path: text(head.path),
        fields: head.fields.iter().map(|line| (text(line.name), text(line.value))).collect(),
        body: Vec::new(),
        body_bytes: 0,
        keep_alive: head.keep_alive,
    }
}

fn greeting(name: &str) -> Json {
    Json::object([("message", Json::text(format!("Hello, {name}!"))), ("from", Json::text("the demo upstream"))])
}

fn echo(asked: &Asked) -> Json {
    let fields = asked.fields.iter().map(|(name, value)| (name.clone(), Json::text(value)));
    Json::object([
        ("method", Json::text(&asked.method)),
        ("target", Json::text(&asked.target)),
        ("headers", Json::Object(fields.collect())),
        ("body_bytes", Json::number(asked.body_bytes)),
        ("body", Json::text(String::from_utf8_lossy(&asked.body))),
    ])
}

/// `%C3%A9` to `é`; what is no valid escape stays.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = (*first == b'%').then(|| after.get(..2)).flatten();
        let value = escaped.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{decode, start};
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    /// Sends `request`, which asks to close, and returns everything that comes back.
    fn ask(request: &str) -> String {
        let mut stream = TcpStream::connect(start().unwrap()).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn it_greets() {
        let answer = ask("GET /hello/Zo%C3%AB HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("Hello, Zoë!"), "{answer}");
    }

    #[test]
    fn it_echoes_bodies_of_either_framing_on_a_kept_connection() {
        let answer = ask("POST /echo HTTP/1.1\r\nHost: a\r\nX-Color: green\r\nContent-Length: 5\r\n\r\nhello\
             PUT /echo?q=1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
             3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
        for part in ["\"method\": \"POST\"", "\"X-Color\": \"green\"", "hello", "\"target\": \"/echo?q=1\"", "abcde"] {
            assert!(answer.contains(part), "{part} in {answer}");
        }
        assert_eq!(answer.matches("\"body_bytes\": 5").count(), 2, "{answer}");
    }

    #[test]
    fn it_streams_events_in_chunks() {
        let answer = ask("GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        assert!(answer.contains("text/event-stream") && answer.contains("data: event 10 of 10"), "{answer}");
        assert!(answer.ends_with("0\r\n\r\n"), "{answer}");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert!(ask("GET  / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 400 "));
    }

    #[test]
    fn escapes_are_decoded_where_they_are_valid() {
        for (text, expect) in [("a%20b", "a b"), ("100%", "100%"), ("%zz", "%zz"), ("%C3%A9", "é")] {
            assert_eq!(decode(text), expect);
        }
    }
}
