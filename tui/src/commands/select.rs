//! Selects the runs that a command is about, by names or by a filter.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gradtop_host::{Action, HostError};
use gradtop_store::{RunDir, StoreError, View, follow_run};
use jiff::Timestamp;

use super::Context;
use crate::failure::{self, Failure};
use crate::print::{self, clean};
use gradtop_chart::number;
use gradtop_view::list::filter::{self, Filter};

/// The most names in a sentence.
const NAMED: usize = 8;

/// Positional arguments that select runs.
#[derive(Debug, clap::Args)]
pub(crate) struct Selection {
    /// Runs by name, or a filter as in the monitor: 'state:running lr>1e-3'
    // Not named `runs`, which is the id of the global option `--runs`.
    #[arg(required = true, value_name = "RUN|FILTER")]
    pub(crate) names: Vec<String>,
    /// Do not ask before acting on several runs that a filter selects
    #[arg(short, long)]
    pub(crate) yes: bool,
}

impl Selection {
    /// Returns the selected runs. A filter selects only runs that allow the action, and the user confirms several.
    ///
    /// # Errors
    /// A run does not exist, the filter is wrong, nothing is selected, or the user did not confirm.
    pub(crate) fn views(&self, context: &Context, action: Action) -> Result<Vec<View>> {
        if !self.names.iter().any(|name| is_filter(name)) {
            return named(context, &self.names);
        }
        let verb = action.verb();
        let may = |view: View| match gradtop_host::allowed(&view, action) {
            Ok(()) => Ok(view),
            Err(why) => Err(format!("{} {why}", view.manifest.run)),
        };
        let views = allowing(resolve(context, &self.names)?, verb, may)?;
        if views.len() > 1 {
            self.confirm(&format!("{}{}", verb[..1].to_uppercase(), &verb[1..]), &views)?;
        }
        Ok(views)
    }

    /// Asks the user to confirm an action on several runs.
    pub(crate) fn confirm(&self, verb: &str, views: &[View]) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        let n = views.len();
        let names = abbreviated(views, |view| clean(&view.manifest.run));
        Err(match print::ask(&format!("{verb} {n} runs: {names}?")) {
            Some(true) => return Ok(()),
            Some(false) => Failure::new("cancelled; nothing was done").into(),
            None => Failure::usage(format!("the filter selects {n} runs: confirm with --yes")).into(),
        })
    }
}

/// Returns what `may` makes of those runs that it allows.
///
/// # Errors
/// It allows none, of which the first reason is told.
pub(crate) fn allowing<T, E: std::fmt::Display>(
    views: Vec<View>,
    verb: &str,
    may: impl Fn(View) -> Result<T, E>,
) -> Result<Vec<T>> {
    let matched = number::counted(views.len(), "run") + if views.len() == 1 { " matches" } else { " match" };
    let mut refused = None;
    let allowed = |view| may(view).map_err(|why| _ = refused.get_or_insert_with(|| why.to_string())).ok();
    let allowed: Vec<T> = views.into_iter().filter_map(allowed).collect();
    match refused {
        Some(why) if allowed.is_empty() => {
            Err(Failure::new(format!("{matched}, but cannot {verb} any of them: {}", clean(&why))).into())
        }
        _ => Ok(allowed),
    }
}

/// Lists names of runs or metrics, abbreviated if there are many.
pub(crate) fn abbreviated<R>(runs: &[R], name: impl Fn(&R) -> String) -> String {
    gradtop_store::abbreviated(runs, NAMED, name)
}

/// Returns the runs with these names, or all that match a filter.
///
/// # Errors
/// A run does not exist, or the filter is wrong or matches nothing.
pub(crate) fn resolve(context: &Context, names: &[String]) -> Result<Vec<View>> {
    if !names.iter().any(|name| is_filter(name)) {
        return named(context, names);
    }
    match matching(context, &names.join(" "))?.views {
        none if none.is_empty() => Err(none_matches(names)),
        views => Ok(views),
    }
}

pub(crate) fn none_matches(filter: &[String]) -> anyhow::Error {
    let message = match clean(&filter.join(" ")) {
        none if none.trim().is_empty() => "there are no runs".to_owned(),
        filter => format!("no run matches the filter `{filter}`"),
    };
    Failure::new(message).into()
}

/// Returns the runs with these names, each once.
pub(crate) fn named(context: &Context, names: &[String]) -> Result<Vec<View>> {
    let mut views: Vec<View> = Vec::new();
    for name in names {
        let mut view = context.view(name);
        if names.len() > 1 {
            view = view.context("nothing was done");
        }
        let view = view?;
        if views.iter().all(|known| known.dir != view.dir) {
            views.push(view);
        }
    }
    Ok(views)
}

/// Returns the runs to show, as [`resolve`] does. Of several, those that cannot be read are left out, with a warning.
///
/// # Errors
/// As for [`resolve`], or no run can be read.
pub(crate) fn shown(context: &Context, names: &[String]) -> Result<Vec<View>> {
    if names.len() < 2 || names.iter().any(|name| is_filter(name)) {
        return resolve(context, names);
    }
    let why = |name: &String| context.view(name).err().filter(is_unreadable);
    let odd: Vec<_> = names.iter().filter_map(|name| Some((name, why(name)?))).collect();
    let is_odd = |name: &&String| odd.iter().any(|(odd, _)| odd == name);
    let others: Vec<String> = names.iter().filter(|name| !is_odd(name)).cloned().collect();
    if others.is_empty() {
        return named(context, names);
    }
    let views = named(context, &others)?;
    for (name, why) in odd {
        print::warn(format!("{} cannot be read: {why}", clean(name)));
    }
    Ok(views)
}

/// Returns whether it concerns one run only, of which a file is damaged or may not be read.
pub(crate) fn is_unreadable(error: &anyhow::Error) -> bool {
    let of_host = match error.downcast_ref() {
        Some(HostError::Store(error)) => Some(error),
        _ => None,
    };
    of_host.or_else(|| error.downcast_ref()).is_some_and(|error| match error {
        StoreError::Io { source, .. } => source.kind() == std::io::ErrorKind::PermissionDenied,
        error => error.is_damage(),
    })
}

/// Returns whether an argument is part of a filter, not the name or path of a run.
pub(crate) fn is_filter(argument: &str) -> bool {
    !argument.contains('/') && argument.contains([':', '<', '>', '=', '!', '*', '?', '(', ')', '"', ' '])
}

pub(crate) struct Matching {
    /// The runs that match, newest first.
    pub(crate) views: Vec<View>,
    /// Names of all experiments and runs.
    pub(crate) names: Vec<String>,
    /// Whether some runs cannot be read.
    pub(crate) incomplete: bool,
}

/// Applies a filter to all runs. Warns about those that cannot be read.
///
/// # Errors
/// The filter is wrong, or names a field that no run has.
pub(crate) fn matching(context: &Context, text: &str) -> Result<Matching> {
    let filter = Filter::parse(text)
        .map_err(|e| Failure::usage(format!("cannot read the filter `{}`: {}", clean(text), e.message)))?;
    let (mut views, unreadable) = all(&context.existing_runs()?);
    for (path, error) in &unreadable {
        print::warn(format!("{} cannot be read: {error}", print::short(path)));
    }
    views.sort_by(|a, b| {
        b.manifest.created.cmp(&a.manifest.created).then_with(|| a.manifest.run.cmp(&b.manifest.run))
    });
    if !views.is_empty() {
        let unknown = filter.unknown(&views.iter().collect::<Vec<_>>());
        let fields = filter::fields(views.iter());
        let typed = unknown.iter().map(AsRef::as_ref);
        unless_headline(&views, typed.clone())?;
        Failure::unless_known("no run has", typed, fields.iter().map(String::as_str), "fields")?;
    }
    let names = views.iter().flat_map(|v| [v.manifest.experiment.id.clone(), v.manifest.run.clone()]);
    let names = names.collect::<std::collections::BTreeSet<_>>().into_iter().collect();
    let now = Timestamp::now();
    views.retain(|view| filter.takes(view, now));
    Ok(Matching { views, names, incomplete: !unreadable.is_empty() })
}

/// Refuses names of metrics whose values lists do not know.
pub(crate) fn unless_headline<'a>(views: &[View], mut names: impl Iterator<Item = &'a str>) -> Result<()> {
    let help = "`gradtop show RUN` has all metrics, `gradtop query` compares them";
    let why = names.find_map(|name| filter::why_unknown(name, views.iter()));
    why.map_or(Ok(()), |why| Err(Failure::usage(why).help(help).into()))
}

/// Reads all runs of a folder. Also returns those that cannot be read, with the reason.
pub(crate) fn all(runs: &Path) -> (Vec<View>, Vec<(PathBuf, String)>) {
    let look = |run: &RunDir, place| super::view(run).map(|view| view.listed_at(place));
    gradtop_store::inspect_runs(runs, |runs| gradtop_store::inspect_each(runs, look))
}

/// Applies an action to each of these runs as [`each`] does, wherever it is: some may leave the queue in the meantime.
pub(crate) fn each_view(views: &[View], mut act: impl FnMut(&View) -> Result<i32>) -> Result<i32> {
    each(views, |seen| {
        follow_run(&seen.dir, &seen.manifest.experiment.id, |run| {
            if *run == seen.dir { act(seen) } else { act(&super::view(run)?) }
        })
    })
}

/// Applies an action to each run. With several runs, errors are printed and the rest continues; the exit code is the first that
/// is not 0.
pub(crate) fn each<R>(runs: &[R], mut act: impl FnMut(&R) -> Result<i32>) -> Result<i32> {
    if let [one] = runs {
        return act(one);
    }
    let mut code = 0;
    for run in runs {
        let this = act(run).unwrap_or_else(|error| failure::report(&error));
        code = if code == 0 { this } else { code };
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::is_filter;

    #[test]
    fn names_and_paths_are_no_filters() {
        for name in ["last", "curve-fit-1", "exp=curve-fit/run=a", "./runs/a", "NOT"] {
            assert!(!is_filter(name), "{name}");
        }
        for filter in ["state:running", "lr>1e-3", "curve*", "lr = 1", "-(a"] {
            assert!(is_filter(filter), "{filter}");
        }
    }
}
