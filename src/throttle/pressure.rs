//! How much of what comes a core refuses, so that the rest does not wait too long: the lowest priorities first.

use crate::base::limits;
use std::time::Duration;

/// What a core does about how long ready work waits for its turn.
///
/// It is told that as often as its tick is heard. Three of four such waits in a row that are longer than the bound are no burst, and
/// no pause of the machine's, which pass by themselves, but a queue that stands (as CoDel has it, RFC 8289 §3.2): then the level is raised,
/// in larger steps the longer the wait; otherwise it is lowered. A hundred of it are all requests of one priority.
#[derive(Debug, Default)]
pub struct Pressure {
    waits: [Duration; limits::SHED_WINDOW],
    count: usize,
    level: u16,
    delay: Duration,
}

impl Pressure {
    /// Ready work has waited for `wait`; it may for `bound`. Returns the level, at most `most`.
    pub fn feel(&mut self, wait: Duration, bound: Duration, most: u16) -> u16 {
        if let Some(place) = self.waits.get_mut(self.count) {
            *place = wait;
        }
        self.count += 1;
        if self.count < self.waits.len() {
            return self.level.min(most);
        }
        self.count = 0;
        self.waits.sort_unstable();
        self.delay = self.waits.get(1).copied().unwrap_or_default();
        self.level = if self.delay > bound {
            let times = self.delay.as_nanos() / bound.as_nanos().max(1);
            let times = u16::try_from(times).unwrap_or(u16::MAX).clamp(1, limits::SHED_STEPS_MAX);
            self.level.saturating_add(limits::SHED_STEP * times).min(most)
        } else {
            let steps = if self.delay < bound / 2 { 2 } else { 1 };
            self.level.min(most).saturating_sub(limits::SHED_STEP * steps)
        };
        self.level
    }

    /// Nothing is refused any more.
    pub fn relax(&mut self) {
        self.level = 0;
    }

    /// How long ready work waited, three of four times at least, when the last four were looked at.
    #[must_use]
    pub const fn delay(&self) -> Duration {
        self.delay
    }
}

#[cfg(test)]
mod tests {
    use super::Pressure;
    use std::time::Duration;

    const BOUND: Duration = Duration::from_millis(50);

    fn feel(pressure: &mut Pressure, millis: [u64; 4]) -> u16 {
        millis.map(|wait| pressure.feel(Duration::from_millis(wait), BOUND, 300))[3]
    }

    #[test]
    fn one_long_wait_is_no_overload_and_three_of_four_are() {
        let mut pressure = Pressure::default();
        assert_eq!(feel(&mut pressure, [900, 0, 900, 1]), 0, "bursts");
        assert_eq!(feel(&mut pressure, [60, 51, 0, 90]), 5, "a queue that stands");
        assert_eq!(feel(&mut pressure, [120, 130, 140, 150]), 15, "the longer, the more");
        assert_eq!(feel(&mut pressure, [9_000; 4]), 55, "up to eight steps");
        assert_eq!(feel(&mut pressure, [45; 4]), 50, "less, but not much");
        assert_eq!(feel(&mut pressure, [0; 4]), 40);
        assert_eq!(pressure.delay(), Duration::ZERO);
        for _ in 0..10 {
            feel(&mut pressure, [u64::MAX / 1_000_000; 4]);
        }
        assert_eq!(feel(&mut pressure, [900; 4]), 300, "everything that may be refused");
        assert_eq!(pressure.feel(Duration::ZERO, BOUND, 100), 100, "a plan with one priority");
    }

    /// A core that can do 500 requests in a twentieth of a second, and is asked for `load` times that: a half of lowest priority, three
    /// tenths, a fifth. What share of each is refused, and how long ready work waits in the end, at most.
    fn overload(load: f64) -> ([f64; 3], f64) {
        let (mut pressure, mut backlog, mut level) = (Pressure::default(), 0.0_f64, 0.0_f64);
        let (mut refused, mut longest) = ([0.0; 3], 0.0_f64);
        for tick in 0..1_200 {
            let mut work = 0.0;
            for (index, (part, shed)) in [0.5, 0.3, 0.2].into_iter().zip(&mut refused).enumerate() {
                let share = (level / 100.0 - index as f64).clamp(0.0, 1.0);
                // To refuse one is a fifth of the work.
                work += 500.0 * load * part * (1.0 - share * 0.8);
                *shed += share / 1_200.0;
            }
            backlog = (backlog + work - 500.0).max(0.0);
            let wait = backlog / 10_000.0;
            level = f64::from(pressure.feel(Duration::from_secs_f64(wait), BOUND, 300));
            longest = if tick > 600 { longest.max(wait) } else { 0.0 };
        }
        (refused, longest)
    }

    #[test]
    fn the_lowest_priority_is_refused_first_and_the_wait_stays_near_its_bound() {
        let ([low, normal, high], longest) = overload(1.2);
        assert!(low > 0.3 && normal < 0.01 && high < 0.01 && longest < 0.2, "{low} {normal} {high} {longest}");
        let ([low, normal, high], longest) = overload(2.0);
        assert!(low > 0.95 && (0.3..0.7).contains(&normal) && high < 0.1, "{low} {normal} {high}");
        assert!(longest < 0.2, "{longest}");
        let (refused, _) = overload(0.9);
        assert!(refused.iter().all(|share| *share == 0.0), "{refused:?}");
    }
}
