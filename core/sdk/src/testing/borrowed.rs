//! Texts and lists borrowed from a plugin.

#![allow(unsafe_code, reason = "the host's side of a C boundary, for tests")]

use std::ffi::{CStr, CString, c_char};
use std::path::Path;
use std::slice;

/// # Safety
/// `data` is null or points to `n` values that live for `'a`.
pub(super) unsafe fn values<'a, T>(data: *const T, n: u64) -> &'a [T] {
    if data.is_null() || n == 0 {
        return &[];
    }
    // SAFETY: guaranteed by the contract.
    unsafe { slice::from_raw_parts(data, n as usize) }
}

/// # Safety
/// `text` is null or a C string.
pub(super) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: a C string by the contract.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

pub(super) fn c_path(path: &Path) -> Option<CString> {
    CString::new(path.as_os_str().as_encoded_bytes()).ok()
}
