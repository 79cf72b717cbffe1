//! Smoothing: an exponential moving average whose bias towards its start is corrected.

/// `s ← w·s + (1-w)·v` from zero, divided by `1 - w^n` after n values (Kingma and Ba, Adam, 2015, section 3): the first value
/// is itself. Values that are not finite are passed over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ema {
    weight: f64,
    sum: f64,
    /// `weight^n`
    bias: f64,
}

impl Ema {
    /// Nothing averaged yet; the weight is brought into 0 … 0.9999.
    pub(crate) fn new(weight: f64) -> Self {
        Self { weight: clamp(weight), sum: 0.0, bias: 1.0 }
    }

    /// The average as it was after `n` finite values, when it was `mean`.
    pub(crate) fn resumed(weight: f64, n: u64, mean: f64) -> Self {
        let weight = clamp(weight);
        if n == 0 || !mean.is_finite() {
            return Self::new(weight);
        }
        let bias = weight.powf(n as f64);
        Self { weight, sum: mean * (1.0 - bias), bias }
    }

    /// The average with one more value; a value that is not finite comes back as it is.
    pub(crate) fn push(&mut self, v: f64) -> f64 {
        if !v.is_finite() {
            return v;
        }
        self.sum = self.weight * self.sum + (1.0 - self.weight) * v;
        self.bias *= self.weight;
        self.sum / (1.0 - self.bias)
    }

    /// The average after `n` more values that are all `v`: what a bucket's mean stands for.
    pub(crate) fn push_many(&mut self, v: f64, n: u64) -> f64 {
        if !v.is_finite() || n == 0 {
            return v;
        }
        let keep = self.weight.powf(n as f64);
        self.sum = keep * self.sum + (1.0 - keep) * v;
        self.bias *= keep;
        self.sum / (1.0 - self.bias)
    }
}

/// The weight that is really used: 0 is off.
pub(crate) fn clamp(weight: f64) -> f64 {
    if weight.is_finite() { weight.clamp(0.0, 0.9999) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_constant_stays_itself_from_the_first_value_on() {
        let mut ema = Ema::new(0.99);
        for _ in 0..5 {
            assert!((ema.push(3.0) - 3.0).abs() < 1e-12);
        }
        assert!(ema.push(f64::NAN).is_nan());
        assert!((ema.push(3.0) - 3.0).abs() < 1e-12, "a NaN leaves no trace");
    }

    proptest! {
        #[test]
        fn it_is_the_weighted_mean_of_all_values(
            values in prop::collection::vec(-1e3f64..1e3, 1..200), weight in 0.0f64..0.999,
        ) {
            let mut ema = Ema::new(weight);
            let mut last = 0.0;
            for v in &values {
                last = ema.push(*v);
            }
            let n = values.len();
            let weights: Vec<f64> = (0..n).map(|i| weight.powi((n - 1 - i) as i32)).collect();
            let sum: f64 = values.iter().zip(&weights).map(|(v, w)| v * w).sum();
            let direct = sum / weights.iter().sum::<f64>();
            prop_assert!((last - direct).abs() < 1e-6 * (1.0 + direct.abs()));
        }

        #[test]
        fn it_goes_on_from_where_it_was(values in prop::collection::vec(-1e3f64..1e3, 2..100), weight in 0.0f64..0.999) {
            let half = values.len() / 2;
            let mut ema = Ema::new(weight);
            let mut mean = 0.0;
            for v in &values[..half] {
                mean = ema.push(*v);
            }
            let mut again = Ema::resumed(weight, half as u64, mean);
            for v in &values[half..] {
                prop_assert!((ema.push(*v) - again.push(*v)).abs() < 1e-6);
            }
        }
    }
}
