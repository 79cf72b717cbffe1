//! The pane with the run under the cursor: its first figure, live, and its details.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::Widget as _;

use super::list::Line;
use super::{Home, cells};
use crate::print::clean;
use crate::screens::shared::Shared;
use crate::widgets::ChartCell;
use gradtop_chart::cells::text::{fit, fit_ends, packed, width_of, wrap, wrap_in};
use gradtop_view::clock::moment_at;
use gradtop_view::figure::view::{ChartView, Source, Subject};
use gradtop_view::live::{RunData, SeriesFilter, WatchRequest};
use gradtop_view::run::facts::{self, Topic};
use gradtop_view::run::{headline, param, progress, remark};
use gradtop_view::runs::RunRow;

/// The width of the details beside a chart.
const DETAILS: u16 = 46;

impl Home {
    /// The series that the list and the pane show: the trend of each visible run, and the first figure of the run under the
    /// cursor.
    pub(super) fn wanted(&self, shared: &Shared) -> Vec<WatchRequest> {
        let areas = self.areas(shared);
        let shown = self.visible(areas.list).into_iter().map(|line| &self.list.lines[line]);
        let of_line = |line: &Line| {
            let Line::Run { row, .. } = line else { return None };
            let series = SeriesFilter::Metrics([headline(row)?.to_owned()].into());
            Some(WatchRequest { series, ..WatchRequest::of(row.id.clone(), row.live()) })
        };
        let mut wanted: Vec<WatchRequest> = shown.filter_map(of_line).collect();
        if let (Some(_), Some(run)) = (areas.pane, self.current()) {
            let mut request = WatchRequest::of(run.id.clone(), run.live());
            let first = shared.live.run(&run.id).and_then(|data| data.figures.first());
            match (first, headline(run)) {
                (Some(figure), _) => request.figures.extend([figure.id.clone()]),
                (None, Some(metric)) => request.series = SeriesFilter::Metrics([metric.to_owned()].into()),
                // No figure is declared: shows the metric that was logged first.
                (None, None) => {
                    let metric = shared.live.run(&run.id).and_then(|data| first_metric(data));
                    request.series = SeriesFilter::Metrics(metric.map(str::to_owned).into_iter().collect());
                }
            }
            wanted.push(request);
        }
        wanted
    }

    /// Draws the pane: the chart on the left, and the details on the right or below.
    pub(super) fn view_pane(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
        let Some(run) = self.current() else { return };
        let theme = shared.theme;
        let buffer = frame.buffer_mut();
        let line = theme.glyph("─", "-").repeat(usize::from(area.width));
        buffer.set_string(area.x, area.y, line, theme.dim());
        let room = usize::from(area.width.saturating_sub(8));
        let title = format!(" {} ", fit_ends(&clean(run.name()), room, theme.ascii()));
        buffer.set_stringn(area.x + 3, area.y, title, room + 2, theme.bold());
        let inner = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let data = shared.live.run(&run.id).filter(|data| !data.progress.reading);
        if data.is_some_and(|data| subject(data, run).is_none()) {
            // Without a chart, the details have all the room.
            let area = Rect { x: inner.x + 3, width: inner.width.saturating_sub(4), ..inner };
            let none = if run.view.state.is_final() { "none" } else { "none yet" };
            return view_details(shared, buffer, area, run, Some(none));
        }
        let inner = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), ..inner };
        let (chart, details) = if area.height > 24 {
            let height = inner.height / 2;
            let below = Rect { y: inner.y + height + 1, height: inner.height - height - 1, ..inner };
            (Rect { height, ..inner }, below)
        } else if area.width >= 64 {
            // The names of three series and their values have room above a chart that is 48 wide.
            let width = DETAILS.min(inner.width * 3 / 8).max(inner.width.saturating_sub(110));
            let beside = Rect { x: inner.right() - width, width, ..inner };
            (Rect { width: inner.width - width - 2, ..inner }, beside)
        } else {
            // If there is no room for both, only what is remarkable is above the chart.
            let note = cells::note(run).unwrap_or_default();
            let lines = wrap_in(&note, usize::from(inner.width) - 2, 3, theme.ascii());
            for (line, y) in lines.iter().zip(inner.y..) {
                buffer.set_string(inner.x + 2, y, line, theme.alert());
            }
            let used = lines.len() as u16;
            let chart = Rect { y: inner.y + used, height: inner.height.saturating_sub(used), ..inner };
            (chart, Rect { width: 0, ..inner })
        };
        self.view_chart(shared, buffer, chart, run);
        view_details(shared, buffer, details, run, None);
    }

    fn view_chart(&self, shared: &Shared, buffer: &mut Buffer, area: Rect, run: &RunRow) {
        let chart = shared.live.run(&run.id).and_then(|data| Some((data, subject(data, run)?)));
        let Some((data, subject)) = chart else {
            buffer.set_stringn(area.x + 2, area.y, "reading", area.width.into(), shared.theme.dim());
            return;
        };
        let cell = ChartCell {
            sources: &[Source { data, label: None }],
            subject,
            view: &ChartView::default(),
            theme: shared.theme,
            focused: false,
            cache: &self.charts,
            slot: 0,
            page: 1,
            turns: &shared.turns,
        };
        cell.render(area, buffer);
    }
}

/// The chart of a run: its first figure, else its headline, else what it logged first.
fn subject<'a>(data: &'a RunData, run: &'a RunRow) -> Option<Subject<'a>> {
    let figure = data.figures.first().map(|figure| Subject::Panel(figure, 0));
    figure.or_else(|| headline(run).or_else(|| first_metric(data)).map(Subject::Metric))
}

/// The metric of a run's trend.
fn headline(run: &RunRow) -> Option<&str> {
    headline::all(&run.view).first().map(|h| h.metric)
}

/// The metric of its own that a run logged first.
fn first_metric(data: &RunData) -> Option<&str> {
    let own = |m: &&str| !gradtop_store::is_system_metric(m);
    data.metric_names().into_iter().find(own)
}

/// Draws names and values, as many as fit.
fn view_details(shared: &Shared, buffer: &mut Buffer, area: Rect, run: &RunRow, metrics: Option<&str>) {
    if area.is_empty() {
        return;
    }
    let theme = shared.theme;
    let metrics = metrics.map(|words| ("metrics".to_owned(), vec![words.to_owned()]));
    let details: Vec<_> = metrics.into_iter().chain(details(shared, run)).collect();
    // The name of a metric may be long, but its value matters more.
    let most = usize::from(area.width / 3).max(10);
    let width = details.iter().map(|(name, _)| width_of(name)).max().unwrap_or(0).min(most);
    let columns = usize::from(area.width).saturating_sub(2);
    let mut y = area.y;
    for (name, items) in details {
        // Values determine how much room is left for names.
        let said = items.iter().map(|item| width_of(item)).max().unwrap_or(0);
        let width = width_of(&name).min(columns.saturating_sub(said)).max(width);
        let room = columns.saturating_sub(width);
        let lines = packed(&items, "   ", room);
        // Wrapped between words if each word fits, otherwise shortened in the middle.
        let words = name.split(' ').all(|word| width_of(word) <= width);
        let rows = usize::from(area.bottom().saturating_sub(y));
        let names =
            Some(wrap(&name, width)).filter(|names| words && names.len() <= rows).unwrap_or(vec![name]);
        for i in 0..names.len().max(lines.len()) {
            if y >= area.bottom() {
                return;
            }
            if let Some(name) = names.get(i) {
                buffer.set_string(area.x, y, fit_ends(name, width, theme.ascii()), theme.dim());
            }
            if let Some(line) = lines.get(i) {
                let line = fit(line, room, theme.ascii());
                buffer.set_string(area.x + width as u16 + 2, y, line, theme.text());
            }
            y += 1;
        }
    }
}

/// What is important about a run, its values and its parameters, and then the facts that all lists of them share.
fn details(shared: &Shared, run: &RunRow) -> Vec<(String, Vec<String>)> {
    let (view, live) = (&run.view, run.live());
    let known = facts::of_run(view, |time| moment_at(time, shared.now));
    let of_topic = |topic| {
        let facts = known.iter().filter(move |fact| fact.topic == topic);
        facts.map(|fact| format!("{} {}", fact.name, fact.value)).collect()
    };
    let alert = view.alert.as_ref().filter(|alert| !alert.of_end);
    let alert = alert.map(|a| format!("{} {}", moment_at(a.time, shared.now), clean(&a.message)));
    let phase = view.status.phase.as_deref().filter(|_| live).map(clean);
    let (took_name, took) = progress::took_fact(view, shared.now).unzip();
    let headlines = headline::all(view);
    let values = headlines.iter().take(3);
    let values = values.map(|headline| (headline::title(headline.metric, None), headline::values(headline)));
    let params = view.manifest.params.iter().filter(|(_, v)| !v.to_string().is_empty());
    let params = params.map(|(k, v)| format!("{} {}", clean(k), param::brief(v))).collect();
    let first = [
        ("note", view.notes.note.lines().map(clean).collect()),
        ("tags", view.notes.tags.iter().map(|tag| clean(tag)).collect()),
        ("cause", Vec::from_iter(remark::cause(view))),
        ("alert", Vec::from_iter(alert)),
        ("phase", Vec::from_iter(phase)),
        (took_name.unwrap_or_default(), Vec::from_iter(took)),
    ];
    let last = [
        ("parameters", params),
        ("settings", of_topic(Topic::Settings)),
        ("course", of_topic(Topic::Course)),
        ("machine", of_topic(Topic::Environment)),
    ];
    let named = |(name, items): (&str, Vec<String>)| (name.to_owned(), items);
    let mut all: Vec<_> = first.map(named).into_iter().chain(values).chain(last.map(named)).collect();
    for (_, items) in &mut all {
        items.retain(|item| !item.is_empty());
    }
    all.retain(|(_, items)| !items.is_empty());
    all
}

#[cfg(test)]
mod tests {
    use gradtop_store::State;
    use gradtop_view::live::engine::WatchedRuns;

    use super::*;
    use crate::app::testing::{Bench, Spec, run};

    #[test]
    fn titles_are_whole_and_details_have_the_room_of_a_chart_that_is_not() {
        let figures = "[[figure]]\nid = \"grid\"\ntitle = \"Loss on the whole grid\"\n[[figure.panel]]\n\
                       [[figure.panel.mark]]\ntype = \"line\"\nmetric = \"loss\"\n[[figure.panel.mark]]\n\
                       type = \"rule\"\ny = 0.2\nlabel = \"variance of the function\"\n";
        let mut live = WatchedRuns::new();
        let mut bench =
            Bench::of(vec![run("fit", "drawn", 1).losses().figures(figures), run("plain", "bare", 2)]);
        for size in [(200, 50), (120, 36), (80, 24)] {
            bench.resize(size.0, size.1);
            bench.keys("home");
            bench.follow(&mut live);
            let screen = bench.screen();
            for title in ["Loss on the whole grid", "deep", "shallow", "variance of the function"] {
                assert!(screen.contains(title), "{title} at {size:?}:\n{screen}");
            }
            bench.keys("end");
            bench.follow(&mut live);
            let screen = bench.screen();
            assert!(
                screen.lines().any(|line| line.starts_with("   metrics     none")),
                "{size:?}:\n{screen}"
            );
        }
    }

    #[test]
    fn beside_its_details_a_chart_has_room_for_names_with_values_and_details_are_the_known_facts() {
        let of = |spec: Spec, model: &str, last| spec.series("loss", Some(model), &[(0, 1.0), (1, last)]);
        let models = [("deep", 2.272e-5), ("middle", 1.155e-5), ("shallow", 0.002_026)];
        let spec =
            models.into_iter().fold(run("fit", "three", 1), |spec, (model, last)| of(spec, model, last));
        let (mut live, mut bench) = (WatchedRuns::new(), Bench::of(vec![spec]));
        for size in [(200, 50), (120, 36), (80, 24)] {
            bench.resize(size.0, size.1);
            bench.follow(&mut live);
            let screen = bench.screen();
            for entry in ["deep 2.", "middle 1.", "shallow 0.0020"] {
                assert!(screen.contains(entry), "{entry} at {size:?}:\n{screen}");
            }
        }
        bench.resize(200, 50);
        let (screen, row) = (bench.screen(), &bench.app.shared.runs.rows[0]);
        for fact in facts::of_run(&row.view, |time| moment_at(time, bench.app.shared.now)) {
            assert!(
                screen.contains(fact.name) || fact.topic == Topic::Environment,
                "{}:\n{screen}",
                fact.name
            );
        }
    }

    #[test]
    fn on_a_narrow_screen_what_is_remarkable_is_whole_above_the_chart() {
        let cause = "the disk is full, and so is the other one";
        let mut bench = Bench::of(vec![run("fit", "bad", 1).losses().at(State::Failed, 5).cause(cause)]);
        bench.resize(40, 36);
        bench.follow(&mut WatchedRuns::new());
        let screen = bench.screen();
        let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(cause), "{screen}");
    }
}
