use super::{
    Action, Decision, Facts, Key, Kind, Outcome, Policy, Principal, Request, Value,
    fuzz::{agree, document},
};
use crate::base::prng::Prng;
use proptest::prelude::*;
use serde_json::json;
use std::net::IpAddr;

/// A request to `GET /pets/1` of the stage `prod`.
struct Asked {
    address: IpAddr,
    agent: &'static str,
    now: u64,
    secure: bool,
    user: Option<&'static str>,
    teams: &'static [&'static str],
}

const ASKED: Asked = Asked {
    address: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7)),
    agent: "curl/8",
    now: 1_440_938_160,
    secure: true,
    user: Some("ada"),
    teams: &["blue", "red"],
};

impl Facts for Asked {
    fn value(&self, key: &Key, index: usize) -> Option<Value<'_>> {
        let one = |value| if index == 0 { Some(value) } else { None };
        match key {
            Key::SourceIp => one(Value::Address(self.address)),
            Key::UserAgent => one(Value::Text(self.agent.as_bytes())),
            Key::CurrentTime => one(Value::Time(self.now)),
            Key::EpochTime => one(Value::Number(i64::try_from(self.now).unwrap())),
            Key::SecureTransport => one(Value::Bool(self.secure)),
            Key::Username => one(Value::Text(self.user?.as_bytes())),
            Key::PrincipalArn => one(Value::Text(b"arn:aws:iam::123456789012:user/ada")),
            Key::PrincipalOrgPaths => self.teams.get(index).map(|team| Value::Text(team.as_bytes())),
            _ => None,
        }
    }
}

fn ask(policy: &Policy, asked: &Asked, arn: &str) -> Outcome {
    let principal = Principal::User { arn: "arn:aws:iam::123456789012:user/ada", account: "123456789012" };
    let principal = asked.user.map_or(Principal::Anonymous, |_| principal);
    let stage_at = arn.find('/').unwrap();
    policy.evaluate(&Request { action: Action::Invoke, arn: arn.as_bytes(), stage_at, principal, facts: asked })
}

const ARN: &str = "arn:aws:execute-api:eu-west-1:123456789012:shop/prod/GET/pets/1";

fn policy(statements: &serde_json::Value) -> Policy {
    let document = json!({ "Version": "2012-10-17", "Statement": statements });
    Policy::parse(document.to_string().as_bytes(), Kind::Resource).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

/// A statement for everyone, everything, under a condition.
fn when(condition: &serde_json::Value) -> Policy {
    policy(&json!({ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition }))
}

#[test]
fn a_deny_wins_and_silence_is_neither() {
    let allow = json!({ "Sid": "in", "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/prod/*" });
    let deny = json!({ "Effect": "Deny", "Principal": "*", "Action": "execute-api:*", "Resource": "execute-api:/*/GET/pets/*" });
    let cases = [
        (json!([allow]), Outcome::Allow, Some(0), "allowed"),
        (json!([deny]), Outcome::Deny, Some(0), "denied"),
        (json!([allow, deny]), Outcome::Deny, Some(1), "reference 7.5: any matching deny"),
        (json!([deny, allow]), Outcome::Deny, Some(0), "in any order"),
        (json!([allow, allow]), Outcome::Allow, Some(0), "the first that allows is named"),
        (json!([]), Outcome::Silent, None, "nothing"),
    ];
    for (statements, outcome, statement, why) in cases {
        let policy = policy(&statements);
        let facts = ASKED;
        let stage_at = ARN.find('/').unwrap();
        let request = |arn: &'static str| Request {
            action: Action::Invoke,
            arn: arn.as_bytes(),
            stage_at,
            principal: Principal::Anonymous,
            facts: &facts,
        };
        assert_eq!(policy.decide(&request(ARN)), Decision { outcome, statement }, "{why}");
        let elsewhere = "arn:aws:execute-api:eu-west-1:123456789012:shop/test/PUT/pets";
        assert_eq!(policy.evaluate(&request(elsewhere)), Outcome::Silent, "{why}: elsewhere");
    }
    let policy = policy(&json!([allow, deny]));
    assert_eq!((policy.sid(0), policy.sid(1), policy.len(), policy.is_empty()), (Some("in"), None, 2, false));
}

#[test]
fn resources_are_patterns_over_the_method_s_arn() {
    for (resource, expect, why) in [
        ("*", true, "everything"),
        (ARN, true, "itself"),
        (
            "arn:aws:execute-api:eu-west-1:123456789012:shop/prod/GET/pets",
            false,
            "reference 7.5: shorter, and no `*` at its end",
        ),
        ("arn:aws:execute-api:eu-west-1:123456789012:shop/prod/GET/pets*", true, "with one"),
        ("arn:aws:execute-api:*:*:*/*/GET/pets/?", true, "one character"),
        ("arn:aws:execute-api:*/1", true, "reference 7.5: `*` crosses `/` and `:`"),
        ("execute-api:/prod/GET/pets/1", true, "reference 7.5: the short form"),
        ("execute-api:/prod/*", true, "with a pattern"),
        ("execute-api:/*", true, "all of the API"),
        ("execute-api:/GET/*", false, "it begins with the stage"),
        ("execute-api:/prod/get/*", false, "letter case counts"),
        ("execute-api:/prod/GET/pets/${aws:username}", false, "a variable"),
        ("arn:aws:s3:::bucket", false, "for something else"),
    ] {
        let statement = |name: &str| json!({ "Effect": "Allow", "Principal": "*", "Action": "*", name: resource });
        let outcome = |expect| if expect { Outcome::Allow } else { Outcome::Silent };
        assert_eq!(ask(&policy(&statement("Resource")), &ASKED, ARN), outcome(expect), "{resource}: {why}");
        assert_eq!(ask(&policy(&statement("NotResource")), &ASKED, ARN), outcome(!expect), "not {resource}: {why}");
    }
}

#[test]
fn actions_and_principals_are_for_some() {
    let user = "arn:aws:iam::123456789012:user/ada";
    let cases = [
        (json!("execute-api:Invoke"), json!("*"), true, true, "everyone"),
        (json!("EXECUTE-API:invoke"), json!("*"), true, true, "reference 7.5: actions have no letter case"),
        (json!("execute-api:InvalidateCache"), json!("*"), false, false, "another action"),
        (json!(["s3:*", "execute-api:I?voke"]), json!("*"), true, true, "one of several"),
        (json!("*"), json!({ "AWS": "*" }), true, true, "everyone, the long way"),
        (json!("*"), json!({ "AWS": "123456789012" }), true, false, "an account"),
        (json!("*"), json!({ "AWS": ["arn:aws:iam::123456789012:root"] }), true, false, "the same"),
        (json!("*"), json!({ "AWS": ["210987654321", user] }), true, false, "a user"),
        (json!("*"), json!({ "AWS": "210987654321" }), false, false, "another account"),
        (json!("*"), json!({ "Service": "apigateway.amazonaws.com" }), false, false, "nobody who comes here"),
    ];
    for (action, principal, known, stranger, why) in cases {
        for (not, flip) in [("Principal", false), ("NotPrincipal", true)] {
            if flip && why == "another action" {
                continue;
            }
            let one = json!({ "Effect": "Allow", not: principal, "Action": action, "Resource": "*" });
            let expect = |is: bool| if is != flip { Outcome::Allow } else { Outcome::Silent };
            assert_eq!(ask(&policy(&one), &ASKED, ARN), expect(known), "{not}: {why}");
            let anonymous = Asked { user: None, ..ASKED };
            assert_eq!(ask(&policy(&one), &anonymous, ARN), expect(stranger), "{not}: {why}, of a stranger");
        }
    }
}

#[test]
fn conditions_ask_for_what_is_known() {
    let cases = [
        (json!({ "IpAddress": { "aws:SourceIp": "192.0.2.0/24" } }), true, "within"),
        (
            json!({ "IpAddress": { "aws:SourceIp": ["10.0.0.0/8", "192.0.2.7"] } }),
            true,
            "reference 7.5: several values are one or another",
        ),
        (json!({ "NotIpAddress": { "aws:SourceIp": ["10.0.0.0/8", "192.0.2.7"] } }), false, "none of them"),
        (
            json!({ "IpAddress": { "AWS:SOURCEIP": "192.0.2.9/24" } }),
            true,
            "keys have no letter case, Amazon takes bits behind a prefix",
        ),
        (json!({ "IpAddress": { "aws:VpcSourceIp": "0.0.0.0/0" } }), false, "reference 7.5: a missing key"),
        (json!({ "NotIpAddress": { "aws:VpcSourceIp": "0.0.0.0/0" } }), true, "of a negated operator"),
        (json!({ "IpAddressIfExists": { "aws:VpcSourceIp": "10.0.0.0/8" } }), true, "if it exists"),
        (json!({ "StringEquals": { "aws:UserAgent": "curl/8" } }), true, "equal"),
        (json!({ "StringEquals": { "aws:UserAgent": "curl/*" } }), false, "no pattern"),
        (json!({ "StringLike": { "aws:UserAgent": "curl/*" } }), true, "a pattern"),
        (json!({ "StringNotLike": { "aws:UserAgent": ["wget*", "curl*"] } }), false, "like none"),
        (json!({ "StringEqualsIgnoreCase": { "aws:UserAgent": "CURL/8" } }), true, "letter case"),
        (json!({ "StringEquals": { "aws:username": "${aws:username}" } }), true, "a variable"),
        (
            json!({ "StringNotEquals": { "aws:username": "${aws:userid}" } }),
            false,
            "nothing is allowed for being unlike what is missing",
        ),
        (json!({ "Bool": { "aws:SecureTransport": "true" } }), true, "a truth value as text"),
        (json!({ "Bool": { "aws:SecureTransport": false } }), false, "and as itself"),
        (
            json!({ "DateGreaterThan": { "aws:CurrentTime": "2015-08-30T12:00:00Z" }, "DateLessThan": { "aws:CurrentTime": "2015-08-30T13:00:00Z" } }),
            true,
            "several operators are both",
        ),
        (json!({ "DateLessThan": { "aws:CurrentTime": "2015-08-30T12:36:00Z" } }), false, "not before"),
        (json!({ "DateLessThanEquals": { "aws:CurrentTime": "2015-08-30T12:36:00Z" } }), true, "nor after"),
        (json!({ "DateLessThan": { "aws:EpochTime": "2015-08-31" } }), true, "a number is a date"),
        (json!({ "NumericGreaterThan": { "aws:EpochTime": 1_440_938_159 } }), true, "a number"),
        (json!({ "NumericEquals": { "aws:UserAgent": "1" } }), false, "what is no number equals none"),
        (json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:iam::*:user/*" } }), true, "part by part"),
        (json!({ "ArnLike": { "aws:PrincipalArn": "arn:aws:*:user/*:x:y" } }), false, "a star crosses no colon there"),
        (json!({ "ArnNotEquals": { "aws:PrincipalArn": "arn:aws:iam::123456789012:user/bob" } }), true, "another"),
        (json!({ "Null": { "aws:TokenIssueTime": "true" } }), true, "missing"),
        (json!({ "Null": { "aws:username": "true" } }), false, "not missing"),
        (json!({ "Null": { "aws:username": false } }), true, "there"),
        (json!({ "BinaryEquals": { "aws:username": "YWRh" } }), true, "bytes"),
        (json!({ "ForAnyValue:StringEquals": { "aws:PrincipalOrgPaths": "red" } }), true, "one of its values"),
        (json!({ "ForAllValues:StringEquals": { "aws:PrincipalOrgPaths": "red" } }), false, "all of them"),
        (json!({ "ForAllValues:StringLike": { "aws:PrincipalOrgPaths": ["r*", "b*"] } }), true, "each some"),
        (json!({ "ForAllValues:StringEquals": { "aws:userid": "x" } }), true, "all of none"),
        (json!({ "ForAnyValue:StringNotEquals": { "aws:userid": "x" } }), false, "any of none"),
        (json!({ "ForAnyValue:StringNotEquals": { "aws:PrincipalOrgPaths": "red" } }), true, "one that is not"),
        (json!({ "StringNotEquals": { "aws:PrincipalOrgPaths": "red" } }), false, "without a word about it: none"),
        (
            json!({ "StringEquals": { "aws:UserAgent": "curl/8", "aws:username": "bob" } }),
            false,
            "several keys are both",
        ),
    ];
    for (condition, expect, why) in cases {
        let expect = if expect { Outcome::Allow } else { Outcome::Silent };
        assert_eq!(ask(&when(&condition), &ASKED, ARN), expect, "{condition}: {why}");
    }
    let policy = when(&json!({ "StringLike": { "aws:UserAgent": "${aws:username}*" } }));
    assert!(policy.asks_for(&Key::UserAgent) && policy.asks_for(&Key::Username) && !policy.asks_for(&Key::SourceIp));
}

/// A document with one statement that is right but for one member.
fn one(member: &str, value: serde_json::Value) -> serde_json::Value {
    let mut one = json!({ "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*" });
    one[member] = value;
    json!({ "Version": "2012-10-17", "Statement": [one] })
}

fn found(cases: impl IntoIterator<Item = (serde_json::Value, &'static str, &'static str)>) {
    for (document, pointer, message) in cases {
        let findings = Policy::parse(document.to_string().as_bytes(), Kind::Resource).expect_err(message);
        let found = findings.iter().any(|it| it.pointer == pointer && it.to_string().contains(message));
        assert!(found, "{pointer} {message}: {findings:?}");
    }
}

#[test]
fn what_is_not_understood_in_a_statement_is_found() {
    found([
        (json!([]), "", "a policy is a JSON object"),
        (json!({}), "", "without `Statement`"),
        (json!({ "Version": "2013", "Statement": [] }), "/Version", "no version"),
        (json!({ "Statement": [], "statement": [] }), "/statement", "unknown element `statement`"),
        (json!({ "Statement": [1] }), "/Statement/0", "a statement is a JSON object"),
        (json!({ "Statement": {} }), "/Statement", "no `Effect`"),
        (one("Effect", json!("allow")), "/Statement/0/Effect", "no `Effect`"),
        (one("effect", json!("Allow")), "/Statement/0/effect", "unknown element `effect` (expected `Effect`)"),
        (one("NotAction", json!("*")), "/Statement/0/NotAction", "both `Action` and `NotAction`"),
        (one("Action", json!("execute-api:Invoek")), "/Statement/0/Action", "`execute-api:Invoek` is no action"),
        (one("Action", json!(["Invoke"])), "/Statement/0/Action/0", "`Invoke` is no action"),
        (one("Action", json!([])), "/Statement/0/Action", "an empty list"),
        (one("Action", json!(1)), "/Statement/0/Action", "not a text"),
        (one("Resource", json!("/prod/*")), "/Statement/0/Resource", "`/prod/*` is no resource"),
        (one("Resource", json!("arn:${aws:nobody}")), "/Statement/0/Resource", "`aws:nobody` is no variable"),
        (one("Principal", json!("ada")), "/Statement/0/Principal", "no principal"),
        (one("Principal", json!({ "AWS": ["x"] })), "/Statement/0/Principal/AWS/0", "`x` is no principal"),
        (one("Principal", json!({ "aws": "*" })), "/Statement/0/Principal/aws", "unknown kind of principal"),
    ]);
    let identity = Policy::parse(one("Sid", json!("x")).to_string().as_bytes(), Kind::Identity).unwrap_err();
    assert_eq!((identity.len(), identity[0].pointer.as_str()), (1, "/Statement/0/Principal"));
    let many = json!({ "Statement": vec![json!({}); 1000] });
    let many = Policy::parse(many.to_string().as_bytes(), Kind::Resource).unwrap_err();
    assert_eq!(many.len(), crate::base::limits::POLICY_FINDINGS_MAX);
    assert!(Policy::parse(b"{\"Version\":1", Kind::Resource).unwrap_err()[0].message.contains("not a JSON document"));
}

#[test]
fn what_is_not_understood_in_a_condition_is_found() {
    let row = |condition: serde_json::Value, pointer, message| (one("Condition", condition), pointer, message);
    found([
        row(json!([]), "/Statement/0/Condition", "conditions are a JSON object"),
        (
            one("Condition", json!({ "StringLke": { "aws:SourceIp": "x" } })),
            "/Statement/0/Condition/StringLke",
            "unknown operator `StringLke` (expected `StringLike`?)",
        ),
        (
            one("Condition", json!({ "NullIfExists": { "aws:SourceIp": "true" } })),
            "/Statement/0/Condition/NullIfExists",
            "unknown operator",
        ),
        row(json!({ "ForSome:Bool": {} }), "/Statement/0/Condition/ForSome:Bool", "unknown operator"),
        row(json!({ "Bool": {} }), "/Statement/0/Condition/Bool", "no keys"),
        (
            one("Condition", json!({ "Bool": { "aws:Secure": "true" } })),
            "/Statement/0/Condition/Bool/aws:Secure",
            "unknown key `aws:Secure`",
        ),
        (
            one("Condition", json!({ "Bool": { "aws:PrincipalTag/x": "1" } })),
            "/Statement/0/Condition/Bool/aws:PrincipalTag~1x",
            "`1`: neither true nor false",
        ),
        (
            one("Condition", json!({ "IpAddress": { "aws:SourceIp": ["10.0.0.0/8", "10.0.0.0/33"] } })),
            "/Statement/0/Condition/IpAddress/aws:SourceIp/1",
            "`10.0.0.0/33`: not a network",
        ),
        (
            one("Condition", json!({ "DateEquals": { "aws:CurrentTime": "now" } })),
            "/Statement/0/Condition/DateEquals/aws:CurrentTime",
            "`now`: no date",
        ),
        (
            one("Condition", json!({ "NumericEquals": { "aws:EpochTime": "x" } })),
            "/Statement/0/Condition/NumericEquals/aws:EpochTime",
            "`x`: no number",
        ),
        (
            one("Condition", json!({ "ArnLike": { "aws:SourceArn": "arn:aws" } })),
            "/Statement/0/Condition/ArnLike/aws:SourceArn",
            "no ARN",
        ),
        (
            one("Condition", json!({ "BinaryEquals": { "aws:username": "?" } })),
            "/Statement/0/Condition/BinaryEquals/aws:username",
            "no Base64",
        ),
        (
            one("Condition", json!({ "StringEquals": { "aws:username": null } })),
            "/Statement/0/Condition/StringEquals/aws:username",
            "not a text",
        ),
        (
            one("Condition", json!({ "StringEquals": { "aws:username": "${aws:userid" } })),
            "/Statement/0/Condition/StringEquals/aws:username",
            "is not closed",
        ),
    ]);
}

#[test]
fn a_version_without_variables_has_none() {
    let mut document = json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
        "Condition": { "StringEquals": { "aws:username": "${aws:username}" } } } });
    let ask = |document: &serde_json::Value| {
        ask(&Policy::parse(document.to_string().as_bytes(), Kind::Resource).unwrap(), &ASKED, ARN)
    };
    assert_eq!(ask(&document), Outcome::Silent, "the first version took them for text");
    document["Version"] = json!("2012-10-17");
    assert_eq!(ask(&document), Outcome::Allow);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn compiled_and_read_word_by_word_a_policy_says_the_same(seed: u64, requests: u32) {
        let mut chance = Prng::new(seed);
        let kind = if seed & 1 == 0 { Kind::Resource } else { Kind::Identity };
        let document = document(kind, &mut chance);
        let policy = Policy::parse(document.to_string().as_bytes(), kind);
        let policy = policy.map_err(|wrong| TestCaseError::fail(format!("{wrong:?} {document}")))?;
        agree(&policy, &document, requests);
    }
}
