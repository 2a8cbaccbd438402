//! A whole warm exchange: the client's bytes in, the upstream's bytes out, and back, over simulated sockets.
//!
//! What is measured is everything of ours from one receive to the last send, and the simulated sockets' copying with it,
//! byte by byte; the kernel is not in it. Good for comparing two versions, not for saying how fast the gateway is.

#![expect(clippy::expect_used, reason = "a bench may stop where its own data is wrong")]

#[path = "../tests/rig/mod.rs"]
mod rig;

use criterion::{Criterion, criterion_group, criterion_main};
use rig::{BROWSER, Rig, SMALL, WRK, config};

criterion_group!(benches, exchanges);
criterion_main!(benches);

fn exchanges(c: &mut Criterion) {
    let mut group = c.benchmark_group("exchange");
    let kib = [b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n".as_slice(), &[b'x'; 1024]].concat();
    let post = [b"POST /p/a HTTP/1.1\r\nHost: h\r\nContent-Length: 1024\r\n\r\n".as_slice(), &[b'x'; 1024]].concat();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let routed = b"GET /svc500/items/17 HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
    let fixed = b"GET /fixed HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";
    let rows: [(&str, usize, &[u8], &[u8]); 7] = [
        ("wrk", 0, WRK, SMALL),
        ("browser", 0, BROWSER, SMALL),
        ("answer-1k", 0, WRK, &kib),
        ("post-1k", 0, &post, SMALL),
        ("chunked", 0, WRK, chunked),
        ("routes-1000", 1000, routed, SMALL),
        ("fixed", 0, fixed, b""),
    ];
    for (name, routes, request, response) in rows {
        let mut rig = Rig::new(&config(routes));
        rig.exchange(request, response);
        assert_eq!(rig.core.metrics.finished(), 1, "{name}");
        group.bench_function(name, |b| b.iter(|| rig.exchange(request, response)));
        assert!(rig.got.starts_with(b"HTTP/1.1 200"), "{name}");
    }
    group.finish();
}
