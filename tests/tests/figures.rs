//! Figures written by the SDK can be read by the store.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use gradtop_sdk::Figures;
use gradtop_sdk::prelude::*;
use gradtop_store::figures::{
    Aggregate, Band, Mark as Read, MarkKind, MarkX, OneOrMany, Scale, parse_and_warn,
};

#[test]
fn every_word_of_a_typed_figure_is_read() {
    let metric =
        Panel::new("step", Axis::log("MSE").unit("nats")).title("a \"title\"\n\\ of two lines").marks([
            Mark::line("loss")
                .models(["a", "b"])
                .split("test")
                .over_epochs()
                .by([By::Model, By::Trial])
                .mean()
                .band(),
            Mark::area("loss").model("a").splits(["train", "test"]).over_time().together().median(),
            Mark::scatter("loss").trial(3).by([By::Split]),
            Mark::bar("loss").label("bars").color("blue"),
            Mark::histogram("loss").bins(12),
            Mark::level(-0.5).label("half"),
            Mark::upright(1e-9),
        ]);
    let table = Panel::new(Axis::log2("x"), Axis::symlog("y")).right("z").marks([
        Mark::line((String::from("fit"), "x", "y")).right().all_steps().by(["kind"]),
        Mark::scatter(("fit", "x", "y")).joined().words("word"),
        Mark::histogram_of("fit", "x"),
        Mark::heatmap("fit", "x", "y", "z").log(),
        Mark::contour("fit", "x", "y", "z"),
        Mark::image("fit", "pixels"),
    ]);
    let figures = [Figure::new("a-1", "A").caption("é").panel(metric), Figure::new("b", "B").panel(table)];
    let (file, warnings) = parse_and_warn(Figures::from(figures).toml()).unwrap();
    assert_eq!(warnings, [""; 0]);
    let [a, b] = &file.figures[..] else { panic!("{file:?}") };
    assert_eq!((a.id.as_str(), a.caption.as_deref(), b.caption.as_deref()), ("a-1", Some("é"), None));
    let (metric, table) = (&a.panels[0], &b.panels[0]);
    assert_eq!(metric.title.as_deref(), Some("a \"title\"\n\\ of two lines"));
    assert_eq!((metric.x.scale, metric.y.scale, table.x.scale), (Scale::Linear, Scale::Log, Scale::Log2));
    assert_eq!((metric.y.unit.as_deref(), table.y2.is_some()), (Some("nats"), true));

    let many = |names: [&str; 2]| Some(OneOrMany::Many(names.map(str::to_owned).to_vec()));
    let line = &metric.marks[0];
    assert_eq!((line.kind, line.metric.as_deref()), (MarkKind::Line, Some("loss")));
    assert_eq!((&line.model, &line.split), (&many(["a", "b"]), &Some(OneOrMany::One("test".to_owned()))));
    assert_eq!(line.by, Some(vec!["model".to_owned(), "trial".to_owned()]));
    assert_eq!((line.aggregate, line.band), (Some(Aggregate::Mean), Some(Band::Minmax)));
    assert_eq!(line.x, Some(MarkX::Source("epoch".to_owned())));
    let area = &metric.marks[1];
    assert_eq!((area.kind, &area.by, &area.split), (MarkKind::Band, &Some(vec![]), &many(["train", "test"])));
    assert_eq!(metric.marks[2].trial, Some(OneOrMany::One(3)));
    assert_eq!((metric.marks[4].bins, metric.marks[5].y), (Some(12), Some(-0.5)));
    assert_eq!(metric.marks[6].x, Some(MarkX::At(1e-9)));
    let columns = |mark: &Read| [&mark.xcol, &mark.ycol, &mark.zcol].map(|c| c.clone().unwrap_or_default());
    assert_eq!(columns(&table.marks[3]), ["x", "y", "z"]);
    assert_eq!(
        (columns(&table.marks[5]), table.marks[1].joined),
        (["", "", "pixels"].map(str::to_owned), true)
    );
}

#[test]
fn a_level_that_is_no_number_is_a_warning() {
    let panel = Panel::new("", "").marks([f64::NAN, f64::INFINITY, f64::NEG_INFINITY].map(Mark::level));
    let (_, warnings) = parse_and_warn(Figures::from(Figure::new("a", "A").panel(panel)).toml()).unwrap();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
}
