//! Named views of the list of runs: a filter, an order and columns. They are stored in `views.toml` next to config.toml and
//! shared by `list` and the monitor.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use gradtop_view::list::order::Sort;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, toml_error};
use crate::files::{self, replace};
use crate::print::clean;

/// A view of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ListView {
    /// The filter, as typed.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) filter: String,
    /// The columns; if empty, the default ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) columns: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sort: Option<Sort>,
}

/// All views by name.
pub(crate) type ListViews = BTreeMap<String, ListView>;

fn path() -> Option<PathBuf> {
    Some(gradtop_host::config_dir()?.join("views.toml"))
}

/// Reads all views.
///
/// # Errors
/// The file cannot be read or parsed; the message says where.
pub(crate) fn all() -> Result<ListViews> {
    let Some(path) = path() else { return Ok(ListViews::new()) };
    let Some(text) = files::read_if_there(&path)? else { return Ok(ListViews::new()) };
    let wrong = |e| Failure::usage(format!("{}: {}", path.display(), toml_error(&text, &e)));
    toml::from_str(&text).map_err(|e| wrong(e).into())
}

/// Returns a view by name.
///
/// # Errors
/// There is no view of this name; the message suggests a similar one.
pub(crate) fn named(name: &str) -> Result<ListView> {
    let mut all = all()?;
    all.remove(name).ok_or_else(|| {
        let near = gradtop_store::suggest(name, all.keys().map(String::as_str), "views");
        let help = if all.is_empty() { "`gradtop list … --save NAME` makes one".to_owned() } else { near };
        Failure::usage(format!("no view of the list is called {:?}", clean(name))).help(clean(&help)).into()
    })
}

/// Saves a view under a name, or deletes it if `None`. Returns all views.
///
/// # Errors
/// The name is invalid, or the file cannot be written.
pub(crate) fn change(name: &str, view: Option<ListView>) -> Result<ListViews> {
    gradtop_store::validate_tag(name).map_err(|e| Failure::usage(e.to_string().replace("tag", "view")))?;
    let path = path().context("neither XDG_CONFIG_HOME nor HOME is a folder")?;
    let mut all = all()?;
    match view {
        Some(view) => all.insert(name.to_owned(), view),
        None => all.remove(name),
    };
    if let Some(folder) = path.parent() {
        files::make_folder(folder)?;
    }
    replace(&path, toml::to_string_pretty(&all)?.as_bytes())?;
    Ok(all)
}
