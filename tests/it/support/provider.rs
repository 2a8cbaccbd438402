//! An OpenID provider of the tests' own: publishes its keys over HTTP, signs tokens, changes its keys, fails when told to.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// A running provider; its thread ends with the process.
#[derive(Clone)]
pub(crate) struct Provider {
    /// What `iss` says, and where it answers.
    pub(crate) issuer: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    published: Mutex<Vec<Arc<Key>>>,
    /// What it answers instead, if anything.
    instead: Mutex<Option<String>>,
    fetched: AtomicUsize,
}

/// A signing key.
pub(crate) struct Key {
    name: String,
    pair: EcdsaKeyPair,
}

impl Key {
    pub(crate) fn new(name: &str) -> Arc<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Arc::new(Self { name: name.to_owned(), pair })
    }

    fn published(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": self.name, "x": encode(x), "y": encode(y) })
    }

    /// These as a provider publishes them.
    pub(crate) fn set(keys: &[Arc<Self>]) -> String {
        json!({ "keys": keys.iter().map(|key| key.published()).collect::<Vec<_>>() }).to_string()
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": self.name }).to_string();
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.to_string().as_bytes()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(signature.as_ref()))
    }
}

impl Provider {
    /// A provider with these keys.
    pub(crate) fn start(keys: &[Arc<Key>]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let provider = Self { issuer, state: Arc::default() };
        provider.publish(keys);
        let serving = provider.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let _ = serving.answer(stream);
            }
        });
        provider
    }

    /// Publishes these keys from now on.
    pub(crate) fn publish(&self, keys: &[Arc<Key>]) {
        *self.state.published.lock().unwrap() = keys.to_vec();
    }

    /// Answers with this head and content instead, or as it should again.
    pub(crate) fn answer_instead(&self, answer: Option<&str>) {
        *self.state.instead.lock().unwrap() = answer.map(str::to_owned);
    }

    /// How often its keys were fetched.
    pub(crate) fn fetched(&self) -> usize {
        self.state.fetched.load(Ordering::SeqCst)
    }

    /// The claims of a token of its that is good for a while, with some more.
    pub(crate) fn claims(&self, more: &Value) -> Value {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut claims = json!({ "iss": self.issuer, "aud": ["shop"], "sub": "ada", "iat": now, "exp": now + 300 });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        if let Some(instead) = &*self.state.instead.lock().unwrap() {
            return stream.write_all(instead.as_bytes());
        }
        let content = if head.starts_with(b"GET /.well-known/openid-configuration ") {
            json!({ "issuer": self.issuer, "jwks_uri": format!("{}/keys", self.issuer) }).to_string()
        } else {
            Key::set(&self.state.published.lock().unwrap())
        };
        let head_of_answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", content.len());
        stream.write_all((head_of_answer + &content).as_bytes())?;
        // Only now: whoever waits for this finds that it was answered.
        if head.starts_with(b"GET /keys ") {
            self.state.fetched.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
