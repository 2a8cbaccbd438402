//! An ACME authority (RFC 8555) of the tests' own. It looks at challenges by really connecting to the gateway, issues
//! certificates for as short a life as a test wants, and fails on demand. It believes signatures without looking.

use crate::{certificates::Authority, support::client::Client};
use ringgate::{config::json::Json, tls::certificate};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs::{self, cipher_suite::TLS13_AES_128_GCM_SHA256},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use simd_json::{OwnedValue, prelude::*};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime},
};

/// A running authority, for as long as the test's process lives.
pub(crate) struct Acme {
    pub(crate) port: u16,
    /// Who issues.
    pub(crate) ca: Arc<Authority>,
    state: Arc<Mutex<State>>,
}

/// What it does, and where it looks at challenges.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    /// The gateway's port for http-01.
    pub(crate) http: u16,
    /// And for tls-alpn-01.
    pub(crate) tls: u16,
    /// How long certificates live.
    pub(crate) life: Duration,
    /// Orders are answered with this status line, these fields and this body.
    pub(crate) refuse: Option<(&'static str, &'static str, &'static str)>,
    /// No challenge is found answered.
    pub(crate) reject: bool,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    nonces: Vec<String>,
    nonces_given: usize,
    /// The thumbprint of each account's key.
    accounts: Vec<String>,
    orders: Vec<Order>,
    asked: BTreeMap<String, usize>,
}

#[derive(Debug)]
struct Order {
    names: Vec<String>,
    /// For each name: how it was proved, or why not.
    proved: Vec<Option<Result<&'static str, (&'static str, String)>>>,
    thumb: String,
    issued: Option<String>,
}

impl Acme {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ca = Arc::new(Authority::new("ACME test authority"));
        let state = State {
            manner,
            nonces: Vec::new(),
            nonces_given: 0,
            accounts: Vec::new(),
            orders: Vec::new(),
            asked: BTreeMap::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let (own, issuer) = (Arc::clone(&state), Arc::clone(&ca));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, ca) = (Arc::clone(&own), Arc::clone(&issuer));
                thread::spawn(move || one(stream, port, &state, &ca));
            }
        });
        Self { port, ca, state }
    }

    pub(crate) fn directory(&self) -> String {
        format!("http://127.0.0.1:{}/directory", self.port)
    }

    /// Does otherwise from now on.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut self.state.lock().unwrap().manner);
    }

    /// How often `/account` or `/order` was asked for a new one.
    pub(crate) fn asked(&self, what: &str) -> usize {
        self.state.lock().unwrap().asked.get(what).copied().unwrap_or(0)
    }

    /// How the names of all orders were proved.
    pub(crate) fn proofs(&self) -> Vec<&'static str> {
        let state = self.state.lock().unwrap();
        state.orders.iter().flat_map(|order| &order.proved).flatten().flatten().copied().collect()
    }
}

/// What is answered: status line, fields, body.
type Answer = (String, String, String);

fn one(stream: TcpStream, port: u16, state: &Mutex<State>, ca: &Authority) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).is_err() {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        let mut field = String::new();
        if reader.read_line(&mut field).unwrap_or(0) == 0 || field == "\r\n" {
            break;
        }
        if let Some(value) = field.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (status, fields, content) = answer(&path, body, &format!("http://127.0.0.1:{port}"), state, ca);
    let nonce = {
        let mut state = state.lock().unwrap();
        state.nonces_given += 1;
        let nonce = format!("nonce-{}", state.nonces_given);
        state.nonces.push(nonce.clone());
        nonce
    };
    let kind = if status.starts_with('4') || status.starts_with('5') {
        "application/problem+json"
    } else {
        "application/json"
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nReplay-Nonce: {nonce}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n{fields}\r\n",
        content.len()
    );
    let content = if line.starts_with("HEAD") { "" } else { &content };
    let _ = reader.get_mut().write_all(format!("{head}{content}").as_bytes());
}

fn answer(path: &str, body: Vec<u8>, base: &str, state: &Mutex<State>, ca: &Authority) -> Answer {
    let ok = |content: String| ("200 OK".to_owned(), String::new(), content);
    let mut parts = path.trim_start_matches('/').split('/');
    let what = parts.next().unwrap_or_default();
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<usize>().ok());
    let (order, name) = (number(parts.next()), number(parts.next()));
    match what {
        "directory" => {
            let at = |what: &str| format!("{base}/{what}");
            let (nonce, account, order) = (at("nonce"), at("account"), at("order"));
            return ok(format!("{{\"newNonce\":\"{nonce}\",\"newAccount\":\"{account}\",\"newOrder\":\"{order}\"}}"));
        }
        "nonce" => return ok(String::new()),
        _ => {}
    }
    let (protected, payload) = match open(body, state, &format!("{base}{path}")) {
        Ok(opened) => opened,
        Err(refused) => return refused,
    };
    match (what, order, name) {
        ("account", None, _) => new_account(&protected, base, state),
        ("order", None, _) => new_order(&protected, &payload, base, state),
        ("order", Some(order), _) => ok(show_order(order, base, state)),
        ("authorization", Some(order), Some(name)) => ok(show_authorization(order, name, base, state)),
        ("challenge", Some(order), Some(name)) => ok(challenge(order, name, parts.next() == Some("http"), state)),
        ("finalize", Some(order), _) => {
            let request = payload.get_str("csr").map(decode).unwrap();
            let life = state.lock().unwrap().manner.life;
            let issued = ca.certify(&request, SystemTime::now(), life);
            state.lock().unwrap().orders[order].issued = Some(issued);
            ok(show_order(order, base, state))
        }
        ("certificate", Some(order), _) => ok(state.lock().unwrap().orders[order].issued.clone().unwrap()),
        _ => ("404 Not Found".to_owned(), String::new(), problem("malformed", "no such thing")),
    }
}

/// Takes a request out of its envelope (RFC 7515), whose nonce must be one of ours and whose address must be the right one.
fn open(mut body: Vec<u8>, state: &Mutex<State>, url: &str) -> Result<(OwnedValue, OwnedValue), Answer> {
    let envelope: OwnedValue = simd_json::serde::from_slice(&mut body).unwrap();
    let part = |name: &str| {
        let mut bytes = decode(envelope.get_str(name).unwrap());
        if bytes.is_empty() { OwnedValue::null() } else { simd_json::serde::from_slice(&mut bytes).unwrap() }
    };
    let protected = part("protected");
    assert_eq!(protected.get_str("url"), Some(url));
    assert_eq!(protected.get_str("alg"), Some("ES256"));
    assert!(envelope.get_str("signature").is_some_and(|signature| decode(signature).len() == 64));
    let nonce = protected.get_str("nonce").unwrap().to_owned();
    let mut state = state.lock().unwrap();
    let known = state.nonces.iter().position(|known| *known == nonce);
    match known {
        Some(index) => drop(state.nonces.swap_remove(index)),
        None => return Err(("400 Bad Request".to_owned(), String::new(), problem("badNonce", "no nonce of ours"))),
    }
    Ok((protected, part("payload")))
}

fn new_account(protected: &OwnedValue, base: &str, state: &Mutex<State>) -> Answer {
    let jwk = protected.get("jwk").unwrap();
    let member = |name: &str| jwk.get_str(name).unwrap();
    let (x, y) = (member("x"), member("y"));
    let thumb = encode(&sha256(format!("{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"{x}\",\"y\":\"{y}\"}}").as_bytes()));
    let mut state = state.lock().unwrap();
    *state.asked.entry("/account".to_owned()).or_default() += 1;
    state.accounts.push(thumb);
    let place = format!("Location: {base}/account/{}\r\n", state.accounts.len() - 1);
    ("201 Created".to_owned(), place, "{\"status\":\"valid\"}".to_owned())
}

fn new_order(protected: &OwnedValue, payload: &OwnedValue, base: &str, state: &Mutex<State>) -> Answer {
    let number = {
        let mut state = state.lock().unwrap();
        *state.asked.entry("/order".to_owned()).or_default() += 1;
        if let Some((status, fields, content)) = state.manner.refuse {
            return (status.to_owned(), fields.to_owned(), content.to_owned());
        }
        let account = protected.get_str("kid").and_then(|kid| kid.rsplit('/').next()?.parse::<usize>().ok());
        let Some(thumb) = account.and_then(|account| state.accounts.get(account).cloned()) else {
            let content = problem("accountDoesNotExist", "who are you?");
            return ("400 Bad Request".to_owned(), String::new(), content);
        };
        let names = payload.get_array("identifiers").unwrap();
        let names: Vec<String> = names.iter().map(|one| one.get_str("value").unwrap().to_owned()).collect();
        let proved = names.iter().map(|_| None).collect();
        state.orders.push(Order { names, proved, thumb, issued: None });
        state.orders.len() - 1
    };
    let place = format!("Location: {base}/order/{number}\r\n");
    ("201 Created".to_owned(), place, show_order(number, base, state))
}

fn show_order(number: usize, base: &str, state: &Mutex<State>) -> String {
    let state = state.lock().unwrap();
    let order = &state.orders[number];
    let all: Vec<String> =
        (0..order.names.len()).map(|name| format!("\"{base}/authorization/{number}/{name}\"")).collect();
    let status = if order.issued.is_some() {
        "valid"
    } else if order.proved.iter().flatten().any(Result::is_err) {
        "invalid"
    } else if order.proved.iter().all(Option::is_some) {
        "ready"
    } else {
        "pending"
    };
    let certificate = if order.issued.is_some() {
        format!(",\"certificate\":\"{base}/certificate/{number}\"")
    } else {
        String::new()
    };
    format!(
        "{{\"status\":\"{status}\",\"authorizations\":[{}],\"finalize\":\"{base}/finalize/{number}\"{certificate}}}",
        all.join(",")
    )
}

fn show_authorization(number: usize, name: usize, base: &str, state: &Mutex<State>) -> String {
    let state = state.lock().unwrap();
    let order = &state.orders[number];
    let proved = &order.proved[name];
    let challenge = |kind: &str, short: &str| {
        let status = match proved {
            Some(Err((how, why))) if *how == kind => {
                format!("\"invalid\",\"error\":{}", problem("connection", why))
            }
            Some(Ok(how)) if *how == kind => "\"valid\"".to_owned(),
            _ => "\"pending\"".to_owned(),
        };
        let token = token(number, name, short);
        format!(
            "{{\"type\":\"{kind}\",\"url\":\"{base}/challenge/{number}/{name}/{short}\",\"token\":\"{token}\",\"status\":{status}}}"
        )
    };
    let status = match proved {
        None => "pending",
        Some(Ok(_)) => "valid",
        Some(Err(_)) => "invalid",
    };
    format!(
        "{{\"identifier\":{{\"type\":\"dns\",\"value\":\"{}\"}},\"status\":\"{status}\",\"challenges\":[\
         {{\"type\":\"dns-01\",\"url\":\"{base}/x\",\"token\":\"x\",\"status\":\"pending\"}},{},{}]}}",
        order.names[name],
        challenge(HTTP, "http"),
        challenge(TLS, "tls")
    )
}

fn token(order: usize, name: usize, short: &str) -> String {
    format!("token_{order}-{name}-{short}")
}

/// Looks at a challenge, there and then.
fn challenge(number: usize, name: usize, http: bool, state: &Mutex<State>) -> String {
    let (manner, domain, thumb) = {
        let state = state.lock().unwrap();
        let order = &state.orders[number];
        (state.manner.clone(), order.names[name].clone(), order.thumb.clone())
    };
    let (kind, short) = if http { (HTTP, "http") } else { (TLS, "tls") };
    let token = token(number, name, short);
    let expected = format!("{token}.{thumb}");
    let outcome = if manner.reject {
        Err(format!("Fetching {domain}: Connection refused"))
    } else if http {
        let answer = Client::connect(manner.http).get(&domain, &format!("/.well-known/acme-challenge/{token}"));
        let (status, text) = (answer.status, answer.text());
        if status == 200 && text == expected { Ok(kind) } else { Err(format!("{status}, {text}")) }
    } else {
        let (shown, protocol) = shown(manner.tls, &domain, b"acme-tls/1");
        // OCTET STRING in OCTET STRING: the extension of RFC 8737.
        let wanted = [&[4, 34, 4, 32][..], &sha256(expected.as_bytes())].concat();
        let there = shown.windows(wanted.len()).any(|bytes| bytes == wanted);
        let names = certificate::summary(&shown).unwrap().names;
        if there && protocol == b"acme-tls/1" && names == [domain] { Ok(kind) } else { Err(format!("{names:?}")) }
    };
    let outcome = outcome.map_err(|why| (kind, why));
    state.lock().unwrap().orders[number].proved[name] = Some(outcome);
    format!("{{\"type\":\"{kind}\",\"url\":\"x\",\"token\":\"{token}\",\"status\":\"processing\"}}")
}

/// The certificate that a listener shows for `name`, whoever has issued it, and the protocol that was agreed on.
pub(crate) fn shown(port: u16, name: &str, protocol: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut connection = connect(port, name, protocol);
    while connection.conn.is_handshaking() {
        connection.conn.complete_io(&mut connection.sock).unwrap();
    }
    let certificate = connection.conn.peer_certificates().unwrap()[0].to_vec();
    (certificate, connection.conn.alpn_protocol().unwrap_or_default().to_vec())
}

/// A TLS connection that believes everybody.
pub(crate) fn connect(port: u16, name: &str, protocol: &[u8]) -> StreamOwned<ClientConnection, TcpStream> {
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().dangerous();
    let mut config = builder.with_custom_certificate_verifier(Arc::new(Anyone)).with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket)
}

#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn problem(kind: &str, detail: &str) -> String {
    let detail = Json::text(detail.to_owned()).compact();
    format!("{{\"type\":\"urn:ietf:params:acme:error:{kind}\",\"detail\":{detail}}}")
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().unwrap();
    suite.common.hash_provider.hash(bytes).as_ref().to_vec()
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().chain(&[0, 0]).take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        (0..=three.len()).for_each(|digit| text.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize])));
    }
    text
}

fn decode(text: &str) -> Vec<u8> {
    let digits: Vec<u32> =
        text.bytes().map(|byte| DIGITS.iter().position(|digit| *digit == byte).unwrap() as u32).collect();
    let mut bytes = Vec::new();
    for four in digits.chunks(4) {
        let bits = four.iter().chain(&[0, 0, 0]).take(4).fold(0, |bits, digit| bits << 6 | digit);
        bytes.extend(bits.to_be_bytes().iter().skip(1).take(four.len() - 1));
    }
    bytes
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const HTTP: &str = "http-01";
const TLS: &str = "tls-alpn-01";
