//! The report as Markdown, its figures as files beside it.

use super::document::{Block, Document, Span};

/// The text. Figures are `figures/<name>.svg`.
pub(crate) fn page(document: &Document) -> String {
    let mut out = format!("# {}\n\n{}\n\n", escape(&document.title), spans(&document.lead));
    for (level, id, words) in document.contents() {
        let indent = "  ".repeat(usize::from(level.saturating_sub(2)));
        out.push_str(&format!("{indent}- [{}](#{id})\n", escape(words)));
    }
    out.push('\n');
    blocks(&mut out, &document.blocks);
    out
}

fn blocks(out: &mut String, blocks: &[Block]) {
    for block in blocks {
        out.push_str(&one(block));
        out.push('\n');
    }
}

fn one(block: &Block) -> String {
    match block {
        Block::Heading { level, id, words } => {
            // The anchor is written out: every viewer makes its own of a heading's words.
            format!("<a id=\"{id}\"></a>\n\n{} {}\n", "#".repeat(usize::from(*level)), escape(words))
        }
        Block::Text(words) => format!("{}\n", spans(words)),
        Block::Quote { who, words } => format!("> {who}: {}\n", escape(words)),
        Block::Found { lines, source } => {
            let list: String = lines.iter().map(|line| format!("- {}\n", escape(line))).collect();
            format!("**Found**\n\n{list}\n<sub>{}</sub>\n", spans(source))
        }
        Block::Missing(words) => format!("> **Missing.** {}\n", spans(words)),
        Block::Facts(facts) => {
            let list: String =
                facts.iter().map(|(name, words)| format!("- {}: {}\n", escape(name), spans(words))).collect();
            list
        }
        Block::Table { head, rows, source } => {
            let cells = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
            let mut table = cells(head.iter().map(|(name, _)| cell(&escape(name))).collect());
            let rule = |number: &bool| if *number { "---:" } else { "---" }.to_owned();
            table.push_str(&cells(head.iter().map(|(_, number)| rule(number)).collect()));
            for row in rows {
                table.push_str(&cells(row.iter().map(|words| cell(&spans(words))).collect()));
            }
            if !source.is_empty() {
                table.push_str(&format!("\n<sub>{}</sub>\n", spans(source)));
            }
            table
        }
        Block::Figure(drawn) => format!(
            "![{}](figures/{}.svg)\n\n<sub>{}</sub>\n",
            escape(&drawn.title),
            drawn.name,
            spans(&drawn.source)
        ),
        Block::More { summary, blocks: inner } => {
            let mut inside = String::new();
            blocks(&mut inside, inner);
            format!("<details><summary>{}</summary>\n\n{inside}\n</details>\n", escape(summary))
        }
    }
}

fn spans(spans: &[Span]) -> String {
    spans
        .iter()
        .map(|span| match span {
            Span::Text(words) => escape(words),
            Span::Code(name) => code(name),
            Span::File { name, path } => {
                format!("[{}](<{}>)", code(name), path.replace(['<', '>', '\n'], ""))
            }
        })
        .collect()
}

/// Code, fenced by more backticks than it holds.
fn code(name: &str) -> String {
    let name = name.replace('\n', " ");
    if !name.contains('`') {
        return format!("`{name}`");
    }
    let longest = name.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    format!("{fence} {name} {fence}")
}

/// A cell may hold no bar and no line break.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Words that Markdown shows as they are.
fn escape(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::document::{code as name, text};
    use super::*;

    #[test]
    fn words_are_shown_as_they_are() {
        assert_eq!(spans(&[text("a_b <i> *x* #1")]), "a\\_b &lt;i&gt; \\*x\\* \\#1");
        assert_eq!(spans(&[name("a`b"), text(" "), name("n_+")]), "`` a`b `` `n_+`");
        let path = Span::File { name: "run".into(), path: "../a b".into() };
        assert_eq!(spans(&[path]), "[`run`](<../a b>)");
    }

    #[test]
    fn every_kind_of_block_has_its_form() {
        let table = Block::Table {
            head: vec![("model".into(), false), ("loss|x".into(), true)],
            rows: vec![vec![vec![text("a")], vec![text("0.5")]]],
            source: vec![text("from b")],
        };
        let document = Document {
            title: "T".into(),
            lead: vec![text("lead")],
            blocks: vec![
                Block::Heading { level: 2, id: "p".into(), words: "One".into() },
                Block::More { summary: "more".into(), blocks: vec![table] },
                Block::Missing(vec![text("gone")]),
                Block::Found { lines: vec!["it fell".into()], source: vec![text("s")] },
            ],
        };
        let page = page(&document);
        for part in [
            "# T\n\nlead\n\n- [One](#p)\n",
            "<a id=\"p\"></a>\n\n## One\n",
            "<details><summary>more</summary>\n\n| model | loss\\|x |\n| --- | ---: |\n| a | 0.5 |\n\n<sub>from b</sub>",
            "> **Missing.** gone\n",
            "- it fell\n",
        ] {
            assert!(page.contains(part), "{part:?} is not in {page}");
        }
    }
}
