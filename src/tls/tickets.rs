//! Session tickets without state: encrypted under keys that all cores and listeners share and that change by themselves.
//!
//! A ticket stands for what was verified when it was given. So each is bound to the demands that its listener made on the
//! client, and is good only where the same ones are made: not where a certificate is demanded and it was had without one, nor
//! after an authority or a revocation list has changed. Under the same demands, the same certificate would be believed again,
//! with one exception: its time may be over. So a ticket carries that time, and past it the client does a full handshake, in
//! which it may show a certificate that was renewed, or is told what is wrong with the old one. To verify what the ticket
//! holds when it comes back would find nothing else, cost a signature, and leave no way to tell the client why.

use super::certificate;
use crate::base::limits;
use rustls::{crypto::aws_lc_rs::Ticketer, pki_types::UnixTime, server::ProducesTickets};
use std::sync::{Arc, OnceLock};

/// What a ticket is bound to: a digest of the demands on the client; all zero when there are none.
pub(super) type Demands = [u8; 32];

/// Tickets for one set of demands.
#[derive(Debug)]
pub(super) struct Bound {
    keys: Arc<dyn ProducesTickets>,
    demands: Demands,
}

impl Bound {
    /// # Errors
    /// The system has no randomness.
    pub(super) fn new(demands: Demands) -> Result<Self, rustls::Error> {
        static KEYS: OnceLock<Arc<dyn ProducesTickets>> = OnceLock::new();
        let keys = match KEYS.get() {
            Some(keys) => Arc::clone(keys),
            None => {
                let fresh = Ticketer::new()?;
                Arc::clone(KEYS.get_or_init(|| fresh))
            }
        };
        Ok(Self { keys, demands })
    }
}

impl ProducesTickets for Bound {
    fn enabled(&self) -> bool {
        self.keys.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.keys.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let until = good_until(plain)?;
        let sealed = self.keys.encrypt(&[&self.demands, &until.to_be_bytes()[..], plain].concat())?;
        // A client whose certificates are larger than that pays for a full handshake each time.
        (sealed.len() <= limits::TLS_TICKET_BYTES_MAX).then_some(sealed)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let sealed = self.keys.decrypt(cipher)?;
        let (demands, rest) = sealed.split_at_checked(self.demands.len())?;
        let (until, plain) = rest.split_first_chunk()?;
        let good = demands == self.demands && UnixTime::now().as_secs() <= u64::from_be_bytes(*until);
        good.then(|| plain.to_vec())
    }
}

/// Until when the session in `plain`, as rustls writes it, may be resumed, in Unix time: as long as all certificates that the
/// client has shown are valid. `None` if that cannot be read: then there is no ticket.
fn good_until(plain: &[u8]) -> Option<u64> {
    let mut left = plain;
    if left.split_off_first()? == &1 {
        vector::<1>(&mut left)?;
    }
    // The version and the cipher suite, the secret, whether it is an extended one.
    left.split_off(..4)?;
    vector::<1>(&mut left)?;
    left.split_off_first()?;
    if left.split_off_first()? == &0 {
        return Some(u64::MAX);
    }
    let mut chain = vector::<3>(&mut left)?;
    let mut until = u64::MAX;
    while !chain.is_empty() {
        let summary = certificate::summary(vector::<3>(&mut chain)?).ok()?;
        until = until.min(u64::try_from(summary.not_after).unwrap_or(0));
    }
    Some(until)
}

/// Takes a vector off the front of `from`, before which its length stands in `N` bytes (RFC 8446 §3.4).
fn vector<'a, const N: usize>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = from.split_off(..N)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    from.split_off(..length)
}

#[cfg(test)]
mod tests {
    use super::Bound;
    use crate::base::limits;
    use rustls::server::ProducesTickets;

    #[test]
    fn a_ticket_is_good_where_the_same_demands_are_made_and_nowhere_else() {
        let (open, same, other) = (Bound::new([0; 32]), Bound::new([0; 32]), Bound::new([1; 32]));
        // As rustls writes one: no name, a version, a suite, a secret, whether it is an extended one, no certificate.
        let session = b"\0\x03\x04\x13\x01\x03abc\x01\0 and more";
        let ticket = open.unwrap().encrypt(session).unwrap();
        assert_eq!(same.unwrap().decrypt(&ticket).unwrap(), session);
        assert_eq!(other.unwrap().decrypt(&ticket), None);
        let bound = Bound::new([0; 32]).unwrap();
        assert_eq!(bound.decrypt(&ticket[1..]), None);
        assert_eq!(bound.decrypt(b""), None);
        for cut in 0..11 {
            assert_eq!(bound.encrypt(&session[..cut]), None, "{cut} bytes are no session");
        }
        let large = [&session[..], &vec![0; limits::TLS_TICKET_BYTES_MAX]].concat();
        assert_eq!(bound.encrypt(&large), None, "too large");
    }
}
