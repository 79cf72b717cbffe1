//! Runs that wandb keeps in a file of its own: `run-<id>.wandb`, written offline and online.

mod blocks;
mod reader;
mod record;

pub(crate) use reader::Wandb;
