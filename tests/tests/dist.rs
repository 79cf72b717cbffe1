//! `cargo xtask dist`: the archive and the wheel, used on a machine without Rust and the checkout.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gradtop_tests::paths;
use gradtop_tests::sandbox::{CommandOutput, ended_within};
use gradtop_tests::wait::LIMIT;

/// Packs into a folder. Returns the output.
fn dist(out: &Path, args: &[&str]) -> CommandOutput {
    let mut xtask = Command::new(paths::gradtop().with_file_name("xtask"));
    xtask.arg("dist").args(args).arg("--as-built").arg("--out").arg(out).current_dir(paths::checkout());
    // As `cargo xtask` does.
    xtask.env("CARGO_MANIFEST_DIR", paths::checkout().join("xtask"));
    ended_within(LIMIT, xtask, args).expect_code(0)
}

/// The torch folder, wherever the checkout's link leads.
fn torch() -> PathBuf {
    paths::checkout().join(".libtorch/torch").canonicalize().unwrap()
}

/// Hides the checkout and Rust behind empty folders, if mounting is permitted, and clears the environment.
fn elsewhere(home: &Path, script: &str) -> CommandOutput {
    let user = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let hidden = [paths::checkout(), user.join(".cargo"), user.join(".rustup")];
    let hidden = hidden.iter().filter(|folder| folder.is_dir() && !torch().starts_with(folder));
    let mount = |folder: &PathBuf| format!("mount -t tmpfs hidden '{}'\n", folder.display());
    let hide: String = hidden.map(mount).collect();
    let mut alone = Command::new("unshare");
    alone.args(["--user", "--map-root-user", "--mount", "true"]);
    let can_hide = alone.status().is_ok_and(|status| status.success());
    let mut shell = Command::new(if can_hide { "unshare" } else { "sh" });
    if can_hide {
        shell.args(["--user", "--map-root-user", "--mount", "sh", "-ec"]).arg(format!("{hide}{script}"));
    } else {
        shell.args(["-ec", script]);
    }
    shell.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", home).env("LANG", "C.UTF-8");
    shell.env("GRADTOP_LIBTORCH", torch()).current_dir(home);
    ended_within(LIMIT, shell, &[script])
}

fn files(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, root, found);
        } else {
            found.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
        }
    }
}

#[test]
fn an_unpacked_archive_trains_without_rust_and_without_the_checkout() {
    let temp = tempfile::tempdir().unwrap();
    let out = temp.path().join("out");
    let said = dist(&out, &[]);
    let name = format!("gradtop-{}-linux-x86_64", env!("CARGO_PKG_VERSION"));
    assert!(said.out.contains(&format!("{name}.tar.zst")), "{said:#?}");
    assert!(fs::metadata(out.join(format!("{name}-debug.tar.zst"))).unwrap().len() > 1000);
    // The same files again give the same bytes.
    let archive = out.join(format!("{name}.tar.zst"));
    let first = fs::read(&archive).unwrap();
    dist(&out, &[]);
    assert!(first == fs::read(&archive).unwrap(), "packed twice, it differs");

    let home = temp.path().join("home");
    fs::create_dir(&home).unwrap();
    let unpacked = Command::new("tar").arg("-xf").arg(&archive).current_dir(&home).status().unwrap();
    assert!(unpacked.success());
    let root = home.join(&name);
    let mut held = BTreeSet::new();
    files(&root, &root, &mut held);
    for file in [
        "BUILD",
        "LICENSE-MIT",
        "README.md",
        "THIRD-PARTY-LICENCES.txt",
        "completions/_gradtop",
        "completions/gradtop",
        "completions/gradtop.fish",
        "datasets/mnist/train-images-idx3-ubyte.gz",
        "docs/install.md",
        "gpu-check.py",
        "gradtop",
        "libdeep_vs_shallow.so",
        "man/man1/gradtop-run.1",
        "man/man1/gradtop.1",
        "python/gradtop.py",
        "theory.plan.toml",
        "theory.selftest.toml",
    ] {
        assert!(held.contains(file), "{file} is missing: {held:#?}");
    }
    assert!(!held.iter().any(|file| file.contains("fashion")), "{held:#?}");
    let licences = fs::read_to_string(root.join("THIRD-PARTY-LICENCES.txt")).unwrap();
    for word in ["arrow-array", "tch ", "OFL-1.1", "Apache License", "colored 2"] {
        assert!(licences.contains(word), "no {word} in the licences");
    }
    let build = fs::read_to_string(root.join("BUILD")).unwrap();
    assert!(build.contains("plugins  glibc 2.") && build.contains("libtorch 2.11.0"), "{build}");

    let said = elsewhere(
        &home,
        &format!(
            "PATH=$PWD/{name}:$PATH\n\
             gradtop doctor\n\
             gradtop setup\n\
             gradtop data check mnist\n\
             gradtop run function-fit --preset quick --threads 1 --name fit\n\
             gradtop run image-classification --preset quick --threads 1 --set epochs=1 --set models=shallow --set train_samples=256 --name images\n\
             gradtop list"
        ),
    );
    assert_eq!(said.code, 0, "{said:#?}");
    assert!(said.out.contains(torch().to_str().unwrap()), "{said:#?}");
    for run in ["fit", "images"] {
        let line = said.out.lines().find(|line| line.contains(run) && line.contains("finished"));
        assert!(line.is_some(), "{said:#?}");
    }
}

#[test]
fn a_wheel_gives_the_program_and_the_client() {
    let temp = tempfile::tempdir().unwrap();
    let (out, home) = (temp.path().join("out"), temp.path().join("home"));
    fs::create_dir(&home).unwrap();
    dist(&out, &["wheel"]);
    let version = env!("CARGO_PKG_VERSION");
    let wheel = out.join(format!("gradtop-{version}-py3-none-manylinux_2_28_x86_64.whl"));
    // Uses pip without network. The training finds the client through its environment.
    let said = elsewhere(
        &home,
        &format!(
            "unset GRADTOP_LIBTORCH\n\
             python3 -m venv env\n\
             env/bin/pip install --quiet --no-index --disable-pip-version-check '{}'\n\
             . env/bin/activate\n\
             cat > train.py <<'END'\n\
             import gradtop\n\
             run = gradtop.init(params={{'lr': 0.1}})\n\
             for step in run.steps(100):\n    run.log(step, loss=1 / (step + 1))\n\
             run.finish()\n\
             END\n\
             gradtop exec --name mine -- python train.py\n\
             gradtop show mine\n\
             pip show --files gradtop",
            wheel.display()
        ),
    );
    assert_eq!(said.code, 0, "{said:#?}");
    for words in ["finished  mine", "100 % (100 of 100)", "loss       100  0.01"] {
        assert!(said.out.contains(words), "{words}: {said:#?}");
    }
    let record = format!("gradtop-{version}.dist-info/RECORD");
    for file in [record.as_str(), "../../../bin/gradtop", "gradtop.py"] {
        assert!(said.out.contains(file), "{file}: {said:#?}");
    }
}
