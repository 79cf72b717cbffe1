//! Runs in wandb's own file format, `run-<id>.wandb`, written offline and online.

mod blocks;
mod reader;
mod record;

pub(crate) use reader::Wandb;
