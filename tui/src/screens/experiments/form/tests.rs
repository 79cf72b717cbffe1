#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_host::{DeviceChoice, PresetDesc};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

fn param(key: &str, kind: ParamKind, default: &str) -> ParamDesc {
    ParamDesc { help: format!("what {key} does"), kind, default: default.to_owned(), ..ParamDesc::text(key) }
}

/// An experiment with a parameter of every kind.
pub(crate) fn experiment() -> ExperimentDesc {
    let lr = ParamDesc {
        min: Some(0.0),
        max: Some(10.0),
        min_excluded: true,
        log: true,
        ..param("lr", ParamKind::F64, "0.001")
    };
    let steps = ParamDesc {
        min: Some(1.0),
        unit: Some("steps".to_owned()),
        ..param("steps", ParamKind::I64, "20000")
    };
    let optimizer = ParamDesc {
        choices: ["adam", "sgd", "adagrad"].map(str::to_owned).to_vec(),
        ..param("optimizer", ParamKind::Choice, "adam")
    };
    let quick = PresetDesc {
        name: "quick".to_owned(),
        help: "in seconds".to_owned(),
        values: vec![("steps".to_owned(), "300".to_owned()), ("lr".to_owned(), "0.01".to_owned())],
    };
    ExperimentDesc {
        id: "demo".to_owned(),
        name: "A demonstration".to_owned(),
        version: "1.2.3".to_owned(),
        summary: "Shows every kind of parameter".to_owned(),
        resumable: true,
        uses_device: true,
        params: vec![
            lr,
            steps,
            optimizer,
            param("noise", ParamKind::Bool, "false"),
            param("functions", ParamKind::Str, "sinc"),
        ],
        presets: vec![quick],
        metrics: Vec::new(),
        figures: None,
    }
}

fn form() -> Form {
    Form::new(Path::new("/plugins/libdemo.so"), &experiment())
}

fn at(form: &mut Form, key: &str) {
    let at = form.fields.iter().position(|f| f.key() == key).unwrap();
    form.go_to(at);
}

fn typed(form: &mut Form, key: &str, text: &str) {
    at(form, key);
    form.edit(Edit::DeleteToStart);
    text.chars().for_each(|c| form.edit(Edit::Insert(c)));
}

fn field<'a>(form: &'a Form, key: &str) -> &'a Field {
    form.fields.iter().find(|f| f.key() == key).unwrap()
}

fn started(form: &mut Form) -> Launch {
    match form.start(Path::new("/runs")) {
        FormRequest::Start(launch) => *launch,
        FormRequest::Exec(_) | FormRequest::Wrong(_) | FormRequest::Nothing => {
            panic!("not started: {form:#?}")
        }
    }
}

#[test]
fn a_refusal_stays_while_another_field_cannot_be_used() {
    let mut form = form();
    typed(&mut form, "functions", "none");
    let question = form.question().unwrap();
    form.judged(&question, Some("functions: there is no none"));
    let refused = Some("functions: there is no none");
    assert_eq!(field(&form, "functions").error.as_deref(), refused);
    typed(&mut form, "lr", "0");
    assert_eq!(field(&form, "functions").error.as_deref(), refused);
    assert_eq!(form.errors().len(), 2);
    typed(&mut form, "functions", "sine");
    assert_eq!((&field(&form, "functions").error, form.errors().len()), (&None, 1));
}

#[test]
fn what_is_typed_is_judged_at_once_in_the_hosts_words() {
    let cases = [
        ("lr", "0.1", None),
        ("lr", "10", None),
        ("lr", "0", Some("lr = 0 is outside (0, 10]")),
        ("lr", "fast", Some("lr = \"fast\": expected a number in (0, 10]")),
        ("lr", "", Some("lr = \"\": expected a number in (0, 10]")),
        ("steps", "1e6", None),
        ("steps", "0", Some("steps = 0 is not ≥ 1")),
        ("steps", "1.5", Some("steps = \"1.5\": expected an integer ≥ 1")),
        ("functions", "", None),
        ("name", "", None),
        ("name", "a-1", None),
        ("name", "1a", Some("it must begin with a letter, a to z or A to Z")),
        ("name", "last", Some("`last` means the newest run")),
        ("seed", "", None),
        ("seed", "18446744073709551615", None),
        ("seed", "-1", Some("seed = \"-1\": expected an integer from 0")),
        ("device", "cuda:3", None),
        ("device", "gpu", Some("unknown device \"gpu\"; expected auto, cpu, cuda or cuda:N")),
        ("threads", "4", None),
        ("threads", "0", Some("threads = \"0\": must be a whole number from 1 to 4096")),
        ("checkpoint every", "0.5", None),
        ("checkpoint every", "soon", Some("\"soon\" is neither a number of seconds nor a time such as 10m")),
    ];
    for (key, text, wanted) in cases {
        let mut form = form();
        typed(&mut form, key, text);
        let error = field(&form, key).error.clone();
        match wanted {
            None => assert_eq!(error, None, "{key} = {text:?}"),
            Some(words) => {
                assert!(error.as_deref().is_some_and(|e| e.contains(words)), "{key} = {text:?}: {error:?}");
            }
        }
        let asked = form.start(Path::new("/runs"));
        assert_eq!(matches!(asked, FormRequest::Start(_)), wanted.is_none(), "{key} = {text:?}");
    }
}

#[test]
fn a_start_says_all_that_was_chosen() {
    let mut form = form();
    form.edit(Edit::Right);
    assert_eq!(field(&form, "preset").value(), "quick");
    typed(&mut form, "functions", "sinc,sine");
    typed(&mut form, "name", "mine");
    typed(&mut form, "seed", "7");
    at(&mut form, "optimizer");
    form.edit(Edit::Insert('s'));
    at(&mut form, "noise");
    form.edit(Edit::Insert(' '));
    at(&mut form, "device");
    form.nudge(Way::On);
    let launch = started(&mut form);
    let params: Vec<String> = launch.params.iter().map(|(k, v)| format!("{k}={v}")).collect();
    assert_eq!(params, ["lr=0.01", "steps=300", "optimizer=sgd", "noise=true", "functions=sinc,sine"]);
    assert_eq!(
        (launch.preset.as_deref(), launch.name.as_deref(), launch.seed),
        (Some("quick"), Some("mine"), Some(7))
    );
    assert_eq!((launch.device, launch.threads), (DeviceChoice::Cpu, None));
    assert_eq!(launch.checkpoint_every, DEFAULT_CHECKPOINT_EVERY);
    // It is being started, and not a second time.
    assert!(matches!(form.start(Path::new("/runs")), FormRequest::Nothing));
}

#[test]
fn a_preset_leaves_what_was_changed_by_hand() {
    let mut form = form();
    typed(&mut form, "lr", "0.5");
    form.go_to(0);
    form.edit(Edit::Insert('q'));
    assert_eq!((field(&form, "lr").value(), field(&form, "steps").value()), ("0.5".into(), "300".into()));
    assert_eq!(form.changed(), 1);
    at(&mut form, "lr");
    form.reset();
    assert_eq!((field(&form, "lr").value(), form.changed()), ("0.01".into(), 0));
    typed(&mut form, "steps", "9");
    form.go_to(0);
    form.reset();
    assert_eq!(
        (field(&form, "preset").value(), field(&form, "steps").value()),
        ("default".into(), "20000".into())
    );
    assert_eq!(started(&mut form).preset, None);
}

#[test]
fn an_error_gets_the_cursor() {
    let mut form = form();
    typed(&mut form, "steps", "x");
    typed(&mut form, "seed", "y");
    form.go_to(usize::MAX);
    assert_eq!((form.cursor, form.errors().len()), (form.fields.len(), 2));
    assert!(matches!(form.start(Path::new("/runs")), FormRequest::Wrong(_)));
    assert_eq!(form.field().unwrap().key(), "steps");
}

#[test]
fn steps_are_round_and_stay_in_range() {
    let cases = [
        ("lr", "0.001", Way::On, "0.002"),
        ("lr", "0.002", Way::On, "0.005"),
        ("lr", "0.005", Way::On, "0.01"),
        ("lr", "0.001", Way::Back, "5e-4"),
        ("lr", "0.003", Way::Back, "0.002"),
        ("lr", "10", Way::On, "10"),
        ("steps", "1", Way::Back, "1"),
        ("steps", "41", Way::On, "42"),
        ("seed", "0", Way::Back, "0"),
        ("seed", "7", Way::On, "8"),
        ("functions", "1", Way::On, "1"),
    ];
    for (key, text, way, wanted) in cases {
        let mut form = form();
        typed(&mut form, key, text);
        form.nudge(way);
        assert_eq!(field(&form, key).value(), wanted, "{key} = {text} {way:?}");
    }
}

fn manifest() -> Manifest {
    let text = r#"
        schema = 1
        run = "demo-4"
        created = "2026-01-02T03:04:05Z"
        seed = 42
        device = "cpu"
        threads = 2
        checkpoint_every_s = 30
        preset = "quick"
        host = "here"
        boot_id = ""
        [experiment]
        id = "demo"
        name = "A demonstration"
        version = "1.0.0"
        summary = ""
        resumable = true
        uses_device = true
        [plugin]
        file = "plugin.so"
        sha256 = ""
        original_path = "/plugins/libdemo.so"
        [versions]
        gradtop = "0.1.0"
        abi = "1.0"
        [params]
        lr = 0.01
        steps = 500
        optimizer = "adam"
        noise = false
        momentum = 0.9
    "#;
    let manifest: Manifest = toml::from_str(text).unwrap();
    assert!(manifest.created > Timestamp::UNIX_EPOCH);
    manifest
}

#[test]
fn a_runs_values_come_back_and_what_does_not_fit_is_said() {
    let mut form = Form::of_run(Path::new("/plugins/libdemo.so"), &experiment(), &manifest());
    assert_eq!(form.of.as_deref(), Some("demo-4"));
    assert_eq!(form.changed(), 0, "nothing was changed yet, though steps is not the preset's");
    assert_eq!(
        form.notes,
        ["its parameter momentum = 0.9 no longer exists", "the parameter functions is new"]
    );
    let launch = started(&mut form);
    assert_eq!((launch.seed, launch.threads, launch.device), (Some(42), Some(2), DeviceChoice::Cpu));
    assert_eq!((launch.name, launch.preset.as_deref()), (None, Some("quick")));
    assert_eq!(launch.checkpoint_every, Duration::from_secs(30));
    assert_eq!(launch.params[1], ("steps".to_owned(), ParamValue::Int(500)));
}

#[test]
fn a_plugin_built_anew_keeps_what_was_typed() {
    let mut form = form();
    form.edit(Edit::Insert('q'));
    typed(&mut form, "lr", "0.5");
    typed(&mut form, "functions", "sine");
    at(&mut form, "lr");
    let mut newer = experiment();
    newer.version = "2.0".to_owned();
    newer.params.remove(4);
    newer.params.insert(0, param("width", ParamKind::I64, "10"));
    newer.presets[0].values[0].1 = "400".to_owned();
    form.renew(&newer);
    assert_eq!(form.field().unwrap().key(), "lr");
    assert_eq!((field(&form, "lr").value(), field(&form, "steps").value()), ("0.5".into(), "400".into()));
    assert_eq!((form.changed(), form.experiment.version.as_str()), (1, "2.0"));
    assert_eq!(form.notes, ["the plugin was rebuilt"]);
    assert_eq!(started(&mut form).params.len(), 5);
}

#[test]
fn no_number_of_seconds_is_too_much_for_a_launch() {
    for text in ["-1", "1e30", "nan"] {
        let mut form = form();
        typed(&mut form, "checkpoint every", text);
        assert_eq!(form.errors().len(), 1, "{text}");
        let launch = form.launch(Path::new("/runs")).unwrap();
        assert_eq!(launch.checkpoint_every, DEFAULT_CHECKPOINT_EVERY);
    }
}

proptest! {
    #[test]
    fn whatever_is_typed_the_form_agrees_with_the_host(keys in prop::collection::vec((0u8..14, any::<char>(), 0usize..14), 0..120)) {
        let mut form = form();
        for (key, c, to) in keys {
            match key {
                0..=2 => form.edit(Edit::Insert(c)),
                3 => form.edit(Edit::Insert(char::from(b'0' + (to % 10) as u8))),
                4 => form.go(1),
                5 => form.go(-1),
                6 => form.go_to(to),
                7 => form.edit(Edit::Left),
                8 => form.edit(Edit::Right),
                9 => form.nudge(if to % 2 == 0 { Way::On } else { Way::Back }),
                10 => form.edit(Edit::Backspace),
                11 => form.reset(),
                12 => form.edit(Edit::Insert('e')),
                _ => form.edit(Edit::DeleteWord),
            }
            prop_assert!(form.cursor <= form.fields.len());
        }
        let errors = form.errors().len();
        let launched = form.launch(Path::new("/runs"));
        let bad_params = form.fields.iter().any(|f| f.error.is_some() && matches!(f.role, Role::Param(_)));
        prop_assert_eq!(launched.is_err(), bad_params);
        let asked = form.start(Path::new("/runs"));
        prop_assert_eq!(matches!(asked, FormRequest::Start(_)), errors == 0);
    }
}
