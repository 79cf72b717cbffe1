//! Memory of this process.

#![allow(unsafe_code, reason = "the allocator's own functions have no safe interface")]

use gradtop_store::RecorderOptions;

/// Returns the options of the recorder in a process that trains: after each merge, free memory is returned to the system.
/// Otherwise the allocator keeps in each thread's heap what merging took.
pub(crate) fn recorder_options() -> RecorderOptions {
    RecorderOptions { after_merge: trim, ..RecorderOptions::default() }
}

fn trim() {
    // SAFETY: it may be called at any time, from any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}
