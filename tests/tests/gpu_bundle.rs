//! The script of `cargo xtask gpu-bundle`, in a folder laid out like the bundle.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use gradtop_tests::paths;
use serde_json::Value;

/// Runs `gpu-check.py` of a bundle with one plugin in an empty environment. Returns the exit code and the report.
fn check(bundle: &Path, args: &[&str]) -> (i32, Value) {
    fs::copy(paths::checkout().join("xtask/dist/gpu-check.py"), bundle.join("gpu-check.py")).unwrap();
    fs::copy(paths::gradtop(), bundle.join("gradtop")).unwrap();
    fs::copy(paths::plugin("deep_vs_shallow"), bundle.join("libdeep_vs_shallow.so")).unwrap();
    let elsewhere = bundle.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let done = Command::new("python3")
        .arg(bundle.join("gpu-check.py"))
        .arg("--torch")
        .arg(paths::checkout().join(".libtorch/torch"))
        .args(args)
        .current_dir(elsewhere)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("CUDA_VISIBLE_DEVICES", "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    let report = serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {said}"));
    (done.status.code().unwrap(), report)
}

#[test]
fn on_the_cpu_two_runs_of_one_seed_are_the_same() {
    let bundle = tempfile::tempdir().unwrap();
    let args = ["--device", "cpu", "--experiment", "function-fit", "--out", "out"];
    let (code, report) = check(bundle.path(), &args);
    assert_eq!(code, 0, "{report:#}");
    assert_eq!((&report["ok"], &report["gpu_was_used"]), (&true.into(), &false.into()));
    let [entry] = &report["selftest"]["experiments"].as_array().unwrap()[..] else { panic!("{report:#}") };
    assert_eq!((&entry["experiment"], &entry["outcome"]), (&"function-fit".into(), &"passed".into()));
    assert!(entry["said"].as_str().unwrap().starts_with("the same "), "{entry:#}");
    let parts: Vec<&str> =
        report["parts"].as_array().unwrap().iter().map(|part| part["part"].as_str().unwrap()).collect();
    assert_eq!(parts, ["selftest", "beside PyTorch", "what is shown", "two runs at once", "a full card"]);
    assert!(report["beside"][0]["gradtop_steps_per_s"].as_f64().unwrap() > 0.0, "{report:#}");
    let written = fs::read(bundle.path().join("elsewhere/out/report.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), report, "what is printed is written");
    let mut fields = BTreeSet::new();
    // Whether PyTorch runs here, and what doctor suggests, depends on the machine.
    for key in ["pytorch_steps_per_s", "pytorch_failed"] {
        assert!(report["beside"][0][key].is_object(), "{report:#}");
    }
    list_fields("", &report, &mut fields);
    fields.retain(|field| !field.contains("pytorch_") && !field.starts_with("doctor[].help"));
    assert_eq!(fields, FIELDS.split_whitespace().map(str::to_owned).collect());
}

/// The fields of schema 3 with their types, as in a check on the CPU.
const FIELDS: &str = "
    beside[].gradtop_steps_per_s:number beside[].work:string
    build:null device:string
    doctor[].grade:string doctor[].text:string doctor[].topic:string
    gpu_was_used:boolean
    machine.cores:number machine.platform:string machine.python:string machine.torch:string machine.torch_folder:string
    ok:boolean out:string
    parts[].found:string parts[].part:string parts[].seconds:number
    program:string schema:number seconds:number
    selftest.checks[].check:string selftest.checks[].outcome:string selftest.checks[].said:string
    selftest.device:string
    selftest.experiments[].cpu_s:number selftest.experiments[].device_s:number
    selftest.experiments[].experiment:string selftest.experiments[].outcome:string selftest.experiments[].said:string
    selftest.ok:boolean selftest.runs:null
    started:string";

/// Lists the paths in a JSON document with the types of their values.
fn list_fields(place: &str, value: &Value, fields: &mut BTreeSet<String>) {
    let kind = match value {
        Value::Object(map) => {
            let dot = if place.is_empty() { "" } else { "." };
            return map
                .iter()
                .for_each(|(key, value)| list_fields(&format!("{place}{dot}{key}"), value, fields));
        }
        Value::Array(values) => {
            return values.iter().for_each(|value| list_fields(&format!("{place}[]"), value, fields));
        }
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
    };
    fields.insert(format!("{place}:{kind}"));
}

#[test]
fn where_there_is_no_gpu_it_says_so_and_runs_nothing() {
    let bundle = tempfile::tempdir().unwrap();
    let (code, report) = check(bundle.path(), &[]);
    assert_eq!(code, 2);
    let failure = report["failures"][0].as_str().unwrap();
    assert!(failure.starts_with("there is no GPU to check (doctor: "), "{failure}");
    assert_eq!((&report["ok"], report["parts"].as_array().unwrap().len()), (&false.into(), 0));
}
