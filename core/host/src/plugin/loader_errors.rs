//! Interprets the loader's error messages.

#![allow(unsafe_code, reason = "asks glibc for its version")]

use std::ffi::CStr;
use std::path::{Path, PathBuf};

use crate::error::Refusal;
use crate::machine::library::{Opened, RTLD_LOCAL};
use crate::plugin::inspect::Inspection;

/// Extracts the missing or outdated libraries from the loader's message, if that is the reason.
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
    // The loader stops at the first missing library; name the others that are certainly missing too.
    for needed in &inspection.needed {
        let known = missing.contains(needed) || looked.iter().any(|d| d.join(needed).exists());
        if !known && Opened::open(needed, RTLD_LOCAL).is_err() {
            missing.push(needed.clone());
        }
    }
    looked.push(PathBuf::from("the system's folders"));
    Refusal::MissingLibraries { missing, looked }
}

/// Parses `/lib/libc.so.6: version "GLIBC_2.99" not found (required by x.so)`, in which the quotes are a backtick and a
/// single quote.
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
