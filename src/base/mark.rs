//! What stands for a text in a core's memory, so that the text itself need not be kept, nor compared.
//!
//! A [`Mark`] is 128 bits of a keyed hash (GHASH of AES-128-GCM, as authentication of associated data; NIST SP 800-38D) of all of
//! it. For whoever does not know the key, the chance that two texts of 8 KiB share a mark is below 2^-118, however they are chosen. With
//! the key, a mark tells of its text, so that a mark is never shown. The nonce is what the text is held against: no two
//! things that it is held against share one, so that a mark says that, too.

use super::digest::sum;
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use std::{fmt, hash::Hasher};

/// Makes marks.
pub struct Marker(
    /// `None` if there is no key to be had: then there are no marks.
    Option<LessSafeKey>,
);

/// What stands for a text and for what it was held against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Mark([u8; 16]);

impl Marker {
    /// With this key, which is random, and nobody else's.
    #[must_use]
    pub fn new(key: &[u8; 16]) -> Self {
        Self(UnboundKey::new(&AES_128_GCM, key).ok().map(LessSafeKey::new))
    }

    /// With a key from the system's chance, which nobody else knows.
    #[must_use]
    pub fn with_key_of_its_own() -> Self {
        Self::random().0
    }

    /// The same; gives the key, too, if there is one.
    #[must_use]
    pub fn random() -> (Self, Option<[u8; 16]>) {
        let mut key = [0; 16];
        match aws_lc_rs::rand::fill(&mut key) {
            Ok(()) => (Self::new(&key), Some(key)),
            // Without chance nothing is remembered.
            Err(_) => (Self(None), None),
        }
    }

    /// The mark of `text` that is held against the two numbers.
    #[inline]
    #[must_use]
    pub fn mark(&self, first: u32, second: u64, text: &[u8]) -> Option<Mark> {
        let mut nonce = [0; NONCE_LEN];
        let (one, other) = nonce.split_at_mut(4);
        one.copy_from_slice(&first.to_le_bytes());
        other.copy_from_slice(&second.to_le_bytes());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.as_ref()?.seal_in_place_separate_tag(nonce, Aad::from(text), &mut []).ok()?;
        tag.as_ref().try_into().ok().map(Mark)
    }
}

impl Mark {
    /// Half of it, for tables.
    #[inline]
    #[must_use]
    pub fn low(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// The other half, to choose among tables.
    #[inline]
    #[must_use]
    pub fn high(self) -> u64 {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// What it is called where others may read that: nobody can tell what it was made of, not even with its marker's key.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self(sum(&self.0))
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The one with these bytes.
    #[must_use]
    pub const fn of(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// The key is not shown.
impl fmt::Debug for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Marker(..)")
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mark(..)")
    }
}

impl std::hash::Hash for Mark {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.low());
    }
}

/// Marks are hashes already.
#[derive(Clone, Copy, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.is_empty(), "marks are written as numbers");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl fmt::Debug for AsItIs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AsItIs")
    }
}
