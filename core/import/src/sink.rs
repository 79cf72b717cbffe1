//! What readers hand over.

use gradtop_store::ParamValue;

use crate::error::Result;

/// Where a row belongs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct At {
    /// The step, as the writing tool counted.
    pub step: i64,
    /// The epoch, if it was logged.
    pub epoch: Option<f64>,
    /// Microseconds since 1970, UTC, if it was logged.
    pub time_us: Option<i64>,
}

/// What a tool calls a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag<'a> {
    /// Its name there.
    pub name: &'a str,
    /// The data it was measured on, where the format says so and the name does not.
    pub split: Option<&'static str>,
}

impl<'a> From<&'a str> for Tag<'a> {
    fn from(name: &'a str) -> Self {
        Self { name, split: None }
    }
}

/// How a source says that its training ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// In order.
    Finished,
    /// With this cause.
    Failed(String),
}

/// Receives what a reader finds, in the order of the source.
pub trait Sink {
    /// Parameters of the run. One that came before is replaced.
    fn params(&mut self, params: Vec<(String, ParamValue)>) -> Result<()>;

    /// The number of a series, the same for the same tag.
    fn series(&mut self, tag: Tag<'_>) -> Result<u32>;

    /// Values of one step, each with the number of its series.
    fn row(&mut self, at: At, values: &[(u32, f64)]) -> Result<()>;

    /// A text.
    fn text(&mut self, at: At, tag: &str, text: &str) -> Result<()>;

    /// A histogram: the lower and upper edges of its bins, and what lies in each.
    fn histogram(&mut self, at: At, tag: &str, bins: &[[f64; 3]]) -> Result<()>;

    /// What the source says of the training's end.
    fn ended(&mut self, end: End) -> Result<()>;

    /// Something in the source was left out: what, and why. The same is said once.
    fn warning(&mut self, message: String) -> Result<()>;

    /// The source is read again from its start: what follows came before, as far as it did.
    fn again(&mut self) -> Result<()>;
}
