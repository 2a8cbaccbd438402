//! rustls's unbuffered interface, narrowed to what a session needs: take ciphertext, give plaintext and ciphertext.

use rustls::{
    CommonState, Error,
    client::{ClientConnectionData, UnbufferedClientConnection},
    server::{ServerConnectionData, UnbufferedServerConnection},
    unbuffered::{ConnectionState, UnbufferedStatus},
};
use std::ops::Deref;

/// The protocol's state, of either side.
pub(super) enum Engine {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server",
            Self::Client(_) => "Client",
        })
    }
}

/// Where the outcome of [`Engine::digest`] goes.
#[derive(Debug)]
pub(super) struct Yield<'a> {
    /// Plaintext, as far as it fits.
    pub(super) into: &'a mut [u8],
    /// How much of `into` is filled.
    pub(super) filled: usize,
    /// Plaintext that did not fit.
    pub(super) over: &'a mut Vec<u8>,
    /// Ciphertext to send.
    pub(super) out: &'a mut Vec<u8>,
    /// The other side has sent its `close_notify`.
    pub(super) closed: bool,
}

impl Yield<'_> {
    fn take(&mut self, bytes: &[u8]) {
        let room = self.into.get_mut(self.filled..).unwrap_or_default();
        let fits = if self.over.is_empty() { bytes.len().min(room.len()) } else { 0 };
        let (now, later) = bytes.split_at_checked(fits).unwrap_or((bytes, b""));
        if let Some(room) = room.get_mut(..now.len()) {
            room.copy_from_slice(now);
        }
        self.filled += now.len();
        self.over.extend_from_slice(later);
    }
}

impl Engine {
    /// Processes `input`; returns how much of it is used up. What is left is to be presented again, with more behind it.
    ///
    /// # Errors
    /// The protocol is broken; the alert that says so is in `yielded.out`.
    pub(super) fn digest(&mut self, input: &mut [u8], yielded: &mut Yield<'_>) -> (usize, Result<(), Error>) {
        match self {
            Self::Server(connection) => digest(connection, input, yielded),
            Self::Client(connection) => digest(connection, input, yielded),
        }
    }

    /// Encrypts `plain` as one record into `out`; returns its length. `rest` is the incomplete input.
    ///
    /// # Errors
    /// `plain` may not be sent (any more), or its keys are worn out.
    #[inline]
    pub(super) fn seal(&mut self, rest: &mut [u8], plain: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::Server(connection) => seal(connection, rest, Some(plain), out),
            Self::Client(connection) => seal(connection, rest, Some(plain), out),
        }
    }

    /// Writes a `close_notify` into `out`; returns its length.
    ///
    /// # Errors
    /// As [`Engine::seal`].
    pub(super) fn close_notify(&mut self, rest: &mut [u8], out: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::Server(connection) => seal(connection, rest, None, out),
            Self::Client(connection) => seal(connection, rest, None, out),
        }
    }
}

impl Deref for Engine {
    type Target = CommonState;

    fn deref(&self) -> &CommonState {
        match self {
            Self::Server(connection) => connection,
            Self::Client(connection) => connection,
        }
    }
}

/// The same method of two types.
trait Records {
    type Data;
    /// Whether there is something to be sent.
    fn has_words(&self) -> bool;
    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;
}

impl Records for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn has_words(&self) -> bool {
        self.wants_write()
    }

    #[inline]
    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }
}

impl Records for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn has_words(&self) -> bool {
        self.wants_write()
    }

    #[inline]
    fn process<'c, 'i>(&'c mut self, input: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(input)
    }
}

fn digest<R: Records>(connection: &mut R, input: &mut [u8], yielded: &mut Yield<'_>) -> (usize, Result<(), Error>) {
    let mut used = 0;
    let mut broken = None;
    loop {
        // After an error, the alert that tells of it is all that is still of interest.
        if broken.is_some() && !connection.has_words() {
            return (used, broken.map_or(Ok(()), Err));
        }
        let left = input.get_mut(used..).unwrap_or_default();
        let UnbufferedStatus { mut discard, state } = connection.process(left);
        let more = match state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(record) = traffic.next_record() {
                    match record {
                        Ok(record) => {
                            discard += record.discard;
                            yielded.take(record.payload);
                        }
                        Err(error) => broken = Some(error),
                    }
                }
                true
            }
            Ok(ConnectionState::EncodeTlsData(mut data)) => append(yielded.out, |room| {
                data.encode(room).map_err(|e| match e {
                    rustls::unbuffered::EncodeError::InsufficientSize(e) => Some(e.required_size),
                    rustls::unbuffered::EncodeError::AlreadyEncoded => None,
                })
            }),
            Ok(ConnectionState::TransmitTlsData(data)) => {
                data.done();
                true
            }
            Ok(ConnectionState::PeerClosed) => {
                yielded.closed = true;
                true
            }
            Ok(_) => false,
            Err(error) if broken.is_none() => {
                broken = Some(error);
                true
            }
            Err(_) => false,
        };
        used += discard;
        if !more {
            return (used, broken.map_or(Ok(()), Err));
        }
    }
}

/// Appends what `write` writes, which says how much room it needs if that is not enough. Returns whether it wrote.
fn append(out: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<usize>>) -> bool {
    let start = out.len();
    let mut room = ALERT_BYTES;
    for _ in 0..2 {
        out.resize(start + room, 0);
        match write(out.get_mut(start..).unwrap_or_default()) {
            Ok(written) => {
                out.truncate(start + written);
                return true;
            }
            Err(Some(needed)) => room = needed,
            Err(None) => break,
        }
    }
    out.truncate(start);
    false
}

/// Seals `plain`, or a `close_notify`.
#[inline]
fn seal<R: Records>(connection: &mut R, rest: &mut [u8], plain: Option<&[u8]>, out: &mut [u8]) -> Result<usize, Error> {
    let mut at = 0;
    loop {
        let room = out.get_mut(at..).unwrap_or_default();
        // Nothing of `rest` is used up: it is what was left over when it was last processed.
        match connection.process(rest).state? {
            ConnectionState::WriteTraffic(mut traffic) => {
                let sealed = match plain {
                    Some(plain) => traffic.encrypt(plain, room),
                    None => traffic.queue_close_notify(room),
                };
                return sealed.map(|n| at + n).map_err(|_| Error::EncryptError);
            }
            // An update of keys, which comes before what is encrypted with the new ones.
            ConnectionState::EncodeTlsData(mut data) => at += data.encode(room).map_err(|_| Error::EncryptError)?,
            ConnectionState::TransmitTlsData(data) => data.done(),
            _ => return Err(Error::HandshakeNotComplete),
        }
    }
}

/// What most messages of a session itself fit in.
const ALERT_BYTES: usize = 512;
