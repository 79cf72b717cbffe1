//! The widgets that screens consist of: charts, sparklines, progress bars, scrolling lists, text inputs. They know nothing
//! about screens.

pub(crate) mod chart;
pub(crate) mod dialog;
mod input;
mod lines;
mod progress;
mod scroll;
mod spark;

pub(crate) use chart::{ChartCache, ChartCell, Turn, Turns};
pub(crate) use input::{Edit, Input};
pub(crate) use lines::{lines, page, paragraph, said, typed};
pub(crate) use progress::progress_bar;
pub(crate) use scroll::{Move, Scroll, Way, around};
pub(crate) use spark::sparkline;
