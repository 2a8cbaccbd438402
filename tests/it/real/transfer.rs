//! Bodies of every size and framing, with nginx and curl at the ends.

use crate::support::{
    client::Client,
    gateway::{Gateway, proxy_to},
    nginx::Nginx,
    tools::{self, Folder, require_real, show, take_turn},
    upstream::{Answer, Upstream, ok},
};
use std::{
    fs,
    io::{Read, Write},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// Bytes that are the same each time and compress badly.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

#[test]
fn nginx_behind_it_serves_files_of_every_size() {
    if !require_real("nginx") {
        return;
    }
    let _turn = take_turn();
    let nginx = Nginx::start("");
    let sizes = [0, 1, 100, 4095, 4096, 16_383, 16_384, 16_385, 65_536, 300_000, 1 << 20, 24 << 20];
    for size in sizes {
        nginx.file(&format!("{size}.bin"), noise(size));
    }
    let gateway = Gateway::to_upstream(nginx.port);
    let mut client = Client::connect(gateway.port);
    for size in sizes {
        let response = client.get("localhost", &format!("/{size}.bin"));
        assert_eq!((response.status, response.content.len()), (200, size));
        assert!(response.content == noise(size), "the {size} bytes are not those of the file");
    }
    let head = client.ask("HEAD /300000.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((head.status, head.field("content-length")), (200, Some("300000")));
    let tag = head.field("etag").unwrap().to_owned();
    let same = client.ask(format!("GET /300000.bin HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n"));
    assert_eq!(same.status, 304);
    let part = client.ask("GET /300000.bin HTTP/1.1\r\nHost: localhost\r\nRange: bytes=10-19\r\n\r\n");
    assert_eq!((part.status, part.content.as_slice()), (206, &noise(300_000)[10..20]));
    assert_eq!(client.get("localhost", "/nothing").status, 404);
    // All of it went over few upstream connections.
    let opened = gateway.metrics().sum("ringgate_upstream_connections_opened_total", &[]);
    assert!(opened <= 3.0, "{opened} upstream connections for one client that asks one thing after another");
}

#[test]
fn nginx_behind_it_compresses_in_chunks() {
    if !require_real("nginx") {
        return;
    }
    let _turn = take_turn();
    let nginx = Nginx::start("gzip on; gzip_types *; gzip_min_length 1;");
    nginx.file("a.txt", "words and words ".repeat(100_000));
    let gateway = Gateway::to_upstream(nginx.port);
    let mut client = Client::connect(gateway.port);
    for _ in 0..5 {
        let response = client.ask("GET /a.txt HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n");
        assert_eq!(response.status, 200);
        assert_eq!(response.field("transfer-encoding"), Some("chunked"), "{:?}", response.fields);
        assert!(response.content.starts_with(&[0x1f, 0x8b]), "not gzip");
    }
    if !require_real("curl") {
        return;
    }
    let output =
        tools::run("curl", ["-sS", "--fail", "--compressed", &format!("http://127.0.0.1:{}/a.txt", gateway.port)]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout.len(), 16 * 100_000);
}

#[test]
fn curl_uploads_tens_of_megabytes_from_standard_input() {
    if !(require_real("nginx") && require_real("curl")) {
        return;
    }
    let _turn = take_turn();
    let nginx = Nginx::start("location / { dav_methods PUT; }");
    let gateway = Gateway::to_upstream(nginx.port);
    let content = noise(40 << 20);
    // Of unknown length, so curl sends it in chunks, and asks first: Expect: 100-continue.
    let url = format!("http://127.0.0.1:{}/up.bin", gateway.port);
    let arguments = ["-sS", "--fail", "-T", "-", "-H", "Expect: 100-continue", "-w", "%{http_code}", &url];
    let mut curl = Command::new(tools::find_program("curl").unwrap())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = curl.stdin.take().unwrap();
    let sender = thread::spawn({
        let content = content.clone();
        move || input.write_all(&content)
    });
    let output = curl.wait_with_output().unwrap();
    sender.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "201");
    let stored = fs::read(nginx.folder.path().join("www/up.bin")).unwrap();
    assert!(stored == content, "nginx stored {} bytes of {}", stored.len(), content.len());
}

#[test]
fn curl_uploads_a_file_with_its_length() {
    if !(require_real("nginx") && require_real("curl")) {
        return;
    }
    let _turn = take_turn();
    let nginx = Nginx::start("location / { dav_methods PUT; }");
    let gateway = Gateway::to_upstream(nginx.port);
    let folder = Folder::new("upload");
    let content = noise((10 << 20) + 7);
    let file = folder.write("file", &content);
    let url = format!("http://127.0.0.1:{}/file", gateway.port);
    let output = tools::run("curl", ["-sS", "--fail", "-T", file.to_str().unwrap(), &url]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fs::read(nginx.folder.path().join("www/file")).unwrap() == content);
}

#[test]
fn curl_speaks_http_1_0() {
    if !(require_real("nginx") && require_real("curl")) {
        return;
    }
    let _turn = take_turn();
    let nginx = Nginx::start("gzip on; gzip_types *; gzip_min_length 1;");
    nginx.file("a.txt", "words and words ".repeat(10_000));
    let gateway = Gateway::to_upstream(nginx.port);
    let url = format!("http://127.0.0.1:{}/a.txt", gateway.port);
    for extra in [&[][..], &["--compressed"][..]] {
        let arguments: Vec<&str> =
            ["-sS", "--fail", "--http1.0"].iter().chain(extra).copied().chain([url.as_str()]).collect();
        let output = tools::run("curl", arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout.len(), 160_000, "with {extra:?}");
    }
}

#[test]
fn curl_upgrades_to_a_websocket() {
    if !require_real("curl") {
        return;
    }
    let _turn = take_turn();
    // Answers the handshake of RFC 6455 §1.3 (whose key is fixed here), then says one thing and closes.
    let upstream = Upstream::start(|request| {
        let upgrade = request.field("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
        if !upgrade || !request.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("upgrade")) {
            return Answer::Last(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec());
        }
        Answer::Last(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x05hello"
                .to_vec(),
        )
    });
    let gateway = Gateway::to_upstream(upstream.port);
    let output = tools::run(
        "curl",
        [
            "-sS",
            "-i",
            "-N",
            "--max-time",
            "10",
            "-H",
            "Connection: Upgrade",
            "-H",
            "Upgrade: websocket",
            "-H",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "-H",
            "Sec-WebSocket-Version: 13",
            &format!("http://127.0.0.1:{}/chat", gateway.port),
        ],
    );
    let seen = show(&output.stdout);
    assert!(seen.starts_with("HTTP/1.1 101 Switching Protocols"), "{seen}");
    assert!(output.stdout.ends_with(b"\r\n\r\n\x81\x05hello"), "{seen}");
}

#[test]
fn a_big_body_passes_in_constant_memory_both_ways() {
    const SIZE: usize = 1 << 30;
    let _turn = take_turn();
    // Answers a request with as much as the gateway takes, and reads whatever it gets.
    let upstream = Upstream::start(|request| {
        if !request.target().starts_with("/down") {
            return Answer::Bytes(ok(b""));
        }
        Answer::Take(Box::new(|mut stream| {
            let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n").as_bytes());
            let piece = vec![b'x'; 1 << 20];
            for _ in 0..SIZE / piece.len() {
                if stream.write_all(&piece).is_err() {
                    return;
                }
            }
        }))
    });
    let gateway = Gateway::to_upstream(upstream.port);
    let before = gateway.resident_kib();
    let mut client = Client::connect(gateway.port);
    client.send("GET /down HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let head = client.head().unwrap();
    assert_eq!(head.field("content-length"), Some(SIZE.to_string().as_str()));
    let mut got = client.buffer.len();
    let mut piece = vec![0; 1 << 20];
    let mut most = before;
    while got < SIZE {
        // Slower than the upstream at first: what is not read must not pile up.
        if got < 8 << 20 {
            thread::sleep(Duration::from_millis(50));
        }
        let count = client.stream.read(&mut piece).unwrap();
        assert!(count > 0, "ended after {got} bytes");
        got += count;
        most = most.max(gateway.resident_kib());
    }
    assert_eq!(got, SIZE);
    assert!(most - before < 12 << 10, "{} KiB more while a body passed", most - before);
}

#[test]
fn a_route_can_take_bodies_of_any_size_and_the_default_is_ten_megabytes() {
    let _turn = take_turn();
    let upstream = Upstream::saying("taken");
    let config = proxy_to(upstream.port).replace("request_body = \"0\"\n", "");
    let gateway = Gateway::with(&config).start();
    let post = |length: usize| {
        let mut client = Client::connect(gateway.port);
        client.send(format!("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"));
        let _ = client.try_send(vec![b'x'; length]);
        client.response().unwrap().status
    };
    assert_eq!(post(10_485_760), 200);
    assert_eq!(post(10_485_761), 413);
}

#[test]
fn unix_sockets_serve_on_both_sides() {
    use std::os::unix::net::{UnixListener, UnixStream};
    let _turn = take_turn();
    let folder = Folder::new("unix");
    let origin = folder.path().join("origin.sock");
    let listener = UnixListener::bind(&origin).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(1..) = stream.read(&mut bytes) {
                    if stream.write_all(&ok(b"over a socket file")).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let front = folder.path().join("front.sock");
    let config = proxy_to(1)
        .replace("http://127.0.0.1:1", &format!("unix:{}", origin.display()))
        .replace("listen = [", &format!("listen = [\"unix:{}\", ", front.display()));
    let gateway = Gateway::with(&config).start();
    for _ in 0..3 {
        assert_eq!(Client::connect(gateway.port).get("localhost", "/a").text(), "over a socket file");
    }
    let mut client = UnixStream::connect(&front).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client.write_all(b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("over a socket file"), "{answer}");
}

#[test]
fn ipv6_serves_on_both_sides() {
    let _turn = take_turn();
    let Ok(listener) = std::net::TcpListener::bind("[::1]:0") else {
        eprintln!("\n*** SKIPPED: this machine has no IPv6 loopback ***\n");
        return;
    };
    let origin = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = [0; 4096];
            let _ = stream.read(&mut bytes);
            let _ = stream.write_all(&ok(b"over six"));
        }
    });
    let front = tools::free_port();
    let config = proxy_to(1)
        .replace("127.0.0.1:1\"", &format!("{origin}\""))
        .replace("listen = [", &format!("listen = [\"[::1]:{front}\", "));
    let _gateway = Gateway::with(&config).start();
    let mut client = std::net::TcpStream::connect(("::1", front)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client.write_all(b"GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("over six"), "{answer}");
}
