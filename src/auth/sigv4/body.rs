//! The hash of a body, made while it passes.

use aws_lc_rs::{constant_time, digest};

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
        constant_time::verify_slices_are_equal(&self.finish(), announced).is_ok()
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

/// In hexadecimal, lower case.
#[must_use]
pub fn hex(hash: &Hash) -> [u8; 2 * HASH_BYTES] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut out = [0; 2 * HASH_BYTES];
    for (byte, pair) in hash.iter().zip(out.chunks_exact_mut(2)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    out
}

/// Reads 64 hexadecimal digits in lower case, as only those are what a client signs.
#[must_use]
pub fn unhex(text: &[u8]) -> Option<Hash> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text = <&[u8; 2 * HASH_BYTES]>::try_from(text).ok()?;
    let mut hash = [0; HASH_BYTES];
    for (pair, byte) in text.chunks_exact(2).zip(&mut hash) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(hash)
}

fn own(digest: &digest::Digest) -> Hash {
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(digest.as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::{BodyHash, EMPTY, hash, hex, unhex};

    #[test]
    fn a_body_has_one_hash_however_it_comes() {
        let body = b"Param1=value1";
        let expect = *b"9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
        assert_eq!(hex(&hash(body)), expect, "the published suite's");
        for cut in 0..=body.len() {
            let mut hash = BodyHash::new();
            hash.update(&body[..cut]);
            hash.update(&body[cut..]);
            assert!(hash.is(&unhex(&expect).unwrap()), "cut at {cut}");
        }
        assert!(BodyHash::new().is(&EMPTY) && !BodyHash::new().is(&hash(body)));
        assert_eq!(super::own(&aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"")), EMPTY);
    }

    #[test]
    fn only_hashes_are_read_as_such() {
        let text = hex(&EMPTY);
        assert_eq!(unhex(&text), Some(EMPTY));
        for wrong in [&text[1..], b"", b"UNSIGNED-PAYLOAD", text.to_ascii_uppercase().as_slice()] {
            assert_eq!(unhex(wrong), None);
        }
    }
}
