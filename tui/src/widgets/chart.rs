//! A chart in an area of the screen, redrawn only if something visible has changed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::rc::Rc;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::widgets::Widget;

use gradtop_chart::cells::theme::Theme;
use gradtop_view::figure::chart::build;
use gradtop_view::figure::prepared::PreparedChart;
use gradtop_view::figure::view::{ChartView, Source, Subject};

/// A cache of drawn charts, by slots that the screen assigns.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChartCache {
    held: RefCell<HashMap<u64, Held>>,
}

#[derive(Clone, Debug)]
struct Held {
    /// Identifies the chart and its data.
    subject: u64,
    data: u64,
    view: ChartView,
    size: (u16, u16),
    theme: Theme,
    built: Rc<PreparedChart>,
    title: Style,
    cells: Rc<Buffer>,
}

impl ChartCache {
    /// The chart last drawn in a slot: its lines for a legend.
    pub(crate) fn built(&self, slot: u64) -> Option<Rc<PreparedChart>> {
        self.held.borrow().get(&slot).map(|h| Rc::clone(&h.built))
    }

    /// Clears the cache, for another run or other charts.
    pub(crate) fn clear(&self) {
        self.held.borrow_mut().clear();
    }
}

/// Which charts are updated with new data in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Turn {
    #[default]
    All,
    /// A few of the charts on a page, others in the next frame.
    Of(u64),
    /// None of the charts on a page.
    Nobody,
}

/// On a slow line, the charts of a page are updated in turns, a few per frame. Each is complete, but they may be of different
/// times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turns {
    turn: Turn,
    /// Whether a chart was drawn with outdated data.
    owed: Cell<bool>,
}

/// The number of charts updated in one frame.
const AT_ONCE: usize = 2;

impl Turns {
    /// Begins a frame.
    pub(crate) fn begin(&mut self, turn: Turn) {
        *self = Self { turn, owed: Cell::new(false) };
    }

    /// Returns whether a chart was drawn with outdated data.
    pub(crate) fn owed(&self) -> bool {
        self.owed.get()
    }

    /// Returns whether a chart on a page of `page` charts is updated now.
    fn has(&self, slot: u64, page: usize) -> bool {
        let parts = page.div_ceil(AT_ONCE) as u64;
        match self.turn {
            Turn::Of(turn) if parts > 1 => slot % parts == turn % parts,
            Turn::Nobody => parts <= 1,
            Turn::All | Turn::Of(_) => true,
        }
    }
}

/// A chart: a title with the latest value of each series, or those at the cursor, and the plot with its axes.
pub(crate) struct ChartCell<'a> {
    /// The runs.
    pub(crate) sources: &'a [Source<'a>],
    /// The content.
    pub(crate) subject: Subject<'a>,
    pub(crate) view: &'a ChartView,
    pub(crate) theme: Theme,
    pub(crate) focused: bool,
    pub(crate) cache: &'a ChartCache,
    /// The slot in the cache: the same for the same chart in every frame.
    pub(crate) slot: u64,
    /// The number of charts on the page.
    pub(crate) page: usize,
    pub(crate) turns: &'a Turns,
}

impl ChartCell<'_> {
    /// Identifies the chart.
    fn subject(&self) -> u64 {
        let mut h = DefaultHasher::new();
        match self.subject {
            Subject::Metric(name) => name.hash(&mut h),
            Subject::Panel(figure, n) => (figure.id.as_str(), n).hash(&mut h),
        }
        self.sources.iter().for_each(|source| source.label.hash(&mut h));
        h.finish()
    }

    /// Identifies the state of the data.
    fn fingerprint(&self) -> u64 {
        let mut h = DefaultHasher::new();
        let metrics = match self.subject {
            Subject::Metric(_) => None,
            Subject::Panel(figure, n) => Some(figure.panels.get(n)),
        };
        for source in self.sources {
            let data = source.data;
            (data.alive, data.progress.reading, data.names.len(), data.started_us).hash(&mut h);
            // What there is instead is said of what there is not.
            data.table_names.hash(&mut h);
            (Arc::as_ptr(&data.pauses), Arc::as_ptr(&data.resumes), Arc::as_ptr(&data.figures)).hash(&mut h);
            let shown = |metric: &str| match (self.subject, metrics) {
                (Subject::Metric(name), _) => name == metric,
                (_, Some(Some(panel))) => panel.marks.iter().any(|m| m.metric.as_deref() == Some(metric)),
                _ => false,
            };
            for s in data.series.iter().filter(|s| shown(&s.key().metric)) {
                (Arc::as_ptr(s), s.generation()).hash(&mut h);
            }
            for (name, table) in &data.tables {
                (name, Arc::as_ptr(table)).hash(&mut h);
            }
        }
        h.finish()
    }

    fn draw(&self, width: u16, height: u16) -> Rc<Buffer> {
        let (subject, data, size) = (self.subject(), self.fingerprint(), (width, height));
        let title = if self.focused { self.theme.accent() } else { self.theme.text() };
        let same = |h: &&Held| {
            (h.subject, h.size, h.theme) == (subject, size, self.theme)
                && h.view == *self.view
                && (h.data == data || !self.turns.has(self.slot, self.page))
        };
        let (w, h) = (usize::from(width), usize::from(height));
        let (built, data) = match self.cache.held.borrow().get(&self.slot).filter(same) {
            Some(h) => {
                self.turns.owed.set(self.turns.owed() || h.data != data);
                if h.title == title {
                    return Rc::clone(&h.cells);
                }
                (Rc::clone(&h.built), h.data)
            }
            None => (Rc::new(build(self.sources, self.subject, self.view, (w, h), self.theme)), data),
        };
        let cells = Rc::new(gradtop_chart::cells::chart(&built.chart, (w, h), self.theme, title));
        let held = Held {
            subject,
            data,
            view: self.view.clone(),
            size,
            theme: self.theme,
            built: Rc::clone(&built),
            title,
            cells: Rc::clone(&cells),
        };
        self.cache.held.borrow_mut().insert(self.slot, held);
        cells
    }
}

impl Widget for ChartCell<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        if area.width < 3 || area.height == 0 {
            return;
        }
        let cells = self.draw(area.width, area.height);
        gradtop_chart::cells::paste(&cells, buf, (area.x, area.y));
        if self.focused {
            let mark = self.theme.glyph("›", ">");
            buf.set_string(area.x, area.y, mark, self.theme.accent());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradtop_view::live::RunData;

    #[test]
    fn the_focus_changes_how_a_title_looks_and_nothing_is_built_for_it() {
        let (data, view, cache) = (RunData::default(), ChartView::default(), ChartCache::default());
        let (turns, theme, sources) =
            (Turns::default(), Theme::default(), [Source { data: &data, label: None }]);
        let draw = |focused| {
            let cell = ChartCell {
                sources: &sources,
                subject: Subject::Metric("loss"),
                view: &view,
                theme,
                focused,
                cache: &cache,
                slot: 0,
                page: 1,
                turns: &turns,
            };
            let cells = cell.draw(40, 10);
            (cells, cache.built(0).expect("it is kept"))
        };
        let ((without, built), (with, again)) = (draw(false), draw(true));
        assert!(Rc::ptr_eq(&built, &again) && with != without);
    }

    #[test]
    fn a_chart_of_a_table_that_is_not_there_follows_which_there_are() {
        let toml = "[[figure]]\nid = 'a'\ntitle = 'A'\n[[figure.panel]]\n[[figure.panel.mark]]\n\
                    type = 'line'\ntable = 'later'\nxcol = 'x'\nycol = 'y'";
        let figures = gradtop_store::figures::parse(toml).expect("figures").figures;
        let (view, cache, turns) = (ChartView::default(), ChartCache::default(), Turns::default());
        let said = |names: &[&str]| {
            let names = Arc::new(names.iter().map(|name| (*name).to_owned()).collect());
            let data = RunData { table_names: names, ..RunData::default() };
            let cell = ChartCell {
                sources: &[Source { data: &data, label: None }],
                subject: Subject::Panel(&figures[0], 0),
                view: &view,
                theme: Theme::default(),
                focused: false,
                cache: &cache,
                slot: 0,
                page: 1,
                turns: &turns,
            };
            cell.draw(60, 10);
            cache.built(0).expect("it is kept").chart.notes.join(" ")
        };
        assert!(said(&[]).contains("not been written yet"));
        assert!(said(&["now"]).contains("tables: now"), "{}", said(&["now"]));
    }

    #[test]
    fn each_chart_has_its_turn_and_few_have_it_always() {
        let mut turns = Turns::default();
        let mut drawn = vec![0; 12];
        for frame in 0..12 {
            turns.begin(Turn::Of(frame));
            let now: Vec<usize> = (0..12).filter(|slot| turns.has(*slot as u64, 12)).collect();
            assert_eq!(now.len(), AT_ONCE);
            for slot in &now {
                drawn[*slot] += 1;
            }
            assert!((0..2).all(|slot| turns.has(slot, 2)));
        }
        assert_eq!(drawn, [2; 12]);
        turns.begin(Turn::Nobody);
        assert!((0..12).all(|slot| !turns.has(slot, 12)) && turns.has(0, 1));
        turns.begin(Turn::All);
        assert!((0..12).all(|slot| turns.has(slot, 12)));
    }
}
