//! The bodies of the fuzz targets. Each asserts properties that hold for all bytes, so a panic is a finding; `cargo test`
//! replays every seed of `fuzz/corpus/` and every past finding of `fuzz/regressions/` through them.
//!
//! Three kinds of property: the answer does not depend on how the bytes were cut; what was understood, written again and
//! read again is understood the same; a naive second reader, and httparse, agree.

mod naive;

use super::{
    chunked::{self, Decoder, What},
    encode,
    error::{ErrorKind, ParseError},
    parse::{self, HeadLimits, Parsed},
    proxy_header, trailer,
};
use crate::http::{
    head::{FieldLine, Framing, RequestHead, ResponseHead, TargetForm, Version},
    method::Method,
    target,
};

/// Request heads: cuts, small limits, the naive reader, httparse, and writing them again.
pub fn fuzz_request_head(data: &[u8]) {
    let mut head = RequestHead::with_capacity(8);
    let whole = parse::request(data, LIMITS, &mut head);
    let mut other = RequestHead::with_capacity(8);
    check_cuts(data, whole, |prefix| {
        let answer = parse::request(prefix, LIMITS, &mut other);
        if matches!(answer, Ok(Parsed::Complete(_))) {
            assert_eq!(other, head, "the same head whatever follows it");
        }
        answer
    });
    let small = parse::request(data, SMALL_LIMITS, &mut other);
    check_small_limits(whole, small);
    let naive = naive::request(data, LIMITS);
    let Ok(Parsed::Complete(bytes)) = whole else {
        assert_eq!(naive, None, "the naive reader accepts what was not accepted: {whole:?}");
        return;
    };
    let Some(naive) = naive else { return fail("the naive reader refuses what was accepted") };
    assert_eq!((bytes, head.fields.len()), (naive.bytes, naive.lines.len()));
    assert_eq!((head.method_token.of(data), head.target.of(data)), (naive.first, naive.second));
    assert_eq!((head.framing, head.content_length, head.keep_alive), (naive.framing, naive.length, naive.keep_alive));
    assert_eq!(head.host.of(data), naive.host);
    assert!(head.host.of(data).starts_with(head.host_name.of(data)));
    check_lines(data, &head.fields, &naive.lines);
    check_httparse_request(data, bytes, &head);
    check_request_again(data, &head);
}

/// Response heads, the same way. The first byte chooses the request's method.
pub fn fuzz_response_head(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let method = match choice {
        b'H' => Method::Head,
        b'C' => Method::Connect,
        _ => Method::Get,
    };
    let mut head = ResponseHead::with_capacity(8);
    let whole = parse::response(data, LIMITS, method, &mut head);
    let mut other = ResponseHead::with_capacity(8);
    check_cuts(data, whole, |prefix| {
        let answer = parse::response(prefix, LIMITS, method, &mut other);
        if matches!(answer, Ok(Parsed::Complete(_))) {
            assert_eq!(other, head, "the same head whatever follows it");
        }
        answer
    });
    let small = parse::response(data, SMALL_LIMITS, method, &mut other);
    check_small_limits(whole, small);
    let naive = naive::response(data, LIMITS, method == Method::Head, method == Method::Connect);
    let Ok(Parsed::Complete(bytes)) = whole else {
        assert_eq!(naive, None, "the naive reader accepts what was not accepted: {whole:?}");
        return;
    };
    let Some(naive) = naive else { return fail("the naive reader refuses what was accepted") };
    assert_eq!((bytes, head.fields.len()), (naive.bytes, naive.lines.len()));
    assert_eq!(head.status.0.to_string().as_bytes(), naive.first);
    assert_eq!(head.reason.of(data), naive.second);
    assert_eq!((head.framing, head.content_length, head.keep_alive), (naive.framing, naive.length, naive.keep_alive));
    check_lines(data, &head.fields, &naive.lines);
    check_response_again(data, method, &head);
}

/// Chunked bodies: `next`, `scan` and the naive reader, in one piece and in two.
pub fn fuzz_chunked(data: &[u8]) {
    let whole = decode(&[data]);
    let sent = relay(&[data]);
    let sent_content = sent.as_deref().map(content_of);
    for cut in cuts(data.len()) {
        let (front, back) = data.split_at(cut.min(data.len()));
        assert_eq!(decode(&[front, back]), whole, "cut at {cut}");
        assert_eq!(relay(&[front, back]).as_deref().map(content_of), sent_content, "relayed, cut at {cut}");
    }
    let naive = naive::chunked(data);
    match (&whole.end, naive) {
        (End::Done(bytes), Some(naive)) => {
            assert_eq!((*bytes, &whole.content, &whole.trailers), (naive.bytes, &naive.content, &naive.trailers));
        }
        (End::Done(_), None) => fail("the naive reader refuses what was accepted"),
        (_, naive) => assert_eq!(naive, None, "the naive reader accepts what was not accepted"),
    }
    // What is relayed, partly as it came and partly framed anew, is chunked and has the same content.
    match sent {
        Some(sent) => {
            let read = naive::chunked(&sent);
            let Some(read) = read else { return fail("what is relayed is not well-formed") };
            assert_eq!((read.bytes, &read.content), (sent.len(), &whole.content));
        }
        None => assert!(!matches!(whole.end, End::Done(_)), "scan refuses what next accepts"),
    }
}

/// Request targets. The first byte chooses the method.
pub fn fuzz_target(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let method = match choice {
        b'C' => Method::Connect,
        b'O' => Method::Options,
        _ => Method::Get,
    };
    let _ = target::host_bytes(bytes);
    let parsed = target::parse(method, bytes);
    let host = if parsed.as_ref().is_some_and(|t| matches!(t.form, TargetForm::Absolute | TargetForm::Authority)) {
        parsed.as_ref().and_then(|t| bytes.get(t.authority.clone())).unwrap_or_default()
    } else {
        b"host"
    };
    let head = [method.name().as_bytes(), b" ", bytes, b" HTTP/1.1\r\nHost: ", host, b"\r\n\r\n"].concat();
    fuzz_request_head(&head);
    let mut read = RequestHead::with_capacity(1);
    let answer = parse::request(&head, HeadLimits { bytes: usize::MAX, fields: 1 }, &mut read);
    let Some(parts) = parsed else {
        assert!(answer != Ok(Parsed::Complete(head.len())), "a request with a target that is refused is accepted");
        return;
    };
    for b in bytes {
        assert!(b.is_ascii_graphic() && *b != b'#', "no byte passes that may not be in a target");
    }
    let path = bytes.get(parts.path.clone()).unwrap_or_default();
    let looks_odd = path.contains(&b'%') || path.windows(2).any(|w| w == b"//" || w == b"/.");
    assert_eq!(parts.needs_care, looks_odd);
    if bytes.len() <= crate::base::limits::TARGET_BYTES_MAX {
        assert_eq!(answer, Ok(Parsed::Complete(head.len())));
        assert_eq!((read.form, read.path.of(&head), read.has_query), (parts.form, path, parts.has_query));
        assert_eq!(read.query.of(&head), bytes.get(parts.query).unwrap_or_default());
    }
}

/// PROXY headers: cuts, and writing the addresses again in both versions.
pub fn fuzz_proxy_header(data: &[u8]) {
    use proxy_header::{Header, parse};
    let whole = parse(data);
    for cut in cuts(data.len()) {
        let answer = parse(data.get(..cut).unwrap_or(data));
        assert!(answer == whole || answer == Ok(Header::Partial), "cut at {cut}: {answer:?} is not {whole:?}");
    }
    let Ok(Header::Complete(proxied)) = whole else { return };
    assert!(proxied.consumed <= data.len());
    assert_eq!(proxied.source.is_some(), proxied.destination.is_some());
    let (Some(source), Some(destination)) = (proxied.source, proxied.destination) else { return };
    let family = if source.is_ipv4() { 4 } else { 6 };
    let (from, to) = (source.ip(), destination.ip());
    let line = format!("PROXY TCP{family} {from} {to} {} {}\r\n", source.port(), destination.port());
    assert_eq!(parse(line.as_bytes()), Ok(Header::Complete(proxy_header::Proxied { consumed: line.len(), ..proxied })));
}

/// For every cut of `data` the answer is `Partial` up to some byte, and from there on that for all of it.
fn check_cuts(
    data: &[u8],
    whole: Result<Parsed, ParseError>,
    mut read: impl FnMut(&[u8]) -> Result<Parsed, ParseError>,
) {
    let mut certain = false;
    for cut in cuts(data.len()) {
        let answer = read(data.get(..cut).unwrap_or(data));
        certain |= answer != Ok(Parsed::Partial);
        if certain {
            assert_eq!(answer, whole, "cut at {cut}");
        }
        if let (Ok(Parsed::Complete(bytes)), false) = (whole, certain) {
            assert!(cut < bytes, "a head of {bytes} bytes is not seen in {cut}");
        }
    }
}

/// Every cut of a short input, and about a hundred of a long one.
fn cuts(len: usize) -> impl Iterator<Item = usize> {
    let step = (len / 128).max(1);
    (0..len).step_by(step).chain([len.saturating_sub(1), len])
}

/// Smaller limits never make a head acceptable that was not, nor another one of it.
fn check_small_limits(whole: Result<Parsed, ParseError>, small: Result<Parsed, ParseError>) {
    match small {
        Err(ParseError { kind: ErrorKind::HeadTooLarge | ErrorKind::TooManyFields, .. }) => {}
        small => assert_eq!(small, whole, "small limits"),
    }
}

fn check_lines(data: &[u8], lines: &[FieldLine], naive: &[naive::Line<'_>]) {
    for (line, (name, value)) in lines.iter().zip(naive) {
        assert_eq!(
            (line.name.of(data).to_ascii_lowercase().as_slice(), line.value.of(data)),
            (name.as_bytes(), *value)
        );
    }
}

/// What is accepted, httparse accepts too, and it sees the same.
fn check_httparse_request(data: &[u8], bytes: usize, head: &RequestHead) {
    let mut table = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut table);
    assert_eq!(request.parse(data), Ok(httparse::Status::Complete(bytes)));
    assert_eq!(request.method.map(str::as_bytes), Some(head.method_token.of(data)));
    assert_eq!(request.version, Some(u8::from(head.version == Version::Http11)));
    for (line, header) in head.fields.iter().zip(request.headers.iter()) {
        assert_eq!((line.name.of(data), line.value.of(data)), (header.name.as_bytes(), header.value));
    }
}

/// A request written from what was understood is understood the same.
fn check_request_again(data: &[u8], head: &RequestHead) {
    let mut out = Vec::new();
    encode::request_line(&mut out, head.method_token.of(data), head.target.of(data));
    write_fields(&mut out, data, &head.fields, head.framing, head.content_length);
    let mut again = RequestHead::with_capacity(8);
    let answer = parse::request(&out, HeadLimits { bytes: usize::MAX, ..LIMITS }, &mut again);
    if head.version == Version::Http10 {
        // Written as HTTP/1.1, which a request without `Host` cannot be.
        assert!(answer == Ok(Parsed::Complete(out.len())) || head.host.is_empty() || head.form != TargetForm::Origin);
        return;
    }
    assert_eq!(answer, Ok(Parsed::Complete(out.len())));
    assert_eq!((again.framing, again.content_length), (head.framing, head.content_length));
    assert_eq!((again.form, again.path.of(&out)), (head.form, head.path.of(data)));
    assert_eq!((again.host.of(&out), again.query.of(&out)), (head.host.of(data), head.query.of(data)));
    assert_eq!((again.keep_alive, again.expect_continue), (head.keep_alive, head.expect_continue));
    assert_eq!(again.upgrade.map(|u| u.of(&out)), head.upgrade.map(|u| u.of(data)));
}

/// A response written from what was understood is understood the same.
fn check_response_again(data: &[u8], method: Method, head: &ResponseHead) {
    let mut out = Vec::new();
    encode::status_line(&mut out, head.status, head.reason.of(data));
    write_fields(&mut out, data, &head.fields, head.framing, head.content_length);
    let mut again = ResponseHead::with_capacity(8);
    let answer = parse::response(&out, HeadLimits { bytes: usize::MAX, ..LIMITS }, method, &mut again);
    assert_eq!(answer, Ok(Parsed::Complete(out.len())));
    assert_eq!((again.framing, again.content_length), (head.framing, head.content_length));
    assert_eq!((again.status, again.reason.of(&out)), (head.status, head.reason.of(data)));
}

/// All fields but those that frame the body, and the one that frames it as it was understood.
fn write_fields(out: &mut Vec<u8>, data: &[u8], lines: &[FieldLine], framing: Framing, length: Option<u64>) {
    use crate::http::field::Known;
    for line in lines.iter().filter(|line| !matches!(line.known, Known::ContentLength | Known::TransferEncoding)) {
        encode::field(out, line.name.of(data), line.value.of(data));
    }
    encode::framing(out, framing, length);
    out.extend_from_slice(encode::END_OF_HEAD);
}

/// What a decoder made of a body.
#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    content: Vec<u8>,
    trailers: Vec<u8>,
    end: End,
}

/// How a decoder ended: done after so many bytes, wanting more after so many, or wrong at an offset.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Done(usize),
    Starved(usize),
    Wrong(ErrorKind, usize),
}

/// Decodes with `next` a body that comes in `pieces`.
fn decode(pieces: &[&[u8]]) -> Decoded {
    let mut decoder = Decoder::new();
    let (mut content, mut trailers, mut buffer, mut at) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let input = buffer.get(at..).unwrap_or_default();
            let step = match decoder.next(input) {
                Ok(step) => step,
                Err(error) => {
                    return Decoded { content, trailers, end: End::Wrong(error.kind, at + error.at as usize) };
                }
            };
            match step.what {
                What::Data(range) => content.extend_from_slice(input.get(range).unwrap_or_default()),
                What::Trailers(range) => trailers.extend_from_slice(input.get(range).unwrap_or_default()),
                What::End => return Decoded { content, trailers, end: End::Done(at + step.consumed) },
                What::NeedMore => {
                    at += step.consumed;
                    break;
                }
            }
            at += step.consumed;
        }
    }
    Decoded { content, trailers, end: End::Starved(at) }
}

/// Relays a body that comes in `pieces` the way a connection does: as it came where `scan` allows it, framed anew by `next`
/// where not. `None` if the body is wrong or not whole.
fn relay(pieces: &[&[u8]]) -> Option<Vec<u8>> {
    let mut decoder = Decoder::new();
    let (mut sent, mut buffer, mut at) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let input = buffer.get(at..)?;
            let scan = decoder.scan(input).ok()?;
            sent.extend_from_slice(input.get(..scan.consumed)?);
            at += scan.consumed;
            if scan.done {
                return Some(sent);
            }
            match (scan.verbatim, scan.consumed) {
                (true, 0) => break,
                (true, _) => continue,
                (false, consumed) => assert_eq!(consumed, 0, "nothing is consumed that is not verbatim"),
            }
            let input = buffer.get(at..)?;
            let step = decoder.next(input).ok()?;
            at += step.consumed;
            match step.what {
                What::Data(range) => {
                    let content = input.get(range)?;
                    sent.extend_from_slice(encode::chunk_size(content.len() as u64, &mut [0; 18]));
                    sent.extend_from_slice(content);
                    sent.extend_from_slice(b"\r\n");
                }
                What::NeedMore => break,
                What::Trailers(range) => {
                    let section = input.get(range)?;
                    assert!(trailer::parse(section).is_ok(), "the decoder checks trailers");
                    sent.extend_from_slice(b"0\r\n");
                    encode::trailers(&mut sent, section);
                    sent.extend_from_slice(b"\r\n");
                    return Some(sent);
                }
                What::End => {
                    sent.extend_from_slice(encode::LAST_CHUNK);
                    return Some(sent);
                }
            }
        }
    }
    None
}

fn content_of(sent: &[u8]) -> Option<Vec<u8>> {
    naive::chunked(sent).map(|read| read.content)
}

#[expect(clippy::panic, reason = "a finding")]
fn fail(why: &str) {
    panic!("{why}");
}

const LIMITS: HeadLimits = HeadLimits { bytes: 16 * 1024, fields: 100 };
const SMALL_LIMITS: HeadLimits = HeadLimits { bytes: 96, fields: 2 };

#[cfg(test)]
mod tests {
    use super::{fuzz_chunked, fuzz_proxy_header, fuzz_request_head, fuzz_response_head, fuzz_target};
    use crate::base::prng::Prng;
    use std::{fs, path::Path};

    type Target = (&'static str, fn(&[u8]));

    const TARGETS: [Target; 5] = [
        ("request_head", fuzz_request_head),
        ("response_head", fuzz_response_head),
        ("chunked", fuzz_chunked),
        ("target", fuzz_target),
        ("proxy_header", fuzz_proxy_header),
    ];

    /// The seeds of a target: its corpus and its past findings.
    fn seeds(name: &str) -> Vec<Vec<u8>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let mut seeds = Vec::new();
        for kind in ["corpus", "regressions"] {
            let Ok(files) = fs::read_dir(root.join(kind).join(name)) else { continue };
            let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).filter(|path| path.is_file()).collect();
            paths.sort();
            seeds.extend(paths.iter().map(|path| fs::read(path).unwrap()));
        }
        seeds
    }

    #[test]
    fn every_seed_keeps_the_properties() {
        for (name, target) in TARGETS {
            for seed in seeds(name) {
                target(&seed);
            }
        }
    }

    #[test]
    fn random_changes_of_the_seeds_keep_the_properties() {
        let rounds = std::env::var("RINGGATE_FUZZ_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
        for (name, target) in TARGETS {
            let mut chance = Prng::new(rounds);
            let seeds = seeds(name);
            if seeds.is_empty() {
                continue;
            }
            for _ in 0..rounds {
                let pick = |chance: &mut Prng| &seeds[usize::try_from(chance.below(seeds.len() as u64)).unwrap()];
                let mut input = pick(&mut chance).clone();
                for _ in 0..=chance.below(4) {
                    let donor = pick(&mut chance);
                    change(&mut input, donor, &mut chance);
                }
                let shown = ShownOnPanic(name, &input);
                target(&input);
                drop(shown);
            }
        }
    }

    /// Says which input it was that made a target panic.
    struct ShownOnPanic<'a>(&'a str, &'a [u8]);

    impl Drop for ShownOnPanic<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                println!("{}: {}", self.0, self.1.escape_ascii());
            }
        }
    }

    /// One change: a byte set to something interesting, removed or doubled, or a piece of another seed put in.
    fn change(input: &mut Vec<u8>, donor: &[u8], chance: &mut Prng) {
        const ODD: &[u8] = b"\r\n\0 \t:,;\"#%/?=0159afxX\x7f\x80\xff@[]*";
        let below = |chance: &mut Prng, n: usize| usize::try_from(chance.below(n as u64)).unwrap();
        let at = below(chance, input.len() + 1);
        match chance.below(7) {
            0 if at < input.len() => input[at] = ODD[below(chance, ODD.len())],
            1 => input.insert(at, ODD[below(chance, ODD.len())]),
            2 if at < input.len() => drop(input.remove(at)),
            3 => input.truncate(at),
            4 if at < input.len() => input[at] ^= 1 << chance.below(8),
            _ if donor.is_empty() => {}
            _ => {
                let start = below(chance, donor.len());
                let end = (start + 1 + below(chance, 24)).min(donor.len());
                input.splice(at..at, donor[start..end].iter().copied());
            }
        }
    }
}
