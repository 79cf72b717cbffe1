//! Opens libraries permanently: unloading is unsound once a library has started a thread or registered a destructor.

#![allow(unsafe_code, reason = "opens libraries")]

use std::ffi::{OsStr, c_void};
use std::mem::ManuallyDrop;

use libloading::os::unix::{Library, RTLD_NOW};
pub(crate) use libloading::os::unix::{RTLD_GLOBAL, RTLD_LOCAL};

/// An open library, which is never closed.
pub(crate) struct Opened(ManuallyDrop<Library>);

impl Opened {
    /// Opens a library by its path or a name that the loader searches for. The error is the loader's message.
    pub(crate) fn open(name: impl AsRef<OsStr>, scope: i32) -> Result<Self, String> {
        // SAFETY: runs the library's constructors, which is the purpose of this process, and never unloads it.
        let opened = unsafe { Library::open(Some(name.as_ref()), RTLD_NOW | scope) };
        opened.map(|library| Self(ManuallyDrop::new(library))).map_err(|e| {
            let detail = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
            crate::text::clean(&detail)
        })
    }

    /// Returns a handle for all globally visible symbols.
    pub(crate) fn everything() -> Self {
        Self(ManuallyDrop::new(Library::this()))
    }

    pub(crate) fn symbol(&self, name: &str) -> Option<*mut c_void> {
        // SAFETY: only the address is taken; its type is asserted where it is used.
        let symbol = unsafe { self.0.get::<*mut c_void>(name) }.ok()?;
        Some(symbol.as_raw_ptr()).filter(|p| !p.is_null())
    }
}
