//! The average of several series, such as the trials of a network: one answer for lists, charts, comparisons and checkpoints.

use crate::figures::Aggregate;
use crate::folder::manifest::MetricInfo;

/// How several values become one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Average {
    /// The arithmetic mean.
    #[default]
    Mean,
    /// The geometric mean, of a metric that is declared logarithmic: trials of such a metric differ by factors, and one
    /// bad trial would decide an arithmetic mean alone.
    GeometricMean,
    /// The median.
    Median,
}

impl Average {
    /// Returns the mean of a metric by the declaration of its run; of several runs see [`crate::Declared`].
    pub fn of(info: Option<&MetricInfo>) -> Self {
        if info.is_some_and(|metric| metric.log) { Self::GeometricMean } else { Self::Mean }
    }

    /// Returns what a figure declares for a metric that has this mean.
    pub fn declared(aggregate: Option<Aggregate>, mean: Self) -> Self {
        match aggregate {
            Some(Aggregate::Median) => Self::Median,
            Some(Aggregate::Mean) | None => mean,
        }
    }

    /// Returns the one that most of these values have, and of several the first.
    pub fn most_common(each: impl Iterator<Item = Self>) -> Option<Self> {
        let all: Vec<Self> = each.collect();
        let count = |average: &Self| all.iter().filter(|other| *other == average).count();
        // Of equal counts, the last is the maximum.
        all.iter().rev().copied().max_by_key(count)
    }

    /// Returns the average that these values have, wherever they are shown: there is no geometric mean of values that are not
    /// positive.
    #[must_use]
    pub fn over(self, values: impl IntoIterator<Item = f64>) -> Self {
        match self {
            Self::GeometricMean if values.into_iter().any(|v| v.is_finite() && v <= 0.0) => Self::Mean,
            same => same,
        }
    }

    /// Returns what it is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::GeometricMean => "geometric mean",
            Self::Median => "median",
        }
    }

    /// Returns the same in one word.
    pub fn short(self) -> &'static str {
        match self {
            Self::GeometricMean => "geometric",
            same => same.word(),
        }
    }

    /// Returns what the averages of several sets of values are called, such as those at each step of a line.
    pub fn word_of_all(self, values: impl IntoIterator<Item = f64>) -> &'static str {
        if self.over(values) == self {
            self.word()
        } else {
            "geometric mean, or mean where a value is 0 or less,"
        }
    }

    /// Returns the average of finite values in ascending order; `None` if there are none.
    pub fn of_sorted(self, values: &[f64]) -> Option<f64> {
        let n = values.len() as f64;
        let (first, last) = (*values.first()?, *values.last()?);
        Some(match self.over([first]) {
            Self::Median => f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]),
            Self::GeometricMean => {
                // Equal values have exactly this mean.
                (values.iter().map(|v| v.ln()).sum::<f64>() / n).exp().clamp(first, last)
            }
            Self::Mean => {
                let sum = values.iter().sum::<f64>();
                // The sum of large values may overflow.
                if sum.is_finite() { sum / n } else { values.iter().map(|v| v / n).sum() }
            }
        })
    }

    /// Returns the average of the finite values, or the first value if there are none.
    pub fn of_finite(self, values: impl IntoIterator<Item = f64>) -> Option<f64> {
        let mut values: Vec<f64> = values.into_iter().collect();
        let first = *values.first()?;
        values.retain(|v| v.is_finite());
        values.sort_unstable_by(f64::total_cmp);
        Some(self.of_sorted(&values).unwrap_or(first))
    }
}
