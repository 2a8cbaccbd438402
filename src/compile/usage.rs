//! Usage plans: quotas, and that no key has two plans for one API.

use super::Sink;
use crate::{
    config::{Config, Diagnostic, access::UsagePlan, diagnostic::Code},
    plan::usage::{self, Ledger, Period, Quota, Usage},
};
use std::sync::Arc;

/// What keys may use; nothing if no plan has a quota.
pub(super) fn usage(config: &Config, sink: &Sink) -> Option<Box<Usage>> {
    let access = &config.access;
    let plan = |plan: &UsagePlan| usage::UsagePlan { name: plan.name.value.clone(), quota: quota(plan, sink) };
    let plans: Box<[_]> = access.plans.iter().map(plan).collect();
    if plans.iter().all(|plan| plan.quota.is_none()) {
        return None;
    }
    let folder = access.usage.persist.then(|| access.usage.folder.clone());
    Some(Box::new(Usage { plans, ledger: Arc::new(Ledger::default()), folder }))
}

fn quota(plan: &UsagePlan, sink: &Sink) -> Option<Quota> {
    let written = plan.quota.as_ref()?;
    let period = match written.period.value {
        "week" => Period::Week,
        "month" => Period::Month,
        _ => Period::Day,
    };
    let offset = &written.offset;
    if offset.value > period.offset_max() {
        let (message, expected) = match period {
            Period::Day => ("a day has no offset".to_owned(), "expected 0: it begins at 00:00 UTC".to_owned()),
            Period::Week | Period::Month => (
                format!("a {} cannot begin {} days later", period.label(), offset.value),
                format!("expected 0 to {}", period.offset_max()),
            ),
        };
        sink.add(Diagnostic::error(Code::BAD_QUOTA, offset.place, message).expected(expected));
    }
    Some(Quota { limit: written.limit.value.try_into().unwrap_or(0), period, offset: offset.value })
}

/// An API, or a stage of one, that both plans have; in words.
pub(super) fn both(one: &[String], other: &[String]) -> Option<String> {
    let split = |text: &str| match text.split_once(':') {
        Some((api, stage)) => (api.to_owned(), Some(stage.to_owned())),
        None => (text.to_owned(), None),
    };
    let others: Vec<_> = other.iter().map(|text| split(text)).collect();
    let same = |text: &&String| {
        let (api, stage) = split(text);
        others.iter().any(|(name, of)| *name == api && (of.is_none() || stage.is_none() || *of == stage))
    };
    one.iter().find(same).cloned()
}

#[cfg(test)]
mod tests {
    use super::both;

    #[test]
    fn plans_overlap_where_a_request_could_be_counted_twice() {
        for (one, other, expected, why) in [
            (&["a"][..], &["b"][..], None, "two APIs"),
            (&["a"], &["b", "a"], Some("a"), "the same API"),
            (&["a:x"], &["a:y"], None, "two stages"),
            (&["a:x"], &["a:x"], Some("a:x"), "the same stage"),
            (&["b", "a:x"], &["a"], Some("a:x"), "all stages have this one"),
            (&["a"], &["a:x"], Some("a"), "the other way round"),
            (&[], &["a"], None, "a plan of nothing"),
        ] {
            let owned = |all: &[&str]| all.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
            assert_eq!(both(&owned(one), &owned(other)).as_deref(), expected, "{why}");
        }
    }
}
