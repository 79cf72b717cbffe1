//! The store from outside: what a trainer writes and what a viewer reads.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "modules of one test binary")]

mod common;
mod damage;
mod ends;
mod figures;
mod folder;
mod full;
mod golden;
mod history;
mod job;
mod journal;
mod kill;
mod life;
mod new_run;
mod odd;
mod order;
mod outline;
mod recording;
mod tables;
mod tailing;
