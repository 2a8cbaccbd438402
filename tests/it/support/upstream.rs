//! An upstream whose answers are written by the test: threads, one per connection.

use super::client::position;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// An upstream that answers each request with what a function of it returns; stops when dropped.
pub(crate) struct Upstream {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    stopping: AtomicBool,
    connections: AtomicUsize,
    requests: AtomicUsize,
}

/// What an upstream does with a request.
pub(crate) enum Answer {
    /// Sends these bytes and waits for the next request.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes.
    Last(Vec<u8>),
    /// Hands the connection over: for anything else.
    Take(Box<dyn FnOnce(TcpStream) + Send>),
}

/// A request as it came.
pub(crate) struct Request {
    /// From the method to the empty line.
    pub(crate) head: String,
    /// As it was on the wire, chunks and all.
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// The value of the first field line with that name, in any letter case.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head.split("\r\n").skip(1).find_map(|line| {
            let (n, value) = line.split_once(':')?;
            n.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

impl Upstream {
    /// An upstream on a free port.
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), answer)
    }

    /// An upstream on a listener that is already there.
    pub(crate) fn on(listener: TcpListener, answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            stopping: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
        });
        let ours = Arc::clone(&shared);
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ours.stopping.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                ours.connections.fetch_add(1, Ordering::Relaxed);
                let (shared, answer) = (Arc::clone(&ours), Arc::clone(&answer));
                thread::spawn(move || serve(stream, &shared, &*answer));
            }
        });
        Self { port, shared }
    }

    /// An upstream that answers everything with 200 and this text.
    pub(crate) fn saying(text: &'static str) -> Self {
        Self::start(move |_| Answer::Bytes(ok(text.as_bytes())))
    }

    /// Connections accepted until now.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Requests read until now.
    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        // The accepting thread looks at the flag with the next connection: this one.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// A 200 with this content.
pub(crate) fn ok(content: &[u8]) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", content.len()).into_bytes();
    bytes.extend_from_slice(content);
    bytes
}

fn serve(mut stream: TcpStream, shared: &Shared, answer: &(dyn Fn(&Request) -> Answer + Send + Sync)) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer) {
        if shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        shared.requests.fetch_add(1, Ordering::Relaxed);
        match answer(&request) {
            Answer::Bytes(bytes) => {
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
            Answer::Last(bytes) => {
                let _ = stream.write_all(&bytes);
                return;
            }
            Answer::Take(take) => return take(stream),
        }
    }
}

/// Reads a request; `None` at the end of the connection.
pub(crate) fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = fill(stream, buffer, |bytes| position(bytes, b"\r\n\r\n").map(|at| at + 4))?;
    let head = String::from_utf8_lossy(&buffer.drain(..end).collect::<Vec<u8>>()).into_owned();
    let mut request = Request { head, body: Vec::new() };
    let length = if request.field("transfer-encoding").is_some() {
        fill(stream, buffer, chunked_end)?
    } else if let Some(length) = request.field("content-length") {
        let length: usize = length.parse().ok()?;
        fill(stream, buffer, |bytes| (bytes.len() >= length).then_some(length))?
    } else {
        0
    };
    request.body = buffer.drain(..length).collect();
    Some(request)
}

/// Where a chunked body without trailers ends.
fn chunked_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let line = position(bytes.get(at..)?, b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line]).ok()?, 16).ok()?;
        at += line + 2 + size + 2;
        if size == 0 {
            return (at <= bytes.len()).then_some(at);
        }
    }
}

fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>, found: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
    loop {
        if let Some(at) = found(buffer) {
            return Some(at);
        }
        let mut chunk = [0; 64 * 1024];
        let count = stream.read(&mut chunk).ok()?;
        if count == 0 {
            return None;
        }
        buffer.extend_from_slice(&chunk[..count]);
    }
}
