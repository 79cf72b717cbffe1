//! What is known and shown of runs, independent of the front end: live series as pyramids ([`live`]), declared figures as charts
//! ([`figure`]), comparisons ([`compare`]), text for states and numbers ([`state`], [`clock`]) and diagnosis ([`why`]).
//!
//! Apart from reading ([`live::Engine`]), everything is pure, so that screens, commands and reports show the same.

pub mod chart_spec;
pub mod clock;
pub mod column;
pub mod compare;
pub mod events;
pub mod facts;
pub mod figure;
pub mod filter;
mod key;
pub mod live;
pub mod natural;
pub mod order;
pub mod ranking;
pub mod runs;
pub mod state;
pub mod why;
