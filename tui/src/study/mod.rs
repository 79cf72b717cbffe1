//! Studies: all experiments under a bound on cores, and one report of what they found.
//!
//! A study is a plan ([`plan`]) with a folder ([`folder`]). How far it is is never written down: [`standing`] reads it from the
//! runs' own folders, so that whatever killed whom, the next `gradtop study` knows what is left ([`conduct`]). The [`report`]
//! is composed of the same folders, of a study that has finished or not.

pub(crate) mod conduct;
pub(crate) mod folder;
pub(crate) mod plan;
pub(crate) mod report;
pub(crate) mod schedule;
pub(crate) mod standing;
