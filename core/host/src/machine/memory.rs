//! Memory of this process.

#![allow(unsafe_code, reason = "the allocator's own functions have no safe interface")]

use gradtop_store::RecorderOptions;

/// How a process that trains keeps its log. The allocator would keep what merging took, in each thread's own heap; it gives
/// back what lies free in whole pages instead.
pub(crate) fn recorder_options() -> RecorderOptions {
    RecorderOptions { after_merge: trim, ..RecorderOptions::default() }
}

fn trim() {
    // SAFETY: it takes the locks of the heaps it looks at.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0)
    };
}
