//! The functions to fit, and the grid on which they are sampled.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::functions::INTERVAL;
pub use gradtop_toolkit::functions::{grid, sign, sinc, sine, variance};

use crate::expression::Expression;

/// A function on a grid.
#[derive(Clone, Debug)]
pub struct Target {
    /// `sinc`, `sign`, `sine` or `custom`: the split of its metrics.
    pub name: String,
    /// The formula for display: `sin(5πx) / (5πx)`.
    pub formula: String,
    /// Its values on the grid.
    pub values: Vec<f64>,
    /// Positions of its jumps within the range.
    pub jumps: Vec<f64>,
}

impl Target {
    /// Creates the function of this name on a grid; `expression` is the text of `custom`.
    ///
    /// # Errors
    /// The name is unknown, or the expression is invalid or not finite somewhere on the grid.
    pub fn new(name: &str, expression: &str, grid: &[f64]) -> Result<Self> {
        let (low, high) = (grid[0], grid[grid.len() - 1]);
        let (formula, values, jumps) = match name {
            "sinc" => ("sin(5πx) / (5πx)", grid.iter().map(|&x| sinc(x)).collect(), Vec::new()),
            "sine" => ("sin(5πx)", grid.iter().map(|&x| sine(x)).collect(), Vec::new()),
            "sign" => {
                let first = (low / INTERVAL).floor() as i64 + 1;
                let inside = |x: &f64| *x > low && *x < high;
                // More than a hundred marks would hide the figure.
                let jumps = (first..first + 100).map(|k| k as f64 * INTERVAL).filter(inside).collect();
                ("sgn(sin(5πx))", grid.iter().map(|&x| sign(x)).collect(), jumps)
            }
            "custom" => {
                if expression.trim().is_empty() {
                    return Err(Error::invalid(
                        "the function `custom` needs the parameter `expression`, such as x^2",
                    ));
                }
                let parsed = Expression::parse(expression).map_err(Error::invalid)?;
                let values: Vec<f64> = grid.iter().map(|&x| parsed.at(x)).collect();
                if let Some(i) = values.iter().position(|v| v.is_nan() || v.abs() > f64::from(f32::MAX)) {
                    return Err(Error::invalid(format!(
                        "expression `{expression}` is {} at x = {}; it must be finite at every point from {low} to {high}",
                        values[i], grid[i]
                    )));
                }
                (expression, values, Vec::new())
            }
            other => {
                return Err(Error::invalid(format!(
                    "parameter `functions` names `{other}`, but must be a list of sinc, sign, sine, custom"
                )));
            }
        };
        Ok(Self { name: name.to_owned(), formula: formula.to_owned(), values, jumps })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    /// Baselines of experiments.md: what predicting the mean costs.
    #[test]
    fn variances_on_the_grid() {
        let all = grid(1e-4, 1.0, 10_000);
        assert_eq!((all[0], all[9999], all.len()), (1e-4, 1.0, 10_000));
        let of = |name: &str, grid: &[f64]| variance(&Target::new(name, "", grid).unwrap().values);
        assert!((of("sinc", &all) - 0.08712).abs() < 5e-6);
        assert!((of("sign", &all) - 0.9600).abs() < 1e-12);
        for (points, expected) in [(64, 0.09205), (128, 0.08958)] {
            assert!((of("sinc", &grid(1e-4, 1.0, points)) - expected).abs() < 5e-6);
        }
        let jumps = Target::new("sign", "", &all).unwrap().jumps;
        assert_eq!(jumps.len(), 4);
        assert!((jumps[0] - 0.2).abs() < 1e-15 && (jumps[3] - 0.8).abs() < 1e-15);
    }

    #[test]
    fn bad_functions_are_refused() {
        let all = grid(0.0, 1.0, 101);
        let error = |name: &str, text: &str| Target::new(name, text, &all).unwrap_err().to_string();
        assert!(error("cosine", "").contains("sinc, sign, sine, custom"));
        assert!(error("custom", " ").contains("needs the parameter `expression`"));
        assert!(error("custom", "1/x").contains("is inf at x = 0"));
        assert!(error("custom", "sqrt(0.5 - x)").contains("is NaN at x = 0.51"));
        assert!(error("custom", "1e38*1e38*x").contains("must be finite"));
        assert!(error("custom", "sin(x").contains("`)` was expected at character 6"));
        assert_eq!(Target::new("custom", "x^2", &all).unwrap().values[50], 0.25);
    }
}
