//! Parameters: found in the path, the query, header fields and cookies, read as their schema's types, and checked.
//!
//! Styles are those of OpenAPI 3.1, section 4.8.12 ("Style Values").

use super::{
    Problem, Refusal, Schema, json,
    problem::At,
    shape::{Shape, Types},
    values::{self, decode},
};
use crate::http::head::RequestHead;
use serde_json::{Map, Value};
use std::{borrow::Cow, sync::Arc};

/// Where a parameter stands. The order is the one in which missing ones are told (reference, section 7.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Where {
    /// In a cookie.
    Cookie,
    /// In a header field; letter case does not count (RFC 9110 §5.1).
    Header,
    /// In the path.
    Path,
    /// In the query.
    Query,
}

impl Where {
    /// As OpenAPI calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Header => "header",
            Self::Path => "path",
            Self::Query => "query",
        }
    }
}

/// How lists and objects are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `a,b`
    Simple,
    /// `.a.b`
    Label,
    /// `;name=a;name=b`
    Matrix,
    /// `name=a&name=b`
    Form,
    /// `name=a%20b`
    SpaceDelimited,
    /// `name=a|b`
    PipeDelimited,
    /// `name[a]=1&name[b]=2`
    DeepObject,
}

/// One parameter of a route.
#[derive(Debug)]
pub struct Parameter {
    /// Where it stands.
    pub place: Where,
    /// Its name.
    pub name: String,
    /// It must be there, and not blank.
    pub required: bool,
    /// An empty value is fine whatever the schema says.
    pub allow_empty: bool,
    /// How lists and objects are written.
    pub style: Style,
    /// Each element of them has a name of its own.
    pub explode: bool,
    /// What its text may be read as.
    pub shape: Shape,
    /// Its text is JSON.
    pub is_json: bool,
    /// What it must be.
    pub schema: Option<Arc<Schema>>,
    /// Index among the parameters of the route's path, where it stands there.
    pub index: usize,
}

/// The request whose parameters are checked.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// The bytes that the head's spans point into.
    pub bytes: &'a [u8],
    /// The path parameter of an index, still encoded.
    pub path: &'a dyn Fn(usize) -> &'a [u8],
}

impl std::fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asked").field("head", self.head).finish_non_exhaustive()
    }
}

/// Checks all of `parameters`. What is wrong goes to `problem`.
///
/// # Errors
/// Some are missing, or not what their schema says.
pub fn check(parameters: &[Parameter], asked: &Asked<'_>, problem: &mut Problem) -> Result<(), Refusal> {
    if parameters.iter().any(|parameter| parameter.is_missing(asked)) {
        return Err(missing(parameters, asked, problem));
    }
    let mut wrong = Vec::new();
    for parameter in parameters {
        if let Err(why) = parameter.check(asked) {
            if wrong.is_empty() {
                problem.begin();
            }
            problem.add(At::Parameter(parameter.place.name(), &parameter.name), &why);
            wrong.push(parameter.name.as_str());
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    problem.end_with_names("Invalid request parameters", wrong.into_iter());
    Err(Refusal::Parameters)
}

#[cold]
fn missing(parameters: &[Parameter], asked: &Asked<'_>, problem: &mut Problem) -> Refusal {
    problem.begin();
    let missing = || parameters.iter().filter(|parameter| parameter.is_missing(asked));
    for parameter in missing() {
        problem.add(At::Parameter(parameter.place.name(), &parameter.name), "is missing");
    }
    problem.end_with_names("Missing required request parameters", missing().map(|p| p.name.as_str()));
    Refusal::Parameters
}

/// A name, as far as one is written, and a value, both still encoded.
type Pair<'a> = (Cow<'a, [u8]>, Cow<'a, [u8]>);
/// The same of an object's member.
type Member<'a> = (Cow<'a, [u8]>, &'a [u8]);

/// What is wrong with a parameter.
type Wrong = Cow<'static, str>;

const MALFORMED: Wrong = Cow::Borrowed("is not percent-encoded UTF-8");
const UNREADABLE: Wrong = Cow::Borrowed("is not written in its style");

impl Parameter {
    /// Whether it is required, and not there or blank.
    #[must_use]
    pub fn is_missing(&self, asked: &Asked<'_>) -> bool {
        self.required && !self.raw(asked).iter().any(|(_, value)| !self.is_blank(value))
    }

    /// Whether there is nothing in a value but blanks, encoded or not.
    fn is_blank(&self, raw: &[u8]) -> bool {
        self.text(raw).is_some_and(|text| text.trim().is_empty())
    }

    fn check(&self, asked: &Asked<'_>) -> Result<(), Wrong> {
        let Some(schema) = &self.schema else { return Ok(()) };
        let raw = self.raw(asked);
        if raw.is_empty() || self.allow_empty && raw.iter().all(|(_, value)| value.is_empty()) {
            return Ok(());
        }
        if self.is_json {
            for (_, value) in &raw {
                let text = self.text(value).ok_or(MALFORMED)?;
                let value = json::parse(text.as_bytes()).map_err(Cow::Owned)?;
                judge(schema, value)?;
            }
            return Ok(());
        }
        let declared = self.instances(&raw, None)?;
        for (index, value) in declared.into_iter().enumerate() {
            let Err(invalid) = schema.check(value) else { continue };
            // A schema without types says nothing about how to read a text: another reading may be the one that is meant.
            let other =
                if self.is_open() { self.instances(&raw, Some(Types::ANY))?.into_iter().nth(index) } else { None };
            if other.is_none_or(|other| schema.check(other).is_err()) {
                return Err(Cow::Owned(schema.first(&invalid)));
            }
        }
        Ok(())
    }

    fn is_open(&self) -> bool {
        match &self.shape {
            Shape::Scalar(types) | Shape::Array(types) => types.is_open(),
            Shape::Object(named, others) => others.is_open() || named.iter().any(|(_, types)| types.is_open()),
        }
    }

    /// What is there of it, still encoded: the name in full and the value.
    fn raw<'a>(&self, asked: &Asked<'a>) -> Vec<Pair<'a>> {
        let Asked { head, bytes, path } = *asked;
        match self.place {
            Where::Path => vec![(Cow::Borrowed(&[][..]), Cow::Borrowed(path(self.index)))],
            Where::Query => values::pairs(head.query.of(bytes))
                .filter(|(name, _)| self.is_named(name, true))
                .map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value)))
                .collect(),
            Where::Header => {
                let name = self.name.as_bytes();
                let mut lines = head.fields.iter().filter(|line| line.name.of(bytes).eq_ignore_ascii_case(name));
                let Some(first) = lines.next() else { return Vec::new() };
                let mut value = Cow::Borrowed(first.value.of(bytes));
                for line in lines {
                    // RFC 9110 §5.3
                    let all = value.to_mut();
                    all.push(b',');
                    all.extend_from_slice(line.value.of(bytes));
                }
                vec![(Cow::Borrowed(&[][..]), value)]
            }
            Where::Cookie => {
                let lines = head.fields.iter().filter(|line| line.name.of(bytes).eq_ignore_ascii_case(b"cookie"));
                lines
                    .flat_map(|line| values::cookies(line.value.of(bytes)))
                    .filter(|(name, _)| self.is_named(name, false))
                    .map(|(name, value)| (Cow::Borrowed(name), Cow::Borrowed(value)))
                    .collect()
            }
        }
    }

    /// Whether a pair of the query or a cookie of the name `raw` is this parameter or a part of it.
    fn is_named(&self, raw: &[u8], plus: bool) -> bool {
        let decoded = decode(raw, plus);
        let Some(name) = decoded.as_deref() else { return false };
        match (&self.shape, self.style) {
            (Shape::Object(..), Style::DeepObject) => member(name, &self.name).is_some(),
            (Shape::Object(named, _), Style::Form) if self.explode => named.iter().any(|(own, _)| own == name),
            _ => name == self.name,
        }
    }

    /// The text of `raw`. Header fields are not percent-encoded; cookies often are not.
    fn text<'r>(&self, raw: &'r [u8]) -> Option<Cow<'r, str>> {
        match self.place {
            Where::Header => std::str::from_utf8(raw.trim_ascii()).ok().map(Cow::Borrowed),
            Where::Cookie => decode(raw, false).or_else(|| std::str::from_utf8(raw).ok().map(Cow::Borrowed)),
            Where::Path => decode(raw, false),
            Where::Query => decode(raw, true),
        }
    }

    /// The values that are there, each of which must be as the schema says; texts are read as `types`, or as the shape says.
    fn instances(&self, raw: &[Pair<'_>], types: Option<Types>) -> Result<Vec<Value>, Wrong> {
        let read =
            |own: Types, raw: &[u8]| self.text(raw).map(|text| types.unwrap_or(own).read(&text)).ok_or(MALFORMED);
        match &self.shape {
            Shape::Scalar(own) => {
                let one = |value: &[u8]| self.strip(value).and_then(|value| read(*own, value));
                raw.iter().map(|(_, value)| one(value)).collect()
            }
            Shape::Array(own) if self.is_spread() => {
                let all = raw.iter().map(|(_, value)| read(*own, value)).collect::<Result<_, _>>()?;
                Ok(vec![Value::Array(all)])
            }
            Shape::Array(own) => {
                let list = |value: &[u8]| -> Result<Value, Wrong> {
                    let elements = self.elements(value)?;
                    Ok(Value::Array(elements.into_iter().map(|value| read(*own, value)).collect::<Result<_, _>>()?))
                };
                raw.iter().map(|(_, value)| list(value)).collect()
            }
            Shape::Object(named, others) => {
                let of = |name: &str| named.iter().find(|(own, _)| own == name).map_or(*others, |(_, types)| *types);
                let make = |pairs: Vec<Member<'_>>| -> Result<Value, Wrong> {
                    let mut members = Map::new();
                    for (name, value) in pairs {
                        let name = self.text(&name).ok_or(MALFORMED)?.into_owned();
                        let value = read(of(&name), value)?;
                        if members.insert(name, value).is_some() {
                            return Err(Cow::Borrowed("has a member twice"));
                        }
                    }
                    Ok(Value::Object(members))
                };
                if self.style == Style::DeepObject || self.is_spread() {
                    return Ok(vec![make(raw.iter().map(|(name, value)| (self.key(name), &**value)).collect())?]);
                }
                raw.iter().map(|(_, value)| make(self.members(value)?)).collect()
            }
        }
    }

    /// Elements or members have pairs of their own in the query or among the cookies.
    fn is_spread(&self) -> bool {
        self.explode && !matches!(self.style, Style::Simple | Style::Label | Style::Matrix)
    }

    /// The name of a member in a pair's name.
    fn key<'r>(&self, name: &'r [u8]) -> Cow<'r, [u8]> {
        if self.style != Style::DeepObject {
            return Cow::Borrowed(name);
        }
        let decoded = decode(name, true).unwrap_or_default();
        Cow::Owned(member(&decoded, &self.name).unwrap_or_default().as_bytes().to_vec())
    }

    /// A single value without what its style puts before it.
    fn strip<'r>(&self, raw: &'r [u8]) -> Result<&'r [u8], Wrong> {
        match self.style {
            Style::Label => raw.strip_prefix(b".").ok_or(UNREADABLE),
            Style::Matrix => {
                let (name, value) = values::cut(raw.strip_prefix(b";").ok_or(UNREADABLE)?, b'=');
                if self.text(name).as_deref() == Some(&self.name) { Ok(value) } else { Err(UNREADABLE) }
            }
            _ => Ok(raw),
        }
    }

    /// The elements of a list that is written as one value.
    fn elements<'r>(&self, raw: &'r [u8]) -> Result<Vec<&'r [u8]>, Wrong> {
        if raw.is_empty() {
            return Ok(Vec::new());
        }
        let comma: &[&[u8]] = &[b","];
        Ok(match self.style {
            Style::Label if self.explode => values::split(self.strip(raw)?, &[b"."]),
            Style::Label => values::split(self.strip(raw)?, comma),
            Style::Matrix if self.explode => {
                let parts = values::split(raw.strip_prefix(b";").ok_or(UNREADABLE)?, &[b";"]);
                let one = |part: &'r [u8]| {
                    let (name, value) = values::cut(part, b'=');
                    if self.text(name).as_deref() == Some(&self.name) { Ok(value) } else { Err(UNREADABLE) }
                };
                parts.into_iter().map(one).collect::<Result<_, _>>()?
            }
            Style::Matrix => values::split(self.strip(raw)?, comma),
            Style::SpaceDelimited => values::split(raw, &[b"%20", b"+"]),
            Style::PipeDelimited => values::split(raw, &[b"|", b"%7C"]),
            Style::Simple | Style::Form | Style::DeepObject => values::split(raw, comma),
        })
    }

    /// The members of an object that is written as one value.
    fn members<'r>(&self, raw: &'r [u8]) -> Result<Vec<Member<'r>>, Wrong> {
        if self.explode {
            let raw = match self.style {
                Style::Label => raw.strip_prefix(b".").ok_or(UNREADABLE)?,
                Style::Matrix => raw.strip_prefix(b";").ok_or(UNREADABLE)?,
                _ => raw,
            };
            let delimiter: &[u8] = match self.style {
                Style::Label => b".",
                Style::Matrix => b";",
                _ => b",",
            };
            let named = |part: &'r [u8]| {
                let (name, value) = values::cut(part, b'=');
                (Cow::Borrowed(name), value)
            };
            return Ok(values::split(raw, &[delimiter]).into_iter().map(named).collect());
        }
        let parts = self.elements(raw)?;
        let pairs = parts.chunks(2).map(|pair| match pair {
            [name, value] => Ok((Cow::Borrowed(*name), *value)),
            _ => Err(UNREADABLE),
        });
        pairs.collect()
    }
}

fn judge(schema: &Schema, value: Value) -> Result<(), Wrong> {
    schema.check(value).map_err(|invalid| Cow::Owned(schema.first(&invalid)))
}

/// `b` of `a[b]`.
fn member<'n>(name: &'n str, parameter: &str) -> Option<&'n str> {
    name.strip_prefix(parameter)?.strip_prefix('[')?.strip_suffix(']')
}
