//! Texts in policies: whole ones, those with `*` and `?`, and those with variables.

use super::facts::{Facts, Key};

/// A set of patterns, compiled.
///
/// Whole texts and beginnings (`abc*`) are looked up in sorted tables; whatever else is tried one by one.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    any: bool,
    /// Letter case does not matter.
    fold: bool,
    /// Sorted; in lower case where letter case does not matter.
    whole: Box<[Box<[u8]>]>,
    /// Sorted, none the beginning of another.
    beginnings: Box<[Box<[u8]>]>,
    others: Box<[Glob]>,
}

/// What characters mean in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// `*` is any text and `?` any character.
    pub wildcards: bool,
    /// `${…}` is replaced.
    pub variables: bool,
    /// Letter case does not matter.
    pub fold: bool,
}

/// A pattern: pieces with any text between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    pieces: Vec<Vec<Atom>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Atom {
    Text(Box<[u8]>),
    /// `?`: one character of UTF-8, or one byte that is none.
    One,
    Variable(Variable),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Variable {
    key: Key,
    default: Option<Box<[u8]>>,
}

impl Patterns {
    /// The set of these patterns, all read the same way.
    #[must_use]
    pub fn new(globs: Vec<Glob>, fold: bool) -> Self {
        let (mut any, mut whole, mut beginnings, mut others) = (false, Vec::new(), Vec::new(), Vec::new());
        for mut glob in globs {
            if fold {
                glob.fold();
            }
            match glob.pieces.as_slice() {
                [first, last] if first.is_empty() && last.is_empty() => any = true,
                [piece] => match plain(piece) {
                    Some(text) => whole.push(Box::from(text)),
                    None => others.push(glob),
                },
                [piece, last] if last.is_empty() && !fold => match plain(piece) {
                    Some(text) => beginnings.push(Box::from(text)),
                    None => others.push(glob),
                },
                _ => others.push(glob),
            }
        }
        whole.sort_unstable();
        whole.dedup();
        beginnings.sort_unstable();
        // What begins with another one follows it.
        beginnings.dedup_by(|next: &mut Box<[u8]>, kept| next.starts_with(kept));
        Self { any, fold, whole: whole.into(), beginnings: beginnings.into(), others: others.into() }
    }

    /// Whether `text` is one of them.
    #[must_use]
    pub fn have(&self, text: &[u8], facts: &dyn Facts) -> bool {
        self.any || self.has_whole(text) || self.has_beginning(text) || self.has_other(text, facts)
    }

    /// Whether all variables in it have values.
    #[must_use]
    pub fn are_settled(&self, facts: &dyn Facts) -> bool {
        self.others.iter().all(|glob| glob.is_settled(facts))
    }

    /// Whether `key` is a variable in it.
    #[must_use]
    pub fn asks_for(&self, key: &Key) -> bool {
        self.others.iter().any(|glob| glob.asks_for(key))
    }

    fn has_whole(&self, text: &[u8]) -> bool {
        if self.fold {
            let folded = |known: &[u8]| known.iter().copied().cmp(text.iter().map(u8::to_ascii_lowercase));
            return self.whole.binary_search_by(|known| folded(known)).is_ok();
        }
        self.whole.binary_search_by(|known| known.as_ref().cmp(text)).is_ok()
    }

    /// The beginning of `text`, if it is there, is the last that is not behind `text`: one between the two would begin with it.
    fn has_beginning(&self, text: &[u8]) -> bool {
        let after = self.beginnings.partition_point(|beginning| beginning.as_ref() <= text);
        let last = after.checked_sub(1).and_then(|at| self.beginnings.get(at));
        last.is_some_and(|beginning| text.starts_with(beginning))
    }

    fn has_other(&self, text: &[u8], facts: &dyn Facts) -> bool {
        self.others.iter().any(|glob| glob.matches(text, facts, self.fold))
    }
}

impl Glob {
    /// Reads a pattern. `${*}`, `${?}` and `${$}` are those characters.
    ///
    /// # Errors
    /// What is wrong with a variable.
    pub fn read(text: &str, reading: Reading) -> Result<Self, String> {
        let (mut pieces, mut piece, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        let flush = |plain: &mut Vec<u8>, piece: &mut Vec<Atom>| {
            if !plain.is_empty() {
                piece.push(Atom::Text(std::mem::take(plain).into()));
            }
        };
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let here = rest;
            rest = &rest[c.len_utf8()..];
            match c {
                '*' if reading.wildcards => {
                    flush(&mut plain, &mut piece);
                    pieces.push(std::mem::take(&mut piece));
                }
                '?' if reading.wildcards => {
                    flush(&mut plain, &mut piece);
                    piece.push(Atom::One);
                }
                '$' if reading.variables && rest.starts_with('{') => {
                    let end = here.find('}').ok_or("`${` is not closed")?;
                    rest = &here[end + 1..];
                    match &here[2..end] {
                        literal @ ("*" | "?" | "$") => plain.extend_from_slice(literal.as_bytes()),
                        name => {
                            flush(&mut plain, &mut piece);
                            piece.push(Atom::Variable(variable(name)?));
                        }
                    }
                }
                _ => plain.extend_from_slice(&here.as_bytes()[..c.len_utf8()]),
            }
        }
        flush(&mut plain, &mut piece);
        pieces.push(piece);
        Ok(Self { pieces })
    }

    /// Whether all of `text` is what the pattern says. A variable without a value is no text at all.
    #[must_use]
    pub fn matches(&self, text: &[u8], facts: &dyn Facts, fold: bool) -> bool {
        let [first, others @ ..] = self.pieces.as_slice() else { return false };
        let Some(mut at) = starts(first, text, facts, fold) else { return false };
        let Some((last, middle)) = others.split_last() else { return at == text.len() };
        for piece in middle {
            let mut places = (at..=text.len()).filter(|from| is_boundary(text, *from));
            let found = places.find_map(|from| Some(from + starts(piece, text.get(from..)?, facts, fold)?));
            match found {
                Some(end) => at = end,
                None => return false,
            }
        }
        // A `?` may be one byte or four, so that where the last piece begins is not known.
        (at..=text.len()).rev().filter(|from| is_boundary(text, *from)).any(|from| {
            let rest = text.get(from..).unwrap_or_default();
            starts(last, rest, facts, fold) == Some(rest.len())
        })
    }

    /// Whether all variables in it have values.
    #[must_use]
    pub fn is_settled(&self, facts: &dyn Facts) -> bool {
        self.variables().all(|variable| variable.default.is_some() || facts.value(&variable.key, 0).is_some())
    }

    /// Whether `key` is a variable in it.
    #[must_use]
    pub fn asks_for(&self, key: &Key) -> bool {
        self.variables().any(|variable| variable.key == *key)
    }

    fn variables(&self) -> impl Iterator<Item = &Variable> {
        let atoms = self.pieces.iter().flatten();
        atoms.filter_map(|atom| if let Atom::Variable(variable) = atom { Some(variable) } else { None })
    }

    fn fold(&mut self) {
        for atom in self.pieces.iter_mut().flatten() {
            if let Atom::Text(text) = atom {
                text.make_ascii_lowercase();
            }
        }
    }
}

/// How many bytes of `text` the piece takes, if `text` begins with it.
fn starts(piece: &[Atom], text: &[u8], facts: &dyn Facts, fold: bool) -> Option<usize> {
    let mut at = 0;
    for atom in piece {
        let rest = text.get(at..)?;
        at += match atom {
            Atom::Text(expect) => begins(rest, expect, fold)?,
            Atom::One => character(rest)?,
            Atom::Variable(variable) => match (facts.value(&variable.key, 0), &variable.default) {
                (Some(value), _) => value.with_text(|expect| begins(rest, expect, fold))?,
                (None, Some(default)) => begins(rest, default, fold)?,
                (None, None) => return None,
            },
        };
    }
    Some(at)
}

fn begins(text: &[u8], expect: &[u8], fold: bool) -> Option<usize> {
    let start = text.get(..expect.len())?;
    let same = if fold { start.eq_ignore_ascii_case(expect) } else { start == expect };
    same.then_some(expect.len())
}

/// Bytes of the first character.
pub(super) fn character(text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let whole = text.get(..length).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok());
    Some(if whole { length } else { 1 })
}

/// Whether a character begins at `at`, or the text ends there.
fn is_boundary(text: &[u8], at: usize) -> bool {
    let covers = |back: usize| {
        let start = at.checked_sub(back).and_then(|start| text.get(start..));
        start.and_then(character).is_some_and(|length| length > back)
    };
    // Most of all bytes begin one: those inside have the bits 10 at the front.
    text.get(at).is_none_or(|byte| byte & 0xc0 != 0x80) || !(1..=3).any(covers)
}

/// `aws:username`, or `aws:username, 'nobody'`.
fn variable(text: &str) -> Result<Variable, String> {
    let (name, default) = match text.split_once(',') {
        None => (text, None),
        Some((name, default)) => {
            let default = default.trim().strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
            (name, Some(default.ok_or("a variable's default stands in single quotes")?.as_bytes().into()))
        }
    };
    let key = Key::of(name.trim()).ok_or_else(|| format!("`{}` is no variable", name.trim()))?;
    Ok(Variable { key, default })
}

/// The text of a piece that is nothing else.
fn plain(piece: &[Atom]) -> Option<&[u8]> {
    match piece {
        [] => Some(b""),
        [Atom::Text(text)] => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Glob, Patterns, Reading};
    use crate::auth::policy::facts::{Facts, Key, NoFacts, Value};

    const ALL: Reading = Reading { wildcards: true, variables: true, fold: false };

    struct Named;

    impl Facts for Named {
        fn value(&self, key: &Key, index: usize) -> Option<Value<'_>> {
            (*key == Key::Username && index == 0).then_some(Value::Text(b"a*b"))
        }
    }

    #[test]
    fn a_pattern_is_a_whole_text() {
        for (pattern, text, expect, why) in [
            ("*", "", true, "anything, also nothing"),
            ("a", "a", true, "itself"),
            ("a", "ab", false, "and no more"),
            ("a*", "ab/c:d", true, "reference 7.5: `*` crosses `/` and `:`"),
            ("a*", "a", true, "or is nothing"),
            ("*b", "aab", true, "an end"),
            ("*b", "ba", false, "no end"),
            ("a*b*c", "abbcabc", true, "backtracking"),
            ("a*b*c", "acb", false, "in order"),
            ("a*a", "a", false, "two are not one"),
            ("a?c", "abc", true, "one character"),
            ("a?c", "ac", false, "not none"),
            ("a?c", "a\u{1234}c", true, "a character is not a byte"),
            ("*?", "", false, "at least one"),
            ("*?b", "\u{1234}b", true, "one before an end"),
            ("**a**", "bab", true, "several are one"),
            ("*??", "\u{1234}", false, "nor is a part of it a character"),
            ("A", "a", false, "letter case"),
            ("${aws:username}", "a*b", true, "a variable"),
            ("${aws:username}", "axb", false, "its value is no pattern"),
            ("x/${aws:username}/*", "x/a*b/c", true, "amid others"),
            ("${aws:userid}", "", false, "one without value is no text"),
            ("${aws:userid, 'x'}y", "xy", true, "but for its default"),
            ("${aws:username, 'x'}", "x", false, "which is for that only"),
            ("${*}${?}${$}", "*?$", true, "characters that would mean something"),
            ("$x{}", "$x{}", true, "no variable"),
        ] {
            let glob = Glob::read(pattern, ALL).unwrap();
            assert_eq!(glob.matches(text.as_bytes(), &Named, false), expect, "{pattern} {text}: {why}");
            let set = Patterns::new(vec![glob], false);
            assert_eq!(set.have(text.as_bytes(), &Named), expect, "{pattern} {text}: {why}");
        }
        for wrong in ["${", "${aws:username", "${aws:nothing}", "${}", "${aws:userid, x}"] {
            assert!(Glob::read(wrong, ALL).is_err(), "{wrong}");
        }
        let literal =
            Glob::read("*?${aws:username}", Reading { wildcards: false, variables: false, fold: false }).unwrap();
        assert!(literal.matches(b"*?${aws:username}", &NoFacts, false));
    }

    #[test]
    fn a_set_has_what_one_of_its_patterns_has() {
        let set = |patterns: &[&str], fold| {
            let reading = Reading { fold, ..ALL };
            Patterns::new(patterns.iter().map(|text| Glob::read(text, reading).unwrap()).collect(), fold)
        };
        let many = set(&["b", "a", "ab*", "a*", "abc*", "xy*", "x*z", "?q"], false);
        for (text, expect) in [
            ("a", true),
            ("b", true),
            ("bb", false),
            ("abd", true),
            ("xyz", true),
            ("x", false),
            ("xz", true),
            ("qq", true),
            ("", false),
        ] {
            assert_eq!(many.have(text.as_bytes(), &NoFacts), expect, "{text}");
        }
        let folded = set(&["Abc", "x*Y", "${aws:username}z"], true);
        for (text, expect) in [("aBC", true), ("X1y", true), ("A*BZ", true), ("abcd", false)] {
            assert_eq!(folded.have(text.as_bytes(), &Named), expect, "{text}");
        }
        assert!(folded.are_settled(&Named) && !folded.are_settled(&NoFacts) && folded.asks_for(&Key::Username));
    }
}
