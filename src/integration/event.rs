//! The events that functions get which authorize (reference, section 6.5). Names and shapes are Amazon's, so that a function that was
//! written for API Gateway needs no change.

use crate::{
    http::head::RequestHead,
    mapping::{
        percent::{Came, decoded},
        query,
    },
};
use serde_json::{Map, Value, json};

/// What is known of a request.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// The bytes that its spans point into.
    pub bytes: &'a [u8],
    /// `arn:aws:execute-api:…/{stage}/{method}/{path}`
    pub arn: &'a [u8],
    /// Of the ARN.
    pub account: &'a str,
    /// The API's name.
    pub api: &'a str,
    /// The stage; `$default` where it has no name.
    pub stage: &'a str,
    /// The route: `GET`, or `ANY`, or several.
    pub methods: &'a str,
    /// Its pattern, without the base path.
    pub resource: &'a str,
    /// The path that was asked for, without the base path.
    pub path: &'a [u8],
    /// Path parameters: names and values, as they came.
    pub parameters: &'a [(&'a str, &'a [u8])],
    /// Stage variables.
    pub variables: &'a [(String, String)],
    /// What the request is called.
    pub request_id: &'a str,
    /// Where it comes from.
    pub source: &'a str,
    /// When it came, as logs have it.
    pub time: &'a str,
    /// The same in milliseconds since 1970.
    pub time_millis: u64,
    /// The certificate that its client has shown.
    pub certificate: Option<Certificate<'a>>,
}

/// A client's certificate.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    /// As PEM.
    pub pem: &'a str,
    /// Whose it is.
    pub subject: &'a str,
    /// Who says so.
    pub issuer: &'a str,
    /// Its number.
    pub serial: &'a str,
    /// Valid from.
    pub not_before: &'a str,
    /// Valid until.
    pub not_after: &'a str,
}

/// The event of a TOKEN authorizer.
#[must_use]
pub fn token(facts: &Facts<'_>, token: &[u8]) -> Value {
    json!({"type": "TOKEN", "methodArn": text(facts.arn), "authorizationToken": text(token)})
}

/// The event of a REQUEST authorizer, format 1.0. HTTP APIs tell the version and the identity besides.
#[must_use]
pub fn request_1(facts: &Facts<'_>, identity: Option<&[String]>) -> Value {
    let Facts { head, bytes, .. } = *facts;
    let query = || query::pairs(head.query.of(bytes)).filter(|(name, _)| !name.is_empty());
    let plain = |raw: &[u8]| text(&decoded(raw, Came::Query).collect::<Vec<_>>());
    let (mut last, mut all) = (Map::new(), Map::new());
    query().for_each(|(name, value)| put(&mut last, &mut all, plain(name), plain(value)));
    let (mut headers, mut lists) = (Map::new(), Map::new());
    for line in &head.fields {
        let name = String::from_utf8_lossy(line.name.of(bytes));
        let name = if identity.is_some() { name.to_ascii_lowercase() } else { name.into_owned() };
        put(&mut headers, &mut lists, name, text(line.value.of(bytes)));
    }
    let mut event = json!({
        "type": "REQUEST",
        "methodArn": text(facts.arn),
        "resource": facts.resource,
        "path": text(facts.path),
        "httpMethod": text(head.method_token.of(bytes)),
        "headers": or_null(headers),
        "multiValueHeaders": or_null(lists),
        "queryStringParameters": or_null(last),
        "multiValueQueryStringParameters": or_null(all),
        "pathParameters": or_null(parameters(facts)),
        "stageVariables": or_null(variables(facts)),
        "requestContext": {
            "path": text(head.path.of(bytes)),
            "accountId": facts.account,
            "resourceId": format!("{} {}", facts.methods, facts.resource),
            "stage": facts.stage,
            "requestId": facts.request_id,
            "identity": {"sourceIp": facts.source, "userAgent": header(facts, "user-agent"), "apiKey": header(facts, "x-api-key")},
            "resourcePath": facts.resource,
            "httpMethod": text(head.method_token.of(bytes)),
            "apiId": facts.api,
            "domainName": domain(facts),
            "domainPrefix": prefix(facts),
            "protocol": "HTTP/1.1",
            "requestTime": facts.time,
            "requestTimeEpoch": facts.time_millis,
        },
    });
    if let (Some(certificate), Some(identity)) =
        (&facts.certificate, event.pointer_mut("/requestContext/identity").and_then(Value::as_object_mut))
    {
        identity.insert("clientCert".to_owned(), certificate.value());
    }
    if let (Some(identity), Some(event)) = (identity, event.as_object_mut()) {
        event.insert("version".to_owned(), "1.0".into());
        event.insert("identitySource".to_owned(), identity.join(",").into());
        event.insert("authorizationToken".to_owned(), identity.join(",").into());
    }
    event
}

/// The event of a REQUEST authorizer, format 2.0.
#[must_use]
pub fn request_2(facts: &Facts<'_>, identity: &[String]) -> Value {
    let Facts { head, bytes, .. } = *facts;
    let (mut headers, mut cookies) = (Map::new(), Vec::new());
    for line in &head.fields {
        let name = String::from_utf8_lossy(line.name.of(bytes)).to_ascii_lowercase();
        let value = text(line.value.of(bytes));
        match name.as_str() {
            "cookie" => cookies.extend(value.split("; ").map(|cookie| Value::from(cookie.trim()))),
            _ => join(&mut headers, name, value),
        }
    }
    let plain = |raw: &[u8]| text(&decoded(raw, Came::Query).collect::<Vec<_>>());
    let mut query = Map::new();
    for (name, value) in query::pairs(head.query.of(bytes)).filter(|(name, _)| !name.is_empty()) {
        join(&mut query, plain(name), plain(value));
    }
    let route = format!("{} {}", facts.methods, facts.resource);
    let mut event = json!({
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": text(facts.arn),
        "identitySource": identity,
        "routeKey": route,
        "rawPath": text(head.path.of(bytes)),
        "rawQueryString": text(head.query.of(bytes)),
        "headers": headers,
        "requestContext": {
            "accountId": facts.account,
            "apiId": facts.api,
            "domainName": domain(facts),
            "domainPrefix": prefix(facts),
            "http": {
                "method": text(head.method_token.of(bytes)),
                "path": text(head.path.of(bytes)),
                "protocol": "HTTP/1.1",
                "sourceIp": facts.source,
                "userAgent": header(facts, "user-agent"),
            },
            "requestId": facts.request_id,
            "routeKey": route,
            "stage": facts.stage,
            "time": facts.time,
            "timeEpoch": facts.time_millis,
        },
    });
    let Some(map) = event.as_object_mut() else { return event };
    for (name, value) in [
        ("cookies", (!cookies.is_empty()).then_some(Value::Array(cookies))),
        ("queryStringParameters", Some(or_null(query))),
        ("pathParameters", Some(or_null(parameters(facts)))),
        ("stageVariables", Some(or_null(variables(facts)))),
    ] {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            map.insert(name.to_owned(), value);
        }
    }
    if let (Some(certificate), Some(context)) =
        (&facts.certificate, map.get_mut("requestContext").and_then(Value::as_object_mut))
    {
        context.insert("authentication".to_owned(), json!({"clientCert": certificate.value()}));
    }
    event
}

impl Certificate<'_> {
    fn value(&self) -> Value {
        json!({
            "clientCertPem": self.pem,
            "subjectDN": self.subject,
            "issuerDN": self.issuer,
            "serialNumber": self.serial,
            "validity": {"notBefore": self.not_before, "notAfter": self.not_after},
        })
    }
}

/// Puts a value into a map that has the last of each name, and into one that has all.
fn put(last: &mut Map<String, Value>, all: &mut Map<String, Value>, name: String, value: String) {
    if let Value::Array(values) = all.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new())) {
        values.push(value.clone().into());
    }
    last.insert(name, value.into());
}

/// Puts a value into a map where several of one name are one, with commas.
fn join(map: &mut Map<String, Value>, name: String, value: String) {
    match map.get_mut(&name) {
        Some(Value::String(before)) => {
            before.push(',');
            before.push_str(&value);
        }
        _ => {
            map.insert(name, value.into());
        }
    }
}

fn parameters(facts: &Facts<'_>) -> Map<String, Value> {
    facts.parameters.iter().map(|(name, value)| ((*name).to_owned(), text(value).into())).collect()
}

fn variables(facts: &Facts<'_>) -> Map<String, Value> {
    facts.variables.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect()
}

fn header(facts: &Facts<'_>, name: &str) -> Value {
    let is = |line: &[u8]| line.eq_ignore_ascii_case(name.as_bytes());
    let found = facts.head.fields.iter().rev().find(|line| is(line.name.of(facts.bytes)));
    found.map_or(Value::Null, |line| text(line.value.of(facts.bytes)).into())
}

fn domain(facts: &Facts<'_>) -> String {
    text(facts.head.host_name.of(facts.bytes))
}

fn prefix(facts: &Facts<'_>) -> String {
    domain(facts).split('.').next().unwrap_or_default().to_owned()
}

fn or_null(map: Map<String, Value>) -> Value {
    if map.is_empty() { Value::Null } else { Value::Object(map) }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
