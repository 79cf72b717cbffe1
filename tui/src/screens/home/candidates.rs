//! The columns that a list may show, and what each is worth in the room it takes.
//!
//! What tells runs apart matters more than how far they are, and that more than how they went. What is cut counts against a
//! column, and what is the same for all runs is worth little.

use super::cells::{self, GAP, LEAST, REMARK};
use super::list::Group;
use super::what::{What, told, without_last};
use crate::print::clean;
use crate::screens::shared::Shared;
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::room::{Claim, POINT};
use gradtop_chart::cells::text::width_of;
use gradtop_view::list::column;
use gradtop_view::run::headline::{self, Told};
use gradtop_view::run::{param, progress, state};
use gradtop_view::runs::RunRow;

/// The worth of columns in points: of those without which a run is not shown at all, of a value and of what it is of.
const NEEDED: i64 = 10_000;
const VALUE: i64 = 1_000;
const SERIES: i64 = 500;
/// Of room for remarks where no value says what it is of.
const REMARKS: i64 = 30;
/// Of how far runs at work are, and of the same where all have ended.
const PERCENT: i64 = 400;
const ENDED: i64 = 24;
/// Of the first parameter without which runs look alike, and how much less each further one is worth: the last is still worth
/// more than everything that tells no runs apart.
const TELLS: i64 = 300;
const LESS: i64 = 20;
/// The most parameters, and what one is worth that tells nothing more: as one of two, and else.
const PARAMS: usize = 12;
const REPEATS: [i64; 2] = [40, 17];
const HOST: i64 = 30;
const STEP: i64 = 20;
const ETA: i64 = 18;
const TREND: i64 = 16;
const BAR: i64 = 12;
const RATE: i64 = 14;
const AGE: i64 = 8;
const EPOCH: i64 = 7;
const DEVICE: i64 = 4;
/// What it costs if all names are cut, or all series of values, or values together with their series.
const NAME_CUT: i64 = 56;
const SERIES_CUT: i64 = 60;
const VALUE_CUT: i64 = 120;
/// What each column of a usual heading is worth that only says that values are the last ones.
const HEADED: i64 = 20;
/// A column that is the same for all runs is worth so much less.
const REPEATED: i64 = 50;

/// A name that is cut to this width is as good as whole.
const NAME_WIDTH: usize = 28;
/// The narrowest value.
const VALUE_WIDTH: usize = 11;
/// The widest heading of values for which others are cut, also on a phone.
const TITLE: usize = 20;
const NARROW_TITLE: usize = 14;
/// The widest number of a parameter, and the widest heading of one, for which others are cut.
const PARAM: usize = 14;
const HEADING: usize = 6;
/// The narrowest series with the remark that its value is a mean.
const SERIES_OF_MEAN: usize = 11;
/// Longer texts are cut in any case.
const WIDEST: usize = 40;

/// A column that a list may show.
pub(super) struct Candidate<'a> {
    pub(super) what: What<'a>,
    pub(super) align: Align,
    pub(super) claim: Claim,
}

impl<'a> Candidate<'a> {
    fn new(what: What<'a>, claim: Claim) -> Self {
        let align = match what {
            What::Percent => Align::Right,
            What::Metric => Align::Point,
            What::Other(name) => column::align(name, std::iter::empty()),
            _ => Align::Left,
        };
        Self { what, align, claim }
    }

    fn fixed(what: What<'a>, width: usize, worth: i64) -> Self {
        Self::new(what, Claim::fixed(width, worth * POINT))
    }
}

/// The groups in sight, for which columns are chosen.
pub(super) struct Sight<'s, 'a> {
    pub(super) groups: &'s [&'a Group],
    pub(super) shared: &'s Shared,
    /// Whether hosts are shown.
    pub(super) hosts: bool,
    /// The width of the list.
    pub(super) room: usize,
    /// Whether states are signs, and values and what they are of are one column.
    pub(super) narrow: bool,
}

impl<'a> Sight<'_, 'a> {
    /// The columns of a view; without a view, all that may be of use, in the order in which they are shown.
    pub(super) fn candidates(&self, view: &'a [String]) -> Vec<Candidate<'a>> {
        if !view.is_empty() {
            return self.of_view(view);
        }
        let mut all = vec![self.state(), self.name()];
        all.extend(self.hosts.then(|| self.host()));
        all.extend((0..PARAMS).filter_map(|i| self.param(i)));
        all.extend(self.progress());
        all.extend(if self.narrow { self.brief().into_iter().collect() } else { self.values() });
        let trend = Claim::fixed(8, (TREND - 4) * POINT).grown(12, POINT).grown(36, 10);
        all.push(Candidate::new(What::Spark, trend));
        all.push(self.less_if_same(other("age", 5, AGE)));
        // Where it tells runs apart, it is among what does.
        let is_told = self.groups.iter().any(|group| group.params.iter().any(|own| own.name == "device"));
        all.extend((!is_told).then(|| self.less_if_same(other("device", 6, DEVICE))));
        all
    }

    fn runs(&self) -> impl Iterator<Item = (&'a Group, &'a RunRow)> {
        self.groups.iter().flat_map(|group| group.rows.iter().map(|run| (*group, &**run)))
    }

    fn widths(&self, text: impl Fn(&'a Group, &'a RunRow) -> String) -> Vec<usize> {
        self.runs().map(|(group, run)| width_of(&text(group, run))).collect()
    }

    fn state(&self) -> Candidate<'a> {
        let ascii = self.shared.theme.ascii();
        let labels = self.widths(|_, run| {
            let view = &run.view;
            if self.narrow {
                state::sign(view.state, view.certain, ascii)
            } else {
                state::label_in(view, ascii)
            }
        });
        let least = if self.narrow { 1 } else { 10 };
        Candidate::fixed(What::State, widest(&labels).clamp(least, 12), NEEDED)
    }

    fn name(&self) -> Candidate<'a> {
        let widths: Vec<usize> = self.runs().map(|(_, run)| cells::name_width(run)).collect();
        let least = if self.narrow { LEAST } else { 12.min(widest(&widths)).max(LEAST) };
        let claim = Claim::of_texts(NEEDED * POINT, NAME_CUT * POINT, least.min(self.room), &widths);
        Candidate::new(What::Name, claim.dear_below(NAME_WIDTH, 2 * POINT, &widths))
    }

    /// The share of pairs of runs in a group that a column tells apart.
    fn apart(&self, what: What<'a>) -> f64 {
        let texts = |group: &&'a Group| -> Vec<String> {
            group.rows.iter().map(|run| what.text(group, run, self.shared.now)).collect()
        };
        self.groups.iter().map(|group| param::told_apart(texts(group))).fold(0.0, f64::max)
    }

    /// A column of texts, of which a cut one is worth less.
    fn texts(&self, what: What<'a>, worth: i64, least: usize) -> Candidate<'a> {
        let widths = self.widths(|group, run| what.text(group, run, self.shared.now));
        let widths: Vec<usize> = widths.into_iter().map(|width| width.min(WIDEST)).collect();
        let least = LEAST.min(widest(&widths)).max(least);
        Candidate::new(what, Claim::of_texts(worth, worth * 3 / 5, least, &widths))
    }

    fn param(&self, i: usize) -> Option<Candidate<'a>> {
        let what = What::Param(i);
        let with = || self.groups.iter().filter(move |group| i < group.params.len());
        with().next()?;
        let texts: Vec<String> =
            self.runs().map(|(group, run)| what.text(group, run, self.shared.now)).collect();
        // A usual number is never cut.
        let is_number =
            |text: &&String| text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
        let number = texts.iter().filter(is_number).map(|text| width_of(text)).max().unwrap_or(0);
        // The heading may carry the mark of the sort order.
        let sort = &self.shared.settings.home.sort;
        let title =
            |group: &&Group| width_of(&what.title(group)) + if what.is_sorted(group, sort) { 2 } else { 0 };
        let title = with().map(title).max().unwrap_or(0);
        let mut widths: Vec<usize> = texts.iter().map(|text| width_of(text).min(WIDEST)).collect();
        let least = number.min(PARAM).max(widest(&widths).min(LEAST)).max(title.min(HEADING));
        widths.push(title);
        let tells = with().any(|group| group.params[i].tells);
        let worth = if tells { TELLS - LESS * i as i64 } else { REPEATS[usize::from(i > 1)] } * POINT;
        Some(Candidate::new(what, Claim::of_texts(worth, worth * 3 / 5, least, &widths)))
    }

    fn host(&self) -> Candidate<'a> {
        let what = What::Other("host");
        // It is of some use also where other groups have another.
        self.texts(what, points(HOST, self.apart(what).max(0.3)), 4)
    }

    fn progress(&self) -> Vec<Candidate<'a>> {
        let any = |has: fn(&RunRow) -> bool| self.runs().any(|(_, run)| has(run));
        // What has ended is as far as it will be.
        let works = any(|run| run.live() && run.view.certain);
        let apart = if works { 1.0 } else { self.apart(What::Percent).max(0.3) };
        let percent = Claim::fixed(5, points(if works { PERCENT } else { ENDED }, apart));
        let bar = Claim::fixed(5, points(BAR - 4, apart)).grown(10, points(1, apart));
        let step = widest(&self.widths(|group, run| What::Other("step").text(group, run, self.shared.now)));
        // How far a run at work is, is always shown: of unknown total, by its step, if it has begun.
        let only_steps =
            any(|run| run.live() && run.view.status.step.is_some() && progress::of(&run.view).is_none());
        let step = other("step", step.max(7), if only_steps { PERCENT } else { STEP });
        let columns = [
            // Columns of running runs take no room if there are none.
            (any(|run| progress::of(&run.view).is_some()), Candidate::new(What::Bar, bar)),
            (any(|run| progress::of(&run.view).is_some()), Candidate::new(What::Percent, percent)),
            (any(|run| run.live() || run.view.status.step.is_some()), step),
            (any(|run| progress::epoch(&run.view).is_some()), other("epoch", 7, EPOCH)),
            (any(RunRow::live), other("rate", 9, RATE)),
            (any(|run| run.live() && run.view.status.total > 0), other("eta", 6, ETA)),
        ];
        columns
            .into_iter()
            .filter(|(is_known, _)| *is_known)
            .map(|(_, column)| self.less_if_same(column))
            .collect()
    }

    /// A column is of little use if it is the same for all of several runs and stays so, as none is at work.
    fn less_if_same(&self, column: Candidate<'a>) -> Candidate<'a> {
        let text = |(group, run): (&'a Group, &'a RunRow)| column.what.text(group, run, self.shared.now);
        let mut runs = self.runs().peekable();
        let first = runs.next().map(text);
        let same = runs.peek().is_some()
            && runs.all(|run| Some(text(run)) == first)
            && !self.runs().any(|(_, run)| run.live());
        Candidate { claim: if same { column.claim.worth_less(REPEATED) } else { column.claim }, ..column }
    }

    /// The headings of values, if a group has any.
    fn titles(&self) -> impl Iterator<Item = String> {
        let valued = |group: &&&Group| !What::Metric.is_empty(group, self.shared.now);
        self.groups.iter().filter(valued).map(|group| What::Metric.title(group))
    }

    /// A column of values with these texts, whose heading is whole if there is room: `last` is what it can do without.
    fn headed(&self, texts: &[usize]) -> Claim {
        let title = |form: fn(&str) -> &str| {
            self.titles().map(|title| width_of(form(&title))).max().unwrap_or(0).min(WIDEST)
        };
        let (brief, whole) = (title(without_last), title(|title| title));
        let widest = if self.narrow { NARROW_TITLE } else { TITLE };
        let claim =
            Claim::of_texts(VALUE * POINT, VALUE_CUT * POINT, brief.clamp(VALUE_WIDTH, widest), texts);
        // On a phone there is room for how far a run is instead, elsewhere for the parameters that tell runs apart.
        let more = if self.narrow || whole > TITLE { 2 } else { HEADED };
        claim.grown(brief, 4 * POINT).grown(whole, more * POINT)
    }

    /// Values and what they are of, beside which there should be some room for remarks.
    fn values(&self) -> Vec<Candidate<'a>> {
        let told: Vec<Told> = self.runs().map(|(group, run)| told(group, run)).collect();
        let whole = told.iter().map(|told| width_of(&told.of())).max().unwrap_or(0);
        let brief = told.iter().map(|told| width_of(&told.short()));
        let remarks = self.runs().map(|(_, run)| remark_width(run));
        let of: Vec<usize> =
            brief.zip(remarks).map(|(brief, remark)| brief.max(remark).min(WIDEST)).collect();
        let worth = if whole > 0 { SERIES } else { REMARKS };
        // Below its heading, a value is aligned at its point.
        let value = self.headed(&[]);
        let value = value.clone().grown(value.most() + cells::BEFORE_POINT, 20);
        let mut columns = Vec::new();
        columns.extend(self.titles().next().map(|_| Candidate::new(What::Metric, value)));
        columns.extend((widest(&of) > 0).then(|| {
            // That a value is a mean is never cut.
            let mean = told.iter().any(|told| !told.mean.is_empty() && !told.series.is_empty());
            let least = if mean { SERIES_OF_MEAN } else { LEAST };
            let of = Claim::of_texts(worth * POINT, SERIES_CUT * POINT, least.min(widest(&of)).max(2), &of);
            Candidate::new(What::Who, of.grown(whole, 20))
        }));
        columns
    }

    /// Values together with what they are of, or remarks instead.
    fn brief(&self) -> Option<Candidate<'a>> {
        let widths = self.groups.iter().flat_map(|group| {
            let views: Vec<_> = group.rows.iter().map(|run| &run.view).collect();
            let remarks = group.rows.iter().map(|run| remark_width(run).min(REMARK));
            headline::brief_widths(&views, group.common.as_ref())
                .zip(remarks)
                .map(|(value, remark)| value.max(remark))
                .collect::<Vec<_>>()
        });
        let widths: Vec<usize> = widths.collect();
        let claim = self.headed(&widths);
        let column = Candidate { align: Align::Left, ..Candidate::new(What::Metric, claim) };
        Some(column).filter(|_| widest(&widths) > 0)
    }

    /// The columns of a view: texts are cut before any column is left out, and then the last ones are.
    fn of_view(&self, view: &'a [String]) -> Vec<Candidate<'a>> {
        let mut columns: Vec<Candidate<'a>> = view.iter().flat_map(|name| self.viewed(name)).collect();
        while columns.iter().map(|column| column.claim.least() + GAP).sum::<usize>() > self.room + GAP {
            columns.pop();
        }
        columns
    }

    fn viewed(&self, name: &'a str) -> Vec<Candidate<'a>> {
        match name {
            "state" => return vec![self.state()],
            "name" => return vec![self.name()],
            "progress" => {
                return vec![
                    Candidate::new(What::Bar, Claim::fixed(5, NEEDED * POINT).grown(10, POINT)),
                    Candidate::fixed(What::Percent, 5, NEEDED),
                ];
            }
            _ => {}
        }
        let what = What::Other(name);
        let align = column::align(name, self.runs().map(|(_, run)| &run.view));
        let mut widths = self.widths(|group, run| {
            let text = what.text(group, run, self.shared.now);
            if align == Align::Point { cells::align_point(&text, cells::BEFORE_POINT) } else { text }
        });
        // The heading may carry the mark of the sort order.
        widths.push(width_of(&clean(name)) + 2);
        let least = if align == Align::Left { LEAST } else { widest(&widths).min(WIDEST) };
        let claim = Claim::of_texts(NEEDED * POINT, NAME_CUT * POINT, least, &widths);
        let mut columns = vec![Candidate { align, ..Candidate::new(what, claim) }];
        if self
            .groups
            .iter()
            .any(|group| column::has_several_splits(name, group.rows.iter().map(|run| &run.view)))
        {
            let splits = self.widths(|_, run| column::split(&run.view, name));
            columns.push(Candidate::fixed(What::Split(name), widest(&splits).clamp(2, 18), NEEDED));
        }
        columns
    }
}

fn other<'a>(name: &'static str, width: usize, worth: i64) -> Candidate<'a> {
    Candidate::fixed(What::Other(name), width, worth)
}

/// A share of some points.
fn points(worth: i64, share: f64) -> i64 {
    (worth as f64 * POINT as f64 * share) as i64
}

fn widest(widths: &[usize]) -> usize {
    widths.iter().copied().max().unwrap_or(0)
}

/// The width of what is remarkable about a run, for which there should be some room.
fn remark_width(run: &RunRow) -> usize {
    cells::note(run).map_or(0, |note| width_of(&note))
}
