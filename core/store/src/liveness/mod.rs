//! Who works on a run, and whether it is alive.

pub(crate) mod holder;
pub(crate) mod lock;
pub(crate) mod machine;
pub(crate) mod owner;
