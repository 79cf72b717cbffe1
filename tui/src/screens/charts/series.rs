//! The list of series, for hiding and showing them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use super::items::Scene;
use super::{Action, Charts, Look};
use crate::print::clean;
use crate::screens::toggle;
use crate::widgets;
use gradtop_chart::cells::align::pad;
use gradtop_chart::cells::text::{fit_distinct, width_of};

/// The index of a series in the list.
fn place(names: &[String], name: &str) -> usize {
    names.iter().position(|n| n == name).unwrap_or(0)
}

impl Charts {
    /// Handles a key of the list.
    pub(super) fn update_list(&mut self, names: &[String], look: &mut Look, action: Action) {
        let Some(here) = &mut self.list else { return };
        let at = place(names, here);
        let name = names.get(at);
        match action {
            Action::Go(to) => {
                let to = names.get(to.from(at, names.len(), names.len()));
                *here = to.cloned().unwrap_or_default();
            }
            Action::Toggle => name.into_iter().for_each(|name| toggle(&mut look.hidden, name)),
            Action::Only => {
                if let Some(name) = name {
                    let is_alone = names.iter().all(|n| look.hidden.contains(n) == (n != name));
                    look.hidden.retain(|n| !names.contains(n));
                    look.hidden.extend(names.iter().filter(|n| !is_alone && *n != name).cloned());
                }
            }
            Action::All => look.hidden.clear(),
            Action::Series => self.list = None,
            _ => {}
        }
    }
}

/// Draws the list on top of the charts.
pub(super) fn view(scene: &Scene<'_>, names: &[String], here: &str, frame: &mut Frame<'_>) {
    let Scene { shared, look, area, .. } = *scene;
    let theme = shared.theme;
    let at = place(names, here);
    let widest = names.iter().map(|n| width_of(n)).max().unwrap_or(0);
    let width = (widest + 8).clamp(30, 50).min(usize::from(area.width));
    let rows = names.len().max(1).min(usize::from(area.height).saturating_sub(1).max(1));
    let height = (rows + 1).min(usize::from(area.height)) as u16;
    let place = Rect { x: area.right() - width as u16, y: area.y, width: width as u16, height };
    frame.render_widget(Clear, place);
    let edge = || Span::styled(theme.glyph("│ ", "| "), theme.dim());
    let hidden = names.len() > rows;
    let head = if hidden { format!("Series {} of {}", at + 1, names.len()) } else { "Series".to_owned() };
    let mut lines = vec![Line::from(vec![edge(), Span::styled(head, theme.bold())])];
    if names.is_empty() {
        lines.push(Line::from(vec![edge(), Span::styled("no series on this page", theme.dim())]));
    }
    let top = (at + 1).saturating_sub(rows);
    let cut: Vec<String> = names.iter().map(|name| clean(name)).collect();
    let cut: Vec<&str> = cut.iter().map(String::as_str).collect();
    let cut = fit_distinct(&cut, width.saturating_sub(6), theme.ascii());
    for (i, (name, cut)) in names.iter().zip(&cut).enumerate().skip(top).take(rows) {
        let shown = !look.hidden.contains(name);
        // Not the sign of a series, which differs between charts.
        let mark = if shown { theme.glyph("✓ ", "x ") } else { theme.glyph("· ", ". ") };
        let text = pad(cut, width.saturating_sub(6));
        let style = if shown { theme.text() } else { theme.dim() };
        let style = if i == at { style.patch(theme.cursor()) } else { style };
        let sign = if i == at { theme.glyph("›", ">") } else { " " };
        lines.push(Line::from(vec![
            edge(),
            Span::styled(sign, theme.accent()),
            Span::styled(mark, style),
            Span::styled(text, style),
        ]));
    }
    widgets::lines(lines, theme, frame, place);
}
