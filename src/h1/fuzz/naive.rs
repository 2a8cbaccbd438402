//! A second reading of the same bytes, for the fuzz bodies to compare with: written for simplicity, by splitting and
//! collecting, and on purpose without a function of the parsers that it checks.

use std::{net::Ipv6Addr, str::FromStr};

use crate::{
    base::limits,
    h1::parse::HeadLimits,
    http::head::{Framing, TargetForm},
};

/// A field line: the name in lower case, the value trimmed.
pub(super) type Line<'a> = (String, &'a [u8]);

/// A head as the naive reader sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) bytes: usize,
    pub(super) lines: Vec<Line<'a>>,
    pub(super) framing: Framing,
    pub(super) length: Option<u64>,
    pub(super) keep_alive: bool,
    /// Request: method and target. Response: code and reason.
    pub(super) first: &'a [u8],
    pub(super) second: &'a [u8],
    /// Request: the authority.
    pub(super) host: &'a [u8],
}

/// The request head at the start of `buf`, if there is a whole and acceptable one.
pub(super) fn request(buf: &[u8], limits: HeadLimits) -> Option<Head<'_>> {
    let mut rest = buf;
    for _ in 0..4 {
        rest = rest.strip_prefix(b"\r\n").unwrap_or(rest);
    }
    let skipped = buf.len() - rest.len();
    let (start_line, lines, head_bytes) = split_head(rest, limits)?;
    let words: Vec<&[u8]> = start_line.split(|&b| b == b' ').collect();
    let &[method, target, version] = words.as_slice() else { return None };
    if !is_token(method) || method.len() > 32 || target.len() > limits::TARGET_BYTES_MAX {
        return None;
    }
    let is_11 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        _ => return None,
    };
    let (form, authority) = naive_target(method, target)?;
    let host = host(&lines, is_11, form, authority)?;
    let expectations: Vec<String> = list(&lines, "expect").collect();
    let expects = lines.iter().filter(|(name, _)| name == "expect").count();
    if expectations.iter().any(|e| e != "100-continue") || expectations.len() < expects {
        return None;
    }
    // An `Expect` line without any expectation is refused, whatever the other lines say.
    if lines.iter().any(|(name, value)| name == "expect" && value.iter().all(|b| b" \t,".contains(b))) {
        return None;
    }
    let (framing, length) = naive_framing(&lines, is_11)?;
    let keep_alive = keep_alive(&lines, is_11)?;
    let bytes = skipped + head_bytes;
    if bytes > limits.bytes {
        return None;
    }
    Some(Head { bytes, lines, framing, length, keep_alive, first: method, second: target, host })
}

/// The response head at the start of `buf`, if there is a whole and acceptable one. `to_head` and `to_connect` say what was
/// asked.
pub(super) fn response(buf: &[u8], limits: HeadLimits, to_head: bool, to_connect: bool) -> Option<Head<'_>> {
    let (start_line, lines, bytes) = split_head(buf, limits)?;
    let mut words = start_line.splitn(3, |&b| b == b' ');
    let (version, code, reason) = (words.next()?, words.next()?, words.next().unwrap_or_default());
    let is_11 = match version {
        b"HTTP/1.1" => true,
        b"HTTP/1.0" => false,
        _ => return None,
    };
    if code.len() != 3 || !code.iter().all(u8::is_ascii_digit) || code.first() == Some(&b'0') || !is_value(reason) {
        return None;
    }
    let number: u16 = std::str::from_utf8(code).ok()?.parse().ok()?;
    let persists = keep_alive(&lines, is_11)?;
    let head = |framing, length, keep_alive| {
        Some(Head { bytes, lines: lines.clone(), framing, length, keep_alive, first: code, second: reason, host: b"" })
    };
    if to_connect && number / 100 == 2 {
        return head(Framing::None, None, false);
    }
    let (framing, length) = naive_framing(&lines, is_11)?;
    if number / 100 == 1 || number == 204 {
        let harmless = framing == Framing::None && length.unwrap_or(0) == 0;
        return if harmless { head(Framing::None, None, persists && number != 101) } else { None };
    }
    if to_head || number == 304 {
        return head(Framing::None, length, persists);
    }
    match (framing, length) {
        (Framing::None, None) => head(Framing::UntilClose, None, false),
        (framing, length) => head(framing, length, persists),
    }
}

/// Start line, field lines, and the bytes of both with the blank line.
fn split_head(buf: &[u8], limits: HeadLimits) -> Option<(&[u8], Vec<Line<'_>>, usize)> {
    let text_bytes = buf.windows(4).position(|w| w == b"\r\n\r\n")?;
    if text_bytes + 4 > limits.bytes {
        return None;
    }
    let mut lines = split_lines(buf.get(..text_bytes)?);
    let start_line = lines.next()?;
    if start_line.iter().any(|b| b"\r\n".contains(b)) {
        return None;
    }
    let fields: Vec<Line<'_>> = lines.map(field_line).collect::<Option<_>>()?;
    (fields.len() <= limits.fields).then_some((start_line, fields, text_bytes + 4))
}

/// `text` cut at each CRLF.
pub(super) fn split_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let now = rest?;
        match now.windows(2).position(|w| w == b"\r\n") {
            Some(at) => {
                rest = now.get(at + 2..);
                now.get(..at)
            }
            None => {
                rest = None;
                Some(now)
            }
        }
    })
}

pub(super) fn field_line(line: &[u8]) -> Option<Line<'_>> {
    let colon = line.iter().position(|&b| b == b':')?;
    let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?);
    (is_token(name) && is_value(value)).then(|| (String::from_utf8_lossy(name).to_lowercase(), trim(value)))
}

fn naive_target<'a>(method: &[u8], target: &'a [u8]) -> Option<(TargetForm, &'a [u8])> {
    let text = std::str::from_utf8(target).ok().filter(|t| t.chars().all(|c| ('!'..='~').contains(&c) && c != '#'))?;
    if method == b"CONNECT" {
        let (name, port) = text.rsplit_once(':')?;
        return (is_authority(text) && !port.is_empty() && !port.contains(']') && !name.is_empty())
            .then_some((TargetForm::Authority, target));
    }
    if text == "*" {
        return (method == b"OPTIONS").then_some((TargetForm::Asterisk, &b""[..]));
    }
    let lower = text.to_lowercase();
    let (form, authority, rest) = if text.starts_with('/') {
        (TargetForm::Origin, "", text)
    } else {
        let scheme = ["http://", "https://"].into_iter().find(|scheme| lower.starts_with(scheme))?;
        let after = &text.get(scheme.len()..)?;
        let end = after.find(['/', '?']).unwrap_or(after.len());
        let (authority, rest) = after.split_at(end);
        if !is_authority(authority) {
            return None;
        }
        (TargetForm::Absolute, authority, rest)
    };
    let path = rest.split('?').next()?;
    if path.contains(['"', '<', '>', '\\', '`']) {
        return None;
    }
    for escape in path.split('%').skip(1) {
        let digits = escape.get(..2)?;
        u8::from_str_radix(digits, 16).ok().filter(|&b| b != 0 && !digits.starts_with('+'))?;
    }
    Some((form, authority.as_bytes()))
}

/// Whether `text` is `host` or `host:port`.
fn is_authority(text: &str) -> bool {
    let (name, port) = match text.strip_prefix('[') {
        Some(literal) => {
            let Some((address, port)) = literal.split_once(']') else { return false };
            if Ipv6Addr::from_str(address).is_err() || !(port.is_empty() || port.starts_with(':')) {
                return false;
            }
            ("x", port.get(1..).unwrap_or_default())
        }
        None => text.split_once(':').unwrap_or((text, "")),
    };
    let name_is_fine = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c));
    let number = port.trim_start_matches('0');
    let port_is_fine = port.chars().all(|c| c.is_ascii_digit()) && (number.is_empty() || number.parse::<u16>().is_ok());
    name_is_fine && port_is_fine
}

fn host<'a>(lines: &[Line<'a>], is_11: bool, form: TargetForm, authority: &'a [u8]) -> Option<&'a [u8]> {
    let hosts: Vec<&[u8]> = lines.iter().filter(|(name, _)| name == "host").map(|&(_, value)| value).collect();
    let given = match hosts.as_slice() {
        [] if !is_11 => return Some(authority),
        &[one] => one,
        _ => return None,
    };
    let lower = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase();
    if !is_authority(std::str::from_utf8(given).ok()?) {
        return None;
    }
    let without_port = |text: String| match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name.to_owned(),
        _ => text,
    };
    match form {
        TargetForm::Origin | TargetForm::Asterisk => Some(given),
        TargetForm::Absolute => (lower(given) == lower(authority)).then_some(authority),
        TargetForm::Authority => (without_port(lower(given)) == without_port(lower(authority))).then_some(authority),
    }
}

fn naive_framing(lines: &[Line<'_>], is_11: bool) -> Option<(Framing, Option<u64>)> {
    let values = |wanted: &str| -> Vec<String> {
        let found = lines.iter().filter(|(name, _)| name == wanted);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    };
    let (lengths, encodings) = (values("content-length"), values("transfer-encoding"));
    match (lengths.as_slice(), encodings.as_slice()) {
        ([], []) => Some((Framing::None, None)),
        ([length], []) => {
            let number = length.parse::<i64>().ok().filter(|_| length.chars().all(|c| c.is_ascii_digit()))?;
            let number = u64::try_from(number).ok()?;
            Some((if number == 0 { Framing::None } else { Framing::Length(number) }, Some(number)))
        }
        ([], [coding]) if is_11 && coding.to_lowercase() == "chunked" => Some((Framing::Chunked, None)),
        _ => None,
    }
}

/// Whether the connection persists; `None` if a `Connection` field is not acceptable.
fn keep_alive(lines: &[Line<'_>], is_11: bool) -> Option<bool> {
    let options: Vec<String> = list(lines, "connection").collect();
    let vital = ["host", "content-length", "transfer-encoding", "authorization"];
    if options.len() > 32 || options.iter().any(|o| vital.contains(&o.as_str()) || !is_token(o.as_bytes())) {
        return None;
    }
    let has = |wanted: &str| options.iter().any(|o| o == wanted);
    Some(!has("close") && (is_11 || has("keep-alive")))
}

/// The elements of all lists named `wanted`, in lower case, without empty ones.
fn list<'a>(lines: &'a [Line<'a>], wanted: &'static str) -> impl Iterator<Item = String> {
    let values = lines.iter().filter(move |(name, _)| name == wanted).map(|&(_, value)| value);
    let elements = values.flat_map(|value| value.split(|&b| b == b',')).map(trim).filter(|e| !e.is_empty());
    // Bytes that are not ASCII must not become the same replacement character as others.
    elements.map(|e| e.iter().map(|&b| char::from(b.to_ascii_lowercase())).collect())
}

fn trim(bytes: &[u8]) -> &[u8] {
    let white = |b: &u8| matches!(b, b' ' | b'\t');
    let start = bytes.iter().position(|b| !white(b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !white(b)).map_or(start, |last| last + 1);
    bytes.get(start..end).unwrap_or_default()
}

pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

pub(super) fn is_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| b == 9 || !(b < 32 || b == 127))
}

/// A chunked body as the naive reader sees it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    pub(super) bytes: usize,
    pub(super) content: Vec<u8>,
    pub(super) trailers: Vec<u8>,
}

/// The chunked body at the start of `buf`, if there is a whole and acceptable one.
pub(super) fn chunked(buf: &[u8]) -> Option<Chunks> {
    let (mut rest, mut content, mut idle) = (buf, Vec::new(), 0u64);
    loop {
        let line_bytes = rest.windows(2).position(|w| w == b"\r\n")?;
        let line = rest.get(..line_bytes)?;
        let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
        if line_bytes > limits::CHUNK_LINE_BYTES_MAX || !are_extensions(line.get(digits..)?) {
            return None;
        }
        let size = i64::from_str_radix(std::str::from_utf8(line.get(..digits)?).ok()?, 16).ok()?;
        rest = rest.get(line_bytes + 2..)?;
        let size = usize::try_from(size).ok()?;
        if size == 0 {
            break;
        }
        idle = (idle + (line_bytes as u64).saturating_sub(16)).saturating_sub(size as u64);
        let end = size.checked_add(2)?;
        if idle > super::chunked::IDLE_BYTES_MAX || rest.get(size..end)? != b"\r\n" {
            return None;
        }
        content.extend_from_slice(rest.get(..size)?);
        rest = rest.get(end..)?;
    }
    let section_bytes = match rest.strip_prefix(b"\r\n") {
        Some(_) => 2,
        None => rest.windows(4).position(|w| w == b"\r\n\r\n")? + 4,
    };
    let section = rest.get(..section_bytes)?;
    let lines: Vec<&[u8]> = split_lines(section.get(..section_bytes.saturating_sub(4))?).collect();
    let fine = section_bytes == 2 || lines.iter().all(|line| field_line(line).is_some());
    if !fine || section_bytes > limits::TRAILER_BYTES_MAX || lines.len() > limits::TRAILER_FIELDS_MAX {
        return None;
    }
    let trailers = if section_bytes == 2 { Vec::new() } else { section.to_vec() };
    Some(Chunks { bytes: buf.len() - rest.len() + section_bytes, content, trailers })
}

/// Whether `text` is what may follow a chunk's size: read by taking extension after extension off its front.
fn are_extensions(text: &[u8]) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let Some(after) = skip_white(rest).strip_prefix(b";") else { return false };
        let after = skip_white(after);
        let name = after.iter().take_while(|&&b| is_token(&[b])).count();
        if name == 0 {
            return false;
        }
        rest = after.get(name..).unwrap_or_default();
        if let Some(value) = skip_white(rest).strip_prefix(b"=") {
            let value = skip_white(value);
            let bytes = match value.strip_prefix(b"\"") {
                Some(quoted) => quoted_bytes(quoted).map_or(0, |bytes| bytes + 1),
                None => value.iter().take_while(|&&b| is_token(&[b])).count(),
            };
            if bytes == 0 {
                return false;
            }
            rest = value.get(bytes..).unwrap_or_default();
        }
    }
    true
}

fn skip_white(text: &[u8]) -> &[u8] {
    text.get(text.iter().take_while(|b| b" \t".contains(b)).count()..).unwrap_or_default()
}

/// Bytes of a quoted string after its opening quote, the closing one included.
fn quoted_bytes(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => {
                is_value(text.get(at + 1..at + 2)?).then_some(())?;
                at += 2;
            }
            b if is_value(&[*b]) => at += 1,
            _ => return None,
        }
    }
}
