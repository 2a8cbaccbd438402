//! Latencies in fixed buckets, Prometheus style, without a float and without a loop on the hot path.

use crate::observe::metrics::Counter;

/// Upper bounds in nanoseconds, inclusive, ascending; one more bucket takes the rest. Each is at least twice the one
/// before, so that between two powers of two there is at most one: finding a bucket is one look-up and one comparison.
pub const BOUNDS_NS: [u64; 17] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];

/// The bounds as Prometheus labels: seconds.
pub const BOUND_LABELS: [&str; BOUNDS_NS.len()] = [
    "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1",
    "2.5", "5", "10", "30",
];

const BUCKETS: usize = BOUNDS_NS.len() + 1;
/// For every power of two, how many bounds are below it; and the first bound that is not, or a bound for the rest.
const BELOW: [u8; 64] = below();
const NEXT_BOUND: [u64; 32] = next_bounds();
/// The sum is kept in units of 1,024 ns, rounded: 64 bits then last for half a million years of latency.
const SUM_SHIFT: u32 = 10;

const _: () = {
    let mut i = 1;
    while i < BOUNDS_NS.len() {
        assert!(BOUNDS_NS[i] >= 2 * BOUNDS_NS[i - 1], "at most one bound per power of two");
        i += 1;
    }
};

/// A latency histogram with one writer.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Histogram {
    sum: Counter,
    buckets: [Counter; BUCKETS],
}

impl Histogram {
    /// Counts a latency of `ns` nanoseconds.
    #[inline(always)]
    pub fn record(&self, ns: u64) {
        if let Some(bucket) = self.buckets.get(bucket(ns)) {
            bucket.increment();
        }
        self.sum.add((ns.saturating_add(1 << (SUM_SHIFT - 1))) >> SUM_SHIFT);
    }

    /// Where in the histogram the bucket of `ns` ends: what is up to there is all that shorter latencies touch.
    pub(crate) const fn end_of(ns: u64) -> usize {
        std::mem::offset_of!(Self, buckets) + (bucket(ns) + 1) * size_of::<Counter>()
    }

    /// How many were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(Counter::get).sum()
    }

    /// Adds this histogram to a sum over cores.
    pub fn add_to(&self, total: &mut Total) {
        for (sum, bucket) in total.buckets.iter_mut().zip(&self.buckets) {
            *sum = sum.wrapping_add(bucket.get());
        }
        total.sum = total.sum.wrapping_add(self.sum.get());
    }
}

/// The histograms of several cores added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Total {
    sum: u64,
    buckets: [u64; BUCKETS],
}

impl Total {
    /// Counts at or below each bound, and last of all.
    #[must_use]
    pub fn cumulative(&self) -> [u64; BUCKETS] {
        let mut sum = 0_u64;
        self.buckets.map(|n| {
            sum = sum.wrapping_add(n);
            sum
        })
    }

    /// The sum of all latencies in nanoseconds, to within about 512 ns per latency.
    #[must_use]
    pub fn sum_ns(&self) -> u128 {
        u128::from(self.sum) << SUM_SHIFT
    }
}

/// The index of the first bound that is not below `ns`.
#[inline(always)]
const fn bucket(ns: u64) -> usize {
    let below = BELOW[(63 - (ns | 1).leading_zeros()) as usize & 63] as usize;
    below + (ns > NEXT_BOUND[below & (NEXT_BOUND.len() - 1)]) as usize
}

const _: () =
    assert!(NEXT_BOUND.len().is_power_of_two() && NEXT_BOUND.len() >= BUCKETS, "the mask spares a bounds check");

const fn below() -> [u8; 64] {
    let mut table = [0; 64];
    let mut power = 0;
    while power < 64 {
        let mut n = 0;
        while n < BOUNDS_NS.len() && BOUNDS_NS[n] < 1 << power {
            n += 1;
        }
        #[expect(clippy::cast_possible_truncation, reason = "there are 17 bounds")]
        {
            table[power] = n as u8;
        }
        power += 1;
    }
    table
}

const fn next_bounds() -> [u64; 32] {
    let mut table = [u64::MAX; 32];
    let mut i = 0;
    while i < BOUNDS_NS.len() {
        table[i] = BOUNDS_NS[i];
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{BOUND_LABELS, BOUNDS_NS, Histogram, Total, bucket};

    fn naive(ns: u64) -> usize {
        BOUNDS_NS.iter().take_while(|bound| **bound < ns).count()
    }

    #[test]
    fn the_bucket_is_the_one_a_linear_search_finds() {
        let mut cases = vec![0, 1, 2, 3, u64::MAX, u64::MAX - 1];
        cases.extend(BOUNDS_NS.iter().flat_map(|b| [b - 1, *b, b + 1]));
        cases.extend((0..64).flat_map(|power| {
            let p = 1_u64 << power;
            [p.wrapping_sub(1), p, p + 1, p + p / 2]
        }));
        for ns in cases {
            assert_eq!(bucket(ns), naive(ns), "{ns}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_latency_falls_where_a_linear_search_says(ns: u64, shift in 0_u32..64) {
            proptest::prop_assert_eq!(bucket(ns >> shift), naive(ns >> shift));
        }
    }

    #[test]
    fn labels_are_the_bounds_in_seconds() {
        for (label, ns) in BOUND_LABELS.iter().zip(BOUNDS_NS) {
            assert_eq!(*label, format!("{}", ns as f64 / 1e9));
        }
    }

    #[test]
    fn totals_are_cumulative_and_the_sum_is_near() {
        let (a, b) = (Histogram::default(), Histogram::default());
        let mut total = Total::default();
        for ns in [100_000, 500_000, 500_001, 7_000_000_000] {
            a.record(ns);
        }
        b.record(60_000_000_000);
        a.add_to(&mut total);
        b.add_to(&mut total);
        let cumulative = total.cumulative();
        let at = |label| cumulative[BOUND_LABELS.iter().position(|l| *l == label).unwrap()];
        assert_eq!((at("0.0001"), at("0.00025"), at("0.0005"), at("0.001"), at("5"), at("10")), (1, 1, 2, 3, 3, 4));
        assert_eq!(cumulative.last(), Some(&5));
        let exact = 100_000_u128 + 500_000 + 500_001 + 7_000_000_000 + 60_000_000_000;
        assert!(total.sum_ns().abs_diff(exact) <= 5 * 512);
        assert_eq!(a.count(), 4);
    }

    #[test]
    fn the_longest_latency_does_not_overflow() {
        let h = Histogram::default();
        h.record(u64::MAX);
        assert_eq!(h.count(), 1);
    }
}
