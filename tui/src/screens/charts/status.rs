//! What is said of the charts: which these are, and the values at the cursor.

use std::rc::Rc;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::items::{Scene, Shown};
use super::{Charts, Typing};
use crate::print::clean;
use crate::screens::shared::Shared;
use crate::widgets;
use gradtop_chart::cells::text::{fit, fit_distinct, width_of};
use gradtop_chart::number;
use gradtop_view::compare::Align;
use gradtop_view::figure::prepared::{Cursor, CursorValue, LineInfo, PreparedChart};
use gradtop_view::live::RunData;

impl Charts {
    /// The status line, or more: the search while it is typed, else the values at the cursor, else which charts these are.
    pub(crate) fn status(&self, scene: &Scene<'_>) -> Vec<Line<'static>> {
        if let Some(lines) = self.typed(scene) {
            return lines;
        }
        let about = || {
            let text = self.about(scene, usize::from(scene.area.width).saturating_sub(1));
            Line::styled(format!(" {text}"), scene.shared.theme.dim())
        };
        vec![self.cursor_line(scene).unwrap_or_else(about)]
    }

    /// How the charts are displayed, in a few words each, as last drawn.
    pub(crate) fn facts(&self, scene: &Scene<'_>) -> Vec<String> {
        let axis = self.axis(scene).map(|axis| format!("x {}", axis.word()));
        axis.into_iter().chain(scene.look.words(self.hidden(scene).len())).collect()
    }

    /// The search while it is typed, with its result or its error.
    pub(crate) fn typed(&self, scene: &Scene<'_>) -> Option<Vec<Line<'static>>> {
        let theme = scene.shared.theme;
        let Typing { input, error, .. } = self.typing.as_ref()?;
        let found = format!("{} of {}", self.items.len(), self.all.len());
        let error = error.as_deref().map(clean);
        let said = error.as_deref().map_or((&*found, theme.dim()), |error| (error, theme.alert()));
        let label = Span::styled(" find ", theme.accent());
        Some(widgets::typed(label, input, said, scene.area.width.into(), theme))
    }

    /// The cursor, with the lines of the focused chart. If that has none there, such as a chart of a table, another chart
    /// knows the place, but its values would be taken for those of the focused one.
    fn at_cursor(&self, scene: &Scene<'_>, detail: Detail) -> Option<Vec<Span<'static>>> {
        let (axis, x) = self.cursor.filter(|_| !self.items.is_empty())?;
        let read = |b: &Rc<PreparedChart>| b.lines.iter().any(|l| l.at_cursor.is_some());
        let mut all = self.cells(scene).into_iter().filter_map(|(i, _)| self.cache.built(i as u64));
        let focused = self.focused();
        let built = focused.clone().filter(read).or_else(|| all.find(read));
        let x = built.as_ref().and_then(|b| b.cursor).map_or(x, |c| c.x);
        let seen = built.as_ref().and_then(|b| b.plot).map_or((x, x), |plot| (plot.x.low, plot.x.high));
        let lines = focused.as_ref().map_or(&[][..], |b| &b.lines);
        let mut spans = at_cursor(scene, lines, (axis, x, seen), detail);
        if self.axis(scene) != Some(axis) {
            let elsewhere = "the chart in focus has another x axis";
            spans.extend(["   ", elsewhere].map(|text| Span::styled(text, scene.shared.theme.dim())));
        }
        Some(spans)
    }

    /// The position of the cursor.
    pub(crate) fn cursor_words(&self, scene: &Scene<'_>) -> Option<String> {
        let place = self.at_cursor(scene, Detail::Steps)?.swap_remove(0);
        Some(place.content.trim().to_owned())
    }

    /// The values at the cursor, as much of each line as lets all of them fit.
    pub(crate) fn cursor_line(&self, scene: &Scene<'_>) -> Option<Line<'static>> {
        let width = usize::from(scene.area.width);
        let wide = |spans: &[Span<'_>]| spans.iter().map(|s| width_of(&s.content)).sum::<usize>();
        let mut spans = self.at_cursor(scene, Detail::Values)?;
        let all = Detail::ALL.into_iter().filter_map(|detail| self.at_cursor(scene, detail));
        if let Some(all) = all.into_iter().find(|spans| wide(spans) <= width) {
            return Some(Line::from(all));
        }
        while wide(&spans) + 2 > width && spans.len() > 1 {
            spans.truncate(spans.len() - 2);
        }
        spans.push(Span::styled(scene.shared.signs(" …"), scene.shared.theme.dim()));
        Some(Line::from(spans))
    }

    /// Which charts these are, in at most `width` columns.
    pub(crate) fn about(&self, scene: &Scene<'_>, width: usize) -> String {
        let Scene { shared, shown, look, .. } = *scene;
        let layout = self.layout(scene);
        // The parts, and how important they are.
        let mut parts: Vec<(u8, String)> = Vec::new();
        if layout.pages > 1 {
            parts.push((5, format!("page {} of {}", layout.page_of(self.focus) + 1, layout.pages)));
        }
        if let Shown::System(data) = shown {
            parts.extend(measured(data).into_iter().map(|words| (3, words)));
        }
        let (count, searched) = (self.items.len(), !self.search.0.is_empty());
        parts.push(if searched {
            let text = clean(&self.search.0);
            (6, format!("{text} finds {count} of {}: esc shows all", self.all.len()))
        } else {
            (0, number::counted(count, "chart"))
        });
        if let Some(item) = self.items.get(self.focus) {
            if look.pinned.contains(&item.id) {
                parts.push((2, "pinned".to_owned()));
            }
            if !item.section().is_empty() {
                let own = self.items.iter().filter(|i| i.section() == item.section()).count();
                // Where all are of one section, their number is said already.
                if own < count {
                    let section = clean(item.section().trim_end_matches('/'));
                    parts.push((1, format!("section {section}: {}", number::counted(own, "chart"))));
                }
            }
        }
        if !self.zooms.is_empty() {
            parts.push((4, "zoomed: 0 resets".to_owned()));
        }
        if let Some(rows) = shown.reading() {
            parts.push((3, format!("reading: {} so far", number::counted(rows, "value"))));
        }
        loop {
            let words: Vec<&str> = parts.iter().map(|(_, words)| words.as_str()).collect();
            let text = shared.signs(&words.join(" · "));
            let least = parts.iter().map(|(rank, _)| *rank).min();
            match least {
                Some(least) if width_of(&text) > width && !(searched && parts.len() == 1) => {
                    parts.retain(|(rank, _)| *rank != least);
                }
                _ => return fit(&text, width, shared.theme.ascii()),
            }
        }
    }

    /// The list of series beside a large chart, with the latest values or those at the cursor.
    pub(super) fn legend(&self, scene: &Scene<'_>, frame: &mut Frame<'_>, area: Rect) {
        let (shared, theme) = (scene.shared, scene.shared.theme);
        let (cursor, smooth) = (self.cursor.is_some(), scene.look.smoothing > 0.0);
        let focused = self.focused();
        let lines = focused.as_ref().map_or(&[][..], |b| &b.lines);
        let width = usize::from(area.width);
        let head = match (cursor, smooth) {
            (true, _) => "at cursor",
            (false, true) => "latest, smoothed",
            (false, false) => "latest",
        };
        let text = |line: &LineInfo| match if cursor { line.at_cursor.map(|c| c.shown) } else { line.last } {
            _ if line.hidden => "hidden".to_owned(),
            Some(v) => line.steady(v),
            None => theme.glyph("–", "-").to_owned(),
        };
        let value_width = lines.iter().map(|line| width_of(&text(line))).max().unwrap_or(0).max(11);
        let name_width = width.saturating_sub(value_width + 3);
        let most = Cursor::most_common_value(lines).map(|at| at.words());
        let mut rows = vec![Line::from(vec![Span::styled(format!("{head:>width$}"), theme.dim())])];
        let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
        for (line, name) in lines.iter().zip(fit_distinct(&names, name_width, theme.ascii())) {
            let glyph = gradtop_chart::colour::marker(line.marker, theme.ascii());
            let style = if line.hidden { theme.dim() } else { theme.paint(line.paint) };
            let name = gradtop_chart::cells::align::pad(&name, name_width);
            rows.push(Line::from(vec![
                Span::styled(format!("{} ", if line.hidden { ' ' } else { glyph }), style),
                Span::styled(name, if line.hidden { theme.dim() } else { theme.text() }),
                Span::styled(format!(" {:>value_width$}", text(line)), style),
            ]));
            if let Some(at) = line.at_cursor.filter(|_| cursor && !line.hidden) {
                let raw = if smooth { format!("raw {}", line.words(at.raw)) } else { String::new() };
                let band = if at.low < at.high { range(shared, line, at) } else { String::new() };
                let told = |text: String| {
                    Line::styled(format!("{:>width$}", fit(&text, width, theme.ascii())), theme.dim())
                };
                if !(raw.is_empty() && band.is_empty()) {
                    rows.push(told(format!("{raw}{band}")));
                }
                if most != Some(at.words()) {
                    rows.push(told(shared.signs(&at.words())));
                }
            }
        }
        widgets::lines(rows, theme, frame, area);
    }
}

/// The last measurements of the run's process, in readable units.
fn measured(data: &RunData) -> Vec<String> {
    let names = [("cpu", "cpu"), ("memory", "memory"), ("gpu", "gpu"), ("gpu_memory", "memory of the gpu")];
    let told = |(metric, words): (&str, &str)| {
        let last =
            data.of_metric(&format!("{}{metric}", gradtop_store::SYSTEM)).find_map(|s| s.last())?.value;
        let bytes = metric.ends_with("memory").then(|| number::amount(last.max(0.0)));
        Some(format!("{words} {}", bytes.unwrap_or_else(|| format!("{last:.0} %"))))
    };
    names.into_iter().filter_map(told).collect()
}

/// The minimum and maximum of averaged values at the cursor.
fn range(shared: &Shared, line: &LineInfo, at: CursorValue) -> String {
    format!(" [{} {} {}]", line.words(at.low), shared.theme.glyph("…", ".."), line.words(at.high))
}

/// How much the status line shows of each chart line.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Detail {
    /// Values with their range, and the raw value if smoothed.
    Whole,
    /// Values, and their steps if they differ.
    Steps,
    /// Names and values, and their mean.
    Names,
    /// Markers and values, and their mean.
    Values,
}

impl Detail {
    const ALL: [Self; 4] = [Self::Whole, Self::Steps, Self::Names, Self::Values];
}

/// The position of the cursor, then two spans for each line.
fn at_cursor(
    scene: &Scene<'_>,
    lines: &[LineInfo],
    (axis, x, seen): (Align, f64, (f64, f64)),
    detail: Detail,
) -> Vec<Span<'static>> {
    let (shared, theme) = (scene.shared, scene.shared.theme);
    let smooth = scene.look.smoothing > 0.0;
    let most = Cursor::most_common_value(lines);
    let exceptions = detail < Detail::Names;
    let place = match (most.as_ref(), axis) {
        (Some(at), Align::Step) if exceptions => format!(" {}", at.words()),
        (Some(at), _) if exceptions => format!(" {}, {}", axis.place(x, seen), at.words()),
        (Some(_), Align::Step) => {
            Cursor::words(lines).map(|[_, short, ..]| format!(" {short}")).unwrap_or_default()
        }
        _ => format!(" {}", axis.place(x, seen)),
    };
    let mut spans = vec![Span::styled(shared.signs(&place), theme.accent())];
    for line in lines.iter().filter(|l| !l.hidden) {
        let Some(at) = line.at_cursor else { continue };
        let name = match detail {
            Detail::Values => format!("  {} ", gradtop_chart::colour::marker(line.marker, theme.ascii())),
            Detail::Names => format!("  {} ", line.name),
            _ => format!("   {} ", line.name),
        };
        let mut value = match detail {
            Detail::Values => line.brief(at.shown),
            _ => line.words(at.shown),
        };
        if detail == Detail::Whole {
            if smooth && at.raw.is_finite() {
                value.extend([" raw ", &line.words(at.raw)]);
            }
            if at.low < at.high {
                value += &range(shared, line, at);
            }
        }
        if exceptions && most.as_ref().map(CursorValue::words) != Some(at.words()) {
            value.extend([" (", &at.words(), ")"]);
        } else if !exceptions {
            let mean = at.mean().filter(|mean| Cursor::mean(lines) != Some(*mean));
            value += &mean.map(|mean| format!(" {}", mean.short())).unwrap_or_default();
            value += &most.as_ref().map(|most| at.distance(most)).unwrap_or_default();
        }
        spans.push(Span::styled(name, theme.dim()));
        spans.push(Span::styled(shared.signs(&value), theme.paint(line.paint)));
    }
    spans
}

#[cfg(test)]
mod tests {
    use gradtop_store::{Kind, SeriesKey};
    use gradtop_view::live::engine::WatchedRuns;

    use crate::app::testing::{Bench, run};

    #[test]
    fn the_last_value_of_a_line_that_has_ended_is_called_so_however_little_room_there_is() {
        let whole: Vec<(i64, f64)> = (0..200).map(|step| (step, 1.0)).collect();
        let mut spec = run("fit", "one", 1).series("loss", Some("short"), &[(0, 4.0), (20, 2.5)]);
        for model in ["middle-a", "middle-b", "middle-c"] {
            spec = spec.series("loss", Some(model), &whole);
        }
        let mut bench = Bench::of(vec![spec]);
        let mut live = WatchedRuns::new();
        bench.keys("enter");
        bench.follow(&mut live);
        bench.keys("end");
        let mut seen = std::collections::BTreeSet::new();
        for width in 40..130 {
            bench.resize(width, 24);
            bench.follow(&mut live);
            let screen = bench.screen();
            let line = screen.lines().find(|line| line.starts_with(" step")).unwrap_or_default();
            let named = line.contains("short ");
            let ended = line.contains("2.5 (last)") || line.contains("2.500 (last)");
            let said = [line.contains("2.5 (last, "), ended && named, ended];
            assert!(said.contains(&true) || !line.contains(" 2.5"), "{width}: {line}");
            seen.insert((said, named));
        }
        // With steps, with names, and with markers only.
        for form in [([true, false, false], true), ([false, true, true], true), ([false, false, true], false)]
        {
            assert!(seen.contains(&form), "{form:?}: {seen:?}");
        }
    }

    #[test]
    fn a_value_nearby_has_its_step_however_little_room_there_is() {
        let rows: Vec<(i64, f64)> = (0..30).map(|step| (step, 1.0)).collect();
        let spec = run("fit", "one", 1).series("loss", Some("train"), &rows);
        let spec = spec.series("loss", Some("validation"), &rows);
        let mut bench = Bench::of(vec![spec.series("loss", Some("test"), &[(0, 3.0), (20, 2.0), (29, 1.0)])]);
        let mut live = WatchedRuns::new();
        bench.keys("enter");
        bench.follow(&mut live);
        bench.keys("end");
        bench.resize(40, 15);
        bench.follow(&mut live);
        bench.keys("left left left left left left");
        bench.follow(&mut live);
        let screen = bench.screen();
        let line = screen.lines().rfind(|line| line.starts_with(" step")).unwrap_or_default();
        assert!(line.contains("(step 20)") && !line.contains("test"), "{screen}");
    }

    #[test]
    fn a_mean_at_the_cursor_is_called_one_however_little_room_there_is() {
        let rows: Vec<(i64, f64)> = (0..400).map(|step| (step, 0.1)).collect();
        let of = |split: &str, trial| SeriesKey {
            split: Some(split.into()),
            trial: Some(trial),
            ..SeriesKey::metric("loss")
        };
        let whole = run("fit", "one", 1).logged(of("test", 0), &rows).logged(of("test", 1), &rows);
        let log = whole.with(|manifest, _| manifest.metrics[0].log = true);
        let negative: Vec<(i64, f64)> = rows.iter().map(|(step, v)| (*step, -v)).collect();
        let mut bench = Bench::of(vec![log.logged(of("train", 0), &negative)]);
        let mut live = WatchedRuns::new();
        bench.keys("enter");
        bench.follow(&mut live);
        bench.keys("left left");
        let mut line = |width| {
            bench.resize(width, 15);
            bench.follow(&mut live);
            let screen = bench.screen();
            screen.lines().rfind(|line| line.starts_with(" steps")).unwrap_or_default().to_owned()
        };
        let (least, names) = (line(50), line(58));
        assert!(least.contains("0.1000 geometric") && least.contains("-0.1000 mean"), "{least}");
        assert!(names.contains("test 0.1 geometric") && names.contains("train -0.1 mean"), "{names}");
    }

    #[test]
    fn a_section_is_named_and_an_axis_without_data_is_passed_over() {
        let norm = run("fit", "two", 3).losses().series("layer_0/norm", None, &[(0, 1.0), (1, 0.5)]);
        let mut bench = Bench::of(vec![norm.with(|m, _| m.kind = Kind::Import)]);
        let mut live = WatchedRuns::new();
        bench.keys("enter");
        bench.follow(&mut live);
        assert!(bench.screen().contains("2 charts · section layer_0: 1 chart"), "{}", bench.screen());
        // It has neither epochs nor times.
        bench.keys("A");
        let screen = bench.screen();
        assert!(screen.contains("logged with steps only") && screen.contains("x step"), "{screen}");
    }
}
