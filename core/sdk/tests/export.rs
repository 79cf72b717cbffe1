//! What `export_experiments!` makes of a crate.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unsafe_code, reason = "it plays a host that makes mistakes")]

use std::ffi::{CStr, CString};
use std::ptr;

use gradtop_abi as abi;
use gradtop_sdk::prelude::*;
use gradtop_sdk::testing::{Outcome, TestHost};

/// The first of two.
#[derive(Params)]
struct First {
    /// How often
    #[param(default = 2)]
    times: i64,
}

impl Experiment for First {
    fn info() -> Info {
        Info::new("first", "First", "").metric(Metric::new("value").wall_clock())
    }
    fn validate(&self) -> Result<()> {
        if self.times == 13 { Err(Error::new("parameter `times` is 13, of all numbers")) } else { Ok(()) }
    }
    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let value = ctx.series(Series::metric("value"))?;
        (0..self.times).try_for_each(|step| ctx.log(step, &[(value, 1.0)]))
    }
}

#[derive(Params)]
struct Second;

impl Experiment for Second {
    fn info() -> Info {
        Info::new("second", "Second", "Has no parameters").version("9.1").uses_device().resumable()
    }
    fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
        let text = format!("{:?} {} {}", ctx.device(), ctx.threads(), ctx.seed());
        ctx.info(text)
    }
}

gradtop_sdk::export_experiments![First, Second];

fn text(text: *const std::ffi::c_char) -> String {
    // SAFETY: descriptions hold immortal C strings.
    unsafe { CStr::from_ptr(text) }.to_str().unwrap().to_owned()
}

#[test]
fn the_entry_describes_both() {
    // SAFETY: the entry is immortal.
    let entry = unsafe { &*gradtop_entry_v1() };
    assert_eq!((entry.magic, entry.size as usize), (abi::MAGIC, size_of::<abi::Entry>()));
    assert_eq!((entry.abi_major, entry.abi_minor), (1, 0));
    assert!(text(entry.built_with).starts_with("gradtop-sdk 0."));
    // SAFETY: functions of our own entry.
    assert_eq!(unsafe { entry.count.unwrap()() }, 2);
    let desc = |index| {
        // SAFETY: as above.
        let found = unsafe { entry.desc.unwrap()(index) };
        // SAFETY: null or an immortal description.
        unsafe { found.as_ref() }
    };
    let (first, second) = (desc(0).unwrap(), desc(1).unwrap());
    assert!(desc(2).is_none());
    assert_eq!(ptr::from_ref(first), ptr::from_ref(desc(0).unwrap()), "descriptions are made once");
    assert_eq!([text(first.id), text(first.name)], ["first", "First"]);
    assert_eq!([text(first.version), text(first.summary)], [env!("CARGO_PKG_VERSION"), "The first of two."]);
    assert_eq!([text(second.version), text(second.summary)], ["9.1", "Has no parameters"]);
    assert_eq!((first.flags, second.flags), (0, 3));
    assert_eq!((first.n_params, first.n_metrics, second.n_params), (1, 1, 0));
    assert!(first.figures.is_null());
}

#[test]
fn both_run_by_their_ids() {
    let recorded = TestHost::new().run_exported(gradtop_entry_v1, "first", &[("times", "3")]);
    assert_eq!(recorded.outcome, Outcome::Finished);
    assert_eq!(recorded.values("value"), [1.0; 3]);
    let host = TestHost::new().device(Device::Cuda(1)).threads(4).seed(u64::MAX);
    let recorded = host.run_exported(gradtop_entry_v1, "second", &[]);
    assert_eq!(recorded.text[0].1, format!("Cuda(1) 4 {}", u64::MAX));
    let missing = TestHost::new().run_exported(gradtop_entry_v1, "third", &[]);
    assert_eq!(
        missing.outcome,
        Outcome::Refused("there is no experiment `third`, only first, second".into())
    );
}

/// A host that breaks the contract gets a status and a message.
#[test]
fn mistakes_of_a_host() {
    // SAFETY: the entry is immortal.
    let entry = unsafe { &*gradtop_entry_v1() };
    let (create, run, destroy) = (entry.create.unwrap(), entry.run.unwrap(), entry.destroy.unwrap());
    let mut error = abi::Error::EMPTY;
    let message = |error: &abi::Error| {
        let bytes: Vec<u8> =
            error.msg[..error.len as usize].iter().map(|byte| byte.cast_unsigned()).collect();
        String::from_utf8(bytes).unwrap()
    };
    let mut instance = ptr::null_mut();

    // SAFETY: null pointers, which the plugin checks.
    let status =
        unsafe { create(0, ptr::null(), ptr::null(), 0, ptr::null(), &raw mut instance, &raw mut error) };
    assert_eq!((status, message(&error).as_str()), (abi::INVALID, "create: `host` is null"));
    assert!(instance.is_null());
    // SAFETY: as above.
    let status =
        unsafe { create(7, ptr::null(), ptr::null(), 0, ptr::null(), &raw mut instance, &raw mut error) };
    assert_eq!((status, message(&error).as_str()), (abi::INVALID, "there is no experiment number 7"));
    // SAFETY: as above.
    let status =
        unsafe { create(0, ptr::null(), ptr::null(), 0, ptr::null(), ptr::null_mut(), ptr::null_mut()) };
    assert_eq!(status, abi::INVALID);
    // SAFETY: as above.
    let status = unsafe { run(ptr::null_mut(), &raw mut error) };
    assert_eq!((status, message(&error).as_str()), (abi::INVALID, "run: the instance is null"));
    // SAFETY: null is allowed.
    unsafe { destroy(ptr::null_mut()) };

    // A host of ABI 1.0's first 40 bytes, all functions absent.
    let mut host = [0_u64; 5];
    host[0] = 40;
    let host = host.as_ptr().cast::<abi::Host>();
    let strings = ["times", "3", "other", "1"].map(|text| CString::new(text).unwrap());
    let kv =
        |key: usize, value: usize| abi::Kv { key: strings[key].as_ptr(), value: strings[value].as_ptr() };
    for (params, expected) in [
        (vec![kv(2, 3)], "parameter `other` is not declared"),
        (vec![kv(0, 1), kv(0, 3)], "parameter `times` is given twice"),
        (vec![abi::Kv { key: ptr::null(), value: ptr::null() }], "create: a parameter is null or not UTF-8"),
    ] {
        let n = params.len() as u64;
        // SAFETY: a host and parameters of the sizes given.
        let status =
            unsafe { create(0, host, params.as_ptr(), n, ptr::null(), &raw mut instance, &raw mut error) };
        assert_eq!((status, message(&error).as_str()), (abi::INVALID, expected));
    }
    let params = [kv(0, 1)];
    // SAFETY: as above.
    let status =
        unsafe { create(0, host, params.as_ptr(), 1, ptr::null(), &raw mut instance, &raw mut error) };
    assert_eq!(status, abi::OK);
    // SAFETY: the instance was made above.
    let status = unsafe { run(instance, &raw mut error) };
    assert_eq!(status, abi::UNSUPPORTED);
    assert_eq!(message(&error), "this gradtop (ABI 1.0) does not offer `series`");
    // SAFETY: as above.
    let status = unsafe { run(instance, &raw mut error) };
    assert_eq!((status, message(&error).as_str()), (abi::INVALID, "run is called twice on one instance"));
    // SAFETY: as above; it is not used again.
    unsafe { destroy(instance) };
}

#[test]
fn parameters_are_judged_without_a_run() {
    // SAFETY: the entry is immortal.
    let entry = unsafe { &*gradtop_entry_v1() };
    // SAFETY: a function of our own entry, asked for ids that are C strings, or null.
    let extension = |id: *const std::ffi::c_char| unsafe { entry.extension.unwrap()(id) };
    assert!(extension(c"gradtop.validate/2".as_ptr()).is_null() && extension(ptr::null()).is_null());
    let found = extension(abi::EXT_VALIDATE.as_ptr()).cast::<abi::Validate>();
    // SAFETY: what this id stands for; immortal.
    let found = unsafe { *found };
    assert_eq!(found.size as usize, size_of::<abi::Validate>());
    let judged = |index, times: &str| {
        let times = CString::new(times).unwrap();
        let params = [abi::Kv { key: c"times".as_ptr(), value: times.as_ptr() }];
        let n = u64::from(index == 0);
        let mut error = abi::Error::EMPTY;
        // SAFETY: a function of our own extension; everything lives until it returns.
        let status = unsafe { found.validate.unwrap()(index, params.as_ptr(), n, &raw mut error) };
        let text: Vec<u8> = error.msg[..error.len as usize].iter().map(|c| c.cast_unsigned()).collect();
        (status, String::from_utf8(text).unwrap())
    };
    assert_eq!(judged(0, "12"), (abi::OK, String::new()));
    assert_eq!(judged(0, "13"), (abi::FAILED, "parameter `times` is 13, of all numbers".to_owned()));
    assert_eq!(judged(0, "many").0, abi::INVALID);
    assert_eq!(judged(1, ""), (abi::OK, String::new()), "an experiment that says nothing refuses nothing");
    assert_eq!(judged(2, "").0, abi::INVALID);
}
