//! What bytes have to be: literally these, except for a date or the rest of a line.

/// A pattern for bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(Vec<u8>),
    /// Anything up to the next CR.
    Any,
    /// `Sun, 06 Nov 1994 08:49:37 GMT`
    Date,
}

/// How bytes compare with a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// The first that many bytes are what the pattern wants.
    Whole(usize),
    /// So far, so good.
    Partial,
    /// The byte at that place is wrong.
    No(usize),
}

impl Pattern {
    pub(super) fn push_bytes(&mut self, bytes: &[u8]) {
        if let Some(Piece::Literal(literal)) = self.pieces.last_mut() {
            literal.extend_from_slice(bytes);
        } else {
            self.pieces.push(Piece::Literal(bytes.to_vec()));
        }
    }

    pub(super) fn push_any(&mut self) {
        self.pieces.push(Piece::Any);
    }

    pub(super) fn push_date(&mut self) {
        self.pieces.push(Piece::Date);
    }

    /// The bytes, if there is only one way to be right.
    pub(super) fn literal(&self) -> Option<Vec<u8>> {
        match self.pieces.as_slice() {
            [] => Some(Vec::new()),
            [Piece::Literal(bytes)] => Some(bytes.clone()),
            _ => None,
        }
    }

    pub(super) fn compare(&self, bytes: &[u8]) -> Match {
        let mut at = 0;
        for piece in &self.pieces {
            let rest = &bytes[at..];
            match piece {
                Piece::Literal(literal) => {
                    let same = literal.iter().zip(rest).take_while(|(a, b)| a == b).count();
                    if same == literal.len() {
                        at += same;
                    } else if same == rest.len() {
                        return Match::Partial;
                    } else {
                        return Match::No(at + same);
                    }
                }
                Piece::Any => match rest.iter().position(|byte| *byte == b'\r') {
                    Some(length) => at += length,
                    None => return Match::Partial,
                },
                Piece::Date => {
                    if let Some(wrong) = wrong_in_date(rest) {
                        return Match::No(at + wrong);
                    }
                    if rest.len() < DATE.len() {
                        return Match::Partial;
                    }
                    at += DATE.len();
                }
            }
        }
        Match::Whole(at)
    }

    pub(super) fn show(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => bytes.extend_from_slice(literal),
                Piece::Any => bytes.extend_from_slice(b"{any}"),
                Piece::Date => bytes.extend_from_slice(b"{date}"),
            }
        }
        bytes
    }
}

/// `A` a letter, `0` a digit, the rest itself.
const DATE: &[u8] = b"AAA, 00 AAA 0000 00:00:00 GMT";

fn wrong_in_date(bytes: &[u8]) -> Option<usize> {
    DATE.iter().zip(bytes).position(|(want, have)| match want {
        b'A' => !have.is_ascii_alphabetic(),
        b'0' => !have.is_ascii_digit(),
        _ => want != have,
    })
}

#[test]
fn patterns_compare_bytes() {
    let mut pattern = Pattern::default();
    pattern.push_bytes(b"HTTP/1.1 200 ");
    pattern.push_any();
    pattern.push_bytes(b"\r\nDate: ");
    pattern.push_date();
    pattern.push_bytes(b"\r\n");
    let good = b"HTTP/1.1 200 Fine\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nmore";
    assert_eq!(pattern.compare(good), Match::Whole(good.len() - 4));
    for end in 0..good.len() - 4 {
        assert_eq!(pattern.compare(&good[..end]), Match::Partial, "{end}");
    }
    assert_eq!(pattern.compare(b"HTTP/1.1 201 "), Match::No(11));
    assert_eq!(pattern.compare(b"HTTP/1.1 200 x\r\nDate: yesterday"), Match::No(25));
    assert_eq!(pattern.literal(), None);
}
