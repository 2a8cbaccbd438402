//! Session tickets without state: encrypted under keys that all cores and listeners share and that change by themselves.
//!
//! A ticket stands for what was verified when it was given. So each is bound to the demands that its listener made on the
//! client, and is good only where the same ones are made: not where a certificate is demanded and it was had without one, nor
//! after an authority or a revocation list has changed.

use rustls::{crypto::aws_lc_rs::Ticketer, server::ProducesTickets};
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
        self.keys.encrypt(&[&self.demands, plain].concat())
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let mut plain = self.keys.decrypt(cipher)?;
        let demands: Vec<u8> = plain.drain(..self.demands.len().min(plain.len())).collect();
        (demands == self.demands).then_some(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::Bound;
    use rustls::server::ProducesTickets;

    #[test]
    fn a_ticket_is_good_where_the_same_demands_are_made_and_nowhere_else() {
        let (open, same, other) = (Bound::new([0; 32]), Bound::new([0; 32]), Bound::new([1; 32]));
        let ticket = open.unwrap().encrypt(b"a session").unwrap();
        assert_eq!(same.unwrap().decrypt(&ticket).unwrap(), b"a session");
        assert_eq!(other.unwrap().decrypt(&ticket), None);
        let bound = Bound::new([0; 32]).unwrap();
        assert_eq!(bound.decrypt(&ticket[1..]), None);
        assert_eq!(bound.decrypt(b""), None);
    }
}
