//! Conditions: an operator, a key, and the values that it is compared with.

use super::{
    facts::{self, Facts, Key, Value},
    pattern::{Glob, Patterns, Reading},
};
use crate::auth::address::{AddressSet, Network};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::cmp::Ordering;

/// One condition, compiled.
#[derive(Clone, Debug)]
pub struct Condition {
    operator: Operator,
    key: Key,
    test: Test,
}

/// An operator as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Which values of the key are asked.
    pub each: Each,
    /// What is compared, and how.
    pub base: Base,
    /// The opposite.
    pub not: bool,
    /// A missing key is no obstacle.
    pub if_exists: bool,
}

/// Which values of a key are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    /// The one there is. (Of several: any; for an operator with `Not`, all.)
    One,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// What is compared, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// `String…Equals`
    StringEquals,
    /// `String…EqualsIgnoreCase`
    StringEqualsIgnoreCase,
    /// `String…Like`
    StringLike,
    /// `Numeric…`
    Numeric(Compare),
    /// `Date…`
    Date(Compare),
    /// `Bool`
    Bool,
    /// `BinaryEquals`
    BinaryEquals,
    /// `…IpAddress`
    IpAddress,
    /// `Arn…Equals`, `Arn…Like`
    Arn,
    /// `Null`
    Null,
}

/// How two numbers or dates are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `Equals`
    Equals,
    /// `LessThan`
    Less,
    /// `LessThanEquals`
    LessOrEqual,
    /// `GreaterThan`
    Greater,
    /// `GreaterThanEquals`
    GreaterOrEqual,
}

/// Every operator without prefix and suffix: its name, what it is, whether it is the opposite.
pub const OPERATORS: &[(&str, Base, bool)] = &[
    ("StringEquals", Base::StringEquals, false),
    ("StringNotEquals", Base::StringEquals, true),
    ("StringEqualsIgnoreCase", Base::StringEqualsIgnoreCase, false),
    ("StringNotEqualsIgnoreCase", Base::StringEqualsIgnoreCase, true),
    ("StringLike", Base::StringLike, false),
    ("StringNotLike", Base::StringLike, true),
    ("NumericEquals", Base::Numeric(Compare::Equals), false),
    ("NumericNotEquals", Base::Numeric(Compare::Equals), true),
    ("NumericLessThan", Base::Numeric(Compare::Less), false),
    ("NumericLessThanEquals", Base::Numeric(Compare::LessOrEqual), false),
    ("NumericGreaterThan", Base::Numeric(Compare::Greater), false),
    ("NumericGreaterThanEquals", Base::Numeric(Compare::GreaterOrEqual), false),
    ("DateEquals", Base::Date(Compare::Equals), false),
    ("DateNotEquals", Base::Date(Compare::Equals), true),
    ("DateLessThan", Base::Date(Compare::Less), false),
    ("DateLessThanEquals", Base::Date(Compare::LessOrEqual), false),
    ("DateGreaterThan", Base::Date(Compare::Greater), false),
    ("DateGreaterThanEquals", Base::Date(Compare::GreaterOrEqual), false),
    ("Bool", Base::Bool, false),
    ("BinaryEquals", Base::BinaryEquals, false),
    ("IpAddress", Base::IpAddress, false),
    ("NotIpAddress", Base::IpAddress, true),
    ("ArnEquals", Base::Arn, false),
    ("ArnLike", Base::Arn, false),
    ("ArnNotEquals", Base::Arn, true),
    ("ArnNotLike", Base::Arn, true),
    ("Null", Base::Null, false),
];

/// The compiled values.
#[derive(Clone, Debug)]
enum Test {
    Text(Patterns),
    Arn(Vec<Option<[Glob; 6]>>),
    Number(Compare, Vec<f64>),
    Date(Compare, Vec<i64>),
    /// Whether false, and whether true will do.
    Bool([bool; 2]),
    Binary(Vec<Vec<u8>>),
    Address(AddressSet),
    /// Whether a key that is there, and whether one that is missing will do.
    Null([bool; 2]),
}

impl Operator {
    /// Reads an operator's name. Its letter case counts.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let (each, rest) = match name.split_once(':') {
            None => (Each::One, name),
            Some(("ForAllValues", rest)) => (Each::All, rest),
            Some(("ForAnyValue", rest)) => (Each::Any, rest),
            Some(_) => return None,
        };
        let (rest, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |rest| (rest, true));
        let (_, base, not) = OPERATORS.iter().find(|(known, ..)| *known == rest)?;
        // Whether a key is there cannot depend on that it is there, nor on its values.
        if *base == Base::Null && (if_exists || each != Each::One) {
            return None;
        }
        Some(Self { each, base: *base, not: *not, if_exists })
    }

    /// What a value may look like; `variables` where the policy's version has them.
    #[must_use]
    pub fn reading(self, variables: bool) -> Reading {
        let wildcards = matches!(self.base, Base::StringLike | Base::Arn);
        Reading { wildcards, variables, fold: self.base == Base::StringEqualsIgnoreCase }
    }
}

impl Condition {
    /// Compiles a condition.
    ///
    /// # Errors
    /// For each value that the operator cannot be asked about, its index and why.
    pub fn new(operator: Operator, key: Key, values: &[String], variables: bool) -> Result<Self, Vec<(usize, String)>> {
        let reading = operator.reading(variables);
        let test = match operator.base {
            Base::StringEquals | Base::StringEqualsIgnoreCase | Base::StringLike => {
                Test::Text(Patterns::new(each(values, |text| Glob::read(text, reading))?, reading.fold))
            }
            Base::Arn => Test::Arn(each(values, |text| arn(text, reading))?),
            Base::Numeric(how) => Test::Number(how, each(values, |text| facts::number(text).ok_or("no number"))?),
            Base::Date(how) => Test::Date(how, each(values, |text| facts::moment(text).ok_or("no date of ISO 8601"))?),
            Base::Bool => Test::Bool(flags(&each(values, |text| facts::bool(text).ok_or("neither true nor false"))?)),
            Base::Null => Test::Null(flags(&each(values, |text| facts::bool(text).ok_or("neither true nor false"))?)),
            Base::BinaryEquals => {
                Test::Binary(each(values, |text| BASE64_STANDARD.decode(text).map_err(|_| "no Base64"))?)
            }
            Base::IpAddress => {
                let networks = each(values, |text| Network::parse_loosely(text).map_err(|wrong| wrong.to_string()))?;
                Test::Address(AddressSet::new(networks))
            }
        };
        Ok(Self { operator, key, test })
    }

    /// Whether it holds. A text whose variables have no values is like no other text; a statement that `allows` does not apply
    /// for the reason that something is unlike such a text.
    #[must_use]
    pub fn holds(&self, facts: &dyn Facts, allows: bool) -> bool {
        let mut values = (0..).map_while(|index| facts.value(&self.key, index)).peekable();
        if let Test::Null([there, missing]) = self.test {
            return if values.peek().is_some() { there } else { missing };
        }
        let Operator { each, not, if_exists, .. } = self.operator;
        if values.peek().is_none() {
            return match each {
                _ if if_exists => true,
                Each::All => true,
                Each::Any => false,
                Each::One => not,
            };
        }
        if not && allows && !self.is_settled(facts) {
            return false;
        }
        let mut holds = |value| self.test.is(value, facts) != not;
        match (each, not) {
            (Each::All, _) | (Each::One, true) => values.all(&mut holds),
            (Each::Any, _) | (Each::One, false) => values.any(&mut holds),
        }
    }

    /// Whether it asks for `key`.
    #[must_use]
    pub fn asks_for(&self, key: &Key) -> bool {
        self.key == *key
            || match &self.test {
                Test::Text(patterns) => patterns.asks_for(key),
                Test::Arn(arns) => arns.iter().flatten().flatten().any(|part| part.asks_for(key)),
                _ => false,
            }
    }

    fn is_settled(&self, facts: &dyn Facts) -> bool {
        match &self.test {
            Test::Text(patterns) => patterns.are_settled(facts),
            Test::Arn(arns) => arns.iter().flatten().flatten().all(|part| part.is_settled(facts)),
            _ => true,
        }
    }
}

impl Test {
    /// Whether a value is one of those that the condition has.
    fn is(&self, value: Value<'_>, facts: &dyn Facts) -> bool {
        match self {
            Self::Text(patterns) => value.with_text(|text| patterns.have(text, facts)),
            Self::Arn(arns) => value.with_text(|text| is_arn(arns, text, facts)),
            Self::Number(how, numbers) => {
                value.number().is_some_and(|value| numbers.iter().any(|number| how.holds(value.partial_cmp(number))))
            }
            Self::Date(how, moments) => {
                value.moment().is_some_and(|value| moments.iter().any(|moment| how.holds(Some(value.cmp(moment)))))
            }
            Self::Bool(accepted) => value.bool().is_some_and(|value| accepted[usize::from(value)]),
            Self::Binary(all) => value.with_text(|text| all.iter().any(|bytes| bytes == text)),
            Self::Address(set) => value.address().is_some_and(|address| set.contains(address)),
            Self::Null(_) => false,
        }
    }
}

impl Compare {
    /// Whether it holds of two things of this order.
    #[must_use]
    pub fn holds(self, order: Option<Ordering>) -> bool {
        let Some(order) = order else { return false };
        match self {
            Self::Equals => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// Reads every value, or says what is wrong with which.
fn each<T, E: Into<String>>(
    values: &[String],
    read: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, Vec<(usize, String)>> {
    let (mut all, mut wrong) = (Vec::with_capacity(values.len()), Vec::new());
    for (index, value) in values.iter().enumerate() {
        match read(value) {
            Ok(value) => all.push(value),
            Err(why) => wrong.push((index, why.into())),
        }
    }
    if wrong.is_empty() { Ok(all) } else { Err(wrong) }
}

/// Which of false and true are there.
fn flags(values: &[bool]) -> [bool; 2] {
    [values.contains(&false), values.contains(&true)]
}

/// A pattern for ARNs: six parts, each a pattern; `None` for `*`, which is every ARN.
fn arn(text: &str, reading: Reading) -> Result<Option<[Glob; 6]>, String> {
    if text == "*" {
        return Ok(None);
    }
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if reading.variables && text[..at].ends_with('$') => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b':' if depth == 0 && parts.len() < 5 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    let parts = parts.into_iter().map(|part| Glob::read(part, reading)).collect::<Result<Vec<_>, _>>()?;
    parts.try_into().map(Some).map_err(|_| "no ARN: it has six parts with colons between them".to_owned())
}

fn is_arn(arns: &[Option<[Glob; 6]>], text: &[u8], facts: &dyn Facts) -> bool {
    let mut parts = [&b""[..]; 6];
    let mut count = 0;
    for (part, place) in text.splitn(6, |b| *b == b':').zip(&mut parts) {
        *place = part;
        count += 1;
    }
    count == parts.len()
        && arns.iter().any(|arn| {
            let Some(arn) = arn else { return true };
            arn.iter().zip(parts).all(|(pattern, part)| pattern.matches(part, facts, false))
        })
}
