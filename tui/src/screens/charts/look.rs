//! How charts are displayed, as far as it is kept.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::layout::MOST;
use crate::widgets::Way;
use gradtop_view::compare::Align;

/// The weights of smoothing that keys step through.
const SMOOTHING: [f64; 10] = [0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999];

/// How charts are displayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Look {
    /// The number of columns; `None`: as many as fit.
    pub(crate) columns: Option<u8>,
    /// The number of rows; `None`: as many as fit.
    pub(crate) rows: Option<u8>,
    /// The weight of the moving average; 0 is off.
    pub(crate) smoothing: f64,
    /// The x axis; `None`: as declared by the figures.
    pub(crate) x: Option<Align>,
    /// Whether the x axis is logarithmic.
    pub(crate) log_x: bool,
    /// Whether outliers may be cut off.
    pub(crate) clip: bool,
    /// Whether charts with the same unit have the same range of y.
    pub(crate) same_y: bool,
    /// Whether an expanded chart has a list of its series beside it.
    pub(crate) legend: bool,
    /// Charts with a chosen scale: whether it is logarithmic.
    pub(crate) log_y: BTreeMap<String, bool>,
    /// The hidden series.
    pub(crate) hidden: BTreeSet<String>,
    /// The pinned charts.
    pub(crate) pinned: BTreeSet<String>,
}

impl Default for Look {
    fn default() -> Self {
        Self {
            columns: None,
            rows: None,
            smoothing: 0.0,
            x: None,
            log_x: false,
            clip: false,
            same_y: false,
            legend: true,
            log_y: BTreeMap::new(),
            hidden: BTreeSet::new(),
            pinned: BTreeSet::new(),
        }
    }
}

impl Look {
    /// Corrects invalid values, since a file may contain anything.
    pub(crate) fn sanitized(mut self) -> Self {
        let fit = |n: &mut Option<u8>| *n = n.filter(|n| (1..=MOST).contains(n));
        fit(&mut self.columns);
        fit(&mut self.rows);
        self.smoothing = if self.smoothing.is_finite() { self.smoothing.clamp(0.0, 0.9999) } else { 0.0 };
        self
    }

    /// Smooths more or less.
    pub(crate) fn smooth(&mut self, way: Way) {
        let now = self.smoothing;
        let next = match way {
            Way::On => SMOOTHING.into_iter().find(|w| *w > now + 1e-9),
            Way::Back => SMOOTHING.into_iter().rev().find(|w| *w < now - 1e-9),
        };
        self.smoothing = next.unwrap_or(now);
    }

    /// Chooses the x axis after the `shown` one, of those that `has` data. After the last comes the declared one.
    pub(super) fn next_axis(&mut self, shown: Option<Align>, several: bool, has: impl Fn(Align) -> bool) {
        loop {
            self.x = match self.x {
                None if shown == Some(Align::Step) => Some(Align::Epoch),
                None => Some(Align::Step),
                Some(Align::Fraction) => None,
                // A single run is all of itself.
                Some(Align::Clock) if !several => None,
                Some(axis) => Some(axis.next()),
            };
            if self.x.is_none_or(&has) {
                return;
            }
        }
    }

    /// In a few words, those that change the values drawn last; `hidden` series are on the page.
    pub(super) fn words(&self, hidden: usize) -> Vec<String> {
        let flags = [(self.log_x, "log x"), (self.same_y, "same y")];
        let mut words: Vec<String> = flags.iter().filter(|f| f.0).map(|f| f.1.to_owned()).collect();
        if hidden > 0 {
            words.push(format!("{hidden} hidden"));
        }
        if self.clip {
            words.push("clipped".to_owned());
        }
        if self.smoothing > 0.0 {
            words.push(format!("smooth {}", self.smoothing));
        }
        words
    }
}

/// One more column or row than chosen or shown; after the last number, one.
pub(super) fn one_more(chosen: &mut Option<u8>, shown: usize) {
    let now = chosen.map_or(shown, usize::from);
    *chosen = Some(if now < usize::from(MOST) { now as u8 + 1 } else { 1 });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_goes_up_and_down_and_stays_below_one() {
        let mut look = Look::default();
        look.smooth(Way::Back);
        assert_eq!(look.smoothing, 0.0);
        (0..50).for_each(|_| look.smooth(Way::On));
        assert_eq!(look.smoothing, 0.999);
        look.smooth(Way::Back);
        assert_eq!(look.smoothing, 0.995);
    }

    #[test]
    fn the_axes_come_round_and_a_single_run_has_no_share_of_itself() {
        let round = |several| {
            let mut look = Look::default();
            let all = (0..6).map(|_| {
                look.next_axis(Some(look.x.unwrap_or_default()), several, |_| true);
                look.x
            });
            all.collect::<Vec<_>>()
        };
        let [step, epoch, time, clock, share] = Align::ALL.map(Some);
        assert_eq!(round(false)[..4], [epoch, time, clock, None]);
        assert_eq!(round(true)[..5], [epoch, time, clock, share, None]);
        // What is declared may be another one.
        let mut look = Look::default();
        look.next_axis(epoch, false, |_| true);
        assert_eq!(look.x, step);
        // Without epochs and times there is no other.
        look.x = None;
        look.next_axis(step, false, |axis| axis == Align::Step);
        assert_eq!(look.x, None);
        look.next_axis(step, false, |axis| axis != Align::Epoch);
        assert_eq!(look.x, time);
    }
}
