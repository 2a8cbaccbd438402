//! What clients ask and upstreams answer, made from chance. Everything carries the number of its exchange.

use ringgate::base::prng::Prng;
use std::time::Duration;

/// One request of a client.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) id: usize,
    pub(crate) method: &'static str,
    pub(crate) kind: Kind,
    pub(crate) way: Way,
    pub(crate) bytes: Vec<u8>,
    /// The content that the upstream must see.
    pub(crate) content: Vec<u8>,
    pub(crate) close: bool,
    pub(crate) answer: Answer,
}

/// Which route what is forwarded takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Plain,
    /// The body is had first and looked at.
    Valid,
    /// Only what is mapped goes along, both ways.
    Mapped,
    /// Some of it is changed, both ways.
    Changed,
    /// A stage with a canary.
    Staged,
}

impl Way {
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Plain => "/e",
            Self::Valid => "/valid",
            Self::Mapped => "/mapped",
            Self::Changed => "/changed",
            Self::Staged => "/staged/it",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Proxied,
    /// The body is not what the route describes.
    Invalid,
    Fixed,
    Redirect,
    Missing,
    /// The head breaks a rule: this status, and nothing upstream.
    BadHead(u16),
    /// The body breaks a rule: never whole upstream.
    BadBody,
    /// The body is larger than the route takes.
    TooLarge,
}

/// What the upstream does when it sees the request.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) content: Vec<u8>,
    /// Before it has seen all of the request.
    pub(crate) early: bool,
    /// After that many bytes: a pause.
    pub(crate) pause: Option<(usize, Duration)>,
    /// How it goes on afterwards.
    pub(crate) then: Then,
    /// What the bytes are worth.
    pub(crate) worth: Worth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
    Reset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worth {
    /// A whole response.
    Whole,
    /// It ends inside the head, or is no response at all.
    NoHead,
    /// It ends inside the body, visibly.
    CutBody,
    /// It is cut, and nobody can see that.
    CutUnseen,
    /// It never comes.
    Silence,
}

pub(crate) struct Chance {
    prng: Prng,
    /// Bytes of the largest body.
    pub(crate) largest: usize,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self { prng: Prng::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(17)), largest: usize::MAX }
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.prng.below(n as u64) as usize
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    pub(crate) fn size(&mut self) -> usize {
        let most = self.pick(&[1, 2, 20, 20, 300, 300, 3000, 9000, 40_000]);
        self.below(most.min(self.largest))
    }

    pub(crate) fn content(&mut self, id: usize, size: usize) -> Vec<u8> {
        let salt = self.below(200);
        (0..size).map(|at| b"abcdefghijklmnopqrstuvwxyz0123456789\r\n"[(at * 7 + id * 31 + salt) % 38]).collect()
    }
}

pub(crate) fn ask(chance: &mut Chance, id: usize, kind_world: bool) -> Ask {
    let kind = match chance.below(20) {
        0 => Kind::Fixed,
        1 => Kind::Redirect,
        2 => Kind::Missing,
        3 => return bad_head(chance, id),
        4 if !kind_world => Kind::BadBody,
        5 if !kind_world && chance.largest > 70_000 => Kind::TooLarge,
        6 => Kind::Invalid,
        _ => Kind::Proxied,
    };
    let way = match kind {
        Kind::Invalid => Way::Valid,
        _ => chance.pick(&[Way::Plain, Way::Plain, Way::Plain, Way::Valid, Way::Mapped, Way::Changed, Way::Staged]),
    };
    let method = match kind {
        Kind::BadBody | Kind::TooLarge | Kind::Invalid => "POST",
        _ => chance.pick(&["GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "OPTIONS"]),
    };
    let modern = !chance.one_in(8);
    let path = match kind {
        Kind::Fixed => "/fixed",
        Kind::Redirect => "/old/it",
        Kind::Missing => "/none",
        _ => way.path(),
    };
    let mut head =
        format!("{method} {path}?id={id} HTTP/1.{}\r\nHost: sim.example\r\nX-Id: {id}\r\n", u8::from(modern));
    if chance.one_in(3) {
        head += "X-Empty:\r\nX-Odd:  some, thing \r\n";
    }
    let close = chance.one_in(8);
    if close {
        head += "Connection: close\r\n";
    } else if !modern && chance.one_in(2) {
        head += "Connection: keep-alive\r\n";
    } else if chance.one_in(8) {
        head += "Connection: X-Hop, keep-alive\r\nX-Hop: gone\r\n";
    }
    if chance.one_in(4) && modern && !head.contains("Connection") {
        head += "Connection: TE\r\nTE: trailers\r\n";
    }
    let close = close || !modern && !head.contains("keep-alive");
    let (content, body) = body(chance, id, method, modern, (&kind, way), &mut head);
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&body);
    let answer = answer(chance, id, method, kind_world);
    Ask { id, method, kind, way, bytes, content, close, answer }
}

/// The content and how it goes on the wire; the fields that say so are added to `head`.
fn body(
    chance: &mut Chance,
    id: usize,
    method: &str,
    modern: bool,
    (kind, way): (&Kind, Way),
    head: &mut String,
) -> (Vec<u8>, Vec<u8>) {
    let bodiless = matches!(method, "GET" | "HEAD" | "OPTIONS" | "DELETE") && !chance.one_in(12);
    if bodiless {
        return (Vec::new(), Vec::new());
    }
    let size = if *kind == Kind::TooLarge { 70_000 + chance.below(5000) } else { chance.size() };
    let mut content = chance.content(id, size);
    match (kind, way) {
        (Kind::Proxied, Way::Valid) => {
            let pad: String = content.iter().filter(|b| b.is_ascii_alphanumeric()).map(|b| char::from(*b)).collect();
            content = format!("{{\"id\":{id},\"pad\":\"{pad}\"}}").into_bytes();
        }
        (Kind::Invalid, _) => {
            content = chance.pick(&[&b"{\"id\":\"x\"}"[..], b"[]", b"{", b"{\"id\":1,\"id\":1}", b"{} {}"]).to_vec();
        }
        _ => {}
    }
    let size = content.len();
    let chunked = *kind == Kind::BadBody || modern && chance.one_in(2);
    if modern && size > 0 && chance.one_in(6) {
        *head += "Expect: 100-continue\r\n";
    }
    if !chunked {
        *head += &format!("Content-Length: {size}\r\n");
        return (content.clone(), content);
    }
    *head += "Transfer-Encoding: chunked\r\n";
    let mut wire = chunks(chance, &content);
    if *kind == Kind::BadBody {
        wire = [format!("{:x}\r\n", size + 1).as_bytes(), &content, b"!\r\n"].concat();
        wire.extend_from_slice(chance.pick(&[
            &b"zz\r\n"[..],
            b"-1\r\n",
            b"5\nhello",
            b"1\r\nab\r\n",
            b"ffffffffffffffffff\r\n",
        ]));
        wire.extend_from_slice(b"0\r\n\r\n");
    }
    (content, wire)
}

/// `content` in chunks, now and then in ways that have to be written anew.
fn chunks(chance: &mut Chance, mut content: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    let odd = chance.one_in(3);
    while !content.is_empty() {
        let (now, rest) = content.split_at(1 + chance.below(content.len()));
        let extra = if odd { chance.pick(&["", ";a=b", ";x", " ;q=\"1;2\""]) } else { "" };
        let zeros = if odd && chance.one_in(4) { "00" } else { "" };
        wire.extend_from_slice(format!("{zeros}{:x}{extra}\r\n", now.len()).as_bytes());
        wire.extend_from_slice(now);
        wire.extend_from_slice(b"\r\n");
        content = rest;
    }
    wire.extend_from_slice(if odd && chance.one_in(2) { b"0\r\nX-Sum: 1\r\n\r\n" } else { b"0\r\n\r\n" });
    wire
}

fn bad_head(chance: &mut Chance, id: usize) -> Ask {
    let whole = |middle: &str| format!("GET /m?id={id} HTTP/1.1\r\nHost: a\r\n{middle}\r\n\r\n");
    let (status, text) = match chance.below(16) {
        0 => (400, whole("Content-Length: 5\r\nTransfer-Encoding: chunked")),
        1 => (400, whole("Content-Length: 5\r\nContent-Length: 6")),
        2 => (400, whole("Content-Length: +5")),
        3 => (400, whole("Host: b")),
        4 => (400, whole("X: a\r\n folded")),
        5 => (400, whole("X : a")),
        6 => (400, whole("X: a\nY: b")),
        7 => (400, whole("X: a\rb")),
        8 => (400, whole("X: a\0b")),
        9 => (501, whole("Transfer-Encoding: gzip, chunked")),
        10 => (400, whole("Transfer-Encoding: chunked, gzip")),
        11 => (400, format!("GET /m?id={id} HTTP/1.1\r\nX: no host\r\n\r\n")),
        12 => (505, format!("GET /m?id={id} HTTP/2.0\r\nHost: a\r\n\r\n")),
        13 => (400, format!("GET /m?id={id}\x01 HTTP/1.1\r\nHost: a\r\n\r\n")),
        14 => (417, whole("Expect: something")),
        _ => (431, whole(&format!("X: {}", "y".repeat(20_000)))),
    };
    let answer = answer(chance, id, "GET", true);
    let bytes = text.into_bytes();
    Ask {
        id,
        method: "GET",
        kind: Kind::BadHead(status),
        way: Way::Plain,
        bytes,
        content: Vec::new(),
        close: true,
        answer,
    }
}

fn answer(chance: &mut Chance, id: usize, method: &str, kind_world: bool) -> Answer {
    let status = chance.pick(&[200, 200, 200, 200, 201, 404, 204, 304, 503]);
    let bodiless = method == "HEAD" || status == 204 || status == 304;
    let size = chance.size();
    let content = if bodiless { Vec::new() } else { chance.content(id, size) };
    let mut bytes = Vec::new();
    for _ in 0..chance.pick(&[0, 0, 0, 0, 0, 1, 2]) {
        bytes.extend_from_slice(format!("HTTP/1.1 103 Early Hints\r\nX-Echo: {id}\r\n\r\n").as_bytes());
    }
    let mut then = if chance.one_in(6) { Then::Close } else { Then::Keep };
    bytes.extend_from_slice(format!("HTTP/1.1 {status} Said\r\nX-Echo: {id}\r\n").as_bytes());
    if then == Then::Close && chance.one_in(2) {
        bytes.extend_from_slice(b"Connection: close\r\n");
    }
    let framing = chance.below(3);
    let mut until_close = false;
    let body = match framing {
        _ if status == 204 => Vec::new(),
        0 => {
            bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
            if bodiless { Vec::new() } else { chunks(chance, &content) }
        }
        1 if chance.one_in(2) && !bodiless => {
            until_close = true;
            then = Then::Close;
            content.clone()
        }
        _ => {
            bytes.extend_from_slice(format!("Content-Length: {size}\r\n").as_bytes());
            content.clone()
        }
    };
    bytes.extend_from_slice(b"\r\n");
    let head = bytes.len();
    bytes.extend_from_slice(&body);
    let early = chance.one_in(10) && (!kind_world || then == Then::Keep);
    let mut answer = Answer { bytes, status, content, early, pause: None, then, worth: Worth::Whole };
    if chance.one_in(4) {
        let at = chance.below(answer.bytes.len());
        answer.pause = Some((at, Duration::from_millis(chance.pick(&[1, 20, 300, 1500]))));
    }
    if !kind_world && chance.one_in(4) {
        spoil(chance, &mut answer, head, until_close);
    }
    answer
}

fn spoil(chance: &mut Chance, answer: &mut Answer, head: usize, until_close: bool) {
    match chance.below(6) {
        0 => {
            answer.bytes = chance
                .pick(&[
                    &b"\0\0garbage\r\n\r\n"[..],
                    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
                    b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n",
                    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
                    b"ICY 200 OK\r\n\r\n",
                ])
                .to_vec();
            answer.worth = Worth::NoHead;
        }
        1 => (answer.bytes, answer.worth) = (Vec::new(), Worth::Silence),
        _ => {
            let at = chance.below(answer.bytes.len());
            answer.then = chance.pick(&[Then::Close, Then::Reset]);
            answer.worth = match (at < head, until_close, answer.then) {
                (true, ..) => Worth::NoHead,
                (false, true, Then::Close) => Worth::CutUnseen,
                _ => Worth::CutBody,
            };
            answer.bytes.truncate(at);
            return;
        }
    }
    answer.then = Then::Keep;
}
