//! Renders a report as Markdown, with figures in separate files.

use super::document::{Block, Claim, Document, Finding, Span};

/// Renders the text. Figures are `<figures>/<name>.svg`.
pub(crate) fn page(document: &Document, figures: &str) -> String {
    let mut out = format!("# {}\n\n{}\n\n", escape(&document.title), spans(&document.lead));
    if !document.summary.lines.is_empty() {
        let list =
            lines((1..).zip(&document.summary.lines).map(|(n, finding)| format!("{n}. {}", line(finding))));
        out.extend(["## Summary\n\n", &list, "\n\n"]);
        if document.summary.more > 0 {
            out.extend([&spans(&document.summary.rest()), "\n\n"]);
        }
    }
    let entry = |(level, id, words): (u8, &str, &str)| {
        format!("{}- [{}](#{id})", "  ".repeat(usize::from(level.saturating_sub(2))), escape(words))
    };
    out.push_str(&lines(document.contents().into_iter().map(entry)));
    out.push_str("\n\n");
    blocks(&mut out, &document.blocks, figures);
    out
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

fn blocks(out: &mut String, blocks: &[Block], figures: &str) {
    for block in blocks {
        out.push_str(&one(block, figures));
        out.push('\n');
    }
}

fn one(block: &Block, figures: &str) -> String {
    match block {
        Block::Heading { level, id, words } => {
            // With an explicit anchor, because viewers derive different ones from the heading.
            format!("<a id=\"{id}\"></a>\n\n{} {}\n", "#".repeat(usize::from(*level)), escape(words))
        }
        Block::Text(words) => format!("{}\n", spans(words)),
        Block::Quote { who, words } => {
            let said = words.lines().map(escape).collect::<Vec<_>>().join("\\\n> ");
            format!("> {}: {said}\n", escape(who))
        }
        Block::Command(words) | Block::Output(words) => {
            let fence = "`".repeat(longest(words, '`').max(2) + 1);
            let language = if matches!(block, Block::Command(_)) { "sh" } else { "" };
            format!("{fence}{language}\n{words}\n{fence}\n")
        }
        Block::Found { claims, source } => {
            let list = lines(claims.iter().map(|claim| format!("- {}", full_claim(claim))));
            format!("**Found**\n\n{list}\n\n<sub>{}</sub>\n", spans(source))
        }
        Block::Missing(words) => format!("> **Missing.** {}\n", spans(words)),
        Block::Alert(words) => format!("> **{}**\n", spans(words)),
        Block::Facts(facts) => {
            lines(facts.iter().map(|(name, words)| format!("- {}: {}", escape(name), spans(words)))) + "\n"
        }
        Block::Table { head, rows, source } => {
            let rows = rows.iter().map(|row| row.iter().map(|words| spans(words)).collect());
            let table = table(head.iter().map(|(name, number)| (name.as_str(), *number)), rows);
            if source.is_empty() {
                return table + "\n";
            }
            format!("{table}\n\n<sub>{}</sub>\n", spans(source))
        }
        Block::Figure(drawn) => format!(
            "![{}]({figures}/{}.svg)\n\n<sub>{}</sub>\n",
            escape(&drawn.title),
            drawn.name,
            spans(&drawn.source)
        ),
        Block::More { summary, blocks: inner } => {
            let mut inside = String::new();
            blocks(&mut inside, inner, figures);
            format!("<details><summary>{}</summary>\n\n{inside}\n</details>\n", escape(summary))
        }
    }
}

/// A table: its columns, with whether they hold numbers, and rows of Markdown.
pub(crate) fn table<'a>(
    head: impl Iterator<Item = (&'a str, bool)>,
    rows: impl Iterator<Item = Vec<String>>,
) -> String {
    let cells = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let rule = |number: bool| if number { "---:" } else { "---" }.to_owned();
    let (names, rules) = head.map(|(name, number)| (cell(&escape(name)), rule(number))).unzip();
    let rows = rows.map(|row| cells(row.iter().map(|words| cell(words)).collect()));
    lines([cells(names), cells(rules)].into_iter().chain(rows))
}

fn line(finding: &Finding) -> String {
    let of = (!finding.of.is_empty()).then(|| format!("{} ", spans(&finding.of)));
    format!(
        "{}{}",
        of.unwrap_or_default(),
        full_claim(&Claim { evidence: String::new(), ..finding.claim.clone() })
    )
}

/// A claim with its evidence and limits.
fn full_claim(claim: &Claim) -> String {
    let mut out = String::new();
    if !claim.about.is_empty() {
        out.extend(["**", &escape(&claim.about), ":** "]);
    }
    out.push_str(&escape(&claim.words));
    if !claim.strength.is_empty() {
        out.extend([" **(", &escape(&claim.strength), ")**"]);
    }
    for (name, part) in [("Evidence", &claim.evidence), ("Caution", &claim.caution)] {
        if !part.is_empty() {
            out.extend([" _", name, ":_ ", &escape(part)]);
        }
    }
    out
}

fn spans(spans: &[Span]) -> String {
    spans
        .iter()
        .map(|span| match span {
            Span::Text(words) => escape(words),
            Span::Code(name) => code(name),
            Span::Place { words, id } => format!("[{}](#{id})", escape(words)),
            Span::File { name, path } => {
                format!("[{}](<{}>)", code(name), path.replace(['<', '>', '\n'], ""))
            }
        })
        .collect()
}

/// A code span, fenced by more backticks than it contains.
fn code(name: &str) -> String {
    let name = name.replace('\n', " ");
    if !name.contains('`') {
        return format!("`{name}`");
    }
    let fence = "`".repeat(longest(&name, '`') + 1);
    format!("{fence} {name} {fence}")
}

/// The longest repetition of a letter.
fn longest(text: &str, letter: char) -> usize {
    text.split(|c| c != letter).map(str::len).max().unwrap_or(0)
}

/// Escapes bars and line breaks, which end a cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Escapes text so that Markdown shows it literally.
pub(crate) fn escape(words: &str) -> String {
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
            summary: super::super::claims::summary(vec![(None, vec![Claim::statement("it rose")])]),
            blocks: vec![
                Block::Heading { level: 2, id: "p".into(), words: "One".into() },
                Block::More { summary: "more".into(), blocks: vec![table] },
                Block::Missing(vec![text("gone")]),
                Block::Found { claims: vec![Claim::statement("it fell")], source: vec![text("s")] },
                Block::Command("a `b`".into()),
            ],
        };
        let page = page(&document, "figures");
        for part in [
            "# T\n\nlead\n\n## Summary\n\n1. it rose\n\n- [One](#p)\n",
            "<a id=\"p\"></a>\n\n## One\n",
            "<details><summary>more</summary>\n\n| model | loss\\|x |\n| --- | ---: |\n| a | 0.5 |\n\n<sub>from b</sub>",
            "> **Missing.** gone\n",
            "- it fell\n",
            "```sh\na `b`\n```\n",
        ] {
            assert!(page.contains(part), "{part:?} is not in {page}");
        }
    }
}
