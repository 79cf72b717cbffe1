//! Runs as tables of SQL, and the program that answers: DuckDB's own, as a process.

pub(crate) mod json;
pub(crate) mod lake;
pub(crate) mod saved;

/// A text as a literal of SQL.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name as an identifier of SQL.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
