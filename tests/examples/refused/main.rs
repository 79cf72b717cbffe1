//! A plugin with a broken description, in the way named by `GRADTOP_FIXTURE`; without it, the plugin is valid.

#![allow(unsafe_code, reason = "it stands on the plugin's side of a C boundary without the SDK")]
#![allow(clippy::unwrap_used, reason = "a fixture fails by panicking, which some of it is for")]

#[path = "../common/mod.rs"]
mod common;

use std::ffi::{c_char, c_void};
use std::io::Write as _;

use common::{desc, forbidden, immortal, immortal_list, metric, param, text};
use gradtop_abi as abi;

fn variant() -> String {
    std::env::var("GRADTOP_FIXTURE").unwrap_or_default()
}

fn hang() -> ! {
    loop {
        std::thread::sleep(std::time::Duration::from_hours(1));
    }
}

fn misbehave(place: &str) {
    match variant().strip_suffix(place).unwrap_or_default() {
        "hang-" => hang(),
        "abort-" => std::process::abort(),
        "panic-" => panic!("the fixture panics on purpose"),
        // SAFETY: C's exit, from the thread that the host called.
        "exit-" => unsafe { libc::exit(0) },
        // SAFETY: not at all, which is the purpose; the page is ours.
        "segfault-" => drop(unsafe { forbidden::<u8>().read_volatile() }),
        "noise-" => {
            // On both streams, imitating the output of a describing child.
            std::io::stdout().write_all(b"{\"experiments\": []}\n\x1b[2Jnoise\n").unwrap();
            std::io::stdout().flush().unwrap();
            std::io::stderr().write_all(b"noise \xff\x1b[31m\n").unwrap();
        }
        _ => {}
    }
}

extern "C" fn count() -> u32 {
    misbehave("count");
    match variant().as_str() {
        "count-zero" => 0,
        "count-huge" => u32::MAX,
        "same-id-twice" => 2,
        _ => 1,
    }
}

extern "C" fn describe(_: u32) -> *const abi::Desc {
    use abi::param_type::{BOOL, CHOICE, F64, I64, STR};
    misbehave("desc");
    let v = variant();
    let number = || param(c"rate", F64, c"0.1");
    let whole = || param(c"steps", I64, c"20");
    let loss = || metric(c"loss", 0);
    let plain = || desc(c"refused", 0, vec![number(), whole()], vec![loss()]);
    let with_param = |p| desc(c"refused", 0, vec![p], vec![loss()]);
    let with_metric = |m| desc(c"refused", 0, vec![], vec![m]);
    let with_preset = |key: &str, value: &str| {
        let values = vec![abi::Kv { key: text(key), value: text(value) }];
        let preset = abi::Preset {
            size: size_of::<abi::Preset>() as u32,
            reserved: 0,
            name: c"quick".as_ptr(),
            help: c"A preset.".as_ptr(),
            values: immortal_list(values),
            n_values: 1,
        };
        abi::Desc { presets: immortal_list(vec![immortal(preset)]), n_presets: 1, ..plain() }
    };
    let choices = |default| abi::Param {
        choices: immortal_list(vec![text("sinc"), text("sign")]),
        n_choices: 2,
        ..param(c"function", CHOICE, default)
    };
    let null = std::ptr::null();
    let nasty = "a\x1b[31mb\x1b[2J\x1b]0;owned\x07c\u{9b}31md\u{202e}e\rf\ng";
    let d = match v.as_str() {
        "desc-null" => return std::ptr::null(),
        "desc-forbidden" => return forbidden(),
        "desc-short" => abi::Desc { size: 24, ..plain() },
        "desc-size-0" => abi::Desc { size: 0, ..plain() },
        "id-null" => abi::Desc { id: null, ..plain() },
        "id-empty" => abi::Desc { id: c"".as_ptr(), ..plain() },
        "id-upper" => abi::Desc { id: c"Refused".as_ptr(), ..plain() },
        "id-path" => abi::Desc { id: c"../../refused".as_ptr(), ..plain() },
        "id-escape" => abi::Desc { id: text(nasty), ..plain() },
        "id-bytes" => abi::Desc { id: c"re\xfffused".as_ptr(), ..plain() },
        "id-long" => abi::Desc { id: text("x".repeat(100_000)), ..plain() },
        "name-null" => abi::Desc { name: null, ..plain() },
        "name-bytes" => abi::Desc { name: c"na\xffme".as_ptr(), ..plain() },
        "params-null" => abi::Desc { params: std::ptr::null(), n_params: 3, ..plain() },
        "params-huge" => abi::Desc { n_params: u64::MAX / 8, ..plain() },
        "param-null" => abi::Desc { params: immortal_list(vec![std::ptr::null()]), n_params: 1, ..plain() },
        "param-short" => with_param(abi::Param { size: 16, ..number() }),
        "param-type" => with_param(abi::Param { kind: 9, ..number() }),
        "param-key-null" => with_param(abi::Param { key: null, ..number() }),
        "param-key-bad" => with_param(abi::Param { key: c"learning rate".as_ptr(), ..number() }),
        "param-twice" => desc(c"refused", 0, vec![number(), number()], vec![loss()]),
        "param-default-null" => with_param(abi::Param { default_value: null, ..number() }),
        "param-default-text" => with_param(param(c"steps", I64, c"many")),
        "param-default-bool" => with_param(param(c"on", BOOL, c"maybe")),
        "param-default-outside" => with_param(abi::Param { min: 1.0, ..number() }),
        "param-default-excluded" => {
            with_param(abi::Param { min: 0.1, flags: abi::param_flag::MIN_EXCLUDED, ..number() })
        }
        "param-range-empty" => with_param(abi::Param { min: 2.0, max: -2.0, ..number() }),
        "param-range-nan" => with_param(abi::Param { min: f64::NAN, ..number() }),
        "param-no-choices" => with_param(param(c"function", CHOICE, c"sinc")),
        "param-default-escape" => {
            with_param(abi::Param { default_value: text(nasty), ..param(c"word", STR, c"") })
        }
        "param-key-escape" => with_param(abi::Param { key: text(nasty), ..number() }),
        "metric-escape" => with_metric(abi::Metric { name: text(nasty), ..loss() }),
        "param-choice-default" => with_param(choices(c"sine")),
        "preset-unknown-key" => with_preset("speed", "1"),
        "preset-bad-value" => with_preset("steps", "many"),
        "metric-twice" => desc(c"refused", 0, vec![], vec![loss(), loss()]),
        "metric-null" => with_metric(abi::Metric { name: null, ..loss() }),
        "metric-empty" => with_metric(abi::Metric { name: c"".as_ptr(), ..loss() }),
        "metric-goal" => with_metric(abi::Metric { goal: 7, ..loss() }),
        "figures-toml" => abi::Desc { figures: c"[[figure".as_ptr(), ..plain() },
        "figures-mark" => abi::Desc {
            figures: c"[[figure]]\nid = \"a\"\ntitle = \"b\"\n[[figure.panel]]\n[[figure.panel.mark]]\ntype = \"pie\"\n"
                .as_ptr(),
            ..plain()
        },
        // Escape sequences in every string where the ABI does not forbid them.
        "escapes" => {
            let p =
                abi::Param { help: text(nasty), unit: text(nasty), ..param(c"word", STR, c"") };
            let m = abi::Metric { unit: text(nasty), help: text(nasty), ..loss() };
            let preset = abi::Preset {
                size: size_of::<abi::Preset>() as u32,
                reserved: 0,
                name: c"quick".as_ptr(),
                help: text(nasty),
                values: std::ptr::null(),
                n_values: 0,
            };
            let presets = immortal_list(vec![immortal(preset)]);
            let d = desc(c"refused", 0, vec![p], vec![m]);
            abi::Desc { name: text(nasty), version: text(nasty), summary: text(nasty), presets, n_presets: 1, ..d }
        }
        _ => plain(),
    };
    immortal(d)
}

unsafe extern "C" fn create(
    _: u32,
    _: *const abi::Host,
    _: *const abi::Kv,
    _: u64,
    _: *const c_char,
    out: *mut *mut abi::Run,
    _: *mut abi::Error,
) -> abi::Status {
    // SAFETY: the host gives a place for the handle, which is nothing but an address here.
    unsafe { *out = immortal(0u8).cast_mut().cast() };
    abi::OK
}

unsafe extern "C" fn run(_: *mut abi::Run, _: *mut abi::Error) -> abi::Status {
    abi::OK
}

unsafe extern "C" fn destroy(_: *mut abi::Run) {}

unsafe extern "C" fn extension(_: *const c_char) -> *const c_void {
    std::ptr::null()
}

/// The one exported symbol.
// SAFETY: no other symbol of this library has that name.
#[unsafe(no_mangle)]
pub extern "C" fn gradtop_entry_v1() -> *const abi::Entry {
    misbehave("entry");
    let built_with = c"gradtop's tests".as_ptr();
    let mut entry = abi::Entry {
        magic: abi::MAGIC,
        size: size_of::<abi::Entry>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        built_with,
        count: Some(count),
        desc: Some(describe),
        create: Some(create),
        run: Some(run),
        destroy: Some(destroy),
        extension: Some(extension),
    };
    match variant().as_str() {
        "entry-null" => return std::ptr::null(),
        "entry-forbidden" => return forbidden(),
        "magic" => entry.magic = 0x1234_5678,
        "major" => entry.abi_major = 2,
        "major-0" => entry.abi_major = 0,
        "minor" => {
            // Like a later version: more fields, with a matching size.
            entry.abi_minor = 9;
            let longer = immortal((abi::Entry { size: entry.size + 16, ..entry }, [0u64; 2]));
            // SAFETY: it is immortal.
            return unsafe { &raw const (*longer).0 };
        }
        "short" => entry.size = 40,
        "size-0" => entry.size = 0,
        "null-count" => entry.count = None,
        "null-desc" => entry.desc = None,
        "null-create" => entry.create = None,
        "null-run" => entry.run = None,
        "null-destroy" => entry.destroy = None,
        "null-extension" => entry.extension = None,
        "built-with-escape" => entry.built_with = c"\x1b[31mred\x07".as_ptr(),
        "built-with-bytes" => entry.built_with = c"bad\xff".as_ptr(),
        _ => {}
    }
    immortal(entry)
}
