//! The retry budget: retries may be a share of the requests, so that a failing upstream is not buried under them.

use std::cell::Cell;

/// Tokens: each request earns a share of one, each retry costs a whole one.
#[derive(Debug)]
pub struct Budget {
    share: f64,
    tokens: Cell<f64>,
}

/// Tokens at the start and at most: a quiet upstream may still be retried a few times.
const TOKENS_MAX: f64 = 10.0;

impl Budget {
    /// A budget of `share` retries per request.
    #[must_use]
    pub fn new(share: f64) -> Self {
        Self { share, tokens: Cell::new(TOKENS_MAX) }
    }

    /// A request was made.
    #[inline]
    pub fn earn(&self) {
        let tokens = self.tokens.get();
        if tokens < TOKENS_MAX {
            self.tokens.set((tokens + self.share).min(TOKENS_MAX));
        }
    }

    /// Whether a retry is affordable; if so, it is paid for.
    pub fn spend(&self) -> bool {
        let tokens = self.tokens.get();
        if self.share <= 0.0 || tokens < 1.0 {
            return false;
        }
        self.tokens.set(tokens - 1.0);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn retries_follow_the_requests_at_the_set_share() {
        let budget = Budget::new(0.2);
        while budget.spend() {}
        let mut retries = 0;
        for _ in 0..1000 {
            budget.earn();
            retries += u32::from(budget.spend());
        }
        assert!((199..=201).contains(&retries), "{retries}");
    }

    #[test]
    fn no_share_no_retry() {
        assert!(!Budget::new(0.0).spend());
    }
}
