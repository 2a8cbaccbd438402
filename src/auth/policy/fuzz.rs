//! The body of the fuzz target `policy`, and what the property tests of this room draw from.
//!
//! Whatever the bytes are: reading returns, findings point into the document, and a document that is taken says the same compiled
//! and read word by word.

use super::{Action, Facts, Key, Kind, Policy, Principal, Request, Value, json, naive};
use crate::base::{limits, prng::Prng};

/// Reads a document and, if it is one, asks it about requests that its bytes choose.
///
/// # Panics
/// Where a promise is broken.
pub fn fuzz_policy(data: &[u8]) {
    let Some((seed, text)) = data.split_at_checked(4) else { return };
    let kind = if seed[0] & 1 == 0 { Kind::Resource } else { Kind::Identity };
    let policy = Policy::parse(text, kind);
    let Ok(document) = json::parse(text) else {
        assert!(policy.is_err(), "taken, and no JSON");
        return;
    };
    match policy {
        Ok(policy) => agree(&policy, &document, u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]])),
        Err(findings) => {
            assert!(!findings.is_empty() && findings.len() <= limits::POLICY_FINDINGS_MAX);
            for finding in findings {
                assert!(document.pointer(&finding.pointer).is_some(), "{finding}");
            }
        }
    }
}

/// Compares the two readings for some requests.
///
/// # Panics
/// If they differ.
pub fn agree(policy: &Policy, document: &serde_json::Value, seed: u32) {
    let mut chance = Prng::new(u64::from(seed));
    for _ in 0..4 {
        let sample = Sample::draw(&mut chance);
        for action in Action::ALL {
            let request = sample.request(action);
            let (compiled, naive) = (policy.evaluate(&request), naive::evaluate(document, &request));
            assert_eq!(compiled, naive, "{request:?} {sample:?} {document}");
        }
    }
}

/// A request that was drawn.
#[derive(Clone, Debug)]
pub struct Sample {
    arn: String,
    stage_at: usize,
    user: Option<(String, String)>,
    facts: Vec<(Key, Vec<Drawn>)>,
}

#[derive(Clone, Debug)]
enum Drawn {
    Text(String),
    Number(i64),
    Bool(bool),
    Time(u64),
    Address(std::net::IpAddr),
}

impl Sample {
    /// A request, from few values, so that policies with the same values often apply.
    #[must_use]
    pub fn draw(chance: &mut Prng) -> Self {
        let account = pick(chance, ACCOUNTS);
        let api = format!("arn:aws:execute-api:eu-west-1:{account}:shop");
        let arn = format!(
            "{api}/{}/{}/{}",
            pick(chance, &["prod", "test"]),
            pick(chance, &["GET", "PUT"]),
            pick(chance, PATHS)
        );
        let name = pick(chance, NAMES);
        let of = pick(chance, ACCOUNTS);
        let user = (!chance.one_in(3)).then(|| (format!("arn:aws:iam::{of}:user/{name}"), of.to_owned()));
        let mut facts = Vec::new();
        for key in KEYS {
            let Some(key) = Key::of(key).filter(|_| !chance.one_in(3)) else { continue };
            let count = if chance.one_in(4) { 2 } else { 1 };
            facts.push((key.clone(), (0..count).map(|_| drawn(&key, chance)).collect()));
        }
        Self { arn, stage_at: api.len(), user, facts }
    }

    /// As a policy is asked about it.
    #[must_use]
    pub fn request(&self, action: Action) -> Request<'_> {
        let principal =
            self.user.as_ref().map_or(Principal::Anonymous, |(arn, account)| Principal::User { arn, account });
        Request { action, arn: self.arn.as_bytes(), stage_at: self.stage_at, principal, facts: self }
    }
}

impl Facts for Sample {
    fn value(&self, key: &Key, index: usize) -> Option<Value<'_>> {
        let (_, values) = self.facts.iter().find(|(known, _)| known == key)?;
        Some(match values.get(index)? {
            Drawn::Text(text) => Value::Text(text.as_bytes()),
            Drawn::Number(value) => Value::Number(*value),
            Drawn::Bool(value) => Value::Bool(*value),
            Drawn::Time(value) => Value::Time(*value),
            Drawn::Address(value) => Value::Address(*value),
        })
    }
}

/// A document that is a policy, from few values.
#[must_use]
pub fn document(kind: Kind, chance: &mut Prng) -> serde_json::Value {
    let statements: Vec<_> = (0..=chance.below(3)).map(|_| statement(kind, chance)).collect();
    let version = pick(chance, &["2012-10-17", "2012-10-17", "2008-10-17"]);
    serde_json::json!({ "Version": version, "Statement": statements })
}

fn statement(kind: Kind, chance: &mut Prng) -> serde_json::Value {
    let mut one = serde_json::Map::new();
    let mut put = |name: &str, not: &str, value: serde_json::Value, negated: bool| {
        one.insert(if negated { not.to_owned() } else { name.to_owned() }, value);
    };
    put("Effect", "", pick(chance, &["Allow", "Allow", "Deny"]).into(), false);
    let actions = ["execute-api:Invoke", "EXECUTE-API:*", "*", "execute-api:?nvalidate*", "s3:GetObject"];
    put("Action", "NotAction", list(chance, &actions), chance.one_in(5));
    put("Resource", "NotResource", list(chance, RESOURCES), chance.one_in(5));
    if kind == Kind::Resource {
        let principal =
            if chance.one_in(2) { "*".into() } else { serde_json::json!({ "AWS": list(chance, PRINCIPALS) }) };
        put("Principal", "NotPrincipal", principal, chance.one_in(5));
    }
    let mut conditions = serde_json::Map::new();
    for _ in 0..chance.below(3) {
        let (operators, keys, values) = CONDITIONS[index(chance, CONDITIONS.len())];
        let operator = pick(chance, operators);
        let each = if operator == "Null" { "" } else { pick(chance, &["", "", "", "ForAllValues:", "ForAnyValue:"]) };
        let suffix = if operator == "Null" || !chance.one_in(4) { "" } else { "IfExists" };
        let key = pick(chance, keys);
        let values = if operator == "Null" { list(chance, &["true", "false"]) } else { list(chance, values) };
        conditions.insert(format!("{each}{operator}{suffix}"), serde_json::json!({ key: values }));
    }
    put("Condition", "", conditions.into(), false);
    one.into()
}

fn list(chance: &mut Prng, from: &[&str]) -> serde_json::Value {
    if chance.one_in(2) {
        return pick(chance, from).into();
    }
    (0..=chance.below(3)).map(|_| pick(chance, from)).collect::<Vec<_>>().into()
}

fn drawn(key: &Key, chance: &mut Prng) -> Drawn {
    let number = |chance: &mut Prng| 1_440_938_160 + i64::try_from(chance.below(3)).unwrap_or(0);
    match key {
        Key::SourceIp | Key::VpcSourceIp => {
            let text = pick(chance, ADDRESSES);
            text.parse().map_or_else(|_| Drawn::Text(text.to_owned()), Drawn::Address)
        }
        Key::CurrentTime => Drawn::Time(number(chance).unsigned_abs()),
        Key::EpochTime | Key::MultiFactorAuthAge => Drawn::Number(number(chance)),
        Key::SecureTransport | Key::MultiFactorAuthPresent => Drawn::Bool(chance.one_in(2)),
        Key::SourceArn | Key::PrincipalArn => Drawn::Text(pick(chance, ARNS).to_owned()),
        _ => Drawn::Text(pick(chance, NAMES).to_owned()),
    }
}

fn pick<'t>(chance: &mut Prng, from: &[&'t str]) -> &'t str {
    from[index(chance, from.len())]
}

fn index(chance: &mut Prng, length: usize) -> usize {
    usize::try_from(chance.below(length as u64)).unwrap_or(0)
}

const ACCOUNTS: &[&str] = &["123456789012", "210987654321"];
const NAMES: &[&str] = &["ada", "Ada", "a*a", "\u{e4}da", "", "ab"];
const PATHS: &[&str] = &["", "pets", "pets/1", "ada", "a*a", "x/y/z", "\u{1234}"];
const ADDRESSES: &[&str] = &["192.0.2.1", "192.0.2.200", "::ffff:192.0.2.1", "2001:db8::1", "::1"];
const ARNS: &[&str] =
    &["arn:aws:iam::123456789012:user/ada", "arn:aws:sns:eu-west-1:123456789012:a:b", "no:arn", "arn:aws:::::"];
const PRINCIPALS: &[&str] =
    &["*", "123456789012", "arn:aws:iam::210987654321:root", "arn:aws:iam::123456789012:user/ada"];
const RESOURCES: &[&str] = &[
    "*",
    "arn:aws:execute-api:eu-west-1:123456789012:shop/prod/GET/pets",
    "arn:aws:execute-api:eu-west-1:123456789012:shop/*",
    "arn:aws:execute-api:*:*:shop/test/???/*",
    "execute-api:/prod/GET/pets",
    "execute-api:/prod/*",
    "execute-api:/*/PUT/*s/?",
    "execute-api:*",
    "execute-api:/*/GET/${aws:username}",
    "execute-api:/*/GET/${aws:userid, 'pets'}*",
    "*/??",
];
const KEYS: &[&str] = &[
    "aws:SourceIp",
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:SecureTransport",
    "aws:SourceArn",
    "aws:UserAgent",
    "aws:username",
    "aws:PrincipalTag/team",
    "aws:PrincipalOrgPaths",
];

/// Operators, the keys that they are asked about, and values for them.
type Conditions = (&'static [&'static str], &'static [&'static str], &'static [&'static str]);

const CONDITIONS: &[Conditions] = &[
    (
        &[
            "StringEquals",
            "StringNotEquals",
            "StringEqualsIgnoreCase",
            "StringNotEqualsIgnoreCase",
            "StringLike",
            "StringNotLike",
        ],
        &[
            "aws:UserAgent",
            "aws:username",
            "aws:PrincipalTag/Team",
            "aws:PrincipalOrgPaths",
            "aws:SourceIp",
            "aws:CurrentTime",
        ],
        &[
            "ada",
            "A*",
            "*a",
            "?da",
            "a${*}a",
            "${aws:username}",
            "${aws:userid}",
            "${aws:userid, 'ab'}",
            "192.*",
            "2015-*",
            "",
        ],
    ),
    (
        &[
            "NumericEquals",
            "NumericNotEquals",
            "NumericLessThan",
            "NumericLessThanEquals",
            "NumericGreaterThan",
            "NumericGreaterThanEquals",
        ],
        &["aws:EpochTime", "aws:UserAgent"],
        &["1440938160", "1440938161.0", "1440938161.5", "-1", "0"],
    ),
    (
        &[
            "DateEquals",
            "DateNotEquals",
            "DateLessThan",
            "DateLessThanEquals",
            "DateGreaterThan",
            "DateGreaterThanEquals",
        ],
        &["aws:CurrentTime", "aws:EpochTime", "aws:UserAgent"],
        &["2015-08-30T12:36:01Z", "2015-08-30", "2015-08-30T14:36:01+02:00", "1440938162"],
    ),
    (&["Bool"], &["aws:SecureTransport", "aws:username"], &["true", "false", "True"]),
    (
        &["IpAddress", "NotIpAddress"],
        &["aws:SourceIp", "aws:username"],
        &["192.0.2.0/25", "192.0.2.1", "::ffff:192.0.2.0/120", "2001:db8::/32", "::/0", "0.0.0.0/0", "::ffff:0:0/90"],
    ),
    (
        &["ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"],
        &["aws:SourceArn", "aws:username"],
        &[
            "arn:aws:iam::123456789012:user/ada",
            "arn:aws:*:*:*:*",
            "arn:*:sns:eu-*:123456789012:a*",
            "*",
            "a:b:c:d:e:f",
        ],
    ),
    (&["Null"], &["aws:SourceArn", "aws:username", "aws:PrincipalOrgPaths"], &["true"]),
    (&["BinaryEquals"], &["aws:username", "aws:UserAgent"], &["YWRh", "w6RkYQ==", ""]),
];
