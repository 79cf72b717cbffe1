//! Draws the grid of charts.

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget as _;

use super::Charts;
use super::items::{Item, Panel, Scene};
use crate::print::clean;
use crate::widgets::{self, ChartCell};
use gradtop_view::figure::chart::y_range;
use gradtop_view::figure::view::{ChartView, Source};
use gradtop_view::natural;

/// The width of the list of series beside a large chart.
const LEGEND: u16 = 40;
/// The minimal width of a terminal for that list.
pub(super) const LEGEND_FROM: u16 = 100;

/// A visible chart.
struct Cell<'a> {
    chart: usize,
    area: Rect,
    panel: Option<Panel<'a>>,
    view: ChartView,
}

impl Charts {
    /// The area of the charts, beside the list of series if there is one.
    pub(super) fn room(&self, scene: &Scene<'_>) -> Rect {
        let area = scene.area;
        // A chart of a table has no series.
        let listed = scene.look.legend && self.axis(scene).is_some();
        if self.expanded && listed && area.width >= LEGEND_FROM {
            Rect { width: area.width - LEGEND - 2, ..area }
        } else {
            area
        }
    }

    /// Draws the charts of the page.
    pub(crate) fn view(&self, scene: &Scene<'_>, frame: &mut Frame<'_>) {
        let Scene { shared, shown, look, area } = *scene;
        let theme = shared.theme;
        let sources = shown.sources();
        let cell = |(chart, area): (usize, Rect)| Cell {
            chart,
            area,
            panel: self.items[chart].panel(shown, look.x),
            view: self.view_of(scene, chart),
        };
        let mut cells: Vec<Cell<'_>> = self.cells(scene).into_iter().map(cell).collect();
        if look.same_y {
            self.same_y(scene, &sources, &mut cells);
        }
        for Cell { chart, area, panel, view } in &cells {
            let Some(subject) = self.items[*chart].subject(panel.as_ref()) else { continue };
            let cell = ChartCell {
                sources: &sources,
                subject,
                view,
                theme,
                focused: *chart == self.focus && cells.len() > 1,
                cache: &self.cache,
                slot: *chart as u64,
                page: cells.len(),
                turns: &shared.turns,
            };
            cell.render(*area, frame.buffer_mut());
        }
        if self.items.is_empty() && area.height > 1 {
            let text = format!(" no chart is called like {}", clean(&self.search.0));
            let line = Line::styled(text, theme.dim());
            widgets::lines([line], theme, frame, Rect { y: area.y + 1, height: 1, ..area });
        }
        if self.room(scene) != area {
            let place = Rect { x: area.right() - LEGEND, width: LEGEND, ..area };
            self.legend(scene, frame, place);
        }
        if let Some(here) = &self.list {
            super::series::view(scene, &self.names(scene), here, frame);
        }
    }

    /// The names of what is hidden on this page, as last drawn. Other runs of the experiment may have more.
    pub(super) fn hidden(&self, scene: &Scene<'_>) -> BTreeSet<String> {
        let cells = self.cells(scene).into_iter();
        cells.filter_map(|(i, _)| self.cache.built(i as u64)).flat_map(|built| built.hidden.clone()).collect()
    }

    /// The names of the lines on this page, as last drawn, and of what is hidden there.
    pub(super) fn names(&self, scene: &Scene<'_>) -> Vec<String> {
        let mut names = self.hidden(scene);
        for built in self.cells(scene).iter().filter_map(|(i, _)| self.cache.built(*i as u64)) {
            names.extend(built.lines.iter().map(|l| l.name.clone()));
        }
        let mut names: Vec<String> = names.into_iter().collect();
        names.sort_by(|a, b| natural::order(a, b));
        names
    }

    /// Gives charts with equal unit and scale the same range of y, unless they are zoomed.
    fn same_y(&self, scene: &Scene<'_>, sources: &[Source<'_>], cells: &mut [Cell<'_>]) {
        /// Unit and scale.
        type Kind = (Option<String>, Option<bool>);
        let kind = |cell: &Cell<'_>| -> Kind {
            let (unit, log) = Item::unit_and_log(cell.panel.as_ref(), scene.shown);
            (unit, cell.view.log_y.or(log))
        };
        let mut ranges: Vec<(Kind, (f64, f64))> = Vec::new();
        for cell in &*cells {
            let subject = self.items[cell.chart].subject(cell.panel.as_ref());
            let Some((low, high)) = subject.and_then(|s| y_range(sources, s, &cell.view)) else { continue };
            let own = kind(cell);
            match ranges.iter_mut().find(|(k, _)| *k == own) {
                Some((_, r)) => *r = (r.0.min(low), r.1.max(high)),
                None => ranges.push((own, (low, high))),
            }
        }
        for cell in cells.iter_mut().filter(|cell| cell.view.zoom_y.is_none()) {
            let own = kind(cell);
            cell.view.zoom_y = ranges.iter().find(|(k, r)| *k == own && r.0 < r.1).map(|(_, r)| *r);
        }
    }
}
