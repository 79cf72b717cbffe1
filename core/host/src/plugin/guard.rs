//! The only place that reads raw pointers from plugins.
//!
//! A plugin is trusted to pass pointers to live memory, which nothing could check (and each run is a separate process
//! in case it does not). Everything else is checked here: null, alignment, sizes, counts, lengths and UTF-8. Errors are
//! phrases that follow the name of what was read, such as "is null".

#![allow(unsafe_code, reason = "reads what plugins point at")]

use core::ffi::{c_char, c_void};
use core::mem::size_of;
use std::ffi::{CStr, CString};

/// Maximum length of an ordinary string.
pub(crate) const TEXT_LIMIT: usize = 64 << 10;
/// Maximum length of a figures text.
pub(crate) const FIGURES_LIMIT: usize = 1 << 20;
/// Maximum number of elements in a descriptor's list, and of columns in a table.
pub(crate) const LIST_LIMIT: u64 = 1000;

/// An ABI struct whose first field is its size.
///
/// # Safety
/// `T` is `repr(C)`, begins with a `u32` size, and is valid for any bits.
pub(crate) unsafe trait Sized32: Sized {
    /// The minimum size, that of the first minor version of this major.
    const V1: u32 = size_of::<Self>() as u32;
}
// SAFETY: repr(C) with `size` first, followed only by integers, floats, raw pointers and optional functions.
unsafe impl Sized32 for gradtop_abi::Param {}
// SAFETY: as above.
unsafe impl Sized32 for gradtop_abi::Preset {}
// SAFETY: as above.
unsafe impl Sized32 for gradtop_abi::Metric {}
// SAFETY: as above.
unsafe impl Sized32 for gradtop_abi::Desc {}
// SAFETY: as above.
unsafe impl Sized32 for gradtop_abi::Series {}
// SAFETY: as above.
unsafe impl Sized32 for gradtop_abi::Column {}
// SAFETY: as above.
unsafe impl Sized32 for gradtop_abi::Validate {}

/// Why a pointer was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Bad {
    #[error("is null")]
    Null,
    #[error("is not aligned")]
    Misaligned,
    #[error("states a size of {found} bytes, but needs at least {needed}")]
    TooShort { found: u32, needed: u32 },
    #[error("is not UTF-8")]
    NotUtf8,
    #[error("is longer than {0} bytes")]
    TooLong(usize),
    #[error("has {found} elements, at most {limit} are allowed")]
    TooMany { found: u64, limit: u64 },
}

fn check<T>(p: *const T) -> Result<(), Bad> {
    if p.is_null() {
        return Err(Bad::Null);
    }
    if !p.is_aligned() {
        return Err(Bad::Misaligned);
    }
    Ok(())
}

/// Reads a struct that states its own size. Bytes beyond the known ones are ignored.
///
/// # Safety
/// `p` is null or points at a struct of at least the four bytes of its size and then of that size.
pub(crate) unsafe fn sized<T: Sized32>(p: *const T) -> Result<T, Bad> {
    check(p)?;
    // SAFETY: not null, aligned for T and so for u32; the caller guarantees that the size can be read.
    let size = unsafe { p.cast::<u32>().read() };
    if size < T::V1 {
        return Err(Bad::TooShort { found: size, needed: T::V1 });
    }
    // SAFETY: the struct has at least size_of::<T>() bytes, and T is valid for any bits (Sized32).
    Ok(unsafe { p.read() })
}

/// Borrows an array passed by a plugin.
///
/// # Safety
/// `p` is null or points at `n` elements that stay unchanged for `'a`; `T` is valid for any bits.
pub(crate) unsafe fn slice<'a, T>(p: *const T, n: u64, limit: u64) -> Result<&'a [T], Bad> {
    if n == 0 {
        return Ok(&[]);
    }
    check(p)?;
    let most = (isize::MAX as u64) / (size_of::<T>().max(1) as u64);
    if n > limit.min(most) {
        return Err(Bad::TooMany { found: n, limit: limit.min(most) });
    }
    // SAFETY: not null, aligned, no longer than isize::MAX bytes; the caller guarantees that the elements exist.
    Ok(unsafe { core::slice::from_raw_parts(p, n as usize) })
}

/// Reads a string that must not be null.
///
/// # Safety
/// `p` is null or points at a string with a null at its end.
pub(crate) unsafe fn text(p: *const c_char, limit: usize) -> Result<String, Bad> {
    // SAFETY: guaranteed by the caller.
    unsafe { text_ref(p, limit) }.map(str::to_owned)
}

/// Like [`text`], borrowed.
///
/// # Safety
/// As for [`text`], and the string stays unchanged for `'a`.
pub(crate) unsafe fn text_ref<'a>(p: *const c_char, limit: usize) -> Result<&'a str, Bad> {
    check(p)?;
    // SAFETY: the caller guarantees a terminating null; strnlen does not read beyond it.
    let len = unsafe { libc::strnlen(p, limit + 1) };
    if len > limit {
        return Err(Bad::TooLong(limit));
    }
    // SAFETY: strnlen has just read these bytes.
    let bytes = unsafe { core::slice::from_raw_parts(p.cast::<u8>(), len) };
    core::str::from_utf8(bytes).map_err(|_| Bad::NotUtf8)
}

/// Reads a string that may be null.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn optional_text(p: *const c_char, limit: usize) -> Result<Option<String>, Bad> {
    if p.is_null() {
        return Ok(None);
    }
    // SAFETY: guaranteed by the caller.
    unsafe { text(p, limit) }.map(Some)
}

/// Borrows bytes that need not be text.
///
/// # Safety
/// `p` is null or points at `n` bytes that stay unchanged for `'a`.
pub(crate) unsafe fn bytes<'a>(p: *const c_void, n: u64) -> Result<&'a [u8], Bad> {
    // SAFETY: guaranteed by the caller.
    unsafe { slice(p.cast::<u8>(), n, isize::MAX as u64) }
}

/// Copies `text` into a buffer of `cap` bytes, truncated at a character boundary and null-terminated if there is room.
///
/// # Safety
/// `out` is null or points at `cap` bytes that may be written.
pub(crate) unsafe fn copy_out(text: &str, out: *mut c_char, cap: u64) {
    if out.is_null() || cap == 0 {
        return;
    }
    let room = usize::try_from(cap - 1).unwrap_or(usize::MAX).min(text.len());
    let cut = (0..=room).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
    // SAFETY: cut < cap bytes may be written, and the two do not overlap because the text belongs to the host.
    unsafe { core::ptr::copy_nonoverlapping(text.as_ptr(), out.cast::<u8>(), cut) };
    // SAFETY: cut is at most cap - 1.
    let end = unsafe { out.add(cut) };
    // SAFETY: within the buffer.
    unsafe { end.write(0) };
}

/// Creates a C string for a plugin, truncated at an interior null.
pub(crate) fn c_string(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let mut owned = bytes[..end].to_vec();
    owned.push(0);
    CStr::from_bytes_with_nul(&owned).map(CStr::to_owned).unwrap_or_default()
}

/// Writes through an out-pointer.
///
/// # Safety
/// `p` is null or points at memory for a `T` that may be written.
pub(crate) unsafe fn write<T>(p: *mut T, value: T) -> Result<(), Bad> {
    check(p.cast_const())?;
    // SAFETY: not null, aligned; the caller guarantees that it may be written.
    unsafe { p.write(value) };
    Ok(())
}

/// Returns the message of an error filled by a plugin, made safe to display. May have several lines.
pub(crate) fn message(error: &gradtop_abi::Error) -> String {
    let len = (error.len as usize).min(error.msg.len());
    let bytes: Vec<u8> = error.msg[..len].iter().map(|c| c.to_ne_bytes()[0]).collect();
    // A plugin in C may count the terminating null, or not set the length.
    let bytes = bytes.split(|b| *b == 0).next().unwrap_or_default();
    crate::text::clean_lines(&String::from_utf8_lossy(bytes.trim_ascii()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use gradtop_abi::Point;

    #[test]
    fn null_and_zero_elements_are_an_empty_slice() {
        // SAFETY: null is allowed.
        let none = unsafe { slice::<Point>(core::ptr::null(), 0, 10) };
        assert_eq!(none, Ok(&[][..]));
        // SAFETY: null is allowed.
        let bad = unsafe { slice::<Point>(core::ptr::null(), 1, 10) };
        assert_eq!(bad, Err(Bad::Null));
        let points = [Point { series: 1, reserved: 0, value: 2.0 }; 3];
        // SAFETY: three elements are there; eleven are refused before any is read.
        let many = unsafe { slice(points.as_ptr(), 11, 10) };
        assert_eq!(many, Err(Bad::TooMany { found: 11, limit: 10 }));
        // SAFETY: refused before any is read.
        let huge = unsafe { slice(points.as_ptr(), u64::MAX, u64::MAX) };
        assert!(matches!(huge, Err(Bad::TooMany { .. })));
    }

    #[test]
    fn strings_are_checked() {
        // SAFETY: null is allowed.
        let null = unsafe { text(core::ptr::null(), 10) };
        assert_eq!(null, Err(Bad::Null));
        // SAFETY: C strings.
        let good = unsafe { text(c"loss".as_ptr(), 4) };
        assert_eq!(good.unwrap(), "loss");
        // SAFETY: as above.
        let long = unsafe { text(c"loss".as_ptr(), 3) };
        assert_eq!(long, Err(Bad::TooLong(3)));
        // SAFETY: as above.
        let bad = unsafe { text(c"\xff".as_ptr(), 3) };
        assert_eq!(bad, Err(Bad::NotUtf8));
    }

    #[test]
    fn a_short_struct_is_not_read() {
        let short = [12u64, 0];
        // SAFETY: its four bytes of size are there.
        let read = unsafe { sized(short.as_ptr().cast::<gradtop_abi::Series>()) };
        assert_eq!(read.err(), Some(Bad::TooShort { found: 12, needed: 32 }));
        // SAFETY: as above, and the pointer is refused before it is read.
        let read = unsafe { sized(short.as_ptr().wrapping_byte_add(2).cast::<gradtop_abi::Series>()) };
        assert_eq!(read.err(), Some(Bad::Misaligned));
    }

    #[test]
    fn messages_are_cut_at_characters() {
        let mut buffer = [1 as c_char; 8];
        // SAFETY: four of eight bytes.
        unsafe { copy_out("aλλ", buffer.as_mut_ptr(), 4) };
        assert_eq!(buffer.map(|c| c.to_ne_bytes()[0]), [b'a', 0xce, 0xbb, 0, 1, 1, 1, 1]);
    }

    #[test]
    fn an_error_message_is_read_whatever_its_length_says() {
        let mut error = gradtop_abi::Error::EMPTY;
        for (to, from) in error.msg.iter_mut().zip(b"no \x1b[1mdata\0") {
            *to = c_char::from_ne_bytes([*from]);
        }
        error.len = 5000;
        assert_eq!(message(&error), "no \\u{1b}[1mdata");
    }
}
