//! Converts descriptions to those of the ABI, which are created once and never freed.

use std::ffi::{CString, c_char};
use std::ptr;

use gradtop_abi as abi;

use crate::info::{Goal, Info, Metric, Preset};
use crate::params::{ParamKind, ParamSpec};

/// A description that lives as long as the process.
#[derive(Clone, Copy)]
pub(super) struct Immortal(pub(super) *const abi::Desc);

// SAFETY: it points to memory that is never freed, and never written after construction.
unsafe impl Send for Immortal {}
// SAFETY: as above.
unsafe impl Sync for Immortal {}

/// Creates the description of an experiment.
pub(super) fn immortal(info: &Info, params: &[ParamSpec], summary: &str, version: &str) -> Immortal {
    let summary = if info.summary.is_empty() { summary } else { &info.summary };
    let (params, n_params) = array(params.iter().map(|spec| leak(param(spec))));
    let (presets, n_presets) = array(info.presets.iter().map(|item| leak(preset(item))));
    let (metrics, n_metrics) = array(info.metrics.iter().map(|item| leak(metric(item))));
    let flag = |on: bool, bit: u32| if on { bit } else { 0 };
    Immortal(leak(abi::Desc {
        size: size_of::<abi::Desc>() as u32,
        flags: flag(info.resumable, abi::desc_flag::RESUMABLE)
            | flag(info.uses_device, abi::desc_flag::USES_DEVICE),
        id: text(&info.id),
        name: text(&info.name),
        version: text(info.version.as_deref().unwrap_or(version)),
        summary: text(summary),
        params,
        n_params,
        presets,
        n_presets,
        metrics,
        n_metrics,
        figures: optional(info.figures_toml().as_deref()),
    }))
}

fn param(spec: &ParamSpec) -> abi::Param {
    let number = matches!(spec.kind, ParamKind::I64 | ParamKind::F64);
    let (choices, n_choices) = array(spec.choices.iter().map(|choice| text(choice)));
    let flag = |on: bool, bit: u32| if on { bit } else { 0 };
    abi::Param {
        size: size_of::<abi::Param>() as u32,
        kind: match spec.kind {
            ParamKind::I64 => abi::param_type::I64,
            ParamKind::F64 => abi::param_type::F64,
            ParamKind::Bool => abi::param_type::BOOL,
            ParamKind::Str => abi::param_type::STR,
            ParamKind::Choice => abi::param_type::CHOICE,
        },
        flags: flag(spec.log, abi::param_flag::LOG)
            | flag(number && spec.min_excluded, abi::param_flag::MIN_EXCLUDED)
            | flag(number && spec.max_excluded, abi::param_flag::MAX_EXCLUDED),
        reserved: 0,
        key: text(spec.key),
        help: text(spec.help),
        unit: optional(spec.unit),
        default_value: text(spec.default),
        choices,
        n_choices,
        // The bounds of a list apply to its elements, which the host does not know.
        min: if number { spec.min } else { f64::NEG_INFINITY },
        max: if number { spec.max } else { f64::INFINITY },
    }
}

fn preset(preset: &Preset) -> abi::Preset {
    let (values, n_values) =
        array(preset.values.iter().map(|(key, value)| abi::Kv { key: text(key), value: text(value) }));
    abi::Preset {
        size: size_of::<abi::Preset>() as u32,
        reserved: 0,
        name: text(&preset.name),
        help: text(&preset.help),
        values,
        n_values,
    }
}

fn metric(metric: &Metric) -> abi::Metric {
    abi::Metric {
        size: size_of::<abi::Metric>() as u32,
        goal: match metric.goal {
            Goal::None => abi::goal::NONE,
            Goal::Min => abi::goal::MIN,
            Goal::Max => abi::goal::MAX,
        },
        flags: metric.flags,
        reserved: 0,
        name: text(&metric.name),
        unit: optional(metric.unit.as_deref()),
        help: text(&metric.help),
    }
}

fn leak<T>(value: T) -> *const T {
    Box::leak(Box::new(value))
}

fn array<T>(items: impl Iterator<Item = T>) -> (*const T, u64) {
    let items: Vec<T> = items.collect();
    let n = items.len() as u64;
    (Box::leak(items.into_boxed_slice()).as_ptr(), n)
}

/// Creates an immortal C string, truncated at an interior NUL.
pub(super) fn text(text: &str) -> *const c_char {
    let text = text.split('\0').next().unwrap_or_default();
    CString::new(text).unwrap_or_default().into_raw()
}

fn optional(value: Option<&str>) -> *const c_char {
    value.map_or(ptr::null(), text)
}
