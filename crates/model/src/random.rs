//! Randomness, handed in: the system's where secrets are made, a seeded one in tests and simulations.

use std::sync::Mutex;

use ring::rand::SecureRandom as _;

/// Fills buffers with random bytes.
pub trait Random: Send + Sync + std::fmt::Debug {
    fn fill(&self, buffer: &mut [u8]);

    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// Bytes asked of the operating system at once. Each request has an id, and a call for each costs
/// more than the rest of the id.
const STOCK_BYTES: usize = 1_024;

/// The operating system's generator, fit for secrets. It keeps a small stock, and forgets each byte as
/// it is given out.
pub struct SystemRandom {
    system: ring::rand::SystemRandom,
    stock: Mutex<Stock>,
}

/// Bytes not yet given out, at the end.
struct Stock {
    bytes: [u8; STOCK_BYTES],
    left: usize,
}

impl std::fmt::Debug for SystemRandom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SystemRandom")
    }
}

impl SystemRandom {
    pub fn new() -> Self {
        let stock = Stock { bytes: [0; STOCK_BYTES], left: 0 };
        Self { system: ring::rand::SystemRandom::new(), stock: Mutex::new(stock) }
    }

    #[expect(clippy::expect_used, reason = "without randomness no secret may be made")]
    fn ask(&self, buffer: &mut [u8]) {
        self.system.fill(buffer).expect("the operating system gives random bytes");
    }
}

impl Default for SystemRandom {
    fn default() -> Self {
        Self::new()
    }
}

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) {
        if buffer.len() > STOCK_BYTES {
            return self.ask(buffer);
        }
        let mut stock = self.stock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if stock.left < buffer.len() {
            self.ask(&mut stock.bytes);
            stock.left = STOCK_BYTES;
        }
        let from = STOCK_BYTES - stock.left;
        stock.left -= buffer.len();
        let given = &mut stock.bytes[from..from + buffer.len()];
        buffer.copy_from_slice(given);
        given.fill(0);
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same seed gives the same bytes. Not fit for secrets.
#[derive(Debug)]
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    /// A number below `bound`, or 0 if `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        self.next_u64().checked_rem(bound).unwrap_or(0)
    }

    /// True `percent` times in a hundred.
    pub fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

impl Random for SeededRandom {
    fn fill(&self, buffer: &mut [u8]) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for chunk in buffer.chunks_mut(8) {
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = *state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^= mixed >> 31;
            let length = chunk.len();
            chunk.copy_from_slice(&mixed.to_le_bytes()[..length]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Random as _, STOCK_BYTES, SystemRandom};

    #[test]
    fn system_gives_no_bytes_twice_and_keeps_none_that_it_gave() {
        let random = SystemRandom::new();
        let draw = |bytes: usize| {
            let mut buffer = vec![0; bytes];
            random.fill(&mut buffer);
            buffer
        };
        let drawn: BTreeSet<Vec<u8>> = (0..3 * STOCK_BYTES / 16).map(|_| draw(16)).collect();
        assert_eq!(drawn.len(), 3 * STOCK_BYTES / 16);
        for large in [STOCK_BYTES, STOCK_BYTES + 1, 3 * STOCK_BYTES] {
            let different: BTreeSet<u8> = draw(large).into_iter().collect();
            assert!(different.len() > 128, "{} in {large} bytes", different.len());
        }
        draw(100);
        let stock = random.stock.lock().unwrap();
        assert!(stock.bytes[..STOCK_BYTES - stock.left].iter().all(|byte| *byte == 0));
    }
}
