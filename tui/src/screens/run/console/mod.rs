//! What a run's processes wrote to standard output and standard error, made safe to show and read in bounded pieces.

pub(crate) mod chunk;
pub(crate) mod line;
pub(crate) mod sgr;
pub(crate) mod window;
