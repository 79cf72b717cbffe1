//! What screens are made of: chart cells, sparklines, progress bars. Each draws into a buffer and knows no screen.

pub(crate) mod chart;
mod progress;
mod spark;

pub(crate) use chart::{ChartCache, ChartCell};
pub(crate) use progress::ProgressBar;
pub(crate) use spark::Sparkline;
