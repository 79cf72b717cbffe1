//! Scales: mapping values to positions.

/// The scale of an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Scale {
    /// Linear.
    #[default]
    Linear,
    /// Logarithmic with ticks at powers of ten. Only positive values have a position.
    Log,
    /// Like `Log`, with ticks at powers of two.
    Log2,
    /// Logarithmic on both sides of zero, and linear near it.
    Symlog {
        /// Below this magnitude the scale is approximately linear.
        threshold: f64,
    },
}

impl Scale {
    /// Returns the word displayed beside the axis; `None` if it is linear.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Linear => None,
            Self::Log => Some("log"),
            Self::Log2 => Some("log₂"),
            Self::Symlog { .. } => Some("symlog"),
        }
    }

    /// Maps a value to a position; NaN if it has none.
    pub fn forward(self, v: f64) -> f64 {
        match self {
            Self::Linear => v,
            Self::Log if v > 0.0 => v.log10(),
            Self::Log2 if v > 0.0 => v.log2(),
            Self::Log | Self::Log2 => f64::NAN,
            Self::Symlog { threshold } => v.signum() * (1.0 + v.abs() / threshold).log10(),
        }
    }

    /// Maps a position to a value; the inverse of [`Scale::forward`].
    pub fn inverse(self, t: f64) -> f64 {
        match self {
            Self::Linear => t,
            Self::Log => 10f64.powf(t),
            Self::Log2 => t.exp2(),
            Self::Symlog { threshold } => t.signum() * threshold * (10f64.powf(t.abs()) - 1.0),
        }
    }

    /// Returns whether a value has a position.
    pub fn takes(self, v: f64) -> bool {
        v.is_finite() && (!matches!(self, Self::Log | Self::Log2) || v > 0.0)
    }

    /// Returns a symlog scale whose linear range fits the data: at most six decades on each side.
    pub fn symlog_for(values: impl Iterator<Item = f64>) -> Self {
        let sizes = values.filter(|v| v.is_finite() && *v != 0.0).map(f64::abs);
        let (small, large) = finite_range(sizes).unwrap_or((1.0, 1.0));
        Self::Symlog { threshold: 10f64.powf(small.max(large / 1e6).log10().floor()) }
    }
}

/// Returns the smallest and largest finite value.
pub fn finite_range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| v.is_finite()).fold(None, |range, v| {
        Some(range.map_or((v, v), |(low, high): (f64, f64)| (low.min(v), high.max(v))))
    })
}

/// A scale with a range: maps values to 0 … 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The scale.
    pub scale: Scale,
    /// The value at 0.
    pub low: f64,
    /// The value at 1.
    pub high: f64,
}

/// A span with precomputed end positions, for many values.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// The scale.
    pub scale: Scale,
    /// Halved, because the difference of two doubles may overflow.
    half_low: f64,
    half_length: f64,
}

impl Measure {
    /// See [`Span::unit`].
    pub fn unit(&self, v: f64) -> f64 {
        (self.scale.forward(v) / 2.0 - self.half_low) / self.half_length
    }
}

impl Span {
    /// Precomputes the mapping for many values.
    pub fn measure(&self) -> Measure {
        let half_low = self.scale.forward(self.low) / 2.0;
        let half_length = self.scale.forward(self.high) / 2.0 - half_low;
        Measure { scale: self.scale, half_low, half_length }
    }

    /// Maps a value to 0 at the low end and 1 at the high end; NaN if it has no position.
    pub fn unit(&self, v: f64) -> f64 {
        self.measure().unit(v)
    }

    /// Maps a position between 0 and 1 to a value.
    pub fn value(&self, unit: f64) -> f64 {
        self.values()(unit)
    }

    /// Returns [`Span::value`] as a function, for many positions.
    pub fn values(&self) -> impl Fn(f64) -> f64 + use<> {
        let Self { scale, low, high } = *self;
        let (a, b) = (scale.forward(low), scale.forward(high));
        move |unit| scale.inverse(a * (1.0 - unit) + b * unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scales() -> impl Strategy<Value = Scale> {
        prop_oneof![
            Just(Scale::Linear),
            Just(Scale::Log),
            Just(Scale::Log2),
            (-6i32..6).prop_map(|e| Scale::Symlog { threshold: 10f64.powi(e) }),
        ]
    }

    proptest! {
        #[test]
        fn a_scale_is_inverted_and_keeps_order(scale in scales(), a in 1e-6f64..1e6, factor in 1.001f64..1e3) {
            let b = a * factor;
            prop_assert!((scale.inverse(scale.forward(a)) / a - 1.0).abs() < 1e-6);
            prop_assert!(scale.forward(a) < scale.forward(b));
        }

        #[test]
        fn symlog_is_odd(v in -1e6f64..1e6) {
            let s = Scale::Symlog { threshold: 0.1 };
            prop_assert_eq!(s.forward(v), -s.forward(-v));
        }
    }

    #[test]
    fn zero_has_no_place_on_a_log_scale() {
        assert!(Scale::Log.forward(0.0).is_nan());
        assert!(!Scale::Log2.takes(-1.0));
        assert!(Scale::Symlog { threshold: 1.0 }.takes(0.0));
        assert!(!Scale::Linear.takes(f64::INFINITY));
    }
}
