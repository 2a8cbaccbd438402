//! The hash of a body, and how it is written in a header.

pub use crate::base::digest::{EMPTY, HASH_BYTES, Hash, hash};

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

#[cfg(test)]
mod tests {
    use super::{EMPTY, hash, hex, unhex};

    #[test]
    fn a_hash_is_written_as_the_published_suite_has_it() {
        let expect = *b"9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e";
        assert_eq!((hex(&hash(b"Param1=value1")), unhex(&expect)), (expect, Some(hash(b"Param1=value1"))));
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
