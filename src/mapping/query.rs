//! Parameters of a query, as they came.

use super::percent::{Came, decoded};

/// The parameters of a query: names and values, still encoded.
pub fn pairs(query: &[u8]) -> impl DoubleEndedIterator<Item = (&[u8], &[u8])> {
    query.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        let equals = pair.iter().position(|b| *b == b'=');
        let (name, value) = equals.and_then(|at| pair.split_at_checked(at)).unwrap_or((pair, b""));
        (name, value.get(1..).unwrap_or_default())
    })
}

/// All values of `name`, still encoded, in the order in which they came.
pub fn all<'q>(query: &'q [u8], name: &'q [u8]) -> impl DoubleEndedIterator<Item = &'q [u8]> {
    let is = |raw: &[u8]| decoded(raw, Came::Query).eq(name.iter().copied());
    pairs(query).filter(move |(raw, _)| is(raw)).map(|(_, value)| value)
}

/// The last value of `name`, still encoded.
#[must_use]
pub fn last<'q>(query: &'q [u8], name: &'q [u8]) -> Option<&'q [u8]> {
    all(query, name).next_back()
}

#[cfg(test)]
mod tests {
    use super::{all, last};

    #[test]
    fn names_are_compared_decoded_and_the_last_value_counts() {
        let cases: [(&str, &str, &[&str], &str); 7] = [
            ("a=1&b=2&a=3", "a", &["1", "3"], "reference 4.1 [L]: the last one"),
            ("a", "a", &[""], "a name without a value has an empty one"),
            ("a=", "a", &[""], "so has one with nothing behind `=`"),
            ("%61+b=c%20d", "a b", &["c%20d"], "names are decoded, values are left as they came"),
            ("A=1", "a", &[], "names of parameters have case"),
            ("&&=x&a=b=c&", "a", &["b=c"], "pieces that say nothing"),
            ("", "a", &[], "nothing"),
        ];
        for (query, name, expect, why) in cases {
            let expect: Vec<&[u8]> = expect.iter().map(|v| v.as_bytes()).collect();
            assert_eq!(all(query.as_bytes(), name.as_bytes()).collect::<Vec<_>>(), expect, "{why}");
            assert_eq!(last(query.as_bytes(), name.as_bytes()), expect.last().copied(), "{why}");
        }
    }
}
