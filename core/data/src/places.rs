//! Finds the files of data sets.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::registry::{Dataset, PartFile};

/// Why a folder is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is named in `GRADTOP_DATASETS`.
    Environment,
    /// The user's data folder, where `gradtop data fetch` stores files unless `GRADTOP_DATASETS` is set.
    User,
    /// `datasets` next to the running program, as in an unpacked archive.
    Program,
    /// The checkout that contains the running program, or that it was built from.
    Checkout,
    /// The folder of a package of the distribution.
    Package,
}

impl Origin {
    /// Returns a description in a word or two.
    pub fn word(self) -> &'static str {
        match self {
            Self::Environment => "GRADTOP_DATASETS",
            Self::User => "data folder",
            Self::Program => "beside the program",
            Self::Checkout => "checkout",
            Self::Package => "package",
        }
    }
}

/// A folder that may contain a data set's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The folder of this data set.
    pub dir: PathBuf,
    /// Why it is searched.
    pub origin: Origin,
}

/// An existing file; its content is not verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file, compressed or not.
    pub path: PathBuf,
    /// Where it was found.
    pub origin: Origin,
}

/// The relevant parts of the environment.
struct Surroundings {
    variable: Option<OsString>,
    user: Option<PathBuf>,
    program: Option<PathBuf>,
    built_in: PathBuf,
}

impl Surroundings {
    fn real() -> Self {
        let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            variable: std::env::var_os("GRADTOP_DATASETS").filter(|value| !value.is_empty()),
            user: set("XDG_DATA_HOME")
                .or_else(|| Some(set("HOME")?.join(".local/share")))
                .map(|data| data.join("gradtop/datasets")),
            // The kernel's link: if the program was replaced, the name ends in " (deleted)", but the folders are still right.
            program: std::fs::read_link("/proc/self/exe").or_else(|_| std::env::current_exe()).ok(),
            built_in: Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets"),
        }
    }

    fn places(&self, dataset: &Dataset) -> Vec<Place> {
        let mut places: Vec<Place> = Vec::new();
        let mut add = |dir: PathBuf, origin| {
            if !places.iter().any(|place: &Place| place.dir == dir) {
                places.push(Place { dir, origin });
            }
        };
        for dir in self.variable.iter().flat_map(std::env::split_paths) {
            add(dir.join(dataset.name), Origin::Environment);
        }
        if let Some(user) = &self.user {
            add(user.join(dataset.name), Origin::User);
        }
        if let Some(beside) = self.program.as_deref().and_then(Path::parent) {
            let dir = beside.join("datasets").join(dataset.name);
            // As in a checkout, only small data sets.
            if dir.is_dir() {
                add(dir, Origin::Program);
            }
        }
        let checkout = self.program.iter().flat_map(|program| program.ancestors().skip(1));
        let enclosing = checkout.map(Path::to_owned).find(|dir| is_checkout(dir));
        let built_in = self.built_in.canonicalize().unwrap_or_else(|_| self.built_in.clone());
        for datasets in enclosing.map(|dir| dir.join("datasets")).into_iter().chain([built_in]) {
            let dir = datasets.join(dataset.name);
            // A checkout contains only small data sets, and a program may be far from the one it was built in.
            if dir.is_dir() {
                add(dir, Origin::Checkout);
            }
        }
        if let Some((dir, _)) = dataset.packaged {
            add(PathBuf::from(dir), Origin::Package);
        }
        places
    }
}

/// Returns whether `dir` is a checkout of gradtop: no other project has these two files.
fn is_checkout(dir: &Path) -> bool {
    dir.join("core/abi/include/gradtop.h").is_file() && dir.join("Cargo.toml").is_file()
}

/// Returns the folders in which a data set's files are searched for, in this order: `NAME` in each folder of
/// `GRADTOP_DATASETS` (separated by `:`); `$XDG_DATA_HOME/gradtop/datasets/NAME` (`~/.local/share` without that
/// variable); `datasets/NAME` next to the running program; `datasets/NAME` of the checkout that contains the program,
/// and of the one it was built from; the distribution's folder.
pub fn places(dataset: &Dataset) -> Vec<Place> {
    Surroundings::real().places(dataset)
}

/// Returns the folder for `gradtop data fetch`: the first folder of `GRADTOP_DATASETS`, else the user's data folder.
pub fn fetch_dir(dataset: &Dataset) -> Result<PathBuf, DataError> {
    let first = places(dataset).into_iter().next();
    first
        .filter(|place| matches!(place.origin, Origin::Environment | Origin::User))
        .map(|place| place.dir)
        .ok_or(DataError::NoFolder)
}

/// Returns the first file of that name, compressed or not, in the [`places`].
pub fn find(dataset: &'static Dataset, file: &PartFile) -> Result<Found, DataError> {
    let places = places(dataset);
    for place in &places {
        for name in [file.name, file.name.trim_end_matches(".gz")] {
            let path = place.dir.join(name);
            if path.is_file() {
                return Ok(Found { path, origin: place.origin });
            }
        }
    }
    Err(DataError::Missing {
        dataset: dataset.name,
        title: dataset.title,
        file: file.name,
        looked: places.into_iter().map(|place| place.dir).collect(),
        package: dataset.packaged.map(|(_, package)| package),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::registry::named;

    #[test]
    fn places_in_their_order() {
        let root = tempfile::tempdir().unwrap();
        let checkout = root.path().join("checkout");
        for dir in ["core/abi/include", "datasets/mnist", "datasets/fashion-mnist", "target/release"] {
            std::fs::create_dir_all(checkout.join(dir)).unwrap();
        }
        for file in ["core/abi/include/gradtop.h", "Cargo.toml"] {
            std::fs::write(checkout.join(file), "").unwrap();
        }
        let built_in = root.path().join("built");
        std::fs::create_dir_all(built_in.join("mnist")).unwrap();
        let mut around = Surroundings {
            variable: Some("/a:/b".into()),
            user: Some("/user/gradtop/datasets".into()),
            program: Some(checkout.join("target/release/gradtop (deleted)")),
            built_in: built_in.clone(),
        };
        let dirs = |around: &Surroundings, name: &str| -> Vec<PathBuf> {
            around.places(named(name).unwrap()).into_iter().map(|place| place.dir).collect()
        };
        let built_in = built_in.canonicalize().unwrap();
        let expected: [PathBuf; 5] = [
            "/a/mnist".into(),
            "/b/mnist".into(),
            "/user/gradtop/datasets/mnist".into(),
            checkout.join("datasets/mnist"),
            built_in.join("mnist"),
        ];
        assert_eq!(dirs(&around, "mnist"), expected);
        around.variable = None;
        around.user = None;
        assert_eq!(
            dirs(&around, "fashion-mnist"),
            [checkout.join("datasets/fashion-mnist"), "/usr/share/datasets/fashion-mnist".into()]
        );
        // Beside the program, as in an unpacked archive.
        std::fs::create_dir_all(checkout.join("target/release/datasets/mnist")).unwrap();
        assert_eq!(
            dirs(&around, "mnist")[..2],
            [checkout.join("target/release/datasets/mnist"), checkout.join("datasets/mnist")]
        );
        std::fs::remove_dir_all(checkout.join("target/release/datasets")).unwrap();
        // Both ways to the same checkout are one place.
        around.built_in = checkout.join("datasets");
        assert_eq!(dirs(&around, "mnist").len(), 1);
    }
}
