//! Why a figure is empty.

use crate::live::RunData;

/// Says that a metric or table has not been read yet, or why it never will be.
pub(super) fn not_read<'a>(what: &str, mut data: impl Iterator<Item = &'a RunData> + Clone) -> String {
    let over = !data.clone().any(|data| data.progress.reading);
    // Of several runs, the path says which.
    let error = match data.clone().count() {
        1 => data.find_map(|data| data.unread_here().next()),
        _ => data.find_map(|data| data.unread().next().map(str::to_owned)),
    };
    match error.filter(|_| over) {
        Some(error) => format!("{what} was not read: {error}"),
        None => format!("reading {what} …"),
    }
}

/// Explains why a table is missing.
pub(super) fn no_table(name: &str, data: &RunData) -> String {
    let known = data.table_names.iter().map(String::as_str);
    if let Some(early) = data.ended_before(&format!("wrote the table {name:?}"))
        && gradtop_store::near(name, known.clone()).is_empty()
    {
        return early;
    }
    match data.alive || data.table_names.is_empty() {
        _ if known.clone().any(|other| other == name) => {
            not_read(&format!("table {name:?}"), std::iter::once(data))
        }
        true => format!("table {name:?} has not been written yet"),
        false => format!("there is no table {name:?}; {}", gradtop_store::suggest(name, known, "tables")),
    }
}
