//! Chooses the columns that fit, and gives them all the room there is.
//!
//! The columns are the same in all groups, so that they are aligned, unless a group shows more with columns of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Home;
use super::cells;
use super::list::{Group, Line};
use crate::print::clean;
use crate::screens::shared::Shared;
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::text::width_of;
use gradtop_view::list::column;
use gradtop_view::list::order::Sort;
use gradtop_view::run::{headline, progress, remark, state};
use gradtop_view::runs::RunRow;
use jiff::Timestamp;
use ratatui::layout::Rect;

/// The most parameters shown.
pub(super) const PARAMS: usize = 3;
/// Names are narrowed to their minimum for the sake of columns of at most this cost: what differs between runs, and how far they are.
const DEAR: usize = 7;
/// Columns that are the same for all runs are dropped before all others.
const SAME: usize = 100;
/// The widest name that costs a less important column, if there is little room.
const NAME: usize = 28;
/// The widest parameter that costs others their room.
const PARAM: usize = 14;
/// The width of a value.
const VALUE: usize = 11;
/// The widest series name while other columns need space.
const WHO: usize = 18;
/// The widest other column while others need space.
const WIDEST: usize = 40;
/// A remark that is cut to this width still says enough.
pub(super) const REMARK: usize = 15;
/// Text is cut to no less than this.
pub(super) const LEAST: usize = 8;
/// Columns between two columns.
const GAP: usize = 2;

/// The content of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What<'a> {
    State,
    Name,
    /// The parameter with this index in the group.
    Param(usize),
    Bar,
    Percent,
    /// The headline value of a run.
    Metric,
    /// The series of the headline value.
    Who,
    Spark,
    /// Any other column of a list of runs, by name.
    Other(&'a str),
    /// The split of the values in that column.
    Split(&'a str),
}

impl What<'_> {
    /// The order in which columns are dropped when space is short: the highest goes first, among equals the rightmost; 0 is
    /// never dropped. What tells runs apart matters more than how far they are. `apart`: the values of a column belong to
    /// different series, which only another column shows.
    fn dispensable(self, apart: bool) -> usize {
        match self {
            Self::State | Self::Name => 0,
            Self::Who if apart => 1,
            Self::Metric => 1,
            Self::Percent => 2,
            Self::Param(i) => 3 + i,
            Self::Other("step") => 6,
            Self::Other("host" | "eta") => DEAR,
            Self::Bar => 8,
            Self::Other("rate") => 9,
            Self::Spark => 10,
            Self::Other("age") => 11,
            Self::Other("epoch") => 12,
            Self::Who => 13,
            Self::Other(_) | Self::Split(_) => 14,
        }
    }

    /// Returns whether it is the same for all of several runs and stays so, as none is at work.
    fn repeats(self, groups: &[&Group], now: Timestamp) -> bool {
        if !matches!(self, Self::Bar | Self::Percent | Self::Other(_)) {
            return false;
        }
        let mut runs = groups.iter().flat_map(|group| group.rows.iter().map(move |run| (group, run)));
        let Some((group, first)) = runs.next() else { return false };
        let text = self.text(group, first, now);
        let mut others = runs.peekable();
        others.peek().is_some()
            && !first.live()
            && others.all(|(group, run)| !run.live() && self.text(group, run, now) == text)
    }

    /// The order in which columns get the room that is left: what differs between the runs first, then their names.
    fn thirst(self) -> usize {
        match self {
            Self::Param(_) => 0,
            Self::Name => 1,
            Self::Who => 2,
            Self::State | Self::Metric | Self::Percent | Self::Other(_) | Self::Split(_) => 3,
            Self::Bar => 4,
            Self::Spark => 5,
        }
    }

    /// The sort key of the column.
    pub(super) fn sorts(self, group: &Group) -> Option<String> {
        Some(match self {
            Self::State => "state".to_owned(),
            Self::Name => "name".to_owned(),
            Self::Param(i) => group.params.get(i)?.clone(),
            Self::Bar | Self::Percent => "progress".to_owned(),
            Self::Metric | Self::Who | Self::Spark => "metric".to_owned(),
            Self::Other(name) | Self::Split(name) => name.to_owned(),
        })
    }

    /// Returns whether runs are in the order of this column.
    pub(super) fn is_sorted(self, group: &Group, sort: &Sort) -> bool {
        self.sorts(group).is_some_and(|by| column::title(&by) == column::title(&sort.by))
    }

    /// The text of a run.
    pub(super) fn text(self, group: &Group, run: &RunRow, now: Timestamp) -> String {
        match self {
            Self::Split(name) => column::split(&run.view, name),
            _ => self.sorts(group).map(|name| column::cell(&run.view, &name, now)).unwrap_or_default(),
        }
    }

    /// Returns whether no run of a group has anything in it.
    pub(super) fn is_empty(self, group: &Group, now: Timestamp) -> bool {
        match self {
            Self::Who => whos(group).all(|who| who.is_empty()),
            _ => group.rows.iter().all(|run| self.text(group, run, now).is_empty()),
        }
    }

    /// The heading in a group.
    pub(super) fn title(self, group: &Group) -> String {
        match self {
            Self::Param(i) => group.params.get(i).map(|name| column::title(name)).unwrap_or_default(),
            Self::Metric => {
                group.common.as_ref().map_or_else(|| "last value".to_owned(), headline::Common::title)
            }
            Self::Who | Self::Split(_) => "of".to_owned(),
            Self::Percent => "done".to_owned(),
            Self::Spark => "trend".to_owned(),
            _ => self.sorts(group).map(|name| clean(&name)).unwrap_or_default(),
        }
    }
}

/// The heading of a value where there is little room.
pub(super) fn without_last(title: &str) -> &str {
    title.strip_prefix("last ").unwrap_or(title)
}

/// A requested column.
#[derive(Clone)]
struct Wanted<'a> {
    what: What<'a>,
    /// The width that it has.
    width: usize,
    /// The usual width: narrower for the sake of more important columns only.
    usual: usize,
    /// The width at which nothing is cut.
    whole: usize,
    align: Align,
    /// Its place in the order of dropping; 0 is never dropped.
    cost: usize,
}

impl<'a> Wanted<'a> {
    /// `least`: the minimal width, if less than `usual`.
    fn new(what: What<'a>, least: usize, usual: usize, whole: usize) -> Self {
        let align = match what {
            What::Percent => Align::Right,
            What::Metric => Align::Point,
            What::Other(name) => column::align(name, std::iter::empty()),
            _ => Align::Left,
        };
        Self { what, width: least.min(usual), usual, whole: whole.max(usual), align, cost: 0 }
    }

    fn fixed(what: What<'a>, width: usize) -> Self {
        Self::new(what, width, width, width)
    }
}

/// A column and its position from the left edge of the list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    pub(super) what: What<'a>,
    pub(super) left: usize,
    pub(super) width: usize,
    pub(super) align: Align,
}

impl Column<'_> {
    /// Returns whether it is too narrow for the name of a state.
    pub(super) fn is_sign(&self) -> bool {
        self.width <= 2
    }
}

/// The columns that fit.
#[derive(Debug)]
pub(super) struct Columns<'a>(pub(super) Vec<Column<'a>>);

/// The width of the widest text.
fn widest(least: usize, most: usize, texts: impl Iterator<Item = String>) -> usize {
    texts.map(|t| width_of(&t)).max().unwrap_or(0).clamp(least.min(most), most)
}

/// The width of a text that is as long as the others, one in ten (and one of three) being longer.
fn usual(texts: impl Iterator<Item = String>) -> usize {
    let mut widths: Vec<usize> = texts.map(|text| width_of(&text)).collect();
    widths.sort_unstable();
    let longer = if widths.len() > 2 { widths.len().div_ceil(10) } else { 0 };
    widths.len().checked_sub(longer + 1).map_or(0, |at| widths[at])
}

/// The name of a run at its displayed width: an alert adds a sign.
fn shown_name(run: &Arc<RunRow>) -> String {
    let sign = if remark::alert(&run.view).is_some() { "! " } else { "" };
    format!("{sign}{}", clean(run.name()))
}

/// The series of the values of a group's runs.
fn whos(group: &Group) -> impl Iterator<Item = String> + use<'_> {
    group.rows.iter().map(|run| headline::cells(&run.view, group.common.as_ref()).1)
}

impl<'a> Columns<'a> {
    /// Chooses the columns of each group in sight for a list of this width. What is out of sight takes no room.
    pub(super) fn by_group(home: &'a Home, shared: &Shared, area: Rect) -> BTreeMap<usize, Self> {
        let group = |line| match &home.list.lines[line] {
            Line::Titles { group } | Line::Run { group, .. } => Some(*group),
            _ => None,
        };
        let seen: BTreeSet<usize> = home.visible(area).into_iter().filter_map(group).collect();
        let groups: Vec<&Group> = seen.iter().map(|group| &home.list.groups[*group]).collect();
        let common = Self::new(home, shared, &groups, area.width);
        let chosen = |group: usize| {
            let own = |_: &&Group| Self::new(home, shared, &[&home.list.groups[group]], area.width);
            let own = groups.get(1).map(own).filter(|own| own.tells_more_than(&common));
            (group, own.unwrap_or_else(|| Self(common.0.clone())))
        };
        seen.into_iter().map(chosen).collect()
    }

    /// Returns whether less is cut here of what the runs are and have reached.
    fn tells_more_than(&self, other: &Self) -> bool {
        let mut told = self.0.iter().filter(|column| column.what.thirst() < 3 || column.what == What::Metric);
        told.any(|own| other.0.iter().all(|column| column.what != own.what || column.width < own.width))
    }

    fn new(home: &'a Home, shared: &Shared, groups: &[&'a Group], width: u16) -> Self {
        let rows = || groups.iter().flat_map(|group| &group.rows);
        let ascii = shared.theme.ascii();
        // On a narrow terminal, the sign of a state is enough.
        let state = if width < cells::NARROW {
            widest(1, 2, rows().map(|r| state::sign(r.view.state, r.view.certain, ascii)))
        } else {
            widest(10, 12, rows().map(|r| state::label_in(&r.view, ascii)))
        };
        let state = Wanted::fixed(What::State, state);
        let least = if width < cells::NARROW { LEAST } else { 12 };
        let whole = widest(LEAST, usize::MAX, rows().map(shown_name));
        let usual = usual(rows().map(shown_name)).clamp(least.min(whole), whole);
        let name = Wanted::new(What::Name, least, usual, whole);
        let room = usize::from(width).saturating_sub(usize::from(cells::MARKS) + 1);
        let columns = if home.columns.is_empty() {
            default_columns(home, shared, groups, width, room, [state, name])
        } else {
            view_columns(home, shared, groups, room, [state, name])
        };
        let mut left = usize::from(cells::MARKS);
        let placed = columns.into_iter().map(|Wanted { what, width, align, .. }| {
            let column = Column { what, left, width, align };
            // The percentage belongs to the bar before it.
            left += width + GAP;
            column
        });
        Self(placed.collect())
    }

    /// Returns where a remark of this width about a run goes in a list that is so wide: the place from the left, and its columns.
    /// `kept` returns how much of a column is not covered, from its left; `None` if there is no room.
    pub(super) fn place(
        &self,
        remark: usize,
        width: usize,
        kept: impl Fn(&Column<'_>) -> usize,
    ) -> Option<(usize, usize)> {
        let mut places: Vec<(usize, usize)> = Vec::new();
        let mut open = false;
        for (i, column) in self.0.iter().enumerate() {
            let end = self.0.get(i + 1).map_or(width.saturating_sub(1), |next| next.left - GAP);
            let kept = kept(column);
            match places.last_mut() {
                Some(place) if open && kept == 0 => place.1 = end - place.0,
                _ if kept < column.width => {
                    let left = column.left + kept;
                    places.push((left, end.saturating_sub(left)));
                }
                _ => {}
            }
            open = kept < column.width;
        }
        let whole = places.iter().rev().find(|place| place.1 >= remark);
        let place = whole.or_else(|| places.iter().max_by_key(|place| place.1)).copied();
        place.filter(|place| place.1 >= LEAST.min(remark))
    }

    /// Returns whether values include the name of their series.
    pub(super) fn brief(&self) -> bool {
        self.0.iter().any(|column| column.what == What::Metric && column.align == Align::Left)
    }

    /// Returns what the values of a group are of, if all share it and no column says it: series and statistic, or the latter.
    pub(super) fn left_out(&self, group: &Group) -> Option<String> {
        let valued = self.0.iter().any(|column| column.what == What::Metric);
        let mut whos = whos(group).filter(|who| valued && !who.is_empty());
        let first = whos.next()?;
        let whos: Vec<String> = whos.collect();
        let statistic = |who: &str| who.strip_prefix(headline::series_of(who)).unwrap_or_default().to_owned();
        let room = self.0.iter().find(|column| column.what == What::Who).map_or(0, |column| column.width);
        if std::iter::once(&first).chain(&whos).all(|who| width_of(headline::without_count(who)) <= room) {
            None
        } else if !self.brief() && whos.iter().all(|who| *who == first) {
            Some(first)
        } else {
            let common = statistic(&first);
            let same = whos.iter().all(|who| statistic(who) == common);
            Some(common.trim_start_matches(" · ").to_owned()).filter(|common| same && !common.is_empty())
        }
    }

    /// The sort key of the heading at column `x`.
    pub(super) fn at(&self, x: u16, group: Option<&Group>) -> Option<String> {
        let x = usize::from(x);
        let column = self.0.iter().find(|c| c.left <= x && x < c.left + c.width + GAP)?;
        column.what.sorts(group?)
    }
}

/// The default columns.
fn default_columns<'a>(
    home: &'a Home,
    shared: &Shared,
    groups: &[&'a Group],
    width: u16,
    room: usize,
    first: [Wanted<'a>; 2],
) -> Vec<Wanted<'a>> {
    let rows = || groups.iter().flat_map(|group| &group.rows);
    let ascii = shared.theme.ascii();
    let mut columns = Vec::from(first);
    if home.hosts() {
        let host = What::Other("host");
        let hosts = || groups.iter().flat_map(|g| g.rows.iter().map(|r| host.text(g, r, shared.now)));
        columns.push(Wanted::new(host, LEAST, widest(4, 16, hosts()), widest(4, WIDEST, hosts())));
    }
    for i in 0..PARAMS {
        let what = What::Param(i);
        let with = groups.iter().filter(|g| i < g.params.len());
        let values = with.clone().flat_map(|g| g.rows.iter().map(|r| what.text(g, r, shared.now)));
        let values: Vec<String> = values.collect();
        // A usual number is never cut.
        let is_number =
            |text: &&String| text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
        let number = widest(0, PARAM, values.iter().filter(is_number).cloned());
        // The heading may carry the mark of the sort order.
        let sort = &shared.settings.home.sort;
        let mark = |g: &&&Group| if what.is_sorted(g, sort) { " v" } else { "" };
        let title = widest(0, usize::MAX, with.map(|g| what.title(g) + mark(&g)));
        let whole = widest(title, WIDEST, values.iter().cloned());
        let usual = usual(values.into_iter()).max(title).max(number).min(PARAM);
        columns.extend((whole > 0).then(|| Wanted::new(what, number.max(LEAST), usual, whole)));
    }
    let narrow = width < cells::NARROW;
    let apart = !narrow
        && groups.iter().any(|g| {
            let mut values = g.rows.iter().map(|r| headline::cells(&r.view, g.common.as_ref()));
            let mut whos = values.by_ref().filter(|(value, _)| !value.is_empty()).map(|(_, who)| who);
            whos.next().is_some_and(|first| whos.any(|who| who != first))
        });
    columns.extend([Wanted::new(What::Bar, 5, 10, 10), Wanted::fixed(What::Percent, 5)]);
    let fixed = |name: &'static str, width| Wanted::fixed(What::Other(name), width);
    columns.push(fixed("step", 7));
    columns.extend(rows().any(|r| progress::epoch(&r.view).is_some()).then(|| fixed("epoch", 7)));
    // Columns of running runs take no space if there are none.
    columns.extend(rows().any(|r| r.live()).then(|| fixed("rate", 9)));
    columns.extend(rows().any(|r| r.live() && r.view.status.total > 0).then(|| fixed("eta", 6)));
    let titles = || {
        let named = groups.iter().filter(|g| !What::Metric.is_empty(g, shared.now));
        named.map(|g| What::Metric.title(g))
    };
    let title = widest(0, usize::MAX, titles());
    let most = 24 - cells::BEFORE_POINT;
    let brief_titles = titles().map(|title| without_last(&title).to_owned());
    let least = VALUE.max(widest(0, most, brief_titles));
    if narrow {
        let views = |g: &&'a Group| g.rows.iter().map(|r| &r.view).collect::<Vec<_>>();
        let brief = |g: &&'a Group| headline::brief(&views(g), g.common.as_ref(), room, ascii);
        let usual = widest(least, room, groups.iter().flat_map(brief));
        // No series is cut while there is another way.
        let whole = |g: &&'a Group| headline::brief_width(&views(g), g.common.as_ref(), ascii);
        let whole = groups.iter().map(whole).max().unwrap_or(0);
        let beside: usize = columns.iter().take(2).map(|column| column.width + GAP).sum();
        // A remark needs some room, too.
        let remarks = widest(0, REMARK, rows().filter_map(|run| cells::note(run)));
        let least = whole.min(room.saturating_sub(beside)).max(least).max(remarks);
        columns
            .push(Wanted { align: Align::Left, ..Wanted::new(What::Metric, least, usual.max(least), title) });
    } else {
        // Values are aligned with their heading, if there is room.
        // What a value is of comes before the word "last".
        let least = if apart { least } else { least.max(title.min(most + cells::BEFORE_POINT)) };
        let usual = VALUE.max(title.min(most) + cells::BEFORE_POINT).max(least);
        columns.push(Wanted::new(What::Metric, least, usual, title + cells::BEFORE_POINT));
        let series =
            groups.iter().copied().flat_map(whos).map(|who| headline::without_count(&who).to_owned());
        let who = widest(0, usize::MAX, groups.iter().copied().flat_map(whos));
        columns.extend((who > 0).then(|| Wanted::new(What::Who, widest(0, WHO, series), who.min(WHO), who)));
    }
    columns.extend([Wanted::new(What::Spark, 8, 12, 36), fixed("age", 5), fixed("device", 6)]);
    for column in &mut columns {
        column.cost = column.what.dispensable(apart);
        if column.what.repeats(groups, shared.now) {
            column.cost += SAME;
        }
    }
    // A series name is worth more than the time left, and so are distinguishable names.
    let dear = if apart { DEAR - 1 } else { DEAR };
    let mut chosen = columns.clone();
    fit(&mut chosen, room, dear);
    if apart && !chosen.iter().any(|column| column.what == What::Who) {
        // A value whose series is unknown is meaningless.
        columns.retain(|column| !matches!(column.what, What::Metric | What::Who));
        fit(&mut columns, room, dear);
        return columns;
    }
    chosen
}

/// The columns of the current view; the last ones are dropped first.
fn view_columns<'a>(
    home: &'a Home,
    shared: &Shared,
    groups: &[&'a Group],
    room: usize,
    first: [Wanted<'a>; 2],
) -> Vec<Wanted<'a>> {
    let rows = || groups.iter().flat_map(|group| &group.rows);
    let mut first = first.map(Some);
    let mut columns = Vec::new();
    for (place, name) in (1..).zip(&home.columns) {
        let known = match name.as_str() {
            "state" => first[0].take(),
            "name" => first[1].take(),
            "progress" => Some(Wanted::new(What::Bar, 5, 10, 10)),
            _ => None,
        };
        let bar = known.as_ref().is_some_and(|column| column.what == What::Bar);
        let other = || {
            let (what, align) = (What::Other(name), column::align(name, rows().map(|r| &r.view)));
            let shown = |text: String| {
                if align == Align::Point { cells::align_point(&text, cells::BEFORE_POINT) } else { text }
            };
            let texts =
                groups.iter().flat_map(|g| g.rows.iter().map(move |r| shown(what.text(g, r, shared.now))));
            // The heading may carry the mark of the sort order.
            let whole = widest(0, usize::MAX, texts.chain([format!("{} v", clean(name))]));
            let usual = whole.min(WIDEST);
            Wanted {
                align,
                ..Wanted::new(what, if align == Align::Left { LEAST } else { usual }, usual, whole)
            }
        };
        columns.push(Wanted { cost: 2 * place, ..known.unwrap_or_else(other) });
        columns.extend(bar.then(|| Wanted { cost: 2 * place - 1, ..Wanted::fixed(What::Percent, 5) }));
        let several =
            groups.iter().any(|g| column::has_several_splits(name, g.rows.iter().map(|run| &run.view)));
        columns.extend(several.then(|| {
            let splits = rows().map(|run| column::split(&run.view, name));
            Wanted { cost: 2 * place - 1, ..Wanted::fixed(What::Split(name), widest(2, WHO, splits)) }
        }));
    }
    fit(&mut columns, room, usize::MAX);
    columns
}

/// Keeps the columns that fit, those of the lowest cost first, and gives them the room there is. One that costs more than `dear` is
/// kept only if nothing but a series and a trend have to be narrowed for it.
fn fit(columns: &mut Vec<Wanted<'_>>, room: usize, dear: usize) {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by_key(|i| columns[*i].cost);
    let mut kept = vec![false; columns.len()];
    let name = NAME.max(room * 2 / 5);
    for (n, i) in order.into_iter().enumerate() {
        kept[i] = true;
        let wide = columns[i].cost > dear;
        let gives = |c: &Wanted<'_>| !wide || matches!(c.what, What::Who | What::Spark | What::Bar);
        let width = |c: &Wanted<'_>| if gives(c) { c.width } else { c.usual.min(name.max(c.width)) };
        let need: usize = (0..).zip(&*columns).filter(|(c, _)| kept[*c]).map(|(_, c)| width(c) + GAP).sum();
        kept[i] = n == 0 || columns[i].cost == 0 || need <= room + GAP;
    }
    let mut kept = kept.into_iter();
    columns.retain(|_| kept.next().unwrap_or(false));
    let mut spare = (room + GAP).saturating_sub(columns.iter().map(|c| c.width + GAP).sum());
    let mut thirsty: Vec<&mut Wanted<'_>> = columns.iter_mut().collect();
    thirsty.sort_by_key(|column| column.what.thirst());
    for whole in [false, true] {
        for column in &mut thirsty {
            let aim = if whole { column.whole } else { column.usual };
            let more = aim.saturating_sub(column.width).min(spare);
            (column.width, spare) = (column.width + more, spare - more);
        }
    }
}

#[cfg(test)]
mod tests {
    use gradtop_store::{ParamValue, SeriesKey, State};

    use crate::app::testing::{Bench, Spec, run};

    #[test]
    fn what_tells_runs_apart_has_a_column_before_what_repeats() {
        let of = |name: &str, lr, model: &str, value| {
            let key = SeriesKey { model: Some(model.into()), ..SeriesKey::metric("loss") };
            run("fit", name, 1).param("lr", ParamValue::Float(lr)).logged(key, &[(0, 1.0), (1, value)])
        };
        let runs = || {
            vec![of("plane-curve-1", 0.125, "deep", 3.142e-6), of("plane-curve-2", 0.25, "shallow", 2.718e-5)]
        };
        let screen = |runs: Vec<Spec>, (width, height)| {
            let mut bench = Bench::of(runs);
            bench.resize(width, height);
            bench.screen()
        };
        let live =
            || runs().into_iter().zip([5_000, 900]).map(|(run, step)| run.at(State::Running, step)).collect();
        for (runs, size) in [(runs(), (80, 24)), (live(), (80, 24)), (runs(), (40, 15))] {
            let screen = screen(runs, size);
            for word in [" lr ", "0.125", "0.25", "3.142e-6", "deep", "2.718e-5", "shallow"] {
                assert!(screen.contains(word), "{word} in {size:?}: {screen}");
            }
        }
        // On a phone, the progress of a run at work comes before a parameter.
        let phone = screen(live(), (40, 15));
        assert!(
            phone.contains("25 %") && phone.contains("2.718e-5 shallow") && !phone.contains(" lr "),
            "{phone}"
        );
    }
}
