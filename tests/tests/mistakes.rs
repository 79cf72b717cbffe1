//! What authors are told about their mistakes: each has its own message, wherever the plugin is used.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use gradtop_store::{Event, State, read_events};
use gradtop_tests::{Sandbox, build, check, in_parallel, paths};

fn sandbox(mistake: &str) -> Sandbox {
    Sandbox::with(&[paths::fixture("mistaken")]).and_env("GRADTOP_FIXTURE", mistake)
}

const LIBRARY: &str = "plugins/libmistaken.so";

#[test]
fn every_mistake_in_a_description_has_its_sentence() {
    let own = |text: &str| format!("does not describe itself: {text}");
    let within = |text: &str| own(&format!("experiment `mistaken`: {text}"));
    let mark =
        |text: &str| format!("describes itself wrongly: mistaken: figure \"loss\", panel 1, mark 1: {text}");
    let types = "line, band, scatter, bar, histogram, heatmap, contour, image or rule";
    let cases = vec![
        ("id", own("experiment id `Mis Taken` must be [a-z][a-z0-9-]*, at most 64 characters")),
        ("id-empty", own("experiment id `` must be [a-z][a-z0-9-]*, at most 64 characters")),
        (
            "id-long",
            own(&format!(
                "experiment id `{}` must be [a-z][a-z0-9-]*, at most 64 characters",
                "m".repeat(65)
            )),
        ),
        ("name", within("it has no name")),
        ("nul", within("the text `Mis\\0taken` contains a NUL")),
        ("metric-twice", within("metric `loss` is declared twice")),
        ("metric-empty", within("a metric has no name")),
        ("metric-blank", within("metric `test loss ` begins or ends with a blank")),
        ("preset-unknown", within("preset `quick` sets `speed`, which is not a parameter")),
        (
            "preset-range",
            within("preset `quick`: parameter `steps` is `0`, but must be at least 1 and at most 1000"),
        ),
        ("preset-range-excluded", within("preset `quick`: parameter `rate` is `0`, but must be greater than 0")),
        ("preset-type", within("preset `quick`: parameter `steps` is `many`, but must be a whole number")),
        ("preset-bool", within("preset `quick`: parameter `shuffle` is `maybe`, but must be `true` or `false`")),
        (
            "preset-choice",
            within("preset `quick`: parameter `function` is `sine`, but must be one of sinc, sign"),
        ),
        ("preset-key-twice", within("preset `quick` sets `steps` twice")),
        ("preset-twice", within("preset `quick` is declared twice")),
        ("preset-name", within("preset `very quick` has no name, or one with blanks")),
        (
            "figure-syntax",
            "describes itself wrongly: mistaken: figures, line 6: key with no value, expected `=`: type \"line\"".to_owned(),
        ),
        ("figure-type", mark(&format!("type = \"lines\": expected {types}; did you mean line?"))),
        ("figure-scale", mark("y = \"high\": expected a number")),
        (
            "figure-large",
            "describes itself wrongly: mistaken: figures, line 7: 99999999999999999999 is too large for a whole number; write 99999999999999999999.0: \
             y = 99999999999999999999"
                .to_owned(),
        ),
        ("figure-column", mark("it draws a table and needs ycol, the name of a column")),
    ];
    in_parallel(2, cases, |(mistake, sentence)| {
        let said = sandbox(mistake).gradtop(&["plugin", "check", LIBRARY]).expect_code(1);
        assert_eq!(said.err, format!("error: {LIBRARY} {sentence}\n"), "{mistake}");
    });
}

#[test]
fn a_panic_while_describing_is_said_with_its_place() {
    let said = sandbox("panic").gradtop(&["plugin", "check", LIBRARY]).expect_code(1);
    let begins = format!("error: {LIBRARY} does not describe itself: info() of an experiment panicked at ");
    assert!(said.err.starts_with(&begins), "{said:#?}");
    assert!(
        said.err.contains("mistaken/main.rs:") && said.err.ends_with(": info() was not ready\n"),
        "{said:#?}"
    );
}

#[test]
fn the_sentence_is_said_wherever_the_plugin_is_met() {
    let sandbox = sandbox("preset-unknown");
    let sentence = "does not describe itself: experiment `mistaken`: preset `quick` sets `speed`, which is not a parameter";
    let commands: [(&[&str], i32); 8] = [
        (&["plugin", "check", LIBRARY], 1),
        (&["plugin", "check", LIBRARY, "--json"], 1),
        (&["plugin", "install", LIBRARY], 1),
        (&["plugin", "list"], 0),
        (&["experiments"], 0),
        (&["experiments", "mistaken"], 2),
        (&["run", "mistaken"], 2),
        (&["doctor"], 1),
    ];
    for (args, code) in commands {
        let said = sandbox.gradtop(args);
        assert!(said.all().contains(sentence), "{args:?}: {said:#?}");
        assert_eq!(said.code, code, "{args:?}: {said:#?}");
    }
}

#[test]
fn what_has_no_effect_is_a_warning() {
    let warnings = [
        "mistaken: figure \"loss\", panel 1, mark 1: the metric \"los\" is not declared; did you mean loss?",
        "mistaken: figure \"loss\", panel 1, mark 1: the unknown key \"lable\" has no effect; did you mean label?",
    ];
    let sandbox = sandbox("figure-key");
    for command in ["check", "install"] {
        let said = sandbox.gradtop(&["plugin", command, LIBRARY]).expect_code(0);
        let expected = warnings.map(|w| format!("warning: {w}\n")).concat();
        // It is not the first plugin of its name here, which is reported, too.
        assert!(said.err.starts_with(&expected), "{command}: {said:#?}");
        assert!(command == "install" || said.err == expected, "{said:#?}");
    }
    let json = sandbox.gradtop(&["plugin", "check", LIBRARY, "--json"]).expect_code(0).json();
    assert_eq!(json["plugin"]["warnings"], serde_json::json!(warnings));
    let said = self::sandbox("figure-rule").gradtop(&["plugin", "check", LIBRARY]).expect_code(0);
    let rule = |n: u8, at: &str| {
        format!(
            "warning: mistaken: figure \"loss\", panel 1, mark {n}: {at} is not on any axis: nothing is drawn\n"
        )
    };
    assert_eq!(said.err, rule(1, "y = nan") + &rule(2, "x = -inf"));
}

#[test]
fn a_plugin_in_c_has_its_own_words_too() {
    let sandbox = Sandbox::with(&[]);
    let code = "#include <stdio.h>\n#include \"gradtop.h\"\n\
        static uint32_t count(void) { return 1; }\n\
        static const gradtop_desc *desc(uint32_t i) { (void)i; fputs(\"loading\\nno table of devices\\n\", stderr); return 0; }\n\
        static gradtop_status create(uint32_t i, const gradtop_host *h, const gradtop_kv *p, uint64_t n, const char *d,\n\
            gradtop_run **out, gradtop_error *e) { (void)i; (void)h; (void)p; (void)n; (void)d; (void)out; (void)e; return -1; }\n\
        static gradtop_status run(gradtop_run *r, gradtop_error *e) { (void)r; (void)e; return 0; }\n\
        static void destroy(gradtop_run *r) { (void)r; }\n\
        static const void *extension(const char *id) { (void)id; return 0; }\n\
        static const gradtop_entry ENTRY = { GRADTOP_MAGIC, sizeof(gradtop_entry), 1, 0, 0, count, desc, create, run, destroy, extension };\n\
        GRADTOP_EXPORT int another(void);\n\
        int another(void) { return 1; }\n\
        const gradtop_entry *gradtop_entry_v1(void) { return &ENTRY; }\n";
    build::text("silent.c", code, &sandbox.plugins());
    let said = sandbox.gradtop(&["plugin", "check", "plugins/libsilent.so"]).expect_code(1);
    let sentence = "returned no descriptor for experiment 0 (null); it wrote: no table of devices";
    assert_eq!(said.err, format!("error: plugins/libsilent.so {sentence}\n"));
}

/// The plugin of `line.c`, with changes.
fn line(changes: &[(&str, &str)]) -> String {
    let code = fs::read_to_string(paths::checkout().join("tests/fixtures/line.c")).unwrap();
    changes.iter().fold(code, |code, (old, new)| {
        assert!(code.contains(old), "{old}");
        code.replace(old, new)
    })
}

#[test]
fn what_experiments_share_is_warned_of_once() {
    let sandbox = Sandbox::with(&[]);
    let code = line(&[
        ("{ return 1; }", "{ return 2; }"),
        (
            "{ return index == 0 ? &description : NULL; }",
            "{ static gradtop_desc more; more = description; more.id = \"more\"; return index == 0 ? &description : &more; }",
        ),
        ("metric = \\\"loss\\\"", "metric = \\\"lost\\\""),
    ]);
    build::text("twins.c", &code, &sandbox.plugins());
    let said = sandbox.gradtop(&["plugin", "check", "plugins/libtwins.so"]).expect_code(0);
    let what = "figure \"loss\", panel 1, mark 1: the metric \"lost\" is not declared; did you mean loss?";
    assert_eq!(said.err, format!("warning: line, more: {what}\n"));
}

#[test]
fn a_plugin_in_c_says_which_split_stands_for_a_metric() {
    let sandbox = Sandbox::with(&[]);
    let last = "metric = \\\"loss\\\"\\n";
    let code = line(&[(last, &format!("{last}[headline]\\nloss = \\\"val\\\"\\n"))]);
    build::text("split.c", &code, &sandbox.plugins());
    let said = sandbox.gradtop(&["plugin", "check", "plugins/libsplit.so", "--json"]).expect_code(0);
    let json = said.json();
    let metrics = &json["plugin"]["experiments"][0]["metrics"];
    assert_eq!(
        (&metrics[0]["headline_of"], &metrics[1]["headline_of"]),
        (&"val".into(), &serde_json::Value::Null)
    );
    assert_eq!(json["plugin"]["warnings"], serde_json::json!([]));
}

/// A failure is cached so that lists need not wait for it again, but a command that names the plugin or its experiment tries
/// again.
#[test]
fn a_failure_that_has_passed_is_not_believed() {
    let sandbox = Sandbox::with(&[]);
    let wanted = sandbox.path().join("wanted");
    let needs = format!(
        "#include <stdlib.h>\n#include <stdio.h>\n__attribute__((constructor)) static void begin(void) {{\n\
         FILE *f = fopen(\"{}\", \"r\"); if (!f) {{ fputs(\"no table of devices\\n\", stderr); abort(); }} fclose(f); }}\n",
        wanted.display()
    );
    build::text("needs.c", &(line(&[]) + &needs), &sandbox.plugins());
    let file = "plugins/libneeds.so";
    let commands: [(&[&str], i32); 5] = [
        (&["plugin", "check", file], 1),
        (&["plugin", "check", file, "--json"], 1),
        (&["plugin", "install", file], 1),
        (&["experiments", "line"], 2),
        (&["run", "line", "--set", "steps=3"], 2),
    ];
    for (args, code) in commands {
        fs::remove_file(&wanted).ok();
        let said = sandbox.gradtop(args).expect_code(code);
        assert!(said.all().contains("no table of devices"), "{args:?}: {said:#?}");
        fs::write(&wanted, "").unwrap();
        let said = sandbox.gradtop(args).expect_code(0);
        assert!(!said.all().contains("no table of devices"), "{args:?}: {said:#?}");
        // As if it had never been described.
        fs::remove_dir_all(sandbox.path().join("cache")).ok();
        fs::remove_dir_all(sandbox.path().join("data")).ok();
    }
}

#[test]
fn symbols_that_should_not_be_exported_are_mentioned() {
    let sandbox = Sandbox::with(&[]);
    let line = line(&[]);
    let more = "\nGRADTOP_EXPORT int helper(void);\nint helper(void) { return 1; }\n";
    build::text("leaky.c", &format!("{line}{more}"), &sandbox.plugins());
    let said = sandbox.gradtop(&["plugin", "check", "plugins/libleaky.so"]).expect_code(0);
    assert!(
        said.err.starts_with("warning: it exports the symbol helper in addition to gradtop_entry_v1"),
        "{said:#?}"
    );
    assert!(said.err.contains("--version-script"), "{said:#?}");
}

#[test]
fn a_thread_that_panics_fails_its_run() {
    let sandbox = sandbox("");
    let panicked = |name: &str, at: &str| format!("{name} panicked at {at}");
    let text = ": the loader found no data";
    for (mistake, begins) in [
        ("detached", panicked("the thread \"loader\"", "")),
        ("detached-late", panicked("a thread of the plugin", "")),
        ("joined", panicked("the thread \"loader\"", "")),
    ] {
        sandbox.run(&["mistaken", "--name", mistake, "--set", &format!("mistake={mistake}")]).expect_code(1);
        let run = sandbox.find(mistake);
        let cause = run.status().cause.unwrap();
        assert!(cause.starts_with(&begins) && cause.ends_with(text), "{mistake}: {cause}");
        assert!(cause.contains("mistaken/main.rs:"), "{mistake}: {cause}");
        assert_eq!(run.view().state, State::Failed);
        check::sealed(&run.dir);
    }
    // The panic of the scope carries no message; the one before it does.
    sandbox.run(&["mistaken", "--name", "scoped", "--set", "mistake=scoped"]).expect_code(1);
    let cause = sandbox.find("scoped").status().cause.unwrap();
    assert!(cause.contains("a scoped thread panicked; before that, ") && cause.ends_with(text), "{cause}");
    // A panic that the experiment itself catches, on its own thread, is its own business.
    sandbox.run(&["mistaken", "--name", "main", "--set", "mistake=main"]).expect_code(0);
}

#[test]
fn an_error_of_several_lines_is_a_cause_and_a_log() {
    let sandbox = sandbox("");
    sandbox.run(&["mistaken", "--name", "lines", "--set", "mistake=lines"]).expect_code(1);
    let said = sandbox.run(&["mistaken", "--set", "mistake=params"]).expect_code(2);
    assert!(
        said.err.starts_with("error: rate does not fit steps\n    steps: 20\n    rate: 0.1\n"),
        "{said:#?}"
    );

    let raw = Sandbox::new();
    raw.run(&["fail-lines", "--name", "raw"]).expect_code(1);
    for (sandbox, name, first, rest) in [
        (&sandbox, "lines", "the data set is broken", ["row 3: no label", "row 7: no label"]),
        (&raw, "raw", "first line", ["second line", "at frame 1"]),
    ] {
        let run = sandbox.find(name);
        assert_eq!(run.status().cause.as_deref(), Some(first));
        let failed = read_events(&run.dir).unwrap().into_iter().find_map(|line| match line.event {
            Event::State { state: State::Failed, cause } => cause,
            _ => None,
        });
        assert_eq!(failed.as_deref(), Some(first));
        let console = fs::read_to_string(run.dir.console()).unwrap();
        for line in rest {
            assert!(console.lines().any(|l| l.ends_with(line)), "{console}");
        }
        assert!(!console.contains("\\n"), "{console}");
    }
}
