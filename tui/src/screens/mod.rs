//! The screens: state and update of each in its `mod.rs`, its keys in its `keys.rs`, drawing in its `view.rs`.
//!
//! [`Screen`] is all that the application knows of one; what screens know of the application is [`shared::Shared`], and what they
//! want of it an [`effect::Effect`].

pub(crate) mod actions;
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
use gradtop_view::live::WatchRequest;
use gradtop_view::picture::Picture;
use gradtop_view::runs::RunId;
use keys::Keys;
use shared::Shared;

/// What has the keys, and is drawn between header and footer.
pub(crate) trait Screen: std::fmt::Debug {
    /// The keys that mean something now, besides those that work everywhere.
    fn keys(&self) -> Keys;

    /// Does what one of these keys means, by its name; `None` if it is none of them.
    fn press(&mut self, shared: &mut Shared, key: &str) -> Option<Vec<Effect>>;

    /// Draws it.
    fn view(&self, shared: &Shared, frame: &mut Frame<'_>, area: Rect);

    /// How long what it shows of runs that have ended stays as it is, should nothing happen.
    fn lasts(&self, _shared: &Shared) -> Duration {
        Duration::MAX
    }

    /// Whether there is nothing that its keys could act on: then the bottom line has only those that start something.
    fn is_bare(&self) -> bool {
        false
    }

    /// What the terminal is named after while it is shown.
    fn name(&self) -> Option<String> {
        None
    }

    /// Whether it lies over the screen below, which is drawn too.
    fn over(&self) -> bool {
        false
    }

    /// Something was typed.
    fn edit(&mut self, _shared: &mut Shared, _edit: Edit) -> Vec<Effect> {
        Vec::new()
    }

    /// The mouse did something, in coordinates of the terminal; `shared.area` is the screen's.
    fn mouse(&mut self, _shared: &mut Shared, _mouse: MouseEvent) -> Vec<Effect> {
        Vec::new()
    }

    /// Runs, plugins, live data, the size or the second have changed.
    fn changed(&mut self, _shared: &mut Shared) -> Vec<Effect> {
        Vec::new()
    }

    /// A worker has answered; `None`: not to this screen.
    fn answer(&mut self, _shared: &mut Shared, _answer: &Answer) -> Option<Vec<Effect>> {
        None
    }

    /// The runs that actions mean.
    fn targets(&self) -> Vec<RunId> {
        Vec::new()
    }

    /// The chart that is looked at, as it is seen.
    fn picture(&self, _shared: &Shared) -> Option<Picture> {
        None
    }

    /// The series it needs now.
    fn watches(&self, _shared: &Shared) -> Vec<WatchRequest> {
        Vec::new()
    }
}

/// The keys, what they do and the picture of a [`Screen`] that has a mode, which knows both, `update` and `draw`.
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

/// Puts a name into a set, or takes it out.
fn toggle(names: &mut BTreeSet<String>, name: &str) {
    if !names.remove(name) {
        names.insert(name.to_owned());
    }
}

/// Has the chart that is looked at written to a file.
fn write(screen: &dyn Screen, shared: &Shared) -> Effect {
    match screen.picture(shared) {
        Some(picture) => Effect::Open(effect::Open::Save(Box::new(picture))),
        None => Effect::failure("there is no chart to write yet"),
    }
}

/// The keys of every screen in every mode, in the order of the documentation.
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
