//! `gradtop list`: lists runs by experiment, newest first.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use gradtop_store::{State, View, known_damage, near};
use jiff::Timestamp;
use serde_json::Value;

use super::Context;
use super::select::{Matching, is_filter, matching};
use crate::failure::Failure;
use crate::list_view::{self, ListView};
use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use crate::widgets::progress_bar;
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::text::{fit_ends, width_of};
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::column;
use gradtop_view::filter::PARAM;
use gradtop_view::order::{self, Sort};
use gradtop_view::state;

/// The most parameters shown.
const PARAMETERS: usize = 3;
/// On terminals narrower than this, a table that does not fit is abbreviated.
const NARROW: usize = 60;
/// Column widths of an abbreviated table: what the other columns need, and the most that a name gets.
const BRIEF: [usize; 2] = [13, 12];
/// Columns about the progress of a run.
const WORK: [&str; 3] = ["step", "rate", "eta"];

#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Only runs that match a filter, such as curve-fit 'state:failed lr>1e-3'
    #[arg(value_name = "FILTER")]
    filter: Vec<String>,
    /// Sort by this column, best or newest first
    #[arg(long, value_name = "COLUMN")]
    sort: Option<String>,
    /// Reverse the order
    #[arg(long, requires = "sort")]
    reverse: bool,
    /// Show these columns, separated by commas: state, name, took, …, parameters and metrics by name
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',', conflicts_with = "json")]
    columns: Vec<String>,
    /// Use the filter, order and columns of this view, unless others are given
    #[arg(long, value_name = "NAME")]
    view: Option<String>,
    /// Save this filter, order and columns as a view, for --view and the monitor
    #[arg(long, value_name = "NAME")]
    save: Option<String>,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

impl Args {
    /// The requested view, combined with options given on the command line.
    fn list_view(&self) -> Result<ListView> {
        let mut view = self.view.as_deref().map(list_view::named).transpose()?.unwrap_or_default();
        let own = self.filter.join(" ");
        view.filter = match (view.filter.as_str(), own.as_str()) {
            (filter, "") => filter.to_owned(),
            ("", own) => own.to_owned(),
            (filter, own) => format!("({filter}) ({own})"),
        };
        if let Some(by) = self.sort.clone() {
            view.sort = Some(Sort { by, reversed: self.reverse });
        }
        if !self.columns.is_empty() {
            view.columns = self.columns.iter().map(|name| name.trim().to_owned()).collect();
        }
        Ok(view)
    }
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<i32> {
    let mut looked = args.list_view()?;
    let Matching { mut views, names, unreadable } = matching(context, &looked.filter)?;
    let runs = context.runs()?;
    if views.is_empty() && !names.is_empty() {
        return no_match(args, &looked.filter, &names);
    }
    if let Some(Sort { by, reversed }) = &looked.sort {
        // The monitor prefixes parameters.
        let by = if by.starts_with(PARAM) { by.clone() } else { column_named(by, &views)? };
        order::sort_runs(&Sort { by, reversed: *reversed }, Timestamp::now(), &mut views, |view| view);
    }
    for name in &mut looked.columns {
        *name = column_named(name, &views)?;
    }
    let columns = looked.columns.clone();
    if let Some(name) = &args.save {
        list_view::change(name, Some(looked))?;
    }
    if args.json {
        let all: Vec<Value> = views.iter().map(as_json).collect();
        print::json(&all)?;
    } else if views.is_empty() && unreadable.is_empty() {
        empty(&runs);
    } else {
        table(&views, &runs, &columns);
    }
    for view in &views {
        let damaged = known_damage(&view.dir).unwrap_or_default().len();
        if damaged > 0 && !args.json {
            let (name, files) = (&view.manifest.run, number::counted(damaged, "damaged file"));
            print::warn(format!("{name} has {files}: gradtop show {name}"));
        }
    }
    for (path, error) in &unreadable {
        print::warn(format!("{} cannot be read: {error}", print::short(path)));
    }
    Ok(0)
}

/// Resolves a column by name.
fn column_named(name: &str, views: &[View]) -> Result<String> {
    column::named(name, views.iter()).ok_or_else(|| {
        let all = column::all(views.iter());
        let known = all.iter().map(String::as_str);
        Failure::unknown(format!("there is no column {name:?}"), name, known, "columns").into()
    })
}

/// Reports that a filter matches nothing. A single word was probably meant as a name.
fn no_match(args: &Args, text: &str, names: &[String]) -> Result<i32> {
    if let [word] = args.filter.as_slice()
        && !is_filter(word)
    {
        let near = near(word, names.iter().map(String::as_str));
        let help = match near.as_slice() {
            [] => "`gradtop list` shows all runs".to_owned(),
            near => format!("did you mean {}?", near.join(" or ")),
        };
        let message = format!("no run or experiment is called {:?}", clean(word));
        return Err(Failure::usage(message).help(clean(&help)).into());
    }
    if args.json {
        print::json(&Vec::<Value>::new())?;
    } else {
        print::line(&format!("No run matches the filter `{}`.", clean(text)));
    }
    Ok(0)
}

fn as_json(view: &View) -> Value {
    let mut fields = state::to_json(view);
    fields.insert("damaged_files".into(), known_damage(&view.dir).unwrap_or_default().len().into());
    Value::Object(fields)
}

fn empty(runs: &Path) {
    print::line(&format!("No runs in {} yet.", print::short(runs)));
    print::line("Start one:  gradtop run EXPERIMENT     List experiments:  gradtop experiments");
}

fn table(views: &[View], runs: &Path, columns: &[String]) {
    let counted = |(state, certain, n)| format!("{n} {}", state::word(state, certain));
    let words: Vec<String> = state::counts(views).into_iter().map(counted).collect();
    let folder = print::styled(&print::short(runs), Ink::Bold);
    print::line(&format!("{folder}  {}", print::styled(&words.join(" · "), Ink::Dim)));

    let mut groups: BTreeMap<&str, Vec<&View>> = BTreeMap::new();
    for view in views {
        groups.entry(&view.manifest.experiment.id).or_default().push(view);
    }
    let mut groups: Vec<(&str, Vec<&View>)> = groups.into_iter().collect();
    // The experiment with the newest run comes first.
    groups.sort_by_key(|(_, views)| std::cmp::Reverse(views.iter().map(|v| v.manifest.created).max()));
    let hosts = state::several_hosts(views);
    for (experiment, views) in groups {
        print::heading(&clean(experiment));
        if columns.is_empty() { group(&views, hosts) } else { chosen(&views, columns) }
    }
}

/// Prints the columns that were requested.
fn chosen(views: &[&View], columns: &[String]) {
    let heads: Vec<(String, Align)> =
        columns.iter().map(|name| (clean(name), column::align(name, views.iter().copied()))).collect();
    let mut table = Table::new(&heads);
    let now = Timestamp::now();
    for view in views {
        table.row(columns.iter().map(|name| cell(view, name, now)).collect::<Vec<_>>());
    }
    table.print(1);
}

fn cell(view: &View, name: &str, now: Timestamp) -> Words {
    Words::new(column::cell(view, name, now), column::ink(view, name))
}

/// What the table of an experiment shows.
#[derive(Default)]
struct GroupTable<'a> {
    parameters: Vec<&'a str>,
    /// Where each run ran.
    hosts: bool,
    /// A bar beside the progress.
    bars: bool,
    /// A note takes the place of what the value is of.
    merged: bool,
    /// Only the columns that matter most, for very narrow terminals.
    brief: bool,
}

/// Prints the runs of one experiment. `hosts`: say where each ran.
fn group(views: &[&View], hosts: bool) {
    let parameters = state::differing(views).into_iter().take(PARAMETERS).collect();
    let mut shown = GroupTable { parameters, hosts, bars: print::terminal().tty, ..GroupTable::default() };
    let mut table = shown.table(views);
    while !table.fits(1) && shown.reduce() {
        table = shown.table(views);
    }
    table.print(1);
}

impl GroupTable<'_> {
    /// Drops what matters least: bars, which are decoration, then parameters, then what a value is of.
    /// Returns false if nothing can be dropped.
    fn reduce(&mut self) -> bool {
        std::mem::take(&mut self.bars)
            || self.parameters.pop().is_some()
            || !std::mem::replace(&mut self.merged, true)
            || narrow().is_some() && !std::mem::replace(&mut self.brief, true)
    }

    fn table(&self, views: &[&View]) -> Table {
        let Self { ref parameters, hosts, merged, brief, .. } = *self;
        let names = |names: &[&'static str]| -> Vec<(String, Align)> {
            names.iter().map(|name| ((*name).to_owned(), column::align(name, std::iter::empty()))).collect()
        };
        let common = state::common(views);
        let mut heads = names(&["state", "name"]);
        if brief {
            // The state is shown as a sign, which needs no heading.
            heads[0].0.clear();
        }
        heads.extend(hosts.then(|| names(&["host"])).into_iter().flatten());
        heads.extend(parameters.iter().map(|p| (clean(p), Align::Left)));
        heads.extend(names(&[if brief { "done" } else { "progress" }]));
        heads.extend(names(if brief { &[] } else { &WORK }));
        let metric = common.as_ref().map_or_else(|| "last value".to_owned(), state::Common::title);
        let widest = views.iter().map(|view| width_of(&clean(&view.manifest.run))).max().unwrap_or(0);
        let room = narrow().unwrap_or_default().saturating_sub(BRIEF[0] + widest.min(BRIEF[1]));
        if brief {
            heads.push((fit_ends(&metric, room, print::ascii()), Align::Left));
        } else {
            heads.push((metric, Align::Point));
            heads.extend(names(&["of", "age"]));
            heads.extend([(String::new(), Align::Left), (String::new(), Align::Left)]);
        }
        let mut table = Table::new(&heads);
        let now = Timestamp::now();
        let values = if brief {
            state::brief_headlines(views, common.as_ref(), room, print::ascii())
        } else {
            Vec::new()
        };
        for (i, view) in views.iter().enumerate() {
            let mut cells = self.row(view, now);
            let note = state::note(view);
            let note = note.map(|note| Words::new(note, if view.certain { Ink::Alert } else { Ink::Dim }));
            if brief {
                cells.push(note.unwrap_or_else(|| values[i].clone().into()));
            } else {
                let (value, of) = state::headline_cells(view, common.as_ref());
                let cause = view.status.cause.as_deref().filter(|_| view.state == State::Stopped);
                let (of, note) = match note {
                    Some(note) if merged => (note, Words::dim("")),
                    note => (Words::dim(of), note.unwrap_or_else(|| Words::dim(print::cleaned(cause)))),
                };
                cells.extend([value.into(), of, cell(view, "age", now), note]);
                cells.push(Words::dim(state::user_notes(view)));
            }
            if hosts {
                cells.insert(2, Words::dim(column::cell(view, "host", now)));
            }
            table.row(cells);
        }
        table
    }

    /// The cells of a run before its metrics.
    fn row(&self, view: &View, now: Timestamp) -> Vec<Words> {
        let brief = self.brief;
        let cell = |name: &str| cell(view, name, now);
        let sign =
            || Words::new(state::sign(view.state, view.certain, print::ascii()), column::ink(view, "state"));
        let mut cells = vec![if brief { sign() } else { cell("state") }, cell("name")];
        cells.extend(self.parameters.iter().map(|name| {
            Words::from(fit_ends(&column::cell(view, &format!("{PARAM}{name}"), now), 24, print::ascii()))
        }));
        cells.push(match state::progress(view) {
            Some((done, total)) => {
                let percent = number::percent(done, total);
                // Bars are aligned.
                if self.bars { format!("{}{percent:>5}", bar(done, total)).into() } else { percent.into() }
            }
            None => Words::dim(state::MISSING),
        });
        cells.extend(WORK.iter().filter(|_| !brief).map(|name| cell(name)));
        cells
    }
}

/// The width of the terminal if it is narrow.
fn narrow() -> Option<usize> {
    print::terminal().size.map(|(width, _)| width).filter(|width| *width < NARROW)
}

/// A progress bar of ten cells.
fn bar(done: u64, total: u64) -> String {
    let (full, empty) = progress_bar(done, total.max(1), 10, print::ascii());
    format!("{full}{empty} ")
}

#[cfg(test)]
mod tests {
    use gradtop_store::{State, View};

    use super::GroupTable;
    use crate::app::testing::{Bench, run};

    #[test]
    fn a_note_comes_before_what_the_value_is_of() {
        let bench = Bench::of(vec![run("fit", "a", 1).losses().at(State::Failed, 10).cause("boom")]);
        let views: Vec<&View> = bench.app.shared.runs.rows.iter().map(|row| &row.view).collect();
        let ends_with_cause = |merged| {
            let lines = GroupTable { merged, ..GroupTable::default() }.table(&views).lines(0);
            assert!(lines[1].contains("boom"), "{lines:?}");
            lines[1].ends_with("boom")
        };
        assert_eq!((ends_with_cause(false), ends_with_cause(true)), (true, false));
    }

    #[test]
    fn bars_are_aligned() {
        let bench = Bench::of(vec![run("fit", "a", 1).at(State::Stopped, 2_000), run("fit", "b", 2)]);
        let views: Vec<&View> = bench.app.shared.runs.rows.iter().map(|row| &row.view).collect();
        let lines = GroupTable { bars: true, ..GroupTable::default() }.table(&views).lines(0);
        let begins = |line: &String| line.chars().position(|c| "█░▏▎▍▌▋▊▉#-".contains(c));
        assert!(begins(&lines[1]).is_some() && begins(&lines[1]) == begins(&lines[2]), "{lines:#?}");
    }
}
