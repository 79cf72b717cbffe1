//! `cargo xtask bench --report`: runs everything and writes docs/performance.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::{PARTS, run};
use crate::workspace::Workspace;

/// A line of `benches/figures.txt`, which describes its columns.
struct Figure {
    part: &'static str,
    name: &'static str,
    what: &'static str,
    unit: &'static str,
    more_is_better: bool,
    wanted: &'static str,
    limit: &'static str,
}

fn figures() -> Vec<Figure> {
    let lines = include_str!("../../../benches/figures.txt").lines().filter(|line| !line.starts_with('#'));
    let figure = |line: &'static str| {
        let mut cells = line.split('|').map(str::trim);
        let mut next = || cells.next().unwrap_or_default();
        let (part, name, what, unit, better) = (next(), next(), next(), next(), next());
        let more_is_better = better == "more";
        Figure { part, name, what, unit, more_is_better, wanted: next(), limit: next() }
    };
    lines.map(figure).collect()
}

/// The results for one figure.
#[derive(Default)]
struct Found {
    value: Option<f64>,
    limit: Option<f64>,
    /// The results of other tools.
    beside: Vec<(String, f64)>,
}

/// Runs everything. `args` are for the scripts that compare with `PyTorch`.
pub(super) fn write(workspace: &Workspace, args: &[String]) -> Result<()> {
    let record = workspace.release.join("bench-record.txt");
    fs::write(&record, "").with_context(|| format!("cannot write {}", record.display()))?;
    let before = load()?;
    for part in &PARTS {
        run(workspace, part, args, Some(&record))?;
    }
    let found = read(&fs::read_to_string(&record)?)?;
    let page = page(&machine(workspace, &before)?, &found)?;
    let file = workspace.root.join("docs/performance.md");
    fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
    eprintln!("wrote {}", file.display());
    Ok(())
}

/// Parses lines of words separated by tabs: `measured NAME VALUE`, `limit NAME VALUE`, `beside NAME VALUE WHO`.
fn read(record: &str) -> Result<BTreeMap<String, Found>> {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    for line in record.lines() {
        let words: Vec<&str> = line.split('\t').collect();
        let value = words.get(2).and_then(|value| value.parse().ok());
        let value: f64 = value.with_context(|| format!("a bench recorded `{line}`"))?;
        let of = found.entry(words[1].to_owned()).or_default();
        match (words[0], words.get(3)) {
            ("measured", _) => of.value = Some(value),
            ("limit", _) => of.limit = Some(value),
            (_, Some(who)) => of.beside.push(((*who).to_owned(), value)),
            _ => bail!("a bench recorded `{line}`"),
        }
    }
    Ok(found)
}

fn load() -> Result<String> {
    let text = fs::read_to_string("/proc/loadavg").context("cannot read the load")?;
    Ok(text.split(' ').take(3).collect::<Vec<_>>().join(", "))
}

/// The rows of the table about time and place.
fn machine(workspace: &Workspace, load_before: &str) -> Result<Vec<(&'static str, String)>> {
    let asked = |command: &str, args: &[&str]| {
        let said = Command::new(command).args(args).current_dir(&workspace.root).output();
        said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default()
    };
    let processor = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let model = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let memory = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    let kib = memory.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok());
    let cores = std::thread::available_parallelism()?;
    let (date, commit) = (asked("date", &["-u", "+%F"]), asked("git", &["rev-parse", "--short", "HEAD"]));
    let changed = if asked("git", &["status", "--porcelain"]).is_empty() { "" } else { " with changes" };
    Ok(vec![
        ("measured", format!("{date}, commit {commit}{changed}")),
        ("processor", format!("{}, {cores} cores", model.map_or("unknown", |(_, name)| name))),
        ("memory", format!("{:.0} GiB", kib.unwrap_or_default() / 1024.0 / 1024.0)),
        ("system", format!("Linux {}", asked("uname", &["-r"]))),
        ("load before", format!("{load_before}: mean number of running processes over 1, 5, 15 minutes")),
        ("load after", load()?),
    ])
}

const HEAD: &str = "\
# Performance

`cargo xtask bench --report` measured everything on this page in one run, and wrote it; `--python PYTHON` names a Python with PyTorch 2.11
and loggers to compare with. On a machine that does other work at the time, all is slower and the worst cases are far worse: the load below
says whether it did.

*Next to it* is what others reach at the same work in the same run, and the factor by which gradtop is better. *Limit* is what the
hardware allows, measured here too, and how much of it is reached.
";

fn page(machine: &[(&str, String)], found: &BTreeMap<String, Found>) -> Result<String> {
    let mut page = format!("{HEAD}\n| | |\n|---|---|\n");
    for (name, value) in machine {
        writeln!(page, "| {name} | {value} |")?;
    }
    let figures = figures();
    for part in &PARTS {
        write!(page, "\n## {}\n\n`cargo xtask bench {}`\n\n", part.what, part.name)?;
        page.push_str("| | measured | wanted | next to it | limit |\n|---|---|---|---|---|\n");
        for figure in figures.iter().filter(|figure| figure.part == part.name) {
            let of = found.get(figure.name).with_context(|| format!("{} was not measured", figure.name))?;
            page.push_str(&row(figure, of)?);
        }
    }
    Ok(page)
}

fn row(figure: &Figure, found: &Found) -> Result<String> {
    let value = found.value.with_context(|| format!("{} was not measured", figure.name))?;
    let share = |of: f64| if figure.more_is_better { value / of } else { of / value };
    let beside: Vec<String> = found
        .beside
        .iter()
        .map(|(who, v)| format!("{who} {} ({}x)", number(*v), number(share(*v))))
        .collect();
    let limit = match found.limit {
        Some(limit) if limit > 0.0 => {
            format!("{}: {} ({:.0} %)", figure.limit, number(limit), 100.0 * share(limit))
        }
        _ => dash(figure.limit).to_owned(),
    };
    Ok(format!(
        "| {} | **{}** {} | {} | {} | {limit} |\n",
        figure.what,
        number(value),
        figure.unit,
        dash(figure.wanted),
        beside.join("; "),
    ))
}

fn dash(text: &str) -> &str {
    if text == "-" { "" } else { text }
}

/// Three digits, or all before the decimal point.
fn number(value: f64) -> String {
    let decimals = if value == 0.0 { 0 } else { (2 - value.abs().log10().floor() as i32).clamp(0, 6) };
    let text = format!("{value:.*}", decimals as usize);
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (n, c) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(c);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_groups() {
        let written = [0.0, 0.001_234, 0.5, 2.345, 45.678, 999.6, 1234.5, 1_234_567.0].map(number);
        assert_eq!(written, ["0", "0.00123", "0.500", "2.35", "45.7", "1,000", "1,234", "1,234,567"]);
    }

    #[test]
    fn a_figure_that_was_not_measured_makes_no_page() {
        let problem = page(&[], &read("measured\tlog.point\t19\n").unwrap()).unwrap_err();
        assert_eq!(problem.to_string(), "log.p99 was not measured");
        assert!(read("measured\tlog.point\tfast\n").is_err());
    }

    /// Ensures that the page is never edited by hand, and that figures change only with a new run.
    #[test]
    fn the_page_lists_what_the_benches_measure() {
        let page = include_str!("../../../docs/performance.md");
        let mut section = "";
        let mut listed = Vec::new();
        for line in page.lines() {
            if let Some(command) = line.strip_prefix("`cargo xtask bench ") {
                section = command.trim_end_matches('`');
            } else if let [_, what, value, wanted, _, limit, _] = line.split('|').collect::<Vec<_>>()[..]
                && value.contains("**")
            {
                let limit = limit.trim().split(':').next().unwrap_or_default();
                listed.push([section, what.trim(), wanted.trim(), limit].map(str::to_owned));
            }
        }
        let own = |figure: &Figure| {
            [figure.part, figure.what, dash(figure.wanted), dash(figure.limit)].map(str::to_owned)
        };
        let by_part = PARTS.iter().flat_map(|part| figures().into_iter().filter(|f| f.part == part.name));
        assert_eq!(listed, by_part.map(|f| own(&f)).collect::<Vec<_>>());
        assert!(page.starts_with(HEAD), "the page is made by `cargo xtask bench --report`");
    }

    #[test]
    fn every_figure_belongs_to_a_part() {
        for figure in figures() {
            assert!(PARTS.iter().any(|part| part.name == figure.part), "{}", figure.name);
        }
    }
}
