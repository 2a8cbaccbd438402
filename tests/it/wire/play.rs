//! A case on stage: a client and an upstream in one thread, the gateway between them.

use super::{
    pattern::{Match, Pattern},
    script::{Case, Names, Side, Step, What},
};
use crate::support::tools::show;
use rustix::event::{PollFd, PollFlags, poll};
use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

/// How long an expectation may stay open.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between the two halves of a cut: long enough for the gateway to see the first one alone.
const GAP: Duration = Duration::from_micros(1200);
/// How long nothing has to come where nothing may come.
const SILENCE: Duration = Duration::from_millis(3);

/// How the bytes of one side are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Each step in one go.
    Whole,
    /// One side's bytes in two goes, at that offset of all that it sends.
    Cut(Side, usize),
    /// One side's bytes one by one.
    Dribble(Side),
}

/// What stays from one play of a case to the next.
pub(super) struct Stage {
    port: u16,
    listener: TcpListener,
    /// Upstream connections that the gateway may use again.
    idle: Vec<Peer>,
    pub(super) names: Names,
}

/// One end of a connection.
struct Peer {
    stream: TcpStream,
    buffer: Vec<u8>,
}

struct Play<'s> {
    stage: &'s mut Stage,
    delivery: Delivery,
    sent_by_client: usize,
    sent_by_upstream: usize,
    client: Option<Peer>,
    upstream: Option<Peer>,
}

impl Stage {
    pub(super) fn new(listener: TcpListener, case: &Case, port: u16) -> Self {
        listener.set_nonblocking(true).unwrap();
        let upstream = listener.local_addr().unwrap().to_string();
        Self { port, listener, idle: Vec::new(), names: Names { host: case.host(), port, upstream } }
    }

    /// Plays the case once.
    pub(super) fn play(&mut self, case: &Case, delivery: Delivery) -> Result<(), String> {
        let mut play =
            Play { stage: self, delivery, sent_by_client: 0, sent_by_upstream: 0, client: None, upstream: None };
        play.connect().map_err(|error| format!("connect: {error}"))?;
        for step in &case.steps {
            play.step(step).map_err(|why| format!("line {}: {why}", step.line))?;
        }
        play.end()
    }

    /// Every connection on which the gateway may say something.
    fn gather(&mut self, upstream: &mut Option<Peer>) -> io::Result<()> {
        self.idle.extend(upstream.take());
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.idle.push(Peer::new(stream)?),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until one of the connections has bytes and takes it out; `None` when time is up.
    fn next_with_bytes(&mut self, upstream: &mut Option<Peer>, limit: Duration) -> io::Result<Option<Peer>> {
        let deadline = Instant::now() + limit;
        loop {
            self.gather(upstream)?;
            let mut index = 0;
            while index < self.idle.len() {
                let peer = &mut self.idle[index];
                if !peer.buffer.is_empty() {
                    return Ok(Some(self.idle.swap_remove(index)));
                }
                match peer.read_now() {
                    Ok(0) => drop(self.idle.swap_remove(index)),
                    Ok(_) => return Ok(Some(self.idle.swap_remove(index))),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => index += 1,
                    Err(_) => drop(self.idle.swap_remove(index)),
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let mut waited: Vec<PollFd<'_>> =
                self.idle.iter().map(|peer| PollFd::new(&peer.stream, PollFlags::IN)).collect();
            waited.push(PollFd::new(&self.listener, PollFlags::IN));
            let timeout = rustix::event::Timespec {
                tv_sec: left.as_secs().cast_signed(),
                tv_nsec: i64::from(left.subsec_nanos()),
            };
            poll(&mut waited, Some(&timeout))?;
        }
    }
}

impl Play<'_> {
    fn connect(&mut self) -> io::Result<()> {
        self.client = Some(Peer::new(TcpStream::connect(("127.0.0.1", self.stage.port))?)?);
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match &step.what {
            What::Connects => self.connect().map_err(|error| format!("connect: {error}")),
            What::Waits(time) => {
                thread::sleep(*time);
                Ok(())
            }
            What::Sends(text) => {
                let bytes = self.stage.names.bytes(text)?;
                self.send(step.who, &bytes)
            }
            What::ExpectsNothing => self.expect_nothing(step.who),
            What::ExpectsAtMostCut => self.expect_at_most_cut(),
            What::Shuts => {
                let _ = self.peer(step.who)?.stream.shutdown(Shutdown::Write);
                Ok(())
            }
            What::Closes => {
                drop(self.take(step.who));
                Ok(())
            }
            What::Resets => {
                let peer = self.taken(step.who)?;
                let _ = rustix::net::sockopt::set_socket_linger(&peer.stream, Some(Duration::ZERO));
                Ok(())
            }
            // Half closed, a connection may still be written to; ended or cut, it is gone.
            What::ExpectsClose => self.peer(step.who)?.expect_close(),
            What::ExpectsEnd => self.taken(step.who)?.expect_end(),
            What::ExpectsCut => self.taken(step.who)?.expect_cut(),
            _ => {
                self.listen_to(step.who)?;
                let names = self.stage.names.clone();
                let peer = self.peer(step.who)?;
                expect(peer, &step.what, &names)
            }
        }
    }

    fn take(&mut self, who: Side) -> Option<Peer> {
        match who {
            Side::Client => self.client.take(),
            Side::Upstream => self.upstream.take(),
        }
    }

    fn taken(&mut self, who: Side) -> Result<Peer, String> {
        self.take(who).ok_or_else(|| "there is no connection".into())
    }

    fn peer(&mut self, who: Side) -> Result<&mut Peer, String> {
        match who {
            Side::Client => self.client.as_mut().ok_or_else(|| "the client is gone".into()),
            Side::Upstream => self.upstream.as_mut().ok_or_else(|| "no upstream connection is in use".into()),
        }
    }

    /// For the upstream, an expectation is about the connection that has bytes next, or about the one in use.
    fn listen_to(&mut self, who: Side) -> Result<(), String> {
        if who == Side::Client || self.upstream.as_ref().is_some_and(Peer::has_news) {
            return Ok(());
        }
        let next = self.stage.next_with_bytes(&mut self.upstream, PATIENCE).map_err(|error| error.to_string())?;
        let Some(peer) = next else {
            let client = self.client.as_mut().map(|client| {
                let _ = client.read_now();
                show(&client.buffer)
            });
            return Err(format!(
                "nothing came to the upstream; what the client has got:\n{}",
                client.unwrap_or_default()
            ));
        };
        self.upstream = Some(peer);
        Ok(())
    }

    /// Write errors are no failure: the gateway may have answered and closed before it got everything. What it
    /// answered is for the following steps to judge.
    fn send(&mut self, who: Side, bytes: &[u8]) -> Result<(), String> {
        let counter = match who {
            Side::Client => &mut self.sent_by_client,
            Side::Upstream => &mut self.sent_by_upstream,
        };
        let start = *counter;
        *counter += bytes.len();
        let delivery = self.delivery;
        let stream = &mut self.peer(who)?.stream;
        match delivery {
            Delivery::Cut(side, at) if side == who && at > start && at < start + bytes.len() => {
                let (first, second) = bytes.split_at(at - start);
                let _ = stream.write_all(first);
                thread::sleep(GAP);
                let _ = stream.write_all(second);
            }
            Delivery::Dribble(side) if side == who => {
                for byte in bytes.chunks(1) {
                    if stream.write_all(byte).is_err() {
                        break;
                    }
                }
            }
            _ => {
                let _ = stream.write_all(bytes);
            }
        }
        Ok(())
    }

    fn expect_nothing(&mut self, who: Side) -> Result<(), String> {
        match who {
            Side::Client => {
                thread::sleep(SILENCE);
                let client = self.peer(who)?;
                let _ = client.read_now();
                client.expect_empty("the client")
            }
            Side::Upstream => {
                let heard = self.stage.next_with_bytes(&mut None, SILENCE).map_err(|error| error.to_string())?;
                if let Some(peer) = heard {
                    return Err(format!("bytes came to the upstream:\n{}", show(&peer.buffer)));
                }
                let Some(upstream) = &mut self.upstream else { return Ok(()) };
                let _ = upstream.read_now();
                upstream.expect_empty("the upstream")
            }
        }
    }

    /// What came to the upstream, if anything did, ends without having been completed.
    fn expect_at_most_cut(&mut self) -> Result<(), String> {
        loop {
            let heard = self.stage.next_with_bytes(&mut self.upstream, SILENCE).map_err(|error| error.to_string())?;
            let Some(mut peer) = heard else { return Ok(()) };
            peer.expect_cut()?;
        }
    }

    /// Nothing may be left over on either side.
    fn end(mut self) -> Result<(), String> {
        if let Some(client) = &mut self.client {
            let _ = client.read_now();
            client.expect_empty("the client, after the last step")?;
        }
        self.client = None;
        if let Some(upstream) = &mut self.upstream {
            let _ = upstream.read_now();
            upstream.expect_empty("the upstream, after the last step")?;
        }
        self.stage.idle.extend(self.upstream.take());
        Ok(())
    }
}

impl Peer {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    /// Reads what is there without waiting.
    fn read_now(&mut self) -> io::Result<usize> {
        self.stream.set_nonblocking(true)?;
        let mut chunk = [0; 64 * 1024];
        let answer = self.stream.read(&mut chunk);
        self.stream.set_nonblocking(false)?;
        let count = answer?;
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    /// Whether there are bytes, or an end, to be looked at.
    fn has_news(&self) -> bool {
        let mut byte = [0; 1];
        if !self.buffer.is_empty() {
            return true;
        }
        let _ = self.stream.set_nonblocking(true);
        let answer = self.stream.peek(&mut byte);
        let _ = self.stream.set_nonblocking(false);
        !matches!(answer, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn expect_empty(&self, who: &str) -> Result<(), String> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        Err(format!("bytes came to {who}:\n{}", show(&self.buffer)))
    }

    /// Reads until `done` finds what it looks for at the buffer's start, and takes that many bytes.
    fn read_until(&mut self, mut done: impl FnMut(&[u8]) -> Result<Option<usize>, String>) -> Result<Vec<u8>, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(length) = done(&self.buffer)? {
                return Ok(self.buffer.drain(..length).collect());
            }
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
            let mut chunk = [0; 64 * 1024];
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(format!("the connection ended after:\n{}", show(&self.buffer))),
                Ok(count) => self.buffer.extend_from_slice(&chunk[..count]),
                Err(error) => return Err(format!("{error} after:\n{}", show(&self.buffer))),
            }
        }
    }

    fn expect_pattern(&mut self, pattern: &Pattern) -> Result<(), String> {
        let wanted = || format!("wanted:\n{}", show(&pattern.show()));
        self.read_until(|bytes| match pattern.compare(bytes) {
            Match::Whole(length) => Ok(Some(length)),
            Match::Partial => Ok(None),
            Match::No(at) => Err(format!("wrong from byte {at} on; got:\n{}", show(bytes))),
        })
        .map(drop)
        .map_err(|why| format!("{why}{}", wanted()))
    }

    /// Reads chunks until their data is as long as `content`, strictly: hexadecimal size, no extension.
    fn expect_chunks(&mut self, content: &[u8]) -> Result<(), String> {
        let mut data = Vec::new();
        while data.len() < content.len() {
            let line = self.read_until(line_end)?;
            let digits = String::from_utf8_lossy(&line[..line.len() - 2]).into_owned();
            let size = usize::from_str_radix(&digits, 16).ok().filter(|_| !digits.starts_with('+'));
            let size = size.filter(|size| *size > 0).ok_or_else(|| format!("chunk size {digits:?} after {data:?}"))?;
            let chunk = self.read_until(|bytes| Ok((bytes.len() >= size + 2).then_some(size + 2)))?;
            let inner = chunk.strip_suffix(b"\r\n").ok_or("a chunk that does not end in CRLF")?;
            data.extend_from_slice(inner);
        }
        if data == content {
            return Ok(());
        }
        Err(format!("chunks hold:\n{}wanted:\n{}", show(&data), show(content)))
    }

    /// An error of the gateway's own: its head, its JSON, and nothing after it.
    fn expect_error(&mut self, status: u16, closing: bool) -> Result<(), String> {
        let head =
            self.read_until(|bytes| Ok(bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)))?;
        let text = String::from_utf8_lossy(&head).into_owned();
        let wrong = |why: &str| Err(format!("{why}; wanted an error {status}, got:\n{}", show(&head)));
        if !text.starts_with(&format!("HTTP/1.1 {status} ")) {
            return wrong("another status");
        }
        let field = |name: &str| {
            text.lines()
                .filter_map(|line| line.split_once(": "))
                .find_map(|(n, value)| n.eq_ignore_ascii_case(name).then(|| value.trim_end().to_owned()))
        };
        if field("content-type").as_deref() != Some("application/json") {
            return wrong("no content-type: application/json");
        }
        if closing && field("connection").as_deref() != Some("close") {
            return wrong("no connection: close");
        }
        let Some(length) = field("content-length").and_then(|value| value.parse::<usize>().ok()) else {
            return wrong("no content-length");
        };
        let content = self.read_until(|bytes| Ok((bytes.len() >= length).then_some(length)))?;
        let json = String::from_utf8_lossy(&content).into_owned();
        let line = json.trim_end_matches('\n');
        let good = line.starts_with("{\"message\":\"") && line.ends_with("\"}") && !line.contains('\n');
        if good { Ok(()) } else { wrong(&format!("the content is not the JSON of an error: {json:?}")) }
    }

    fn expect_close(&mut self) -> Result<(), String> {
        self.stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        if !self.buffer.is_empty() {
            return Err(format!("bytes before the end:\n{}", show(&self.buffer)));
        }
        let mut chunk = [0; 4096];
        match self.stream.read(&mut chunk) {
            Ok(0) => Ok(()),
            Ok(count) => Err(format!("bytes before the end:\n{}", show(&chunk[..count]))),
            Err(error) => Err(format!("no end of the connection: {error}")),
        }
    }

    /// The end, orderly or by reset, and no last chunk before it.
    fn expect_cut(&mut self) -> Result<(), String> {
        self.stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        match self.stream.read_to_end(&mut self.buffer) {
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => {
                return Err(format!("no end of the connection: {error}"));
            }
            _ => {}
        }
        let whole = self.buffer.ends_with(b"0\r\n\r\n");
        if whole { Err(format!("the message was completed:\n{}", show(&self.buffer))) } else { Ok(()) }
    }

    /// The end, orderly or by reset.
    fn expect_end(&mut self) -> Result<(), String> {
        match self.expect_close() {
            Err(why) if !why.contains("reset") => Err(why),
            _ => Ok(()),
        }
    }
}

fn expect(peer: &mut Peer, what: &What, names: &Names) -> Result<(), String> {
    match what {
        What::Expects(text) => peer.expect_pattern(&names.pattern(text)?),
        What::ExpectsChunks(text) => peer.expect_chunks(&names.bytes(text)?),
        What::ExpectsLastChunk(text) => peer.expect_pattern(&names.pattern(&format!("0\n{text}\n"))?),
        What::ExpectsError(status) => peer.expect_error(*status, true),
        What::ExpectsRefusal(status) => peer.expect_error(*status, false),
        other => Err(format!("not an expectation: {other:?}")),
    }
}

fn line_end(bytes: &[u8]) -> Result<Option<usize>, String> {
    Ok(bytes.windows(2).position(|window| window == b"\r\n").map(|at| at + 2))
}
