#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use gradtop_store::figures::Figure;
use gradtop_store::{ColumnData, SeriesData, State, Table};

use gradtop_chart::colour::Paint;
use gradtop_chart::scale::Scale;
use gradtop_chart::{Chart, RulePosition, Shape, Side};
use gradtop_store::SeriesKey;

use super::chart::evaluate;
use super::metric_figure;
use crate::live::{RunData, SeriesSnapshot, testing};

fn series(metric: &str, model: &str, trial: i32, values: &[f64]) -> SeriesData {
    let n = values.len() as i64;
    SeriesData {
        key: SeriesKey {
            metric: metric.into(),
            model: (!model.is_empty()).then(|| model.into()),
            split: None,
            trial: (trial >= 0).then_some(trial),
        },
        unit: Some("MSE".into()),
        step: (0..n).collect(),
        epoch: (0..n).map(|i| i as f64 / 2.0).collect(),
        time_us: (0..n).map(|i| 5_000_000 + i * 1_000_000).collect(),
        value: values.to_vec(),
    }
}

fn data(series: impl IntoIterator<Item = SeriesData>) -> RunData {
    let series = series.into_iter().map(|rows| testing::of_rows(&rows, 5_000_000)).collect();
    RunData { started_us: Some(5_000_000), ..testing::run(series) }
}

fn with_table(columns: Vec<(&str, ColumnData)>) -> RunData {
    let columns = columns.into_iter().map(|(name, data)| (name.to_owned(), None, data)).collect();
    let mut data = RunData::default();
    data.tables.insert("t".into(), std::sync::Arc::new(Ok(Table { columns, ..Table::default() })));
    data
}

fn text(words: &[&str]) -> ColumnData {
    ColumnData::Utf8(words.iter().map(|w| (*w).to_owned()).collect())
}

/// The chart of a figure with one panel, its marks given as TOML.
fn chart(marks: &str, data: &RunData) -> Chart {
    let toml = format!("id = 'f'\ntitle = 'F'\n[[panel]]\n{marks}");
    let figure: Figure = toml::from_str(&toml).unwrap();
    evaluate(&figure, data).charts.remove(0)
}

fn names_of(chart: &Chart) -> Vec<&str> {
    chart.marks.iter().filter_map(|m| m.name.as_deref()).collect()
}

/// The points of a line between its interruptions.
fn joined(chart: &Chart, mark: usize) -> Vec<Vec<(f64, f64)>> {
    let Shape::Line { x, y } = &chart.marks[mark].shape else { panic!("a line") };
    let points: Vec<(f64, f64)> = x.iter().copied().zip(y.iter().copied()).collect();
    points.split(|(x, _)| x.is_nan()).map(<[_]>::to_vec).collect()
}

#[test]
fn series_of_unequal_steps_are_averaged_along_the_lines_that_join_their_points() {
    let at = |trial, step: &[i64], values: &[f64]| SeriesData {
        step: step.to_vec(),
        ..series("loss", "", trial, values)
    };
    let data = data(vec![at(0, &[0, 10, 20], &[0.0, 10.0, 20.0]), at(1, &[0, 20], &[4.0, 4.0])]);
    let chart = chart("[[panel.mark]]\ntype = 'line'\nmetric = 'loss'", &data);
    assert_eq!(joined(&chart, 0), [[(0.0, 2.0), (10.0, 7.0), (20.0, 12.0)]]);
}

#[test]
fn trials_are_averaged_with_their_range_behind() {
    let data = data(vec![
        series("loss", "deep", 0, &[4.0, 2.0]),
        series("loss", "deep", 1, &[2.0, 1.0]),
        series("loss", "deep", 2, &[0.0, 0.0]),
        series("loss", "flat", 0, &[7.0, 7.0]),
        series("other", "deep", 0, &[9.0]),
    ]);
    let chart = chart("[[panel.mark]]\ntype = 'line'\nmetric = 'loss'\nband = 'minmax'", &data);
    assert_eq!(names_of(&chart), ["deep", "flat"]);
    let Shape::Band { low, high, .. } = &chart.marks[0].shape else { panic!("the band comes first") };
    assert_eq!((low.as_slice(), high.as_slice()), ([0.0, 0.0].as_slice(), [4.0, 2.0].as_slice()));
    assert_eq!(chart.marks[1].shape, Shape::Line { x: vec![0.0, 1.0], y: vec![2.0, 1.0] });
    assert_eq!(chart.marks[1].last, Some(1.0));
    assert_eq!(
        (chart.x.label.as_str(), chart.y.label.as_str(), chart.y.unit.as_deref()),
        ("step", "loss", Some("MSE"))
    );
    assert_eq!(chart.marks[0].paint, chart.marks[1].paint);
    assert_ne!(chart.marks[1].paint, chart.marks[2].paint);
}

#[test]
fn trials_of_unequal_length_are_averaged_where_they_are() {
    let data = data(vec![series("loss", "", 0, &[4.0, 2.0, 8.0]), series("loss", "", 1, &[2.0])]);
    let chart = chart("[[panel.mark]]\ntype = 'line'\nmetric = 'loss'\naggregate = 'median'", &data);
    // Where one of them ends, the average jumps, and no line says otherwise.
    assert_eq!(joined(&chart, 0), [vec![(0.0, 3.0)], vec![(1.0, 2.0), (2.0, 8.0)]]);
    assert_eq!(names_of(&chart), ["loss"]);
    // The legend has the value at the line's end.
    assert_eq!(chart.marks[0].last, Some(8.0));
    assert_eq!(chart.notes, ["loss: after step 0 some trials have ended; at its end the line shows 1 of 2"]);
}

#[test]
fn of_trials_that_diverge_at_different_steps_the_first_is_said() {
    let of = |trial, odd: usize| {
        let values: Vec<f64> = (0..4).map(|i| if i < odd { 1.0 } else { f64::NAN }).collect();
        series("loss", "", trial, &values)
    };
    let chart =
        chart("[[panel.mark]]\ntype = 'line'\nmetric = 'loss'", &data(vec![of(0, 4), of(1, 2), of(2, 1)]));
    let said = "loss: 2 of 3 trials are not finite (the first from step 1); the line shows the others";
    assert_eq!(chart.notes, [said]);
}

#[test]
fn a_diverged_trial_is_said_and_the_line_is_of_the_others() {
    let data = data(vec![series("loss", "", 0, &[4.0, f64::NAN]), series("loss", "", 1, &[2.0, 6.0])]);
    let chart = chart("[[panel.mark]]\ntype = 'line'\nmetric = 'loss'", &data);
    assert_eq!(joined(&chart, 0), [[(0.0, 3.0)], [(1.0, 6.0)]]);
    assert_eq!(chart.notes, ["loss: 1 of 2 trials is not finite (from step 1); the line shows the others"]);
}

#[test]
fn a_trial_without_a_value_at_some_steps_has_not_diverged() {
    let nan = f64::NAN;
    let trial = |model, trial, values: &[f64]| series("noise", model, trial, values);
    let mut all = vec![trial("a", 0, &[4.0, nan, 6.0, nan, nan]), trial("a", 1, &[2.0, 3.0, 4.0, nan, 5.0])];
    let text = "[[panel.mark]]\ntype = 'line'\nmetric = 'noise'";
    let notes = |all: &[SeriesData]| chart(text, &data(all.to_vec())).notes;
    // Where no trial has a value there is none to average.
    let why = "some trials are not finite, and the line shows the others there";
    assert_eq!(notes(&all), [format!("a: at 2 of 5 points {why}")]);
    // Every trial lacks some.
    all.extend([trial("b", 0, &[nan, 1.0, 2.0, 3.0]), trial("b", 1, &[4.0, nan, 2.0, 3.0])]);
    assert_eq!(notes(&all), [format!("2 lines: at 4 of 9 points {why}")]);
}

#[test]
fn lines_are_in_the_order_of_the_numbers_in_their_names() {
    let of = |model| series("loss", model, -1, &[1.0]);
    let data = data(vec![of("B=1024"), of("B=16"), of("B=128")]);
    let chart = chart("[[panel.mark]]\ntype = 'line'\nmetric = 'loss'", &data);
    assert_eq!(names_of(&chart), ["B=16", "B=128", "B=1024"]);
}

#[test]
fn by_trial_draws_each_and_filters_choose() {
    let data = data(vec![
        series("loss", "a", 0, &[1.0]),
        series("loss", "a", 1, &[2.0]),
        series("loss", "b", 0, &[3.0]),
    ]);
    let each = chart("[[panel.mark]]\ntype = 'line'\nmetric = 'loss'\nmodel = 'a'\nby = ['trial']", &data);
    assert_eq!(names_of(&each), ["#0", "#1"]);
    let chosen = chart("[[panel.mark]]\ntype = 'line'\nmetric = 'loss'\nmodel = ['b', 'c']", &data);
    assert_eq!(names_of(&chosen), ["b"]);
}

#[test]
fn x_may_be_epoch_or_time_since_the_start() {
    let data = data(vec![series("loss", "", -1, &[1.0, 2.0, 3.0])]);
    let at = |x: &str| chart(&format!("[[panel.mark]]\ntype = 'line'\nmetric = 'loss'\nx = '{x}'"), &data);
    assert_eq!(at("epoch").marks[0].shape, Shape::Line { x: vec![0.0, 0.5, 1.0], y: vec![1.0, 2.0, 3.0] });
    let time = at("time");
    assert_eq!(time.marks[0].shape, Shape::Line { x: vec![0.0, 1.0, 2.0], y: vec![1.0, 2.0, 3.0] });
    assert!(time.x.seconds);
}

#[test]
fn several_metrics_in_a_panel_carry_their_names() {
    let data = data(vec![series("loss", "a", -1, &[1.0]), series("norm", "a", -1, &[2.0])]);
    let marks = "y2 = { scale = 'log' }\n[[panel.mark]]\ntype = 'line'\nmetric = 'loss'\n\
                 [[panel.mark]]\ntype = 'line'\nmetric = 'norm'\naxis = 'y2'";
    let chart = chart(marks, &data);
    assert_eq!(names_of(&chart), ["loss a", "norm a"]);
    assert_eq!((chart.marks[0].side, chart.marks[1].side), (Side::Left, Side::Right));
    assert_eq!(chart.y2.unwrap().label, "norm");
}

#[test]
fn a_table_gives_its_newest_step_by_groups() {
    let data = with_table(vec![
        ("step", ColumnData::I64(vec![1, 1, 2, 2, 2, 2])),
        ("model", text(&["a", "a", "a", "b", "a", "b"])),
        ("x", ColumnData::F64(vec![0.0, 1.0, 1.0, 0.0, 0.0, 1.0])),
        ("y", ColumnData::F64(vec![9.0, 9.0, 2.0, 3.0, 1.0, 4.0])),
    ]);
    let marks = "[[panel.mark]]\ntype = 'scatter'\ntable = 't'\nxcol = 'x'\nycol = 'y'\nby = ['model']";
    let chart1 = chart(marks, &data);
    assert_eq!(names_of(&chart1), ["a", "b"]);
    assert_eq!(chart1.marks[0].shape, Shape::Scatter { x: vec![1.0, 0.0], y: vec![2.0, 1.0], joined: false });
    let all = chart(&format!("{marks}\nsteps = 'all'"), &data);
    let Shape::Scatter { x, .. } = &all.marks[0].shape else { panic!("a scatter") };
    assert_eq!(x.len(), 4);
}

#[test]
fn repeated_x_of_a_line_is_averaged_and_a_path_keeps_its_order() {
    let data = with_table(vec![
        ("x", ColumnData::F64(vec![1.0, 0.0, 1.0])),
        ("y", ColumnData::F64(vec![4.0, 5.0, 2.0])),
    ]);
    let line = chart("[[panel.mark]]\ntype = 'line'\ntable = 't'\nxcol = 'x'\nycol = 'y'", &data);
    assert_eq!(line.marks[0].shape, Shape::Line { x: vec![0.0, 1.0], y: vec![5.0, 3.0] });
    let path =
        chart("[[panel.mark]]\ntype = 'scatter'\njoined = true\ntable = 't'\nxcol = 'x'\nycol = 'y'", &data);
    assert_eq!(
        path.marks[0].shape,
        Shape::Scatter { x: vec![1.0, 0.0, 1.0], y: vec![4.0, 5.0, 2.0], joined: true }
    );
}

#[test]
fn bars_of_words_stand_side_by_side() {
    let data = with_table(vec![
        ("kind", text(&["cat", "dog", "cat", "dog"])),
        ("split", text(&["train", "train", "test", "test"])),
        ("n", ColumnData::I64(vec![1, 2, 3, 4])),
    ]);
    let chart =
        chart("[[panel.mark]]\ntype = 'bar'\ntable = 't'\nxcol = 'kind'\nycol = 'n'\nby = ['split']", &data);
    assert_eq!(chart.x.categories, ["cat", "dog"]);
    let Shape::Bars { x: left, .. } = &chart.marks[0].shape else { panic!("bars") };
    let Shape::Bars { x: right, y, width } = &chart.marks[1].shape else { panic!("bars") };
    assert!(left[0] + width < right[0] + 0.05 && right[1] < 1.5 && left[1] > 0.5);
    assert_eq!(y, &[3.0, 4.0]);
}

#[test]
fn points_of_words_stand_within_the_chart() {
    let data =
        with_table(vec![("kind", text(&["cat", "dog", "owl"])), ("n", ColumnData::F64(vec![1.0, 2.0, 3.0]))]);
    let chart = chart("[[panel.mark]]\ntype = 'scatter'\ntable = 't'\nxcol = 'kind'\nycol = 'n'", &data);
    let span = gradtop_chart::domain::Domain::of(&chart).x;
    assert_eq!((span.low, span.high), (-0.5, 2.5), "half a place beside the first and the last");
}

#[test]
fn a_histogram_counts_every_finite_value() {
    let values: Vec<f64> = (0..100).map(f64::from).chain([f64::NAN]).collect();
    let data = with_table(vec![("v", ColumnData::F64(values))]);
    let chart = chart("[[panel.mark]]\ntype = 'histogram'\ntable = 't'\ncolumn = 'v'\nbins = 4", &data);
    let Shape::Bars { y, .. } = &chart.marks[0].shape else { panic!("bars") };
    assert_eq!(y, &[25.0, 25.0, 25.0, 25.0]);
    assert_eq!(chart.notes, ["1 value is not finite and is in no bar"]);
}

#[test]
fn a_grid_becomes_a_field_with_gaps() {
    let data = with_table(vec![
        ("a", ColumnData::F64(vec![0.0, 1.0, 0.0])),
        ("b", ColumnData::F64(vec![0.0, 0.0, 1.0])),
        ("z", ColumnData::F64(vec![1.0, 2.0, 3.0])),
    ]);
    let chart =
        chart("[[panel.mark]]\ntype = 'heatmap'\ntable = 't'\nxcol = 'a'\nycol = 'b'\nzcol = 'z'", &data);
    let Shape::Heatmap(field) = &chart.marks[0].shape else { panic!("a heatmap") };
    assert_eq!(&field.z[..3], &[1.0, 2.0, 3.0]);
    assert!(field.z[3].is_nan());
}

#[test]
fn what_has_no_place_on_a_log_axis_is_said() {
    let data = with_table(vec![
        ("a", ColumnData::F64(vec![0.0, 1.0, 0.0])),
        ("b", ColumnData::F64(vec![0.0, 0.0, 1.0])),
    ]);
    let notes = |scales: &str, mark: &str| {
        let text = format!("{scales}\n[[panel.mark]]\ntable = 't'\nxcol = 'a'\nycol = 'b'\n{mark}");
        chart(&text, &data).notes.join(" | ")
    };
    let field = "type = 'heatmap'\nzcol = 'a'";
    assert_eq!(notes("", field), "");
    let rows = "rows at 0 or less are not on the log axis: 1 of 2";
    assert_eq!(notes("y = { scale = 'log' }", field), rows);
    let points = "points at 0 or less are not on the log axis: 2 of 3";
    assert_eq!(notes("x = { scale = 'log' }", "type = 'scatter'"), points);
}

#[test]
fn bytes_become_a_mosaic() {
    let data = with_table(vec![("img", ColumnData::Bytes { width: 4, data: (0..8).collect() })]);
    let chart = chart("[[panel.mark]]\ntype = 'image'\ntable = 't'\nzcol = 'img'", &data);
    let Shape::Image(image) = &chart.marks[0].shape else { panic!("an image") };
    assert_eq!((image.width, image.height), (5, 2));
    assert_eq!(image.pixels[0], Some([0, 0, 0]));
    assert_eq!(image.pixels[2], None);
    assert_eq!(image.pixels[3], Some([4, 4, 4]));
}

#[test]
fn rules_are_grey_and_what_is_missing_is_said() {
    let rule = chart("[[panel.mark]]\ntype = 'rule'\nx = 0.2\nlabel = 'k/5'", &RunData::default());
    assert_eq!(rule.marks[0].shape, Shape::Rule { at: RulePosition::X(0.2) });
    assert_eq!(rule.marks[0].paint, Paint::Grey);
    let none = chart("[[panel.mark]]\ntype = 'line'\nmetric = 'loss'", &RunData::default());
    assert_eq!(none.notes, ["no points of loss yet"]);
    let notes = |marks: &str, data: &RunData| chart(marks, data).notes.join("; ");
    let line = |what: &str| format!("[[panel.mark]]\ntype = 'line'\n{what}\n");
    let mut logged = data(vec![series("loss", "deep", -1, &[1.0, 2.0])]);
    logged.table_names = std::sync::Arc::new(vec!["points".to_owned()]);
    assert_eq!(notes(&line("metric = 'lss'"), &logged), "there is no metric \"lss\"; did you mean loss?");
    assert_eq!(
        notes(&line("metric = 'loss'\nmodel = 'flat'"), &logged),
        "no series of loss has model \"flat\""
    );
    let table = line("table = 'point'\nxcol = 'x'\nycol = 'y'");
    // Of several marks it is said once.
    assert_eq!(notes(&table.repeat(2), &logged), "there is no table \"point\"; did you mean points?");
    let alive = RunData { alive: true, ..logged.clone() };
    assert_eq!(notes(&table, &alive), "table \"point\" has not been written yet");
    let (dir, error) = ("/runs/exp=e/run=a".into(), Some("/runs/exp=e/run=a/metrics is damaged".to_owned()));
    let damaged = RunData { dir, series: Vec::new(), error, ..logged.clone() };
    assert_eq!(notes(&line("metric = 'loss'"), &damaged), "loss was not read: metrics is damaged");
    let failed = RunData { ended: Some(State::Failed), ..logged.clone() };
    let other = table.replace("point", "forecast");
    assert_eq!(notes(&other, &failed), "the run failed before it wrote the table \"forecast\"");
    assert_eq!(notes(&table, &failed), "there is no table \"point\"; did you mean points?");
    assert_eq!(notes(&line("metric = 'accuracy'"), &failed), "the run failed before it logged accuracy");
    let stopped = RunData { ended: Some(State::Stopped), ..RunData::default() };
    assert_eq!(notes(&line("metric = 'loss'"), &stopped), "the run was stopped before it logged loss");
    let mut without = series("loss", "flat", -1, &[1.0, 2.0]);
    without.epoch.fill(f64::NAN);
    let by_epoch = line("metric = 'loss'\nx = 'epoch'");
    assert_eq!(notes(&by_epoch, &data(vec![without.clone()])), "nothing here was logged with an epoch");
    let both = data(vec![without, series("loss", "deep", -1, &[1.0])]);
    assert_eq!(notes(&by_epoch, &both), "flat was logged without an epoch and is left out");
    let mut read = data(vec![series("loss", "deep", -1, &[1.0, 2.0])]);
    read.series =
        read.series.iter().map(|s| SeriesSnapshot { started_us: None, ..(**s).clone() }.into()).collect();
    let by_time = line("metric = 'loss'\nx = 'time'");
    assert_eq!(notes(&by_time, &read), "nothing here was logged with a time", "of a log without times");
    let log = "x = { scale = 'log' }\n".to_owned() + &line("metric = 'loss'");
    assert_eq!(notes(&log, &logged), "step 0 or less is not on the log axis");
    let data = with_table(vec![("x", ColumnData::F64(vec![1.0]))]);
    let wrong = chart("[[panel.mark]]\ntype = 'line'\ntable = 't'\nxcol = 'x'\nycol = 'xx'", &data);
    assert_eq!(wrong.notes, ["table \"t\": no column \"xx\"; did you mean x?"]);
    let words = ColumnData::Utf8(vec!["a".to_owned()]);
    let data = with_table(vec![("x", ColumnData::F64(vec![1.0])), ("w", words)]);
    // Places in the order of words would be numbers that nobody logged.
    assert_eq!(
        notes(&line("table = 't'\nxcol = 'x'\nycol = 'w'"), &data),
        "table \"t\": column \"w\" contains words, not numbers"
    );
    assert_eq!(notes(&line("table = 't'\nxcol = 'w'\nycol = 'x'"), &data), "");
}

#[test]
fn a_symlog_axis_takes_its_linear_range_from_the_data() {
    let data = data(vec![series("v", "", -1, &[-5.0, 0.02, 300.0])]);
    let chart = chart("y = { scale = 'symlog' }\n[[panel.mark]]\ntype = 'line'\nmetric = 'v'", &data);
    assert_eq!(chart.y.scale, Scale::Symlog { threshold: 0.01 });
}

#[test]
fn words_stand_beside_their_points_and_never_on_each_other() {
    // Five points of run 0 lie on one spot, which has four sides.
    let data = with_table(vec![
        ("run", ColumnData::I64(vec![0, 0, 0, 0, 0, 0, 1, 1])),
        ("x", ColumnData::F64(vec![0.0, 5.0, 5.0, 5.0, 5.0, 5.0, 10.0, 2.0])),
        ("y", ColumnData::F64(vec![0.0, 5.0, 5.0, 5.0, 5.0, 5.0, 10.0, 8.0])),
        ("percent", text(&["9.1", "90.1", "90.2", "90.3", "93.7", "95.2", "11.3", "96.4"])),
    ]);
    let marks = "[[panel.mark]]\ntype = 'scatter'\ntable = 't'\nxcol = 'x'\nycol = 'y'\nby = ['run']\ntextcol = 'percent'";
    let chart = chart(marks, &data);
    // The legend has the runs, not their words.
    assert_eq!(names_of(&chart), ["run 0", "run 1"]);
    let order: Vec<&str> = chart.words().map(|(.., word)| word).collect();
    assert_eq!(order[..4], ["95.2", "96.4", "93.7", "11.3"], "the last of each run first");
    let colour = |name: &str| chart.marks.iter().find(|m| m.name.as_deref() == Some(name)).unwrap().paint;
    assert!(chart.words().all(|(mark, .., word)| {
        mark.paint == colour(if ["96.4", "11.3"].contains(&word) { "run 1" } else { "run 0" })
    }));
    let figure = gradtop_chart::Figure { title: "F".into(), caption: None, charts: vec![chart] };
    let svg = gradtop_chart::svg::figure(&figure);
    for (word, drawn) in [("95.2", true), ("96.4", true), ("90.2", true), ("90.1", false)] {
        assert_eq!(svg.contains(&format!(">{word}</text>")), drawn, "{word}");
    }
}

#[test]
fn a_missing_column_of_words_is_named() {
    let data = with_table(vec![("x", ColumnData::F64(vec![0.0])), ("y", ColumnData::F64(vec![0.0]))]);
    let marks = "[[panel.mark]]\ntype = 'scatter'\ntable = 't'\nxcol = 'x'\nycol = 'y'\ntextcol = 'percent'";
    let chart = chart(marks, &data);
    assert!(chart.notes[0].contains("no column \"percent\""), "{:?}", chart.notes);
}

#[test]
fn where_the_steps_go_back_the_line_is_interrupted_and_the_last_row_is_the_one_logged_last() {
    let nan = f64::NAN;
    let back = |trial, values: &[f64], step: &[i64]| {
        let series = series("loss", "", trial, values);
        SeriesData { step: step.to_vec(), ..series }
    };
    let one = data(vec![back(-1, &[4.0, 3.0, 9.0, 1.0], &[0, 20, 10, 20])]);
    let text = "[[panel.mark]]\ntype = 'line'\nmetric = 'loss'\nband = 'minmax'";
    let alone = chart(text, &one);
    let Shape::Line { x, y } = &alone.marks[0].shape else { panic!("a line") };
    assert_eq!(format!("{x:?}"), format!("{:?}", [0.0, 20.0, nan, 10.0, 20.0]));
    assert_eq!((y[1], y[4], alone.marks[0].last), (3.0, 1.0, Some(1.0)));
    // The second goes back from elsewhere.
    let two =
        data(vec![back(0, &[4.0, 3.0, 9.0, 1.0], &[0, 20, 10, 20]), back(1, &[2.0, 1.0, 7.0], &[0, 30, 10])]);
    let averaged = chart(text, &two);
    let third = 3.0 / 2.0 + (2.0 - 20.0 / 30.0) / 2.0;
    let laps = [vec![(0.0, 3.0), (20.0, third)], vec![(30.0, 1.0)], vec![(10.0, 8.0)], vec![(20.0, 1.0)]];
    assert_eq!(joined(&averaged, 1), laps);
    assert_eq!(averaged.marks[1].last, Some(1.0), "of the series that reach the end");
    assert_eq!(
        averaged.notes,
        ["loss: after step 10 some trials have ended; at its end the line shows 1 of 2"]
    );
}

#[test]
fn a_drawing_of_trials_says_what_its_lines_are_the_mean_of() {
    let said = |trials, own: Option<&str>| {
        let of = |trial| series("loss", "", trial, &[1.0, 2.0]);
        let data = data((0..trials).map(of).collect::<Vec<_>>());
        let figure = metric_figure("loss", gradtop_store::Declared::default(), "step");
        evaluate(&Figure { caption: own.map(str::to_owned), ..figure }, &data).caption
    };
    let mean = "Lines: mean of 3 trials; bands: from the lowest to the highest.";
    assert_eq!((said(3, None).as_deref(), said(1, None)), (Some(mean), None));
    // A caption is written before it is known how many trials there are, and which mean is drawn.
    assert_eq!(said(3, Some("Batch 64")), Some(format!("Batch 64. {mean}")));

    let panel = |metric: &str, how: &str| {
        let mark = format!("[[panel.mark]]\ntype = 'line'\nmetric = '{metric}'\naggregate = '{how}'\n");
        format!("[[panel]]\ny = {{ label = '{metric}' }}\n{mark}")
    };
    let panels = [panel("loss", "mean"), panel("accuracy", "median"), panel("loss", "mean")].concat();
    let figure: Figure = toml::from_str(&format!("id = 'f'\ntitle = 'F'\n{panels}")).unwrap();
    let of = |metric: &str, trial| series(metric, "", trial, &[1.0, 2.0]);
    let data = data(vec![of("loss", 0), of("loss", 1), of("accuracy", 0), of("accuracy", 1)]);
    let caption = evaluate(&figure, &data).caption;
    let each = "Lines in \"loss\": mean of 2 trials. Lines in \"accuracy\": median of 2 trials.";
    assert_eq!(caption.as_deref(), Some(each));
}

#[test]
fn an_empty_filter_is_of_what_has_no_model_or_split() {
    let data = data(vec![series("loss", "", -1, &[1.0]), series("loss", "deep", -1, &[2.0])]);
    let lines = |model: &str| {
        let chart = chart(&format!("[[panel.mark]]\ntype = 'line'\nmetric = 'loss'\nmodel = {model}"), &data);
        chart.marks.iter().map(|m| m.last.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!((lines("''"), lines("'deep'"), lines("['', 'deep']")), (vec![1.0], vec![2.0], vec![1.0, 2.0]));
}
