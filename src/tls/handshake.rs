//! Handshakes: the cold phase before a session, of both sides.

use super::{
    certificate::ClientCertificate,
    challenge,
    client::Target,
    engine::Engine,
    failure::Failure,
    server::Server,
    session::{End, Facts, Session, State},
    stream::Stream,
};
use crate::{
    base::{clock::Instant, limits},
    io::{
        Alarm, Net, Stream as Socket,
        task::{either, maybe},
    },
};
use rustls::{
    AlertDescription, CommonState, HandshakeKind, ProtocolVersion, ServerConfig,
    client::UnbufferedClientConnection,
    server::{Acceptor, UnbufferedServerConnection},
};
use std::{io, sync::Arc};

/// A connection whose handshake is done.
#[derive(Debug)]
pub struct Established {
    /// The connection.
    pub stream: Stream,
    /// An earlier session was resumed: no certificate was sent or verified.
    pub resumed: bool,
    /// It was the handshake of an authority that wanted to see a challenge answered: it is over, and nothing follows.
    pub challenge: bool,
}

/// Waits for a client's handshake on `socket` and answers it, until `deadline`.
///
/// Until the client says something, nothing is held for it; `begins` is called when it does, and may say no.
///
/// # Errors
/// Why there is no session. The other side has been told, in the way that it understands.
pub async fn accept<G>(
    socket: Socket,
    server: &Arc<Server>,
    net: &Net,
    alarm: &Alarm,
    deadline: Instant,
    begins: impl FnOnce() -> Option<G>,
) -> Result<Established, Failure> {
    let (mut first, mut sight) = (Vec::new(), Sight::default());
    let Some(guard) = ({
        // Roused when the gateway drains, as any connection that has said nothing.
        alarm.set_idle(deadline);
        wait(alarm, socket.readable()).await?;
        alarm.set(deadline);
        begins()
    }) else {
        return Err(Failure::TooMany);
    };
    let (config, name, challenge) = loop {
        receive(&socket, net, &mut first)?;
        match look(server, &first, &mut sight) {
            Look::More => wait(alarm, socket.readable()).await?,
            Look::Chosen(config, name) => break (config, name, false),
            Look::Challenge(config) => break (config, None, true),
            Look::Refused(failure, answer) => {
                say_no(&socket, net, alarm, &answer).await;
                return Err(failure);
            }
        }
    };
    let engine = UnbufferedServerConnection::new(config).map_err(|_| Failure::Internal)?;
    let mut state = State::new(Engine::Server(engine));
    state.digest(&mut first, &mut []);
    drop(first);
    complete(&socket, &mut state, net, alarm).await?;
    if challenge {
        Box::pin(part(&socket, &mut state, net, alarm)).await?;
    }
    drop(guard);
    let facts = Facts { server_name: name, ..facts(&state.engine, Some(server)) };
    let resumed = state.engine.handshake_kind() == Some(HandshakeKind::Resumed);
    Ok(Established { stream: Session::new(socket, net.scratch.clone(), state, facts).into(), resumed, challenge })
}

/// Does a handshake with an upstream server over `socket`, until `deadline`.
///
/// # Errors
/// Why there is no session.
pub async fn connect(
    socket: Socket,
    target: &Target,
    net: &Net,
    alarm: &Alarm,
    deadline: Instant,
) -> Result<Established, Failure> {
    alarm.set(deadline);
    let engine = UnbufferedClientConnection::new(target.client.config(), target.name.clone());
    let mut state = State::new(Engine::Client(engine.map_err(|_| Failure::Internal)?));
    state.digest(&mut [], &mut []);
    complete(&socket, &mut state, net, alarm).await?;
    let facts = facts(&state.engine, None);
    let resumed = state.engine.handshake_kind() == Some(HandshakeKind::Resumed);
    let stream = Session::new(socket, net.scratch.clone(), state, facts).into();
    Ok(Established { stream, resumed, challenge: false })
}

/// What the first bytes of a client come to.
enum Look {
    /// More are needed.
    More,
    /// This is how it is answered, and for which name.
    Chosen(Arc<ServerConfig>, Option<Box<str>>),
    /// An authority wants to see this (RFC 8737 §3).
    Challenge(Arc<ServerConfig>),
    /// It is not; these are the last words.
    Refused(Failure, Vec<u8>),
}

/// What has been understood of a ClientHello that comes in parts: however many there are, each is looked at once.
#[derive(Default)]
struct Sight {
    acceptor: Acceptor,
    read: usize,
}

fn look(server: &Server, first: &[u8], sight: &mut Sight) -> Look {
    match first {
        [] => return Look::More,
        // rustls would find something else to complain about (RFC 8446 §5.1, §4.2.1).
        [HANDSHAKE, 3, _, high, low, ..] if u16::from_be_bytes([*high, *low]) > RECORD_LENGTH_MAX => {
            return Look::Refused(Failure::Malformed, alert(AlertDescription::RecordOverflow));
        }
        [HANDSHAKE, 3, _, _, _, CLIENT_HELLO, _, _, _, 3, 0..=2, ..] => {
            return Look::Refused(Failure::Incompatible, alert(AlertDescription::ProtocolVersion));
        }
        [HANDSHAKE, ..] => {}
        [letter, ..] if letter.is_ascii_uppercase() => return Look::Refused(Failure::PlainHttp, PLAIN_HTTP.to_vec()),
        _ => return Look::Refused(Failure::Malformed, alert(AlertDescription::UnexpectedMessage)),
    }
    if !server.must_see_name() && !challenge::is_any() {
        return match server.choose(None) {
            Some(config) => Look::Chosen(config, None),
            None => Look::Refused(Failure::Internal, alert(AlertDescription::InternalError)),
        };
    }
    let mut unread = first.get(sight.read..).unwrap_or_default();
    sight.read = first.len();
    while !unread.is_empty() {
        if sight.acceptor.read_tls(&mut unread).is_err() {
            return Look::Refused(Failure::Malformed, alert(AlertDescription::RecordOverflow));
        }
    }
    match sight.acceptor.accept() {
        Ok(None) if first.len() > limits::TLS_HELLO_BYTES_MAX => {
            Look::Refused(Failure::Malformed, alert(AlertDescription::RecordOverflow))
        }
        Ok(None) => Look::More,
        Ok(Some(accepted)) => {
            if challenge::is_any()
                && let Some(config) = challenge::over_tls(&accepted.client_hello())
            {
                return Look::Challenge(config);
            }
            let name = accepted.client_hello().server_name().map(str::to_ascii_lowercase);
            match server.choose(name.as_deref()) {
                Some(config) => Look::Chosen(config, name.map(Into::into)),
                None => Look::Refused(Failure::UnknownName, alert(AlertDescription::UnrecognisedName)),
            }
        }
        Err((error, mut last_words)) => {
            let mut bytes = Vec::new();
            // Writing to memory does not fail.
            let _ = last_words.write_all(&mut bytes);
            Look::Refused(Failure::of(&error), bytes)
        }
    }
}

/// Appends what is there.
fn receive(socket: &Socket, net: &Net, first: &mut Vec<u8>) -> Result<(), Failure> {
    let input = &mut *net.scratch.incoming.borrow_mut();
    if input.is_empty() {
        input.resize(limits::TLS_SCRATCH_BYTES, 0);
    }
    match socket.recv(input.get_mut(..limits::TLS_RECORD_BYTES).unwrap_or_default()) {
        Ok(0) if first.is_empty() => Err(Failure::Silent),
        Ok(0) => Err(Failure::Closed),
        Ok(n) => {
            first.extend_from_slice(input.get(..n).unwrap_or_default());
            Ok(())
        }
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(()),
        Err(_) => Err(Failure::Closed),
    }
}

/// Goes on until the handshake is done. What is to be sent last may still lie in `state`: it goes along with the first
/// application data.
async fn complete(socket: &Socket, state: &mut State, net: &Net, alarm: &Alarm) -> Result<(), Failure> {
    loop {
        if !state.engine.is_handshaking() {
            return Ok(());
        }
        if let Some(end) = state.ended() {
            let (failure, told) = match end {
                End::Closed | End::Truncated | End::Failed(_) => (Failure::Closed, false),
                End::Broken(error) => (Failure::of(error), true),
            };
            let _ = state.flush(socket);
            if told {
                discard(socket, net, alarm).await;
            }
            return Err(failure);
        }
        let flushed = state.flush(socket).map_err(|_| Failure::Closed)?;
        let got = state.pull(socket, &net.scratch, &mut []);
        let idle = got.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock) && state.engine.is_handshaking();
        // What went wrong is looked at above; what is new to be sent goes first.
        if !idle || flushed && state.is_owing() {
            continue;
        }
        // Read even while the other side takes nothing: it may be waiting for us to.
        let writable = (!flushed).then(|| socket.writable());
        wait(alarm, async { either(socket.readable(), maybe(writable)).await.into_inner() }).await?;
    }
}

fn facts(engine: &Engine, server: Option<&Arc<Server>>) -> Facts {
    let common: &CommonState = engine;
    let client =
        server.and_then(|_| common.peer_certificates()).and_then(|chain| ClientCertificate::read(chain.first()?));
    Facts {
        version: match common.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            _ => "TLSv1.2",
        },
        suite: common.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).unwrap_or_default(),
        server_name: None,
        client: client.map(Box::new),
        server: server.cloned(),
    }
}

async fn wait(alarm: &Alarm, ready: impl Future<Output = io::Result<()>>) -> Result<(), Failure> {
    match alarm.guard(ready).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Failure::Closed),
        Err(_) => Err(Failure::Timeout),
    }
}

/// Sends last words.
async fn say_no(socket: &Socket, net: &Net, alarm: &Alarm, words: &[u8]) {
    // A client that does not take so few bytes does not read them.
    let _ = socket.send(words);
    discard(socket, net, alarm).await;
}

/// Lets the other side have the end of the handshake, after which it has nothing to say (RFC 8737 §4).
async fn part(socket: &Socket, state: &mut State, net: &Net, alarm: &Alarm) -> Result<(), Failure> {
    while !state.flush(socket).map_err(|_| Failure::Closed)? {
        wait(alarm, socket.writable()).await?;
    }
    discard(socket, net, alarm).await;
    Ok(())
}

/// Reads what is still coming for a moment: to close on it would destroy what was just said.
async fn discard(socket: &Socket, net: &Net, alarm: &Alarm) {
    socket.finish();
    alarm.set(net.now().plus(limits::TLS_LINGER_TIME));
    let mut left = limits::TLS_HELLO_BYTES_MAX;
    loop {
        let got = {
            let mut input = [0; 1024];
            socket.recv(&mut input)
        };
        match got {
            Ok(n) if n > 0 && n < left => left -= n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                if wait(alarm, socket.readable()).await.is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}

/// A fatal alert in the clear (RFC 8446 §6).
fn alert(what: AlertDescription) -> Vec<u8> {
    vec![ALERT, 3, 3, 0, 2, 2, u8::from(what)]
}

const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const CLIENT_HELLO: u8 = 1;
/// Of a record that is not encrypted.
const RECORD_LENGTH_MAX: u16 = 1 << 14;
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 59\r\n\
    Connection: close\r\n\r\nThis port speaks HTTPS: use https:// instead of http:// .\r\n";
