//! `src/h1/` and `src/http/`: what each request costs before anybody has decided anything.
//!
//! The targets: the request head of wrk under 150 ns, a browser's under 700 ns, no allocation in either.
#![expect(clippy::unwrap_used, reason = "a bench whose input is refused must stop")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringgate::{
    base::clock::UnixTime,
    h1::{
        chunked::{Decoder, What},
        encode,
        parse::{self, HeadLimits},
        proxy_header,
    },
    http::{
        date,
        head::{Framing, RequestHead, ResponseHead},
        method::Method,
        status::Status,
    },
};

const LIMITS: HeadLimits = HeadLimits { bytes: 16 * 1024, fields: 100 };

const WRK: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

const BROWSER: &[u8] = b"GET /catalogue/books?page=2&sort=price HTTP/1.1\r\n\
Host: shop.example\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Referer: https://shop.example/catalogue/books?page=2&sort=price\r\n\
Sec-Fetch-Dest: document\r\n\
Sec-Fetch-Mode: navigate\r\n\
Sec-Fetch-Site: same-origin\r\n\
Sec-Ch-Ua-Platform: \"Linux\"\r\n\
Upgrade-Insecure-Requests: 1\r\n\
Cache-Control: max-age=0\r\n\
Cookie: session=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\
0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefabcd\r\n\r\n";

const UPLOAD: &[u8] = b"POST /upload HTTP/1.1\r\nHost: api.example\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
Connection: keep-alive\r\nContent-Type: application/octet-stream\r\nContent-Length: 1048576\r\n\r\n";

const UPGRADE: &[u8] = b"GET /socket HTTP/1.1\r\nHost: api.example\r\nConnection: keep-alive, Upgrade\r\n\
Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.26.3\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\
Content-Type: text/plain\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok";

fn heads(c: &mut Criterion) {
    let mut group = c.benchmark_group("request_head");
    let mut head = RequestHead::with_capacity(100);
    for (name, bytes) in [("wrk", WRK), ("browser", BROWSER), ("upload", UPLOAD), ("upgrade", UPGRADE)] {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(name, |b| b.iter(|| parse::request(black_box(bytes), LIMITS, &mut head).unwrap()));
    }
    let cut = &BROWSER[..BROWSER.len() - 1];
    group.bench_function("browser_cut", |b| b.iter(|| parse::request(black_box(cut), LIMITS, &mut head).unwrap()));
    group.bench_function("browser_httparse_alone", |b| {
        b.iter(|| {
            let mut table = [httparse::EMPTY_HEADER; 16];
            httparse::Request::new(&mut table).parse(black_box(BROWSER)).unwrap()
        });
    });
    group.finish();

    let mut head = ResponseHead::with_capacity(100);
    let mut group = c.benchmark_group("response_head");
    group.throughput(Throughput::Bytes(ANSWER.len() as u64));
    group.bench_function("nginx", |b| {
        b.iter(|| parse::response(black_box(ANSWER), LIMITS, Method::Get, &mut head).unwrap());
    });
    group.finish();
}

fn chunks(c: &mut Criterion) {
    let mut body = Vec::new();
    for _ in 0..64 {
        body.extend_from_slice(encode::chunk_size(1024, &mut [0; 18]));
        body.extend_from_slice(&[b'x'; 1024]);
        body.extend_from_slice(b"\r\n");
    }
    let mut group = c.benchmark_group("chunked");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("scan_64_of_1k", |b| b.iter(|| Decoder::new().scan(black_box(&body)).unwrap()));
    group.bench_function("next_64_of_1k", |b| {
        b.iter(|| {
            let (mut decoder, mut at) = (Decoder::new(), 0);
            loop {
                let step = decoder.next(black_box(&body[at..])).unwrap();
                at += step.consumed;
                if step.what == What::NeedMore {
                    return at;
                }
            }
        });
    });
    group.finish();
}

fn encoding(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    let mut out = Vec::with_capacity(1024);
    let mut day = [0; date::DATE_BYTES];
    date::format(UnixTime::from_nanos(1_767_225_600_000_000_000), &mut day);
    group.bench_function("small_response_head", |b| {
        b.iter(|| {
            out.clear();
            encode::status_line(&mut out, black_box(Status(200)), b"OK");
            encode::field(&mut out, b"Content-Type", b"text/plain");
            encode::framing(&mut out, black_box(Framing::Length(1_048_576)), None);
            encode::date(&mut out, &day);
            out.extend_from_slice(encode::END_OF_HEAD);
            out.len()
        });
    });
    group.bench_function("date", |b| b.iter(|| date::format(black_box(UnixTime::from_nanos(1 << 60)), &mut day)));
    group.finish();
    let line = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
    c.bench_function("proxy_header/v1", |b| b.iter(|| proxy_header::parse(black_box(line)).unwrap()));
}

criterion_group!(benches, heads, chunks, encoding);
criterion_main!(benches);
