//! Who may call: what of it this version cannot enforce. An operation that asks for it is never served without it, unless
//! `security = "upstream"` says that the upstream checks callers itself.

use super::{
    documents::table,
    operation::{At, Unsupported},
    reading::{Reading, Version},
    shape,
};
use crate::config::{
    diagnostic::{Code, Diagnostic},
    did_you_mean,
    tree::{Entry, Node, Table, Value},
};

/// What protects an operation.
pub(super) fn closed<'a>(reading: &Reading<'a>, at: &At<'a>) -> Option<Unsupported> {
    let schemes = schemes(reading);
    let own = at.table.get("security").or_else(|| reading.root.get("security"));
    let mut found = None;
    if let Some(entry) = own {
        found = required(reading, entry, schemes);
    }
    if let Some(auth) = shape::get(at.table, "auth").and_then(|entry| table(&entry.node))
        && let Some(Entry { node: Node { value: Value::Text(kind), .. }, .. }) = auth.get("type")
    {
        let is = |name: &str| kind.value.eq_ignore_ascii_case(name);
        if is("AWS_IAM") {
            let what = "`AWS_IAM`".to_owned();
            found = Some(Unsupported { place: kind.place, what, with: "IAM authorization" });
        }
        if is("NONE") {
            found = None;
        }
    }
    if let Some(policy) = shape::get(reading.root, "policy") {
        let what = "`x-amazon-apigateway-policy`".to_owned();
        found = found.or(Some(Unsupported { place: policy.place, what, with: "resource policies" }));
    }
    found.filter(|_| !reading.settings.upstream_checks)
}

/// The schemes that the document defines.
pub(super) fn schemes<'a>(reading: &Reading<'a>) -> Option<&'a Table> {
    match reading.version {
        Version::Swagger => reading.table(reading.root, "securityDefinitions"),
        Version::V30 | Version::V31 => {
            let components = reading.table(reading.root, "components")?;
            reading.table(components, "securitySchemes")
        }
    }
}

/// What a list of requirements asks for: any one of them suffices, and an empty one is always fulfilled (OpenAPI 3.0.4, 4.7.30).
fn required<'a>(reading: &Reading<'a>, entry: &'a Entry, schemes: Option<&'a Table>) -> Option<Unsupported> {
    let Value::List(all) = &entry.node.value else {
        reading.wrong_type(&entry.node, "security", "a list");
        return None;
    };
    let (mut first, mut open) = (None, false);
    for requirement in all {
        let Some(requirement) = reading.as_table(requirement, "security") else { continue };
        open |= requirement.entries.is_empty();
        for scheme in &requirement.entries {
            if let Some(with) = scheme_kind(reading, scheme, schemes) {
                let what = format!("the security scheme `{}`", scheme.key);
                first = first.or(Some(Unsupported { place: scheme.place, what, with }));
            }
        }
    }
    if open { None } else { first }
}

/// What a scheme comes with; `None`, reported, if it is not defined.
fn scheme_kind<'a>(reading: &Reading<'a>, named: &'a Entry, schemes: Option<&'a Table>) -> Option<&'static str> {
    let Some(entry) = schemes.and_then(|all| all.get(&named.key)) else {
        let message = format!("there is no security scheme `{}`", named.key);
        let names = schemes.map(|all| all.entries.as_slice()).unwrap_or_default().iter();
        let diagnostic = Diagnostic::error(Code::UNKNOWN_SCHEME, named.place, message);
        let help = did_you_mean(&named.key, names.map(|entry| entry.key.as_str())).unwrap_or_else(|| {
            let section = match reading.version {
                Version::Swagger => "securityDefinitions",
                Version::V30 | Version::V31 => "components.securitySchemes",
            };
            format!("define it in `{section}`")
        });
        reading.add(diagnostic.help(help));
        return None;
    };
    let scheme = reading.resolver.resolve(&entry.node).and_then(|node| reading.as_table(node, &entry.key))?;
    let is_iam = shape::get(scheme, "authtype").is_some_and(
        |entry| matches!(&entry.node.value, Value::Text(text) if text.value.to_ascii_lowercase().starts_with("aws")),
    );
    let kind = reading.text(scheme, "type").map(|text| text.value.as_str());
    let name = reading.text(scheme, "name").map(|text| text.value.to_ascii_lowercase());
    Some(match kind {
        _ if shape::get(scheme, "authorizer").is_some() => "authorizers",
        _ if is_iam => "IAM authorization",
        Some("apiKey") if name.as_deref() == Some("x-api-key") => "usage plans",
        _ => "authorizers",
    })
}
