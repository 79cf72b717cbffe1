//! The script of `cargo xtask gpu-bundle`, from a folder laid out as the bundle is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

use gradtop_tests::paths;
use serde_json::Value;

/// Runs `gpu-check.py` of a bundle with one plugin, in an empty environment; gives the exit code and the report.
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
    assert_eq!(parts, ["selftest", "two runs at once", "a full card"]);
    let written = fs::read(bundle.path().join("elsewhere/out/report.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), report, "what is printed is written");
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
