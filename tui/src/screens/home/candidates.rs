//! The columns that a list may show, and in which order they get their room: [`For`].

use super::cells::{self, LEAST, REMARK};
use super::list::Group;
use super::what::{What, told, without_last};
use crate::screens::shared::Shared;
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::room::Wish::{self, UpTo, Whole};
use gradtop_chart::cells::text::width_of;
use gradtop_view::list::column;
use gradtop_view::run::headline::{self, Told};
use gradtop_view::run::{param, progress, remark, state};
use gradtop_view::runs::RunRow;

/// What a column, or more room for it, is for. What stands first here gets its room first; of the same, the column further left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum For {
    /// To recognize a run: its state, a short name, its value, and how far it is if it is at work.
    Run,
    /// To say of a value, in few words, what it is of.
    Series,
    /// To tell runs apart by a parameter: first those that sweeps varied.
    Telling,
    /// To say that values are the last ones, and on a phone what they are of.
    Heading,
    /// To say how far ended runs got.
    Done,
    /// To tell runs apart by more than [`FIRST_PARAMS`], where they are not of one sweep.
    Further,
    /// To say where ended runs ran, and more of names and of what a value is of.
    Ended,
    /// To cut no parameter and no heading of one, no series and no name of a usual length.
    WholeParam,
    WholeSeries,
    WholeName,
    /// For the first words of a remark.
    Remark,
    /// To see how runs go.
    Step,
    Eta,
    Trend,
    Rate,
    Bar,
    Age,
    Epoch,
    Device,
    /// To cut nothing.
    Whole,
    /// To show parameters that tell no more runs apart, and then what is the same for all runs.
    Repeating,
    Same,
    /// To align values at their points, and to draw in detail.
    Detail,
}

/// The widest name, parameter and heading of values for which others wait.
const NAME_WIDTH: usize = 28;
const PARAM: usize = 14;
const TITLE: usize = 20;
const NARROW_TITLE: usize = 10;
/// The same of a name that is cut, and the least that is left of one on a phone.
const CUT_NAME: usize = 12;
const NARROW_NAME: usize = 5;
/// The least that is left of the heading of a parameter, also on a phone.
const HEADING: usize = 5;
const NARROW_HEADING: usize = 2;
/// The narrowest series with the remark that its value is a mean, and what a part of a series needs besides its split.
const SERIES_OF_MEAN: usize = 11;
const PART: usize = 7;
/// Longer texts are cut in any case.
const WIDEST: usize = 40;
/// The most parameters.
const PARAMS: usize = 12;
/// Of runs that are not of one sweep, so many come before how far they got.
const FIRST_PARAMS: usize = 2;
/// How far ended runs got is as important as of runs at work if it tells this share of them apart.
const MOST: f64 = 0.5;

/// A column that a list may show, and the widths that it wishes for.
pub(super) struct Candidate<'a> {
    pub(super) what: What<'a>,
    pub(super) align: Align,
    pub(super) wishes: Vec<(For, Wish)>,
}

impl<'a> Candidate<'a> {
    fn new(what: What<'a>, wishes: impl Into<Vec<(For, Wish)>>) -> Self {
        let align = match what {
            What::Percent => Align::Right,
            What::Metric => Align::Point,
            What::Other(name) => column::align(name, std::iter::empty()),
            _ => Align::Left,
        };
        Self { what, align, wishes: wishes.into() }
    }

    fn fixed(what: What<'a>, width: usize, why: For) -> Self {
        Self::new(what, [(why, Whole(width))])
    }
}

/// The groups in sight, for which columns are chosen.
pub(super) struct Sight<'s, 'a> {
    pub(super) groups: &'s [&'a Group],
    pub(super) shared: &'s Shared,
    /// Whether hosts are shown.
    pub(super) hosts: bool,
    /// The width of the list, and of what is between two columns.
    pub(super) room: usize,
    pub(super) gap: usize,
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
        let params = (0..PARAMS).filter_map(|i| self.param(i));
        let (telling, repeating): (Vec<_>, Vec<_>) = params.partition(|own| own.wishes[0].0 < For::Repeating);
        all.extend(telling);
        all.extend(self.progress());
        all.extend(if self.narrow { vec![self.brief()] } else { self.values() });
        let trend = [(For::Trend, Whole(8)), (For::Detail, UpTo(36))];
        all.extend((self.title(without_last) > 0).then(|| Candidate::new(What::Spark, trend)));
        all.push(self.last_if_same(other("age", 5, For::Age)));
        // Where it tells runs apart, it is among what does.
        let is_told = self.groups.iter().any(|group| group.params.iter().any(|own| own.name == "device"));
        all.extend((!is_told).then(|| self.last_if_same(other("device", 6, For::Device))));
        all.extend(repeating);
        all
    }

    fn runs(&self) -> impl Iterator<Item = (&'a Group, &'a RunRow)> {
        self.groups.iter().flat_map(|group| group.rows.iter().map(|run| (*group, &**run)))
    }

    fn widths(&self, text: impl Fn(&'a Group, &'a RunRow) -> String) -> Vec<usize> {
        self.runs().map(|(group, run)| width_of(&text(group, run))).collect()
    }

    /// The widest text of a column.
    fn widest(&self, what: What<'a>) -> usize {
        widest(&self.widths(|group, run| what.text(group, run, self.shared.now)))
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
        Candidate::fixed(What::State, widest(&labels).clamp(least, 12), For::Run)
    }

    fn name(&self) -> Candidate<'a> {
        let mut widths: Vec<usize> = self.runs().map(|(_, run)| cells::name_width(run)).collect();
        widths.sort_unstable();
        // For the few names that are much longer than the others, nothing waits.
        let most = widths.get((widths.len() * 3).div_ceil(4).saturating_sub(1)).copied().unwrap_or(0);
        let whole = widest(&widths);
        let cut = if self.narrow { NARROW_NAME } else { LEAST };
        let alerts = self.runs().any(|(_, run)| remark::alert(&run.view).is_some());
        let cut = if alerts { cut.max(whole.min(cut + cells::ALERT)) } else { cut };
        let wishes = [
            (For::Run, Whole(cut.min(self.room))),
            (For::Ended, UpTo(CUT_NAME.min(whole))),
            (For::WholeName, UpTo(most.min(NAME_WIDTH))),
            (For::Whole, UpTo(most)),
            (For::Same, UpTo(whole)),
        ];
        Candidate::new(What::Name, wishes)
    }

    /// The share of pairs of runs in a group that a column tells apart.
    fn apart(&self, what: What<'a>) -> f64 {
        let texts = |group: &&'a Group| -> Vec<String> {
            group.rows.iter().map(|run| what.text(group, run, self.shared.now)).collect()
        };
        self.groups.iter().map(|group| param::told_apart(texts(group))).fold(0.0, f64::max)
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
        let value = texts.iter().map(|text| width_of(text)).max().unwrap_or(0);
        // A last letter costs no more than the sign that it is missing.
        let wide = if title <= HEADING { title } else { HEADING - 1 };
        let heading = if self.narrow { NARROW_HEADING } else { wide };
        let least = number.min(PARAM).max(value.min(LEAST)).max(title.min(heading));
        let whole = value.max(title).min(WIDEST);
        let tells = with().any(|group| group.params[i].tells);
        let of_one_sweep = |group: &&Group| {
            let mut tags = group.rows.first().into_iter().flat_map(|run| &run.view.notes.tags);
            tags.any(|tag| group.rows.iter().all(|run| run.view.notes.tags.contains(tag)))
        };
        let first = match tells {
            false => For::Repeating,
            // On a phone there is room for parameters only.
            true if self.narrow || i < FIRST_PARAMS || with().any(of_one_sweep) => For::Telling,
            true => For::Further,
        };
        let wishes = [
            (first, Whole(least)),
            (first.max(For::WholeParam), Whole(whole.min(PARAM.max(title)))),
            (first.max(For::Whole), UpTo(whole)),
        ];
        Some(Candidate::new(what, wishes))
    }

    fn host(&self) -> Candidate<'a> {
        let what = What::Other("host");
        let whole = self.widest(what).min(WIDEST);
        let first = match (self.apart(what) > 0.0, self.narrow) {
            (true, false) => For::Ended,
            (true, true) => For::WholeParam,
            (false, _) => For::Device,
        };
        Candidate::new(what, [(first, Whole(whole.min(LEAST))), (first.max(For::WholeName), UpTo(whole))])
    }

    fn progress(&self) -> Vec<Candidate<'a>> {
        let any = |has: fn(&RunRow) -> bool| self.runs().any(|(_, run)| has(run));
        let known = any(|run| progress::of(&run.view).is_some());
        // What has ended is as far as it will be.
        let works = any(|run| run.live() && run.view.certain);
        // On a phone there is room for the parameters instead.
        let differs = |what| !self.narrow && self.apart(what) >= MOST;
        let ended = |what| match differs(what) {
            true => For::Run,
            false if self.narrow => For::Ended,
            false => For::Done,
        };
        let percent = if works { For::Run } else { ended(What::Percent) };
        // Without a total, steps say how far runs are, if they have begun.
        let only_steps =
            any(|run| run.live() && run.view.status.step.is_some() && progress::of(&run.view).is_none());
        let step = match (only_steps, known) {
            (true, _) => For::Run,
            (_, true) => For::Step,
            (_, false) => ended(What::Other("step")),
        };
        let columns = [
            // Columns of running runs take no room if there are none.
            (known, Candidate::new(What::Bar, [(For::Bar, Whole(5)), (For::Whole, UpTo(10))])),
            (known, Candidate::fixed(What::Percent, self.widest(What::Percent).max(4), percent)),
            (
                any(|run| run.live() || run.view.status.step.is_some()),
                other("step", self.widest(What::Other("step")).max(4), step),
            ),
            (any(|run| progress::epoch(&run.view).is_some()), other("epoch", 7, For::Epoch)),
            (any(RunRow::live), other("rate", 9, For::Rate)),
            (any(|run| run.live() && run.view.status.total.is_some()), other("eta", 6, For::Eta)),
        ];
        columns
            .into_iter()
            .filter(|(is_known, _)| *is_known)
            .map(|(_, column)| self.last_if_same(column))
            .collect()
    }

    /// A column is of little use if it is the same for all of several runs and stays so, as none is at work.
    fn last_if_same(&self, mut column: Candidate<'a>) -> Candidate<'a> {
        let text = |(group, run): (&'a Group, &'a RunRow)| column.what.text(group, run, self.shared.now);
        let mut runs = self.runs().peekable();
        let first = runs.next().map(text);
        if runs.peek().is_some()
            && runs.all(|run| Some(text(run)) == first)
            && !self.runs().any(|(_, run)| run.live())
        {
            let last = if column.what == What::Bar { For::Detail } else { For::Same };
            column.wishes.iter_mut().for_each(|(why, _)| *why = last);
        }
        column
    }

    /// The width of the widest heading of values in a form, if a group has any.
    fn title(&self, form: fn(&str) -> &str) -> usize {
        let valued = |group: &&&Group| !What::Metric.is_empty(group, self.shared.now);
        let titles =
            self.groups.iter().filter(valued).map(|group| width_of(form(&What::Metric.title(group))));
        titles.max().unwrap_or(0).min(WIDEST)
    }

    /// Values and what they are of, beside which there should be some room for remarks.
    fn values(&self) -> Vec<Candidate<'a>> {
        let told: Vec<Told> = self.runs().map(|(group, run)| told(group, run)).collect();
        let widest = |of: fn(&Told) -> String| told.iter().map(|told| width_of(&of(told))).max().unwrap_or(0);
        let value = widest(|told| told.value.clone());
        let (brief, title) = (self.title(without_last), self.title(|title| title));
        let values = [
            (For::Run, Whole(value.max(brief.min(TITLE)))),
            (For::Heading, Whole(value.max(brief))),
            (For::Heading, Whole(title)),
            // Below its heading, a value is aligned at its point.
            (For::Detail, UpTo(title + cells::BEFORE_POINT)),
        ];
        let (of, short) = (widest(Told::of), widest(Told::short).min(WIDEST));
        let remark = self.runs().map(|(_, run)| remark_width(run)).max().unwrap_or(0).min(WIDEST);
        // That a value is a mean is never cut, and neither is a split that no heading names; where several networks have that,
        // something of them is seen, too.
        let mean = told.iter().any(|told| !told.mean.is_empty() && !told.series.is_empty());
        let split = |own: &Told| {
            let several = told.iter().any(|other| other.split == own.split && other.series != own.series);
            let parts = usize::from(several) + usize::from(several && !own.mean.is_empty());
            if own.split.is_empty() { 0 } else { width_of(&own.split) + parts * PART }
        };
        let split = told.iter().map(split).max().unwrap_or(0);
        let least = if mean { SERIES_OF_MEAN } else { LEAST }.max(widest(|told| told.split.clone()));
        let first = remark.min(REMARK);
        let of = [
            (For::Series, Whole(least.min(short))),
            (For::Ended, UpTo(split.min(short))),
            (For::WholeSeries, UpTo(short)),
            (For::Remark, if short > 0 { UpTo(first) } else { Whole(first) }),
            (For::Whole, UpTo(of.min(WIDEST).max(remark))),
        ];
        vec![Candidate::new(What::Metric, values), Candidate::new(What::Who, of)]
    }

    /// Values together with what they are of, or remarks instead.
    fn brief(&self) -> Candidate<'a> {
        let told: Vec<Told> = self.runs().map(|(group, run)| told(group, run)).collect();
        let value = told.iter().map(|told| width_of(&told.value)).max().unwrap_or(0);
        let whole = self.groups.iter().flat_map(|group| {
            let views: Vec<_> = group.rows.iter().map(|run| &run.view).collect();
            headline::brief_widths(&views, group.common.as_ref()).collect::<Vec<_>>()
        });
        let whole = whole.max().unwrap_or(0).min(WIDEST);
        let remark = self.runs().map(|(_, run)| remark_width(run)).max().unwrap_or(0).min(REMARK);
        let split = told.iter().map(|told| width_of(&told.split)).max().unwrap_or(0);
        let brief = self.title(without_last);
        let wishes = [
            (For::Run, Whole(if value > 0 { value.max(brief.min(NARROW_TITLE)) } else { remark })),
            // A split that no heading names is said before all.
            (For::Series, UpTo(if split > 0 { (value + 1 + split).min(whole) } else { 0 })),
            (For::Heading, UpTo(whole)),
            (For::Heading, Whole(brief)),
            (For::Heading, Whole(self.title(|title| title))),
            (For::Remark, UpTo(remark)),
        ];
        Candidate { align: Align::Left, ..Candidate::new(What::Metric, wishes) }
    }

    /// The columns of a view: texts are cut before any column is left out, and then the last ones are.
    fn of_view(&self, view: &'a [String]) -> Vec<Candidate<'a>> {
        let mut columns: Vec<Candidate<'a>> = view.iter().flat_map(|name| self.viewed(name)).collect();
        let least = |column: &Candidate<'_>| match column.wishes.first() {
            Some((_, Whole(width) | UpTo(width))) => width + self.gap,
            None => 0,
        };
        while columns.iter().map(least).sum::<usize>() > self.room + self.gap {
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
                    Candidate::new(What::Bar, [(For::Run, Whole(5)), (For::Whole, UpTo(10))]),
                    Candidate::fixed(What::Percent, 5, For::Run),
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
        widths.extend(self.groups.iter().map(|group| width_of(&what.title(group)) + 2));
        let whole = widest(&widths);
        let least = if align == Align::Left { LEAST } else { whole.min(WIDEST) };
        let wishes = [(For::Run, Whole(least)), (For::WholeParam, UpTo(whole))];
        let mut columns = vec![Candidate { align, ..Candidate::new(what, wishes) }];
        if self.groups.iter().any(|group| what.of_all(group).is_none()) {
            let of = self.widths(|_, run| column::of(&run.view, name));
            columns.push(Candidate::fixed(What::Of(name), widest(&of).clamp(2, 18), For::Run));
        }
        columns
    }
}

fn other<'a>(name: &'static str, width: usize, why: For) -> Candidate<'a> {
    Candidate::fixed(What::Other(name), width, why)
}

fn widest(widths: &[usize]) -> usize {
    widths.iter().copied().max().unwrap_or(0)
}

/// The width of what is remarkable about a run, for which there should be some room.
fn remark_width(run: &RunRow) -> usize {
    cells::note(run).map_or(0, |note| width_of(&note))
}
