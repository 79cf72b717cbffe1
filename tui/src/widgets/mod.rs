//! What screens are made of: chart cells, sparklines, progress bars, lists that scroll, text that is typed. Each knows no screen.

pub(crate) mod chart;
pub(crate) mod dialog;
mod input;
mod lines;
mod progress;
mod scroll;
mod spark;

pub(crate) use chart::{ChartCache, ChartCell, Turn, Turns};
pub(crate) use input::{Edit, Input};
pub(crate) use lines::{lines, paragraph, said, typed};
pub(crate) use progress::ProgressBar;
pub(crate) use scroll::{Move, Scroll, around};
pub(crate) use spark::Sparkline;
