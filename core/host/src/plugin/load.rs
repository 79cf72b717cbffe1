//! Loads a plugin. Used only in the describing child and the trainer.

#![allow(unsafe_code, reason = "calls what plugins export")]

use std::ffi::c_void;
use std::path::Path;

use gradtop_abi::{ABI_MAJOR, ENTRY_PREFIX, ENTRY_SYMBOL, Entry, EntryFn, MAGIC};

use crate::error::Refusal;
use crate::machine::library::{Opened, RTLD_LOCAL};
use crate::machine::{cuda, libtorch};
use crate::plugin::desc::PluginDesc;
use crate::plugin::file::PluginFile;
use crate::plugin::inspect::{Inspection, inspect_from};
use crate::plugin::loader_errors::missing;
use crate::plugin::{guard, read_desc};

/// A loaded plugin whose entry and descriptors have been checked.
pub(crate) struct Plugin {
    pub(crate) desc: PluginDesc,
    pub(crate) create: gradtop_abi::CreateFn,
    pub(crate) run:
        unsafe extern "C" fn(*mut gradtop_abi::Run, *mut gradtop_abi::Error) -> gradtop_abi::Status,
    pub(crate) destroy: unsafe extern "C" fn(*mut gradtop_abi::Run),
    pub(crate) extension: unsafe extern "C" fn(*const std::ffi::c_char) -> *const c_void,
}

/// Loads a plugin, after libtorch if it needs that. `origin` is the folder the file came from, for `$ORIGIN`. With
/// `cuda`, libtorch's CUDA part is loaded too.
pub(crate) fn open(plugin: PluginFile, origin: &Path, cuda: bool) -> Result<Plugin, Refusal> {
    let handle = plugin.handle();
    let inspection = inspect_from(&handle, origin)?;
    match inspection.exports_entry {
        None => return Err(Refusal::NoEntry),
        Some(ABI_MAJOR) => {}
        Some(found) => return Err(Refusal::OtherMajor(found)),
    }
    if inspection.needs_libtorch {
        let folder = libtorch::find_in(&inspection.run_path)
            .map_err(|looked| Refusal::MissingLibtorch { library: libtorch::CPU.to_owned(), looked })?;
        cuda::open_libtorch(&folder, cuda)?;
    }
    open_beside_origin(origin, &inspection);
    let file = plugin.stay_open();
    let library = Opened::open(&handle, RTLD_LOCAL).map_err(|message| missing(message, &inspection))?;
    let symbol = library.symbol(ENTRY_SYMBOL).ok_or(Refusal::NoEntry)?;
    // SAFETY: a symbol of this name has this type in every plugin of this major version.
    let entry_fn = unsafe { std::mem::transmute::<*mut c_void, EntryFn>(symbol) };
    // SAFETY: [main] thread, first call, no arguments.
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
    // SAFETY: no arguments; callable from any thread.
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

/// Loads the libraries that a plugin would search for next to its original file. The loader knows the copy under another name,
/// but reuses libraries that are already loaded. A library that fails here is tried again, and reported, by the loader.
fn open_beside_origin(origin: &Path, inspection: &Inspection) {
    for folder in inspection.run_path.iter().filter(|p| p.starts_with(origin)) {
        for path in inspection.needed.iter().map(|name| folder.join(name)).filter(|p| p.is_file()) {
            drop(Opened::open(&path, RTLD_LOCAL));
        }
    }
}

/// Returns a warning about symbols exported in addition to the entries. Symbols of templates and of the C++ standard
/// library are ignored, because compilers keep them visible.
fn too_many_exports(exports: &[String]) -> Option<String> {
    let others: Vec<&String> = exports.iter().filter(|name| !name.starts_with(ENTRY_PREFIX)).collect();
    let first = crate::text::clean(others.first()?);
    let count = match others.len() {
        1 => format!("the symbol {first}"),
        n => format!("{n} symbols, such as {first},"),
    };
    Some(format!(
        "it exports {count} in addition to {ENTRY_SYMBOL}, which may clash with symbols of other libraries. In Rust, call \
         gradtop_sdk_build::plugin() in build.rs and build a cdylib; in C and C++, link with -Wl,--version-script=FILE, where \
         FILE holds {{ global: {ENTRY_SYMBOL}; local: *; }};"
    ))
}

fn null_function(name: &str) -> Refusal {
    Refusal::NullFunction(name.to_owned())
}

/// Reads the entry field by field, so that each error is reported before a later field is read.
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
        // SAFETY: the caller requests only words that every entry has, in this order.
        let at = unsafe { words.add(i) };
        // SAFETY: as above; aligned, because the entry is.
        unsafe { at.read() }
    };
    let magic = word(0);
    if magic != MAGIC {
        return Err(Refusal::Magic(magic));
    }
    let (size, needed) = (word(1), size_of::<Entry>() as u32);
    // Check the major version before the size if it can be read: "other major" is more helpful than "too short".
    if size >= 16 && word(2) != ABI_MAJOR {
        return Err(Refusal::Major(word(2)));
    }
    if size < needed {
        return Err(Refusal::TooShort { what: "entry".to_owned(), found: size, needed });
    }
    // SAFETY: it states at least the size of an Entry, whose fields are valid for any bits.
    Ok(unsafe { entry.read() })
}
