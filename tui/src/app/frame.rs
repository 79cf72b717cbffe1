//! Draws the frame around a screen: the header, the footer, and messages.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use super::keys::{Action, tables};
use super::{App, Shared};
use crate::print::clean;
use crate::screens::Screen;
use crate::screens::actions::Act as _;
use crate::screens::effect::Message;
use crate::screens::keys::{Row, label};
use crate::widgets;
use gradtop_chart::ascii::substitute;
use gradtop_chart::cells::text::{fit, fit_ends, width_of, wrap};
use gradtop_view::clock;
use gradtop_view::run::state;

/// The area between the header and the last lines, which the screen is drawn in.
pub(super) fn body(app: &App, size: Rect) -> Rect {
    let message = app.message.as_ref().map(|(message, _)| message_lines(&app.shared, message, size));
    let last = message.map_or(1, |lines| lines.len().max(1)) as u16;
    Rect { y: size.y + 1.min(size.height), height: size.height.saturating_sub(1 + last), ..size }
}

/// Draws the whole terminal.
pub(crate) fn view(app: &App, frame: &mut Frame<'_>) {
    let size = frame.area();
    let shared = &app.shared;
    let theme = shared.theme;
    widgets::lines([header(shared, size.width)], theme, frame, Rect { height: 1.min(size.height), ..size });
    for screen in app.visible() {
        screen.view(shared, frame, body(app, size));
    }
    let lines = match &app.message {
        Some((message, _)) => message_lines(shared, message, size),
        None => vec![footer(shared, app.top(), size.width)],
    };
    let last = Rect { height: (lines.len() as u16).min(size.height), ..size };
    let last = Rect { y: size.bottom() - last.height, ..last };
    frame.render_widget(Clear, last);
    widgets::lines(lines, theme, frame, last);
    if theme.ascii() {
        in_ascii(frame.buffer_mut());
    }
}

/// Wraps a message to the width of the terminal.
fn message_lines(shared: &Shared, message: &Message, size: Rect) -> Vec<Line<'static>> {
    let theme = shared.theme;
    let style = if message.failed { theme.alert() } else { theme.text() };
    let room = usize::from(size.width).saturating_sub(2).max(1);
    let most = usize::from(size.height / 3).max(1);
    let mut lines = wrap(&clean(&message.text), room);
    let rest = lines.split_off(most.min(lines.len()));
    if let Some(last) = lines.last_mut().filter(|_| !rest.is_empty()) {
        *last = format!("{last} {}", rest.join(" "));
    }
    lines.iter().map(|line| Line::styled(format!(" {}", fit(line, room, theme.ascii())), style)).collect()
}

/// Replaces every character that an ASCII terminal cannot show, by its ASCII counterpart or a question mark.
fn in_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            cell.set_char(cell.symbol().chars().next().map_or('?', substitute));
        }
    }
}

/// A folder that is cut to this width still says which it is.
const FOLDER: usize = 30;

/// The header: the runs in progress on the left, the machine and the clock on the right.
fn header(shared: &Shared, width: u16) -> Line<'static> {
    let theme = shared.theme;
    let name = (" gradtop".to_owned(), theme.bold());
    let read_only = shared.read_only.then(|| ("  read-only".to_owned(), theme.wait()));
    let behind = shared.behind.map(|by| (format!("{} s behind", by.as_secs()), theme.wait()));
    let mut left: Vec<(String, Style)> = std::iter::once(name.clone()).chain(read_only.clone()).collect();
    let at = left.len();
    left.push(("  ".to_owned(), theme.dim()));
    let counts = state::counts(shared.runs.rows.iter().map(|row| &row.view));
    for (i, (state, certain, n)) in counts.iter().enumerate() {
        let dot = if i == 0 { "" } else { theme.glyph(" · ", ", ") };
        left.push((dot.to_owned(), theme.dim()));
        let ink = theme.ink(state::ink(*state));
        let style = if state.is_final() && ink != theme.alert() { theme.dim() } else { ink };
        left.push((format!("{n} {}", state::word(*state, *certain)), style));
    }
    left.extend(behind.clone().map(|(words, style)| (format!("  link slow, {words}"), style)));
    let mut right = load_and_time(shared);
    // When space is short, the machine is left out first, then the folder; the clock always stays.
    let width = usize::from(width);
    let length = |left: &[(String, Style)], right: &[String]| {
        let left: usize = left.iter().map(|(t, _)| width_of(t)).sum();
        left + right.iter().map(|t| t.len() + 3).sum::<usize>()
    };
    let folder = clean(&shared.opened.as_ref().unwrap_or(&shared.runs.folder).display().to_string());
    let least = 2 + width_of(&folder).min(FOLDER);
    while right.len() > 1 && length(&left, &right) + least > width {
        right.remove(right.len() - 2);
    }
    let room = width.saturating_sub(length(&left, &right));
    if least <= room {
        left.insert(at, (format!("  {}", fit_ends(&folder, room - 2, theme.ascii())), theme.dim()));
    }
    if length(&left, &right) > width {
        // Run states as signs with their counts, after what matters more.
        let states = counts.iter().map(|(state, certain, n)| {
            let sign = state::sign(*state, *certain, theme.ascii());
            (format!(" {sign} {n}"), theme.ink(state::ink(*state)))
        });
        let behind = behind.map(|(words, style)| (format!("  {words}"), style));
        let blank = (" ".to_owned(), theme.dim());
        left = std::iter::once(name).chain(read_only).chain(behind).chain([blank]).chain(states).collect();
    }
    if length(&left, &right) > width {
        right.clear();
    }
    let blank = width.saturating_sub(length(&left, &right));
    let mut spans: Vec<Span<'static>> = left.into_iter().map(|(t, s)| Span::styled(t, s)).collect();
    spans.push(Span::raw(" ".repeat(blank)));
    spans.extend(right.into_iter().map(|t| Span::styled(format!("  {t} "), theme.dim())));
    Line::from(spans)
}

/// The load of the machine and the time. These values change by themselves, so they are shown only while something runs: an
/// idle screen is never redrawn.
fn load_and_time(shared: &Shared) -> Vec<String> {
    if !shared.runs.rows.iter().any(|row| row.live()) {
        return Vec::new();
    }
    let mut parts = Vec::new();
    if let Some(machine) = &shared.machine {
        parts.push(format!("cpu {:>4.1}/{}", machine.busy, machine.processors));
        let gb = |bytes: f64| bytes / 1e9;
        parts.push(format!("mem {:>4.1}/{:.0} GB", gb(machine.memory_used), gb(machine.memory_total)));
        if !machine.gpu_percent.is_empty() {
            let all: Vec<String> = machine.gpu_percent.iter().map(|gpu| format!("{gpu:>3.0}%")).collect();
            parts.push(format!("gpu {}", all.join(" ")));
        }
    }
    parts.push(clock::time_of_day(shared.now));
    parts
}

/// The footer: as many key hints as fit. Help and quit are always among them.
fn footer(shared: &Shared, screen: &dyn Screen, width: u16) -> Line<'static> {
    let theme = shared.theme;
    let targets = screen.targets();
    let runs: Vec<_> = targets.iter().filter_map(|id| shared.runs.get(id)).collect();
    // Hides actions that are possible for none of the targeted runs.
    let idle = |action: Action| match action {
        Action::Runs(action) => !runs.iter().any(|run| action.refused(run).is_none()),
        _ => false,
    };
    let keys = screen.keys();
    let bare = screen.is_bare();
    let own = keys.bindings.iter().filter(|b| !bare || b.changes);
    let own = own.map(|row| (Label::new(row, theme.ascii()), false, row.changes));
    let programs = tables(keys.kind).iter().flat_map(|(_, table)| *table);
    let programs = programs.filter(|b| !idle(b.action)).map(|b| {
        let always = matches!(b.action, Action::Help | Action::Quit);
        let mut label = Label::new(&b.row(), theme.ascii());
        if width < NARROW {
            label.hint = label.hint.split(" (").next().unwrap_or_default();
        }
        (label, always, b.changes)
    });
    let shown = |label: &Label, changes: bool| !(label.hint.is_empty() || shared.read_only && changes);
    let mut all: Vec<(Label, bool)> = Vec::new();
    for (label, always, changes) in own.chain(programs) {
        // Two keys with the same hint are listed once.
        if shown(&label, changes) && !all.iter().any(|(l, _)| l.hint == label.hint) {
            all.push((label, always));
        }
    }
    let kept: usize = all.iter().filter(|(_, always)| *always).map(|(l, _)| l.width()).sum();
    let mut room = usize::from(width).saturating_sub(kept);
    let mut spans = Vec::new();
    for (label, always) in all {
        if !always {
            if label.width() > room {
                continue;
            }
            room -= label.width();
        }
        spans.push(Span::styled(format!(" {}", label.key), theme.accent()));
        spans.push(Span::styled(format!(" {} ", label.hint), theme.dim()));
    }
    Line::from(spans)
}

/// Terminals narrower than this get short hints.
const NARROW: u16 = 60;

/// A key and its hint in the footer.
struct Label {
    key: &'static str,
    hint: &'static str,
}

impl Label {
    fn new(row: &Row, ascii: bool) -> Self {
        Self { key: label(row.names.first().copied().unwrap_or_default(), ascii), hint: row.hint }
    }

    fn width(&self) -> usize {
        width_of(self.key) + width_of(self.hint) + 3
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use gradtop_store::State;

    use crate::app::testing::{Bench, run};
    use crate::app::{Machine, Msg};

    #[test]
    fn the_header_says_what_runs() {
        let mut bench = Bench::of(vec![
            run("fit", "a", 1).at(State::Running, 10),
            run("fit", "b", 2).at(State::Queued, 0),
            run("fit", "c", 3),
            run("fit", "d", 4),
            run("fit", "e", 5).at(State::Crashed, 10),
        ]);
        let machine = Machine {
            busy: 1.87,
            processors: 2,
            memory_used: 2.04e9,
            memory_total: 25.8e9,
            gpu_percent: Vec::new(),
        };
        bench.send(Msg::Machine(machine.clone()));
        let first = |bench: &Bench| bench.screen().lines().next().unwrap().to_owned();
        bench.resize(120, 30);
        assert_eq!(
            first(&bench),
            " gradtop  runs  1 running · 1 queued · 2 finished · 1 crashed                    cpu  1.9/2   mem  2.0/26 GB   14:32:07"
        );
        bench.resize(80, 24);
        assert_eq!(
            first(&bench),
            " gradtop  runs  1 running · 1 queued · 2 finished · 1 crashed          14:32:07"
        );
    }

    #[test]
    fn a_phone_tells_runs_in_doubt_from_others() {
        let elsewhere =
            run("fit", "far", 2).at(State::Running, 10).with(|m, _| m.boot_id = Some("another".to_owned()));
        let mut bench =
            Bench::of(vec![run("fit", "a", 1).at(State::Running, 10), elsewhere, run("fit", "b", 3)]);
        bench.resize(40, 15);
        let screen = bench.screen();
        assert!(screen.starts_with(" gradtop  ● 1 ●? 1 ✓ 1"), "{screen}");
        assert!(screen.lines().any(|l| l.contains("●? far")), "{screen}");
    }

    #[test]
    fn the_header_has_the_gpus_that_runs_are_on() {
        let mut bench = Bench::of(vec![run("fit", "a", 1).at(State::Running, 10).on("cuda:1")]);
        assert_eq!(bench.app.shared.runs.gpus(), ["GPU-of-cuda:1"]);
        let machine = Machine {
            busy: 0.1,
            processors: 2,
            memory_used: 1e9,
            memory_total: 8e9,
            gpu_percent: vec![87.0, 100.0],
        };
        bench.send(Msg::Machine(machine));
        bench.resize(120, 30);
        assert!(
            bench.screen().lines().next().unwrap().contains("gpu  87% 100%   14:32:07"),
            "{}",
            bench.screen()
        );
        let bench =
            Bench::of(vec![run("fit", "b", 1).on("cuda:0"), run("fit", "c", 1).at(State::Running, 1)]);
        assert_eq!(bench.app.shared.runs.gpus(), [""; 0], "one is over, the other is on the processor");
    }

    #[test]
    fn help_and_quitting_are_always_named() {
        let mut bench = Bench::of(vec![run("fit", "a", 1)]);
        bench.keys("j");
        for width in [80, 100, 200] {
            bench.resize(width, 24);
            let last = bench.screen().lines().last().unwrap().to_owned();
            assert!(last.ends_with("? help  q quit (runs continue)"), "{last}");
        }
    }
}
