//! Declared figures.

use gradtop_store::figures::{FigureFile, MarkKind, MarkX, Scale, declare, parse, read};

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
    let all = declare(&run, OTHER).unwrap();
    assert_eq!(all.iter().map(|f| f.id.as_str()).collect::<Vec<_>>(), ["loss", "surface"]);
    assert_eq!(read(&run).unwrap(), all);
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
    let again = declare(&run, &LOSS.replace("Training loss", "Loss")).unwrap();
    assert_eq!((again.len(), again[0].title.as_str()), (2, "Loss"));
}

#[test]
fn what_is_written_is_read_back() {
    let file = parse(LOSS).unwrap();
    let again: FigureFile = parse(&toml::to_string(&file).unwrap()).unwrap();
    assert_eq!(file, again);
}

#[test]
fn errors_say_where() {
    let mark = |mark: &str| {
        format!("[[figure]]\nid = \"f\"\ntitle = \"t\"\n[[figure.panel]]\n[[figure.panel.mark]]\n{mark}\n")
    };
    for (text, expected) in [
        (mark("type = \"line\""), "figure \"f\", panel 1, mark 1: it needs a metric or a table"),
        (mark("type = \"line\"\nmetric = \"a\"\ntable = \"b\""), "choose one"),
        (mark("type = \"line\"\ntable = \"b\"\nxcol = \"x\""), "needs ycol"),
        (mark("type = \"heatmap\"\nmetric = \"a\""), "draws from a table"),
        (mark("type = \"line\"\nmetric = \"a\"\nx = \"week\""), "not \"week\""),
        (mark("type = \"line\"\nmetric = \"a\"\naxis = \"y2\""), "no y2 axis"),
        (mark("type = \"line\"\nmetric = \"a\"\nby = [\"colour\"]"), "not \"colour\""),
        (mark("type = \"rule\""), "either x or y"),
        (mark("type = \"pie\"\nmetric = \"a\""), "unknown variant"),
        ("[[figure]]\nid = \"F\"\ntitle = \"t\"\npanel = []".to_owned(), "lower-case"),
        ("[[figure]]\nid = \"f\"\ntitle = \"t\"\npanel = []".to_owned(), "no panel"),
        ("figure = 3".to_owned(), "figures:"),
        (format!("{OTHER}{OTHER}"), "two figures"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error:?} does not say {expected:?}");
    }
}
