//! The experience of plugin authors: `plugin new`, `build` and `install` in Rust and C++, and the message for each mistake.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gradtop_store::{ColumnData, State};
use gradtop_tests::sandbox::ended_within;
use gradtop_tests::{CommandOutput, Sandbox, build, check, paths};

/// A sandbox with the compilers and libtorch of this machine. The cache is kept between test runs, so that tch is compiled
/// once.
fn workshop() -> Sandbox {
    let home = std::env::var("HOME").unwrap();
    let or_home =
        |name: &str, folder: &str| std::env::var(name).unwrap_or_else(|_| format!("{home}/{folder}"));
    let sandbox = Sandbox::with(&[])
        .and_env("CARGO_HOME", &or_home("CARGO_HOME", ".cargo"))
        .and_env("RUSTUP_HOME", &or_home("RUSTUP_HOME", ".rustup"))
        .and_env("GRADTOP_LIBTORCH", paths::checkout().join(".libtorch/torch").to_str().unwrap())
        .and_env("XDG_CACHE_HOME", kept("cache").to_str().unwrap());
    // The build folder next to the program, whose compiled binding can be reused.
    symlink(paths::gradtop().with_file_name("build"), sandbox.path().join("bin/build")).unwrap();
    sandbox
}

/// A folder that outlives the test run.
fn kept(name: &str) -> PathBuf {
    let folder = paths::checkout().join("target/e2e-authors").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A command that may compile.
fn slowly(sandbox: &Sandbox, args: &[&str]) -> CommandOutput {
    ended_within(Duration::from_mins(15), sandbox.command(args), args)
}

/// Creates a project and moves it to a permanent folder, where only changed files are written, so that builds are incremental.
fn project(sandbox: &Sandbox, name: &str, flags: &[&str]) -> PathBuf {
    sandbox.gradtop(&[&["plugin", "new", name], flags].concat()).expect_code(0);
    let (from, to) = (sandbox.path().join(name), kept(name));
    for file in check::files(&from) {
        let place = to.join(file.strip_prefix(&from).unwrap());
        let text = fs::read(&file).unwrap();
        if fs::read(&place).ok().as_ref() != Some(&text) {
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(&place, text).unwrap();
        }
    }
    to
}

/// Builds, checks and installs a project. Returns the library.
fn build_and_install(sandbox: &Sandbox, folder: &Path) -> PathBuf {
    let built = slowly(sandbox, &["plugin", "build", folder.to_str().unwrap()]).expect_code(0);
    let library = built.out.trim();
    assert!(Path::new(library).is_file(), "not the path of one library: {built:#?}");
    let checked = sandbox.gradtop(&["plugin", "check", library]).expect_code(0);
    assert!(checked.out.contains("is a gradtop plugin"), "{checked:#?}");
    sandbox.gradtop(&["plugin", "install", library]).expect_code(0);
    let exports = build::exports(Path::new(library));
    assert_eq!(exports, ["gradtop_entry_v1"]);
    library.into()
}

/// Checks that a stopped and resumed run has the rows and tables of an uninterrupted one.
fn resumes_exactly(sandbox: &Sandbox, experiment: &str, table: &str, steps: i64) {
    // A short run may end before it is stopped: then a longer one is tried.
    for steps in [steps, 10 * steps, 100 * steps] {
        let set = format!("steps={steps}");
        let parts = sandbox.start(&[experiment, "--set", &set], &format!("parts-{steps}"));
        parts.until_step(20);
        sandbox.gradtop(&["stop", &parts.name()]);
        if parts.wait().code == 0 {
            continue;
        }
        assert_eq!(parts.view().state, State::Stopped);
        let before = check::sealed(&parts.dir).len();
        sandbox.gradtop(&["resume", &parts.name()]).expect_code(0);

        sandbox.run(&[experiment, "--set", &set, "--name", "whole"]).expect_code(0);
        let whole = sandbox.find("whole");
        let rows = |run: &gradtop_store::RunDir| check::comparable(check::sealed(run), &[]);
        assert!(before < rows(&whole.dir).len(), "it was stopped before its end");
        assert!(rows(&parts.dir) == rows(&whole.dir), "the rows differ");
        let table_of = |run: &gradtop_store::RunDir| gradtop_store::read_table(run, table).unwrap();
        assert_eq!(table_of(&parts.dir), table_of(&whole.dir));
        return;
    }
    panic!("{experiment} cannot be stopped before its end");
}

#[test]
fn cpp_builds_trains_stops_and_resumes() {
    let sandbox = workshop();
    let folder = project(&sandbox, "cpp-line", &["--cpp"]);
    build_and_install(&sandbox, &folder);
    sandbox.run(&["cpp-line", "--preset", "quick", "--name", "quick"]).expect_code(0);
    let loss = sandbox.gradtop(&["show", "quick", "--json"]).expect_code(0).json();
    assert!(loss.to_string().contains("\"loss\""), "{loss:#}");
    for figure in ["loss", "fit"] {
        sandbox.gradtop(&["plot", "quick", figure]).expect_code(0);
    }
    resumes_exactly(&sandbox, "cpp-line", "fit", 100_000);
    // Plain CMake finds everything, too.
    let other = sandbox.path().join("elsewhere");
    for args in [
        vec!["-S", folder.to_str().unwrap(), "-B", other.to_str().unwrap()],
        vec!["--build", other.to_str().unwrap()],
    ] {
        let done = std::process::Command::new("cmake").args(args).output().expect("cmake: apt install cmake");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    sandbox.gradtop(&["plugin", "check", other.join("libcpp_line.so").to_str().unwrap()]).expect_code(0);
}

#[test]
fn cpp_on_libtorch_builds_trains_stops_and_resumes() {
    let sandbox = workshop();
    let folder = project(&sandbox, "cpp-spirals", &["--cpp", "--torch"]);
    let library = build_and_install(&sandbox, &folder);
    let checked = sandbox.gradtop(&["plugin", "check", library.to_str().unwrap()]).expect_code(0);
    assert!(checked.out.contains("libtorch 2.11.0") && checked.out.contains("needed"), "{checked:#?}");
    resumes_exactly(&sandbox, "cpp-spirals", "points", 1000);
    it_learned(&sandbox);
}

#[test]
fn rust_on_libtorch_builds_trains_stops_and_resumes() {
    let sandbox = workshop();
    let folder = project(&sandbox, "rust-spirals", &["--torch"]);
    build_and_install(&sandbox, &folder);
    resumes_exactly(&sandbox, "rust-spirals", "points", 1000);
    it_learned(&sandbox);
    // The binding to libtorch was not compiled again, but taken from the checkout.
    let compiled = check::files(&kept("cache").join("gradtop/plugin-target"))
        .into_iter()
        .find(|file| file.file_name().is_some_and(|name| name == "libtch.a"));
    assert_eq!(compiled, None);
}

/// Checks that the run `whole` puts nearly all points on the right spiral.
fn it_learned(sandbox: &Sandbox) {
    let rows = check::sealed(&sandbox.find("whole").dir);
    let last = rows.iter().filter(|row| row.series.0 == "accuracy").max_by_key(|row| row.step).unwrap();
    assert!(f64::from_bits(last.bits) > 0.95, "accuracy {}", f64::from_bits(last.bits));
}

#[test]
fn rust_builds_and_trains() {
    let sandbox = workshop();
    let folder = project(&sandbox, "rust-line", &[]);
    build_and_install(&sandbox, &folder);
    sandbox.run(&["rust-line", "--preset", "quick"]).expect_code(0);
}

fn header() -> Sandbox {
    let sandbox = Sandbox::with(&[]);
    build::on_the_header("header.cpp", &sandbox.plugins());
    sandbox
}

#[test]
fn the_header_describes_what_its_author_declared() {
    let sandbox = header();
    let all = sandbox.gradtop(&["experiments", "everything", "--json"]).expect_code(0).json();
    let params = all["params"].as_array().unwrap().iter().map(|p| {
        let [key, kind, value] = ["key", "kind", "default"].map(|field| p[field].as_str().unwrap());
        format!("{key} {kind} {value} {} {}", p["min"], p["max"]).replace('"', "")
    });
    let expected = [
        "width i64 3 1 8",
        "steps i64 20 1 null",
        "scale f64 0.5 null null",
        "rate f64 0.1 0 1",
        "noisy bool false null null",
        "shape choice sinc null null",
        "label str a b null null",
    ];
    assert_eq!(params.collect::<Vec<_>>(), expected);
    assert_eq!(all["summary"], "Uses the whole header.");
    assert_eq!(all["presets"][0]["values"], serde_json::json!([["steps", "5"], ["noisy", "true"]]));
    let loss = &all["metrics"][0];
    assert_eq!([&loss["name"], &loss["unit"], &loss["goal"]], ["loss", "nats", "min"]);
    for (set, why) in
        [("width=9", "width"), ("rate=1", "rate"), ("shape=cube", "shape"), ("noisy=perhaps", "noisy")]
    {
        let said = sandbox.run(&["everything", "--set", set]).expect_code(2);
        assert!(said.err.contains(why), "{said:#?}");
    }
    let said = sandbox.run(&["everything", "--set", "width=5", "--set", "shape=sign"]).expect_code(2);
    assert!(said.err.contains("error: a sign is at most 4 wide"), "{said:#?}");
}

#[test]
fn the_header_logs_and_resumes() {
    let sandbox = header();
    sandbox
        .run(&["everything", "--preset", "quick", "--name", "a", "--set", "width=4", "--set", "rate=1e-300"])
        .expect_code(0);
    let run = sandbox.find("a");
    assert_eq!(run.view().status.phase.as_deref(), Some("counting"));
    let rows = check::sealed(&run.dir);
    let series = ("loss".to_owned(), Some("m".to_owned()), Some("train".to_owned()), Some(2));
    let loss: Vec<_> = rows.iter().filter(|row| *row.series == series).collect();
    assert_eq!(loss.len(), 5);
    assert_eq!((f64::from_bits(loss[1].bits), loss[1].epoch.map(f64::from_bits)), (1.5, Some(0.1)));
    assert_eq!(rows.iter().filter(|row| row.series.0 == "accuracy").count(), 5);

    let logged = run.logged();
    let has = |line: &str| assert!(logged.iter().any(|l| l == line), "{line} is missing in {logged:#?}");
    has("width 4 scale 0.500000 rate 0.000000 noisy 1 shape sinc label a b");
    has("refused: step_end belongs to the thread that run() was called on");
    has("-3: series: metric \"\" is empty");
    has("a warning");

    let table = gradtop_store::read_table(&run.dir, "kinds").unwrap();
    let column = |name| table.column(name).unwrap().clone();
    assert_eq!(column("i"), ColumnData::I64(vec![1, 2, 3]));
    assert_eq!(column("u"), ColumnData::I64(vec![4, 5, 6]));
    assert_eq!(column("f"), ColumnData::F64(vec![0.5, 1.5, 2.5]));
    assert_eq!(column("b"), ColumnData::I64(vec![1, 0, 1]));
    assert_eq!(column("w"), ColumnData::Utf8(["one", "", "three"].map(str::to_owned).to_vec()));
    assert_eq!(column("rgb"), ColumnData::Bytes { width: 2, data: vec![1, 2, 3, 4, 5, 6] });
    sandbox.gradtop(&["plot", "a", "own"]).expect_code(0);
}

#[test]
fn each_exception_ends_the_run_with_its_own_words() {
    let sandbox = header();
    let cause = |how: &str| {
        let set = format!("how={how}");
        sandbox.run(&["fails", "--set", &set, "--name", how]).expect_code(1);
        sandbox.find(how).view().status.cause.unwrap_or_default()
    };
    let expect = |how: &str, wanted: &str| {
        let found = cause(how);
        assert!(found.contains(wanted), "{how}: {found:?}");
        assert!(!found.contains("\\n"), "{how}: {found:?}");
    };
    expect("error", "it fails as it was told to");
    expect("lines", "the first line");
    let said = sandbox.gradtop(&["logs", "lines"]).expect_code(0);
    assert!(said.out.contains("the third line"), "{said:#?}");
    expect("io", "nothing-here");
    expect("memory", "out of memory");
    expect("number", "an exception that is not a std::exception left the experiment");
    expect("file", "short has 4 bytes instead of 8");
    expect("rows", "table `t`: column `y` has 1 rows, column `x` has 2");
    expect("checkpoint", "nothing to save");
    expect("long", "λ λ λ");
}

/// The error and help of a command that must fail with this exit code.
fn refused(said: &CommandOutput, code: i32) -> (String, String) {
    assert_eq!(said.code, code, "{said:#?}");
    let line = |start: &str| {
        // The last one: cargo's own errors come before.
        let found = said.err.lines().rev().find_map(|line| line.strip_prefix(start));
        found.unwrap_or_else(|| panic!("no `{start}`: {said:#?}")).to_owned()
    };
    (line("error: "), line("help: "))
}

#[test]
fn a_new_plugin_needs_a_name_of_its_own() {
    let sandbox = header();
    let new = |args: &[&str]| refused(&sandbox.gradtop(&[&["plugin", "new"], args].concat()), 2);
    let (error, help) = new(&["My_Net"]);
    assert_eq!(error, "`My_Net` cannot name a plugin; `my-net` could");
    assert!(help.starts_with("use lower-case letters, digits and single dashes"), "{help}");
    assert_eq!(new(&["match"]).0, "`match` cannot name a plugin in Rust: it is a reserved word in Rust");
    let (error, _) = new(&["everything", "--cpp"]);
    assert_eq!(error, "there is already an experiment `everything`, in plugins/libheader.so");
    fs::write(sandbox.path().join("notes"), "mine").unwrap();
    assert_eq!(new(&["notes"]).0, "notes already exists");
    assert_eq!(fs::read_to_string(sandbox.path().join("notes")).unwrap(), "mine");
    sandbox.gradtop(&["plugin", "new", "match", "--cpp"]).expect_code(0);
}

#[test]
fn a_build_names_the_tool_that_is_missing() {
    let sandbox = workshop();
    let own = |name: &str| sandbox.path().join(name);
    sandbox.gradtop(&["plugin", "new", "in-cpp", "--cpp"]).expect_code(0);
    sandbox.gradtop(&["plugin", "new", "in-rust"]).expect_code(0);
    let cache = own("cache");
    let build = |folder: &str, tools: &[(&str, &Path)]| {
        let bin = tempfile::tempdir_in(sandbox.path()).unwrap();
        for (name, path) in tools {
            symlink(path, bin.path().join(name)).unwrap();
        }
        let mut command = sandbox.command(&["plugin", "build", folder]);
        command.env("PATH", bin.path()).env_remove("CARGO").env_remove("CXX").env("XDG_CACHE_HOME", &cache);
        ended_within(Duration::from_mins(5), command, &["plugin", "build", folder])
    };
    let which = |name: &str| {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|f| f.join(name))
            .find(|f| f.is_file());
        found.unwrap_or_else(|| panic!("{name} is not installed: apt install {name}"))
    };
    let (error, help) = refused(&build("in-cpp", &[]), 1);
    assert_eq!(error, "cmake is not installed");
    assert!(help.contains("apt install cmake g++"), "{help}");
    let (error, _) = refused(&build("in-rust", &[]), 1);
    assert_eq!(error, "cargo is not installed");

    let (cmake, make) = (which("cmake"), which("make"));
    let (error, help) = refused(&build("in-cpp", &[("cmake", &cmake), ("make", &make)]), 1);
    assert_eq!(error, format!("{} did not build: no C++ compiler was found", own("in-cpp").display()));
    assert!(help.contains("apt install g++"), "{help}");
    let (cargo, rustc) = (which("cargo"), which("rustc"));
    let said = build("in-rust", &[("cargo", &cargo), ("rustc", &rustc)]);
    let (error, help) = refused(&said, 1);
    assert_eq!(
        error,
        format!(
            "{} did not build: no C compiler, with which Rust links, was found",
            own("in-rust").display()
        )
    );
    assert!(help.contains("apt install gcc") && said.err.contains("cc"), "{said:#?}");
}

#[test]
fn a_build_that_fails_shows_the_compilers_words() {
    let sandbox = workshop();
    let own = |name: &str| sandbox.path().join(name);
    let fails = |folder: &str, code| refused(&slowly(&sandbox, &["plugin", "build", folder]), code);
    assert_eq!(fails("nowhere", 2).0, "nowhere is not a folder");
    fs::create_dir(own("empty")).unwrap();
    assert_eq!(fails("empty", 2).0, "empty has neither a Cargo.toml nor a CMakeLists.txt");

    sandbox.gradtop(&["plugin", "new", "in-cpp", "--cpp"]).expect_code(0);
    let source = own("in-cpp/src/plugin.cpp");
    let whole = fs::read_to_string(&source).unwrap();
    fs::write(&source, whole.replace("GRADTOP_EXPORT(Fit);", "GRADTOP_EXPORT(Fitt);")).unwrap();
    let said = slowly(&sandbox, &["plugin", "build", "in-cpp"]);
    assert_eq!(refused(&said, 1).0, format!("{} did not build", own("in-cpp").display()));
    assert!(said.err.contains("plugin.cpp") && said.err.contains("Fitt"), "{said:#?}");
    assert_eq!(said.out, "");
    fs::write(&source, whole.replace("GRADTOP_EXPORT(Fit);", "")).unwrap();
    let (error, help) = fails("in-cpp", 1);
    assert_eq!(error, format!("{} does not build a plugin", own("in-cpp").display()));
    assert!(help.contains("gradtop_entry_v1"), "{help}");

    fs::create_dir_all(own("in-rust/src")).unwrap();
    let manifest =
        "[package]\nname = \"in-rust\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"KIND\"]\n[workspace]\n";
    fs::write(own("in-rust/Cargo.toml"), manifest.replace("KIND", "cdylib")).unwrap();
    fs::write(own("in-rust/src/lib.rs"), "compile_error!(\"as it was told to\");\n").unwrap();
    let said = slowly(&sandbox, &["plugin", "build", "in-rust"]);
    assert_eq!(refused(&said, 1).0, format!("{} did not build", own("in-rust").display()));
    assert!(said.err.contains("as it was told to") && said.err.contains("lib.rs"), "{said:#?}");
    fs::write(own("in-rust/Cargo.toml"), manifest.replace("KIND", "rlib")).unwrap();
    fs::write(own("in-rust/src/lib.rs"), "").unwrap();
    assert!(fails("in-rust", 1).1.contains("crate-type = [\"cdylib\"]"));
}

#[test]
fn a_build_says_which_other_one_it_waits_for() {
    let sandbox = workshop();
    let target = sandbox.path().join("cache/gradtop/plugin-target");
    fs::create_dir_all(target.join("release")).unwrap();
    fs::create_dir_all(sandbox.path().join("mine/src")).unwrap();
    fs::write(
        sandbox.path().join("mine/Cargo.toml"),
        "[package]\nname = \"mine\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n",
    )
    .unwrap();
    fs::write(sandbox.path().join("mine/src/lib.rs"), "").unwrap();
    // Another plugin's build, then a plain cargo.
    for (lock, text, of) in
        [("gradtop-build.lock", "/plugins/theirs", ", of /plugins/theirs"), ("release/.cargo-lock", "", "")]
    {
        fs::write(target.join(lock), text).unwrap();
        let held = fs::File::open(target.join(lock)).unwrap();
        held.lock().unwrap();
        let errors = sandbox.path().join("errors");
        let mut child = sandbox
            .command(&["plugin", "build", "mine"])
            .env("XDG_CACHE_HOME", sandbox.path().join("cache"))
            .stderr(fs::File::create(&errors).unwrap())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let wanted = format!("waiting for another build in {}{of}\n", target.display());
        gradtop_tests::until(&wanted, || {
            fs::read_to_string(&errors).unwrap().contains(&wanted).then_some(())
        });
        assert!(child.try_wait().unwrap().is_none(), "it waits");
        drop(held);
        assert!(child.wait().unwrap().success(), "{}", fs::read_to_string(&errors).unwrap());
    }
}

#[test]
fn installing_says_what_was_there_and_what_is_no_plugin() {
    let sandbox = header();
    let path = |name: &str| sandbox.path().join(name);
    fs::rename(path("plugins/libheader.so"), path("libheader.so")).unwrap();
    let install = |name: &str| sandbox.gradtop(&["plugin", "install", name]);
    let installed = path("data/gradtop/plugins/libheader.so");
    assert_eq!(
        install("libheader.so").expect_code(0).out,
        format!("installed {} with everything, fails\n", installed.display())
    );
    assert_eq!(
        install("libheader.so").expect_code(0).out,
        format!("{} is already installed; its experiments: everything, fails\n", installed.display())
    );
    let whole = fs::read(path("libheader.so")).unwrap();
    fs::write(path("libheader.so"), [&whole[..], b"more"].concat()).unwrap();
    assert_eq!(
        install("libheader.so").expect_code(0).out,
        format!("replaced {} with everything, fails\n", installed.display())
    );
    assert_eq!(fs::read(&installed).unwrap(), fs::read(path("libheader.so")).unwrap());

    // Another plugin under the name of the first.
    build::fixture("line.c", sandbox.path());
    fs::create_dir(path("other")).unwrap();
    fs::rename(path("libline.so"), path("other/libheader.so")).unwrap();
    let (error, help) = refused(&install("other/libheader.so"), 1);
    assert_eq!(
        error,
        format!(
            "{} is already installed and is a different plugin; its experiments: everything, fails",
            installed.display()
        )
    );
    assert!(help.starts_with("rename other/libheader.so"), "{help}");

    let refusal = |name: &str, bytes: &[u8]| {
        fs::write(path(name), bytes).unwrap();
        install(name).expect_code(1).err
    };
    assert_eq!(
        refusal("notes.so", b"text"),
        "error: notes.so is not a shared library: a plugin is a compiled .so file, such as `gradtop plugin build` makes\n"
    );
    let mut arm = whole.clone();
    arm[18] = 183;
    assert_eq!(
        refusal("arm.so", &arm),
        "error: arm.so is built for aarch64 (64-bit, little-endian), but this gradtop for x86-64: build it on this machine\n"
    );
    let mut newer = whole.clone();
    for i in 0..newer.len() - 11 {
        if &newer[i..i + 11] == b"GLIBC_2.2.5" {
            newer[i..i + 11].copy_from_slice(b"GLIBC_9.9.9");
        }
    }
    let said = refusal("newer.so", &newer);
    assert!(
        said.starts_with(
            "error: newer.so is built for a newer system: it needs GLIBC_9.9.9 of libc.so.6, but glibc 2."
        ),
        "{said}"
    );
    assert!(said.ends_with("; build it on this machine\n"), "{said}");

    fs::write(path("plugin.bin"), &whole).unwrap();
    let (error, _) = refused(&install("plugin.bin"), 2);
    assert_eq!(error, "plugin.bin is a plugin, but gradtop only finds files whose names end in .so");
    let (error, help) = refused(&install("other"), 2);
    assert_eq!(error, "other is a folder; a plugin is a library (.so)");
    assert_eq!(help, "`gradtop plugin install $(gradtop plugin build other)`");
    assert!(
        install("nowhere.so")
            .expect_code(1)
            .err
            .starts_with("error: nowhere.so cannot be read: No such file")
    );
    assert_eq!(check::files(&path("data/gradtop/plugins")), [installed]);
}
