//! A chart in its cell: how it is displayed, and which values lie where.

use ratatui::layout::Rect;

use super::Charts;
use super::items::Scene;
use super::window::Axis;
use gradtop_chart::scale::{Scale, Span};
use gradtop_view::chart_spec::ChartContent;
use gradtop_view::compare::Align;
use gradtop_view::figure::chart::build;
use gradtop_view::figure::prepared::PreparedChart;
use gradtop_view::figure::view::ChartView;

/// A chart in its cell, for conversions between positions and values.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) built: PreparedChart,
    cell: Rect,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) axis: Option<Align>,
}

impl Plot {
    /// Returns whether y is logarithmic.
    pub(super) fn is_log_y(&self) -> bool {
        self.built.chart.y.scale != Scale::Linear
    }

    /// The position of x in the plot, from 0 at the left to 1 at the right.
    pub(super) fn share_of(&self, x: f64) -> Option<f64> {
        self.built.plot.map(|p| p.x.unit(x)).filter(|t| (0.0..=1.0).contains(t))
    }

    /// A position as shares of the plot from the left and from the bottom.
    pub(super) fn share_at(&self, (x, y): (u16, u16)) -> (f64, f64) {
        let Some(area) = self.built.plot.map(|plot| plot.area) else { return (0.5, 0.5) };
        let share = |at: u16, from: u16, inner: usize, of: usize| {
            (f64::from(at) + 0.5 - f64::from(from) - inner as f64) / of.max(1) as f64
        };
        (share(x, self.cell.x, area.left, area.width), 1.0 - share(y, self.cell.y, area.top, area.height))
    }

    /// The value of x at a position of the terminal, if it is in the plot.
    pub(super) fn x_at(&self, (x, y): (u16, u16)) -> Option<f64> {
        let plot = self.built.plot?;
        plot.y_at(usize::from(y.checked_sub(self.cell.y)?))?;
        plot.x_at(usize::from(x.checked_sub(self.cell.x)?))
    }
}

impl Charts {
    /// How a chart is displayed.
    pub(super) fn view_of(&self, scene: &Scene<'_>, chart: usize) -> ChartView {
        let (look, item) = (scene.look, &self.items[chart]);
        let axis = item.axis(scene);
        let [zoom_x, zoom_y] = self.axes(scene, chart).map(|axis| self.zooms.get(&axis).copied());
        ChartView {
            x: look.x.map(Align::native),
            relative: look.x == Some(Align::Fraction),
            log_x: look.log_x,
            log_y: look.log_y.get(&item.id).copied(),
            zoom_x,
            zoom_y,
            smoothing: look.smoothing,
            clip: look.clip,
            hidden: look.hidden.clone(),
            looks: scene.shown.looks(),
            cursor: self.cursor.filter(|(own, _)| Some(*own) == axis).map(|(_, x)| x),
        }
    }

    /// The focused chart and how it is displayed, independent of its neighbours.
    pub(crate) fn chart_spec(&self, scene: &Scene<'_>) -> Option<(ChartContent, ChartView)> {
        let content = self.items.get(self.focus)?.spec(scene.shown)?;
        Some((content, ChartView { cursor: None, ..self.view_of(scene, self.focus) }))
    }

    /// The plot of a chart in its cell.
    pub(super) fn plot(&self, scene: &Scene<'_>, chart: usize, cell: Rect) -> Option<Plot> {
        let item = &self.items[chart];
        let panel = item.panel(scene.shown, scene.look.x);
        let subject = item.subject(panel.as_ref())?;
        let sources = scene.shown.sources();
        let size = (usize::from(cell.width), usize::from(cell.height));
        let build = |view| build(&sources, subject, view, size, scene.shared.theme);
        let view = self.view_of(scene, chart);
        let free = ChartView { zoom_x: None, zoom_y: None, ..view.clone() };
        let built = build(&view);
        let whole = if free == view { built.plot } else { build(&free).plot }?;
        let axis = |whole: Span, shown: Option<Span>| {
            let shown = shown.unwrap_or(whole);
            Axis { whole, shown: (shown.low, shown.high) }
        };
        let x = axis(whole.x, built.plot.map(|plot| plot.x));
        let y = axis(whole.y, built.plot.map(|plot| plot.y));
        Some(Plot { built, cell, x, y, axis: item.axis(scene) })
    }
}
