//! The screens: state and update of each in its `mod.rs`, drawing in its `view.rs`.

pub(crate) mod compare;
pub(crate) mod confirm;
pub(crate) mod experiments;
pub(crate) mod help;
pub(crate) mod home;
pub(crate) mod pen;
pub(crate) mod run;
pub(crate) mod toosmall;
