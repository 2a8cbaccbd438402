//! Phase 4, the last of it: the request is counted against the quota of its key (reference, section 7.3).
//!
//! Nothing is counted that was refused before; what comes after, a body that is not valid for one, does not take it back.

use super::{Core, Opened, Rejection};
use crate::{
    observe::event::Reason,
    plan::{Access, usage::AccountId},
};

/// Counts a request that may pass otherwise. Without quotas it costs a branch.
///
/// # Errors
/// 429: nothing is left of the key's quota. It is not counted then.
#[inline]
pub fn count(core: &Core, access: &Access, opened: &Opened) -> Result<(), Rejection> {
    let Some(usage) = &opened.epoch_ref().plan.usage else { return Ok(()) };
    let (Some(rule), Some(key)) = (&access.key, &opened.key) else { return Ok(()) };
    let Some((plan, account)) = key.membership(&rule.plans) else { return Ok(()) };
    let Some(quota) = usage.plans.get(usize::from(plan)).and_then(|plan| plan.quota.as_ref()) else { return Ok(()) };
    let now = core.net.clock.unix(opened.started()).seconds();
    let spent = core.leases.borrow_mut().spend(&usage.ledger, AccountId(account), quota, now, core.cores.get());
    spent.map_err(|used_up| Rejection { retry_after: used_up.retry_after, ..Rejection::new(Reason::QuotaExceeded) })
}
