//! TensorBoard event files.

mod event;
mod reader;
mod record;
mod summary;
mod write;

pub use write::export_tensorboard;

pub(crate) use reader::{EventFiles, is_event_file, is_of_hyperparameters};
