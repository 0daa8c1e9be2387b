//! Inputs that nobody means well by: good ones, of which pieces are changed, left out, doubled and mixed. The
//! same seed gives the same inputs.

/// Bytes of one input.
const BYTES_MAX: usize = 16 * 1024;
/// Changes of one input.
const CHANGES_MAX: u64 = 8;
/// Bytes of one piece that is moved about.
const PIECE_BYTES_MAX: u64 = 256;

/// Makes inputs of good ones and of words that mean something to whoever reads them.
#[derive(Debug)]
pub struct Mutator {
    good: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    state: u64,
}

impl Mutator {
    pub fn new(seed: u64, good: &[&[u8]], words: &[&str]) -> Self {
        let good = good.iter().map(|one| one[..one.len().min(BYTES_MAX)].to_vec()).collect();
        let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        Self { good, words, state: seed.wrapping_mul(2).wrapping_add(1) }
    }

    /// Xorshift: what is wanted is many different inputs, not good chance.
    fn number(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) % below.max(1)
    }

    fn place(&mut self, bytes: &[u8]) -> usize {
        usize::try_from(self.number(bytes.len() as u64 + 1)).unwrap()
    }

    fn piece(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let from = self.place(bytes);
        let length = usize::try_from(self.number(PIECE_BYTES_MAX)).unwrap();
        from..(from + length).min(bytes.len())
    }

    fn one_of(&mut self, count: usize) -> usize {
        usize::try_from(self.number(count as u64)).unwrap()
    }

    /// The next input.
    pub fn input(&mut self) -> Vec<u8> {
        let first = self.one_of(self.good.len());
        let mut bytes = self.good[first].clone();
        for _ in 0..=self.number(CHANGES_MAX) {
            self.change(&mut bytes);
        }
        bytes.truncate(BYTES_MAX);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        let at = self.place(bytes);
        match self.number(7) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = self.number(256).to_le_bytes()[0];
                }
            }
            1 => drop(bytes.drain(self.piece(bytes))),
            2 => {
                let piece = bytes[self.piece(bytes)].to_vec();
                let times = self.number(8);
                for _ in 0..times {
                    bytes.splice(at..at, piece.iter().copied());
                }
            }
            3 => {
                let other = self.one_of(self.good.len());
                let other = self.good[other].clone();
                let piece = other[self.piece(&other)].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => bytes.truncate(at),
            5 => {
                let byte = self.number(256).to_le_bytes()[0];
                bytes.insert(at, byte);
            }
            _ => {
                let word = self.one_of(self.words.len());
                let word = self.words[word].clone();
                let times = if self.number(16) == 0 { self.number(64) } else { 1 };
                for _ in 0..times {
                    bytes.splice(at..at, word.iter().copied());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{BYTES_MAX, Mutator};

    #[test]
    fn inputs_are_many_the_same_for_the_same_seed_and_bounded() {
        let make = |seed| {
            let mut mutator =
                Mutator::new(seed, &[b"From: a@b\r\n\r\nHello", b"To: c"], &["@", "<"]);
            (0..500).map(|_| mutator.input()).collect::<Vec<_>>()
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        let all: BTreeSet<Vec<u8>> = make(3).into_iter().collect();
        assert!(all.len() > 400, "{}", all.len());
        assert!(all.iter().all(|one| one.len() <= BYTES_MAX));
    }
}
