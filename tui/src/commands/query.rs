//! `gradtop query`: SQL over runs, answered by DuckDB.

use std::collections::BTreeMap;
use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, Result};
use gradtop_chart::colour::Paint;
use gradtop_chart::{Axis, Chart, Figure, Mark, Shape, cells};
use signal_hook::consts::SIGINT;

use super::Context;
use super::select::matching;
use crate::drawing::{Format, write_all};
use crate::failure::Failure;
use crate::files::{Cannot as _, ends_as, keeps_existing, not_stdout};
use crate::print::table::Table;
use crate::print::{self, clean};
use crate::setup::duckdb;
use crate::sql::lake::Lake;
use crate::sql::{literal, saved};

/// Separates columns of plotted data; it occurs in no text.
const SEPARATOR: char = '\u{1f}';
/// Height of a plot if the terminal's is unknown.
const LINES: usize = 30;

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
        Some(sql) => answer(&program, &lake, sql.trim().trim_end_matches(';').trim_end(), args),
    }
}

fn answer(program: &Path, lake: &Lake, sql: &str, args: &Args) -> Result<i32> {
    if let Some(file) = &args.parquet {
        let to =
            std::path::absolute(ends_as(not_stdout(file, "Parquet")?, "parquet")?).cannot("write", file)?;
        keeps_existing(&to, args.force)?;
        let copy = format!("COPY ({sql}\n) TO {} (FORMAT parquet)", literal(&to.to_string_lossy()));
        ask(program, lake, ".mode csv\n", &copy)?;
        print::line(&format!("wrote {}", print::short(file)));
        return Ok(0);
    }
    match args.plot.as_slice() {
        [] => {}
        [x, y] => return plot(program, lake, sql, (x, y, None), args),
        [x, y, by] => return plot(program, lake, sql, (x, y, Some(by)), args),
        _ => return Err(Failure::usage("--plot takes two columns, or three: X,Y,BY").into()),
    }
    let (width, ascii) = (print::terminal().size.map(|(width, _)| width), print::ascii());
    let form = match args {
        Args { csv: true, .. } => ".mode csv\n.nullvalue ''\n".to_owned(),
        Args { json: true, .. } => ".mode json\n".to_owned(),
        Args { md: true, .. } => ".mode markdown\n.nullvalue ''\n".to_owned(),
        _ if ascii => ".mode table\n".to_owned(),
        _ => format!(".mode duckbox\n.maxrows 1000\n.maxwidth {}\n", width.unwrap_or(100_000)),
    };
    let said = ask(program, lake, &form, sql)?;
    if args.json {
        print::content(&gradtop_store::strict_json(&said));
    } else if args.csv {
        // DuckDB ends the lines of CSV with CRLF.
        print::content(&said.replace("\r\n", "\n"));
    } else {
        print::out(&said);
    }
    Ok(0)
}

/// Runs DuckDB and returns its output.
fn ask(program: &Path, lake: &Lake, form: &str, sql: &str) -> Result<String> {
    let file = lake.file("query.sql");
    // The user's statement starts on its own line, so that line numbers in errors are right.
    let script = format!(".bail on\n{}{form}{sql}\n;\n", lake.views);
    fs::write(&file, script).context("cannot write the query")?;
    let output = Command::new(program)
        .args(["-no-init", "-f"])
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(print::stderr())
        .stdout(Stdio::piped())
        .output()
        .cannot("start", program)?;
    if !output.status.success() {
        print::out(&String::from_utf8_lossy(&output.stdout));
        return Err(Failure::new("the query failed; DuckDB's message is above").into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn plot(
    program: &Path,
    lake: &Lake,
    sql: &str,
    (x, y, by): (&str, &str, Option<&str>),
    args: &Args,
) -> Result<i32> {
    let column = |name: &str| crate::sql::identifier(name.trim());
    let by_words = |by| format!("translate({}::VARCHAR, chr(10) || chr(31), '  ')", column(by));
    let group = by.map_or_else(|| "''".to_owned(), by_words);
    let number = |name: &str| format!("TRY_CAST({}::VARCHAR AS DOUBLE)", column(name));
    let asked = format!("SELECT {}, {}, {group} FROM ({sql}\n)", number(x), number(y));
    let said = ask(program, lake, ".mode list\n.headers off\n.separator \"\\037\" \"\\n\"\n", &asked)?;
    let mut lines: BTreeMap<String, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for line in said.lines() {
        let mut parts = line.splitn(3, SEPARATOR);
        let mut number = || parts.next().and_then(|text| text.parse::<f64>().ok());
        if let (Some(x), Some(y)) = (number(), number())
            && x.is_finite()
        {
            let line = lines.entry(parts.next().unwrap_or_default().to_owned()).or_default();
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
    let (width, height) = print::terminal().size.unwrap_or((100, LINES + 1));
    print::cells(&cells::figure(&of_runs, width.max(20), height.clamp(9, 41) - 1, print::theme()));
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
