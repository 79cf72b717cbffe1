//! Tables on standard output, with aligned columns and numbers aligned at their decimal point.

use super::{ascii, shown, styled, terminal};
use gradtop_chart::cells::align::{Align, align, pad_left};
use gradtop_chart::cells::text::{fit, fit_distinct, fit_ends, width_of, wrap};
use gradtop_chart::cells::theme::Ink;

/// On a narrow terminal, text is cut to no less than this.
const LEAST: usize = 12;
/// The last column gets at least this much, if possible.
const LAST: usize = 15;

/// The most characters of a parameter in a table.
const LONGEST: usize = 24;

/// Cuts a parameter that is much longer than usual ones.
pub(crate) fn short_param(value: &str) -> String {
    fit_ends(value, LONGEST, ascii())
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Words {
    text: String,
    ink: Ink,
}

impl Words {
    /// Creates a text in a style.
    pub(crate) fn new(text: impl Into<String>, ink: Ink) -> Self {
        Self { text: shown(text.into()).into_owned(), ink }
    }

    pub(crate) fn dim(text: impl Into<String>) -> Self {
        Self::new(text, Ink::Dim)
    }

    pub(crate) fn bold(text: impl Into<String>) -> Self {
        Self::new(text, Ink::Bold)
    }
}

impl<T: Into<String>> From<T> for Words {
    fn from(text: T) -> Self {
        Self::new(text, Ink::Text)
    }
}

/// A table under construction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<Words>>,
}

impl Table {
    /// Creates a table with these columns; headings may be empty.
    pub(crate) fn new(columns: &[(impl AsRef<str>, Align)]) -> Self {
        let columns =
            columns.iter().map(|(name, align)| (shown(name.as_ref()).into_owned(), *align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Creates a table of text columns.
    pub(crate) fn of_words<const N: usize>(columns: [&str; N]) -> Self {
        Self::new(&columns.map(|name| (name, Align::Left)))
    }

    /// Creates a table of names and values.
    pub(crate) fn of_facts<'a>(facts: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        let mut table = Self::of_words(["", ""]);
        for (name, value) in facts {
            table.row([Words::dim(name), value.into()]);
        }
        table
    }

    /// Adds a row; missing cells are blank.
    pub(crate) fn row(&mut self, cells: impl Into<Vec<Words>>) {
        self.rows.push(cells.into());
    }

    /// Cuts the values of a parameter's column that are much longer than usual ones; those that differ stay distinct.
    pub(crate) fn shorten(&mut self, column: usize) {
        let mut cells: Vec<&mut Words> = self.rows.iter_mut().filter_map(|row| row.get_mut(column)).collect();
        let texts: Vec<String> = cells.iter().map(|cell| cell.text.clone()).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        for (cell, text) in cells.iter_mut().zip(fit_distinct(&texts, LONGEST, ascii())) {
            cell.text = text;
        }
    }

    /// The lines of the table, indented. On a terminal they are cut at its right edge.
    pub(crate) fn lines(&self, indent: usize) -> Vec<String> {
        let limit = terminal().size.map(|(w, _)| w);
        self.laid_out(indent, limit).into_iter().map(painted).collect()
    }

    /// Returns whether the terminal is wide enough.
    pub(crate) fn fits(&self, indent: usize) -> bool {
        terminal().size.is_none_or(|(width, _)| self.width(indent) <= width)
    }

    /// The width of the whole table.
    fn width(&self, indent: usize) -> usize {
        let width = |cells: &Vec<Words>| {
            let line: String = cells.iter().map(|w| w.text.as_str()).collect();
            width_of(line.trim_end())
        };
        self.laid_out(indent, None).iter().map(width).max().unwrap_or(0)
    }

    /// Like [`Self::fits`], if columns without a heading, which are remarks, are cut to no less than [`LAST`].
    pub(crate) fn nearly_fits(&self, indent: usize) -> bool {
        let width = |c: usize| {
            let widest = self.rows.iter().filter_map(|row| row.get(c)).map(|w| width_of(&w.text)).max();
            let (heading, widest) = (width_of(&self.columns[c].0), widest.unwrap_or(0));
            match (heading, widest) {
                (_, 0) => 0,
                (0, widest) => widest.min(LAST) + 2,
                (heading, widest) => widest.max(heading) + 2,
            }
        };
        let width = indent + (0..self.columns.len()).map(width).sum::<usize>();
        terminal().size.is_none_or(|(w, _)| width <= w + 2)
    }

    pub(crate) fn print(&self, indent: usize) {
        super::lines(self.lines(indent));
    }

    /// Prints the table. On a narrow terminal, the last columns are wrapped below their row.
    pub(crate) fn print_wrapped(&self, indent: usize) {
        match terminal().size {
            Some((width, _)) if !self.fits(indent) => {
                super::lines(self.folded(indent, width).into_iter().map(painted));
            }
            _ => self.print(indent),
        }
    }

    /// The lines of a narrow table: as many columns as fit whole, and below each row what else it has, the last column on its own.
    fn folded(&self, indent: usize, width: usize) -> Vec<Vec<Words>> {
        let last = self.columns.len().saturating_sub(1);
        let first = |n: usize| Self {
            columns: self.columns[..n].to_vec(),
            rows: self.rows.iter().map(|r| r.iter().take(n).cloned().collect()).collect(),
        };
        let kept = (1..=last).rev().find(|n| first(*n).width(indent) <= width).unwrap_or(1);
        let lines = first(kept).laid_out(indent, Some(width));
        let heading = lines.len() - self.rows.len();
        let gap = " ".repeat(indent + 4);
        let below = |row: &Vec<Words>| {
            let cells = self.columns.iter().zip(row).take(last).skip(kept);
            let cells = cells.filter(|(_, cell)| !cell.text.is_empty());
            let named =
                cells.map(|((name, _), cell)| format!("{name} {}", cell.text).trim_start().to_owned());
            let texts = [
                named.collect::<Vec<_>>().join(", "),
                row.get(last).map(|w| w.text.clone()).unwrap_or_default(),
            ];
            let lines =
                texts.iter().flat_map(|text| wrap(text, width.saturating_sub(gap.len()))).collect::<Vec<_>>();
            lines.into_iter().map(|text| vec![Words::from(gap.clone()), Words::dim(text)]).collect::<Vec<_>>()
        };
        let mut out = Vec::new();
        for (i, line) in lines.into_iter().enumerate() {
            out.push(line);
            out.extend(i.checked_sub(heading).map(|row| below(&self.rows[row])).unwrap_or_default());
        }
        out
    }

    /// Prints the table. On a narrow terminal, the last column is wrapped within itself or, if most of the terminal is to its
    /// left, below its row.
    pub(crate) fn print_hanging(&self, indent: usize) {
        match terminal().size {
            Some((width, _)) if !self.fits(indent) => {
                self.hanging(indent, width).into_iter().for_each(|cells| super::line(&painted(cells)));
            }
            _ => self.print(indent),
        }
    }

    fn hanging(&self, indent: usize, width: usize) -> Vec<Vec<Words>> {
        let mut lines = Vec::new();
        for mut cells in self.laid_out(indent, None) {
            let Some(last) = cells.pop() else { continue };
            let mut left: usize = cells.iter().map(|w| width_of(&w.text)).sum();
            if left > width / 2 && !last.text.is_empty() {
                left = indent + 2;
                lines.push(std::mem::replace(&mut cells, vec![Words::from(" ".repeat(left))]));
            }
            for text in wrap(&last.text, width.saturating_sub(left).max(LEAST)) {
                cells.push(Words::new(text, last.ink));
                lines.push(std::mem::replace(&mut cells, vec![Words::from(" ".repeat(left))]));
            }
        }
        lines
    }

    fn laid_out(&self, indent: usize, limit: Option<usize>) -> Vec<Vec<Words>> {
        // Skips empty columns.
        let used: Vec<usize> = (0..self.columns.len())
            .filter(|c| self.rows.iter().any(|r| r.get(*c).is_some_and(|w| !w.text.is_empty())))
            .collect();
        let headed = used.iter().any(|c| !self.columns[*c].0.is_empty());
        let heading: Vec<Words> =
            self.columns.iter().map(|(name, _)| Words::new(name.clone(), Ink::Dim)).collect();
        let rows: Vec<&Vec<Words>> = headed.then_some(&heading).into_iter().chain(&self.rows).collect();
        let mut lines: Vec<Vec<Words>> = vec![vec![Words::from(" ".repeat(indent))]; rows.len()];
        let mut room = limit.map(|l| l.saturating_sub(indent));
        let cells = |c: &usize| {
            let (_, align) = self.columns[*c];
            let cell = |row: &&Vec<Words>| row.get(*c).cloned().unwrap_or_else(|| Words::from(""));
            (align, aligned(&rows.iter().map(cell).collect::<Vec<_>>(), align, headed))
        };
        let mut columns: Vec<(Align, Vec<Words>)> = used.iter().map(cells).collect();
        if let Some(room) = room {
            narrow(&mut columns, room);
        }
        for (i, (_, padded)) in columns.into_iter().enumerate() {
            let widest = widest(&padded);
            for (line, mut words) in lines.iter_mut().zip(padded) {
                if let Some(room) = room {
                    words.text = fit(&words.text, room, ascii());
                }
                let blank = widest.saturating_sub(width_of(&words.text)) + 2;
                line.push(words);
                if i + 1 < used.len() {
                    line.push(Words::from(" ".repeat(blank)));
                }
            }
            room = room.map(|r| r.saturating_sub(widest + 2));
        }
        lines
    }
}

fn painted(cells: Vec<Words>) -> String {
    let cell = |w: Words| if w.text.trim().is_empty() { w.text } else { styled(&w.text, w.ink) };
    cells.into_iter().map(cell).collect::<String>().trim_end().to_owned()
}

fn widest(cells: &[Words]) -> usize {
    cells.iter().map(|w| width_of(&w.text)).max().unwrap_or(0)
}

/// Shrinks text columns, the widest first, until the last column has room, too. Shortened texts stay distinct. Nothing is shrunk for
/// the sake of columns that do not fit even then.
fn narrow(columns: &mut [(Align, Vec<Words>)], room: usize) {
    let least = |(align, cells): &(Align, Vec<Words>)| match align {
        Align::Left => widest(cells).min(LEAST) + 2,
        _ => widest(cells) + 2,
    };
    let fits = |kept: &usize| {
        let (before, last) = (&columns[..kept - 1], &columns[kept - 1].1);
        before.iter().map(least).sum::<usize>() + widest(last).min(LAST) <= room
    };
    let kept = (1..=columns.len()).rev().find(fits).unwrap_or(0);
    let Some((last, before)) = columns[..kept].split_last_mut() else { return };
    loop {
        let widths = before.iter().map(|(_, cells)| widest(cells));
        let used = widths.map(|width| width + 2).sum::<usize>() + widest(&last.1).min(LAST);
        let wide = before.iter_mut().filter(|(align, cells)| *align == Align::Left && widest(cells) > LEAST);
        let Some((_, cells)) = wide.max_by_key(|(_, cells)| widest(cells)).filter(|_| used > room) else {
            return;
        };
        let width = widest(cells).saturating_sub(used - room).max(LEAST);
        let texts: Vec<&str> = cells.iter().map(|w| w.text.as_str()).collect();
        for (text, words) in fit_distinct(&texts, width, ascii()).into_iter().zip(cells) {
            words.text = text;
        }
    }
}

/// Aligns the cells of a column. The heading is placed where the numbers end.
fn aligned(cells: &[Words], how: Align, headed: bool) -> Vec<Words> {
    if how == Align::Left {
        return cells.to_vec();
    }
    let (heads, body) = cells.split_at(usize::from(headed).min(cells.len()));
    let texts: Vec<String> = body.iter().map(|w| w.text.clone()).collect();
    let body = align(&texts, how, usize::MAX, ascii()).into_iter().zip(body).map(|(text, w)| (text, w.ink));
    let padded: Vec<(String, Ink)> = heads.iter().map(|w| (w.text.clone(), w.ink)).chain(body).collect();
    let widest = padded.iter().map(|(text, _)| width_of(text)).max().unwrap_or(0);
    padded.into_iter().map(|(text, ink)| Words::new(pad_left(&text, widest), ink)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_align_on_their_point_and_empty_columns_vanish() {
        let mut table = Table::new(&[
            ("name", Align::Left),
            ("", Align::Left),
            ("loss", Align::Point),
            ("eta", Align::Right),
        ]);
        table.row(vec!["a".into(), "".into(), "3.1e-6".into(), "41s".into()]);
        table.row(vec!["long".into(), "".into(), "12.5".into(), "6m".into()]);
        table.row(vec!["b".into(), "".into(), "7".into()]);
        let text: Vec<String> = table
            .laid_out(1, None)
            .into_iter()
            .map(|l| l.into_iter().map(|w| w.text).collect::<String>().trim_end().to_owned())
            .collect();
        assert_eq!(text, [" name     loss  eta", " a      3.1e-6  41s", " long  12.5      6m", " b      7"]);
    }

    #[test]
    fn one_long_parameter_does_not_widen_a_table() {
        let mut table = Table::of_words(["run", "text", "lr"]);
        for end in ["a", "b"] {
            table.row([
                end.into(),
                format!("{}{end}{}", "x".repeat(150), "y".repeat(150)).into(),
                "0.1".into(),
            ]);
        }
        table.shorten(1);
        let lines: Vec<String> = table.laid_out(0, None).into_iter().map(painted).collect();
        assert!(lines.iter().all(|line| width_of(line) < 40) && lines[1] != lines[2], "{lines:#?}");
        assert!(lines[1].contains("a…") || lines[1].contains("…a"), "they still differ: {lines:#?}");
    }

    #[test]
    fn names_still_differ_on_a_narrow_terminal() {
        let mut table = Table::new(&[("name", Align::Left), ("loss", Align::Point), ("note", Align::Left)]);
        for name in ["a-run-with-a-long-name-lr-0.1", "a-run-with-a-long-name-lr-0.2", "short"] {
            table.row(vec![name.into(), "0.25".into(), "as expected, and said at some length".into()]);
        }
        let lines: Vec<String> = table
            .laid_out(0, Some(40))
            .into_iter()
            .map(|line| line.into_iter().map(|w| w.text).collect())
            .collect();
        assert!(lines.iter().all(|line| width_of(line) <= 40 && !line.contains("length")), "{lines:#?}");
        assert!(lines[1].contains("0.1  0.25") && lines[2].contains("0.2  0.25"), "{lines:#?}");
    }

    #[test]
    fn a_name_is_not_cut_for_what_has_no_room_anyway() {
        let mut table = Table::new(&[("name", Align::Left), ("loss", Align::Point), ("of", Align::Left)]);
        table.row(vec!["function-fit-4".into(), "0.123456789012345".into(), "middle and others".into()]);
        let line: String = table.laid_out(0, Some(40)).remove(1).into_iter().map(|w| w.text).collect();
        assert!(line.starts_with("function-fit-4  0.123456789012345"), "{line}");
    }

    #[test]
    fn what_is_too_long_goes_on_below_itself() {
        let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
        table.row(vec!["folder".into(), "runs/exp=a/run=b (3 kB)".into()]);
        table.row(vec!["host".into(), "here".into()]);
        let lines = table.hanging(2, 26).into_iter().map(painted).collect::<Vec<_>>();
        assert_eq!(lines, ["  folder  runs/exp=a/run=b", "          (3 kB)", "  host    here"]);
    }

    #[test]
    fn names_stay_whole_and_what_has_no_room_beside_them_stands_below() {
        let mut table = Table::of_words(["key", "default", "takes", ""]);
        table.row(["a_rather_long_key".into(), "deep,middle".into(), "text".into(), "Which networks".into()]);
        table.row(["lr".into(), "0.1".into(), "".into(), "".into()]);
        let lines = |width| table.folded(2, width).into_iter().map(painted).collect::<Vec<_>>();
        assert_eq!(
            lines(36),
            [
                "  key                default",
                "  a_rather_long_key  deep,middle",
                "      takes text",
                "      Which networks",
                "  lr                 0.1"
            ]
        );
        let below = ["  key", "  a_rather_long_key", "      default deep,middle,", "      takes text"];
        assert_eq!(lines(30)[..4], below);
    }

    #[test]
    fn of_columns_that_all_have_a_name_each_that_has_no_room_stands_below_with_it() {
        let mut table = Table::of_words(["name", "loss", "took", "step", ""]);
        table.row(["a-rather-long-name".into(), "0.25".into(), "3m12s".into(), "1200".into()]);
        let lines = table.folded(1, 30).into_iter().map(painted).collect::<Vec<_>>();
        assert_eq!(lines[1..], [" a-rather-long-name  0.25", "     took 3m12s, step 1200"]);
    }

    #[test]
    fn what_has_little_room_beside_its_row_stands_below_it() {
        let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
        table.row(vec!["2026-01-02 03:04:05".into(), "started on cpu with 2 threads".into()]);
        let lines = table.hanging(2, 40).into_iter().map(painted).collect::<Vec<_>>();
        assert_eq!(lines, ["  2026-01-02 03:04:05", "    started on cpu with 2 threads"]);
    }

    #[test]
    fn a_table_is_cut_at_the_edge() {
        let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
        table.row(vec!["abcdef".into(), "0123456789".into()]);
        let line: String = table.laid_out(0, Some(12)).remove(0).into_iter().map(|w| w.text).collect();
        assert_eq!(width_of(&line), 12);
    }
}
