//! What is wrong with a handshake, or with a session: whoever did it is told with the right alert, it is counted by its
//! reason, and nobody else is the worse for it.

use super::{
    rotation::{Visitor, ask},
    tls::{Files, failures, s_client, s_client_saying},
};
use crate::{
    certificates::{Authority, Wish},
    support::{
        gateway::Gateway,
        tools::{descriptors_allowed, require_real, take_turn, wait_for},
        upstream::Upstream,
    },
};
use ringgate::base::limits;
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    time::Duration,
};

const SOON: Duration = Duration::from_secs(10);

fn count(gateway: &Gateway, reason: &str, wanted: f64) {
    wait_for(reason, SOON, || (failures(gateway, reason) == wanted).then_some(()));
}

/// Everything that comes until the end, however it ends.
fn all(socket: &mut TcpStream) -> Vec<u8> {
    socket.set_read_timeout(Some(SOON)).unwrap();
    let mut got = Vec::new();
    let mut chunk = [0; 1024];
    while let Ok(n @ 1..) = socket.read(&mut chunk) {
        got.extend_from_slice(&chunk[..n]);
    }
    got
}

#[test]
fn what_is_no_handshake_gets_its_alert_and_is_counted() {
    let files = Files::new();
    let upstream = Upstream::saying("hello");
    let gateway = files.before("handshake_timeout = \"1s\"", upstream.port);
    let visitor = Visitor::new(&files.ca, gateway.port);
    let mut kept = visitor.connect().unwrap();
    const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2];
    let alert = |what: u8| [ALERT, &[what]].concat();
    type Case<'a> = (&'a [u8], bool, Vec<u8>, &'a str, &'a str);
    let cases: [Case<'_>; 8] = [
        (b"GET / HTTP/1.1\r\n\r\n", false, b"HTTP/1.1 400 Bad Request\r\n".to_vec(), "plain_http", "plain HTTP"),
        (b"\0\x01garbage", false, alert(10), "malformed", "garbage: unexpected_message"),
        (&[22, 3, 1, 0, 5, 1, 0, 0, 1, 0], false, alert(50), "malformed", "a bad ClientHello: decode_error"),
        (&[22, 3, 1, 0x40, 1], false, alert(22), "malformed", "an oversized record: record_overflow"),
        (&[22, 3, 1, 2, 0, 1, 0], false, Vec::new(), "timeout", "half a ClientHello, and nothing more"),
        (&[22, 3, 1, 2, 0, 1, 0], true, Vec::new(), "closed", "half a ClientHello, and the end"),
        (b"", false, Vec::new(), "timeout", "nothing"),
        (b"", true, Vec::new(), "silent", "nothing, and the end"),
    ];
    for (bytes, ends, answer, reason, why) in cases {
        let before = failures(&gateway, reason);
        let mut socket = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
        socket.write_all(bytes).unwrap();
        if ends {
            socket.shutdown(Shutdown::Write).unwrap();
        }
        let got = all(&mut socket);
        assert!(got.starts_with(&answer) && got.is_empty() == answer.is_empty(), "{why}: {got:?}");
        drop(socket);
        count(&gateway, reason, before + 1.0);
        ask(&mut kept).unwrap();
    }
}

#[test]
fn openssl_is_told_why_it_is_refused() {
    if !require_real("openssl") {
        return;
    }
    let files = Files::new();
    for (name, wish) in
        [("revoked", Wish { serial: 6, ..Wish::default() }), ("late", Wish { expired: true, ..Wish::default() })]
    {
        files.put(name, &files.ca.issue_as(&[name], wish));
    }
    files.put("stranger", &Authority::new("other").issue(&["stranger"]));
    files.folder.write("crl.pem", files.ca.revoke(&[6]));
    let upstream = Upstream::saying("hello");
    let clients = format!("client_ca = \"{}\"\ncrl = \"{}\"", files.path("ca.pem"), files.path("crl.pem"));
    let open = files.before("strict_sni = true", upstream.port);
    let shut = files.before(&clients, upstream.port);
    let paths = ["revoked", "late", "stranger"]
        .map(|name| [files.path(&format!("{name}.pem")), files.path(&format!("{name}.key"))]);
    let [revoked, late, stranger] = paths.each_ref().map(|[one, other]| ["-cert", one, "-key", other]);
    type Case<'a> = (&'a Gateway, &'a [&'a str], &'a [u8], &'a str, &'a str);
    let cases: [Case<'_>; 8] = [
        (&open, &["-servername", "b.test"], &[112], "unknown_name", "unrecognized_name"),
        (&open, &["-servername", "a.test", "-alpn", "h2"], &[120], "incompatible", "no_application_protocol"),
        (&open, &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], &[70], "incompatible", "protocol_version"),
        (
            &open,
            &["-servername", "a.test", "-tls1_2", "-cipher", "AES128-SHA"],
            &[40],
            "incompatible",
            "handshake_failure",
        ),
        (&shut, &[], &[116, 40], "no_certificate", "certificate_required, or handshake_failure before TLS 1.3"),
        (&shut, &revoked, &[44], "certificate_revoked", "certificate_revoked"),
        (&shut, &late, &[45], "certificate_expired", "certificate_expired"),
        (&shut, &stranger, &[48], "certificate_unknown_issuer", "unknown_ca"),
    ];
    for (gateway, arguments, alerts, reason, why) in cases {
        let old = arguments.iter().any(|word| word.starts_with("-tls") || word.starts_with("-alpn"));
        let versions: &[&str] = if old { &[] } else { &["-tls1_3", "-tls1_2"] };
        let runs =
            if old { vec![arguments.to_vec()] } else { versions.iter().map(|v| [arguments, &[*v]].concat()).collect() };
        for arguments in runs {
            let before = failures(gateway, reason);
            let told = s_client(&files, gateway.port, &arguments);
            let named = alerts.iter().any(|alert| told.contains(&format!("SSL alert number {alert}\n")));
            assert!(named && !told.contains("hello"), "{why}, {arguments:?}: {told}");
            count(gateway, reason, before + 1.0);
        }
    }
}

#[test]
fn a_renegotiation_is_refused_and_a_broken_session_is_closed() {
    if !require_real("openssl") {
        return;
    }
    let files = Files::new();
    let upstream = Upstream::saying("hello");
    let gateway = files.before("", upstream.port);
    let told = s_client_saying(&files, gateway.port, &["-tls1_2", "-servername", "a.test", "-msg"], b"R\n");
    assert!(told.contains("RENEGOTIATING") && told.contains("no renegotiation"), "{told}");
    let visitor = Visitor::new(&files.ca, gateway.port);
    let mut kept = visitor.connect().unwrap();
    let oversized = [23, 3, 3, 0x48, 1];
    let forged = [&[23, 3, 3, 0, 40][..], &[7; 40]].concat();
    // RFC 8446 §5.2 has another alert for a record that is too long; rustls has this one.
    for (record, alert, why) in [(&oversized[..], "DecodeError", "too long"), (&forged, "BadRecordMac", "forged")] {
        let mut session = visitor.connect().unwrap();
        ask(&mut session).unwrap();
        session.sock.write_all(record).unwrap();
        let error = ask(&mut session).unwrap_err().to_string();
        assert!(error.contains(alert), "{why}: {error}");
        ask(&mut kept).unwrap();
    }
    let broken = || gateway.metrics().sum("ringgate_tls_sessions_broken_total", &["malformed"]);
    wait_for("the broken sessions to be counted", SOON, || (broken() == 2.0).then_some(()));
}

/// The beginning of a ClientHello of which the rest does not come.
const HALF: [u8; 11] = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];

#[test]
fn stalled_handshakes_are_bounded_and_cost_open_sessions_nothing() {
    let _turn = take_turn();
    let most = limits::TLS_HANDSHAKES_MAX as usize;
    assert!(descriptors_allowed() > most + 500, "this test needs {most} descriptors");
    let files = Files::new();
    let upstream = Upstream::saying("hello");
    let config =
        files.config("handshake_timeout = \"60s\"", &format!("servers = [\"http://127.0.0.1:{}\"]", upstream.port));
    let gateway = Gateway::with(&config).cores("0").start();
    let visitor = Visitor::new(&files.ca, gateway.port);
    let mut kept = visitor.connect().unwrap();
    ask(&mut kept).unwrap();
    let stall = |_| {
        let mut socket = TcpStream::connect(("127.0.0.1", gateway.port)).unwrap();
        socket.write_all(&HALF).unwrap();
        socket
    };
    let mut stalled: Vec<TcpStream> = (1..most).map(stall).collect();
    visitor.shown().expect("one place is left");
    stalled.push(stall(0));
    wait_for("the bound", SOON, || visitor.shown().is_err().then_some(()));
    assert!(failures(&gateway, "too_many") >= 1.0);
    for _ in 0..100 {
        ask(&mut kept).expect("open sessions go on");
    }
    drop(stalled.pop());
    wait_for("a place", SOON, || visitor.shown().ok());
    assert_eq!(failures(&gateway, "timeout"), 0.0, "those who stall have their time");
    drop(stalled);
    count(&gateway, "closed", most as f64);
    visitor.shown().unwrap();
}
