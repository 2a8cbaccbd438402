//! SHA-256 of bytes that are there, and of a body while it passes.

use aws_lc_rs::digest;

/// Bytes of a hash.
pub const HASH_BYTES: usize = 32;

/// A SHA-256.
pub type Hash = [u8; HASH_BYTES];

/// The hash of no body.
pub const EMPTY: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27, 0xae, 0x41,
    0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// The SHA-256 of what was given to it so far.
#[derive(Clone)]
pub struct BodyHash(digest::Context);

impl BodyHash {
    /// Of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// And of these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash.
    #[must_use]
    pub fn finish(self) -> Hash {
        own(&self.0.finish())
    }

    /// Whether it is the one that was announced. The last byte of a body is not to be passed on before this was asked.
    #[must_use]
    pub fn is(self, announced: &Hash) -> bool {
        same(&self.finish(), announced)
    }
}

impl Default for BodyHash {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for BodyHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BodyHash")
    }
}

/// The SHA-256 of `bytes`.
#[must_use]
pub fn hash(bytes: &[u8]) -> Hash {
    if bytes.is_empty() {
        return EMPTY;
    }
    own(&digest::digest(&digest::SHA256, bytes))
}

/// Whether two hashes are the same, in a time that does not tell where they differ: a few instructions in line, where a call
/// that compares byte by byte was a third of what finding an API key took.
#[inline]
#[must_use]
pub fn same(one: &Hash, other: &Hash) -> bool {
    let (one, other) = (one.as_chunks::<8>().0, other.as_chunks::<8>().0);
    let differences =
        one.iter().zip(other).fold(0, |all, (a, b)| all | (u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b)));
    // What is not known cannot be decided early.
    std::hint::black_box(differences) == 0
}

/// The first bytes of it, where fewer do: what tells a damaged record from a whole one.
#[must_use]
pub fn sum<const N: usize>(bytes: &[u8]) -> [u8; N] {
    hash(bytes).first_chunk().copied().unwrap_or([0; N])
}

fn own(digest: &digest::Digest) -> Hash {
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(digest.as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::{BodyHash, EMPTY, hash, own, same};

    #[test]
    fn a_body_has_one_hash_however_it_comes() {
        let body = b"Param1=value1";
        for cut in 0..=body.len() {
            let mut passing = BodyHash::new();
            passing.update(&body[..cut]);
            passing.update(&body[cut..]);
            assert!(passing.is(&hash(body)), "cut at {cut}");
        }
        for bit in 0..256 {
            let (one, mut other) = (hash(body), hash(body));
            assert!(same(&one, &other));
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!same(&one, &other), "bit {bit}");
        }
        assert!(BodyHash::new().is(&EMPTY) && !BodyHash::new().is(&hash(body)));
        assert_eq!(own(&aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"")), EMPTY);
    }
}
