//! Drives an entry through a run as a host does: describe, create, run, destroy.

#![allow(unsafe_code, reason = "the host's side of a C boundary, for tests")]

use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::Arc;

use gradtop_abi::{self as abi, Status};

use super::TestHost;
use super::borrowed::{c_path, text, values};
use super::record::{Outcome, Recorded, TempDir};
use super::vtable::{self, State};
use crate::Device;

/// # Safety
/// `entry` is a valid plugin's.
pub(super) unsafe fn run_by_id(
    host: &TestHost,
    entry: *const abi::Entry,
    id: &str,
    params: &[(&str, &str)],
) -> Recorded {
    // SAFETY: valid and immortal by the contract.
    let fields = unsafe { &*entry };
    let (Some(count), Some(desc)) = (fields.count, fields.desc) else {
        return Recorded::refused("the entry lacks a function");
    };
    // SAFETY: a function of a valid plugin.
    let count = unsafe { count() };
    let mut known = Vec::new();
    for index in 0..count {
        // SAFETY: as above.
        let found = unsafe { desc(index) };
        // SAFETY: null or an immortal description.
        let found = unsafe { found.as_ref() };
        let Some(found) = found else { return Recorded::refused("a description is null: stderr says why") };
        // SAFETY: descriptions contain immortal C strings.
        let name = unsafe { text(found.id) };
        if name == id {
            // SAFETY: as for this function.
            return unsafe { run(host, entry, index, params) };
        }
        known.push(name);
    }
    Recorded::refused(&format!("there is no experiment `{id}`, only {}", known.join(", ")))
}

/// # Safety
/// `entry` is a valid plugin's, and `index` one of its experiments.
pub(super) unsafe fn run(
    host: &TestHost,
    entry: *const abi::Entry,
    index: u32,
    params: &[(&str, &str)],
) -> Recorded {
    // SAFETY: valid and immortal by the contract.
    let entry = unsafe { &*entry };
    let Some(desc) = entry.desc else { return Recorded::refused("the entry lacks a function") };
    // SAFETY: a function of a valid plugin.
    let desc = unsafe { desc(index) };
    // SAFETY: null or an immortal description.
    let desc = unsafe { desc.as_ref() };
    let Some(desc) = desc else { return Recorded::refused("the description is null: stderr says why") };
    // SAFETY: a description of a valid plugin.
    let params = match unsafe { resolve(desc, host.preset.as_deref(), params) } {
        Ok(params) => params,
        Err(why) => return Recorded::refused(&why),
    };
    let dir = match TempDir::new() {
        Ok(dir) => Arc::new(dir),
        Err(error) => return Recorded::refused(&format!("making a temporary folder: {error}")),
    };
    let Some(run_dir) = c_path(&dir.0) else { return Recorded::refused("the temporary folder has a NUL") };
    let resume_dir = host.resume_from.as_deref().and_then(c_path);

    let state = State::new(host, dir.clone(), desc.flags & abi::desc_flag::RESUMABLE != 0);
    let mut table = vtable::table(&state);
    table.size = host.size as u32;
    table.run_dir = run_dir.as_ptr();
    table.seed = host.seed;
    table.threads = i32::try_from(host.threads).unwrap_or(i32::MAX);
    table.device = match host.device {
        Device::Cpu => -1,
        Device::Cuda(index) => i32::try_from(index).unwrap_or(i32::MAX),
    };
    // SAFETY: an entry of a valid plugin, with one of its experiments.
    let Some(outcome) = (unsafe { execute(entry, index, &table, &params, resume_dir.as_deref()) }) else {
        return Recorded::refused("the entry lacks a function");
    };

    let mut recorded = state.into_recorded();
    if !desc.figures.is_null() {
        // SAFETY: descriptions contain immortal C strings.
        recorded.figures.insert(0, unsafe { text(desc.figures) });
    }
    recorded.outcome = outcome;
    recorded
}

/// Creates an instance, runs and destroys it; `None` if the entry lacks a function.
///
/// # Safety
/// `entry` is a valid plugin's, and `index` one of its experiments.
unsafe fn execute(
    entry: &abi::Entry,
    index: u32,
    table: &abi::Host,
    params: &[(CString, CString)],
    resume: Option<&CStr>,
) -> Option<Outcome> {
    let (create, run, destroy) = (entry.create?, entry.run?, entry.destroy?);
    let pairs: Vec<abi::Kv> =
        params.iter().map(|(key, value)| abi::Kv { key: key.as_ptr(), value: value.as_ptr() }).collect();
    let mut error = abi::Error::EMPTY;
    let mut instance = ptr::null_mut();
    let resume = resume.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: all arguments outlive `destroy`, which is below.
    let created = unsafe {
        create(index, table, pairs.as_ptr(), pairs.len() as u64, resume, &raw mut instance, &raw mut error)
    };
    if created != abi::OK {
        return Some(outcome(created, &error));
    }
    // SAFETY: the instance returned by `create`.
    let status = unsafe { run(instance, &raw mut error) };
    // SAFETY: as above, and it is not used again.
    unsafe { destroy(instance) };
    Some(outcome(status, &error))
}

/// Returns every parameter as text: its default, unless the preset or the caller sets it.
///
/// # Safety
/// `desc` is a valid plugin's.
unsafe fn resolve(
    desc: &abi::Desc,
    preset: Option<&str>,
    given: &[(&str, &str)],
) -> Result<Vec<(CString, CString)>, String> {
    let mut texts: Vec<(String, String)> = Vec::new();
    // SAFETY: a valid description has that many parameters.
    for param in unsafe { values(desc.params, desc.n_params) } {
        // SAFETY: an immortal parameter.
        let param = unsafe { &**param };
        // SAFETY: an immortal C string.
        let key = unsafe { text(param.key) };
        // SAFETY: as above.
        texts.push((key, unsafe { text(param.default_value) }));
    }
    let mut set = |key: &str, value: &str| match texts.iter_mut().find(|(known, _)| known == key) {
        Some((_, text)) => {
            value.clone_into(text);
            Ok(())
        }
        None => Err(format!("there is no parameter `{key}`")),
    };
    if let Some(name) = preset {
        // SAFETY: a valid description has that many presets.
        let presets = unsafe { values(desc.presets, desc.n_presets) };
        // SAFETY: an immortal preset.
        let mut presets = presets.iter().map(|preset| unsafe { &**preset });
        // SAFETY: an immortal C string.
        let found = presets.find(|preset| unsafe { text(preset.name) } == name);
        let found = found.ok_or_else(|| format!("there is no preset `{name}`"))?;
        // SAFETY: a valid preset has that many values.
        for pair in unsafe { values(found.values, found.n_values) } {
            // SAFETY: an immortal C string.
            let key = unsafe { text(pair.key) };
            // SAFETY: as above.
            set(&key, &unsafe { text(pair.value) })?;
        }
    }
    for (key, value) in given {
        set(key, value)?;
    }
    let c = |text: String| CString::new(text).map_err(|_| "a parameter contains a NUL".to_owned());
    texts.into_iter().map(|(key, value)| Ok((c(key)?, c(value)?))).collect()
}

fn outcome(status: Status, error: &abi::Error) -> Outcome {
    let len = (error.len as usize).min(error.msg.len());
    let bytes: Vec<u8> = error.msg[..len].iter().map(|byte| byte.cast_unsigned()).collect();
    let message = String::from_utf8_lossy(&bytes).into_owned();
    match status {
        abi::OK => Outcome::Finished,
        abi::STOPPED => Outcome::Stopped,
        abi::PANIC => Outcome::Panicked(message),
        _ => Outcome::Failed(message),
    }
}
