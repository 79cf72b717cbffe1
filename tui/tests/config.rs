//! Tests `config.toml`, the environment and options in the real program.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs gradtop with a configuration folder below `home` and an otherwise empty environment.
fn gradtop(home: &Path, variables: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gradtop"));
    command.args(args).env_clear().env("HOME", home).env("LANG", "C.UTF-8").current_dir(home);
    command.envs(variables.iter().copied()).output().unwrap()
}

fn write(home: &Path, text: &str) {
    fs::create_dir_all(home.join(".config/gradtop")).unwrap();
    fs::write(home.join(".config/gradtop/config.toml"), text).unwrap();
}

/// The value and origin of a setting, from `gradtop config --json`.
fn setting(home: &Path, variables: &[(&str, &str)], options: &[&str], key: &str) -> (String, String) {
    let output = gradtop(home, variables, &[options, &["config", "--json"]].concat());
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = all["settings"].as_array().unwrap().iter().find(|s| s["key"] == key).unwrap();
    (found["value"].as_str().unwrap().to_owned(), found["from"].as_str().unwrap().to_owned())
}

#[test]
fn an_option_wins_over_the_environment_that_over_the_file_and_that_over_the_default() {
    let home = tempfile::tempdir().unwrap();
    let (home, in_env) = (home.path(), [("GRADTOP_RUNS", "/env")]);
    let pair = |value: &str, from: &str| (value.to_owned(), from.to_owned());
    let usual = home.join(".local/share/gradtop/runs").display().to_string();
    assert_eq!(setting(home, &[], &[], "runs"), pair(&usual, "default"));
    write(home, "# mine\nruns = '~/mine'\nglyphs = 'dot'\n");
    let mine = home.join("mine").display().to_string();
    assert_eq!(setting(home, &[], &[], "runs"), pair(&mine, "config.toml, line 2"));
    assert_eq!(setting(home, &in_env, &[], "runs"), pair("/env", "GRADTOP_RUNS"));
    assert_eq!(setting(home, &in_env, &["--runs", "/typed"], "runs"), pair("/typed", "--runs"));
    assert_eq!(setting(home, &[], &[], "glyphs"), pair("dot", "config.toml, line 3"));
    assert_eq!(setting(home, &[], &["--ascii"], "glyphs"), pair("ascii", "--ascii"));
    // Commands use it, too.
    let listed = gradtop(home, &[], &["doctor", "--json"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&mine));
}

#[test]
fn what_is_wrong_in_the_file_is_named_with_its_line_and_a_suggestion() {
    let home = tempfile::tempdir().unwrap();
    for (text, message, help) in [
        ("\ndevise = 'cpu'\n", "line 2: unknown key \"devise\"", "did you mean device?"),
        (
            "fps = 10\nthreads = 'many'\n",
            "line 2: threads: \"many\" is not a whole number from 1 to 4096",
            "",
        ),
        ("theme = \n", "line 1: ", ""),
    ] {
        write(home.path(), text);
        let output = gradtop(home.path(), &[], &["list"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("config.toml: ") && said.contains(message) && said.contains(help), "{said}");
    }
    write(home.path(), "");
    let output = gradtop(home.path(), &[("GRADTOP_THEME", "drak")], &["list"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.starts_with("error: GRADTOP_THEME: \"drak\" is not one of dark, light, high-contrast"),
        "{said}"
    );
}
