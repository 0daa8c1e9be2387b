//! When a reply that was not taken is tried again. Pure: the time and the randomness are handed in.

use std::time::Duration;

use postroom_channel::Patience;
use postroom_model::Timestamp;

/// Waits between one attempt and the next, in seconds. Together more than a day, so that a reply
/// outlives the outage of a provider.
pub const DELAYS_S: [i64; 12] =
    [1, 5, 30, 120, 300, 900, 1_800, 3_600, 7_200, 18_000, 36_000, 36_000];

/// Attempts that one reply gets before it is given up; a reply that somebody queues again starts anew.
pub const ATTEMPTS_MAX: u32 = 13;

/// The same for mail, which other servers put off for long and take in the end: together four to five
/// days.
pub const MAIL_DELAYS_S: [i64; 35] = [
    1, 5, 30, 120, 300, 900, 1_800, 3_600, 7_200, 14_400, 14_400, 14_400, 14_400, 14_400, 14_400,
    14_400, 14_400, 14_400, 14_400, 14_400, 14_400, 14_400, 14_400, 14_400, 14_400, 14_400, 14_400,
    14_400, 14_400, 14_400, 14_400, 14_400, 14_400, 14_400, 14_400,
];

/// Attempts that one mail gets.
pub const MAIL_ATTEMPTS_MAX: u32 = 36;

/// How far a wait may lie from the one named above, so that what failed together does not come back
/// together.
pub const JITTER_PERCENT: i64 = 10;

/// The longest wait that the other side may ask for, in seconds.
pub const RETRY_AFTER_S_MAX: i64 = 12 * 3_600;

/// The waits of one channel.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    delays_s: &'static [i64],
}

impl Schedule {
    pub const fn of(patience: Patience) -> Self {
        match patience {
            Patience::Day => Self { delays_s: &DELAYS_S },
            Patience::Days => Self { delays_s: &MAIL_DELAYS_S },
        }
    }

    /// When to try again after `attempt` (counted from 1) failed at `now`; none if it was the last.
    /// Never earlier than the other side asked for, up to [`RETRY_AFTER_S_MAX`]: a shorter wish does
    /// not shorten the wait, or a day of attempts could be used up in minutes.
    pub fn next(
        &self,
        attempt: u32,
        now: Timestamp,
        random: u64,
        retry_after: Option<Duration>,
    ) -> Option<Timestamp> {
        let failed_before = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let delay_ms = self.delays_s.get(failed_before)?.saturating_mul(1_000);
        let wait_ms = jittered(delay_ms, random).max(asked_ms(retry_after));
        Some(now.plus_millis(wait_ms))
    }
}

/// `delay_ms` times a factor between 0.9 and 1.1, in steps of a thousandth.
fn jittered(delay_ms: i64, random: u64) -> i64 {
    let steps = JITTER_PERCENT * 10;
    let range = u64::try_from(2 * steps + 1).unwrap_or(1);
    let step = i64::try_from(random % range).unwrap_or(0) - steps;
    delay_ms + delay_ms / 1_000 * step
}

fn asked_ms(retry_after: Option<Duration>) -> i64 {
    let asked = retry_after.unwrap_or_default().as_millis();
    i64::try_from(asked).unwrap_or(i64::MAX).min(RETRY_AFTER_S_MAX * 1_000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use postroom_model::{Random as _, SeededRandom, Timestamp};

    use postroom_channel::Patience;

    use super::{
        ATTEMPTS_MAX, DELAYS_S, MAIL_ATTEMPTS_MAX, MAIL_DELAYS_S, RETRY_AFTER_S_MAX, Schedule,
    };

    const DAY_S: i64 = 24 * 3_600;
    const NOW: Timestamp = Timestamp::EPOCH;

    fn wait_ms(attempt: u32, random: u64, retry_after_s: Option<u64>) -> Option<i64> {
        Schedule::of(Patience::Day)
            .next(attempt, NOW, random, retry_after_s.map(Duration::from_secs))
            .map(|at| at.since(NOW))
    }

    #[test]
    fn attempts_last_for_more_than_a_day_even_with_the_shortest_waits() {
        let total: i64 = (1..ATTEMPTS_MAX).filter_map(|n| wait_ms(n, 0, None)).sum();
        assert!(total >= DAY_S * 1_000, "{total} ms");
        assert_eq!(DELAYS_S.len() + 1, ATTEMPTS_MAX as usize);
        assert!(DELAYS_S.is_sorted());
    }

    #[test]
    fn mail_is_tried_for_four_to_five_days_whatever_chance_says() {
        let days = Schedule::of(Patience::Days);
        for random in [0, 100, 200] {
            let waits = (1..=MAIL_ATTEMPTS_MAX).map_while(|n| days.next(n, NOW, random, None));
            let total: i64 = waits.map(|at| at.since(NOW)).sum();
            assert!((4 * DAY_S * 1_000..=5 * DAY_S * 1_000).contains(&total), "{total} ms");
        }
        assert_eq!(MAIL_DELAYS_S.len() + 1, MAIL_ATTEMPTS_MAX as usize);
        assert!(MAIL_DELAYS_S.is_sorted());
    }

    #[test]
    fn wait_follows_the_attempt_and_what_the_other_side_asked_for() {
        // The middle of 201 steps is no jitter at all.
        for (attempt, retry_after_s, expected_s) in [
            (1, None, Some(1)),
            (2, None, Some(5)),
            (12, None, Some(36_000)),
            (13, None, None),
            (13, Some(5), None),
            (u32::MAX, None, None),
            (0, None, Some(1)),
            (1, Some(90), Some(90)),
            (4, Some(90), Some(120)),
            (1, Some(u64::MAX), Some(RETRY_AFTER_S_MAX)),
        ] {
            let expected_ms = expected_s.map(|seconds| seconds * 1_000);
            assert_eq!(wait_ms(attempt, 100, retry_after_s), expected_ms, "{attempt}");
        }
    }

    #[test]
    fn jitter_stays_within_a_tenth_and_reaches_both_ends() {
        let random = SeededRandom::new(7);
        for _ in 0..2_000 {
            let wait = wait_ms(5, random.next_u64(), None).unwrap();
            assert!((270_000..=330_000).contains(&wait), "{wait}");
        }
        assert_eq!(wait_ms(5, 0, None), Some(270_000));
        assert_eq!(wait_ms(5, 200, None), Some(330_000));
        assert_eq!(wait_ms(1, 0, Some(1)), Some(1_000));
    }
}
