//! Studies: all experiments of a plan under a bound on cores, and one report of what they found.
//!
//! What is run, and what is said of it, is data: a plan and a report ([`plan_file`], [`report_file`]) that lie beside the
//! plugins. A study is such a plan ([`plan`]) with a folder ([`folder`]). How far it is is never written down: [`entry_state`]
//! reads it from the runs' own folders, so that whatever killed whom, the next `gradtop study` knows what is left ([`runner`]).
//! The [`report`] is composed of the same folders, of a study that has finished or not.

pub(crate) mod entry_state;
pub(crate) mod folder;
pub(crate) mod plan;
pub(crate) mod plan_file;
pub(crate) mod report;
pub(crate) mod report_file;
pub(crate) mod runner;
pub(crate) mod schedule;
