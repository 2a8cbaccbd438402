//! What the keys look like that this gateway makes: a prefix to search for, chance, and a checksum, so that scanners of source
//! code can tell a leaked key from any other text without asking anybody.

/// What every key begins with.
pub const PREFIX: &str = "rgk_";
/// Characters of chance: 30 of 62 are 178 bits.
pub const CHANCE: usize = 30;
/// Characters of checksum: CRC-32 (as in IEEE 802.3) of all that stands before, in base 62.
const CHECK: usize = 6;
/// Characters of a key: within the 20 to 128 that Amazon's have, and as many as those that it makes.
pub const LENGTH: usize = PREFIX.len() + CHANCE + CHECK;
/// Characters of a key that people may see.
pub const SHOWN: usize = PREFIX.len() + 4;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The key that these numbers make, each below 62; take them from a source that nobody can foresee.
#[must_use]
pub fn compose(chance: [u8; CHANCE]) -> String {
    let mut key = String::with_capacity(LENGTH);
    key.push_str(PREFIX);
    key.extend(chance.map(|number| digit(u32::from(number))));
    let mut check = crc32(key.as_bytes());
    let mut digits = ['0'; CHECK];
    for place in digits.iter_mut().rev() {
        *place = digit(check % 62);
        check /= 62;
    }
    key.extend(digits);
    key
}

/// Whether `key` is one that [`compose`] may have made: one with a mistake in it is not.
#[must_use]
pub fn is_ours(key: &str) -> bool {
    let Some(chance) = key.get(PREFIX.len()..PREFIX.len() + CHANCE) else { return false };
    let number = |byte: u8| DIGITS.iter().position(|digit| *digit == byte).and_then(|at| u8::try_from(at).ok());
    let mut numbers = [0; CHANCE];
    for (place, byte) in numbers.iter_mut().zip(chance.bytes()) {
        match number(byte) {
            Some(number) => *place = number,
            None => return false,
        }
    }
    compose(numbers) == key
}

/// The part of a key that people may see.
#[must_use]
pub fn shown(key: &str) -> &str {
    if is_ours(key) { key.get(..SHOWN).unwrap_or_default() } else { "" }
}

fn digit(number: u32) -> char {
    DIGITS.get(number as usize % DIGITS.len()).map_or('0', |digit| char::from(*digit))
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    use super::{CHANCE, LENGTH, compose, crc32, is_ours, shown};

    #[test]
    fn the_checksum_is_the_known_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926, "the check value of CRC-32/ISO-HDLC");
    }

    #[test]
    fn a_key_is_known_and_one_with_a_mistake_is_not() {
        let mut chance = [0; CHANCE];
        for (at, number) in chance.iter_mut().enumerate() {
            *number = u8::try_from(at * 7 % 62).unwrap();
        }
        let key = compose(chance);
        assert_eq!((key.len(), shown(&key)), (LENGTH, "rgk_07EL"));
        assert!(is_ours(&key) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        for at in 0..key.len() {
            let mut wrong = key.clone().into_bytes();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            assert!(!is_ours(std::str::from_utf8(&wrong).unwrap()), "{at}");
        }
        for wrong in ["", "rgk_", &key[..LENGTH - 1], &format!("{key}0"), "rgk_äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüä"]
        {
            assert!(!is_ours(wrong), "{wrong}");
        }
    }
}
