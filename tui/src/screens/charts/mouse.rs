//! The mouse on charts: the wheel zooms, dragging moves the window or the cursor, a click sets focus and cursor.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::window::Axis;
use super::{Charts, Scene};

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
        let cells = self.cells(scene);
        let on = cells.iter().find(|(_, cell)| cell.contains(place.into())).copied();
        if self.list.is_some() || (on.is_none() && self.drag.is_none()) {
            return on.is_some();
        }
        match mouse.kind {
            MouseEventKind::Drag(MouseButton::Left) => {
                if let Some(drag) = self.drag.take() {
                    self.drag = self.dragged(scene, drag, place);
                }
                return true;
            }
            MouseEventKind::Up(MouseButton::Left) => {
                let drag = self.drag.take();
                if let (Some(drag), Some((chart, _))) = (drag.filter(|d| !d.moved), on)
                    && drag.chart == chart
                    && !self.point(scene, chart, place)
                {
                    // Beside the plot, such as on the title.
                    self.expanded ^= drag.focused;
                }
                return true;
            }
            _ => {}
        }
        let Some((chart, cell)) = on else { return false };
        let Some(plot) = self.plot(scene, chart, cell) else { return true };
        match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => {
                let focused = std::mem::replace(&mut self.focus, chart) == chart;
                let (x, y) = (plot.x.shown, plot.y.shown);
                self.drag = Some(Drag { chart, focused, from: place, x, y, moved: false });
            }
            MouseEventKind::ScrollUp | MouseEventKind::ScrollDown => {
                self.focus = chart;
                let inwards = mouse.kind == MouseEventKind::ScrollUp;
                let (across, up) = plot.share_at(place);
                if mouse.modifiers.intersects(KeyModifiers::SHIFT | KeyModifiers::CONTROL) {
                    self.set_y(plot.y.zoom(up, inwards));
                } else {
                    self.set_x(scene, plot.x.zoom(across, inwards));
                }
            }
            _ => {}
        }
        true
    }

    /// Moves the cursor to a position. Returns false if that is not in the plot.
    fn point(&mut self, scene: &Scene<'_>, chart: usize, place: (u16, u16)) -> bool {
        let cell = self.cells(scene).into_iter().find(|(i, _)| *i == chart);
        let plot = cell.and_then(|(_, cell)| self.plot(scene, chart, cell));
        let Some((plot, x)) = plot.and_then(|plot| {
            let x = plot.x_at(place)?;
            Some((plot, x))
        }) else {
            return false;
        };
        self.cursor = plot.axis.map(|axis| (axis, x)).or(self.cursor);
        true
    }

    fn dragged(&mut self, scene: &Scene<'_>, drag: Drag, place: (u16, u16)) -> Option<Drag> {
        if !drag.moved && place == drag.from {
            return Some(drag);
        }
        let (_, cell) = self.cells(scene).into_iter().find(|(i, _)| *i == drag.chart)?;
        let plot = self.plot(scene, drag.chart, cell)?;
        let (across, up) = plot.shares(drag.from, place);
        let zoomed = (self.x_part(scene).is_some(), self.part().y.is_some());
        if zoomed.0 {
            self.set_x(scene, Axis { shown: drag.x, ..plot.x }.pan(-across));
        }
        if zoomed.1 {
            self.set_y(Axis { shown: drag.y, ..plot.y }.pan(-up));
        }
        if zoomed == (false, false) {
            self.point(scene, drag.chart, place);
        }
        Some(Drag { moved: true, ..drag })
    }
}
