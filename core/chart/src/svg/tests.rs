#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
use super::*;
use crate::cells::glyphs::Glyphs;
use crate::cells::theme::Theme;
use crate::colour::Colours;
use crate::colour::Paint;
use crate::scale::Scale;
use crate::{Image, RulePosition};
use proptest::prelude::*;

fn mark(name: &str, shape: Shape) -> Mark {
    Mark { name: Some(name.into()), last: Some(1.5), ..Mark::new((Paint::Slot(1), 9), shape) }
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value =
        prop_oneof![8 => -1e3f64..1e3, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => any::<f64>()];
    prop::collection::vec(value, 0..40)
}

#[test]
fn a_note_is_no_wider_than_its_panel() {
    let long = "few images, width 3, 0 % noise: 1 of 2 trials is not finite (from step 480); the line shows the others";
    let line = mark("one", Shape::Line { x: vec![0.0, 1.0], y: vec![0.0, 1.0] });
    let chart = Chart { marks: vec![line], notes: vec![long.to_owned()], ..Chart::default() };
    let charts = vec![chart.clone(), chart];
    let svg = figure(&Figure { title: String::new(), charts, caption: None });
    let lines: Vec<&str> = svg.lines().filter(|l| l.contains(ALERT)).collect();
    assert_eq!(lines.len(), 4, "two notes of two lines each: {lines:?}");
    let text = |line: &str| line.split(['<', '>']).nth(2).unwrap().to_owned();
    assert_eq!(format!("{} {}", text(lines[1]), text(lines[0])), long);
}

#[test]
fn points_without_a_place_are_told_mark_by_mark_or_of_many_at_once() {
    let notes = |marks: usize| {
        let line = |_| mark("one", Shape::Line { x: vec![0.0, 1.0], y: vec![f64::NAN, 1.0] });
        let chart = Chart { marks: (0..marks).map(line).collect(), ..Chart::default() };
        unplottable_notes(&chart, &Domain::of(&chart))
    };
    assert_eq!(notes(2), ["one  × not a number: 1 of 2 points"; 2]);
    assert_eq!(notes(4), ["4 series  × not a number: 4 of 8 points"]);
}

proptest! {
    /// Whatever the data and the words, the drawing is XML without a coordinate that is no number, and text is cells.
    #[test]
    fn any_chart_is_well_formed(x in values(), y in values(), words in any::<String>(), log in any::<bool>()) {
        let n = x.len().min(y.len());
        let (x, y) = (x[..n].to_vec(), y[..n].to_vec());
        let field = Field { x: vec![0.0, 1.0], y: vec![0.0, 1.0], z: [&y[..], &[0.0; 4]].concat()[..4].to_vec(), label: words.clone(), log };
        let shapes = vec![
            Shape::Line { x: x.clone(), y: y.clone() },
            Shape::Band { x: x.clone(), low: y.clone(), high: y.clone() },
            Shape::Scatter { x: x.clone(), y: y.clone(), joined: true },
            Shape::Bars { x: x.clone(), y, width: 0.5 },
            Shape::Heatmap(field.clone()),
            Shape::Contour(field),
            Shape::Rule { at: RulePosition::X(x.first().copied().unwrap_or(f64::NAN)) },
        ];
        let scale = if log { Scale::Log } else { Scale::Linear };
        for shape in shapes {
            let chart = Chart {
                title: Some(words.clone()),
                y: Axis { label: words.clone(), scale, ..Axis::default() },
                marks: vec![mark(&words, shape)],
                ..Chart::default()
            };
            let figure = crate::Figure { title: words.clone(), caption: Some(words.clone()), charts: vec![chart] };
            let svg = super::figure(&figure);
            prop_assert!(resvg::usvg::roxmltree::Document::parse(&svg).is_ok());
            prop_assert!(!svg.contains("\"NaN") && !svg.contains("inf\""), "{svg}");
            let look = Theme { colours: Colours::None, glyphs: Glyphs::Ascii, ..Theme::default() };
            let grid = crate::cells::figure(&figure, 60, 20, look);
            prop_assert_eq!(grid.area.width, 60);
        }
    }
}

#[test]
fn long_words_stay_in_their_panel() {
    let line = || mark("a", Shape::Line { x: vec![0.0, 1.0], y: vec![0.0, 1.0] });
    let label = "squared error, summed over outputs and averaged over images".to_owned();
    let chart = Chart {
        title: Some("1>3 ".repeat(30)),
        y: Axis { label: label.clone(), ..Axis::default() },
        marks: vec![line()],
        ..Chart::default()
    };
    let page = embedded(&Figure { charts: vec![chart.clone(), chart], ..Figure::default() }, "a");
    let drawing = resvg::usvg::roxmltree::Document::parse(&page).unwrap();
    for text in drawing.descendants().filter(|node| node.has_tag_name("text")) {
        let size: f64 = text.attribute("font-size").unwrap().parse().unwrap();
        let long = width_of(text.text().unwrap_or_default()) as f64 * size * CHAR;
        assert!(long <= NARROW.0, "{:?}", text.text());
    }
    let caption = drawing.descendants().find(|node| node.text() == Some(label.as_str())).unwrap();
    assert!(caption.attribute("font-size").unwrap().parse::<f64>().unwrap() < 12.0);
}

#[test]
fn as_a_part_of_a_page_it_has_names_of_its_own_and_fields_are_pictures() {
    let x: Vec<f64> = (0..30).map(f64::from).collect();
    let z: Vec<f64> = (0..900).map(f64::from).collect();
    let field = Field { x: x.clone(), y: x, z, label: "z".into(), log: false };
    let of = |field: Field| Figure {
        charts: vec![Chart { marks: vec![mark("f", Shape::Heatmap(field))], ..Chart::default() }],
        ..Figure::default()
    };
    let page = embedded(&of(field.clone()), "a-loss");
    assert!(page.contains("id=\"a-loss-p0\"") && page.contains("url(#a-loss-p0)"), "{page}");
    assert!(page.contains("data:image/png;base64,") && page.len() < 20_000, "{}", page.len());
    resvg::usvg::roxmltree::Document::parse(&page).unwrap();
    // Cells of different sizes are no image.
    let uneven = Field { x: (0..30).map(|i| f64::from(i * i)).collect(), ..field };
    assert!(!embedded(&of(uneven), "a").contains("data:image"));
}

#[test]
fn the_last_point_is_drawn_and_pictures_are_merged_rows() {
    let line = Shape::Line { x: vec![0.0, 1.0, 2.0], y: vec![0.0, 1.0, 4.0] };
    let chart = Chart {
        y: Axis { label: "y".into(), ..Axis::default() },
        marks: vec![mark("a", line)],
        ..Chart::default()
    };
    let svg = figure(&Figure { charts: vec![chart], ..Figure::default() });
    let path = svg.lines().find(|l| l.contains("stroke-width=\"1.6\"")).unwrap();
    assert_eq!(path.matches(['M', 'L']).count(), 3, "{path}");
    let pixels = vec![Some([0, 0, 0]), Some([0, 0, 0]), None, Some([255, 0, 0])];
    let image = Shape::Image(Image { width: 2, height: 2, pixels });
    let svg = figure(&Figure {
        charts: vec![Chart { marks: vec![mark("i", image)], ..Chart::default() }],
        ..Figure::default()
    });
    assert_eq!(svg.matches("fill=\"#000000\"").count(), 1);
    assert_eq!(svg.matches("fill=\"#ff0000\"").count(), 1);
}

fn drawn(chart: Chart) -> String {
    figure(&Figure { charts: vec![chart], ..Figure::default() })
}

/// What draws the SVG computes with 32 bits: resvg drew nothing, or panicked.
#[test]
fn what_is_far_beyond_a_clipped_axis_is_drawn_not_so_far_away() {
    let of = |peak: f64| {
        let x: Vec<f64> = (0..200).map(f64::from).collect();
        let y = x.iter().map(|x| if *x == 77.0 { peak } else { (-x / 50.0).exp() }).collect();
        let y_axis = Axis { range: Some((0.0, 1.0)), clipped: true, ..Axis::default() };
        drawn(Chart { y: y_axis, marks: vec![mark("a", Shape::Line { x, y })], ..Chart::default() })
    };
    assert_eq!(of(1e6), of(1e9));
    assert_eq!(of(1e9).matches("h-7z").count(), 1, "a triangle says that it is beyond");
    let line = of(1e9).lines().find(|line| line.contains("stroke-width=\"1.6\"")).unwrap().to_owned();
    let without = crate::png::render(&of(1e9).replace(&line, "")).unwrap();
    assert_ne!(crate::png::render(&of(1e9)).unwrap(), without, "the line is drawn");
}

#[test]
fn subscripts_are_digits_of_the_same_font() {
    assert_eq!(lettered("a & b", 12.0), "a &amp; b");
    let axis = |label: &str| Axis { label: label.into(), scale: Scale::Log2, ..Axis::default() };
    let line = mark("a", Shape::Line { x: vec![1.0, 2.0], y: vec![1.0, 4.0] });
    let svg =
        drawn(Chart { x: axis("size"), y: axis("H₂O₁₂ & c"), marks: vec![line], ..Chart::default() });
    assert!(
        !svg.contains('₂') && svg.matches(">2</tspan><tspan dy=\"-2.4\">)</tspan>").count() == 2,
        "{svg}"
    );
    let document = resvg::usvg::roxmltree::Document::parse(&svg).unwrap();
    let text = |node: resvg::usvg::roxmltree::Node<'_, '_>| {
        node.descendants()
            .filter(resvg::usvg::roxmltree::Node::is_text)
            .filter_map(|part| part.text())
            .collect::<String>()
    };
    assert!(document.descendants().any(|node| text(node) == "H2O12 & c (log2)"), "{svg}");
}

#[test]
fn texts_have_a_free_place() {
    let rising: Vec<f64> = (0..=100).map(|i| f64::from(i) / 100.0).collect();
    for at in [RulePosition::Y(0.97), RulePosition::Y(0.02), RulePosition::X(0.99), RulePosition::X(0.5)] {
        let mut rule = mark("10 %: chance", Shape::Rule { at });
        rule.last = None;
        let line = mark("a", Shape::Line { x: rising.clone(), y: rising.clone() });
        let words = Shape::Words { x: vec![0.5], y: vec![0.5], words: vec!["68.3".into()] };
        let svg = drawn(Chart { marks: vec![rule, line, mark("w", words)], ..Chart::default() });
        let document = resvg::usvg::roxmltree::Document::parse(&svg).unwrap();
        let edged: Vec<_> = document.descendants().filter(|node| node.has_attribute("paint-order")).collect();
        assert_eq!(edged.len(), 2, "{svg}");
        let path = document.descendants().find(|node| node.attribute("stroke-width") == Some("1.6"));
        let points: Vec<f64> = path.unwrap().attribute("d").unwrap()[1..]
            .split(['L', ' '])
            .map(|v| v.parse().unwrap())
            .collect();
        for text in edged {
            let [x, y, size] =
                ["x", "y", "font-size"].map(|key| text.attribute(key).unwrap().parse::<f64>().unwrap());
            let width = width_of(text.text().unwrap()) as f64 * size * CHAR;
            let covered =
                points.chunks(2).any(|p| p[0] > x && p[0] < x + width && p[1] < y && p[1] > y - size * 0.8);
            assert!(!covered, "{at:?}: {:?} at {x}, {y}", text.text());
        }
    }
}

#[test]
fn the_legend_says_what_its_values_are_with_the_digits_of_the_axis() {
    let line = |name: &str, last: f64| {
        let shape = Shape::Line { x: vec![0.0, 1.0], y: vec![0.987_65, last] };
        Mark { last: Some(last), ..mark(name, shape) }
    };
    let words = |marks: Vec<Mark>| drawn(Chart { marks, ..Chart::default() });
    let one = words(vec![line("a", 0.987_654_3)]);
    assert!(one.contains(">0.9876543<") && one.contains(">(last value)<"), "{one}");
    let two = words(vec![line("a", 0.5), line("b", 2.0)]);
    assert!(two.contains(">0.5<") && two.contains(">(last values)<"), "{two}");
    assert!(!words(vec![Mark { last: None, ..line("a", 0.5) }]).contains("(last"));
    assert!(words(vec![Mark { unit: Some("ms".into()), ..line("a", 0.5) }]).contains(">0.5 ms<"));
}

#[test]
fn white_lines_over_a_map_are_explained() {
    let x: Vec<f64> = (0..9).map(f64::from).collect();
    let z = (0..81).map(|i| f64::from(i) + 1.0).collect();
    let field = Field { x: x.clone(), y: x, z, label: "loss".into(), log: true };
    let plain = |shape| Mark::new((Paint::Slot(0), 0), shape);
    let map = Chart { marks: vec![plain(Shape::Heatmap(field.clone()))], ..Chart::default() };
    let lines = plain(Shape::Contour(field));
    let lined = Chart { marks: vec![map.marks[0].clone(), lines], ..Chart::default() };
    let white = |svg: &str| svg.matches(r##"stroke="#ffffff"/>"##).count();
    let (map, lined) = (drawn(map), drawn(lined));
    assert!(!map.contains("equal values") && white(&map) == 0);
    // In the legend, and in the colour bar where its ticks are.
    assert!(lined.contains("equal values") && white(&lined) > 2, "{lined}");
    assert!(lined.contains("loss (log)"));
}

/// A line on a log axis, of which so many of ten values are not above zero.
fn on_log_axis(name: &str, y: Vec<f64>, not_positive: Option<u64>) -> Mark {
    let counted = crate::ValueCount { all: 10, not_positive, ..crate::ValueCount::default() };
    let x = (0..y.len()).map(|i| i as f64).collect();
    Mark { counted: Some(counted), ..mark(name, Shape::Line { x, y }) }
}

#[test]
fn values_of_zero_or_less_are_told_of_each_series_that_has_them() {
    let marks = vec![
        on_log_axis("train", vec![1.0, 0.0, 2.0], Some(2)),
        on_log_axis("test", vec![1.0, 0.5, 2.0], Some(2)),
        on_log_axis("other", vec![1.0, 0.5, 2.0], Some(0)),
        on_log_axis("joined", vec![1.0, 0.5, 2.0], None),
    ];
    let mut chart = Chart { marks, y: Axis { scale: Scale::Log, ..Axis::default() }, ..Chart::default() };
    let expected = [
        "train  ↓ ≤ 0 on a log axis: 2 of 10 values",
        "test  ≤ 0 on a log axis: 2 of 10 values",
        "joined  ≤ 0 on a log axis",
    ];
    assert_eq!(unplottable_notes(&chart, &Domain::of(&chart)), expected);
    chart.y.scale = Scale::Linear;
    assert_eq!(unplottable_notes(&chart, &Domain::of(&chart)), [""; 0]);
}

#[test]
fn where_outliers_are_clipped_triangles_say_so() {
    let y = (0..100).map(|i| if i == 50 { 99.0 } else { f64::from(i % 2) }).collect();
    let line = mark("loss", Shape::Line { x: (0..100).map(f64::from).collect(), y });
    let y = Axis { range: Some((0.0, 1.0)), clipped: true, ..Axis::default() };
    let clipped = Chart { marks: vec![line], y, ..Chart::default() };
    let whole = Chart { y: Axis { clipped: false, ..clipped.y.clone() }, ..clipped.clone() };
    let look = |glyphs| Theme { colours: Colours::None, glyphs, ..Theme::default() };
    for (glyphs, sign) in [(Glyphs::Braille, '▴'), (Glyphs::Dot, '▴'), (Glyphs::Ascii, '^')] {
        let signs = |chart: &Chart| {
            let drawn = crate::cells::chart(chart, (60, 14), look(glyphs), look(glyphs).bold());
            crate::cells::text::plain(&drawn).matches(sign).count()
        };
        assert_eq!([signs(&clipped), signs(&whole)], [1, 0], "{glyphs:?}");
    }
    let drawn = |chart: &Chart| figure(&Figure { charts: vec![chart.clone()], ..Figure::default() });
    let triangles = |chart: &Chart| drawn(chart).matches("h-7z").count();
    assert_eq!([triangles(&clipped), triangles(&whole)], [1, 0]);
    assert!(drawn(&clipped).contains("values beyond the axis"));
}
