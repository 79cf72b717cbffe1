//! The whole plugins in the guide: the C one compiles, the Rust one is what is run here.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gradtop_sdk::testing::TestHost;

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plugin-guide.md");
    fs::read_to_string(path).unwrap()
}

fn block<'a>(guide: &'a str, after: &str, language: &str) -> &'a str {
    let rest = guide.split_once(after).unwrap().1;
    let rest = rest.split_once(&format!("```{language}\n")).unwrap().1;
    rest.split_once("```").unwrap().0
}

/// Compiles without a warning and exports one symbol.
fn compiles(example: &str, compiler: &str, flags: &[&str]) {
    let scratch = Scratch::new(example);
    let source = scratch.0.join(format!("descent.{example}"));
    let library = scratch.0.join("libdescent.so");
    fs::write(&source, block(&guide(), &format!("<!-- {example}-example -->"), example)).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let exports = root.join("tui/src/scaffold/template/cpp/exports.map");
    let output = Command::new(compiler)
        .args(flags)
        .args(["-Wall", "-Wextra", "-Werror", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-I"])
        .arg(root.join("core/abi/include"))
        .arg(format!("-Wl,--version-script={}", exports.display()))
        .arg("-o")
        .args([&library, &source])
        .arg("-lm")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let symbols = Command::new("nm").args(["-D", "--defined-only"]).arg(&library).output().unwrap();
    let symbols = String::from_utf8(symbols.stdout).unwrap();
    let names: Vec<&str> = symbols.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    assert_eq!(names, ["gradtop_entry_v1"]);
}

#[test]
fn the_c_plugin_compiles() {
    compiles("c", "cc", &["-std=c11"]);
}

#[test]
fn the_cpp_plugin_compiles() {
    compiles("cpp", "c++", &["-std=c++17", "-pedantic"]);
}

mod descent {
    use gradtop_sdk::prelude::*;

    /// Follows the gradient of x squared.
    #[derive(Params)]
    pub(crate) struct Descent {
        /// Learning rate
        #[param(default = 0.1, min = 0.0, min_excluded, max = 1.0, log)]
        lr: f64,
        /// Number of steps
        #[param(default = 200, min = 1)]
        steps: i64,
    }

    impl Experiment for Descent {
        fn info() -> Info {
            Info::new("descent", "Gradient descent", "")
                .metric(Metric::new("loss").goal(Goal::Min).headline().guard().log())
                .preset("quick", "A few steps", &[("steps", "20")])
        }

        fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
            let loss = ctx.series(Series::metric("loss").split("train"))?;
            let mut x = 3.0_f64;
            for step in ctx.steps(0..self.steps) {
                ctx.log(step?, &[(loss, x * x)])?;
                x -= self.lr * 2.0 * x;
            }
            Ok(())
        }
    }
}

/// The module above is the guide's first experiment, and does what its section on tests says.
#[test]
fn the_rust_experiment_is_this_one() {
    let normal = |text: &str| text.replace("pub(crate) ", "").split_whitespace().collect::<String>();
    let guide = guide();
    let code = block(&guide, "## An experiment", "rust");
    let code = code.split_once("gradtop_sdk::export_experiments!").unwrap().0;
    let own = include_str!("guide.rs").split_once("mod descent {").unwrap().1;
    assert!(normal(own).starts_with(&normal(code)), "the guide and this test differ");

    let whole = TestHost::new().seed(1).run::<descent::Descent>(&[("steps", "50")]).expect_finished();
    assert!(whole.values("loss")[49] < 0.01);
}

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("gradtop-guide-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}
