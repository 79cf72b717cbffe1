//! Renders a report as a single self-contained HTML file with figures, light and dark colours, and a print layout.

use super::document::{Block, Claim, Document, Drawn, Span, Summary};
use gradtop_chart::colour::{COLOURS, Paint};
use gradtop_chart::svg::{escape, hex};

const STYLE: &str = include_str!("style.css");

pub(crate) fn page(document: &Document) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"/>\n\
         <meta name=\"generator\" content=\"gradtop {}\">\n<title>{title}</title>\n<style>\n{STYLE}{}</style>\n</head>\n<body>\n\
         <header>\n<h1>{title}</h1>\n<p>{}</p>\n</header>\n{}\
         <nav aria-label=\"Contents\">\n<h2>Contents</h2>\n<ul>\n{}</ul>\n</nav>\n<main>\n{}</main>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        dark(),
        spans(&document.lead),
        summary(&document.summary),
        each(document.contents(), |(level, id, words)| {
            format!("<li class=\"l{level}\"><a href=\"#{}\">{}</a></li>\n", escape(id), escape(words))
        }),
        blocks(&document.blocks),
        title = escape(&document.title),
    )
}

fn each<T>(items: impl IntoIterator<Item = T>, html: impl FnMut(T) -> String) -> String {
    items.into_iter().map(html).collect()
}

/// Shorter cells are not wrapped.
const SHORT: usize = 40;

/// The figures' colours on a dark background. The drawings have those for white paper as attributes, which CSS rules override.
fn dark() -> String {
    let swap = |from: [u8; 3], to: [u8; 3]| {
        let (from, to) = (hex(from), hex(to));
        format!(
            "figure svg [fill=\"{from}\"] {{ fill: {to} }}\nfigure svg [stroke=\"{from}\"] {{ stroke: {to} }}\n"
        )
    };
    let series: String = (0..COLOURS as u8)
        .map(Paint::Slot)
        .chain([Paint::Grey])
        .map(|paint| swap(paint.on_paper(), paint.on_screen()))
        .collect();
    format!("@media screen and (prefers-color-scheme: dark) {{\n{series}}}\n")
}

fn blocks(blocks: &[Block]) -> String {
    each(blocks, |block| one(block) + "\n")
}

fn one(block: &Block) -> String {
    match block {
        Block::Heading { level, id, words } => {
            format!("<h{level} id=\"{}\">{}</h{level}>", escape(id), escape(words))
        }
        Block::Text(words) => format!("<p>{}</p>", spans(words)),
        Block::Quote { who, words } => format!(
            "<blockquote><p><span class=\"who\">{}:</span> {}</p></blockquote>",
            escape(who),
            words.lines().map(escape).collect::<Vec<_>>().join("<br/>")
        ),
        Block::Found { claims, source } => format!(
            "<section class=\"found\"><h4>Found</h4>\n<ul>\n{}</ul>\n{}</section>",
            each(claims, full_claim),
            source_of(source)
        ),
        Block::Command(words) | Block::Output(words) => {
            let lines: Vec<String> = words.lines().map(escape).collect();
            format!("<pre><code>{}</code></pre>", lines.join("\n"))
        }
        Block::Missing(words) => {
            format!("<p class=\"missing\"><strong>Missing.</strong> {}</p>", spans(words))
        }
        Block::Alert(words) => format!("<p class=\"missing\">{}</p>", spans(words)),
        Block::Facts(facts) => {
            let fact = |(name, words): &(String, Vec<Span>)| {
                format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), spans(words))
            };
            format!("<dl>\n{}</dl>", each(facts, fact))
        }
        Block::Table { head, rows, source } => table(head, rows, source),
        Block::Figure(drawn) => figure(drawn),
        Block::More { summary, blocks: inner } => {
            format!("<details><summary>{}</summary>\n{}</details>", escape(summary), blocks(inner))
        }
    }
}

fn table(head: &[(String, bool)], rows: &[Vec<Vec<Span>>], source: &[Span]) -> String {
    let name = |(name, number): &(String, bool)| {
        let class = if *number { " class=\"n\"" } else { "" };
        format!("<th{class}>{}</th>", escape(name))
    };
    let cell = |(cell, (_, number)): (&Vec<Span>, &(String, bool))| {
        // Wide tables scroll; only long texts are wrapped.
        let class = match cell.iter().map(|span| span.words().chars().count()).sum::<usize>() {
            _ if *number => "n",
            0..=SHORT => "short",
            _ => "long",
        };
        format!("<td class=\"{class}\">{}</td>", spans(cell))
    };
    format!(
        "<div class=\"wide\"><table>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}</tbody></table></div>\n{}",
        each(head, name),
        each(rows, |row| format!("<tr>{}</tr>\n", each(row.iter().zip(head), cell))),
        source_of(source)
    )
}

fn figure(drawn: &Drawn) -> String {
    format!(
        "<figure id=\"{}\">\n{}<figcaption><strong>{}{}</strong> {}\n{}</figcaption>\n</figure>",
        escape(&drawn.name),
        drawn.inline,
        escape(&drawn.title),
        if drawn.title.ends_with(['.', '?', '!']) { "" } else { "." },
        escape(&drawn.caption),
        source_of(&drawn.source)
    )
}

/// Renders the summary, a line per finding.
fn summary(summary: &Summary) -> String {
    if summary.lines.is_empty() {
        return String::new();
    }
    let lines = each(&summary.lines, |finding| {
        let of = (!finding.of.is_empty()).then(|| format!("{} ", spans(&finding.of)));
        format!(
            "<li>{}{}{}{}</li>\n",
            strength(&finding.claim.strength),
            of.unwrap_or_default(),
            statement(&finding.claim),
            part("caution", "Caution", &finding.claim.caution, "span"),
        )
    });
    format!(
        "<section class=\"summary\" aria-label=\"Summary\">\n<h2>Summary</h2>\n<ol>\n{lines}</ol>\n{}</section>\n",
        source_of(&summary.rest())
    )
}

/// Renders a claim with its evidence and limits.
fn full_claim(claim: &Claim) -> String {
    format!(
        "<li>{}{}{}{}</li>\n",
        strength(&claim.strength),
        statement(claim),
        part("evidence", "Evidence", &claim.evidence, "p"),
        part("caution", "Caution", &claim.caution, "p"),
    )
}

fn strength(words: &str) -> String {
    let rank = super::claims::rank(words);
    unless_empty(words, |words| format!("<span class=\"strength r{rank}\">{words}</span> "))
}

/// The subject and statement of a claim.
fn statement(claim: &Claim) -> String {
    unless_empty(&claim.about, |about| format!("<b>{about}:</b> ")) + &escape(&claim.words)
}

fn part(class: &str, name: &str, words: &str, element: &str) -> String {
    unless_empty(words, |words| format!(" <{element} class=\"{class}\"><i>{name}:</i> {words}</{element}>"))
}

fn source_of(source: &[Span]) -> String {
    if source.is_empty() { String::new() } else { format!("<p class=\"source\">{}</p>\n", spans(source)) }
}

fn unless_empty(words: &str, html: impl FnOnce(String) -> String) -> String {
    if words.is_empty() { String::new() } else { html(escape(words)) }
}

fn spans(spans: &[Span]) -> String {
    each(spans, |span| match span {
        Span::Text(words) => escape(words),
        Span::Code(name) => format!("<code>{}</code>", escape(name)),
        Span::Place { words, id } => format!("<a href=\"#{}\">{}</a>", escape(id), escape(words)),
        Span::File { name, path } => {
            format!("<a href=\"{}\"><code>{}</code></a>", escape(path), escape(name))
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::document::{code, text};
    use super::*;

    fn claim() -> Claim {
        Claim {
            about: "sinc".into(),
            words: "it fell".into(),
            evidence: "p < 0.01".into(),
            caution: "one <rate>".into(),
            strength: "shown".into(),
        }
    }

    fn document() -> Document {
        let drawn = Drawn {
            name: "a-loss".into(),
            title: "Loss".into(),
            caption: "of <all>".into(),
            inline: "<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>\n".into(),
            file: String::new(),
            source: vec![text("metric "), code("loss")],
        };
        Document {
            title: "A & B".into(),
            lead: vec![text("lead")],
            summary: super::super::claims::summary(vec![(None, vec![Claim::statement("it <fell>")])]),
            blocks: vec![
                Block::Heading { level: 2, id: "p".into(), words: "<One>".into() },
                Block::Quote { who: "The report".into(), words: "x < y".into() },
                Block::Figure(Box::new(drawn)),
                Block::Facts(vec![("seed".into(), vec![code("1")])]),
                Block::Missing(vec![text("gone")]),
                Block::Found { claims: vec![claim()], source: Vec::new() },
                Block::Command("a 'b'\n  & c".into()),
                Block::More {
                    summary: "more".into(),
                    blocks: vec![Block::Table {
                        head: vec![("loss".into(), true)],
                        rows: vec![vec![vec![text("0.5")]]],
                        source: vec![Span::File { name: "t".into(), path: "../\"t".into() }],
                    }],
                },
            ],
        }
    }

    #[test]
    fn the_page_is_well_formed_whatever_the_words() {
        let page = page(&document());
        // All elements except these are closed, so the rest must parse as XML.
        let closed = page
            .replace("<!DOCTYPE html>\n", "")
            .replace("<meta charset=\"utf-8\">", "")
            .replace("initial-scale=1\">", "initial-scale=1\"/>")
            .replace(&format!("gradtop {}\">", env!("CARGO_PKG_VERSION")), "\"/>");
        resvg::usvg::roxmltree::Document::parse(&closed).unwrap_or_else(|e| panic!("{e}: {closed}"));
        assert!(page.contains("<h2 id=\"p\">&lt;One&gt;</h2>"));
        assert!(page.contains("<a href=\"#p\">&lt;One&gt;</a>"));
        assert!(page.contains("<strong>Loss.</strong> of &lt;all&gt;"));
        assert!(page.contains("<li>it &lt;fell&gt;</li>"), "{page}");
        assert!(page.contains(
            "<li><span class=\"strength r1\">shown</span> <b>sinc:</b> it fell \
             <p class=\"evidence\"><i>Evidence:</i> p &lt; 0.01</p> \
             <p class=\"caution\"><i>Caution:</i> one &lt;rate&gt;</p></li>"
        ));
    }

    #[test]
    fn a_title_that_asks_gets_no_full_stop() {
        let asking = |title: &str| {
            let mut document = document();
            let Block::Figure(drawn) = &mut document.blocks[2] else { panic!("no figure") };
            drawn.title = title.into();
            page(&document)
        };
        assert!(asking("Why?").contains("<strong>Why?</strong>"));
        assert!(asking("So.").contains("<strong>So.</strong>"));
    }

    #[test]
    fn it_asks_for_nothing_from_elsewhere() {
        let page = page(&document());
        for word in ["http://", "https://", "src=", "@import", "url("] {
            let asked = page.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
            assert!(!asked.contains(word), "{word}");
        }
    }

    #[test]
    fn every_colour_of_a_series_has_its_dark_twin() {
        let style = dark();
        for slot in 0..COLOURS as u8 {
            let paint = Paint::Slot(slot);
            let rule = format!("[fill=\"{}\"] {{ fill: {} }}", hex(paint.on_paper()), hex(paint.on_screen()));
            assert!(style.contains(&rule), "{rule}");
        }
    }
}
