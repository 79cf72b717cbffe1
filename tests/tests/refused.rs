//! Files that are not usable plugins: each is refused for its own reason, and nothing else is harmed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use gradtop_tests::{CommandOutput, Sandbox, build, check, in_parallel, paths};

/// `gradtop plugin check` of a variant of the fixture.
fn checked(variant: &str) -> CommandOutput {
    let sandbox = Sandbox::with(&[paths::fixture("refused")]).and_env("GRADTOP_FIXTURE", variant);
    let said = sandbox.gradtop(&["plugin", "check", "plugins/librefused.so"]);
    check::harmless(&said.all());
    said
}

/// Checks that the variant is refused with these words.
fn refused(variant: &str, words: &[&str]) {
    let said = checked(variant);
    assert_eq!(said.code, 1, "{variant}: {said:#?}");
    for word in words {
        assert!(said.all().contains(word), "{variant}: {word:?} is not said: {said:#?}");
    }
    assert!(said.all().len() < 4096, "{variant}: {} bytes of reasons", said.all().len());
}

#[test]
fn entries_that_break_the_abi() {
    let cases: &[(&str, &[&str])] = &[
        ("entry-null", &["null"]),
        ("entry-forbidden", &["SIGSEGV"]),
        ("magic", &["0x12345678", "0x50545247"]),
        ("major", &["ABI 2", "newer gradtop"]),
        ("major-0", &["ABI 0"]),
        ("short", &["40 bytes", "72"]),
        ("size-0", &["0 bytes", "72"]),
        ("null-count", &["`count`", "null"]),
        ("null-desc", &["`desc`", "null"]),
        ("null-create", &["`create`", "null"]),
        ("null-run", &["`run`", "null"]),
        ("null-destroy", &["`destroy`", "null"]),
        ("count-zero", &["count()", "experiment"]),
        ("count-huge", &["4294967295"]),
        ("built-with-bytes", &["built_with", "UTF-8"]),
        ("abort-entry", &["SIGABRT"]),
        ("panic-entry", &["SIGABRT", "on purpose"]),
        ("segfault-entry", &["SIGSEGV"]),
        ("exit-entry", &["exit"]),
        ("abort-count", &["SIGABRT"]),
        ("abort-desc", &["SIGABRT"]),
        ("panic-desc", &["SIGABRT", "on purpose"]),
        ("segfault-desc", &["SIGSEGV"]),
        ("exit-desc", &["exit"]),
    ];
    in_parallel(3, cases.to_vec(), |(variant, words)| refused(variant, words));
}

#[test]
fn descriptors_that_break_a_rule() {
    let cases: &[(&str, &[&str])] = &[
        ("desc-null", &["null"]),
        ("desc-forbidden", &["SIGSEGV"]),
        ("desc-short", &["24 bytes"]),
        ("desc-size-0", &["0 bytes"]),
        ("same-id-twice", &["refused", "twice"]),
        ("id-null", &["id"]),
        ("id-empty", &["id"]),
        ("id-upper", &["id", "Refused"]),
        ("id-path", &["id", "../"]),
        ("id-escape", &["id"]),
        ("id-bytes", &["UTF-8"]),
        ("id-long", &["id"]),
        ("name-null", &["refused", "name"]),
        ("name-bytes", &["refused", "name", "UTF-8"]),
        ("params-null", &["refused", "param"]),
        ("params-huge", &["refused", "param"]),
        ("param-null", &["refused", "param"]),
        ("param-short", &["param", "16"]),
        ("param-type", &["rate", "type", "9"]),
        ("param-key-null", &["param", "key"]),
        ("param-key-bad", &["learning rate"]),
        ("param-twice", &["rate", "twice"]),
        ("param-default-null", &["rate", "default"]),
        ("param-default-text", &["steps", "many"]),
        ("param-default-bool", &["on", "maybe"]),
        ("param-default-outside", &["rate", "0.1"]),
        ("param-default-excluded", &["rate", "0.1"]),
        ("param-range-empty", &["rate"]),
        ("param-range-nan", &["rate"]),
        ("param-no-choices", &["function", "choices"]),
        ("param-choice-default", &["function", "sine"]),
        ("param-default-escape", &["word", "control characters"]),
        ("param-key-escape", &["param", "control characters"]),
        ("metric-escape", &["metric", "control characters"]),
        ("preset-unknown-key", &["quick", "speed"]),
        ("preset-bad-value", &["quick", "steps", "many"]),
        ("metric-twice", &["loss", "twice"]),
        ("metric-null", &["metric", "name"]),
        ("metric-empty", &["metric", "name"]),
        ("metric-goal", &["loss", "goal", "7"]),
        ("figures-toml", &["figures"]),
        ("figures-mark", &["figure", "pie"]),
    ];
    in_parallel(3, cases.to_vec(), |(variant, words)| refused(variant, words));
}

#[test]
fn hanging_descriptions_are_ended() {
    in_parallel(3, vec!["hang-entry", "hang-count", "hang-desc"], |v| refused(v, &["is slow or hangs"]));
}

#[test]
fn what_is_odd_but_allowed_is_taken() {
    for variant in ["", "minor", "noise-entry", "noise-count", "noise-desc", "built-with-escape"] {
        let said = checked(variant).expect_code(0);
        assert!(said.out.contains("refused"), "{variant}: the experiment is not named: {said:#?}");
    }
}

#[test]
fn escape_sequences_of_a_description_reach_no_terminal() {
    let sandbox = Sandbox::with(&[paths::fixture("refused")]).and_env("GRADTOP_FIXTURE", "escapes");
    let commands: &[&[&str]] = &[
        &["plugin", "check", "plugins/librefused.so"],
        &["experiments"],
        &["experiments", "refused"],
        &["experiments", "--json"],
        &["experiments", "refused", "--json"],
        &["run", "refused", "--name", "one"],
        &["show", "one"],
        &["show", "one", "--json"],
        &["list"],
        &["list", "--json"],
        &["logs", "one"],
        &["doctor"],
    ];
    for args in commands {
        let said = sandbox.gradtop(args);
        check::harmless(&said.all());
        // Either the description is shown harmlessly, or the plugin is refused and not listed.
        if args.contains(&"--json") && said.code == 0 {
            said.json();
        }
    }
}

/// Creates every kind of file that is not a plugin in a folder.
fn no_plugins(folder: &Path) {
    fs::write(folder.join("libtext.so"), "this is no library\n").unwrap();
    fs::write(folder.join("libempty.so"), "").unwrap();
    let whole = fs::read(paths::fixture("refused")).unwrap();
    fs::write(folder.join("libcut.so"), &whole[..whole.len() / 2]).unwrap();
    fs::write(folder.join("libheader.so"), &whole[..64]).unwrap();
    let mut damaged = whole.clone();
    // Offsets and numbers of its section and program headers far beyond the end of the file.
    damaged[32..48].fill(0xff);
    damaged[54..62].fill(0xff);
    fs::write(folder.join("libdamaged.so"), &damaged).unwrap();
    let mut foreign = whole;
    foreign[18] = 183; // EM_AARCH64
    fs::write(folder.join("libforeign.so"), &foreign).unwrap();
    fs::create_dir(folder.join("libfolder.so")).unwrap();
    symlink("nowhere", folder.join("libdangling.so")).unwrap();
    symlink("libloop.so", folder.join("libloop.so")).unwrap();
    symlink("/dev/zero", folder.join("libendless.so")).unwrap();
    fs::write(folder.join("notes.txt"), "not even called a library\n").unwrap();
    build::text("other.c", "int other(void);\nint other(void) { return 1; }\n", folder);
    let export = "__attribute__((visibility(\"default\")))";
    let v2 = format!(
        "{export} const void *gradtop_entry_v2(void);\nconst void *gradtop_entry_v2(void) {{ return 0; }}\n"
    );
    build::text("future.c", &v2, folder);
    let missing = "#include \"gradtop.h\"\nextern int nowhere_to_be_found(void);\n\
        const gradtop_entry *gradtop_entry_v1(void) { nowhere_to_be_found(); return 0; }\n";
    build::text("unresolved.c", missing, folder);
}

#[test]
fn files_that_are_no_plugin() {
    let sandbox = Sandbox::new();
    no_plugins(&sandbox.plugins());
    // Opening a named pipe for reading would hang.
    let fifo = sandbox.plugins().join("libpipe.so");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
        .unwrap();
    let cases: &[(&str, &[&str])] = &[
        ("libtext.so", &["shared library"]),
        ("libempty.so", &["shared library"]),
        ("libcut.so", &["shared library"]),
        ("libheader.so", &["shared library"]),
        ("libdamaged.so", &["shared library"]),
        ("libforeign.so", &["aarch64"]),
        ("libfolder.so", &[]),
        ("libdangling.so", &[]),
        ("libloop.so", &[]),
        ("libendless.so", &[]),
        ("libpipe.so", &[]),
        ("libabsent.so", &[]),
        ("libother.so", &["gradtop_entry_v1"]),
        ("libfuture.so", &["ABI 2", "newer gradtop"]),
        ("libunresolved.so", &["nowhere_to_be_found"]),
        ("../bin/gradtop", &[]),
    ];
    in_parallel(3, cases.to_vec(), |(file, words)| {
        let said = sandbox.gradtop(&["plugin", "check", &format!("plugins/{file}")]);
        check::harmless(&said.all());
        assert_eq!(said.code, 1, "{file}: {said:#?}");
        assert!(said.all().contains(file.trim_start_matches("../")), "{file} is not named: {said:#?}");
        for word in words {
            assert!(
                said.all().to_lowercase().contains(&word.to_lowercase()),
                "{file}: no {word:?}: {said:#?}"
            );
        }
    });
    // The valid plugin among them is found and runs.
    let json = sandbox.gradtop(&["experiments", "--json"]).expect_code(0).json();
    assert!(json.to_string().contains("\"counter\""), "{json:#}");
    sandbox.run(&["short"]).expect_code(0);
}

#[test]
fn a_run_of_something_refused_is_an_error_without_a_run() {
    let sandbox = Sandbox::with(&[paths::fixture("refused")]).and_env("GRADTOP_FIXTURE", "magic");
    let said = sandbox.run(&["refused"]);
    assert_eq!(said.code, 2, "{said:#?}");
    assert!(said.err.contains("refused"), "{said:#?}");
    assert!(said.err.contains("no plugin can be used in"), "{said:#?}");
    assert!(gradtop_store::list_runs(&sandbox.runs()).is_empty());
    let said = sandbox.gradtop(&["doctor"]);
    assert!(said.out.contains("0x12345678") && !said.out.contains("none in"), "{said:#?}");
}

#[test]
fn a_library_of_the_current_folder_is_never_found() {
    let sandbox = Sandbox::with(&[]);
    fs::copy(paths::fixture("misbehave"), sandbox.path().join("libmisbehave.so")).unwrap();
    let said = sandbox.gradtop(&["experiments"]);
    assert!(!said.all().contains("counter"), "{said:#?}");
}
