//! The C boundary. Contains all code that handles raw pointers: `entry` is called by the host, `host` calls it,
//! `descriptor` creates the immortal descriptions, `guard` catches panics.
//!
//! Public only for `export_experiments!`; nothing here is stable.

#![allow(unsafe_code, reason = "the plugin's side of a C boundary")]

mod descriptor;
mod entry;
pub(crate) mod guard;
pub(crate) mod host;

pub use entry::{Exported, Library, Plugin, entry};
pub use gradtop_abi::Entry;
