//! The columns that a list shows, and where they are. What they may be and are worth: `candidates.rs`.
//!
//! The columns are the same in all groups, so that they are aligned, unless a group shows more with columns of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::Home;
use super::candidates::{Candidate, Sight};
use super::cells::{self, GAP, LEAST};
use super::list::{Group, Line};
use super::what::What;
use crate::screens::shared::Shared;
use gradtop_chart::cells::align::Align;
use gradtop_chart::cells::room::{POINT, share};
use ratatui::layout::Rect;

/// A group has columns of its own if they are worth this much more for its runs, in points.
const UNALIGNED: i64 = 10 * POINT;

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
        let room = usize::from(area.width).saturating_sub(usize::from(cells::MARKS) + 1);
        let candidates = |groups: &[&'a Group]| {
            Sight { groups, shared, hosts: home.hosts(), room, narrow: area.width < cells::NARROW }
                .candidates(&home.columns)
        };
        let common = Self::chosen(&candidates(&groups), room);
        let chosen = |group: usize| {
            let own = candidates(&[&home.list.groups[group]]);
            let alone = Self::chosen(&own, room);
            let apart = seen.len() > 1 && alone.worth(&own) - common.worth(&own) >= UNALIGNED;
            (group, if apart { alone } else { Self(common.0.clone()) })
        };
        seen.iter().map(|group| chosen(*group)).collect()
    }

    /// The columns that are worth the most together.
    fn chosen(candidates: &[Candidate<'a>], room: usize) -> Self {
        let claims: Vec<_> = candidates.iter().map(|candidate| candidate.claim.clone()).collect();
        let mut left = usize::from(cells::MARKS);
        let placed = candidates.iter().zip(share(&claims, room, GAP)).filter_map(|(candidate, width)| {
            let Candidate { what, align, .. } = *candidate;
            let column = Column { what, left, width: width?, align };
            left += column.width + GAP;
            Some(column)
        });
        Self(placed.collect())
    }

    /// What these columns are worth to those who asked for them.
    fn worth(&self, candidates: &[Candidate<'_>]) -> i64 {
        let width = |what| self.0.iter().find(|column| column.what == what).map(|column| column.width);
        candidates.iter().filter_map(|asked| Some(asked.claim.worth(width(asked.what)?))).sum()
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
        let column = self.0.iter().find(|c| c.left <= x && x < c.left + c.width + GAP)?;
        column.what.sorts(group?)
    }
}
