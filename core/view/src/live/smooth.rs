//! Smoothing: an exponential moving average over steps with bias correction.

/// Computes `s ← k·s + (1-k)·v` from zero, divided by one minus the product of all `k` (Kingma and Ba, Adam, 2015,
/// section 3, for equal `k`), so that the first value is unchanged. Non-finite values are ignored.
///
/// `k = w^(d/u)` for a value `d` steps after the previous one, where `u` is the mean distance so far: the average
/// decays by steps, not by samples (Eckner, Algorithms for Unevenly Spaced Time Series, 2017, equation 3). At equal
/// distances every `k` is `w`, as in `TensorBoard`. Unlike the average of W&B, which measures distances relative to the
/// visible range, it changes neither with the zoom nor while the run grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ema {
    weight: f64,
    sum: f64,
    /// The product of all `k`.
    bias: f64,
    /// Sum and number of the distances between values.
    distance: (f64, f64),
    /// The step of the previous value.
    last: Option<i64>,
}

impl Ema {
    /// Creates an empty average; the weight is clamped to 0 … 0.9999.
    pub fn new(weight: f64) -> Self {
        Self { weight: clamp(weight), sum: 0.0, bias: 1.0, distance: (0.0, 0.0), last: None }
    }

    /// Restores an average that was `mean` after `n` finite values at the steps `from` to `to`.
    pub fn resumed(weight: f64, n: u64, mean: f64, (from, to): (i64, i64)) -> Self {
        let mut own = Self::new(weight);
        if n == 0 || !mean.is_finite() {
            return own;
        }
        own.bias = own.weight.powf(n as f64);
        own.sum = mean * (1.0 - own.bias);
        own.distance = ((to as f64 - from as f64).max(0.0), n.saturating_sub(1) as f64);
        own.last = Some(to);
        own
    }

    /// Adds a value and returns the average; a non-finite value is returned unchanged.
    pub fn push(&mut self, step: i64, v: f64) -> f64 {
        self.push_many((step, step), v, 1)
    }

    /// Adds `n` equal values evenly spread between two steps, for which a bucket's mean stands, and returns the average.
    pub(crate) fn push_many(&mut self, (from, to): (i64, i64), v: f64, n: u64) -> f64 {
        if !v.is_finite() || n == 0 {
            return v;
        }
        // The distance to the first of them in mean distances, then the distances between them.
        let mut exponent = match self.last {
            Some(last) if from > last => {
                let d = from as f64 - last as f64;
                self.distance = (self.distance.0 + d, self.distance.1 + 1.0);
                d / (self.distance.0 / self.distance.1)
            }
            // The first value, or one at the same or an earlier step, which has no distance.
            _ => 1.0,
        };
        if n > 1 {
            let d = (to as f64 - from as f64).max(0.0);
            self.distance = (self.distance.0 + d, self.distance.1 + (n - 1) as f64);
            let mean = self.distance.0 / self.distance.1;
            exponent += if mean > 0.0 { d / mean } else { (n - 1) as f64 };
        }
        self.last = Some(to);
        let k = if exponent == 1.0 { self.weight } else { self.weight.powf(exponent) };
        self.sum = k * self.sum + (1.0 - k) * v;
        self.bias *= k;
        self.sum / (1.0 - self.bias)
    }
}

/// Clamps the weight to the range used; 0 is off.
pub fn clamp(weight: f64) -> f64 {
    if weight.is_finite() { weight.clamp(0.0, 0.9999) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_constant_stays_itself_from_the_first_value_on() {
        let mut ema = Ema::new(0.99);
        for step in 0..5 {
            assert!((ema.push(step, 3.0) - 3.0).abs() < 1e-12);
        }
        assert!(ema.push(5, f64::NAN).is_nan());
        assert!((ema.push(6, 3.0) - 3.0).abs() < 1e-12, "a NaN leaves no trace");
    }

    #[test]
    fn it_forgets_by_steps_not_by_samples() {
        // One series has every step, the other every step up to 1000 and then each tenth: after a jump at step 1000 both come
        // equally near to the new value in the same number of steps.
        let value = |step: i64| if step < 1000 { 0.0 } else { 1.0 };
        let (mut dense, mut thin) = (Ema::new(0.9), Ema::new(0.9));
        for s in 0..1000 {
            dense.push(s, value(s));
            thin.push(s, value(s));
        }
        let dense = (1000..=1030).map(|s| dense.push(s, value(s))).last();
        let thin = (1000..=1030).step_by(10).map(|s| thin.push(s, value(s))).last();
        let (dense, thin) = (dense.unwrap_or_default(), thin.unwrap_or_default());
        assert!((dense - thin).abs() < 0.03, "{dense} {thin}");
        // By samples it would be 1 - 0.9^4.
        assert!((thin - 0.344).abs() > 0.5);
    }

    #[test]
    fn steps_that_repeat_or_go_back_count_as_one_distance() {
        let mut ema = Ema::new(0.5);
        assert_eq!(ema.push(10, 1.0), 1.0);
        assert!((ema.push(10, 0.0) - 1.0 / 3.0).abs() < 1e-12);
        assert!((ema.push(3, 0.0) - 1.0 / 7.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn it_is_the_weighted_mean_of_all_values(
            values in prop::collection::vec(-1e3f64..1e3, 1..200), weight in 0.0f64..0.999, apart in 1i64..1000,
        ) {
            let mut ema = Ema::new(weight);
            let mut last = 0.0;
            for (i, v) in values.iter().enumerate() {
                last = ema.push(i as i64 * apart, *v);
            }
            let n = values.len();
            let weights: Vec<f64> = (0..n).map(|i| weight.powi((n - 1 - i) as i32)).collect();
            let sum: f64 = values.iter().zip(&weights).map(|(v, w)| v * w).sum();
            let direct = sum / weights.iter().sum::<f64>();
            prop_assert!((last - direct).abs() < 1e-6 * (1.0 + direct.abs()));
        }

        #[test]
        fn it_stays_between_the_values(
            values in prop::collection::vec((0i64..50, -1e3f64..1e3), 1..200), weight in 0.0f64..0.9999,
        ) {
            let (mut ema, mut step) = (Ema::new(weight), 0);
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for (apart, v) in values {
                step += apart;
                (low, high) = (low.min(v), high.max(v));
                let mean = ema.push(step, v);
                prop_assert!(mean >= low - 1e-6 && mean <= high + 1e-6, "{mean} between {low} and {high}");
            }
        }

        #[test]
        fn it_goes_on_from_where_it_was(values in prop::collection::vec(-1e3f64..1e3, 2..100), weight in 0.0f64..0.999) {
            let half = values.len() / 2;
            let mut ema = Ema::new(weight);
            let mut mean = 0.0;
            for (i, v) in values[..half].iter().enumerate() {
                mean = ema.push(7 * i as i64, *v);
            }
            let mut again = Ema::resumed(weight, half as u64, mean, (0, 7 * (half as i64 - 1)));
            for (i, v) in values.iter().enumerate().skip(half) {
                let step = 7 * i as i64;
                prop_assert!((ema.push(step, *v) - again.push(step, *v)).abs() < 1e-6);
            }
        }
    }
}
