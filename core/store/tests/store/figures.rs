//! Declared figures.

use gradtop_store::MetricInfo;
use gradtop_store::figures::{
    FigureFile, MarkKind, MarkX, Scale, declare, parse, parse_and_warn, read, undeclared,
};

/// A right mark.
const LINE: &str = "type = \"line\"\nmetric = \"loss\"";

use crate::common::new_run;

const LOSS: &str = r#"
future = "kept"
[[figure]]
id = "loss"
title = "Training loss"
theme = { dark = true }
[[figure.panel]]
x = { label = "step" }
y = { label = "MSE", scale = "log", minor = 3 }
y2 = { scale = "symlog" }
[[figure.panel.mark]]
type = "line"
metric = "loss"
x = "epoch"
by = ["model"]
aggregate = "mean"
band = "minmax"
split = "train"
glow = 0.5
[[figure.panel.mark]]
type = "rule"
x = 2
[[figure.panel.mark]]
type = "scatter"
table = "predictions"
steps = "all"
xcol = "x"
ycol = "prediction"
axis = "y2"
joined = true
"#;

const OTHER: &str = r#"
[[figure]]
id = "surface"
title = "Error surface"
panel = [{ mark = [{ type = "heatmap", table = "t", xcol = "a", ycol = "b", zcol = "c" }] }]
"#;

#[test]
fn figures_are_merged_and_unknown_keys_kept() {
    let temp = tempfile::tempdir().unwrap();
    let run = new_run(temp.path(), "demo");
    assert_eq!(read(&run).unwrap(), []);
    declare(&run, LOSS).unwrap();
    declare(&run, OTHER).unwrap();
    let all = read(&run).unwrap();
    assert_eq!(all.iter().map(|f| f.id.as_str()).collect::<Vec<_>>(), ["loss", "surface"]);
    let text = std::fs::read_to_string(run.figures()).unwrap();
    for kept in ["future", "theme", "minor", "glow"] {
        assert!(text.contains(kept), "{kept} was lost in {text}");
    }
    let panel = &all[0].panels[0];
    assert_eq!((panel.y.scale, panel.y2.as_ref().unwrap().scale), (Scale::Log, Scale::Symlog));
    assert_eq!(panel.marks[0].kind, MarkKind::Line);
    assert_eq!(panel.marks[0].x, Some(MarkX::Source("epoch".into())));
    assert_eq!(panel.marks[1].x, Some(MarkX::At(2.0)));
    assert!(panel.marks[2].joined);
    // Declared again, a figure keeps its place.
    declare(&run, &LOSS.replace("Training loss", "Loss")).unwrap();
    let again = read(&run).unwrap();
    assert_eq!((again.len(), again[0].title.as_str()), (2, "Loss"));
}

#[test]
fn what_is_written_is_read_back() {
    let file = parse(LOSS).unwrap();
    let again: FigureFile = parse(&toml::to_string(&file).unwrap()).unwrap();
    assert_eq!(file, again);
}

#[test]
fn every_mistake_has_its_sentence() {
    let figure =
        |keys: &str| format!("[[figure]]\n{keys}\n[[figure.panel]]\n[[figure.panel.mark]]\n{LINE}\n");
    let panel = |keys: &str| {
        format!(
            "[[figure]]\nid = \"f\"\ntitle = \"t\"\n[[figure.panel]]\n{keys}\n[[figure.panel.mark]]\n{LINE}\n"
        )
    };
    let mark = |keys: &str| {
        format!("[[figure]]\nid = \"f\"\ntitle = \"t\"\n[[figure.panel]]\n[[figure.panel.mark]]\n{keys}\n")
    };
    let types = "line, band, scatter, bar, histogram, heatmap, contour, image or rule";
    let f = |text: &str| format!("figure \"f\"{text}");
    let m = |text: &str| format!("figure \"f\", panel 1, mark 1: {text}");
    let cases = [
        (
            "[[figure]]\nid = \"f\"\ntitle \"t\"\n".to_owned(),
            "figures, line 3: key with no value, expected `=`: title \"t\"".to_owned(),
        ),
        ("figure = 3".to_owned(), "figures: figure = 3: expected a list of tables, [[figure]]".to_owned()),
        (
            "schema = \"one\"".to_owned(),
            "figures: schema = \"one\": expected a whole number from 0 to 4294967295".to_owned(),
        ),
        (figure("title = \"t\""), "figure 1: it has no id".to_owned()),
        (figure("id = \"f\""), f(": it has no title")),
        (figure("id = \"f\"\ntitle = 3"), f(": title = 3: expected a text")),
        (
            figure("id = \"F\"\ntitle = \"t\""),
            "figure \"F\": an id consists of lower-case letters, digits and '-'".to_owned(),
        ),
        ("[[figure]]\nid = \"f\"\ntitle = \"t\"".to_owned(), f(": it has no panel: add [[figure.panel]]")),
        (
            "[[figure]]\nid = \"f\"\ntitle = \"t\"\npanel = []".to_owned(),
            f(": it has no panel: add [[figure.panel]]"),
        ),
        (
            "[[figure]]\nid = \"f\"\ntitle = \"t\"\n[[figure.panel]]".to_owned(),
            f(", panel 1: it has no mark: add [[figure.panel.mark]]"),
        ),
        (
            format!("{OTHER}{OTHER}"),
            "figure \"surface\": two figures have this id; each needs its own".to_owned(),
        ),
        (panel("y = \"loss\""), f(", panel 1: y = \"loss\": expected a table, such as { label = \"…\" }")),
        (
            panel("y = { scale = \"logg\" }"),
            f(", panel 1, axis y: scale = \"logg\": expected linear, log, log2 or symlog; did you mean log?"),
        ),
        (panel("x = { label = 3 }"), f(", panel 1, axis x: label = 3: expected a text")),
        (mark("metric = \"a\""), m(&format!("it has no type: one of {types}"))),
        (mark("type = \"pie\"\nmetric = \"a\""), m(&format!("type = \"pie\": expected {types}"))),
        (
            mark("type = \"lines\"\nmetric = \"a\""),
            m(&format!("type = \"lines\": expected {types}; did you mean line?")),
        ),
        (mark("type = \"line\""), m("it needs a metric or a table to draw")),
        (
            mark("type = \"line\"\nmetric = \"a\"\ntable = \"b\""),
            m("it has a metric and a table; choose one"),
        ),
        (
            mark("type = \"line\"\ntable = \"b\"\nxcol = \"x\""),
            m("it draws a table and needs ycol, the name of a column"),
        ),
        (
            mark("type = \"histogram\"\ntable = \"b\""),
            m("it draws a table and needs column, the name of a column"),
        ),
        (mark("type = \"image\"\ntable = \"b\""), m("it draws a table and needs zcol, the name of a column")),
        (
            mark("type = \"heatmap\"\nmetric = \"a\""),
            m("this type draws a table, not a metric: it needs table, and the table's columns"),
        ),
        (
            mark("type = \"line\"\nmetric = \"a\"\nx = \"week\""),
            m("x = \"week\": expected step, epoch or time; for a rule, a number"),
        ),
        (
            mark("type = \"line\"\nmetric = \"a\"\nx = 3"),
            m("x = 3: expected step, epoch or time; only a rule has a number here"),
        ),
        (
            mark("type = \"line\"\nmetric = \"a\"\naxis = \"y2\""),
            m("it is drawn on y2, but its panel has no y2 axis: add y2 = { label = \"…\" }"),
        ),
        (mark("type = \"line\"\nmetric = \"a\"\naxis = \"left\""), m("axis = \"left\": expected y or y2")),
        (
            mark("type = \"line\"\nmetric = \"a\"\nby = [\"colour\"]"),
            m("by has \"colour\": expected model, split or trial"),
        ),
        (
            mark("type = \"line\"\nmetric = \"a\"\nby = \"model\""),
            m("by = \"model\": expected a list of texts"),
        ),
        (
            mark("type = \"line\"\nmetric = \"a\"\ntrial = \"one\""),
            m("trial = \"one\": expected a whole number or a list of them"),
        ),
        (
            mark("type = \"line\"\nmetric = \"a\"\naggregate = \"sum\""),
            m("aggregate = \"sum\": expected mean or median"),
        ),
        (mark("type = \"line\"\nmetric = \"a\"\nband = true"), m("band = true: expected minmax")),
        (
            mark("type = \"histogram\"\nmetric = \"a\"\nbins = 0"),
            m("bins = 0: expected a whole number from 1 to 4294967295"),
        ),
        (mark("type = \"rule\""), m("a rule needs either x or y, a number")),
        (mark("type = \"rule\"\ny = \"up\""), m("y = \"up\": expected a number")),
    ];
    for (text, sentence) in cases {
        assert_eq!(parse(&text).unwrap_err().to_string(), sentence, "{text}");
    }
}

#[test]
fn what_has_no_effect_is_named() {
    let text = format!(
        "colour = 1\n[[figure]]\nid = \"f\"\ntitle = \"t\"\n[[figure.panel]]\ny = {{ lable = \"l\" }}\n\
         [[figure.panel.mark]]\n{LINE}\nmodels = \"a\"\n[[figure.panel.mark]]\ntype = \"line\"\nmetric = \"los\"\n"
    );
    let (file, unknown) = parse_and_warn(&text).unwrap();
    assert_eq!(
        unknown,
        [
            "figure \"f\", panel 1, axis y: the unknown key \"lable\" has no effect; did you mean label?",
            "figure \"f\", panel 1, mark 1: the unknown key \"models\" has no effect; did you mean model?",
            "figures: the unknown key \"colour\" has no effect",
        ]
    );
    let declared = [MetricInfo { name: "loss".into(), ..MetricInfo::default() }];
    let sentence = "figure \"f\", panel 1, mark 2: the metric \"los\" is not declared; did you mean loss?";
    assert_eq!(undeclared(&file, &declared), [sentence]);
    assert_eq!(undeclared(&file, &[]), [""; 0], "an experiment may declare no metrics at all");
}
