//! The admin listener: health, metrics and the running configuration, for operators and their machines.
//!
//! Blocking sockets on threads of its own, one per connection and few of them: a core never sees any of it. What it
//! shows is in [`AdminState`], which control keeps up to date.

mod connection;
mod pages;
mod request;

use crate::{
    cache::Store,
    control::{
        cluster::Others,
        usage::{Answer, Keeper, Query},
    },
    observe::{error_log, registry::Registry},
    plan::{Secret, throttle::Limits},
};
use rustix::{
    event::{Timespec, poll},
    net::{Shutdown, shutdown},
};
use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

/// Connections served at the same time; further ones are told to come back.
pub const CONNECTIONS_MAX: usize = 16;

/// What the admin listener shows and control knows.
#[derive(Debug)]
pub struct AdminState {
    registry: Arc<Registry>,
    store: Arc<Store>,
    ready: AtomicBool,
    draining: AtomicBool,
    prometheus: AtomicBool,
    config: Text,
    version: Text,
    usage: OnceLock<Arc<Keeper>>,
    others: OnceLock<Arc<Others>>,
    #[expect(clippy::disallowed_types, reason = "between control and the admin threads; no core takes it")]
    limits: std::sync::Mutex<Arc<Limits>>,
}

/// A text that control replaces now and then.
#[expect(clippy::disallowed_types, reason = "between control and the admin threads; no core takes it")]
type Text = std::sync::Mutex<Arc<str>>;

/// Who may see what is not open to all.
#[derive(Debug)]
struct Access {
    listen: SocketAddr,
    #[expect(clippy::disallowed_types, reason = "between control and the admin threads; no core takes it")]
    token: std::sync::Mutex<Option<Secret>>,
}

impl AdminState {
    /// Not ready yet. `version` is a JSON object that tells what runs; `store` is what `/purge` purges.
    #[must_use]
    pub fn new(registry: Arc<Registry>, version: &str, store: Arc<Store>) -> Arc<Self> {
        Arc::new(Self {
            registry,
            store,
            ready: false.into(),
            draining: false.into(),
            prometheus: true.into(),
            config: Text::new("{}".into()),
            version: Text::new(version.into()),
            usage: OnceLock::new(),
            others: OnceLock::new(),
            limits: Arc::<Limits>::default().into(),
        })
    }

    /// The listeners are open and the cores accept, or not (yet).
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }

    /// The gateway is stopping: from now on it is not ready any more.
    pub fn set_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether `/metrics` is there.
    pub fn set_prometheus(&self, on: bool) {
        self.prometheus.store(on, Ordering::Release);
    }

    /// The configuration that runs from now on: a JSON document with its secrets masked.
    pub fn set_config(&self, json: &str) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = json.into();
    }

    /// The limits that hold from now on.
    pub fn set_limits(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }

    /// What runs, if more is known by now: a JSON object.
    pub fn set_version(&self, json: &str) {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = json.into();
    }

    /// Who knows what quotas have counted.
    pub(super) fn set_usage(&self, keeper: Arc<Keeper>) {
        // There is one in a process.
        let _ = self.usage.set(keeper);
    }

    /// Whom purges are told.
    pub(super) fn set_others(&self, others: Arc<Others>) {
        // There is one cluster in a process.
        let _ = self.others.set(others);
    }

    fn purged(&self, words: &str) {
        if let Some(others) = self.others.get() {
            others.purged(words);
        }
    }

    fn usage(&self, query: &Query) -> Answer {
        self.usage.get().map_or(Answer::Wrong(404, "there are no quotas"), |keeper| keeper.answer(query))
    }

    /// Why no traffic should be sent here; nothing if it may.
    #[must_use]
    pub fn unready(&self) -> Option<&'static str> {
        if self.draining.load(Ordering::Acquire) {
            Some("draining")
        } else if self.ready.load(Ordering::Acquire) {
            None
        } else {
            Some("starting")
        }
    }

    fn config(&self) -> Arc<str> {
        Arc::clone(&self.config.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn limits(&self) -> Arc<Limits> {
        Arc::clone(&self.limits.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn version(&self) -> Arc<str> {
        Arc::clone(&self.version.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The running admin listener. Dropped, it stops.
#[derive(Debug)]
pub struct Handle {
    listener: Arc<TcpListener>,
    access: Arc<Access>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Opens the admin listener. With a token, everything but health and readiness asks for `Authorization: Bearer`.
///
/// # Errors
/// The address cannot be bound, or the thread not be made.
pub fn start(listen: SocketAddr, token: Option<Secret>, state: Arc<AdminState>) -> io::Result<Handle> {
    let listener = Arc::new(TcpListener::bind(listen)?);
    let listen = listener.local_addr()?;
    let access = Arc::new(Access { listen, token: token.into() });
    let stopping = Arc::new(AtomicBool::new(false));
    let acceptor = Acceptor {
        listener: Arc::clone(&listener),
        state,
        access: Arc::clone(&access),
        stopping: Arc::clone(&stopping),
        connections: Arc::default(),
    };
    let thread = std::thread::Builder::new().name("ringgate-admin".to_owned()).spawn(move || acceptor.run())?;
    Ok(Handle { listener, access, stopping, thread: Some(thread) })
}

impl Handle {
    /// Where it listens: the port that was chosen if the configured one was 0.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.access.listen
    }

    /// Asks for another token from now on: after a reload.
    pub fn set_token(&self, token: Option<Secret>) {
        *self.access.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// Closes the listener. Requests that are being answered are answered.
    pub fn stop(self) {
        drop(self);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        // Linux ends a waiting accept when its listener is shut down.
        let _ = shutdown(&*self.listener, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed already.
            let _ = thread.join();
        }
    }
}

/// The thread that accepts.
struct Acceptor {
    listener: Arc<TcpListener>,
    state: Arc<AdminState>,
    access: Arc<Access>,
    stopping: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
}

static ACCEPT_FAILED: error_log::Site = error_log::Site::new();

impl Acceptor {
    fn run(self) {
        loop {
            let accepted = self.listener.accept();
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            match accepted {
                Ok((stream, _)) => self.serve(stream),
                Err(error) => {
                    ACCEPT_FAILED.log(
                        error_log::Level::Warn,
                        format_args!("the admin listener cannot accept error=\"{error}\""),
                    );
                    pause();
                }
            }
        }
    }

    fn serve(&self, stream: TcpStream) {
        let place = Place::take(&self.connections);
        let (state, access) = (Arc::clone(&self.state), Arc::clone(&self.access));
        let Some(place) = place else {
            connection::turn_away(&stream);
            return;
        };
        let spawned =
            std::thread::Builder::new().name("ringgate-admin".to_owned()).stack_size(256 * 1024).spawn(move || {
                connection::serve(&stream, &state, &access);
                drop(place);
            });
        if let Err(error) = spawned {
            ACCEPT_FAILED
                .log(error_log::Level::Warn, format_args!("no thread for the admin listener error=\"{error}\""));
        }
    }
}

/// A place among the [`CONNECTIONS_MAX`]; dropped, it is free again.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(taken));
        (taken.fetch_add(1, Ordering::AcqRel) < CONNECTIONS_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Waits a little, so that a lasting error does not spin.
fn pause() {
    let tenth = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    // Nothing is polled: this is a wait.
    let _ = poll(&mut [], Some(&tenth));
}

#[cfg(test)]
mod tests {
    use super::{AdminState, CONNECTIONS_MAX, Handle, start};
    use crate::{observe::registry::Registry, plan::Secret};
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpStream},
        time::Duration,
    };

    fn listener(token: Option<&str>) -> Handle {
        let state = AdminState::new(Registry::new(), "{}", std::sync::Arc::default());
        state.set_ready(true);
        start(([127, 0, 0, 1], 0).into(), token.map(|t| Secret(t.into())), state).unwrap()
    }

    fn connect(handle: &Handle) -> TcpStream {
        let stream = TcpStream::connect(handle.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends `text`, ends, and returns all that comes back.
    fn ask(handle: &Handle, text: &str) -> String {
        let mut stream = connect(handle);
        stream.write_all(text.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn pages_come_over_the_wire_one_after_another() {
        let handle = listener(None);
        let two = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let answer = ask(&handle, two);
        let (first, second) = answer.split_once("ok\n").unwrap();
        assert!(first.starts_with("HTTP/1.1 200 OK\r\n") && first.contains("Content-Length: 3\r\n"), "{first}");
        assert!(first.contains("\r\nDate: ") && first.contains(" GMT\r\n"), "{first}");
        assert!(second.starts_with("HTTP/1.1 200 OK\r\n") && second.ends_with("\r\n\r\nready\n"), "{second}");
        assert!(!first.contains("Connection: close") && second.contains("Connection: close\r\n"));
        handle.stop();
    }

    #[test]
    fn head_has_the_length_and_no_content() {
        let handle = listener(None);
        let answer = ask(&handle, "HEAD /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert!(answer.contains("Content-Length: 3\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    }

    #[test]
    fn wrong_requests_are_answered_and_closed() {
        let handle = listener(None);
        let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nx: {}\r\n\r\n", "y".repeat(20_000));
        for (text, status) in [("nonsense\r\n\r\n", "400"), ("GET / HTTP/1.1\r\n\r\n", "400"), (&long, "431")] {
            let answer = ask(&handle, text);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
            assert!(answer.contains("Connection: close\r\n") && answer.ends_with("\"}\n"), "{answer}");
        }
    }

    #[test]
    fn a_post_with_a_body_is_refused_and_the_refusal_arrives() {
        let handle = listener(None);
        let body = "x".repeat(200_000);
        let post = format!("POST /config HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        assert!(ask(&handle, &post).starts_with("HTTP/1.1 405 "));
    }

    #[test]
    fn the_token_can_be_changed() {
        let handle = listener(Some("old"));
        let get = |token| {
            let text = format!(
                "GET /version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
            );
            ask(&handle, &text)
        };
        assert!(get("old").starts_with("HTTP/1.1 200 ") && get("new").starts_with("HTTP/1.1 401 "));
        handle.set_token(Some(Secret("new".into())));
        assert!(get("new").starts_with("HTTP/1.1 200 ") && get("old").starts_with("HTTP/1.1 401 "));
    }

    #[test]
    fn too_many_connections_are_turned_away_and_places_come_free() {
        let handle = listener(None);
        let full: Vec<_> = (0..CONNECTIONS_MAX).map(|_| connect(&handle)).collect();
        // These are accepted in order, so the next one comes too late.
        let mut answer = String::new();
        connect(&handle).read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        drop(full);
        let served = (0..2000).any(|_| {
            std::thread::yield_now();
            let mut stream = connect(&handle);
            // Turned away, the write may fail and the read too.
            let _ = stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n");
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            answer.starts_with("HTTP/1.1 200 ")
        });
        assert!(served);
    }

    #[test]
    fn stopped_it_does_not_listen_any_more_and_the_port_is_free() {
        let handle = listener(None);
        let address = handle.address();
        handle.stop();
        assert!(TcpStream::connect(address).is_err());
        assert!(start(address, None, AdminState::new(Registry::new(), "{}", std::sync::Arc::default())).is_ok());
    }

    #[test]
    fn a_taken_port_is_an_error() {
        let handle = listener(None);
        let error = start(handle.address(), None, AdminState::new(Registry::new(), "{}", std::sync::Arc::default()))
            .unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    }
}
