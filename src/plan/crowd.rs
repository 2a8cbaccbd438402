//! Limits on requests under way, compiled.

pub use crate::{
    base::ids::CrowdId,
    throttle::{
        gate::{Bounds, Entered, Gate, Gates, Place, Ticket},
        places::{Errand, Places},
    },
};
use std::{sync::Arc, time::Duration};

/// `concurrency`
#[derive(Clone, Debug)]
pub struct Crowd {
    /// What it is called, in metrics and logs; a limit of a later plan with this name goes on from where this one is.
    pub name: String,
    /// How many, and how many may wait.
    pub bounds: Bounds,
    /// How long they may wait.
    pub patience: Duration,
    /// Where it was written, `file:line`.
    pub origin: String,
    /// Its places in the process.
    pub places: Arc<Places>,
}
