//! Limits on requests under way, checked and named.

use super::Sink;
use crate::{
    config::{Diagnostic, diagnostic::Code, throttle::Concurrency, upstream::Upstream},
    plan::{
        crowd::{Bounds, Crowd, CrowdId},
        throttle::Ledger,
    },
};
use ahash::AHashMap;
use std::sync::Arc;

/// All of them, as they are found.
pub(super) struct Crowds {
    all: Vec<Crowd>,
    by_name: AHashMap<String, CrowdId>,
    ledger: Arc<Ledger>,
}

impl Crowds {
    /// None yet.
    pub(super) fn new(ledger: &Arc<Ledger>) -> Self {
        Self { all: Vec::new(), by_name: AHashMap::new(), ledger: Arc::clone(ledger) }
    }

    /// One; nothing if it is not written. An API that is served in several places has its limit once.
    pub(super) fn one(&mut self, name: String, written: Option<&Concurrency>, sink: &Sink) -> Option<CrowdId> {
        let written = written?;
        if let Some(id) = self.by_name.get(&name) {
            return Some(*id);
        }
        let (most, dry_run) = (written.limit?.value, written.dry_run.value);
        if let Some(queue) = written.queue.as_ref().filter(|_| dry_run) {
            let message = "nobody waits where a limit is only counted";
            let diagnostic = Diagnostic::warning(Code::BAD_THROTTLE, queue.place, message);
            sink.add(diagnostic.also(written.dry_run.place, "this says so"));
        }
        let queue = written.queue.as_ref().filter(|_| !dry_run);
        let length = queue.and_then(|queue| queue.length).map_or(0, |length| length.value);
        let id = CrowdId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(Crowd {
            name: name.clone(),
            bounds: Bounds { most, length, dry_run },
            patience: queue.map(|queue| queue.timeout.value).unwrap_or_default(),
            origin: written.origin.clone(),
            places: self.ledger.open_places(),
        });
        self.by_name.insert(name, id);
        Some(id)
    }

    /// Those of upstreams, in the order of these; nothing if none has any.
    pub(super) fn of_upstreams(&mut self, upstreams: &[Upstream], sink: &Sink) -> Vec<Option<CrowdId>> {
        let one = |upstream: &Upstream| {
            self.one(format!("upstream {}", upstream.name.value), upstream.concurrency.as_ref(), sink)
        };
        let all: Vec<_> = upstreams.iter().map(one).collect();
        if all.iter().all(Option::is_none) { Vec::new() } else { all }
    }

    /// All of them.
    pub(super) fn finish(self) -> Vec<Crowd> {
        self.all
    }
}
