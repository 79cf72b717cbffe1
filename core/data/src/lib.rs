//! The data sets gradtop knows: names, files, checksums and mirrors (`registry`), where their files are looked for
//! ([`places()`]), and reading them ([`read`]). No tensors here: program and plugins share this crate.

mod error;
mod idx;
mod places;
mod registry;

pub use error::DataError;
pub use idx::{Images, Labels, Pair, check, read};
pub use places::{Found, Origin, Place, fetch_dir, find, places};
pub use registry::{DATASETS, Dataset, Part, PartFile, named};
