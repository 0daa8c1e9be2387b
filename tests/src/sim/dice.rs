//! Randomness from the seed alone.
//!
//! What two tasks may ask for at the same moment is drawn by name, not from a common sequence, so
//! that the answers do not depend on which of them asks first.

/// Mixes two numbers into one that looks random (the finaliser of SplitMix64).
pub(crate) fn mix(a: u64, b: u64) -> u64 {
    let mut mixed = a ^ b.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number for a name: the same name, the same number.
pub(crate) fn named(seed: u64, name: &str) -> u64 {
    name.bytes().fold(mix(seed, 1), |number, byte| mix(number, u64::from(byte) + 2))
}

/// One draw, from which several independent answers are taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64, name: &str, at: u64) -> Self {
        Self(mix(named(seed, name), at))
    }

    /// A number below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = mix(self.0, 3);
        self.0.checked_rem(bound).unwrap_or(0)
    }

    pub(crate) fn per_mille(&mut self, chances: u64) -> bool {
        self.below(1_000) < chances
    }
}
