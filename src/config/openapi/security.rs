//! Who may call, as a document says it: `security` with its schemes, `x-amazon-apigateway-auth`, the resource policy. An operation
//! that asks for something that cannot be checked is never served without it, unless `security = "upstream"` says that the upstream
//! checks callers itself.
//!
//! A requirement is read as Amazon API Gateway reads it: an API key and an authorizer are both demanded, however they are listed, and
//! of scopes one is enough (reference, sections 3.3 and 7.4).

use super::{
    documents::table,
    emit::{self, Out},
    operation::{At, Unsupported},
    reading::{Reading, Version},
    schemes::{self, Meaning},
    shape,
};
use crate::config::{
    access::NONE,
    diagnostic::{Code, Diagnostic},
    did_you_mean,
    json::Json,
    source::{Place, Text},
    tree::{Entry, Node, Table, Value},
};

/// What the configuration says of access to the API of a document.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// The API's own authorizers.
    pub(super) own: Vec<String>,
    /// Those at the top.
    pub(super) global: Vec<String>,
    /// Whether the API says who may call a route that says nothing.
    pub(super) guarded: bool,
}

/// What an operation asks of its callers, besides what became keys of its route.
#[derive(Debug, Default)]
pub(super) struct Need {
    /// What cannot be checked.
    pub(super) unsupported: Vec<Unsupported>,
    /// The document says nothing about it.
    pub(super) silent: bool,
    /// Not everyone may call.
    pub(super) closed: bool,
}

/// Reads what protects an operation into keys of its route.
pub(super) fn read<'a>(reading: &Reading<'a>, at: &At<'a>, out: &mut Out) -> Need {
    if reading.settings.upstream_checks {
        return Need::default();
    }
    let own = at.table.get("security").or_else(|| reading.root.get("security"));
    let mut asked = Asked::default();
    if let Some(entry) = own {
        asked.requirements(reading, entry);
    }
    let auth = auth_type(at);
    match auth {
        Some(kind) if kind.value.eq_ignore_ascii_case("AWS_IAM") => {
            asked = Asked { key: asked.key, ..Asked::default() };
            asked.authorizer = Some((schemes::iam(reading, kind.place), kind.place));
        }
        Some(kind) if kind.value.eq_ignore_ascii_case("NONE") => {
            asked = Asked { key: asked.key, open: Some(kind.place), ..Asked::default() };
        }
        _ => {}
    }
    let silent = own.is_none() && auth.is_none();
    let closed = asked.authorizer.is_some() || asked.key.is_some() || !asked.unsupported.is_empty();
    match (asked.authorizer, asked.open) {
        (Some((name, place)), _) => out.text("authorizer", name, place),
        (None, Some(place)) => out.text("authorizer", NONE, place),
        (None, None) => {}
    }
    if !asked.scopes.is_empty() {
        let place = asked.scopes[0].place;
        let scopes = asked.scopes.into_iter().map(|text| emit::text(&text.value, text.place));
        out.put("scopes", emit::list(scopes.collect(), place));
    }
    if let Some(place) = asked.key {
        out.bool("api_key", true, place);
    }
    ours(reading, at.table, &["roles", "allow_from", "deny_from"], out);
    Need { unsupported: asked.unsupported, silent, closed }
}

/// Reads what holds for the whole API: its policy, where keys come from, authorizers.
pub(super) fn api<'a>(reading: &Reading<'a>, out: &mut Out) {
    if reading.settings.upstream_checks {
        return;
    }
    if let Some(entry) = shape::get(reading.root, "policy") {
        out.text("policy", Json::of(&entry.node).pretty(), entry.node.place);
    }
    if let Some(Entry { node: Node { value: Value::Text(text), place }, .. }) =
        shape::get(reading.root, "api-key-source")
        && text.value.eq_ignore_ascii_case("AUTHORIZER")
    {
        out.text("api_key_source", "authorizer", *place);
    }
    ours(reading, reading.root, &["arn", "allow_from", "deny_from"], out);
    let made = reading.schemes.take();
    let used: Vec<Entry> = made.made.into_iter().filter(|made| made.used).map(|made| made.entry).collect();
    if let Some(first) = used.first() {
        let place = first.place;
        let mut all = Out::new(place);
        used.into_iter().for_each(|entry| all.entry(entry));
        out.table("authorizers", all);
    }
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

/// `type` of `x-amazon-apigateway-auth`.
fn auth_type<'a>(at: &At<'a>) -> Option<&'a Text> {
    let auth = shape::get(at.table, "auth").and_then(|entry| table(&entry.node))?;
    if let Value::Text(kind) = &auth.get("type")?.node.value { Some(kind) } else { None }
}

/// Keys that Amazon API Gateway has no words for: what an export has put there.
fn ours<'a>(reading: &Reading<'a>, from: &'a Table, known: &[&str], out: &mut Out) {
    let Some(access) = reading.table(from, OURS) else { return };
    for entry in &access.entries {
        if known.contains(&entry.key.as_str()) {
            out.put(&entry.key, reading.copy(&entry.node, 0, false));
        } else {
            let message = format!("unknown key `{}` in `{OURS}`", entry.key);
            let help = did_you_mean(&entry.key, known.iter().copied())
                .unwrap_or_else(|| format!("the keys here are {}", known.join(", ")));
            reading.add(Diagnostic::error(Code::UNKNOWN_KEY, entry.place, message).help(help));
        }
    }
}

/// What is asked of callers.
#[derive(Default)]
struct Asked<'a> {
    authorizer: Option<(String, Place)>,
    scopes: Vec<&'a Text>,
    key: Option<Place>,
    /// Everyone may call: where that is said.
    open: Option<Place>,
    unsupported: Vec<Unsupported>,
}

impl<'a> Asked<'a> {
    /// Reads a list of requirements; an empty one is always fulfilled (OpenAPI 3.0.4, section 4.8.30).
    fn requirements(&mut self, reading: &Reading<'a>, entry: &'a Entry) {
        let Value::List(all) = &entry.node.value else {
            reading.wrong_type(&entry.node, "security", "a list");
            // What was meant is not known, so nobody may.
            self.unsupported(entry.place, "this `security`".to_owned());
            return;
        };
        let mut open = all.is_empty().then_some(entry.place);
        for node in all {
            let Some(requirement) = reading.as_table(node, "security") else { continue };
            if requirement.entries.is_empty() {
                open = Some(node.place);
            }
            requirement.entries.iter().for_each(|scheme| self.requirement(reading, scheme));
        }
        if open.is_some() {
            *self = Self { open, ..Self::default() };
        }
    }

    fn requirement(&mut self, reading: &Reading<'a>, named: &'a Entry) {
        let scopes = match &named.node.value {
            Value::List(scopes) => scopes.as_slice(),
            _ => {
                reading.wrong_type(&named.node, &named.key, "a list of scopes");
                &[]
            }
        };
        let scopes: Vec<&Text> = scopes
            .iter()
            .filter_map(|node| if let Value::Text(text) = &node.value { Some(text) } else { None })
            .collect();
        match schemes::meaning(reading, named) {
            Meaning::Key => self.key = self.key.or(Some(named.place)),
            Meaning::Unsupported(what) => self.unsupported(named.place, what),
            // It is reported, and nothing starts.
            Meaning::Broken => {}
            Meaning::Authorizer { name, scopes: takes, .. } if !scopes.is_empty() && !takes => {
                self.unsupported(scopes[0].place, format!("a scope beside the authorizer `{name}`"));
            }
            Meaning::Authorizer { name, scoped, .. } => {
                let name = scoped.filter(|_| !scopes.is_empty()).unwrap_or(name);
                match &self.authorizer {
                    Some((other, _)) if *other != name => {
                        self.unsupported(named.place, format!("a second authorizer (`{name}` beside `{other}`)"));
                    }
                    _ => {
                        schemes::used(reading, &name);
                        self.authorizer = Some((name, named.place));
                        self.scopes.extend(scopes);
                    }
                }
            }
        }
    }

    fn unsupported(&mut self, place: Place, what: String) {
        self.unsupported.push(Unsupported { place, what, with: CHECKED_HERE });
    }
}

/// Where keys stand that Amazon API Gateway has no words for.
pub(super) const OURS: &str = "x-ringgate-access";

/// What something comes with that a document alone does not say.
pub(super) const CHECKED_HERE: &str = "an authorizer of the configuration";
