//! TensorBoard's event files.

mod event;
mod proto;
mod reader;
mod record;
mod summary;

pub(crate) use reader::{EventFiles, is_event_file, is_of_hyperparameters};
