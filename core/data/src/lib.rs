//! The data sets that gradtop knows: names, files, checksums and mirrors (`registry`), where their files are searched
//! for ([`places()`]), and reading them ([`read`]). Does not use tensors, so that program and plugins can share it.

mod error;
mod idx;
mod places;
mod registry;

pub use error::DataError;
pub use idx::{Images, Labels, Pair, check, read};
pub use places::{Found, Origin, Place, fetch_dir, find, places};
pub use registry::{DATASETS, Dataset, PartFile, named};
