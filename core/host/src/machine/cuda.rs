//! Opens libtorch and counts its usable CUDA devices.

#![allow(unsafe_code, reason = "calls CUDA's run time")]

use std::ffi::{CStr, c_char, c_void};
use std::path::Path;

use crate::error::Refusal;
use crate::machine::library::{Opened, RTLD_GLOBAL};
use crate::machine::libtorch;

/// Opens libtorch so that libraries opened later find its symbols. With `cuda`, also opens its CUDA part, which no
/// plugin links itself but whose static constructors register CUDA.
pub(crate) fn open_libtorch(folder: &Path, cuda: bool) -> Result<(), Refusal> {
    for name in [libtorch::CPU, libtorch::CUDA].into_iter().take(1 + usize::from(cuda)) {
        let path = folder.join(name);
        if !path.is_file() {
            return Err(Refusal::MissingLibtorch {
                library: name.to_owned(),
                looked: vec![folder.to_owned()],
            });
        }
        Opened::open(&path, RTLD_GLOBAL).map_err(Refusal::Open)?;
    }
    Ok(())
}

/// Returns how many GPUs CUDA can use, or its error message. libtorch's CUDA part must be open.
pub(crate) fn cuda_devices() -> Result<u32, String> {
    let everything = Opened::everything();
    let count = everything.symbol("cudaGetDeviceCount").ok_or("libtorch has no CUDA runtime")?;
    // SAFETY: the C signature of cudaGetDeviceCount, unchanged since CUDA 1.
    let count = unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut i32) -> i32>(count) };
    let mut n = 0;
    // SAFETY: it writes one int.
    let code = unsafe { count(&raw mut n) };
    if code == 0 {
        return Ok(u32::try_from(n).unwrap_or(0));
    }
    let words = everything.symbol("cudaGetErrorString").map(|text| {
        // SAFETY: the C signature of cudaGetErrorString.
        let text =
            unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(i32) -> *const c_char>(text) };
        // SAFETY: any code is allowed.
        let words = unsafe { text(code) };
        // SAFETY: it returns a constant string for every code.
        unsafe { CStr::from_ptr(words) }.to_string_lossy()
    });
    Err(format!("CUDA says: {} ({code})", words.unwrap_or_default()))
}
