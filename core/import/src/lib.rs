//! Imports logs of other tools: TensorBoard event files, wandb's files, and tables of metrics as CSV, JSON lines or a
//! trainer's state.
//!
//! A [`Reader`] turns the files of one run into calls of a [`Sink`], piece by piece: it uses a bounded buffer, treats
//! an incomplete end as not yet written, and trusts no length that it reads. [`find()`] finds the runs at a path,
//! [`Import`] writes one into a folder of runs, [`Follower`] keeps them up to date, and a [`Feed`] follows the logs of
//! a running command. `docs/import.md` describes what is imported from each format.

mod error;
mod feed;
mod find;
mod follow;
mod in_order;
mod into_run;
mod metric;
mod naming;
mod proto;
mod reader;
mod recording;
mod seen;
mod series;
mod sink;
mod table;
mod tables;
mod tail;
mod tensorboard;
mod wandb;

pub use error::{ImportError, Result};
pub use feed::{Feed, Log};
pub use find::{Format, LOOKED_FOR, Source, experiment_of, find};
pub use follow::{Follower, News};
pub use into_run::{Import, Imported};
pub use metric::{declare as declare_metric, goal as goal_of_name};
pub use naming::{name_of_series, name_series};
pub use reader::{Progress, Reader};
pub use recording::Target;
pub use sink::{At, End, Sink, Tag};
pub use tensorboard::export_tensorboard;
