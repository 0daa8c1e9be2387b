//! Medians, percentiles and rates. Times are nanoseconds from the start of a phase.

use std::time::Instant;

/// Tells nanoseconds since it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn ns(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures are told to a few digits")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

/// How many a second.
pub(super) fn rate(count: usize, ns: u64) -> f64 {
    float(count as u64) * 1e9 / float(ns.max(1))
}

/// What lies at the percent of sorted nanoseconds, in milliseconds.
pub(super) fn percentile_ms(sorted_ns: &[u64], percent: usize) -> f64 {
    let at = (sorted_ns.len() * percent / 100).min(sorted_ns.len().saturating_sub(1));
    sorted_ns.get(at).map_or(0.0, |ns| float(*ns) / 1e6)
}

/// The middle one; of an even number the lower of the two in the middle.
pub(super) fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

/// Three digits that count, and none after the point from 1,000 on.
pub(super) fn rounded(value: f64) -> f64 {
    let digits = match value.abs() {
        size if size >= 1_000.0 => 1.0,
        size if size >= 10.0 => 10.0,
        _ => 1_000.0,
    };
    (value * digits).round() / digits
}

#[cfg(test)]
mod tests {
    use super::{median, percentile_ms, rate, rounded};

    #[test]
    fn figures_are_what_their_names_say() {
        let ns: Vec<u64> = (1..=1_000).map(|ms| ms * 1_000_000).collect();
        assert!((percentile_ms(&ns, 50) - 501.0).abs() < 1e-9);
        assert!((percentile_ms(&ns, 99) - 991.0).abs() < 1e-9);
        assert!((percentile_ms(&[], 99)).abs() < 1e-9);
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((rate(500, 500_000_000) - 1_000.0).abs() < 1e-9);
        assert!((rounded(12_345.67) - 12_346.0).abs() < 1e-9);
        assert!((rounded(1.234_56) - 1.235).abs() < 1e-9);
    }
}
