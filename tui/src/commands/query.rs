//! `gradtop query`: SQL over runs, answered by DuckDB.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use gradtop_chart::cells::align::Align;
use gradtop_chart::colour::Paint;
use gradtop_chart::{Axis, Chart, Figure, Mark, Shape, number};
use signal_hook::consts::SIGINT;

use super::Context;
use super::select::matching;
use crate::drawing::{self, Format, write_all};
use crate::failure::Failure;
use crate::files::{Cannot as _, ends_as, keeps_existing, not_stdout, path_of, write_whole};
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use crate::report::markdown;
use crate::setup::duckdb;
use crate::sql::lake::Lake;
use crate::sql::{literal, saved};

/// Separates cells; it occurs in no text.
const SEPARATOR: char = '\u{1f}';
/// The most rows printed on a terminal.
const ROWS: usize = 1000;

#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("form").args(["csv", "json", "md", "parquet", "plot"])),
    after_help = "Views: runs, params, metrics, events, and one for each table that runs log. `exp` and `run` join them. \
                  Without SQL, DuckDB's prompt opens on a terminal; elsewhere SQL is read from standard input. \
                  @NAME is a saved query; your own are queries/NAME.sql next to config.toml.\n\n\
                  gradtop query \"SELECT run, max(step) FROM metrics GROUP BY ALL\"\n\
                  gradtop query @curve --plot step,value,run"
)]
pub(crate) struct Args {
    /// SQL, or @NAME for a saved query
    #[arg(allow_hyphen_values = true, value_parser = sql)]
    sql: Option<String>,
    /// Only these runs, by a filter as in the monitor, such as 'tag:best exp:curve-fit'
    #[arg(long, value_name = "FILTER")]
    runs_of: Option<String>,
    /// Print CSV
    #[arg(long)]
    csv: bool,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
    /// Print a Markdown table
    #[arg(long)]
    md: bool,
    /// Write a Parquet file
    #[arg(long, value_name = "FILE")]
    parquet: Option<PathBuf>,
    /// Overwrite that file
    #[arg(long, requires = "parquet")]
    force: bool,
    /// Draw these columns: y over x, a line for each value of the third
    #[arg(long, value_name = "X,Y[,BY]", value_delimiter = ',')]
    plot: Vec<String>,
    /// With --plot: write an SVG drawing, - prints it
    #[arg(long, value_name = "FILE|-", requires = "plot")]
    svg: Option<PathBuf>,
    /// With --plot: write a PNG picture, - prints it
    #[arg(long, value_name = "FILE|-", requires = "plot")]
    png: Option<PathBuf>,
    /// List the saved queries
    #[arg(long, conflicts_with_all = ["sql", "form"])]
    list: bool,
}

/// SQL may begin with a comment, which looks like an option.
fn sql(text: &str) -> Result<String, String> {
    let comment = text.strip_prefix("--").is_some_and(|rest| rest.starts_with(char::is_whitespace));
    if text.starts_with('-') && !comment {
        Err("there is no such option".to_owned())
    } else {
        Ok(text.to_owned())
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    if args.list {
        let mut table = Table::of_words(["", ""]);
        for (name, query) in saved::all()? {
            table.row([clean(&format!("@{name}")).into(), clean(&query.about).into()]);
        }
        table.print_hanging(0);
        return Ok(0);
    }
    let sql = match &args.sql {
        Some(text) => match text.strip_prefix('@') {
            Some(name) => Some(saved::named(name)?.sql),
            None => Some(text.clone()),
        },
        None if std::io::stdin().is_terminal() => None,
        None => Some(crate::files::read_input("SQL")?),
    };
    if sql.as_ref().is_some_and(|sql| sql.trim().is_empty()) {
        return Err(Failure::usage("the query is empty").into());
    }
    let program = duckdb::find_or_ask()?;
    let found = matching(context, args.runs_of.as_deref().unwrap_or_default())?;
    if found.views.is_empty() {
        let none = match (&args.runs_of, context.runs()?) {
            (Some(filter), _) => format!("no run matches the filter `{}`", clean(filter)),
            (None, folder) => format!("there are no runs in {}", print::short(&folder)),
        };
        return Err(Failure::new(none).into());
    }
    let lake = Lake::new(&found.views, sql.as_deref())?;
    // Ctrl-C is for DuckDB, which cancels the query; we must survive to remove the folder.
    signal_hook::flag::register(SIGINT, Arc::new(AtomicBool::new(false)))?;
    match sql {
        None => lake.prompt(&program, || ()),
        Some(sql) => {
            let one = args.csv || args.json || args.md || args.parquet.is_some() || !args.plot.is_empty();
            let (earlier, last) = split_last(&sql);
            // On a terminal, several tables are DuckDB's.
            let ours = args.md || earlier.is_empty() && !one && print::terminal().size.is_some();
            let (earlier, sql) = if one { (earlier, last) } else { ("", sql.as_str()) };
            answer(&Asking { program: &program, lake: &lake, earlier }, sql, args, ours)
        }
    }
}

/// Asks, and gives the answer in the wanted form. `cells` says that its table is made here.
fn answer(duckdb: &Asking<'_>, sql: &str, args: &Args, cells: bool) -> Result<i32> {
    if let Some(file) = &args.parquet {
        keeps_existing(ends_as(not_stdout(file, "Parquet")?, "parquet")?, args.force)?;
        write_whole(file, |out| {
            let to = literal(&path_of(out));
            duckdb
                .ask(".mode csv\n", &format!("COPY (\n{sql}\n) TO {to} (FORMAT parquet, USE_TMP_FILE false)"))
        })?;
        print::line(&format!("wrote {}", print::short(file)));
        return Ok(0);
    }
    match args.plot.as_slice() {
        [] => {}
        [x, y] => return plot(duckdb, sql, (x, y, None), args),
        [x, y, by] => return plot(duckdb, sql, (x, y, Some(by)), args),
        _ => return Err(Failure::usage("--plot takes two columns, or three: X,Y,BY").into()),
    }
    let (width, ascii) = (print::terminal().size.map(|(width, _)| width), print::ascii());
    let form = match args {
        Args { csv: true, .. } => ".mode csv\n.nullvalue ''\n".to_owned(),
        Args { json: true, .. } => ".mode json\n".to_owned(),
        _ if cells => CELLS.to_owned(),
        _ if ascii => ".mode table\n".to_owned(),
        _ => match width {
            Some(width) => format!(".mode duckbox\n.highlight off\n.maxrows 1000\n.maxwidth {width}\n"),
            None => ".mode box\n".to_owned(),
        },
    };
    let said = duckdb.ask(&form, sql)?;
    if args.json {
        print::content(&gradtop_store::strict_json(&said));
    } else if args.csv {
        // DuckDB ends the lines of CSV with CRLF.
        print::content(&said.replace("\r\n", "\n"));
    } else if args.md {
        print::content(&Cells::of(&said).markdown());
    } else if cells {
        Cells::of(&said).print();
    } else {
        print::out(&said);
    }
    Ok(0)
}

/// DuckDB, asked about runs.
struct Asking<'a> {
    program: &'a Path,
    lake: &'a Lake,
    /// Statements that come before the one whose answer is wanted.
    earlier: &'a str,
}

impl Asking<'_> {
    /// Runs DuckDB and returns its answer.
    fn ask(&self, form: &str, sql: &str) -> Result<String> {
        let (file, aside) = (self.lake.file("query.sql"), self.lake.file("earlier.txt"));
        // Only one answer can be given. The user's statements start on lines of their own, so that line numbers in
        // errors are right.
        let earlier = match self.earlier {
            "" => String::new(),
            earlier => format!(".mode csv\n.output '{}'\n{earlier}\n.output\n", aside.display()),
        };
        let script = format!(".bail on\n{}{earlier}{form}{sql}\n;\n", self.lake.views);
        fs::write(&file, script).context("cannot write the query")?;
        let output = Command::new(self.program)
            .args(["-no-init", "-f"])
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(print::stderr())
            .stdout(Stdio::piped())
            .output()
            .cannot("start", self.program)?;
        if !output.status.success() {
            print::out(&String::from_utf8_lossy(&output.stdout));
            return Err(Failure::new("the query failed; DuckDB's message is above").into());
        }
        if fs::metadata(&aside).is_ok_and(|said| said.len() > 0) {
            return Err(Failure::usage("several of these statements have an answer, and one can be given")
                .help("ask for each by itself")
                .into());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Returns the names of the columns of an answer.
    fn columns(&self, sql: &str) -> Result<Vec<String>> {
        let said = self.ask(CELLS, &format!("DESCRIBE FROM (\n{sql}\n)"))?;
        Ok(rows(&said).skip(1).filter_map(|row| Some(row.into_iter().next()?.text.into_owned())).collect())
    }
}

/// Splits SQL before its last statement. Semicolons in texts, names and comments end no statement.
fn split_last(sql: &str) -> (&str, &str) {
    let (mut start, mut end, mut begun) = (0, None, false);
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        let at = sql.len() - rest.len();
        let closed = |mark: &str, from: usize| {
            rest.get(from..)
                .and_then(|inner| inner.find(mark))
                .map_or(rest.len(), |found| from + found + mark.len())
        };
        let tag = rest.strip_prefix('$').and_then(|tail| tail.split_once('$')).map(|(tag, _)| tag);
        let tag = tag.filter(|tag| tag.chars().all(|c| c.is_alphanumeric() || c == '_'));
        let taken = match (c, tag) {
            ('-', _) if rest.starts_with("--") => closed("\n", 2),
            ('/', _) if rest.starts_with("/*") => closed("*/", 2),
            _ if c.is_whitespace() => c.len_utf8(),
            (';', _) => {
                end = end.or(Some(at));
                1
            }
            _ => {
                if end.take().is_some() && begun {
                    start = at;
                }
                begun = true;
                match (c, tag) {
                    ('\'' | '"', _) => closed(&c.to_string(), 1),
                    ('$', Some(tag)) => closed(&format!("${tag}$"), tag.len() + 2),
                    _ => c.len_utf8(),
                }
            }
        };
        rest = &rest[taken..];
    }
    (sql[..start].trim(), sql[start..end.unwrap_or(sql.len())].trim())
}

/// What makes DuckDB give cells that may contain line breaks, with texts in quotes, for [`rows`].
const CELLS: &str = ".mode quote\n.separator \"\\037\" \"\\036\"\n";

struct Cell<'a> {
    /// Empty for NULL.
    text: Cow<'a, str>,
    /// Whether it is a number, not a text that looks like one.
    is_number: bool,
}

impl<'a> From<&'a str> for Cell<'a> {
    fn from(said: &'a str) -> Self {
        match said.strip_prefix('\'').and_then(|said| said.strip_suffix('\'')) {
            Some(quoted) => Self { text: quoted.replace("''", "'").into(), is_number: false },
            None if said == "NULL" => Self { text: "".into(), is_number: false },
            None => Self { text: said.into(), is_number: said.parse::<f64>().is_ok() },
        }
    }
}

/// Splits an answer into rows of cells, of which the first are the names of the columns.
fn rows(said: &str) -> impl Iterator<Item = Vec<Cell<'_>>> {
    said.split_terminator('\u{1e}').map(|row| row.split(SEPARATOR).map(Cell::from).collect())
}

/// A number with more characters is shortened on a terminal: DuckDB gives all digits that tell it from the next one.
const DIGITS: usize = 12;

/// Whether a number is none that counts something.
fn is_fraction(number: &str) -> bool {
    number.contains(['.', 'e'])
}

struct Cells<'a> {
    /// The names of the columns, and whether they hold numbers.
    head: Vec<(Cow<'a, str>, bool)>,
    /// Whether a column has numbers of more digits than anybody reads.
    long: Vec<bool>,
    rows: Vec<Vec<Cell<'a>>>,
}

impl<'a> Cells<'a> {
    fn of(said: &'a str) -> Self {
        let mut rows = rows(said);
        let names = rows.next().unwrap_or_default();
        let rows: Vec<Vec<Cell<'_>>> = rows.collect();
        let number = |at: usize| rows.iter().filter_map(|row| row.get(at)).any(|cell| cell.is_number);
        let head: Vec<_> = names.into_iter().enumerate().map(|(at, name)| (name.text, number(at))).collect();
        let is_long = |row: &Vec<Cell<'_>>, at: usize| {
            let text = row.get(at).map_or("", |cell| &cell.text);
            is_fraction(text) && (text.len() > DIGITS || text.contains('e'))
        };
        let long = head
            .iter()
            .enumerate()
            .map(|(at, (_, number))| *number && rows.iter().any(|row| is_long(row, at)));
        Self { long: long.collect(), head, rows }
    }

    /// A cell for a terminal: numbers as in all tables.
    fn shown(&self, at: usize, cell: &Cell<'_>) -> String {
        let short = self.long[at] && is_fraction(&cell.text);
        cell.text.parse().ok().filter(|_| short).map_or_else(|| clean(&cell.text), number::value)
    }

    fn markdown(&self) -> String {
        let rows = self.rows.iter().map(|row| row.iter().map(|cell| markdown::escape(&cell.text)).collect());
        markdown::table(self.head.iter().map(|(name, number)| (name.as_ref(), *number)), rows) + "\n"
    }

    /// Prints a table, or where it is too wide, the columns of each row below each other.
    fn print(&self) {
        let align = |(number, long)| match (number, long) {
            (_, true) => Align::Point,
            (true, _) => Align::Right,
            (false, _) => Align::Left,
        };
        let head: Vec<_> = self
            .head
            .iter()
            .zip(&self.long)
            .map(|((name, number), long)| (clean(name), align((*number, *long))))
            .collect();
        let mut table = Table::new(&head);
        for row in self.rows.iter().take(ROWS) {
            let cells = row.iter().enumerate().map(|(at, cell)| self.shown(at, cell).into());
            table.row(cells.collect::<Vec<Words>>());
        }
        if table.fits(0) {
            table.print(0);
        } else {
            for (at, row) in self.rows.iter().take(ROWS).enumerate() {
                if at > 0 {
                    print::line("");
                }
                let facts = head.iter().zip(row).enumerate();
                let facts = facts.map(|(at, ((name, _), cell))| (name.as_str(), self.shown(at, cell)));
                Table::of_facts(facts).print_hanging(0);
            }
        }
        if self.rows.len() > ROWS {
            print::dim(&format!("{} more: --csv prints all", number::counted(self.rows.len() - ROWS, "row")));
        }
    }
}

fn plot(duckdb: &Asking<'_>, sql: &str, (x, y, by): (&str, &str, Option<&str>), args: &Args) -> Result<i32> {
    let known = duckdb.columns(sql)?;
    let wanted = [Some(x), Some(y), by].into_iter().flatten().map(str::trim);
    // Names of columns are the same in either case.
    let typed = wanted.filter(|name| !known.iter().any(|known| known.eq_ignore_ascii_case(name)));
    Failure::unless_known("the answer has no column", typed, known.iter().map(String::as_str), "columns")?;
    let column = |name: &str| crate::sql::identifier(name.trim());
    let group = by.map_or_else(|| "''".to_owned(), |by| format!("{}::VARCHAR", column(by)));
    let number = |name: &str| format!("TRY_CAST({}::VARCHAR AS DOUBLE)", column(name));
    let asked = format!("SELECT {}, {}, {group} FROM (\n{sql}\n)", number(x), number(y));
    let said = duckdb.ask(CELLS, &asked)?;
    let mut lines: BTreeMap<String, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for row in rows(&said).skip(1) {
        let number = |at: usize| row.get(at).and_then(|cell| cell.text.parse::<f64>().ok());
        if let (Some(x), Some(y)) = (number(0), number(1))
            && x.is_finite()
        {
            let line = lines.entry(row[2].text.to_string()).or_default();
            line.0.push(x);
            line.1.push(y);
        }
    }
    if lines.is_empty() {
        return Err(Failure::new(format!("nothing to draw: no row has numbers in both {x} and {y}")).into());
    }
    let of_runs = Figure { charts: vec![chart(x, y, by, lines)], ..Figure::default() };
    let files = [(Format::Svg, args.svg.as_deref()), (Format::Png, args.png.as_deref())];
    let files: Vec<_> = files.into_iter().filter_map(|(format, file)| Some((format, file?))).collect();
    if !files.is_empty() {
        write_all(&[(y.to_owned(), of_runs)], &files)?;
        return Ok(0);
    }
    drawing::print(&of_runs, None, None);
    Ok(0)
}

/// A chart of lines in row order; a group with a single row is drawn as a point.
fn chart(x: &str, y: &str, by: Option<&str>, lines: BTreeMap<String, (Vec<f64>, Vec<f64>)>) -> Chart {
    let axis = |name: &str| Axis { label: clean(name), ..Axis::default() };
    let points = lines.values().all(|(x, _)| x.len() == 1);
    let marks = lines.into_iter().enumerate().map(|(n, (name, (x, y)))| {
        let mut rows: Vec<(f64, f64)> = x.into_iter().zip(y).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (x, y): (Vec<f64>, Vec<f64>) = rows.into_iter().unzip();
        let shape = if points { Shape::Scatter { x, y, joined: false } } else { Shape::Line { x, y } };
        Mark { name: by.map(|_| clean(&name)), ..Mark::new((Paint::Slot(n as u8), n as u8), shape) }
    });
    Chart { x: axis(x), y: axis(y), marks: marks.collect(), ..Chart::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_no_digits_that_only_a_machine_needs() {
        let answer = [
            "'x'|'step'|'version'|'commit'|'text'",
            "0.30000000000000004|9007199254740993|2.10|'1234567e5'|'it''s'",
            "2.0|1|1.0|'0.30000000000000004'|'NULL'",
            "NULL|2|3.0|'12'|NULL",
        ];
        let said: String = answer.map(|row| row.replace('|', "\u{1f}") + "\u{1e}").concat();
        let cells = Cells::of(&said);
        let shown = |row: usize| {
            let row = cells.rows[row].iter().enumerate();
            row.map(|(at, cell)| cells.shown(at, cell)).collect::<Vec<_>>()
        };
        assert_eq!(shown(0), ["0.3", "9007199254740993", "2.10", "1234567e5", "it's"]);
        assert_eq!(shown(1), ["2", "1", "1.0", "0.30000000000000004", "NULL"]);
        assert_eq!(shown(2), ["", "2", "3.0", "12", ""]);
        let right: Vec<bool> = cells.head.iter().map(|(_, number)| *number).collect();
        assert_eq!(right, [true, true, true, false, false], "a text is none, whatever it looks like");
        assert!(cells.markdown().contains("0.30000000000000004"));
    }

    #[test]
    fn the_last_statement_is_found_whatever_texts_and_comments_hold() {
        for (sql, parts) in [
            ("SELECT 1", ("", "SELECT 1")),
            (" SELECT 1 ;; -- done; \n", ("", "SELECT 1")),
            ("a; b", ("a;", "b")),
            ("-- a; b\nc; /* ; */ d ';' \"e;\"", ("-- a; b\nc; /* ; */", "d ';' \"e;\"")),
            ("SELECT 'it''s; so'; f $x$ ; $x$ $1;", ("SELECT 'it''s; so';", "f $x$ ; $x$ $1")),
            ("SELECT 'open; b", ("", "SELECT 'open; b")),
            ("", ("", "")),
        ] {
            assert_eq!(split_last(sql), parts, "{sql}");
        }
    }
}
