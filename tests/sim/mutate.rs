//! The fuzz target `exchange` without a fuzzer: its seeds, changed by chance. `RINGGATE_SIM_MUTATIONS=N` plays N of them.

use ringgate::{base::prng::Prng, connection::fuzz::fuzz_exchange};
use std::{fs, panic::catch_unwind, path::Path};

/// Mutations of an ordinary `cargo test`.
const MUTATIONS: u64 = 1000;

/// What heads and bodies are made of.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"\t",
    b"\0",
    b":",
    b",",
    b";",
    b"0\r\n\r\n",
    b"5\r\nhello\r\n",
    b"ffffffffffffffff\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: Upgrade\r\n",
    b"Upgrade: x\r\n",
    b"Expect: 100-continue\r\n",
    b"TE: trailers\r\nConnection: TE\r\n",
    b"Host: h\r\n",
    b"X-Empty:\r\n",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"HEAD",
    b"POST",
    b"GET /fixed HTTP/1.1\r\nHost: h\r\n\r\n",
    b"POST /valid?n=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
    b"POST /valid HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    b"POST /mapped?id=1 HTTP/1.1\r\nHost: h\r\nX-Id: 1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi",
    b"GET /changed?id=a/b&n=1&x=%6e HTTP/1.1\r\nHost: h\r\nX-Id: 1\r\n\r\n",
    b"GET /staged?id=1 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"X-Echo: 1\r\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n",
];

fn mutated(seeds: &[Vec<u8>], number: u64) -> Vec<u8> {
    let mut chance = Prng::new(number);
    let mut below = |n: usize| chance.below(n.max(1) as u64) as usize;
    let mut data = seeds[below(seeds.len())].clone();
    for _ in 0..=below(6) {
        let at = below(data.len() + 1).min(data.len());
        match below(7) {
            0 => drop(data.splice(at..at, WORDS[below(WORDS.len())].iter().copied())),
            1 => drop(data.drain(at..(at + below(8)).min(data.len()))),
            2 if at < data.len() => data[at] ^= 1 << below(8),
            3 => data[below(2)] = below(256) as u8,
            4 => data[3] = below(256) as u8,
            5 => {
                let other = &seeds[below(seeds.len())];
                let from = below(other.len());
                let piece = other[from..(from + below(80)).min(other.len())].to_vec();
                drop(data.splice(at..at, piece));
            }
            _ => data.truncate(at.max(4)),
        }
        data.resize(data.len().max(4), 0);
    }
    data
}

#[test]
fn whatever_is_said_the_promises_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/exchange");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let seeds: Vec<_> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    for number in 0..super::from_env("RINGGATE_SIM_MUTATIONS").unwrap_or(MUTATIONS) {
        let data = mutated(&seeds, number);
        if let Err(why) = catch_unwind(|| fuzz_exchange(&data)) {
            eprintln!("mutation {number}: {:?}", String::from_utf8_lossy(&data));
            std::panic::resume_unwind(why);
        }
    }
}
