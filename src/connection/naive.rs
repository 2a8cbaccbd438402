//! A second reading of HTTP/1.1 messages, for tests and fuzzing: slow, plain, and without a line of the reader in `h1/`.
//!
//! It reads what the gateway wrote, so it is stricter than a recipient has to be: there is one way to write each thing, and
//! whatever could be read in two ways is wrong.

/// A message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The request line or status line.
    pub line: String,
    /// Field lines in order: lower-case names, values.
    pub fields: Vec<(String, String)>,
    /// Content, as far as it has come.
    pub body: Vec<u8>,
    /// Trailer fields.
    pub trailers: Vec<(String, String)>,
    /// Only the connection's end ends the body.
    pub until_close: bool,
}

/// What some bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Nothing.
    Nothing,
    /// A head that is not whole.
    Head,
    /// A message whose body is not whole.
    Cut(Message),
    /// A message, and how many bytes it takes.
    Whole(Message, usize),
    /// No message, or one that two recipients may read in two ways.
    Wrong(&'static str),
}

impl Message {
    /// The value of the field `name` (lower case), if it is there exactly once.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut found = self.fields.iter().filter(|(n, _)| n == name);
        let first = found.next()?;
        found.next().is_none().then_some(first.1.as_str())
    }

    /// How many lines the field `name` has.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.fields.iter().filter(|(n, _)| n == name).count()
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap_or_default()
    }

    /// The target of a request.
    #[must_use]
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The status of a response; zero if it is not one.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.target().parse().unwrap_or(0)
    }
}

/// Reads the request at the start of `bytes`.
#[must_use]
pub fn request(bytes: &[u8]) -> Reading {
    let (mut message, at) = match head(bytes) {
        Ok(read) => read,
        Err(other) => return other,
    };
    let parts: Vec<&str> = message.line.split(' ').collect();
    let [method, target, version] = parts.as_slice() else { return Reading::Wrong("request line") };
    if !is_token(method) || target.is_empty() || target.contains('\t') || *version != "HTTP/1.1" {
        return Reading::Wrong("request line");
    }
    if message.count("host") != 1 {
        return Reading::Wrong("host");
    }
    match framing(&message) {
        Err(why) => Reading::Wrong(why),
        Ok(Framing::None) => Reading::Whole(message, at),
        Ok(Framing::Length(length)) => with_length(message, bytes, at, length),
        Ok(Framing::Chunked) => match chunks(bytes, at, &mut message) {
            Ok(end) => Reading::Whole(message, end),
            Err(None) => Reading::Cut(message),
            Err(Some(why)) => Reading::Wrong(why),
        },
    }
}

/// Reads the response at the start of `bytes`, which answers a HEAD if `to_head`. `ended`: the connection ended behind them
/// as it should, without a reset.
#[must_use]
pub fn response(bytes: &[u8], to_head: bool, ended: bool) -> Reading {
    let (mut message, at) = match head(bytes) {
        Ok(read) => read,
        Err(other) => return other,
    };
    let status = message.status();
    if !message.line.starts_with("HTTP/1.1 ") || !(100..1000).contains(&status) {
        return Reading::Wrong("status line");
    }
    let framing = match framing(&message) {
        Ok(framing) => framing,
        Err(why) => return Reading::Wrong(why),
    };
    let bodiless = status < 200 || status == 204;
    if bodiless && !matches!(framing, Framing::None) {
        return Reading::Wrong("framing where no body may be");
    }
    if bodiless || to_head || status == 304 {
        return Reading::Whole(message, at);
    }
    match framing {
        Framing::Length(length) => with_length(message, bytes, at, length),
        Framing::Chunked => match chunks(bytes, at, &mut message) {
            Ok(end) => Reading::Whole(message, end),
            Err(None) => Reading::Cut(message),
            Err(Some(why)) => Reading::Wrong(why),
        },
        Framing::None => {
            message.until_close = true;
            message.body = bytes.get(at..).unwrap_or_default().to_vec();
            if ended { Reading::Whole(message, bytes.len()) } else { Reading::Cut(message) }
        }
    }
}

enum Framing {
    None,
    Length(usize),
    Chunked,
}

fn framing(message: &Message) -> Result<Framing, &'static str> {
    match (message.count("content-length"), message.count("transfer-encoding")) {
        (0, 0) => Ok(Framing::None),
        (1, 0) => {
            let value = message.field("content-length").unwrap_or_default();
            if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
                return Err("content-length");
            }
            value.parse().map(Framing::Length).map_err(|_| "content-length")
        }
        (0, 1) if message.field("transfer-encoding") == Some("chunked") => Ok(Framing::Chunked),
        _ => Err("framing fields"),
    }
}

fn with_length(mut message: Message, bytes: &[u8], at: usize, length: usize) -> Reading {
    let there = bytes.get(at..).unwrap_or_default();
    message.body = there.get(..length).unwrap_or(there).to_vec();
    if there.len() >= length { Reading::Whole(message, at + length) } else { Reading::Cut(message) }
}

/// The head at the start of `bytes`, and where it ends.
fn head(bytes: &[u8]) -> Result<(Message, usize), Reading> {
    if bytes.is_empty() {
        return Err(Reading::Nothing);
    }
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { return Err(Reading::Head) };
    let text: String = bytes.get(..end).unwrap_or_default().iter().map(|b| char::from(*b)).collect();
    let mut lines = text.split("\r\n");
    let mut message = Message { line: lines.next().unwrap_or_default().to_owned(), ..Message::default() };
    message.fields = fields(lines).ok_or(Reading::Wrong("field line"))?;
    if message.line.chars().any(|c| c < ' ' && c != '\t' || c == '\u{7f}') {
        return Err(Reading::Wrong("control byte"));
    }
    Ok((message, end + 4))
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<(String, String)>> {
    lines
        .map(|line| {
            let (name, value) = line.split_once(':')?;
            let fine = is_token(name) && value.chars().all(|c| c == '\t' || c >= ' ' && c != '\u{7f}');
            fine.then(|| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()))
        })
        .collect()
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Reads chunks up to their end, which it returns; `Err(None)`: they are not all there.
fn chunks(bytes: &[u8], mut at: usize, message: &mut Message) -> Result<usize, Option<&'static str>> {
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let line = rest.windows(2).position(|w| w == b"\r\n").ok_or(None)?;
        let digits = std::str::from_utf8(rest.get(..line).unwrap_or_default()).map_err(|_| Some("chunk size"))?;
        let plain = !digits.is_empty() && digits.len() < 16 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if !plain || digits.len() > 1 && digits.starts_with('0') {
            return Err(Some("chunk size"));
        }
        let size = usize::from_str_radix(digits, 16).map_err(|_| Some("chunk size"))?;
        at += line + 2;
        if size == 0 {
            break;
        }
        let data = bytes.get(at..).unwrap_or_default();
        message.body.extend_from_slice(data.get(..size).unwrap_or(data));
        match data.get(size..).unwrap_or_default() {
            [b'\r', b'\n', ..] => at += size + 2,
            [] | [b'\r'] => return Err(None),
            _ => return Err(Some("chunk end")),
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    if rest.starts_with(b"\r\n") {
        return Ok(at + 2);
    }
    let end = rest.windows(4).position(|w| w == b"\r\n\r\n").ok_or(None)?;
    let text: String = rest.get(..end).unwrap_or_default().iter().map(|b| char::from(*b)).collect();
    message.trailers = fields(text.split("\r\n")).ok_or(Some("trailer"))?;
    Ok(at + end + 4)
}

#[cfg(test)]
mod tests {
    use super::{Reading, request, response};

    #[test]
    fn what_is_ambiguous_is_wrong() {
        for wrong in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n05\r\nhello\r\n0\r\n\r\n",
        ] {
            assert!(matches!(request(wrong), Reading::Wrong(_)), "{:?}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn messages_end_where_they_end() {
        let bytes = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: 1\r\n\r\nGET";
        let Reading::Whole(message, end) = request(bytes) else { panic!() };
        assert_eq!(
            (message.method(), message.target(), &*message.body, end),
            ("POST", "/a", &b"hi"[..], bytes.len() - 3)
        );
        assert_eq!(message.trailers, [("t".to_owned(), "1".to_owned())]);
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel";
        assert!(matches!(response(bytes, false, true), Reading::Cut(m) if m.body == b"hel"));
        assert!(matches!(response(bytes, true, false), Reading::Whole(_, 38)));
    }
}
