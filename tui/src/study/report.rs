//! Composes the report of a study from the run folders, whatever has finished.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use gradtop_store::{State, View};

use super::entry_state::EntryState;
use super::folder::Study;
use super::plan::Entry;
use super::report_file::{Part, Place, ReportFile, Section};
use crate::failure::with_causes;
use crate::files::replace;
use crate::print::{clean, cleaned, damage_words};
use crate::report::claims;
use crate::report::document::{Block, Claim, Document, Span, Summary, code, heading, marked, table, text};
use crate::report::repeat;
use crate::report::run_section::RunSection;
use crate::report::{FIGURES, html, markdown, write_figures};
use gradtop_chart::number;
use gradtop_store::{suggest, table_names};
use gradtop_view::run::{progress, remark};
use jiff::Timestamp;

pub(crate) struct Written {
    pub(crate) html: PathBuf,
    /// The Markdown file, with its figures in a folder next to it.
    pub(crate) markdown: PathBuf,
    /// What could not be read and is missing in the report.
    pub(crate) odd: Vec<String>,
}

/// Composes the report of a study and writes it to its folder. `command` repeats the study.
pub(crate) fn write(
    study: &Study,
    file: Option<&ReportFile>,
    refused: &BTreeMap<String, String>,
    command: &str,
) -> Result<Written> {
    let entry_states: Vec<EntryState> =
        study.plan.entries.iter().map(|entry| EntryState::of(study, entry)).collect();
    let mut runs = BTreeMap::new();
    let mut odd = Vec::new();
    for (entry, entry_state) in study.plan.entries.iter().zip(&entry_states) {
        let path = |view: &View| format!("../../exp={}/run={}", view.dir.experiment(), view.dir.name());
        match entry_state.view().map(|view| RunSection::of(view, entry.key(), Some(path(view)))) {
            Some(Ok((run, damaged))) => {
                odd.extend(damaged.iter().map(damage_words));
                runs.insert(entry.key(), run);
            }
            Some(Err(e)) => odd.push(lacking(format!("{}: {}", entry.key(), clean(&with_causes(&e))))),
            None => {}
        }
    }
    let mut composer = Composer { study, file, refused, command, entry_states: &entry_states, runs, odd };
    let document = composer.document();
    let figures = study.folder.join(FIGURES);
    write_figures(&document, &figures)?;
    let drawn = document.figures();
    // Figures of an earlier report.
    for file in std::fs::read_dir(&figures)?.flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        let stem = name.strip_suffix(".svg");
        if stem.is_some_and(|stem| !stem.starts_with('.') && !drawn.iter().any(|f| f.name == stem)) {
            std::fs::remove_file(file.path())?;
        }
    }
    let (html, markdown) = (study.folder.join("report.html"), study.folder.join("report.md"));
    replace(&markdown, markdown::page(&document, FIGURES).as_bytes())?;
    replace(&html, html::page(&document).as_bytes())?;
    Ok(Written { html, markdown, odd: composer.odd })
}

struct Composer<'a> {
    study: &'a Study,
    file: Option<&'a ReportFile>,
    refused: &'a BTreeMap<String, String>,
    command: &'a str,
    entry_states: &'a [EntryState],
    runs: BTreeMap<&'a str, RunSection<'a>>,
    odd: Vec<String>,
}

fn lacking(what: String) -> String {
    what + "; it is missing from the report"
}

impl<'a> Composer<'a> {
    fn document(&mut self) -> Document {
        let plan = &self.study.plan;
        let mut blocks = self.overview();
        let sections = self.file.map_or(&[][..], |file| &file.sections);
        let asked: Vec<&str> = sections.iter().flat_map(Section::runs).collect();
        for section in sections {
            self.section(section, &mut blocks);
        }
        for entry in plan.entries.iter().filter(|entry| !asked.contains(&entry.key())) {
            self.unasked(entry, &mut blocks);
        }
        let presets = plan.entries.iter().filter_map(|entry| entry.preset.as_deref()).collect();
        let usual = ("A study by gradtop", "The settings, figures and conclusions of each run.".to_owned());
        let (title, lead) = self.file.map_or(usual, |file| (&file.title.0, file.lead(&presets)));
        blocks.extend(self.repeated());
        blocks.extend(crate::report::where_from(true));
        Document { title: title.to_owned(), lead: marked(&lead), summary: self.summary(), blocks }
    }

    fn summary(&self) -> Summary {
        let of = |(entry, entry_state): (&'a Entry, &EntryState)| {
            let key = entry.key();
            let mut found = Vec::new();
            if !matches!(entry_state, EntryState::Finished(_)) {
                found.push(Claim::recorded(format!("has not finished: {}", self.state(entry, entry_state))));
            }
            found.extend(self.runs.get(key).map(RunSection::claims).unwrap_or_default());
            (Some(Span::Place { words: clean(key), id: self.place(key) }), found)
        };
        claims::summary(self.study.plan.entries.iter().zip(self.entry_states).map(of).collect())
    }

    /// The id of the heading of a run.
    fn place(&self, key: &str) -> String {
        let sections = self.file.map_or(&[][..], |file| &file.sections);
        let section = sections.iter().find(|section| section.runs().contains(&key));
        section.map_or_else(|| format!("run-{key}"), |section| section.id.get_ref().clone())
    }

    /// The section with the command that repeats the study.
    fn repeated(&self) -> Vec<Block> {
        let words = "The same seed gives the same numbers. With --fresh everything runs again here; without it, only what is missing.";
        let mut blocks = vec![
            heading(2, "again", "To repeat it"),
            Block::Command(self.command.to_owned()),
            Block::Text(vec![text(words)]),
        ];
        let runs: Vec<String> =
            self.entry_states.iter().filter_map(EntryState::view).filter_map(repeat::command).collect();
        if !runs.is_empty() {
            let one = vec![Block::Command(runs.join("\n"))];
            blocks.push(Block::More { summary: "Each run alone".to_owned(), blocks: one });
        }
        blocks
    }

    /// The table of runs, how they ended and how long they took.
    fn overview(&self) -> Vec<Block> {
        let plan = &self.study.plan;
        let finished = self.entry_states.iter().filter(|s| matches!(s, EntryState::Finished(_))).count();
        let mut facts = vec![
            ("study".to_owned(), vec![code(self.study.name())]),
            ("runs".to_owned(), vec![text(format!("{finished} of {} finished", plan.entries.len()))]),
            ("seed".to_owned(), vec![text(plan.seed.to_string())]),
            ("device".to_owned(), vec![code(clean(&plan.device))]),
        ];
        facts.extend(self.time().map(|words| ("time".to_owned(), vec![text(words)])));
        let head =
            [("experiment", false), ("preset", false), ("state", false), ("work", true), ("run", false)];
        let row = |(entry, entry_state): (&Entry, &EntryState)| {
            let worked = entry_state.view().and_then(|view| progress::took(view, Timestamp::now()));
            vec![
                vec![text(clean(&entry.title()))],
                vec![text(cleaned(entry.preset.as_deref()))],
                vec![text(self.state(entry, entry_state))],
                vec![text(worked.map(number::duration).unwrap_or_default())],
                self.runs.get(entry.key()).map(|e| vec![e.link()]).unwrap_or_default(),
            ]
        };
        let rows = plan.entries.iter().zip(self.entry_states).map(row).collect();
        let table = table(&head, rows, Vec::new());
        vec![heading(2, "runs", "The study and its runs"), Block::Facts(facts), table]
    }

    /// The time from the first start to the last end, and the total time of the runs.
    fn time(&self) -> Option<String> {
        let views = || self.entry_states.iter().filter_map(EntryState::view);
        let start = views().map(|v| v.manifest.created).min()?;
        let work: f64 = views().filter_map(|v| progress::took(v, Timestamp::now())).sum();
        let work = format!("{} of work in all runs together", number::duration(work));
        let end = views().map(|v| v.status.ended).collect::<Option<Vec<_>>>()?.into_iter().max()?;
        let span = (end.as_microsecond() - start.as_microsecond()).max(0) as f64 / 1e6;
        Some(format!("{} from the first start to the last end, {work}", number::duration(span)))
    }

    /// The state in words, with the cause if it did not finish.
    fn state(&self, entry: &Entry, entry_state: &EntryState) -> String {
        match entry_state {
            EntryState::Finished(_) => State::Finished.word().to_owned(),
            EntryState::Ended(view) => format!("{}{}", view.state.word(), remark::because(view)),
            EntryState::Alive(view) => {
                let share = progress::of(view).map(|(done, total)| number::percent(done, total));
                format!("{}{}", view.state.word(), share.map(|s| format!(", {s}")).unwrap_or_default())
            }
            EntryState::Elsewhere(view) => {
                format!("{}?, {}", view.state.word(), clean(&view.whereabouts()))
            }
            EntryState::Unreadable(why) => format!("cannot be read: {}", clean(why)),
            EntryState::Open => match self.refused.get(entry.key()) {
                Some(why) => format!("not started: {}", clean(why)),
                None => "not started yet".to_owned(),
            },
        }
    }

    /// Warnings about runs that have not finished, to be shown before their results.
    fn warnings(&self, key: &str) -> Option<Block> {
        let at = self.study.plan.entries.iter().position(|entry| entry.key() == key)?;
        let (entry, entry_state) = (&self.study.plan.entries[at], &self.entry_states[at]);
        if matches!(entry_state, EntryState::Finished(_)) {
            return None;
        }
        let shown = match entry_state.view() {
            Some(_) => "What it recorded before that is shown.",
            None => "There is nothing to show.",
        };
        let state = format!(" has not finished. State: {}. {shown}", self.state(entry, entry_state));
        Some(Block::Missing(vec![text("The experiment "), code(clean(key)), text(state)]))
    }

    fn planned(&self, experiment: &str) -> bool {
        self.study.plan.entries.iter().any(|entry| entry.key() == experiment)
    }

    fn section(&mut self, section: &'a Section, blocks: &mut Vec<Block>) {
        let runs = section.runs();
        let planned: Vec<&str> = runs.iter().copied().filter(|key| self.planned(key)).collect();
        if planned.is_empty() && !runs.is_empty() {
            return;
        }
        let id = section.id.get_ref();
        blocks.push(heading(2, id.clone(), section.title.0.clone()));
        blocks.extend(planned.iter().filter_map(|key| self.warnings(key)));
        let mut shown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (i, question) in (1..).zip(&section.questions) {
            let mut runs = question.runs().peekable();
            if runs.peek().is_some() && !runs.any(|key| self.planned(key)) {
                continue;
            }
            let words = format!("{i}. {}", question.title.0);
            blocks.push(Block::Heading { level: 3, id: format!("{id}-{i}"), words });
            blocks.extend(question.asked.as_ref().map(|asked| quote("Asked", &asked.0)));
            for part in &question.answer {
                self.part(part, &mut shown, blocks);
            }
        }
        for key in planned {
            self.further(key, &shown.remove(key).unwrap_or_default(), blocks);
        }
    }

    fn part(&mut self, part: &'a Part, shown: &mut BTreeMap<&'a str, Vec<String>>, blocks: &mut Vec<Block>) {
        match part {
            Part::Text(words) => blocks.push(Block::Text(marked(&words.0))),
            Part::Quote(words) => blocks.extend(self.file.map(|file| quote(&file.quoted, &words.0))),
            Part::Settings(of) => blocks.extend(self.settings(&of.run)),
            Part::Table(of) => blocks.extend(self.table(of)),
            Part::Found(of) => blocks.extend(self.found(&of.run)),
            Part::Numbers(tables) => {
                let tables: Vec<Block> = tables.iter().filter_map(|of| self.table(of)).collect();
                if !tables.is_empty() {
                    blocks.push(Block::More { summary: "All numbers".to_owned(), blocks: tables });
                }
            }
            Part::Figures(places) => {
                for places in places.chunk_by(|a, b| a.run == b.run) {
                    self.figures(places, shown, blocks);
                }
            }
        }
    }

    /// The figures of a run, in the order given by the author.
    fn figures(
        &mut self,
        places: &'a [Place],
        shown: &mut BTreeMap<&'a str, Vec<String>>,
        blocks: &mut Vec<Block>,
    ) {
        let key = places[0].run.as_str();
        if !self.planned(key) {
            return;
        }
        let Some(run) = self.runs.get(key) else {
            blocks.push(missing(&["No figure: there is no run of ", key, "."]));
            return;
        };
        let seen = shown.entry(key).or_default();
        let mut none = true;
        let mut odd = Vec::new();
        for of in places {
            let mut meant = run.figure_ids().filter(|figure| of.means(figure)).peekable();
            if meant.peek().is_none() && !of.name.ends_with('*') {
                odd.push((of, suggest(&of.name, run.figure_ids(), "figures")));
            }
            for figure in meant {
                if !seen.iter().any(|s| s == figure) {
                    seen.push(figure.to_owned());
                    blocks.extend(run.figure(figure));
                }
                none = false;
            }
        }
        if none {
            blocks.push(missing(&["No figure: the run of ", key, " has not drawn it."]));
        }
        for (of, known) in odd {
            self.lacks(of, "figure", &known);
        }
    }

    /// Records something that the report names but a finished run does not have.
    fn lacks(&mut self, of: &Place, what: &str, known: &str) {
        let finished = self.runs.get(of.run.as_str()).is_some_and(|run| run.view.state == State::Finished);
        let line = self.file.filter(|_| finished).map(|file| file.line(of));
        let (run, name) = (&of.run, &of.name);
        let words = |at| lacking(clean(&format!("{at}: the run of {run} has no {what} {name:?} ({known})")));
        self.odd.extend(line.map(words));
    }

    fn settings(&self, key: &str) -> Option<Block> {
        let entry = self.study.plan.entries.iter().find(|entry| entry.key() == key)?;
        Some(self.runs.get(key)?.settings(&entry.sets()))
    }

    fn table(&mut self, of: &Place) -> Option<Block> {
        let (id, table) = (of.run.as_str(), of.name.as_str());
        let run = self.runs.get(id)?;
        match run.table(table) {
            Ok(Some(block)) => Some(block),
            Ok(None) => {
                let tables = table_names(&run.view.dir);
                self.lacks(of, "table", &suggest(table, tables.iter().map(String::as_str), "tables"));
                Some(missing(&["The run of ", id, " has not recorded its table ", table, "."]))
            }
            Err(e) => {
                self.odd.push(lacking(clean(&e.to_string())));
                Some(missing(&["The table ", table, " of ", id, " cannot be read."]))
            }
        }
    }

    fn found(&mut self, id: &str) -> Vec<Block> {
        if !self.planned(id) {
            return Vec::new();
        }
        match self.runs.get(id).map(RunSection::found) {
            Some(Ok(Some(found))) => found,
            Some(Ok(None)) | None => vec![missing(&["No conclusion: ", id, " has not come to one."])],
            Some(Err(e)) => {
                self.odd.push(lacking(clean(&e.to_string())));
                vec![missing(&["The conclusion of ", id, " cannot be read."])]
            }
        }
    }

    /// Figures that the report does not name.
    fn further(&self, id: &str, shown: &[String], blocks: &mut Vec<Block>) {
        let Some(run) = self.runs.get(id) else { return };
        let rest: Vec<&str> = run.figure_ids().filter(|f| !shown.iter().any(|s| s == f)).collect();
        if rest.is_empty() {
            return;
        }
        let mut words = vec![run.link(), text(" also has the figures ")];
        for (i, figure) in rest.iter().enumerate() {
            words.extend((i > 0).then(|| text(", ")));
            words.push(code(clean(figure)));
        }
        words.push(text(": "));
        words.push(code(format!("gradtop plot {} ID", run.view.manifest.run)));
        words.push(text(" draws them."));
        blocks.push(Block::Text(words));
    }

    /// A run that the report does not mention.
    fn unasked(&mut self, entry: &'a Entry, blocks: &mut Vec<Block>) {
        let key = entry.key();
        blocks.push(heading(2, format!("run-{key}"), clean(key)));
        blocks.extend(self.warnings(key));
        let Some(run) = self.runs.get(key) else { return };
        blocks.push(Block::Text(vec![text(clean(&run.view.manifest.experiment.summary))]));
        blocks.push(run.settings(&entry.sets()));
        let ids: Vec<String> = run.figure_ids().map(str::to_owned).collect();
        blocks.extend(ids.iter().filter_map(|id| run.figure(id)));
        if run.found().is_ok_and(|found| found.is_some()) {
            blocks.extend(self.found(key));
        }
    }
}

fn quote(who: &str, words: &str) -> Block {
    Block::Quote { who: who.to_owned(), words: words.to_owned() }
}

fn missing(words: &[&str]) -> Block {
    Block::Missing(vec![Span::Text(clean(&words.concat()))])
}
