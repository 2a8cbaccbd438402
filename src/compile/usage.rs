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
