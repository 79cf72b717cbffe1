//! Opening a plugin. Runs only in a describing child and in a trainer.
//!
//! Libraries are opened for good: unloading is unsound as soon as one has started a thread or registered a destructor.

#![allow(unsafe_code, reason = "opens libraries and calls what they export")]

use std::ffi::{CStr, c_void};
use std::path::{Path, PathBuf};

use gradtop_abi::{ABI_MAJOR, ENTRY_PREFIX, ENTRY_SYMBOL, Entry, EntryFn, MAGIC};
use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW};

use crate::error::Refusal;
use crate::machine::libtorch;
use crate::plugin::desc::PluginDesc;
use crate::plugin::file::PluginFile;
use crate::plugin::inspect::{Inspection, inspect_from};
use crate::plugin::{guard, read_desc};

/// An open plugin whose entry and descriptors have been checked.
pub(crate) struct Plugin {
    pub(crate) desc: PluginDesc,
    pub(crate) create: gradtop_abi::CreateFn,
    pub(crate) run:
        unsafe extern "C" fn(*mut gradtop_abi::Run, *mut gradtop_abi::Error) -> gradtop_abi::Status,
    pub(crate) destroy: unsafe extern "C" fn(*mut gradtop_abi::Run),
    pub(crate) extension: unsafe extern "C" fn(*const std::ffi::c_char) -> *const c_void,
}

/// Opens a plugin, after libtorch if it needs that. `origin` is the folder the file came from, for `$ORIGIN`; with `cuda`,
/// libtorch's CUDA part is opened too.
pub(crate) fn open(plugin: PluginFile, origin: &Path, cuda: bool) -> Result<Plugin, Refusal> {
    let handle = plugin.handle();
    let inspection = inspect_from(&handle, origin)?;
    match inspection.exports_entry {
        None => return Err(Refusal::NoEntry),
        Some(ABI_MAJOR) => {}
        Some(found) => return Err(Refusal::OtherMajor { found }),
    }
    if inspection.needs_libtorch {
        let folder = libtorch::find_in(&inspection.run_path)
            .map_err(|looked| Refusal::MissingLibtorch { library: libtorch::CPU.to_owned(), looked })?;
        open_libtorch(&folder, cuda)?;
    }
    open_beside_origin(origin, &inspection);
    let file = plugin.stay_open();
    let library = dlopen(&handle, RTLD_NOW | RTLD_LOCAL).map_err(|message| missing(message, &inspection))?;
    let symbol = symbol(&library, ENTRY_SYMBOL).ok_or(Refusal::NoEntry)?;
    // SAFETY: the symbol of this name has this type in every plugin of this major; that is what the name says.
    let entry_fn = unsafe { std::mem::transmute::<*mut c_void, EntryFn>(symbol) };
    keep(library);
    // SAFETY: [main] thread, first call; it takes nothing.
    let entry = unsafe { entry_fn() };
    let entry = read_entry(entry)?;
    let count = entry.count.ok_or_else(|| null_function("count"))?;
    let describe = entry.desc.ok_or_else(|| null_function("desc"))?;
    let create = entry.create.ok_or_else(|| null_function("create"))?;
    let run = entry.run.ok_or_else(|| null_function("run"))?;
    let destroy = entry.destroy.ok_or_else(|| null_function("destroy"))?;
    let extension = entry.extension.ok_or_else(|| null_function("extension"))?;
    // SAFETY: built_with is null or an immortal string (R3).
    let built_with = unsafe { guard::optional_text(entry.built_with, guard::TEXT_LIMIT) }
        .map_err(|bad| Refusal::BadDescriptor { place: "built_with".to_owned(), problem: bad.to_string() })?
        .map(|t| crate::text::clean(&t));
    // SAFETY: it takes nothing and may be called from any thread.
    let n = unsafe { count() };
    // SAFETY: index < count.
    let describe = |index| unsafe { describe(index) };
    let mut warnings: Vec<String> = too_many_exports(&inspection.exports).into_iter().collect();
    let experiments = read_desc::experiments(n, describe, &mut warnings)?;
    let desc = PluginDesc {
        file,
        built_with,
        abi: (entry.abi_major, entry.abi_minor),
        needs_libtorch: inspection.needs_libtorch,
        experiments,
        warnings,
    };
    Ok(Plugin { desc, create, run, destroy, extension })
}

/// Opens the libraries that a plugin would look for beside itself from where it came: it is opened by another name, and the
/// loader takes a library that is already open. One that fails is tried again, and reported, by the loader.
fn open_beside_origin(origin: &Path, inspection: &Inspection) {
    for folder in inspection.run_path.iter().filter(|p| p.starts_with(origin)) {
        for path in inspection.needed.iter().map(|name| folder.join(name)).filter(|p| p.is_file()) {
            if let Ok(library) = dlopen(&path, RTLD_NOW | RTLD_LOCAL) {
                keep(library);
            }
        }
    }
}

/// What to say of symbols that a plugin exports beside its entries. Those of templates and of the standard library of C++
/// stay visible whatever the compiler is told about visibility.
fn too_many_exports(exports: &[String]) -> Option<String> {
    let others: Vec<&String> = exports.iter().filter(|name| !name.starts_with(ENTRY_PREFIX)).collect();
    let first = crate::text::clean(others.first()?);
    let count = match others.len() {
        1 => format!("the symbol {first}"),
        n => format!("{n} symbols, such as {first},"),
    };
    Some(format!(
        "it exports {count} beside {ENTRY_SYMBOL}, which may be confused with those of other libraries. In Rust, call \
         gradtop_sdk_build::plugin() in build.rs and build a cdylib; in C and C++, link with -Wl,--version-script=FILE, where \
         FILE holds {{ global: {ENTRY_SYMBOL}; local: *; }};"
    ))
}

fn null_function(name: &str) -> Refusal {
    Refusal::NullFunction { name: name.to_owned() }
}

/// Reads the entry field by field, so that each fault is named before a later field is looked at.
fn read_entry(entry: *const Entry) -> Result<Entry, Refusal> {
    if entry.is_null() {
        return Err(Refusal::NullEntry);
    }
    if !entry.is_aligned() {
        return Err(Refusal::BadDescriptor {
            place: "entry".to_owned(),
            problem: "is not aligned".to_owned(),
        });
    }
    let words = entry.cast::<u32>();
    let word = |i: usize| {
        // SAFETY: the caller asks only for words that every entry has, in this order.
        let at = unsafe { words.add(i) };
        // SAFETY: as above; aligned, because the entry is.
        unsafe { at.read() }
    };
    let magic = word(0);
    if magic != MAGIC {
        return Err(Refusal::Magic { found: magic });
    }
    let (size, needed) = (word(1), size_of::<Entry>() as u32);
    // The major comes before the size is judged if it can be read: "other major" says more than "too short".
    if size >= 16 && word(2) != ABI_MAJOR {
        return Err(Refusal::Major { found: word(2) });
    }
    if size < needed {
        return Err(Refusal::TooShort { what: "entry".to_owned(), found: size, needed });
    }
    // SAFETY: it states at least the size of an Entry, whose fields are valid for any bits.
    Ok(unsafe { entry.read() })
}

/// Opens libtorch so that every library after it finds its symbols, and with `cuda` its CUDA part, which no plugin names
/// itself but whose static constructors make CUDA known.
pub(crate) fn open_libtorch(folder: &Path, cuda: bool) -> Result<(), Refusal> {
    for name in [libtorch::CPU, libtorch::CUDA].into_iter().take(1 + usize::from(cuda)) {
        let path = folder.join(name);
        if !path.is_file() {
            return Err(Refusal::MissingLibtorch {
                library: name.to_owned(),
                looked: vec![folder.to_owned()],
            });
        }
        let library = dlopen(&path, RTLD_NOW | RTLD_GLOBAL).map_err(|message| Refusal::Open { message })?;
        keep(library);
    }
    Ok(())
}

/// How many GPUs CUDA itself can use, with libtorch's CUDA part open; an error in CUDA's words.
pub(crate) fn cuda_devices() -> Result<u32, String> {
    let this = Library::this();
    let count = symbol(&this, "cudaGetDeviceCount").ok_or("libtorch brings no CUDA run time")?;
    // SAFETY: the C signature of cudaGetDeviceCount has been this since CUDA 1.
    let count = unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut i32) -> i32>(count) };
    let mut n = 0;
    // SAFETY: it writes one int.
    let code = unsafe { count(&raw mut n) };
    if code == 0 {
        return Ok(u32::try_from(n).unwrap_or(0));
    }
    let words = symbol(&this, "cudaGetErrorString").map(|text| {
        // SAFETY: the C signature of cudaGetErrorString.
        let text =
            unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(i32) -> *const i8>(text) };
        // SAFETY: any code may be given.
        let words = unsafe { text(code) };
        // SAFETY: it returns a constant string.
        unsafe { guard::text(words.cast(), guard::TEXT_LIMIT) }.unwrap_or_default()
    });
    Err(format!("CUDA says: {} ({code})", words.unwrap_or_default()))
}

fn dlopen(path: &Path, flags: i32) -> Result<Library, String> {
    // SAFETY: runs the library's constructors; this process exists to run it, and it is never unloaded.
    unsafe { Library::open(Some(path), flags) }.map_err(|e| {
        let detail = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
        crate::text::clean(&detail)
    })
}

fn symbol(library: &Library, name: &str) -> Option<*mut c_void> {
    // SAFETY: only the address is taken; its type is given where it is used.
    let symbol = unsafe { library.get::<*mut c_void>(name) }.ok()?;
    Some(symbol.as_raw_ptr()).filter(|p| !p.is_null())
}

/// Gives up the handle, so that nothing ever closes it.
fn keep(library: Library) {
    let _handle: *mut c_void = library.into_raw();
}

/// Turns the loader's text into the libraries that are missing or too old, if that is what it says.
fn missing(message: String, inspection: &Inspection) -> Refusal {
    if let Some(newer) = newer_system(&message) {
        return newer;
    }
    let Some((name, _)) = message.split_once(": cannot open shared object file: No such file") else {
        return Refusal::Open { message };
    };
    let mut looked = inspection.run_path.clone();
    if let Some(set) = std::env::var_os("LD_LIBRARY_PATH") {
        looked.extend(std::env::split_paths(&set).filter(|p| !p.as_os_str().is_empty()));
    }
    let mut missing = vec![name.to_owned()];
    // The loader stops at the first; the others that are certainly absent are named with it.
    for needed in &inspection.needed {
        let known = missing.contains(needed) || looked.iter().any(|d| d.join(needed).exists());
        if !known && !loadable(needed) {
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

/// Whether the loader finds a library by its name alone.
fn loadable(name: &str) -> bool {
    // SAFETY: as in dlopen; the plugin was about to load the same library.
    match unsafe { Library::open(Some(name), RTLD_NOW | RTLD_LOCAL) } {
        Ok(library) => {
            keep(library);
            true
        }
        Err(_) => false,
    }
}

/// A C string for a plugin; a null character inside ends it.
pub(crate) fn c_string(bytes: &[u8]) -> std::ffi::CString {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let mut owned = bytes[..end].to_vec();
    owned.push(0);
    CStr::from_bytes_with_nul(&owned).map(CStr::to_owned).unwrap_or_default()
}
