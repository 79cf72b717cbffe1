//! The screens. The state and updates of each are in its `mod.rs`, its keys in `keys.rs`, drawing in `view.rs`.
//!
//! The application knows a screen only as a [`Screen`]. Screens read the application's state from [`shared::Shared`] and make
//! requests as [`effect::Effect`].

pub(crate) mod actions;
pub(crate) mod charts;
pub(crate) mod compare;
pub(crate) mod confirm;
pub(crate) mod effect;
pub(crate) mod experiments;
pub(crate) mod help;
pub(crate) mod home;
pub(crate) mod keys;
pub(crate) mod pen;
pub(crate) mod run;
pub(crate) mod save;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod tags;
pub(crate) mod views;

use std::collections::BTreeSet;
use std::time::Duration;

use crossterm::event::MouseEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use crate::widgets::Edit;
use effect::{Answer, Effect};
use gradtop_view::chart_spec::ChartSpec;
use gradtop_view::live::WatchRequest;
use gradtop_view::runs::RunId;
use keys::Keys;
use shared::Shared;

/// A screen or overlay.
pub(crate) trait Screen: std::fmt::Debug {
    /// The current keys, besides the global ones.
    fn keys(&self) -> Keys;

    /// Performs the action of a key, given by name; `None` if the key is not one of this screen.
    fn press(&mut self, shared: &mut Shared, key: &str) -> Option<Vec<Effect>>;

    /// Draws the screen.
    fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect);

    /// How long the displayed information about ended runs stays correct if nothing happens.
    fn valid_for(&self, _shared: &Shared) -> Duration {
        Duration::MAX
    }

    /// Whether there is nothing to act on; then the footer names only keys that start something.
    fn is_bare(&self) -> bool {
        false
    }

    /// The title of the terminal window.
    fn window_title(&self) -> Option<String> {
        None
    }

    /// Whether it is an overlay: the screen below is drawn, too.
    fn is_overlay(&self) -> bool {
        false
    }

    /// Handles a change of the text input.
    fn edit(&mut self, _shared: &mut Shared, _edit: Edit) -> Vec<Effect> {
        Vec::new()
    }

    /// Handles a mouse event, in terminal coordinates; `shared.area` is the screen's area.
    fn mouse(&mut self, _shared: &mut Shared, _mouse: MouseEvent) -> Vec<Effect> {
        Vec::new()
    }

    /// Handles a change of runs, plugins, live data, size or time.
    fn on_change(&mut self, _shared: &mut Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// Follows runs that have moved to another folder, as when they leave the queue: `moved` updates an id.
    fn on_moved(&mut self, _moved: &dyn Fn(&mut RunId)) {}

    /// Handles an answer; `None` if it is not for this screen.
    fn answer(&mut self, _shared: &mut Shared, _answer: &Answer) -> Option<Vec<Effect>> {
        None
    }

    /// The targeted runs of actions.
    fn targets(&self) -> Vec<RunId> {
        Vec::new()
    }

    /// The current chart, as displayed.
    fn chart_spec(&self, _shared: &Shared) -> Option<ChartSpec> {
        None
    }

    /// The series to watch.
    fn watches(&self, _shared: &Shared) -> Vec<WatchRequest> {
        Vec::new()
    }
}

/// Implements the key methods and `view` of a [`Screen`] that has a `mode`, an `update` and a `draw` method.
macro_rules! by_mode {
    () => {
        fn keys(&self) -> crate::screens::keys::Keys {
            self.mode().keys()
        }

        fn press(&mut self, shared: &mut Shared, key: &str) -> Option<Vec<Effect>> {
            self.mode().find(key).map(|action| self.update(shared, action))
        }

        fn view(&self, shared: &Shared, frame: &mut ratatui::Frame<'_>, area: ratatui::layout::Rect) {
            self.draw(shared, frame, area);
        }
    };
}
use by_mode;

/// Adds a name to a set, or removes it.
fn toggle(names: &mut BTreeSet<String>, name: &str) {
    if !names.remove(name) {
        names.insert(name.to_owned());
    }
}

/// Asks for the file that the current chart should be written to.
fn write(screen: &dyn Screen, shared: &Shared) -> Effect {
    match screen.chart_spec(shared) {
        Some(spec) => Effect::Open(effect::Open::Save(Box::new(spec))),
        None => Effect::failure("there is no chart to write yet"),
    }
}

/// The keys of all modes of all screens, in the order of the documentation.
#[cfg(test)]
pub(crate) fn all_keys() -> Vec<Keys> {
    let runs = run::keys::ALL.iter().map(|mode| mode.keys());
    let first = [home::keys::LIST.keys(), home::keys::FILTER.keys()];
    let last = [
        compare::keys::VIEW.keys(),
        compare::keys::TABLE.keys(),
        experiments::keys::LIST.keys(),
        experiments::keys::FORM.keys(),
        help::KEYS.keys(),
        tags::KEYS.keys(),
        save::KEYS.keys(),
        views::LIST.keys(),
        views::NAME.keys(),
        confirm::KEYS.keys(),
    ];
    first.into_iter().chain(runs).chain(last).collect()
}
