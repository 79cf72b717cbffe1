//! What is known and shown of runs, independent of the front end: what is said of one ([`run`]), lists of them ([`list`]), live
//! series as pyramids ([`live`]), declared figures as charts ([`figure`]), comparisons ([`compare`]) and diagnosis ([`why`]).
//!
//! Apart from reading ([`live::Engine`]), everything is pure, so that screens, commands and reports show the same.

// The fields of a run as JSON are one call of `json!`.
#![recursion_limit = "256"]

pub mod chart_spec;
pub mod clock;
pub mod compare;
pub mod figure;
pub mod list;
pub mod live;
pub mod natural;
pub mod run;
pub mod runs;
pub mod table;
pub mod why;
