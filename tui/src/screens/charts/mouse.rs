//! The mouse on charts: the wheel zooms, dragging moves the window or the cursor, a click sets focus and cursor.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::plot::Plot;
use super::window::Axis;
use super::{Charts, Scene};
use crate::widgets::Way;

/// A chart is being dragged.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drag {
    chart: usize,
    /// Whether it had the focus before.
    focused: bool,
    from: (u16, u16),
    /// The visible ranges when it began.
    x: (f64, f64),
    y: (f64, f64),
    moved: bool,
}

impl Charts {
    /// Handles the mouse. Returns whether it is on the charts.
    pub(crate) fn mouse(&mut self, scene: &Scene<'_>, mouse: MouseEvent) -> bool {
        let place = (mouse.column, mouse.row);
        let on = self.cells(scene).into_iter().find(|(_, cell)| cell.contains(place.into()));
        let drag = self.drag.take();
        match (mouse.kind, drag) {
            _ if self.list.is_some() => return on.is_some(),
            (MouseEventKind::Drag(MouseButton::Left), Some(drag)) => {
                self.drag = self.dragged(scene, drag, place);
                return true;
            }
            (MouseEventKind::Up(MouseButton::Left), Some(drag)) => {
                // Beside the plot, such as on the title, a click is on the chart as a whole.
                if !drag.moved && !self.point(scene, drag.chart, place) {
                    self.expanded ^= drag.focused;
                }
                return true;
            }
            _ => {}
        }
        let Some((chart, cell)) = on else { return false };
        let Some(plot) = self.plot(scene, chart, cell) else { return true };
        let [x, y] = self.axes(scene, chart);
        match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                let focused = std::mem::replace(&mut self.focus, chart) == chart;
                let (x, y) = (plot.x.shown, plot.y.shown);
                self.drag = Some(Drag { chart, focused, from: place, x, y, moved: false });
            }
            MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
                self.focus = chart;
                let way = if mouse.kind == MouseEventKind::ScrollUp { Way::On } else { Way::Back };
                let (across, up) = plot.share_at(place);
                if mouse.modifiers.intersects(KeyModifiers::SHIFT | KeyModifiers::CONTROL) {
                    self.zoom(y, plot.y.zoom(up, way));
                } else {
                    self.zoom(x, plot.x.zoom(across, way));
                }
            }
            _ => {}
        }
        true
    }

    /// A chart with its plot, if it is visible.
    fn visible(&self, scene: &Scene<'_>, chart: usize) -> Option<Plot> {
        let (_, cell) = self.cells(scene).into_iter().find(|(i, _)| *i == chart)?;
        self.plot(scene, chart, cell)
    }

    /// Moves the cursor to a position. Returns false if that is not in the plot.
    fn point(&mut self, scene: &Scene<'_>, chart: usize, place: (u16, u16)) -> bool {
        let plot = self.visible(scene, chart);
        let Some((axis, x)) = plot.and_then(|plot| Some((plot.axis, plot.x_at(place)?))) else {
            return false;
        };
        self.cursor = axis.map(|axis| (axis, x)).or(self.cursor);
        true
    }

    fn dragged(&mut self, scene: &Scene<'_>, drag: Drag, place: (u16, u16)) -> Option<Drag> {
        if !drag.moved && place == drag.from {
            return Some(drag);
        }
        let plot = self.visible(scene, drag.chart)?;
        let ((x_from, y_from), (x_to, y_to)) = (plot.share_at(drag.from), plot.share_at(place));
        let [x, y] = self.axes(scene, drag.chart);
        let zoomed = [&x, &y].map(|axis| self.zooms.contains_key(axis));
        if zoomed[0] {
            self.zoom(x, Axis { shown: drag.x, ..plot.x }.pan(x_from - x_to));
        }
        if zoomed[1] {
            self.zoom(y, Axis { shown: drag.y, ..plot.y }.pan(y_from - y_to));
        }
        if zoomed == [false; 2] {
            self.point(scene, drag.chart, place);
        }
        Some(Drag { moved: true, ..drag })
    }
}
