//! What is known and shown of runs, whoever shows it: live series as pyramids ([`live`]), declared figures as charts
//! ([`figure`]), runs side by side ([`compare`]), states and numbers in words ([`state`], [`clock`]), what is wrong with a run ([`why`]).
//!
//! Reading apart ([`live::Engine`]), everything here is pure: a screen, a command, a report show the same of the same runs.

pub mod clock;
pub mod column;
pub mod compare;
pub mod events;
pub mod figure;
pub mod filter;
mod key;
pub mod live;
pub mod natural;
pub mod order;
pub mod picture;
pub mod ranking;
pub mod runs;
pub mod state;
pub mod why;
