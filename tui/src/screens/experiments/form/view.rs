//! Draws the form.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

use super::field::LOG_SCALE;
use super::{Field, Form, Role};
use crate::print::clean;
use crate::screens::pen::Pen;
use crate::screens::shared::Shared;
use crate::widgets::around;
use gradtop_chart::cells::text::{fit_distinct, width_of, wrap, wrap_in};
use gradtop_chart::cells::theme::Theme;
use gradtop_chart::number::counted;

/// A line in the middle of the form.
#[derive(Clone, Copy, PartialEq)]
enum Slot {
    Heading(&'static str),
    Blank,
    Field(usize),
    Start,
}

fn slots(form: &Form) -> Vec<Slot> {
    let mut slots = Vec::new();
    for (i, field) in form.fields.iter().enumerate() {
        match (&field.role, i.checked_sub(1).map(|b| &form.fields[b].role)) {
            (Role::Param(_), Some(Role::Preset | Role::Command)) => {
                slots.extend([Slot::Blank, Slot::Heading("parameters")]);
            }
            (Role::Name, _) => slots.extend([Slot::Blank, Slot::Heading("run")]),
            _ => {}
        }
        slots.push(Slot::Field(i));
    }
    slots.extend([Slot::Blank, Slot::Start]);
    slots
}

/// The areas: title, fields, and the description of the current field.
struct Layout {
    title: Rect,
    fields: Rect,
    about: Rect,
}

fn layout(form: &Form, area: Rect) -> Layout {
    // When there are few rows, fields take precedence over everything but errors.
    let wrong = failure(form, area.width.into()).len() as u16;
    let (title, about) = match area.height {
        20.. => (3, 5.max(wrong + 1)),
        10.. => (1, 3.max(wrong + 1)),
        _ => (area.height.min(1), 0),
    };
    let about = about.min(area.height / 2);
    Layout {
        title: Rect { height: title, ..area },
        fields: Rect { y: area.y + title, height: area.height - title - about, ..area },
        about: Rect { y: area.bottom() - about, height: about, ..area },
    }
}

fn top_of(form: &Form, slots: &[Slot], height: usize) -> usize {
    let here = if form.field().is_some() { Slot::Field(form.cursor) } else { Slot::Start };
    around(slots.iter().position(|slot| *slot == here).unwrap_or(0), slots.len(), height)
}

/// The field, or the start button, at a position.
pub(crate) fn field_at(form: &Form, area: Rect, at: Position) -> Option<usize> {
    let place = layout(form, area).fields;
    let slots = slots(form);
    let top = top_of(form, &slots, usize::from(place.height));
    let slot = place.contains(at).then(|| slots.get(top + usize::from(at.y - place.y)))??;
    match slot {
        Slot::Field(i) => Some(*i),
        Slot::Start => Some(form.fields.len()),
        Slot::Heading(_) | Slot::Blank => None,
    }
}

/// The columns before a name, and after everything, for marks.
const MARKS: usize = 4;
const EDGE: usize = 2;

/// The widths of the columns.
struct Columns {
    key: usize,
    value: usize,
    unit: usize,
    all: usize,
}

impl Columns {
    fn of(form: &Form, width: usize) -> Self {
        let widest = |of: &dyn Fn(&Field) -> usize| form.fields.iter().map(of).max().unwrap_or(0);
        let key = widest(&|f| width_of(&clean(f.key()))).min(24).min(width / 2) + 2;
        let unit = widest(&unit_width);
        let room = width.saturating_sub(MARKS + key + unit);
        let most = (room * 6 / 10).max(room.min(20)).min(56);
        // Longer ones have room of their own.
        let wanted = |f: &Field| {
            let width = 1 + if f.is_choice() { choices_width(f) } else { value_width(f) };
            if width > most { 0 } else { width }
        };
        let value = widest(&wanted).max(20).min(most);
        Self { key, value, unit, all: width.saturating_sub(MARKS + EDGE) }
    }

    /// The columns of the name and the value of a field. What is long has what the other leaves blank, and what is beside it.
    fn of_field(&self, field: &Field) -> (usize, usize) {
        if field.error.is_some() {
            return (self.key, self.value);
        }
        let room = self.all.saturating_sub(unit_width(field));
        let name = width_of(&clean(field.key())) + 2;
        let all = choices_width(field);
        let value = if field.is_choice() && self.key + all <= room { all } else { value_width(field) };
        let before = room.saturating_sub(value);
        let key = before.clamp(name.min(self.key), name.max(self.key));
        (key, value.max(self.value).min(room.saturating_sub(key)))
    }

    /// The columns next to a field for the accepted values or an error.
    fn beside(&self) -> usize {
        self.all.saturating_sub(self.key + self.value + self.unit)
    }
}

fn unit_width(field: &Field) -> usize {
    match width_of(&clean(field.unit())) {
        0 => 0,
        n => n.min(12) + 2,
    }
}

/// The width of a value with the cursor and a blank after it, or of a choice by itself.
fn value_width(field: &Field) -> usize {
    match field.role {
        // It takes the rest of its line.
        Role::Command => 0,
        _ if field.is_choice() => choices_width(field).min(width_of(&clean(&field.value())) + 4),
        _ if field.line.is_empty() => width_of(placeholder(field)) + 3,
        _ => width_of(&clean(&field.value())) + 2,
    }
}

fn choices_width(field: &Field) -> usize {
    field.choices.iter().map(|c| width_of(&clean(c)) + 2).sum::<usize>()
}

pub(crate) fn view(form: &Form, shared: &Shared, frame: &mut Frame<'_>, area: Rect) {
    let theme = shared.theme;
    let place = layout(form, area);
    title(form, theme, frame, place.title);
    let slots = slots(form);
    let columns = Columns::of(form, usize::from(area.width));
    let keys: Vec<String> = form.fields.iter().map(|field| clean(field.key())).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let keys = fit_distinct(&keys, columns.key.saturating_sub(2), theme.ascii());
    let height = usize::from(place.fields.height);
    let top = top_of(form, &slots, height);
    for (y, slot) in slots.iter().skip(top).take(height).enumerate() {
        // The last columns hold the scroll marks.
        let inner = Rect { width: place.fields.width.saturating_sub(2), ..place.fields };
        let mut pen = Pen::row(frame.buffer_mut(), theme, inner, y as u16);
        match slot {
            Slot::Blank => {}
            Slot::Heading(text) => drop(pen.skip(2).put(text, theme.dim())),
            Slot::Field(i) => {
                let line =
                    FieldLine { field: &form.fields[*i], key: &keys[*i], here: *i == form.cursor, theme };
                line.draw(&columns, place.fields, &mut pen);
            }
            Slot::Start => start(form, shared, place.fields, &mut pen),
        }
    }
    scroll_marks(slots.len(), top, theme, frame, place.fields);
    field_details(form, theme, frame, place.about);
}

fn title(form: &Form, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let e = &form.experiment;
    let buffer = frame.buffer_mut();
    let mut pen = Pen::row(buffer, theme, area, 0);
    let what = match &form.of {
        Some(run) => format!("run like {}", clean(run)),
        None => "new run".to_owned(),
    };
    pen.skip(1).put(&what, theme.text()).skip(1);
    pen.put("of ", theme.dim()).put(&clean(&e.id), theme.bold()).skip(1).put(&clean(&e.version), theme.dim());
    let file = clean(&form.plugin.file_name().unwrap_or_default().to_string_lossy());
    let free = pen.room().saturating_sub(width_of(&file) + 1);
    if free > 1 {
        pen.skip(free).put(&file, theme.dim());
    }
    let second = form.notes.join(" · ");
    let (text, style) = if second.is_empty() { (&e.summary, theme.dim()) } else { (&second, theme.wait()) };
    Pen::row(buffer, theme, area, 1).skip(1).put(&clean(text), style);
}

/// A field as drawn.
struct FieldLine<'a> {
    field: &'a Field,
    /// Its name, shortened.
    key: &'a str,
    /// Whether the cursor is on it.
    here: bool,
    theme: Theme,
}

impl FieldLine<'_> {
    fn draw(&self, columns: &Columns, area: Rect, pen: &mut Pen<'_>) {
        let Self { field, here, theme, .. } = *self;
        let (key, value) = columns.of_field(field);
        let changed = field.is_changed();
        pen.left(if here { theme.glyph("›", ">") } else { "" }, 2, theme.accent());
        let (mark, mark_style) = match (&field.error, changed) {
            (Some(_), _) => (theme.glyph("✗ ", "x "), theme.alert()),
            (None, true) => (theme.glyph("● ", "* "), theme.accent()),
            (None, false) => ("  ", theme.text()),
        };
        pen.put(mark, mark_style);
        let whole = clean(field.key());
        let name = if width_of(&whole) + 2 <= key { &whole } else { self.key };
        pen.left(name, key, if here || changed { theme.bold() } else { theme.text() });
        if here {
            pen.tint(area, theme.cursor());
        }
        let before = pen.room();
        match field.role {
            _ if field.is_choice() => self.choices(value, pen),
            Role::Command if field.error.is_none() => self.value(before, pen),
            _ => self.value(value, pen),
        }
        pen.skip(value.saturating_sub(before - pen.room()));
        if columns.unit > 0 {
            pen.left(&clean(field.unit()), columns.unit, theme.dim());
        }
        self.takes(pen);
    }

    /// The error, or the accepted values.
    fn takes(&self, pen: &mut Pen<'_>) {
        let Self { field, here, theme, .. } = *self;
        let takes = clean(&field.takes());
        let whole = width_of(&takes) <= pen.room();
        let takes = if whole { &takes } else { takes.trim_end_matches(LOG_SCALE) };
        match &field.error {
            // An error too long for its line is shown below while the cursor is on it.
            Some(error) if width_of(error) > pen.room() && (here || matches!(field.role, Role::Param(_))) => {
                pen.put(takes, theme.alert());
            }
            Some(error) => drop(pen.put(error, theme.alert())),
            // A few letters would not help.
            None if field.is_choice() || width_of(takes).min(12) > pen.room() => {}
            None => drop(pen.put(takes, theme.dim())),
        }
    }

    fn style(&self) -> Style {
        if self.here { self.theme.accent() } else { self.theme.text() }
    }

    /// All choices, with the selected one in brackets for terminals without colour. Only the selected one if space is short.
    fn choices(&self, width: usize, pen: &mut Pen<'_>) {
        let Self { field, theme, .. } = *self;
        let chosen = field.value();
        if choices_width(field) > width {
            let (left, right) = (theme.glyph("‹ ", "< "), theme.glyph(" ›", " >"));
            pen.put(left, theme.dim()).wide(&clean(&chosen), width.saturating_sub(4), self.style());
            pen.put(right, theme.dim());
            return;
        }
        for choice in &field.choices {
            if *choice == chosen {
                pen.put("[", theme.dim()).put(&clean(choice), self.style()).put("]", theme.dim());
            } else {
                pen.put(&format!(" {} ", clean(choice)), theme.dim());
            }
        }
    }

    fn value(&self, width: usize, pen: &mut Pen<'_>) {
        let Self { field, here, theme, .. } = *self;
        let width = width.saturating_sub(1);
        if here {
            for span in field.line.spans(width, theme) {
                pen.put(&span.content, span.style);
            }
            if field.line.is_empty() {
                pen.skip(1).wide(placeholder(field), width.saturating_sub(2), theme.dim());
            }
        } else if field.line.is_empty() {
            pen.wide(placeholder(field), width, theme.dim());
        } else {
            let style = if field.error.is_some() { theme.alert() } else { theme.text() };
            pen.wide(&clean(&field.value()), width, style);
        }
    }
}

fn placeholder(field: &Field) -> &'static str {
    match &field.role {
        Role::Name => "next free number",
        Role::Seed => "drawn",
        Role::Threads => "by the machine",
        _ => "empty",
    }
}

fn start(form: &Form, shared: &Shared, area: Rect, pen: &mut Pen<'_>) {
    let theme = shared.theme;
    let here = form.field().is_none();
    pen.left(if here { theme.glyph("›", ">") } else { "" }, 2, theme.accent());
    let errors = form.errors();
    let (text, style) = match (form.busy, errors.as_slice()) {
        (true, _) => ("starting …".to_owned(), theme.wait()),
        (false, []) => ("[ start the run ]".to_owned(), if here { theme.accent() } else { theme.bold() }),
        (false, [one]) => (format!("{one} has an error"), theme.alert()),
        (false, all) => (format!("{} fields have errors: {}", all.len(), all.join(", ")), theme.alert()),
    };
    pen.skip(2).put(&text, style);
    let changed = form.changed();
    if changed > 0 && errors.is_empty() {
        let text = format!("{} changed", counted(changed, "parameter"));
        pen.skip(3).put(&text, theme.dim());
    }
    if here {
        pen.tint(area, theme.cursor());
    }
}

fn scroll_marks(len: usize, top: usize, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let height = usize::from(area.height);
    let edge = Rect { x: area.right().saturating_sub(2), width: 1, ..area };
    if top > 0 {
        Pen::row(frame.buffer_mut(), theme, edge, 0).put(theme.glyph("↑", "^"), theme.dim());
    }
    if top + height < len && area.height > 0 {
        Pen::row(frame.buffer_mut(), theme, edge, area.height - 1).put(theme.glyph("↓", "v"), theme.dim());
    }
}

/// The help, range and error of the current field.
fn field_details(form: &Form, theme: Theme, frame: &mut Frame<'_>, area: Rect) {
    let buffer = frame.buffer_mut();
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    Pen::row(buffer, theme, inner, 0).rule();
    let width = usize::from(inner.width).max(1);
    let wrong = failure(form, area.width.into());
    let height = usize::from(inner.height);
    let from = height.saturating_sub(wrong.len()).clamp(1, 3);
    let leave = "The run keeps going when you leave this screen or close the terminal.";
    let (help, style) = match form.field() {
        Some(field) if field.role == Role::Preset => (preset_help(form, field), theme.text()),
        Some(field) => (clean(field.help()), theme.text()),
        None => (leave.to_owned(), theme.dim()),
    };
    // Where there is room, what is accepted is below.
    let room = if wrong.is_empty() { height.saturating_sub(2).max(2) } else { from - 1 };
    for (i, line) in wrap_in(&help, width, room, theme.ascii()).iter().enumerate() {
        Pen::row(buffer, theme, inner, i as u16 + 1).put(line, style);
    }
    for (i, line) in wrong.iter().enumerate() {
        Pen::row(buffer, theme, inner, (from + i) as u16).put(line, theme.alert());
    }
    let Some(field) = form.field().filter(|_| wrong.is_empty()) else { return };
    let mut pen = Pen::row(buffer, theme, inner, room as u16 + 1);
    let takes = clean(&field.takes());
    pen.put(&takes, theme.dim());
    if !takes.is_empty() {
        pen.skip(3);
    }
    if let Some(share) = field.position() {
        pen.put(&gauge(share, theme), theme.dim()).skip(3);
    }
    if field.is_changed() {
        let base = if field.base.is_empty() { "empty".to_owned() } else { clean(&field.base) };
        pen.put("was ", theme.dim()).put(&base, theme.text());
    }
}

fn preset_help(form: &Form, field: &Field) -> String {
    let name = field.value();
    let Some(preset) = form.experiment.presets.iter().find(|p| p.name == name) else {
        return "every parameter at its default".to_owned();
    };
    let values: Vec<String> = preset.values.iter().map(|(k, v)| clean(&format!("{k}={v}"))).collect();
    let values = if values.is_empty() { String::new() } else { format!(" ({})", values.join(" ")) };
    clean(&preset.help) + &values
}

/// The error of the form, wrapped, unless it is shown at a field.
fn failure(form: &Form, width: usize) -> Vec<String> {
    let beside = Columns::of(form, width).beside();
    let told = |f: &&Field| f.error.as_ref().is_none_or(|e| beside >= width_of(e));
    let own = form.field().filter(|f| !told(f)).and_then(Field::error_message);
    let text = form.failed.clone().or(own).unwrap_or_default();
    wrap(&text, width.saturating_sub(2).max(1))
}

/// The position of a value within its range: `├──●────┤`.
fn gauge(share: f64, theme: Theme) -> String {
    const CELLS: usize = 16;
    let at = (share * (CELLS - 1) as f64).round() as usize;
    let (line, point) = (theme.glyph("─", "-"), theme.glyph("●", "o"));
    let middle: String = (0..CELLS).map(|i| if i == at { point } else { line }).collect();
    format!("{}{middle}{}", theme.glyph("├", "|"), theme.glyph("┤", "|"))
}
