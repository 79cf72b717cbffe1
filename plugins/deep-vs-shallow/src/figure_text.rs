//! Figures as TOML text, piece by piece: each call adds to the figure or panel before it.

use std::fmt::Write as _;

/// Begins a figure.
pub(crate) fn figure(toml: &mut String, id: &str, title: &str, caption: &str) {
    push(
        toml,
        &format!(
            "[[figure]]\nid = {}\ntitle = {}\ncaption = {}\n",
            quoted(id),
            quoted(title),
            quoted(caption)
        ),
    );
}

/// Begins a panel of the figure; the axes are inline tables.
pub(crate) fn panel(toml: &mut String, title: &str, x: &str, y: &str) {
    push(toml, &format!("[[figure.panel]]\ntitle = {}\nx = {x}\ny = {y}\n", quoted(title)));
}

/// Adds a mark to the panel: its keys, a line each.
pub(crate) fn mark(toml: &mut String, keys: &str) {
    push(toml, &format!("[[figure.panel.mark]]\n{keys}\n"));
}

fn push(toml: &mut String, text: &str) {
    toml.push_str(text);
    toml.push('\n');
}

/// A TOML string: an expression may hold anything.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // Writing into a String cannot fail.
            c if c.is_control() => write!(out, "\\u{:04X}", c as u32).unwrap_or_default(),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn strings_are_toml() {
        assert_eq!(quoted("a\"b\\c\nd"), "\"a\\\"b\\\\c\\u000Ad\"");
    }
}
