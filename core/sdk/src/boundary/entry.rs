//! The functions that the host calls.

use std::ffi::{CStr, c_char, c_void};
use std::io::Write as _;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::OnceLock;

use gradtop_abi::{self as abi, Status};

use super::descriptor::{Immortal, immortal, text};
use super::guard::{guard, panic_elsewhere};
use super::host::{Host, path, status_of};
use crate::params::{ParamSpec, Values};
use crate::{Ctx, Error, Experiment, Info, Result};

/// A list of experiments, implemented by `export_experiments!` in a plugin and by the test host for a single type.
pub trait Library: 'static {
    /// Returns the plugin, which is created at the first call.
    fn plugin() -> &'static Plugin;
}

/// An experiment with its type erased.
#[derive(Clone, Copy)]
pub struct Exported {
    info: fn() -> Info,
    params: &'static [ParamSpec],
    summary: &'static str,
    create: fn(&Values) -> Result<Box<dyn Train>>,
    validate: fn(&Values) -> Result<()>,
    /// Checks that values match the parameters.
    read: fn(&Values) -> Result<()>,
}

trait Train {
    fn train(&mut self, ctx: &mut Ctx) -> Result<()>;
}

impl<E: Experiment> Train for E {
    fn train(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.run(ctx)
    }
}

impl Exported {
    /// Creates the export of the experiment `E`.
    pub fn of<E: Experiment>() -> Self {
        Self {
            info: E::info,
            params: E::PARAMS,
            summary: E::SUMMARY,
            create: |values| Ok(Box::new(E::from_values(values)?)),
            validate: |values| E::from_values(values)?.validate(),
            // Its destructor must not run outside of a run.
            read: |values| E::from_values(values).map(ManuallyDrop::new).map(|_kept| ()),
        }
    }
}

/// The experiments of a library and its entry.
pub struct Plugin {
    exported: Vec<Exported>,
    version: &'static str,
    descriptions: OnceLock<Result<Vec<Immortal>, String>>,
    entry: abi::Entry,
    validate: abi::Validate,
}

// SAFETY: its pointers lead to immortal, constant memory and to functions.
unsafe impl Send for Plugin {}
// SAFETY: as above.
unsafe impl Sync for Plugin {}

impl Plugin {
    /// Creates a plugin of version `version`; `rustc` and `libtorch` are the versions it is built with, if known.
    pub fn new<L: Library>(
        exported: Vec<Exported>,
        version: &'static str,
        rustc: Option<&str>,
        libtorch: Option<&str>,
    ) -> Self {
        let mut built_with = format!("gradtop-sdk {}", env!("CARGO_PKG_VERSION"));
        for (what, which) in [("", rustc), ("libtorch ", libtorch)] {
            if let Some(which) = which {
                built_with.push_str(", ");
                built_with.push_str(what);
                built_with.push_str(which);
            }
        }
        let entry = abi::Entry {
            magic: abi::MAGIC,
            size: size_of::<abi::Entry>() as u32,
            abi_major: abi::ABI_MAJOR,
            abi_minor: abi::ABI_MINOR,
            built_with: text(&built_with),
            count: Some(count::<L>),
            desc: Some(desc::<L>),
            create: Some(create::<L>),
            run: Some(run),
            destroy: Some(destroy),
            extension: Some(extension::<L>),
        };
        let validate = abi::Validate {
            size: size_of::<abi::Validate>() as u32,
            reserved: 0,
            validate: Some(validate::<L>),
        };
        Self { exported, version, descriptions: OnceLock::new(), entry, validate }
    }

    /// Returns all descriptions, or why one of them is invalid.
    fn descriptions(&self) -> &Result<Vec<Immortal>, String> {
        self.descriptions.get_or_init(|| {
            let infos = self.exported.iter().map(|exported| guard(|| Ok((exported.info)())));
            let infos: Result<Vec<Info>> = infos.collect();
            let infos =
                infos.map_err(|error| format!("info() of an experiment {error}\n{}", error.detail()))?;
            for (i, (info, exported)) in infos.iter().zip(&self.exported).enumerate() {
                if let Some(problem) = info.problem(exported.params) {
                    return Err(problem);
                }
                // Texts of list parameters cannot be checked at compile time.
                for (name, values) in info.value_sets() {
                    (exported.read)(&Values::parse(exported.params, &values).map_err(|e| e.to_string())?)
                        .map_err(|error| format!("experiment `{}`, {name}: {error}", info.id))?;
                }
                if infos[..i].iter().any(|earlier| earlier.id == info.id) {
                    return Err(format!("experiment id `{}` is exported twice", info.id));
                }
            }
            let all = infos.iter().zip(&self.exported);
            Ok(all.map(|(info, it)| immortal(info, it.params, it.summary, self.version)).collect())
        })
    }

    /// Returns why the descriptions are invalid, if they are.
    pub fn problem(&self) -> Option<&str> {
        self.descriptions().as_ref().err().map(String::as_str)
    }
}

/// Returns the immortal entry of a library.
pub fn entry<L: Library>() -> *const abi::Entry {
    &raw const L::plugin().entry
}

fn exported<L: Library>(index: u32) -> Result<&'static Exported> {
    let found = L::plugin().exported.get(index as usize);
    found.ok_or_else(|| Error::invalid(format!("there is no experiment number {index}")))
}

/// A run, behind the opaque pointer held by the host.
struct Instance {
    experiment: Box<dyn Train>,
    ctx: Ctx,
    ran: bool,
}

unsafe extern "C" fn count<L: Library>() -> u32 {
    L::plugin().exported.len() as u32
}

/// Returns null if there is no such experiment or the descriptions are invalid; the latter is reported on stderr.
unsafe extern "C" fn desc<L: Library>(index: u32) -> *const abi::Desc {
    let found = guard(|| {
        Ok(match L::plugin().descriptions() {
            Ok(all) => all.get(index as usize).map_or(ptr::null(), |found| found.0),
            Err(problem) => {
                writeln!(std::io::stderr(), "gradtop plugin: {problem}").ok();
                ptr::null()
            }
        })
    });
    found.unwrap_or(ptr::null())
}

unsafe extern "C" fn create<L: Library>(
    index: u32,
    host: *const abi::Host,
    params: *const abi::Kv,
    n: u64,
    resume_dir: *const c_char,
    out: *mut *mut abi::Run,
    err: *mut abi::Error,
) -> Status {
    let created = guard(|| {
        let exported = exported::<L>(index)?;
        if out.is_null() {
            return Err(Error::invalid("create: `out` is null"));
        }
        // SAFETY: the host passes a struct of the size stated in its first field, valid until `destroy` returns.
        let (host, run_dir) = unsafe { Host::copy(host) }?;
        // SAFETY: the host passes `n` pairs of C strings, valid during this call.
        let params = unsafe { pairs(params, n) }?;
        // SAFETY: null, or a C string valid during this call.
        let resume_dir = unsafe { path(resume_dir) };
        let ctx = Ctx::new(host, run_dir, resume_dir);
        let experiment =
            Values::parse(exported.params, &params).and_then(|values| (exported.create)(&values));
        let experiment = experiment.inspect_err(|error| ctx.log_detail(error))?;
        Ok(Box::new(Instance { experiment, ctx, ran: false }))
    });
    let (status, run) = match created {
        Ok(instance) => (abi::OK, Box::into_raw(instance).cast::<abi::Run>()),
        Err(error) => {
            // SAFETY: null, or the host's error struct, writable during this call.
            unsafe { write_text(err, error.message()) };
            (status_of(&error), ptr::null_mut())
        }
    };
    if !out.is_null() {
        // SAFETY: the host's pointer, writable during this call.
        unsafe { out.write(run) };
    }
    status
}

unsafe extern "C" fn run(run: *mut abi::Run, err: *mut abi::Error) -> Status {
    // SAFETY: null, or returned by `create` and not yet destroyed; only the main thread gets here.
    let instance = unsafe { run.cast::<Instance>().as_mut() };
    let result = match instance {
        None => Err(Error::invalid("run: the instance is null")),
        Some(instance) if instance.ran => Err(Error::invalid("run is called twice on one instance")),
        Some(instance) => {
            instance.ran = true;
            let trained = guard(|| instance.experiment.train(&mut instance.ctx));
            with_panic_elsewhere(trained, panic_elsewhere())
                .inspect_err(|error| instance.ctx.log_detail(error))
        }
    };
    match result {
        Ok(()) => abi::OK,
        Err(error) => {
            // SAFETY: null, or the host's error struct, writable during this call.
            unsafe { write_text(err, error.message()) };
            status_of(&error)
        }
    }
}

/// Combines the result of a training with a panic of another thread: never success, and the panic is mentioned if it
/// may be the cause.
fn with_panic_elsewhere(trained: Result<()>, panic: Option<Error>) -> Result<()> {
    match (trained, panic) {
        (trained, None) => trained,
        (Ok(()), Some(panic)) => Err(panic),
        (Err(error), Some(panic)) if error.is_stop() || error.message() == panic.message() => Err(panic),
        (Err(error), Some(panic)) => Err(error.after(&panic)),
    }
}

unsafe extern "C" fn destroy(run: *mut abi::Run) {
    if run.is_null() {
        return;
    }
    // SAFETY: returned by `create` and not yet destroyed, so the box is taken back only once.
    let instance = unsafe { Box::from_raw(run.cast::<Instance>()) };
    if let Err(error) = guard(|| {
        drop(instance);
        Ok(())
    }) {
        // The host does not ask for an error here, and may be gone together with the instance.
        writeln!(std::io::stderr(), "gradtop plugin: while freeing the run: {error}").ok();
    }
}

unsafe extern "C" fn extension<L: Library>(id: *const c_char) -> *const c_void {
    // SAFETY: null, or a C string valid during this call.
    let id = unsafe { utf8(id) };
    if id == abi::EXT_VALIDATE.to_str().ok() {
        return (&raw const L::plugin().validate).cast();
    }
    ptr::null()
}

unsafe extern "C" fn validate<L: Library>(
    index: u32,
    params: *const abi::Kv,
    n: u64,
    err: *mut abi::Error,
) -> Status {
    let judged = guard(|| {
        let exported = exported::<L>(index)?;
        // SAFETY: the host passes `n` pairs of C strings, valid during this call.
        let params = unsafe { pairs(params, n) }?;
        (exported.validate)(&Values::parse(exported.params, &params)?)
    });
    match judged {
        Ok(()) => abi::OK,
        Err(error) => {
            // There is no run whose log could contain further lines.
            let whole = format!("{}\n{}", error.message(), error.detail());
            // SAFETY: null, or the host's error struct, writable during this call.
            unsafe { write_text(err, whole.trim_end()) };
            status_of(&error)
        }
    }
}

/// # Safety
/// `params` points to `n` pairs of C strings that live for `'a`, or `n` is 0.
unsafe fn pairs<'a>(params: *const abi::Kv, n: u64) -> Result<Vec<(&'a str, &'a str)>> {
    if n == 0 {
        return Ok(Vec::new());
    }
    if params.is_null() {
        return Err(Error::invalid("create: `params` is null"));
    }
    // SAFETY: not null, and of length `n` by the contract.
    let params = unsafe { std::slice::from_raw_parts(params, n as usize) };
    let one = |kv: &abi::Kv| {
        // SAFETY: null or a C string by the contract.
        let key = unsafe { utf8(kv.key) };
        // SAFETY: as above.
        let value = unsafe { utf8(kv.value) };
        key.zip(value).ok_or_else(|| Error::invalid("create: a parameter is null or not UTF-8"))
    };
    params.iter().map(one).collect()
}

/// # Safety
/// `text` is null or a C string that lives for `'a`.
unsafe fn utf8<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: a C string by the contract.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

/// # Safety
/// `err` is null or points to a writable struct.
unsafe fn write_text(err: *mut abi::Error, message: &str) {
    // SAFETY: null or writable by the contract.
    let Some(err) = (unsafe { err.as_mut() }) else { return };
    let len = message.floor_char_boundary(err.msg.len());
    for (to, byte) in err.msg.iter_mut().zip(&message.as_bytes()[..len]) {
        *to = byte.cast_signed();
    }
    err.code = 0;
    err.len = len as u32;
}
