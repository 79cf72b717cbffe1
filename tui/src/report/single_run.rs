//! The section about a single run in a report.

use std::sync::Arc;

use anyhow::Result;
use gradtop_chart::number;
use gradtop_store::figures::Figure;
use gradtop_store::{
    Event, EventLine, Goal, Kind, SeriesKey, SeriesSummary, State, View, missing_tables, read_events,
    split_rank, summarize, table_names,
};
use gradtop_view::clock::dated;
use gradtop_view::figure::run_figures::figures_of_run;
use gradtop_view::figure::series_name;
use gradtop_view::live::{self, RunData};
use gradtop_view::natural;
use gradtop_view::run::{events, headline, progress, remark};
use gradtop_view::table::CONCLUSION;
use gradtop_view::why::{self, Confidence, Verdict};

use super::claims::{NUMBERS_ALONE, RECORDED, SEEN};
use super::document::{Block, Claim, Span, code, heading, plain, table, text};
use super::run_section::RunSection;
use crate::failure::with_causes;
use crate::print::{clean, cleaned, damage_words};
use crate::screens::run::console::chunk::{self, Wanted};
use crate::screens::run::console::line::Line;

/// The most tables shown.
const TABLES: usize = 12;
/// The most events shown, the newest ones.
const EVENTS: usize = 40;
/// The most lines of output shown, the last ones.
const OUTPUT: usize = 20;
/// The most characters of such a line.
const CHARACTERS: usize = 400;
/// The most series shown in numbers.
const SERIES: usize = 40;
/// The most summary lines of a run without conclusions.
const NUMBERS: usize = 3;

/// The rows of a run, read once: a run that goes on would be another one at the next reading.
pub(super) struct Reading {
    /// The run, with the headline values that were read.
    pub(super) view: View,
    declared: Vec<Figure>,
    pub(super) data: Arc<RunData>,
    /// Its unreadable files.
    damaged: Vec<String>,
    /// Why it cannot be read at all.
    error: Option<String>,
}

impl Reading {
    /// Reads all series, and what the figures need if the run is shown in full.
    pub(super) fn of(view: &View, whole: bool) -> Self {
        let read = || -> Result<_> {
            let declared = if whole { figures_of_run(view)?.0 } else { Vec::new() };
            let (data, damaged) = live::read_all(view, &declared)?;
            Ok((declared, data, damaged))
        };
        let mut view = view.clone();
        match read() {
            Ok((declared, data, damaged)) => {
                let live = !view.state.is_final();
                for headline in view.status.headline.iter_mut().filter(|_| live) {
                    let same = data.series.iter().find(|series| *series.key() == headline.key);
                    if let Some(last) = same.and_then(|series| series.last()) {
                        headline.value = last.value;
                    }
                }
                let damaged = damaged.into_iter().chain(missing_tables(&view.dir));
                let damaged = damaged.map(|error| clean(&error.to_string())).collect();
                Self { view, declared, data, damaged, error: None }
            }
            Err(error) => {
                let error = Some(clean(&with_causes(&error)));
                Self { view, declared: Vec::new(), data: Arc::default(), damaged: Vec::new(), error }
            }
        }
    }
}

/// A run and what was read of it.
pub(super) struct SingleRun<'a> {
    pub(super) view: &'a View,
    pub(super) id: String,
    /// Its rows, or why they cannot be read.
    section: Result<RunSection<'a>, String>,
    /// Its unreadable files.
    damaged: Vec<String>,
    verdicts: Vec<Verdict>,
    series: Vec<SeriesSummary>,
    events: Vec<EventLine>,
}

impl<'a> SingleRun<'a> {
    /// Reads the rest of what the report shows. Unreadable parts are added to `odd` and left out.
    pub(super) fn read(n: usize, reading: &'a Reading, way: Option<&str>, odd: &mut Vec<String>) -> Self {
        let Reading { view, declared, data, .. } = reading;
        let name = clean(&view.manifest.run);
        let id = format!("run-{n}-{}", plain(&view.manifest.run));
        odd.extend(reading.damaged.iter().chain(&reading.error).map(|error| format!("{name}: {error}")));
        let path = way.map(|way| format!("{way}exp={}/run={}", view.dir.experiment(), view.dir.name()));
        let place = format!("{}/", view.dir.path().display());
        let damaged = reading.damaged.iter().map(|file| file.replace(&place, "")).collect();
        let section = match &reading.error {
            None => Ok(RunSection::with(view, &id, path, declared.clone(), Arc::clone(data))),
            Some(error) => Err(error.replace(&place, "")),
        };
        let mut reader = why::Reader::new(&view.dir, view.manifest.kind == Kind::Import);
        let verdicts =
            why::diagnose_run(&mut reader, view, true).map(|found| found.verdicts).unwrap_or_default();
        let goal = |key: &SeriesKey| view.manifest.metric(&key.metric).map_or(Goal::None, |info| info.goal);
        let own = |key: &SeriesKey| !gradtop_store::is_system_metric(&key.metric);
        let mut series = summarize(&view.dir, own, goal).map(|(series, _)| series).unwrap_or_default();
        series.retain(|summary| data.series.iter().any(|read| *read.key() == summary.key));
        for summary in &mut series {
            if let Some(read) = data.series.iter().find(|read| *read.key() == summary.key) {
                read.correct(summary, goal(&summary.key));
            }
        }
        let place = |s: &SeriesSummary| {
            let at = view.manifest.metrics.iter().position(|info| info.name == s.key.metric);
            at.map_or((true, usize::MAX), |at| (!view.manifest.metrics[at].headline, at))
        };
        series.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| natural::series(&a.key, &b.key)));
        let events = read_events(&view.dir).unwrap_or_default();
        Self { view, id, section, damaged, verdicts, series, events }
    }

    pub(super) fn name(&self) -> String {
        clean(&self.view.manifest.run)
    }

    pub(super) fn link(&self) -> Span {
        self.section.as_ref().map_or_else(|_| code(self.name()), RunSection::named)
    }

    /// The state: `failed: the disk is full`, `running, 30 %`, `running? on node7, last seen 3 min ago`.
    pub(super) fn state(&self) -> String {
        let share = progress::of(self.view).filter(|(_, total)| *total > 0);
        let share = share.filter(|_| self.view.certain && !self.view.state.is_final());
        let share = share.map(|(done, total)| format!(", {}", number::percent(done, total)));
        format!("{}{}", self.state_alone(), share.unwrap_or_default())
    }

    /// The state without the progress, in which runs that are at work differ.
    fn state_alone(&self) -> String {
        let view = self.view;
        let word = view.state.word();
        match (view.certain, view.state.is_final()) {
            (false, _) => format!("{word}? {}", remark::location(view)),
            (true, true) => format!("{word}{}", remark::because(view)),
            (true, false) => word.to_owned(),
        }
    }

    fn is_finished(&self) -> bool {
        self.view.state == State::Finished
    }

    /// The claims for the summary; `numbers`: also those of a run without conclusions.
    pub(super) fn claims(&self, numbers: bool) -> Vec<Claim> {
        let mut claims = Vec::new();
        if !self.is_finished() {
            claims.push(Claim::recorded(self.state_alone()));
        }
        claims.extend(self.verdicts.iter().map(judged));
        let concluded = self.section.as_ref().map(RunSection::claims).unwrap_or_default();
        if numbers && concluded.is_empty() {
            claims.extend(self.numbers_alone());
        }
        claims.extend(concluded);
        if claims.is_empty() && self.series.is_empty() {
            claims.push(Claim::recorded("finished, and recorded no numbers"));
        }
        claims
    }

    /// The claims of a run without conclusions: the last values of its first series, averaged over trials.
    fn numbers_alone(&self) -> Vec<Claim> {
        let m = &self.view.manifest;
        let first = |metric: &str| self.series.iter().position(|series| series.key.metric == *metric);
        let mut series: Vec<&SeriesSummary> = self.series.iter().collect();
        // Of each metric, the split that stands for the run comes first.
        series.sort_by_key(|SeriesSummary { key, .. }| {
            (first(&key.metric), split_rank(m.metric(&key.metric), key.split.as_deref()))
        });
        series.truncate(NUMBERS);
        if series.iter().all(|series| series.key.trial.is_none()) {
            return series.into_iter().map(in_numbers).collect();
        }
        let headlines = headline::all(self.view);
        let lines = headlines.iter().filter_map(|headline| Some((headline, headline.line()?)));
        lines
            .take(NUMBERS)
            .map(|(headline, line)| {
                let value = number::value(line.value);
                let words = format!("{value}, {}", headline::line_words(&line, false));
                let title = headline::title(headline.metric, line.split);
                let unit = headline.info.and_then(|info| info.unit.as_deref());
                of_one_run(measured(title, unit), words.trim_end_matches(", ").to_owned())
            })
            .collect()
    }

    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks = vec![heading(2, self.id.clone(), self.name())];
        blocks.extend(self.outcome());
        if let Ok(section) = &self.section {
            blocks.extend(self.recorded(section));
        }
        blocks.extend(self.happened());
        blocks
    }

    /// Its figures, numbers and tables.
    fn recorded(&self, section: &RunSection<'_>) -> Vec<Block> {
        let mut blocks = Vec::new();
        blocks.extend(section.figure_ids().filter_map(|id| section.figure(id)));
        let metrics = section.without_figure();
        let names: Vec<String> = metrics.iter().map(|name| (*name).to_owned()).collect();
        blocks.extend(not_drawn(&names, &[&self.view.manifest.run], &metrics));
        blocks.extend(self.numbers());
        let mut tables = table_names(&self.view.dir);
        tables.retain(|name| name != "run" && name != CONCLUSION);
        let further = tables.split_off(tables.len().min(TABLES));
        for name in tables {
            let block = match section.table(&name) {
                Ok(Some(block)) => block,
                Ok(None) => continue,
                Err(error) => Block::Missing(vec![text(clean(&error.to_string()))]),
            };
            blocks.push(Block::More { summary: format!("Table {}", clean(&name)), blocks: vec![block] });
        }
        if !further.is_empty() {
            let names = clean(&further.join(", "));
            blocks.push(Block::Text(vec![text(format!("Further tables in its folder: {names}."))]));
        }
        blocks
    }

    /// The section without figures and tables, for reports of many runs.
    pub(super) fn folded(&self) -> Block {
        let blocks = self.outcome().into_iter().chain(self.numbers()).chain(self.happened()).collect();
        Block::More { summary: format!("{}: {}", self.name(), self.state()), blocks }
    }

    /// How the run ended, what is wrong with it, and what it concluded.
    fn outcome(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        if !self.is_finished() {
            let far = "What it recorded so far is shown.";
            blocks.push(Block::Alert(vec![text(format!("Not finished: {}. {far}", self.state()))]));
            blocks.extend(self.output().into_iter().flatten());
        }
        for damaged in &self.damaged {
            blocks.push(Block::Alert(vec![text(damage_words(damaged) + ".")]));
        }
        if !self.verdicts.is_empty() {
            let source = vec![text("Read from its rows and events: "), code("gradtop why"), text(".")];
            blocks.push(Block::Found { claims: self.verdicts.iter().map(judged).collect(), source });
        }
        match self.section.as_ref().map(RunSection::found) {
            Ok(Ok(found)) => blocks.extend(found.into_iter().flatten()),
            Ok(Err(error)) => blocks.push(Block::Missing(vec![text(clean(&error.to_string()))])),
            Err(why) => blocks.push(Block::Missing(vec![text(format!("Its rows cannot be read: {why}"))])),
        }
        blocks
    }

    /// The last lines of output of a run that went wrong.
    fn output(&self) -> Option<[Block; 2]> {
        if !matches!(self.view.state, State::Failed | State::Crashed) {
            return None;
        }
        let span = |total| chunk::span(Wanted::Tail, total);
        let (from, bytes, total) = gradtop_host::console_span(&self.view.dir, span).ok()?;
        let lines = chunk::cut(Wanted::Tail, from, &bytes, total).lines;
        let words = |line: &Line| clean(&line.text.chars().take(CHARACTERS).collect::<String>());
        let last: Vec<String> = lines[lines.len().saturating_sub(OUTPUT)..].iter().map(words).collect();
        let words = last.join("\n").trim_end().to_owned();
        let head = Block::Text(vec![text("The last lines of its output:")]);
        (!words.is_empty()).then_some([head, Block::Output(words)])
    }

    /// Its series in numbers.
    fn numbers(&self) -> Option<Block> {
        if self.series.is_empty() {
            return None;
        }
        let words = ["metric", "series", "unit"].map(|name| (name, false));
        let numbers = ["rows", "last", "best", "at step"].map(|name| (name, true));
        let row = |s: &SeriesSummary| {
            let line = series_name(&s.key);
            let best = s.best.map(|best| (number::value(best.value), number::whole(best.step)));
            let (best, step) = best.unwrap_or_default();
            let words = [
                clean(&s.key.metric),
                cleaned(line.as_deref()),
                cleaned(s.unit.as_deref()),
                number::count(s.rows as f64),
                number::value(s.last.value),
                best,
                step,
            ];
            words.into_iter().map(|words| vec![text(words)]).collect()
        };
        let source = match self.series.len().saturating_sub(SERIES) {
            0 => Vec::new(),
            more => vec![text(format!("and {more} more series"))],
        };
        let rows = self.series.iter().take(SERIES).map(row).collect();
        let table = table(&[&words[..], &numbers].concat(), rows, source);
        Some(Block::More { summary: "Metrics in numbers".to_owned(), blocks: vec![table] })
    }

    /// Its events, including alerts, without the experiment's log messages.
    fn happened(&self) -> Option<Block> {
        let told = |line: &&EventLine| !matches!(line.event, Event::Log { .. } | Event::Checkpoint { .. });
        let told: Vec<&EventLine> = self.events.iter().filter(told).collect();
        let newest = &told[told.len().saturating_sub(EVENTS)..];
        if newest.is_empty() {
            return None;
        }
        let row =
            |line: &&EventLine| vec![vec![text(dated(line.time))], vec![text(events::words(&line.event))]];
        let rows = newest.iter().map(row).collect();
        let source = match told.len() - newest.len() {
            0 => Vec::new(),
            more => vec![
                text(format!("{} before these: ", number::counted(more, "event"))),
                code(command(&["logs", &self.view.manifest.run, "--events"])),
                text("."),
            ],
        };
        let table = table(&[("time", false), ("event", false)], rows, source);
        Some(Block::More { summary: "Events and alerts".to_owned(), blocks: vec![table] })
    }
}

/// Says what is not drawn, and by which command it is.
pub(super) fn not_drawn(what: &[String], runs: &[&str], metrics: &[&str]) -> Option<Block> {
    let names = clean(&what.join(", "));
    (!what.is_empty()).then(|| {
        Block::Text(vec![
            text(format!(
                "Not drawn here: {names}. To draw {}: ",
                if what.len() == 1 { "it" } else { "them" }
            )),
            code(command(&[&["plot"], runs, metrics].concat())),
        ])
    })
}

/// A command line of gradtop.
fn command(words: &[&str]) -> String {
    let words = std::iter::once(&"gradtop").chain(words).map(|word| (*word).to_owned());
    clean(&gradtop_store::shell_words(&words.collect::<Vec<_>>()))
}

/// Converts a verdict to a claim.
fn judged(verdict: &Verdict) -> Claim {
    let (strength, caution) = if verdict.confidence == Confidence::Certain {
        (RECORDED, "")
    } else {
        (SEEN, "likely; what else went on was not recorded")
    };
    Claim {
        evidence: clean(&verdict.proof.join("; ")),
        caution: caution.to_owned(),
        strength: strength.to_owned(),
        ..Claim::statement(clean(&verdict.text))
    }
}

/// Converts a series to a claim.
fn in_numbers(series: &SeriesSummary) -> Claim {
    let key = &series.key;
    let line = series_name(key).map(|line| format!(" {line}"));
    let at = |step| format!("at step {}", number::whole(step));
    let [last, best] = number::apart(series.last.value, series.best.unwrap_or(series.last).value);
    let best = series.best.map(|point| format!("best {best} {}, ", at(point.step))).unwrap_or_default();
    let about = clean(&format!("{}{}", key.metric, line.unwrap_or_default()));
    of_one_run(measured(about, series.unit.as_deref()), format!("{best}last {last} {}", at(series.last.step)))
}

/// Adds the unit, so that equal numbers of different units are not told as one finding.
fn measured(about: String, unit: Option<&str>) -> String {
    match unit.filter(|unit| !unit.is_empty()) {
        Some(unit) => format!("{about} [{}]", clean(unit)),
        None => about,
    }
}

/// Creates a claim about numbers of a single run.
fn of_one_run(about: String, words: String) -> Claim {
    Claim { about, caution: NUMBERS_ALONE.to_owned(), strength: SEEN.to_owned(), ..Claim::statement(words) }
}
