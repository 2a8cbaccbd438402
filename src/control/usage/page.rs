//! What people see of usage, and how they set it: answers of the admin listener, as JSON.

use super::{
    Book, days,
    file::{Balances, name},
};
use crate::{
    auth::api_key::Table,
    base::{
        clock::unix_now,
        limits::{USAGE_DAYS_KEPT, USAGE_PAGE_MAX},
    },
    config::json::Json,
    control::cluster::Asked,
    plan::usage::{AccountId, Balance, Quota, UsagePlan, day_of},
};

/// What is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::control) struct Query {
    /// Which of the questions.
    pub(in crate::control) what: What,
    /// Only of this usage plan.
    pub(in crate::control) plan: Option<String>,
    /// Only of this key.
    pub(in crate::control) key: Option<String>,
    /// The first day.
    pub(in crate::control) from: Option<String>,
    /// The last day.
    pub(in crate::control) to: Option<String>,
    /// Where the list goes on.
    pub(in crate::control) position: usize,
    /// How many lines.
    pub(in crate::control) limit: Option<usize>,
    /// What is to be left.
    pub(in crate::control) remaining: Option<u64>,
}

/// The questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::control) enum What {
    /// How much of each quota is used.
    #[default]
    List,
    /// How much a key used day by day.
    Days,
    /// That so much is left from now on.
    Set,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::control) enum Answer {
    /// This.
    Json(String),
    /// That it cannot be, with a status.
    Wrong(u16, &'static str),
}

impl Query {
    /// Reads the query of a target.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(in crate::control) fn parse(what: What, query: &str) -> Result<Self, &'static str> {
        let mut read = Self { what, ..Self::default() };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value).ok_or("a value of the query is not percent-encoded UTF-8")?;
            match name {
                "plan" => read.plan = Some(value),
                "key" => read.key = Some(value),
                "from" => read.from = Some(value),
                "to" => read.to = Some(value),
                "position" => read.position = value.parse().map_err(|_| "position is a number that was told before")?,
                "limit" => read.limit = Some(value.parse().map_err(|_| "limit is a number from 1 to 500")?),
                "remaining" => read.remaining = Some(value.parse().map_err(|_| "remaining is a number of requests")?),
                _ => return Err("the query has plan, key, from, to, position, limit and remaining"),
            }
        }
        Ok(read)
    }
}

/// What all gateways of a cluster have counted, by the names of accounts.
pub(super) type Shared = Balances;

pub(super) fn answer(book: &Book, query: &Query, now: u64, shared: Option<&Shared>) -> Answer {
    match query.what {
        What::List => list(book, query, now, shared),
        What::Days => of_days(book, query, now),
        What::Set => set(book, query, now, shared),
    }
}

/// The accounts that an answer is about, and what is to be left of them.
///
/// # Errors
/// There is no such account.
pub(super) fn named(book: &Book, query: &Query) -> Result<Vec<Asked>, Answer> {
    match query.what {
        What::List => {
            let (position, limit) = (query.position, query.limit.unwrap_or(LINES).clamp(1, USAGE_PAGE_MAX));
            let table = book.keys.current();
            let lines = wanted(book, &table, query).skip(position).take(limit);
            Ok(lines.map(|(key, plan, quota)| (name(&plan.name, key), *quota, None)).collect())
        }
        What::Days => Ok(Vec::new()),
        What::Set => {
            let (plan, key, quota, remaining) = to_set(book, query)?;
            let name = name(&plan.name, key);
            if !book.ids.contains_key(&name) {
                return Err(NO_SUCH_KEY);
            }
            Ok(vec![(name, *quota, Some(remaining))])
        }
    }
}

/// The lines that are asked for.
fn wanted<'b>(
    book: &'b Book,
    table: &'b Table,
    query: &'b Query,
) -> impl Iterator<Item = (&'b str, &'b UsagePlan, &'b Quota)> {
    table.memberships().filter_map(|(key, plan)| {
        let plan = book.plans.get(usize::from(plan))?;
        let quota = plan.quota.as_ref()?;
        let fits = query.plan.as_ref().is_none_or(|name| *name == plan.name)
            && query.key.as_ref().is_none_or(|name| name == key);
        fits.then_some((key, plan, quota))
    })
}

/// The day that it is.
pub(super) fn today() -> u16 {
    day_of(unix_now().seconds())
}

fn list(book: &Book, query: &Query, now: u64, shared: Option<&Shared>) -> Answer {
    let limit = query.limit.unwrap_or(LINES).clamp(1, USAGE_PAGE_MAX);
    let table = book.keys.current();
    let mut lines = Vec::new();
    let mut total = 0;
    for (at, (key, plan, quota)) in wanted(book, &table, query).enumerate() {
        total = at + 1;
        if at >= query.position && lines.len() < limit {
            let balance = match shared {
                Some(shared) => shared.get(&name(&plan.name, key)).copied().unwrap_or_default(),
                None => balance(book, &plan.name, key),
            };
            lines.push(line(key, plan, quota, &balance, day_of(now)));
        }
    }
    let next = query.position + lines.len();
    let next = if next < total { number(next as u64) } else { Json::Null };
    let all = [("usage", Json::List(lines)), ("total", number(total as u64)), ("position", next)];
    Answer::Json(Json::object(all).compact() + "\n")
}

fn line(key: &str, plan: &UsagePlan, quota: &Quota, balance: &Balance, today: u16) -> Json {
    let begin = quota.begins(today).max(balance.begin);
    let (taken, extra) = if begin > balance.begin { (0, 0) } else { (balance.taken, balance.extra) };
    Json::object([
        ("plan", Json::text(&plan.name)),
        ("key", Json::text(key)),
        ("period", Json::text(quota.period.label())),
        ("begins", Json::text(days::shown(begin))),
        ("resets", Json::text(days::shown(quota.ends(today.max(begin))))),
        ("limit", number(quota.limit.saturating_add_signed(extra))),
        ("used", number(taken)),
        ("remaining", number(quota.left(taken, extra))),
    ])
}

fn of_days(book: &Book, query: &Query, now: u64) -> Answer {
    let Some(key) = &query.key else { return Answer::Wrong(400, "which key? key=NAME") };
    let today = day_of(now);
    let day = |text: &Option<String>, otherwise: u16| match text {
        None => Ok(otherwise),
        Some(text) => days::parse(text).ok_or(Answer::Wrong(400, "a day is written 2026-12-31")),
    };
    let (from, to) = match (day(&query.from, today.saturating_sub(30)), day(&query.to, today)) {
        (Ok(from), Ok(to)) if from <= to => (from, to.min(today)),
        (Ok(_), Ok(_)) => return Answer::Wrong(400, "from is after to"),
        (Err(wrong), _) | (_, Err(wrong)) => return wrong,
    };
    let kept = u16::try_from(USAGE_DAYS_KEPT).unwrap_or(u16::MAX);
    let mut lines = Vec::new();
    let folder = book.store.as_ref().map(super::Store::folder);
    for day in from.max(today.saturating_sub(kept))..=to {
        let mut told = folder.map_or_else(Vec::new, |folder| days::read(folder, day, key, query.plan.as_deref()));
        if told.is_empty() {
            // It is not over, or was not kept.
            for plan in book.plans.iter().filter(|plan| query.plan.as_ref().is_none_or(|name| *name == plan.name)) {
                let Some(quota) = &plan.quota else { continue };
                if let Some((used, remaining)) = days::used(&balance(book, &plan.name, key), quota, day) {
                    told.push(days::Used { plan: plan.name.clone(), key: key.clone(), used, remaining });
                }
            }
        }
        lines.extend(told.into_iter().map(|used| {
            Json::object([
                ("day", Json::text(days::shown(day))),
                ("plan", Json::text(used.plan)),
                ("used", number(used.used)),
                ("remaining", number(used.remaining)),
            ])
        }));
    }
    Answer::Json(Json::object([("key", Json::text(key)), ("days", Json::List(lines))]).compact() + "\n")
}

fn set(book: &Book, query: &Query, now: u64, shared: Option<&Shared>) -> Answer {
    let (plan, key, quota, remaining) = match to_set(book, query) {
        Ok(found) => found,
        Err(wrong) => return wrong,
    };
    let today = day_of(now);
    let account = name(&plan.name, key);
    let balance = match shared {
        // It was set where all gateways look.
        Some(shared) => shared.get(&account).copied(),
        None => book.ids.get(&account).and_then(|id| book.ledger.set_left(*id, quota, today, remaining)),
    };
    match balance {
        Some(balance) => Answer::Json(line(key, plan, quota, &balance, today).compact() + "\n"),
        None => NO_SUCH_KEY,
    }
}

/// What is to be set to what.
fn to_set<'b>(book: &'b Book, query: &'b Query) -> Result<(&'b UsagePlan, &'b str, &'b Quota, u64), Answer> {
    let (Some(plan), Some(key), Some(remaining)) = (&query.plan, &query.key, query.remaining) else {
        return Err(Answer::Wrong(400, "what is to be set? plan=NAME&key=NAME&remaining=NUMBER"));
    };
    let found = book.plans.iter().find(|known| known.name == *plan);
    let found = found.and_then(|plan| Some((plan, key.as_str(), plan.quota.as_ref()?, remaining)));
    found.ok_or(Answer::Wrong(404, "there is no such usage plan, or it has no quota"))
}

fn balance(book: &Book, plan: &str, key: &str) -> Balance {
    let id: Option<AccountId> = book.ids.get(&name(plan, key)).copied();
    id.and_then(|id| book.ledger.balance(id)).unwrap_or_default()
}

fn number(value: u64) -> Json {
    Json::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// Undoes percent-encoding.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                let digits =
                    std::str::from_utf8(&digits).ok().filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()))?;
                u8::from_str_radix(digits, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

const NO_SUCH_KEY: Answer = Answer::Wrong(404, "the usage plan has no such key");
/// Lines that are told unless asked otherwise.
const LINES: usize = 100;

#[cfg(test)]
mod tests {
    use super::{Query, What, decode};

    #[test]
    fn a_query_is_read() {
        let read = Query::parse(What::Set, "plan=gold&key=a%20b+c%2F&remaining=5&&position=3").unwrap();
        let expected = Query {
            what: What::Set,
            plan: Some("gold".into()),
            key: Some("a b c/".into()),
            remaining: Some(5),
            position: 3,
            ..Query::default()
        };
        assert_eq!(read, expected);
        for (query, why) in [
            ("remaining=-1", "less than nothing"),
            ("remaining=x", "no number"),
            ("color=red", "unknown"),
            ("key=%zz", "no digits"),
            ("key=%f", "cut off"),
            ("key=%ff", "no UTF-8"),
        ] {
            assert!(Query::parse(What::List, query).is_err(), "{why}");
        }
        assert_eq!(decode("%+1"), None, "a sign is no digit");
    }
}
