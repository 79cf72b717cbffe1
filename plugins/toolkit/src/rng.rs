//! Random draws that depend only on their address.
//!
//! Every draw is a pure function of (seed, [`Stream`], position, index): Philox 4x32-10, a counter-based generator
//! (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011). Checkpoints need not save
//! any state: the permutation of epoch 7 is the same whether or not the run was interrupted before it.

/// An independent sequence of random numbers: its purpose, and which member (trial, class, ...) draws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    name: u32,
    member: u32,
}

impl Stream {
    /// Creates a stream by its purpose, such as `"init/deep"` or `"batches"`.
    pub const fn named(purpose: &str) -> Self {
        // FNV-1a, which never changes, unlike the standard library's hashers.
        let bytes = purpose.as_bytes();
        let mut hash = 0x811c_9dc5_u32;
        let mut i = 0;
        while i < bytes.len() {
            hash = (hash ^ bytes[i] as u32).wrapping_mul(0x0100_0193);
            i += 1;
        }
        Self { name: hash, member: 0 }
    }

    /// Returns the stream of another member, for example a trial, for the same purpose.
    #[must_use]
    pub const fn member(self, member: u32) -> Self {
        Self { name: self.name, member }
    }
}

/// Philox 4x32 with ten rounds: four words from a 128-bit counter and a 64-bit key.
pub(crate) fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// A generator at one position (an epoch or a step) of a stream.
#[derive(Clone, Debug)]
pub struct Rng {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Rng {
    /// Creates the generator of `seed`, `stream` and `position`. Equal arguments give equal draws.
    pub fn new(seed: u64, stream: Stream, position: u32) -> Self {
        Self {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, stream.member, stream.name, position],
            block: [0; 4],
            used: 4,
        }
    }

    /// Returns the next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        let word = self.block[self.used];
        self.used += 1;
        word
    }

    /// Returns the next 64 random bits.
    pub(crate) fn next_u64(&mut self) -> u64 {
        let low = u64::from(self.next_u32());
        low | u64::from(self.next_u32()) << 32
    }

    /// Returns an integer in `0..bound`, exactly uniform (Lemire's method). `bound` must not be 0.
    pub fn below(&mut self, bound: u32) -> u32 {
        debug_assert!(bound > 0);
        let mut wide = u64::from(self.next_u32()) * u64::from(bound);
        if (wide as u32) < bound {
            let threshold = bound.wrapping_neg() % bound;
            while (wide as u32) < threshold {
                wide = u64::from(self.next_u32()) * u64::from(bound);
            }
        }
        (wide >> 32) as u32
    }

    /// Returns a uniform number in `[0, 1)` with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Returns a uniform number in `[low, high)`.
    pub fn uniform_in(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Returns a standard normal number (Box–Muller; the second value of each pair is discarded, so that draws stay addressable).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Fills `order` with a uniformly random permutation of `0..order.len()`.
    pub fn permute(&mut self, order: &mut [i64]) {
        for (i, slot) in order.iter_mut().enumerate() {
            *slot = i as i64;
        }
        self.shuffle(order);
    }

    /// Brings values into a uniformly random order (Fisher–Yates).
    pub(crate) fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            values.swap(i, self.below(i as u32 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known-answer vectors published with Random123 (`kat_vectors`, philox4x32 10).
    #[test]
    fn philox_known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn addresses_are_independent_and_repeatable() {
        let first = |seed, stream, position| Rng::new(seed, stream, position).next_u64();
        let s = Stream::named("batches");
        let base = first(1, s, 0);
        assert_eq!(base, first(1, s, 0));
        for other in [
            first(2, s, 0),
            first(1 << 32 | 1, s, 0),
            first(1, s.member(1), 0),
            first(1, s, 1),
            first(1, Stream::named("init"), 0),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn permutations_are_permutations_and_uniform() {
        let mut seen = [0_u32; 6];
        let mut order = [0_i64; 3];
        for position in 0..6000 {
            Rng::new(3, Stream::named("test"), position).permute(&mut order);
            let index = match order {
                [0, 1, 2] => 0,
                [0, 2, 1] => 1,
                [1, 0, 2] => 2,
                [1, 2, 0] => 3,
                [2, 0, 1] => 4,
                [2, 1, 0] => 5,
                other => panic!("{other:?} is no permutation"),
            };
            seen[index] += 1;
        }
        // Chi-squared with 5 degrees of freedom: 20.5 is passed by chance once in a thousand; the seed is fixed.
        let chi: f64 = seen.iter().map(|&n| (f64::from(n) - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi < 20.5, "chi-squared {chi}, counts {seen:?}");
    }

    #[test]
    fn moments_of_uniform_and_normal() {
        let mut rng = Rng::new(5, Stream::named("moments"), 0);
        let n = 100_000;
        let (mut mean, mut square) = (0.0, 0.0);
        let mut uniform = 0.0;
        for _ in 0..n {
            let z = rng.normal();
            mean += z / f64::from(n);
            square += z * z / f64::from(n);
            let u = rng.uniform_in(-2.0, 4.0);
            assert!((-2.0..4.0).contains(&u));
            uniform += u / f64::from(n);
        }
        // Four standard errors each.
        assert!(mean.abs() < 4.0 / f64::from(n).sqrt());
        assert!((square - 1.0).abs() < 4.0 * (2.0 / f64::from(n)).sqrt());
        assert!((uniform - 1.0).abs() < 4.0 * (3.0 / f64::from(n)).sqrt());
    }
}
