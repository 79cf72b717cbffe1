//! The report as Markdown, its figures as files beside it.

use super::document::{Block, Document, Span};

/// The text. Figures are `figures/<name>.svg`.
pub(crate) fn page(document: &Document) -> String {
    let mut out = format!("# {}\n\n{}\n\n", escape(&document.title), spans(&document.lead));
    let entry = |(level, id, words): (u8, &str, &str)| {
        format!("{}- [{}](#{id})", "  ".repeat(usize::from(level.saturating_sub(2))), escape(words))
    };
    out.push_str(&lines(document.contents().into_iter().map(entry)));
    out.push_str("\n\n");
    blocks(&mut out, &document.blocks);
    out
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
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
        Block::Found { lines: found, source } => {
            let list = lines(found.iter().map(|line| format!("- {}", escape(line))));
            format!("**Found**\n\n{list}\n\n<sub>{}</sub>\n", spans(source))
        }
        Block::Missing(words) => format!("> **Missing.** {}\n", spans(words)),
        Block::Facts(facts) => {
            lines(facts.iter().map(|(name, words)| format!("- {}: {}", escape(name), spans(words)))) + "\n"
        }
        Block::Table { head, rows, source } => {
            let cells = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
            let rule = |number: &bool| if *number { "---:" } else { "---" }.to_owned();
            let names = cells(head.iter().map(|(name, _)| cell(&escape(name))).collect());
            let rule = cells(head.iter().map(|(_, number)| rule(number)).collect());
            let rows = rows.iter().map(|row| cells(row.iter().map(|words| cell(&spans(words))).collect()));
            let table = lines([names, rule].into_iter().chain(rows));
            if source.is_empty() {
                return table + "\n";
            }
            format!("{table}\n\n<sub>{}</sub>\n", spans(source))
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
