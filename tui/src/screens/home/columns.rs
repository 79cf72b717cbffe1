//! The columns that a list shows, and where they are. What they may be, and which come first: `candidates.rs`.
//!
//! The columns are the same in all groups, so that they are aligned, unless a group shows more with columns of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::Home;
use super::candidates::{Candidate, For, Sight};
use super::cells::{self, LEAST};
use super::list::{Group, Line};
use super::what::What;
use crate::screens::shared::Shared;
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::room::{Wish, share};
use ratatui::layout::Rect;

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

impl<'a> Columns<'a> {
    /// Chooses the columns of each group in sight for a list of this width. What is out of sight takes no room.
    pub(super) fn by_group(home: &'a Home, shared: &Shared, area: Rect) -> BTreeMap<usize, Self> {
        let group = |line| match &home.list.lines[line] {
            Line::Titles { group } | Line::Run { group, .. } => Some(*group),
            _ => None,
        };
        let seen: BTreeSet<usize> = home.visible(area).into_iter().filter_map(group).collect();
        let groups: Vec<&Group> = seen.iter().map(|group| &home.list.groups[*group]).collect();
        let narrow = area.width < cells::NARROW;
        // On a phone the last column is used, too, and columns are closer together.
        let (edge, gap) = if narrow { (0, 1) } else { (1, cells::GAP) };
        let room = usize::from(area.width).saturating_sub(usize::from(cells::MARKS) + edge);
        let candidates = |groups: &[&'a Group]| {
            Sight { groups, shared, hosts: home.hosts(), room, gap, narrow }.candidates(&home.columns)
        };
        let common = Self::chosen(&candidates(&groups), room, gap);
        let chosen = |group: usize| {
            let own = candidates(&[&home.list.groups[group]]);
            let alone = Self::chosen(&own, room, gap);
            let apart = seen.len() > 1 && own.iter().any(|asked| alone.grants_more(&common, asked));
            (group, if apart { alone } else { Self(common.0.clone()) })
        };
        seen.iter().map(|group| chosen(*group)).collect()
    }

    /// The columns that fit, of those that come first.
    fn chosen(candidates: &[Candidate<'a>], room: usize, gap: usize) -> Self {
        let wishes = candidates.iter().enumerate();
        let wishes = wishes.flat_map(|(at, own)| own.wishes.iter().map(move |(why, wish)| (*why, at, *wish)));
        let mut wishes: Vec<(For, usize, Wish)> = wishes.collect();
        wishes.sort_by_key(|(why, ..)| *why);
        let widths = share(wishes.into_iter().map(|(_, at, wish)| (at, wish)), candidates.len(), room, gap);
        let mut left = usize::from(cells::MARKS);
        let placed = candidates.iter().zip(widths).filter_map(|(candidate, width)| {
            let Candidate { what, align, .. } = *candidate;
            let column = Column { what, left, width: width?, align };
            left += column.width + gap;
            Some(column)
        });
        Self(placed.collect())
    }

    fn width(&self, what: What<'_>) -> usize {
        self.0.iter().find(|column| column.what == what).map_or(0, |column| column.width)
    }

    /// Returns whether these columns grant more than others of what a column is shown for.
    fn grants_more(&self, others: &Self, asked: &Candidate<'_>) -> bool {
        let [own, other] = [self, others].map(|columns| columns.width(asked.what));
        let matters = asked.wishes.iter().filter(|(why, _)| *why <= For::Bar);
        matters.into_iter().any(|(_, wish)| match *wish {
            Wish::Whole(width) => own >= width && other < width,
            Wish::UpTo(width) => own.min(width) > other,
        })
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
            let end = column.left + column.width;
            let end = if i + 1 == self.0.len() { end.max(width.saturating_sub(1)) } else { end };
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

    /// Returns whether values are shown.
    pub(super) fn valued(&self) -> bool {
        self.0.iter().any(|column| column.what == What::Metric)
    }

    /// Returns whether values include the name of their series.
    pub(super) fn brief(&self) -> bool {
        self.0.iter().any(|column| column.what == What::Metric && column.align == Align::Left)
    }

    /// The sort key of the heading at column `x`.
    pub(super) fn at(&self, x: u16, group: Option<&Group>) -> Option<String> {
        let x = usize::from(x);
        let column = self.0.iter().rfind(|column| column.left <= x)?;
        let column = Some(column).filter(|column| x <= column.left + column.width)?;
        column.what.sorts(group?)
    }
}
