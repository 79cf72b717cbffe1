//! The table of an experiment's runs: the usual columns, and what gives way where there is little room.

use gradtop_store::{State, View};
use jiff::Timestamp;

use crate::print::table::{Table, Words};
use crate::print::{self, clean};
use crate::widgets::progress_bar;
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::text::{fit, fit_distinct, fit_ends, width_of, wrap};
use gradtop_chart::cells::theme::Ink;
use gradtop_chart::number;
use gradtop_view::list::column;
use gradtop_view::list::differing::differing;
use gradtop_view::run::{headline, notes, progress, remark, state};

/// The most parameters shown, beyond those that are needed to tell runs apart.
const PARAMETERS: usize = 3;
/// Column widths of an abbreviated table, with gaps: what is around the state and the name, what the progress needs, and the
/// least that a name gets.
const FIRST: usize = 5;
const DONE: usize = 7;
const LEAST_NAME: usize = 8;
/// Columns before a remark below a run.
const BELOW: usize = 3;

/// A column of the usual table. All that can be asked for are in `core/view/src/list/column.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Named(&'static str),
    /// The parameter with this index.
    Param(usize),
    Value,
    Note,
    Remark,
}

const HOST: Column = Column::Named("host");
const PROGRESS: Column = Column::Named("progress");

impl Column {
    /// The usual columns, with as many parameters: at the end those that tell nothing more.
    fn usual(telling: usize, parameters: usize) -> Vec<Self> {
        let mut columns = vec![Self::Named("state"), Self::Named("name"), HOST];
        columns.extend((0..telling).map(Self::Param));
        columns.extend([PROGRESS].into_iter().chain(["step", "rate", "eta"].map(Self::Named)));
        columns.extend([Self::Value, Self::Named("of"), Self::Named("age")]);
        columns.extend((telling..parameters).map(Self::Param));
        columns.extend([Self::Note, Self::Remark]);
        columns
    }

    /// The order in which columns are dropped when space is short: the highest goes first; 0 is never dropped. The first
    /// `telling` parameters tell runs apart. The monitor has the same order.
    fn dispensable(self, telling: usize) -> usize {
        match self {
            Self::Param(0) => 1,
            PROGRESS => 2,
            Self::Param(at) if at < telling => 3,
            Self::Named("step") => 4,
            Self::Named("host" | "eta") => 5,
            Self::Named("rate") => 7,
            Self::Remark => 8,
            Self::Named("age") => 9,
            Self::Param(_) => 11,
            Self::Named(_) | Self::Value | Self::Note => 0,
        }
    }

    /// Columns that are dropped only if they are the same for all runs.
    const DEAR: usize = 2;
}

struct GroupTable<'a> {
    views: &'a [&'a View],
    /// The columns in which the runs differ.
    parameters: Vec<String>,
    /// How many of them are needed to tell the runs apart.
    telling: usize,
    columns: Vec<Column>,
    common: Option<headline::Common>,
    now: Timestamp,
    /// A bar beside the progress.
    bars: bool,
    /// What is important about a run has a line of its own below it.
    below: bool,
    /// Without the number of values that a value is the mean of, and the kind of mean.
    terse: bool,
}

/// Prints the name of an experiment, and what is said of all its runs.
pub(super) fn heading(experiment: &str, said: &str) {
    print::line(&format!("\n{}{}", print::styled(experiment, Ink::Bold), print::styled(said, Ink::Dim)));
}

/// Prints the runs of one experiment under its name. `hosts`: say where each ran; `doubts`: what is wrong with their order.
pub(super) fn print(experiment: &str, views: &[&View], hosts: bool, doubts: &str) {
    let mut shown = GroupTable::new(views, hosts, print::terminal().tty);
    let mut table = shown.table();
    // A remark is whole beside its run, or below it.
    let fits = |shown: &GroupTable<'_>, table: &Table| {
        if shown.below { table.nearly_fits(1) } else { table.fits(1) }
    };
    while !fits(&shown, &table) && shown.reduce() {
        table = shown.table();
    }
    let (width, _) = print::terminal().size.unwrap_or((usize::MAX, 0));
    let mut said = shown.said_once(width.saturating_sub(width_of(experiment)));
    if width < usize::MAX && !table.nearly_fits(1) {
        table = shown.brief(width);
        said.extend(headline::means(views, shown.common.as_ref()).map(|means| format!("  {means}")));
    }
    heading(experiment, &(said + doubts));
    print::lines(shown.lines(&table));
}

impl<'a> GroupTable<'a> {
    fn new(views: &'a [&'a View], hosts: bool, bars: bool) -> Self {
        let differing = differing(views);
        let telling = differing.iter().take_while(|own| own.tells).count();
        let shown = differing.into_iter().take(telling.max(PARAMETERS));
        let parameters: Vec<String> = shown.map(|own| own.name).collect();
        let mut columns = Column::usual(telling, parameters.len());
        columns.retain(|column| hosts || *column != HOST);
        let common = headline::common(views).map(|common| common.said_once(views));
        let now = Timestamp::now();
        Self { views, parameters, telling, columns, common, now, bars, below: false, terse: false }
    }

    /// What all values are of, to follow the name of the experiment, in at most `room` columns.
    fn said_once(&self, room: usize) -> String {
        let told = self.common.as_ref().map(headline::Common::told).unwrap_or_default();
        let of = told.of();
        if of.is_empty() {
            return of;
        }
        let whole = format!("  {}: {of}", self.title());
        if width_of(&whole) <= room {
            return whole;
        }
        format!("  {}", told.of_within(room.saturating_sub(2), print::ascii()))
    }

    /// Drops what matters least: bars, which are decoration, then columns that are the same for all runs, then others, and last
    /// of how many values a value is the mean. Returns false if nothing can be dropped.
    fn reduce(&mut self) -> bool {
        if std::mem::take(&mut self.bars) {
            return true;
        }
        let repeats = |column: Column| {
            let mut cells = self.views.iter().map(|view| self.cell(column, view));
            let first = cells.next();
            self.views.len() > 1 && cells.all(|cell| Some(cell) == first)
        };
        let order = self.columns.iter().map(|c| (repeats(*c), c.dispensable(self.telling)));
        let worst =
            order.enumerate().filter(|(_, (same, cost))| *cost > if *same { 0 } else { Column::DEAR });
        let worst = worst.max_by_key(|(_, order)| *order);
        match worst {
            Some((_, (false, _))) | None if !self.below => self.below = true,
            Some((at, _)) => drop(self.columns.remove(at)),
            None if !self.terse => self.terse = true,
            None => return false,
        }
        true
    }

    /// The lines of the table, with what is important about a run below it if it has no place beside it.
    fn lines(&self, table: &Table) -> Vec<String> {
        let mut out = table.lines(1);
        let lines = out.split_off(out.len() - self.views.len());
        let room = print::terminal().size.map_or(usize::MAX, |(width, _)| width.saturating_sub(BELOW));
        for (view, line) in self.views.iter().zip(lines) {
            out.push(line);
            if let Some((text, ink)) = note(view).filter(|_| self.below) {
                let text = wrap(&fit(&text, room.saturating_mul(2), print::ascii()), room);
                out.extend(text.iter().map(|text| " ".repeat(BELOW) + &print::styled(text, ink)));
            }
        }
        out
    }

    fn table(&self) -> Table {
        let heads: Vec<(String, Align)> = self
            .columns
            .iter()
            .map(|column| match *column {
                Column::Param(i) => (column::title(&self.parameters[i]), Align::Left),
                Column::Value => (self.title(), Align::Point),
                Column::Note | Column::Remark => (String::new(), Align::Left),
                Column::Named(name) => (name.to_owned(), column::align(name, std::iter::empty())),
            })
            .collect();
        let mut table = Table::new(&heads);
        for view in self.views {
            table.row(self.columns.iter().map(|column| self.cell(*column, view)).collect::<Vec<_>>());
        }
        for (at, _) in
            self.columns.iter().enumerate().filter(|(_, column)| matches!(column, Column::Param(_)))
        {
            table.shorten(at);
        }
        table
    }

    fn cell(&self, column: Column, view: &View) -> Words {
        match column {
            Column::Param(i) => column::cell(view, &self.parameters[i], self.now).into(),
            PROGRESS => match progress::of(view) {
                Some((done, total)) => {
                    let percent = number::percent(done, total);
                    // Bars are aligned.
                    if self.bars {
                        format!("{}{percent:>5}", bar(done, total)).into()
                    } else {
                        percent.into()
                    }
                }
                None => Words::dim(number::MISSING),
            },
            Column::Value => headline::told(view, self.common.as_ref()).value.into(),
            Column::Named("of") => {
                let told = headline::told(view, self.common.as_ref());
                Words::dim(if self.terse { told.short() } else { told.of() })
            }
            Column::Note => {
                let note = note(view);
                let beside =
                    if self.below && note.is_some() { None } else { note.or_else(|| why_stopped(view)) };
                beside.map_or_else(|| Words::dim(""), |(text, ink)| Words::new(text, ink))
            }
            Column::Remark => Words::dim(notes::in_words(view)),
            HOST => Words::dim(column::cell(view, "host", self.now)),
            Column::Named(name) => cell(view, name, self.now),
        }
    }

    /// The table where another does not fit: the sign of the state, which needs no heading, name, progress and value.
    fn brief(&self, width: usize) -> Table {
        let has = |column| self.columns.contains(&column);
        let signs =
            self.views.iter().map(|view| width_of(&state::sign(view.state, view.certain, print::ascii())));
        let first = FIRST + signs.max().unwrap_or(0);
        let room = width.saturating_sub(first + if has(PROGRESS) { DONE } else { 0 });
        // Names are cut before values and their series are.
        let names: Vec<String> = self.views.iter().map(|view| clean(&view.manifest.run)).collect();
        let widest = names.iter().map(|name| width_of(name)).max().unwrap_or(0);
        let whole = headline::brief_widths(self.views, self.common.as_ref()).max().unwrap_or(0);
        let whole = whole.max(width_of(&self.title()));
        let value = room.saturating_sub(widest).max(whole.min(room.saturating_sub(LEAST_NAME)));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let names = fit_distinct(&names, room.saturating_sub(value), print::ascii());
        let values = headline::brief(self.views, self.common.as_ref(), value, print::ascii());
        let title = fit_ends(&self.title(), value, print::ascii());
        let mut table = Table::new(&[
            ("", Align::Left),
            ("name", Align::Left),
            ("host", Align::Left),
            ("done", Align::Right),
            (&title, Align::Left),
        ]);
        for ((view, name), value) in self.views.iter().zip(names).zip(values) {
            let shown = |column| if has(column) { self.cell(column, view) } else { Words::dim("") };
            table.row([
                Words::new(state::sign(view.state, view.certain, print::ascii()), column::ink(view, "state")),
                Words::new(name, column::ink(view, "name")),
                shown(HOST),
                shown(PROGRESS),
                value.into(),
            ]);
        }
        table
    }

    fn title(&self) -> String {
        self.common.as_ref().map_or_else(|| "last value".to_owned(), headline::Common::title)
    }
}

/// A cell of any column.
pub(super) fn cell(view: &View, name: &str, now: Timestamp) -> Words {
    Words::new(column::cell(view, name, now), column::ink(view, name))
}

/// What is important about a run.
fn note(view: &View) -> Option<(String, Ink)> {
    remark::of(view).map(|note| (note, if view.certain { Ink::Alert } else { Ink::Dim }))
}

fn why_stopped(view: &View) -> Option<(String, Ink)> {
    remark::cause(view).filter(|_| view.state == State::Stopped).map(|cause| (cause, Ink::Dim))
}

/// A progress bar of ten cells.
fn bar(done: u64, total: u64) -> String {
    let (full, empty) = progress_bar(done, total.max(1), 10, print::ascii());
    format!("{full}{empty} ")
}

#[cfg(test)]
mod tests {
    use gradtop_chart::cells::text::width_of;
    use gradtop_store::{CommandInfo, ParamValue, SeriesKey, State, View};

    use super::GroupTable;
    use crate::app::testing::{Bench, Spec, run};

    fn views(bench: &Bench) -> Vec<&View> {
        bench.app.shared.runs.rows.iter().map(|row| &row.view).collect()
    }

    #[test]
    fn a_note_is_beside_its_run_or_below_it_and_replaces_nothing() {
        let failed = run("fit", "a", 1).losses().at(State::Failed, 10).cause("boom");
        let bench =
            Bench::of(vec![failed, run("fit", "b", 2).losses().at(State::Stopped, 10).cause("asked")]);
        let views = views(&bench);
        let mut shown = GroupTable::new(&views, false, false);
        let lines = shown.lines(&shown.table());
        assert!(lines.len() == 3 && lines.iter().any(|line| line.ends_with("boom")), "{lines:?}");
        shown.below = true;
        let lines = shown.lines(&shown.table());
        let at = lines.iter().position(|line| line == "   boom").expect("a line of its own");
        assert!(lines.len() == 4 && lines[at - 1].contains(" a "), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains(" b ") && line.ends_with("asked")), "{lines:?}");
    }

    #[test]
    fn causes_and_tags_begin_at_the_same_place_in_each_row() {
        let of = |name: &str, cause: &str| run("fit", name, 1).losses().at(State::Failed, 10).cause(cause);
        let bench = Bench::of(vec![of("a", "boom"), of("b", "a much longer cause")]);
        let lines = GroupTable::new(&views(&bench), false, false).table().lines(0);
        assert_eq!(lines[1].find("a much"), lines[2].find("boom"), "{lines:#?}");
    }

    #[test]
    fn what_tells_runs_apart_is_kept_longer_than_what_repeats() {
        let of = |name: &str, state, step, lr| {
            run("fit", name, 1).losses().at(state, step).param("lr", ParamValue::Float(lr))
        };
        let titles = |runs: Vec<Spec>| {
            let bench = Bench::of(runs);
            let views = views(&bench);
            let mut shown = GroupTable::new(&views, false, true);
            let mut titles = vec![shown.table().lines(0)[0].split_whitespace().collect::<Vec<_>>().join(" ")];
            while shown.reduce() {
                titles.push(shown.table().lines(0)[0].split_whitespace().collect::<Vec<_>>().join(" "));
            }
            titles.dedup();
            titles
        };
        let ended = titles(vec![of("a", State::Stopped, 20_000, 0.1), of("b", State::Stopped, 20_000, 0.2)]);
        assert_eq!(ended[0], "state name lr progress step last loss age");
        assert_eq!(ended.last().map(String::as_str), Some("state name lr last loss"), "{ended:?}");
        let live = titles(vec![of("a", State::Running, 5_000, 0.1), of("b", State::Running, 900, 0.2)]);
        assert_eq!(live[0], "state name lr progress step rate eta last loss age");
        assert_eq!(live.last().map(String::as_str), Some("state name lr progress last loss"), "{live:?}");
    }

    #[test]
    fn of_how_many_a_value_is_the_mean_is_given_up_last_and_that_it_is_one_never() {
        let trials = (0..3).fold(run("fit", "a", 1), |spec, trial| {
            spec.logged(SeriesKey { trial: Some(trial), ..SeriesKey::metric("loss") }, &[(0, 1.0), (1, 0.5)])
        });
        // Beside another that is none.
        let bench = Bench::of(vec![trials, run("fit", "b", 2).losses()]);
        let views = views(&bench);
        let mut shown = GroupTable::new(&views, false, true);
        let mut last = String::new();
        while shown.reduce() {
            let line = shown.table().lines(0)[1].clone();
            assert!(line.contains("geo"), "{line}");
            assert!(
                line.contains("geometric mean of 3")
                    || shown.columns.iter().all(|c| c.dispensable(shown.telling) <= 2),
                "{line}"
            );
            last = line;
        }
        assert!(last.ends_with("geo."), "{last}");
    }

    #[test]
    fn a_seed_is_shown_where_it_alone_tells_runs_apart() {
        let of = |name: &str, lr, seed| {
            run("fit", name, 1).param("lr", ParamValue::Float(lr)).with(move |m, _| m.seed = Some(seed))
        };
        let titles = |runs: Vec<Spec>| {
            let bench = Bench::of(runs);
            GroupTable::new(&views(&bench), false, false).table().lines(0)[0].clone()
        };
        assert!(titles(vec![of("a", 0.1, 1), of("b", 0.1, 2), of("c", 0.2, 1)]).contains("lr   seed"));
        assert!(!titles(vec![of("a", 0.1, 2_083_919), of("b", 0.2, 1_837_238)]).contains("seed"));
        // A sweep hands seeds on in GRADTOP_SEED; one that nobody chose is drawn, and large.
        let command = |name: &str, seed| {
            run("fit", name, 1)
                .with(move |m, _| (m.seed, m.command) = (Some(seed), Some(CommandInfo::default())))
        };
        assert!(titles(vec![command("a", 1), command("b", 2)]).contains("seed"));
        assert!(!titles(vec![command("a", 2_083_919), command("b", 1_837_238)]).contains("seed"));
    }

    #[test]
    fn a_phone_shows_whole_series_before_a_progress_that_repeats() {
        let of = |name: &str, model, value| run("fit", name, 1).series("loss", Some(model), &[(1, value)]);
        let bench =
            Bench::of(vec![of("plane-curve-1", "deep", 3.142e-6), of("plane-curve-2", "shallow", 2.718e-5)]);
        let views = views(&bench);
        let mut shown = GroupTable::new(&views, false, true);
        while shown.reduce() {}
        let lines = shown.brief(40).lines(1);
        assert!(lines[1].contains("3.142e-6 deep") && lines[2].contains("2.718e-5 shallow"), "{lines:#?}");
        assert!(
            lines[1].contains("plane-curve-1") && lines.iter().all(|line| width_of(line) <= 40),
            "{lines:#?}"
        );
        // Of runs at work the progress is shown, and the name is cut instead.
        let at = |spec: Spec, step| spec.at(State::Running, step);
        let live = vec![
            at(of("plane-curve-1", "deep", 3.142e-6), 50),
            at(of("plane-curve-2", "shallow", 2.718e-5), 9_000),
        ];
        let bench = Bench::of(live);
        let views = self::views(&bench);
        let mut shown = GroupTable::new(&views, false, true);
        while shown.reduce() {}
        let lines = shown.brief(40).lines(1);
        assert!(lines[2].contains("45 %  2.718e-5 shallow") && lines[2].contains("e-2"), "{lines:#?}");
        assert!(lines.iter().all(|line| width_of(line) <= 40), "{lines:#?}");
    }

    #[test]
    fn bars_are_aligned() {
        let bench = Bench::of(vec![run("fit", "a", 1).at(State::Stopped, 2_000), run("fit", "b", 2)]);
        let lines = GroupTable::new(&views(&bench), false, true).table().lines(0);
        let begins = |line: &String| line.chars().position(|c| "█░▏▎▍▌▋▊▉#.".contains(c));
        assert!(begins(&lines[1]).is_some() && begins(&lines[1]) == begins(&lines[2]), "{lines:#?}");
    }
}
