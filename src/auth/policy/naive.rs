//! The policy language read word by word, for tests to compare with: it looks at the document again for every request, tries
//! everything, and shares nothing with the compiled form but the names of keys and how values are read.

use super::{
    Action, Outcome, Principal, Request,
    condition::{Base, Compare, Each, OPERATORS},
    facts::{self, Facts, Key, Value as Fact},
};
use serde_json::Value;
use std::net::IpAddr;

/// What a document says that [`super::Policy::compile`] has taken.
#[must_use]
pub fn evaluate(document: &Value, request: &Request<'_>) -> Outcome {
    let statements = match &document["Statement"] {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    let variables = document["Version"] == "2012-10-17";
    let applying: Vec<&Value> = statements.iter().filter(|one| applies(one, request, variables)).collect();
    if applying.iter().any(|one| one["Effect"] == "Deny") {
        Outcome::Deny
    } else if applying.is_empty() {
        Outcome::Silent
    } else {
        Outcome::Allow
    }
}

fn applies(statement: &Value, request: &Request<'_>, variables: bool) -> bool {
    let action = |text: &str| {
        let cells = cells(&text.to_ascii_lowercase(), true, false, request.facts);
        like(&cells.unwrap_or_default(), &request.action.name().to_ascii_lowercase())
    };
    let is_action = match (statement.get("Action"), statement.get("NotAction")) {
        (Some(these), _) => texts(these).iter().any(|text| action(text)),
        (None, Some(these)) => !texts(these).iter().any(|text| action(text)),
        (None, None) => false,
    };
    let resource = |text: &str| {
        let arn = String::from_utf8_lossy(request.arn).into_owned();
        let (text, of) = match text.strip_prefix("execute-api:") {
            Some(rest) => (rest, arn.get(request.stage_at..).unwrap_or_default().to_owned()),
            None => (text, arn),
        };
        cells(text, true, variables, request.facts).is_some_and(|cells| like(&cells, &of))
    };
    let is_resource = match (statement.get("Resource"), statement.get("NotResource")) {
        (Some(these), _) => texts(these).iter().any(|text| resource(text)),
        (None, Some(these)) => !texts(these).iter().any(|text| resource(text)),
        (None, None) => false,
    };
    let is_principal = match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(these), _) => has(these, request.principal),
        (None, Some(these)) => !has(these, request.principal),
        (None, None) => true,
    };
    let allows = statement["Effect"] == "Allow";
    let conditions = statement.get("Condition").and_then(Value::as_object);
    is_action
        && is_resource
        && is_principal
        && conditions.into_iter().flatten().all(|(operator, keys)| {
            let mut keys = keys.as_object().into_iter().flatten();
            keys.all(|(key, values)| holds(operator, key, &texts(values), request.facts, variables, allows))
        })
}

fn has(these: &Value, principal: Principal<'_>) -> bool {
    let names = match these {
        Value::String(_) => texts(these),
        kinds => kinds.get("AWS").map(texts).unwrap_or_default(),
    };
    names.iter().any(|name| match principal {
        _ if name == "*" => true,
        Principal::Anonymous => false,
        Principal::User { arn, account } => {
            name == arn || name == account || name.ends_with(&format!("::{account}:root"))
        }
    })
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) => all.iter().flat_map(texts).collect(),
        Value::String(text) => vec![text.clone()],
        other => vec![other.to_string()],
    }
}

fn holds(operator: &str, key: &str, values: &[String], of: &dyn Facts, variables: bool, allows: bool) -> bool {
    let key = Key::of(key).unwrap_or(Key::CurrentTime);
    let facts: Vec<Fact<'_>> = (0..).map_while(|index| of.value(&key, index)).collect();
    let (each, rest) = operator.split_once(':').map_or(("", operator), |(each, rest)| (each, rest));
    let name = rest.trim_end_matches("IfExists");
    let Some((_, base, not)) = OPERATORS.iter().find(|(known, ..)| *known == name) else { return false };
    if *base == Base::Null {
        return values.iter().any(|value| value.eq_ignore_ascii_case("true") == facts.is_empty());
    }
    if facts.is_empty() {
        return rest.ends_with("IfExists") || each == "ForAllValues" || each.is_empty() && *not;
    }
    let textual = matches!(base, Base::StringEquals | Base::StringEqualsIgnoreCase | Base::StringLike | Base::Arn);
    let unsettled = textual && variables && values.iter().any(|value| cells(value, false, true, of).is_none());
    if allows && *not && unsettled {
        return false;
    }
    let is = |fact: &Fact<'_>| values.iter().any(|value| same(*base, *fact, value, of, variables)) != *not;
    let each = match each {
        "ForAllValues" => Each::All,
        "ForAnyValue" => Each::Any,
        _ => Each::One,
    };
    if each == Each::All || each == Each::One && *not { facts.iter().all(is) } else { facts.iter().any(is) }
}

fn same(base: Base, fact: Fact<'_>, value: &str, of: &dyn Facts, variables: bool) -> bool {
    let text = fact.with_text(|text| String::from_utf8_lossy(text).into_owned());
    match base {
        Base::StringEquals => cells(value, false, variables, of).is_some_and(|cells| like(&cells, &text)),
        Base::StringLike => cells(value, true, variables, of).is_some_and(|cells| like(&cells, &text)),
        Base::StringEqualsIgnoreCase => cells(value, false, variables, of).is_some_and(|cells| {
            let lower = |cell: &Cell| if let Cell::Is(c) = cell { Cell::Is(c.to_ascii_lowercase()) } else { *cell };
            like(&cells.iter().map(lower).collect::<Vec<_>>(), &text.to_ascii_lowercase())
        }),
        Base::Arn => {
            let parts: Vec<&str> = text.splitn(6, ':').collect();
            // Colons of variables separate nothing.
            let mut inside = false;
            let hide = |c: char, before: bool| if c == ':' && before { '\u{1}' } else { c };
            let masked = value.char_indices().map(|(at, c)| {
                inside = variables && c != '}' && (inside || value[at..].starts_with("${"));
                hide(c, inside)
            });
            let masked: String = masked.collect();
            let wanted: Vec<String> = masked.splitn(6, ':').map(|part| part.replace('\u{1}', ":")).collect();
            parts.len() == 6
                && (value == "*"
                    || wanted.iter().zip(&parts).all(|(wanted, part)| {
                        cells(wanted, true, variables, of).is_some_and(|cells| like(&cells, part))
                    }))
        }
        Base::Numeric(how) => {
            let pair = (fact.number(), facts::number(value));
            matches!(pair, (Some(a), Some(b)) if compare(how, a - b))
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a difference of dates is small, or its sign is all that counts"
        )]
        Base::Date(how) => {
            let pair = (fact.moment(), facts::moment(value));
            matches!(pair, (Some(a), Some(b)) if compare(how, a.saturating_sub(b) as f64))
        }
        Base::Bool => fact.bool().is_some_and(|fact| facts::bool(value) == Some(fact)),
        Base::BinaryEquals => base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text.as_bytes()) == value,
        Base::IpAddress => fact.address().is_some_and(|address| within(address, value)),
        Base::Null => false,
    }
}

fn compare(how: Compare, difference: f64) -> bool {
    match how {
        Compare::Equals => difference == 0.0,
        Compare::Less => difference < 0.0,
        Compare::LessOrEqual => difference <= 0.0,
        Compare::Greater => difference > 0.0,
        Compare::GreaterOrEqual => difference >= 0.0,
    }
}

fn within(address: IpAddr, network: &str) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => format!("4{:032b}", address.to_bits()),
        IpAddr::V6(address) => format!("6{:0128b}", address.to_bits()),
    };
    // As compiled, networks may have spaces around them.
    let network = network.trim();
    let (text, prefix) = network.split_once('/').map_or((network, None), |(text, prefix)| (text, Some(prefix)));
    let Ok(of) = text.parse::<IpAddr>() else { return false };
    let all = if of.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map_or(Some(all), |prefix| prefix.parse::<usize>().ok()).unwrap_or(all);
    let mapped = of != of.to_canonical() && prefix >= 96;
    let (of, prefix) = if mapped { (of.to_canonical(), prefix - 96) } else { (of, prefix) };
    bits(address.to_canonical()).get(..=prefix) == bits(of).get(..=prefix)
}

/// A character of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Is(char),
    One,
    Any,
}

/// The pattern, its variables replaced; `None` if one has no value.
fn cells(text: &str, wildcards: bool, variables: bool, of: &dyn Facts) -> Option<Vec<Cell>> {
    let mut cells = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if variables && rest.starts_with("${") {
            let end = rest.find('}')?;
            let name = &rest[2..end];
            rest = &rest[end + 1..];
            if matches!(name, "*" | "?" | "$") {
                cells.extend(name.chars().map(Cell::Is));
                continue;
            }
            let (name, default) = name.split_once(',').map_or((name, None), |(name, text)| (name, Some(text)));
            let value = of.value(&Key::of(name.trim())?, 0);
            let value = value.map(|value| value.with_text(|text| String::from_utf8_lossy(text).into_owned()));
            let value = value.or_else(|| Some(default?.trim().strip_prefix('\'')?.strip_suffix('\'')?.to_owned()))?;
            cells.extend(value.chars().map(Cell::Is));
            continue;
        }
        rest = &rest[c.len_utf8()..];
        cells.push(match c {
            '*' if wildcards => Cell::Any,
            '?' if wildcards => Cell::One,
            c => Cell::Is(c),
        });
    }
    Some(cells)
}

/// Whether a text is what the cells say: a table of which beginnings of the text the cells so far can be.
fn like(cells: &[Cell], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let mut can = vec![false; text.len() + 1];
    can[0] = true;
    for cell in cells {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match cell {
                Cell::Any => can[at] || at > 0 && next[at - 1],
                Cell::One => at > 0 && can[at - 1],
                Cell::Is(c) => at > 0 && can[at - 1] && text[at - 1] == *c,
            };
        }
        can = next;
    }
    can[text.len()]
}

const _: () = assert!(Action::ALL.len() == 3, "every action is compared by its name");
