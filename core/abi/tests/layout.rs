//! The header and its Rust mirror have one layout, and that layout does not move.
//!
//! `golden/layout-1.txt` is major 1 as released: a C program made from the header must print it, as C99, C11
//! and C++11 with every warning about padding an error, and [`gradtop_abi::layout`] must give it. A field
//! that is appended gets a new line there; a line that is there may not change.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const GOLDEN: &str = include_str!("golden/layout-1.txt");

/// A folder for what the compiler makes, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("gradtop-abi-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn include() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}

/// The layout as text: a line a struct, a line a field.
fn dump() -> String {
    let mut text = String::new();
    for (name, size, fields) in gradtop_abi::layout() {
        writeln!(text, "{name} {size}").unwrap();
        for (field, offset) in fields {
            writeln!(text, "  {field} {offset}").unwrap();
        }
    }
    text
}

/// A C program that prints the same of the header, and its constants beside.
fn program() -> String {
    let mut text =
        String::from("#include <stddef.h>\n#include <stdio.h>\n#include \"gradtop.h\"\nint main(void) {\n");
    for (name, _, fields) in gradtop_abi::layout() {
        writeln!(text, "  printf(\"{name} %zu\\n\", sizeof({name}));").unwrap();
        for (field, _) in fields {
            writeln!(text, "  printf(\"  {field} %zu\\n\", offsetof({name}, {field}));").unwrap();
        }
    }
    for (name, _) in constants() {
        writeln!(text, "  printf(\"{name} %lld\\n\", (long long){name});").unwrap();
    }
    text.push_str("  return 0;\n}\n");
    text
}

fn constants() -> Vec<(&'static str, i64)> {
    use gradtop_abi as abi;
    vec![
        ("GRADTOP_MAGIC", abi::MAGIC.into()),
        ("GRADTOP_ABI_MAJOR", abi::ABI_MAJOR.into()),
        ("GRADTOP_ABI_MINOR", abi::ABI_MINOR.into()),
        ("GRADTOP_OK", abi::OK.into()),
        ("GRADTOP_STOPPED", abi::STOPPED.into()),
        ("GRADTOP_FAILED", abi::FAILED.into()),
        ("GRADTOP_PANIC", abi::PANIC.into()),
        ("GRADTOP_INVALID", abi::INVALID.into()),
        ("GRADTOP_UNSUPPORTED", abi::UNSUPPORTED.into()),
        ("GRADTOP_IO", abi::IO.into()),
        ("GRADTOP_PARAM_I64", abi::param_type::I64.into()),
        ("GRADTOP_PARAM_F64", abi::param_type::F64.into()),
        ("GRADTOP_PARAM_BOOL", abi::param_type::BOOL.into()),
        ("GRADTOP_PARAM_STR", abi::param_type::STR.into()),
        ("GRADTOP_PARAM_CHOICE", abi::param_type::CHOICE.into()),
        ("GRADTOP_PARAM_LOG", abi::param_flag::LOG.into()),
        ("GRADTOP_PARAM_MIN_EXCLUDED", abi::param_flag::MIN_EXCLUDED.into()),
        ("GRADTOP_PARAM_MAX_EXCLUDED", abi::param_flag::MAX_EXCLUDED.into()),
        ("GRADTOP_GOAL_NONE", abi::goal::NONE.into()),
        ("GRADTOP_GOAL_MIN", abi::goal::MIN.into()),
        ("GRADTOP_GOAL_MAX", abi::goal::MAX.into()),
        ("GRADTOP_METRIC_HEADLINE", abi::metric_flag::HEADLINE.into()),
        ("GRADTOP_METRIC_GUARD", abi::metric_flag::GUARD.into()),
        ("GRADTOP_METRIC_LOG", abi::metric_flag::LOG.into()),
        ("GRADTOP_METRIC_WALL_CLOCK", abi::metric_flag::WALL_CLOCK.into()),
        ("GRADTOP_DESC_RESUMABLE", abi::desc_flag::RESUMABLE.into()),
        ("GRADTOP_DESC_USES_DEVICE", abi::desc_flag::USES_DEVICE.into()),
        ("GRADTOP_COLUMN_I64", abi::column_type::I64.into()),
        ("GRADTOP_COLUMN_F64", abi::column_type::F64.into()),
        ("GRADTOP_COLUMN_UTF8", abi::column_type::UTF8.into()),
        ("GRADTOP_COLUMN_BYTES", abi::column_type::BYTES.into()),
        ("GRADTOP_LOG_ERROR", abi::log_level::ERROR.into()),
        ("GRADTOP_LOG_WARNING", abi::log_level::WARNING.into()),
        ("GRADTOP_LOG_INFO", abi::log_level::INFO.into()),
        ("GRADTOP_LOG_DEBUG", abi::log_level::DEBUG.into()),
    ]
}

/// Compiles and runs the program; what it prints.
fn compiled(compiler: &str, flags: &[&str], extension: &str) -> String {
    let scratch =
        Scratch::new(&format!("{extension}-{}", flags[0].trim_start_matches('-').replace('=', "-")));
    let source = scratch.0.join(format!("layout.{extension}"));
    let binary = scratch.0.join("layout");
    fs::write(&source, program()).unwrap();
    let output = Command::new(compiler)
        .args(flags)
        .args(["-Wall", "-Wextra", "-pedantic", "-Wpadded", "-Werror", "-I"])
        .arg(include())
        .arg(&source)
        .arg("-o")
        .arg(&binary)
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(output.status.success(), "{compiler} {flags:?}:\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(Command::new(&binary).output().unwrap().stdout).unwrap()
}

/// What the program must print.
fn expected() -> String {
    let constants = constants().into_iter().map(|(name, value)| format!("{name} {value}\n"));
    GOLDEN.to_owned() + &constants.collect::<String>()
}

#[test]
fn rust_is_golden() {
    assert_eq!(dump(), GOLDEN);
}

#[test]
fn c99_is_golden() {
    assert_eq!(compiled("cc", &["-std=c99"], "c"), expected());
}

#[test]
fn c11_is_golden() {
    assert_eq!(compiled("cc", &["-std=c11"], "c"), expected());
}

#[test]
fn cpp11_is_golden() {
    assert_eq!(compiled("c++", &["-std=c++11"], "cpp"), expected());
}

/// Every struct and every function pointer of the header is in the dump, so none escapes the comparison.
#[test]
fn the_dump_is_complete() {
    let header = gradtop_abi::HEADER;
    for line in header.lines().filter(|line| line.trim_start().starts_with('}') && line.contains("gradtop_"))
    {
        let name = line.split("gradtop_").nth(1).unwrap().split(';').next().unwrap();
        assert!(GOLDEN.contains(&format!("gradtop_{name} ")), "gradtop_{name} is not in the golden dump");
    }
    let defined = header.lines().filter_map(|line| line.strip_prefix("#define ")?.split(' ').next());
    let extension =
        format!("#define GRADTOP_EXT_VALIDATE {:?} ", gradtop_abi::EXT_VALIDATE.to_str().unwrap());
    assert!(header.contains(&extension), "{extension}");
    let others = ["GRADTOP_H", "GRADTOP_EXPORT", "GRADTOP_EXT_VALIDATE"];
    for name in defined.filter(|name| !others.contains(name)) {
        assert!(constants().iter().any(|(known, _)| *known == name), "{name} has no mirror");
    }
    let host = header
        .split("typedef struct gradtop_host {")
        .nth(1)
        .unwrap()
        .split("} gradtop_host;")
        .next()
        .unwrap();
    for function in host.split("(*").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        let is_field = function != "save";
        assert!(!is_field || GOLDEN.contains(&format!("\n  {function} ")), "{function} is not in the dump");
    }
}
