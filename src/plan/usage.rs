//! Usage plans, compiled: how much each of their keys may use.

pub use crate::throttle::quota::{
    Period, Quota, SECONDS_PER_DAY, day_of,
    leases::{Leases, UsedUp},
    ledger::{AccountId, Balance, Ledger, Reader},
};
use std::{path::PathBuf, sync::Arc};

/// `[usage_plan.*]` and `[usage]`; a plan has it if a usage plan has a quota.
#[derive(Debug)]
pub struct Usage {
    /// In the order of their numbers.
    pub plans: Box<[UsagePlan]>,
    /// What was counted. A reload hands it on.
    pub ledger: Arc<Ledger>,
    /// Where it is kept; nothing if it may be forgotten.
    pub folder: Option<PathBuf>,
}

/// `[usage_plan.NAME]`
#[derive(Clone, Debug)]
pub struct UsagePlan {
    /// Its name.
    pub name: String,
    /// `quota`
    pub quota: Option<Quota>,
}
