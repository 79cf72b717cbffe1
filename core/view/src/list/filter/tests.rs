#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_store::{MetricInfo, ParamValue, State, View};
use gradtop_tests::run_fixtures::{RunFixtures, now, run};
use proptest::prelude::*;

use super::{Filter, fields_of, glob, named, why_unknown};
use crate::list::column;
use crate::list::field::{FIELDS, Field};

fn runs() -> Vec<View> {
    let text = |v: &str| ParamValue::Text(v.into());
    let mut fixtures = RunFixtures::new();
    let specs = [
        run("plane-curves", "flat-1", 5).at(State::Running, 5_000).losses(),
        run("plane-curves", "flat-2", 200)
            .param("lr", ParamValue::Float(0.1))
            .param("function", text("sign sin"))
            .losses(),
        run("sorted-digits", "rl-lenet", 3000).at(State::Crashed, 100).cause("killed by SIGKILL"),
    ];
    specs.iter().map(|spec| gradtop_store::view(&fixtures.make(spec)).unwrap()).collect()
}

/// The runs that a filter takes.
#[track_caller]
fn taken(runs: &[View], filter: &str) -> String {
    let filter = Filter::parse(filter).unwrap();
    let taken = runs.iter().filter(|run| filter.takes(run, now()));
    let mut names: Vec<&str> = taken.map(|run| run.manifest.run.as_str()).collect();
    names.sort_unstable();
    names.join(" ")
}

#[test]
fn terms_of_every_kind() {
    let runs = runs();
    for (filter, wanted) in [
        ("", "flat-1 flat-2 rl-lenet"),
        ("flat", "flat-1 flat-2"),
        ("flat*", "flat-1 flat-2"),
        ("*1", "flat-1"),
        ("plane-curves/flat-1", "flat-1"),
        ("sorted*/rl*", "rl-lenet"),
        ("CURVES", "flat-1 flat-2"),
        ("state:running", "flat-1"),
        ("state:live", "flat-1"),
        ("state:ended", "flat-2 rl-lenet"),
        ("state=crashed", "rl-lenet"),
        ("state!=crashed", "flat-1 flat-2"),
        ("lr<0.01", "flat-1 rl-lenet"),
        ("lr=1e-3", "flat-1 rl-lenet"),
        ("lr >= 0.1", "flat-2"),
        ("lr:0.1", "flat-2"),
        ("function:sinc", "flat-1 rl-lenet"),
        ("function:\"sign sin\"", "flat-2"),
        ("function=si*", "flat-1 flat-2 rl-lenet"),
        ("loss<1e-3", "flat-1 flat-2"),
        ("age<2h", "flat-1"),
        ("age>1d", "rl-lenet"),
        ("age<0", ""),
        ("step>10k", "flat-2"),
        ("progress<50%", "flat-1 rl-lenet"),
        ("cause:SIGKILL", "rl-lenet"),
        ("exp:digits", "rl-lenet"),
        ("-flat", "rl-lenet"),
        ("NOT flat", "rl-lenet"),
        ("flat -state:running", "flat-2"),
        ("state:crashed OR *1", "flat-1 rl-lenet"),
        ("flat AND (lr<0.01 OR state:crashed)", "flat-1"),
        ("-(flat OR digits)", ""),
        ("NOT NOT flat", "flat-1 flat-2"),
        ("nothing<3", ""),
    ] {
        assert_eq!(taken(&runs, filter), wanted, "{filter}");
    }
}

#[test]
fn errors_say_where_and_what() {
    for (filter, at, words) in [
        ("state:runing", 6, "did you mean running?"),
        ("(flat", 0, "has no )"),
        ("flat)", 4, "no ("),
        ("flat OR", 5, "nothing after OR"),
        ("OR flat", 0, "nothing before OR"),
        ("flat AND", 5, "nothing after AND"),
        ("NOT", 0, "nothing after NOT"),
        ("lr<", 3, "compared with"),
        ("lr<many", 3, "many is not a number"),
        ("<3", 0, "a name belongs before"),
        ("name<b", 0, "write name:b"),
        ("()", 0, "nothing between"),
        ("\"flat", 0, "no second one"),
        ("step:many", 5, "compared with numbers"),
        ("age<5", 4, "\"5\" has no unit: write 5s, 5m, 5h or 5d"),
        ("took=60", 5, "took is compared with times: \"60\" has no unit"),
        ("eta>soon", 4, "\"soon\" is not a time"),
    ] {
        let error = Filter::parse(filter).expect_err(filter);
        assert_eq!((error.at, error.message.contains(words)), (at, true), "{filter}: {error:?}");
    }
}

#[test]
fn fields_that_no_run_has_are_named() {
    let runs = runs();
    let filter = Filter::parse("lr<1 lrr<1 state:running loss<1").unwrap();
    assert_eq!(filter.unknown(&runs.iter().collect::<Vec<_>>()), ["lrr"]);
    // Lists know no values of metrics that are not headline metrics.
    let mut fixtures = RunFixtures::new();
    let spec = run("plane-curves", "a", 5).with(|m, _| {
        let norm = MetricInfo { name: "norm".into(), ..MetricInfo::default() };
        m.metrics.push(norm);
    });
    let runs = [gradtop_store::view(&fixtures.make(&spec)).unwrap()];
    assert!(!fields_of(runs.iter()).iter().any(|field| field == "norm"));
    assert_eq!(Filter::parse("norm<5").unwrap().unknown(&[&runs[0]]), ["norm"]);
    assert!(why_unknown("norm", runs.iter()).unwrap().contains("not a headline metric"));
    assert_eq!(why_unknown("other", runs.iter()), None);
    let possible = super::fields(runs.iter());
    let at = |name: &str| possible.iter().position(|field| field == name).unwrap();
    assert!(
        at("lr") < at("state") && at("loss") < at("state"),
        "what runs may have is named first: {possible:?}"
    );
}

#[test]
fn jokers() {
    assert!(glob("a*c?", "abbcd") && glob("*", "") && glob("**a", "bca"));
    assert!(!glob("a?", "a") && !glob("a", "ab") && !glob("", "a"));
    // Greedy matching alone would take exponentially long.
    assert!(!glob(&"*a".repeat(40), &"a".repeat(39)));
}

/// Text of the language's own words in any order, and its meaning by another way.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "(",
        ")",
        "OR",
        "AND",
        "NOT",
        "-",
        "flat",
        "*1",
        "lr<0.01",
        "state:running",
        "\"",
        "<",
        ":",
        "é",
    ]);
    prop::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

proptest! {
    /// Nothing that is typed panics; an error points into the text.
    #[test]
    fn any_text_is_read_or_refused(text in prop_oneof![words(), any::<String>()]) {
        if let Err(error) = Filter::parse(&text) {
            prop_assert!(error.at <= text.chars().count(), "{text:?}: {error:?}");
            prop_assert!(!error.message.is_empty());
        }
    }
}

/// A formula as a tree, its text, and whether it holds where `a` is the run flat-1's and `b` running's truth.
#[derive(Debug, Clone)]
enum Formula {
    A,
    B,
    Not(Box<Formula>),
    And(Box<Formula>, Box<Formula>),
    Or(Box<Formula>, Box<Formula>),
}

impl Formula {
    fn text(&self) -> String {
        match self {
            Self::A => "flat".into(),
            Self::B => "lr<0.01".into(),
            Self::Not(f) => format!("NOT ({})", f.text()),
            Self::And(f, g) => format!("({}) ({})", f.text(), g.text()),
            Self::Or(f, g) => format!("({}) OR ({})", f.text(), g.text()),
        }
    }

    fn holds(&self, a: bool, b: bool) -> bool {
        match self {
            Self::A => a,
            Self::B => b,
            Self::Not(f) => !f.holds(a, b),
            Self::And(f, g) => f.holds(a, b) && g.holds(a, b),
            Self::Or(f, g) => f.holds(a, b) || g.holds(a, b),
        }
    }
}

fn formula() -> impl Strategy<Value = Formula> {
    prop_oneof![Just(Formula::A), Just(Formula::B)].prop_recursive(5, 24, 2, |inner| {
        let pair = (inner.clone(), inner.clone()).prop_map(|(f, g)| (Box::new(f), Box::new(g)));
        prop_oneof![
            inner.prop_map(|f| Formula::Not(Box::new(f))),
            pair.clone().prop_map(|(f, g)| Formula::And(f, g)),
            pair.prop_map(|(f, g)| Formula::Or(f, g)),
        ]
    })
}

#[test]
fn formulas_mean_what_logic_says() {
    let runs = runs();
    proptest!(|(formula in formula())| {
        let text = formula.text();
        let filter = Filter::parse(&text).unwrap();
        for row in &runs {
            let lr = &row.manifest.params.iter().find(|(k, _)| k == "lr").unwrap().1;
            let wanted = formula.holds(row.manifest.run.starts_with("flat"), *lr == ParamValue::Float(1e-3));
            prop_assert_eq!(filter.takes(row, now()), wanted, "{} of {}", text, row.manifest.run);
        }
    });
}

#[test]
fn a_word_names_one_or_those_that_its_jokers_match() {
    let names = ["loss", "Loss/val", "accuracy", "loss*"];
    assert_eq!(named("loss", names), ["loss"]);
    assert_eq!(named("loss?val", names), ["Loss/val"]);
    assert_eq!(named("loss*", names), ["loss*"], "its own name comes first");
    assert_eq!(named("*s", names), ["loss"]);
    assert_eq!(named("los", names), [""; 0]);
}

#[test]
fn a_column_shows_what_a_filter_of_its_name_compares() {
    let run = &runs()[1];
    for (typed, name) in [("LOSS", "loss"), ("Lr", "lr")] {
        let shown = column::cell(run, typed, now());
        assert!(!shown.is_empty(), "{typed}");
        assert_eq!(shown, column::cell(run, name, now()));
        assert_eq!(taken(std::slice::from_ref(run), &format!("{typed}>0")), "flat-2");
    }
}

/// The words in backticks of a part of the page about scripts: from `begin` to `end`, without examples of values.
fn documented<'a>(page: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    let part = page.split_once(begin).unwrap().1.split_once(end).unwrap().0;
    let values = ["live", "ended", "starred", "tagged", "noted"];
    part.split('`').skip(1).step_by(2).filter(|word| !values.contains(word)).collect()
}

#[test]
fn every_documented_key_is_one_of_filters_columns_and_orders() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/scripting.md")).unwrap();
    let keys = documented(&page, "Keys are ", "every parameter");
    let columns = documented(&page, "Columns for `list --columns` and `--sort` are", ". A name");
    assert!(keys.len() > 20 && keys.contains(&"exp") && columns.contains(&"created"), "{keys:?} {columns:?}");
    let runs = runs();
    for name in keys.iter().chain(&columns) {
        let column = column::named(name, runs.iter()).unwrap_or_else(|| panic!("{name}"));
        let (own, meant) = (Field::named(name).unwrap(), Field::named(&column).unwrap());
        assert!(std::ptr::eq(own, meant), "{name}");
    }
    for name in keys {
        let value = [("state", "live"), ("is", "noted")].into_iter().find(|(key, _)| *key == name);
        let term = format!("{name}:{}", value.map_or("1s", |(_, value)| value));
        assert_eq!(Filter::parse(&term).err(), None, "{term}");
        assert!(Field::asked(name).is_some(), "{name}");
    }
    // What every run has is documented.
    let all = page.split('`').collect::<Vec<_>>();
    assert!(FIELDS.iter().all(|field| all.contains(&field.name())));
}
