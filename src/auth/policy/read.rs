//! From a policy document to a [`Policy`], or to all that is wrong with it.

use super::{
    Action, Kind, Policy, Resources, Statement,
    condition::{Condition, OPERATORS, Operator},
    facts::Key,
    json,
    pattern::{Glob, Patterns, Reading},
    principal::{Named, Principals, named},
};
use crate::{
    auth::finding::{Finding, below},
    base::limits,
};
use serde_json::{Map, Value};

impl Policy {
    /// Reads a policy document.
    ///
    /// # Errors
    /// Everything that is wrong with it, up to [`limits::POLICY_FINDINGS_MAX`] findings: never none.
    pub fn parse(text: &[u8], kind: Kind) -> Result<Self, Vec<Finding>> {
        let document =
            json::parse(text).map_err(|why| vec![Finding::new("", format!("not a JSON document: {why}"))])?;
        Self::compile(&document, kind)
    }

    /// Reads a policy document that is JSON already.
    ///
    /// # Errors
    /// As [`Policy::parse`].
    pub fn compile(document: &Value, kind: Kind) -> Result<Self, Vec<Finding>> {
        let mut reader = Reader { kind, variables: false, findings: Vec::new() };
        let statements = reader.document(document);
        match reader.findings.as_slice() {
            [] => Ok(Self { statements: statements.into() }),
            _ => {
                reader.findings.truncate(limits::POLICY_FINDINGS_MAX);
                Err(reader.findings)
            }
        }
    }
}

/// One reading of a document.
struct Reader {
    kind: Kind,
    /// The version has variables.
    variables: bool,
    findings: Vec<Finding>,
}

const ELEMENTS: &[&str] =
    &["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"];

impl Reader {
    fn say(&mut self, finding: Finding) {
        // Some more than are shown, so that it shows that there are.
        if self.findings.len() <= limits::POLICY_FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    fn document(&mut self, document: &Value) -> Vec<Statement> {
        let Some(members) = document.as_object() else {
            self.say(
                Finding::new("", "a policy is a JSON object")
                    .expected("expected `{\"Version\": …, \"Statement\": […]}`"),
            );
            return Vec::new();
        };
        self.only(members, "", &["Version", "Id", "Statement"]);
        match members.get("Version").map(Value::as_str) {
            None | Some(Some("2008-10-17")) => {}
            Some(Some("2012-10-17")) => self.variables = true,
            Some(_) => self
                .say(Finding::new("/Version", "no version of the policy language").expected("expected \"2012-10-17\"")),
        }
        if members.get("Id").is_some_and(|id| !id.is_string()) {
            self.say(Finding::new("/Id", "not a text"));
        }
        match members.get("Statement") {
            None => {
                self.say(Finding::new("", "a policy without `Statement`"));
                Vec::new()
            }
            Some(Value::Array(all)) => {
                let all = all.iter().enumerate();
                all.filter_map(|(at, one)| self.statement(one, &below("/Statement", at))).collect()
            }
            Some(one) => self.statement(one, "/Statement").into_iter().collect(),
        }
    }

    fn statement(&mut self, value: &Value, at: &str) -> Option<Statement> {
        let Some(members) = value.as_object() else {
            self.say(Finding::new(at, "a statement is a JSON object"));
            return None;
        };
        self.only(members, at, ELEMENTS);
        let sid = members.get("Sid").map(Value::as_str);
        if sid == Some(None) {
            self.say(Finding::new(below(at, "Sid"), "not a text"));
        }
        let effect = members.get("Effect").and_then(Value::as_str);
        let allows = match effect {
            Some("Allow") => Some(true),
            Some("Deny") => Some(false),
            _ => {
                let place = if members.contains_key("Effect") { below(at, "Effect") } else { at.to_owned() };
                self.say(Finding::new(place, "no `Effect`").expected("expected `Allow` or `Deny`"));
                None
            }
        };
        let principals = self.principals(members, at);
        let actions = self.actions(members, at);
        let resources = self.resources(members, at);
        let conditions = self.conditions(members.get("Condition"), &below(at, "Condition"));
        Some(Statement {
            sid: sid.flatten().map(Into::into),
            allows: allows?,
            principals: principals?,
            actions: actions?,
            resources: resources?,
            conditions: conditions.into(),
        })
    }

    /// `None` if it is wrong, `Some(None)` if there are none where there are to be none.
    fn principals(&mut self, members: &Map<String, Value>, at: &str) -> Option<Option<Principals>> {
        if self.kind == Kind::Identity {
            for name in ["Principal", "NotPrincipal"] {
                if members.contains_key(name) {
                    let message = format!("`{name}` has no place here: the policy is that of the one who asks");
                    self.say(Finding::new(below(at, name), message));
                }
            }
            return Some(None);
        }
        let (value, not, at) = self.one_of(members, at, "Principal", "NotPrincipal")?;
        let mut these = Vec::new();
        match value {
            Value::String(text) if text == "*" => these.push(Named::Everyone),
            Value::Object(kinds) if !kinds.is_empty() => {
                for (kind, value) in kinds {
                    let at = below(&at, kind);
                    match kind.as_str() {
                        // Nobody comes to a gateway as one of these; what is for them is for nobody here.
                        "Service" | "Federated" | "CanonicalUser" => {
                            self.texts(value, &at);
                        }
                        "AWS" => these.extend(self.texts(value, &at).into_iter().filter_map(|(text, at)| {
                            let named = named(text);
                            if named.is_none() {
                                let message = format!("`{text}` is no principal");
                                let expected =
                                    "expected `*`, an account's id, or the ARN of a user, a role or an account's root";
                                self.say(Finding::new(at, message).expected(expected));
                            }
                            named
                        })),
                        _ => self.say(
                            Finding::new(at, format!("unknown kind of principal `{kind}`")).expected("expected `AWS`"),
                        ),
                    }
                }
            }
            _ => self.say(Finding::new(at, "no principal").expected("expected `\"*\"` or `{\"AWS\": […]}`")),
        }
        let mut principals = Principals { not, everyone: false, arns: Box::default(), accounts: Box::default() };
        let (mut arns, mut accounts) = (Vec::new(), Vec::new());
        for one in these {
            match one {
                Named::Everyone => principals.everyone = true,
                Named::Arn(arn) => arns.push(Box::from(arn)),
                Named::Account(account) => accounts.push(Box::from(account)),
            }
        }
        arns.sort_unstable();
        accounts.sort_unstable();
        (principals.arns, principals.accounts) = (arns.into(), accounts.into());
        Some(Some(principals))
    }

    fn actions(&mut self, members: &Map<String, Value>, at: &str) -> Option<u8> {
        let (value, not, at) = self.one_of(members, at, "Action", "NotAction")?;
        let mut bits = 0;
        for (text, at) in self.texts(value, &at) {
            let reading = Reading { wildcards: true, variables: false, fold: true };
            let Ok(glob) = Glob::read(text, reading) else { continue };
            let set = Patterns::new(vec![glob], true);
            let these =
                Action::ALL.into_iter().filter(|action| set.have(action.name().as_bytes(), &super::facts::NoFacts));
            let found = these.fold(0, |bits, action| bits | action.bit());
            let (service, name) = text.split_once(':').unwrap_or(("", text));
            if found == 0 && (service.eq_ignore_ascii_case("execute-api") || service.is_empty() || name.is_empty()) {
                let names = Action::ALL.map(|action| format!("`{}`", action.name())).join(", ");
                self.say(
                    Finding::new(at, format!("`{text}` is no action"))
                        .expected(format!("expected {names}, or a pattern for them")),
                );
            }
            bits |= found;
        }
        Some(if not { !bits } else { bits })
    }

    fn resources(&mut self, members: &Map<String, Value>, at: &str) -> Option<Resources> {
        let (value, not, at) = self.one_of(members, at, "Resource", "NotResource")?;
        let reading = Reading { wildcards: true, variables: self.variables, fold: false };
        let (mut whole, mut short) = (Vec::new(), Vec::new());
        for (text, at) in self.texts(value, &at) {
            let rest = text.strip_prefix("execute-api:").filter(|rest| rest.starts_with(['/', '*']));
            if rest.is_none() && !text.starts_with("arn:") && !text.starts_with('*') {
                let expected = "expected an ARN, `execute-api:/{stage}/{method}/{path}`, or a pattern for one of them";
                self.say(Finding::new(at, format!("`{text}` is no resource")).expected(expected));
                continue;
            }
            match Glob::read(rest.unwrap_or(text), reading) {
                Ok(glob) if rest.is_some() => short.push(glob),
                Ok(glob) => whole.push(glob),
                Err(why) => self.say(Finding::new(at, why)),
            }
        }
        Some(Resources { not, whole: Patterns::new(whole, false), short: Patterns::new(short, false) })
    }

    fn conditions(&mut self, value: Option<&Value>, at: &str) -> Vec<Condition> {
        let mut all = Vec::new();
        let Some(value) = value else { return all };
        let Some(operators) = value.as_object() else {
            self.say(Finding::new(at, "conditions are a JSON object").expected("expected `{operator: {key: values}}`"));
            return all;
        };
        for (name, keys) in operators {
            let at = below(at, name);
            let Some(operator) = Operator::of(name) else {
                self.say(Finding::new(&at, format!("unknown operator `{name}`")).expected(nearest(name)));
                continue;
            };
            let Some(keys) = keys.as_object().filter(|keys| !keys.is_empty()) else {
                self.say(Finding::new(at, "no keys to compare").expected("expected `{key: values}`"));
                continue;
            };
            for (name, values) in keys {
                all.extend(self.condition(operator, name, values, &below(&at, name)));
            }
        }
        all
    }

    fn condition(&mut self, operator: Operator, name: &str, values: &Value, at: &str) -> Option<Condition> {
        let Some(key) = Key::of(name) else {
            let names: Vec<&str> = Key::names().collect();
            self.say(
                Finding::new(at, format!("unknown key `{name}`"))
                    .expected(format!("expected one of {}", names.join(", "))),
            );
            return None;
        };
        let values = self.values(values, at);
        let texts: Vec<String> = values.iter().map(|(text, _)| text.clone()).collect();
        match Condition::new(operator, key, &texts, self.variables) {
            Ok(condition) => Some(condition),
            Err(wrong) => {
                for (index, why) in wrong {
                    let (text, at) = values.get(index).map_or(("", at), |(text, at)| (text, at));
                    self.say(Finding::new(at, format!("`{text}`: {why}")));
                }
                None
            }
        }
    }

    /// A text or a list of texts, each with its place; never empty without a finding.
    fn texts<'v>(&mut self, value: &'v Value, at: &str) -> Vec<(&'v str, String)> {
        let mut texts = Vec::new();
        let mut one = |value: &'v Value, at: String| match value.as_str() {
            Some(text) if text.len() <= limits::POLICY_VALUE_BYTES_MAX => texts.push((text, at)),
            Some(_) => self.say(Finding::new(at, format!("longer than {} bytes", limits::POLICY_VALUE_BYTES_MAX))),
            None => self.say(Finding::new(at, "not a text")),
        };
        match value {
            Value::Array(all) if all.is_empty() => self.say(Finding::new(at, "an empty list")),
            Value::Array(all) => all.iter().enumerate().for_each(|(index, value)| one(value, below(at, index))),
            value => one(value, at.to_owned()),
        }
        texts
    }

    /// The values of a condition: texts, numbers and truth values, which mean what they are written as.
    fn values(&mut self, value: &Value, at: &str) -> Vec<(String, String)> {
        let mut values = Vec::new();
        let mut one = |value: &Value, at: String| match value {
            Value::String(text) if text.len() <= limits::POLICY_VALUE_BYTES_MAX => values.push((text.clone(), at)),
            Value::Bool(_) | Value::Number(_) => values.push((value.to_string(), at)),
            _ => self.say(Finding::new(at, "not a text, number or truth value, or too long")),
        };
        match value {
            Value::Array(all) if all.is_empty() => self.say(Finding::new(at, "an empty list")),
            Value::Array(all) => all.iter().enumerate().for_each(|(index, value)| one(value, below(at, index))),
            value => one(value, at.to_owned()),
        }
        values
    }

    /// The one of two elements that is there: its value, whether it is the second, and its place.
    fn one_of<'m>(
        &mut self,
        members: &'m Map<String, Value>,
        at: &str,
        name: &str,
        not: &str,
    ) -> Option<(&'m Value, bool, String)> {
        match (members.get(name), members.get(not)) {
            (Some(value), None) => Some((value, false, below(at, name))),
            (None, Some(value)) => Some((value, true, below(at, not))),
            (Some(_), Some(_)) => {
                self.say(Finding::new(below(at, not), format!("both `{name}` and `{not}`")));
                None
            }
            (None, None) => {
                self.say(Finding::new(at, format!("a statement without `{name}`")));
                None
            }
        }
    }

    fn only(&mut self, members: &Map<String, Value>, at: &str, known: &[&str]) {
        for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
            let near = known.iter().find(|known| known.eq_ignore_ascii_case(name));
            let expected = near
                .map_or_else(|| format!("expected one of {}", known.join(", ")), |near| format!("expected `{near}`"));
            self.say(Finding::new(below(at, name), format!("unknown element `{name}`")).expected(expected));
        }
    }
}

fn nearest(name: &str) -> String {
    let distance = |known: &str| strsim::levenshtein(&known.to_ascii_lowercase(), &name.to_ascii_lowercase());
    let near = OPERATORS.iter().map(|(known, ..)| (distance(known), *known)).min();
    near.filter(|(distance, _)| *distance <= 3).map_or_else(
        || "expected an operator of IAM, as `StringLike` or `IpAddress`".to_owned(),
        |(_, known)| format!("expected `{known}`?"),
    )
}
