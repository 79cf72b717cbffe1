//! Studies: run all experiments of a plan on a limited number of cores and write one report.
//!
//! A plan and a report ([`plan_file`], [`report_file`]) are data files next to the plugins. A study is such a plan ([`plan`])
//! with a folder ([`folder`]). Its progress is never written down: [`entry_state`] derives it from the runs' own folders, so
//! that after any crash the next `gradtop study` knows what is left to do ([`runner`]). The [`report`] is composed from the
//! same folders, whether the study has finished or not.

pub(crate) mod entry_state;
pub(crate) mod folder;
pub(crate) mod plan;
pub(crate) mod plan_file;
pub(crate) mod report;
pub(crate) mod report_file;
pub(crate) mod runner;
pub(crate) mod schedule;
