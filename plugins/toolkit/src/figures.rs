//! Figures as TOML (docs/plugin-guide.md), put together piece by piece.

use std::fmt::Write as _;

/// The text of `figures.toml` on its way.
#[derive(Debug, Default)]
pub struct Figures {
    toml: String,
}

impl Figures {
    /// Begins a figure; the panels that follow are its.
    pub fn figure(&mut self, id: &str, title: &str, caption: &str) -> &mut Self {
        self.push(&format!(
            "[[figure]]\nid = {}\ntitle = {}\ncaption = {}\n",
            quoted(id),
            quoted(title),
            quoted(caption)
        ))
    }

    /// Begins a panel with axes made by [`axis`]; the marks that follow are its.
    pub fn panel(&mut self, title: &str, x: &str, y: &str) -> &mut Self {
        self.push(&format!("[[figure.panel]]\ntitle = {}\nx = {x}\ny = {y}\n", quoted(title)))
    }

    /// Adds a mark: its keys as TOML lines.
    pub fn mark(&mut self, keys: &str) -> &mut Self {
        self.push(&format!("[[figure.panel.mark]]\n{keys}\n"))
    }

    /// A level line, with these words in the legend unless they are empty.
    pub fn level(&mut self, y: f64, label: &str) -> &mut Self {
        let label = if label.is_empty() { String::new() } else { format!("\nlabel = {}", quoted(label)) };
        self.mark(&format!("type = \"rule\"\ny = {y:e}{label}"))
    }

    /// An upright line.
    pub fn upright(&mut self, x: f64) -> &mut Self {
        self.mark(&format!("type = \"rule\"\nx = {x:e}"))
    }

    /// The text.
    pub fn toml(self) -> String {
        self.toml
    }

    fn push(&mut self, text: &str) -> &mut Self {
        self.toml.push_str(text);
        self.toml.push('\n');
        self
    }
}

/// An axis: its label, and its scale (`linear`, `log`, `log2`, `symlog`).
pub fn axis(label: &str, scale: &str) -> String {
    format!("{{ label = {}, scale = {} }}", quoted(label), quoted(scale))
}

/// A TOML string of any text.
pub fn quoted(text: &str) -> String {
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
    use super::*;

    #[test]
    fn pieces_make_toml() {
        assert_eq!(quoted("a\"b\\c\nd"), "\"a\\\"b\\\\c\\u000Ad\"");
        let mut figures = Figures::default();
        figures.figure("a", "A \"title\"", "").panel("", &axis("x", "linear"), &axis("y", "log"));
        figures.level(0.0, "zero").upright(1.5);
        assert_eq!(
            figures.toml(),
            "[[figure]]\nid = \"a\"\ntitle = \"A \\\"title\\\"\"\ncaption = \"\"\n\n\
             [[figure.panel]]\ntitle = \"\"\nx = { label = \"x\", scale = \"linear\" }\n\
             y = { label = \"y\", scale = \"log\" }\n\n\
             [[figure.panel.mark]]\ntype = \"rule\"\ny = 0e0\nlabel = \"zero\"\n\n\
             [[figure.panel.mark]]\ntype = \"rule\"\nx = 1.5e0\n\n"
        );
    }
}
