//! The output of a run's processes, made safe to display and read in bounded pieces.

pub(crate) mod chunk;
pub(crate) mod line;
pub(crate) mod sgr;
pub(crate) mod window;
