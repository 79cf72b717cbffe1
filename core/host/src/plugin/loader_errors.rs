//! What the loader's text says of a plugin that it did not open.

#![allow(unsafe_code, reason = "asks glibc for its version")]

use std::ffi::CStr;
use std::path::{Path, PathBuf};

use crate::error::Refusal;
use crate::machine::library::{Opened, RTLD_LOCAL};
use crate::plugin::inspect::Inspection;

/// Turns the loader's text into the libraries that are missing or too old, if that is what it says.
pub(crate) fn missing(message: String, inspection: &Inspection) -> Refusal {
    if let Some(newer) = newer_system(&message) {
        return newer;
    }
    let Some((name, _)) = message.split_once(": cannot open shared object file: No such file") else {
        return Refusal::Open(message);
    };
    let mut looked = inspection.run_path.clone();
    if let Some(set) = std::env::var_os("LD_LIBRARY_PATH") {
        looked.extend(std::env::split_paths(&set).filter(|p| !p.as_os_str().is_empty()));
    }
    let mut missing = vec![name.to_owned()];
    // The loader stops at the first; the others that are certainly absent are named with it.
    for needed in &inspection.needed {
        let known = missing.contains(needed) || looked.iter().any(|d| d.join(needed).exists());
        if !known && Opened::open(needed, RTLD_LOCAL).is_err() {
            missing.push(needed.clone());
        }
    }
    looked.push(PathBuf::from("the system's folders"));
    Refusal::MissingLibraries { missing, looked }
}

/// Of `/lib/libc.so.6: version "GLIBC_2.99" not found (required by x.so)`, which has single quotes, the first one a backtick.
fn newer_system(message: &str) -> Option<Refusal> {
    let (library, rest) = message.split_once(": version `")?;
    let (version, _) = rest.split_once("' not found")?;
    let library = Path::new(library).file_name()?.to_string_lossy().into_owned();
    let here = version.starts_with("GLIBC_").then(|| {
        // SAFETY: returns a constant string.
        let version = unsafe { libc::gnu_get_libc_version() };
        // SAFETY: as above.
        let version = unsafe { CStr::from_ptr(version) };
        format!("glibc {}", version.to_string_lossy())
    });
    Some(Refusal::NewerSystem { library, version: version.to_owned(), here })
}
