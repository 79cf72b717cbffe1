//! Renders a report as a single self-contained HTML file with figures, light and dark colours, and a print layout.

use super::document::{Block, Claim, Document, Drawn, Span, Summary};
use gradtop_chart::colour::{COLOURS, Paint};
use gradtop_chart::svg::{escape, hex};

const STYLE: &str = include_str!("style.css");

/// Renders the page.
pub(crate) fn page(document: &Document) -> String {
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"/>\n\
         <meta name=\"generator\" content=\"gradtop {}\">\n<title>{}</title>\n<style>\n{STYLE}{}</style>\n</head>\n<body>\n",
        env!("CARGO_PKG_VERSION"),
        escape(&document.title),
        dark()
    );
    out.push_str(&format!(
        "<header>\n<h1>{}</h1>\n<p>{}</p>\n</header>\n",
        escape(&document.title),
        spans(&document.lead)
    ));
    summary(&mut out, &document.summary);
    out.push_str("<nav aria-label=\"Contents\">\n<h2>Contents</h2>\n<ul>\n");
    for (level, id, words) in document.contents() {
        out.push_str(&format!(
            "<li class=\"l{level}\"><a href=\"#{}\">{}</a></li>\n",
            escape(id),
            escape(words)
        ));
    }
    out.push_str("</ul>\n</nav>\n<main>\n");
    blocks(&mut out, &document.blocks);
    out.push_str("</main>\n</body>\n</html>\n");
    out
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

fn blocks(out: &mut String, blocks: &[Block]) {
    for block in blocks {
        one(out, block);
        out.push_str("\n");
    }
}

fn one(out: &mut String, block: &Block) {
    match block {
        Block::Heading { level, id, words } => {
            out.push_str(&format!("<h{level} id=\"{}\">{}</h{level}>", escape(id), escape(words)));
        }
        Block::Text(words) => out.push_str(&format!("<p>{}</p>", spans(words))),
        Block::Quote { who, words } => out.push_str(&format!(
            "<blockquote><p><span class=\"who\">{}:</span> {}</p></blockquote>",
            escape(who),
            words.lines().map(escape).collect::<Vec<_>>().join("<br/>")
        )),
        Block::Found { claims, source } => {
            out.push_str("<section class=\"found\"><h4>Found</h4>\n<ul>\n");
            for claim in claims {
                full_claim(out, claim);
            }
            out.push_str(&format!("</ul>\n{}</section>", source_of(source)));
        }
        Block::Command(words) | Block::Output(words) => {
            let lines: Vec<String> = words.lines().map(escape).collect();
            out.push_str(&format!("<pre><code>{}</code></pre>", lines.join("\n")));
        }
        Block::Missing(words) => {
            out.push_str(&format!("<p class=\"missing\"><strong>Missing.</strong> {}</p>", spans(words)));
        }
        Block::Alert(words) => out.push_str(&format!("<p class=\"missing\">{}</p>", spans(words))),
        Block::Facts(facts) => {
            out.push_str("<dl>\n");
            for (name, words) in facts {
                out.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), spans(words)));
            }
            out.push_str("</dl>");
        }
        Block::Table { head, rows, source } => table(out, head, rows, source),
        Block::Figure(drawn) => figure(out, drawn),
        Block::More { summary, blocks: inner } => {
            out.push_str(&format!("<details><summary>{}</summary>\n", escape(summary)));
            blocks(out, inner);
            out.push_str("</details>");
        }
    }
}

fn table(out: &mut String, head: &[(String, bool)], rows: &[Vec<Vec<Span>>], source: &[Span]) {
    out.push_str("<div class=\"wide\"><table>\n<thead><tr>");
    for (name, number) in head {
        let class = if *number { " class=\"n\"" } else { "" };
        out.push_str(&format!("<th{class}>{}</th>", escape(name)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (cell, (_, number)) in row.iter().zip(head) {
            // Wide tables scroll; only long texts are wrapped.
            let class = match cell.iter().map(|span| span.words().chars().count()).sum::<usize>() {
                _ if *number => "n",
                0..=SHORT => "short",
                _ => "long",
            };
            out.push_str(&format!("<td class=\"{class}\">{}</td>", spans(cell)));
        }
        out.push_str("</tr>\n");
    }
    out.push_str(&format!("</tbody></table></div>\n{}", source_of(source)));
}

fn figure(out: &mut String, drawn: &Drawn) {
    out.push_str(&format!(
        "<figure id=\"{}\">\n{}<figcaption><strong>{}{}</strong> {}\n{}</figcaption>\n</figure>",
        escape(&drawn.name),
        drawn.inline,
        escape(&drawn.title),
        if drawn.title.ends_with(['.', '?', '!']) { "" } else { "." },
        escape(&drawn.caption),
        source_of(&drawn.source)
    ));
}

/// Renders the summary, a line per finding.
fn summary(out: &mut String, summary: &Summary) {
    if summary.lines.is_empty() {
        return;
    }
    out.push_str("<section class=\"summary\" aria-label=\"Summary\">\n<h2>Summary</h2>\n<ol>\n");
    for finding in &summary.lines {
        let of = finding.of.as_ref().map(|of| format!("{} ", spans(std::slice::from_ref(of))));
        out.push_str(&format!(
            "<li>{}{}{}{}</li>\n",
            strength(&finding.claim.strength),
            of.unwrap_or_default(),
            statement(&finding.claim),
            part("caution", "Caution", &finding.claim.caution, "span"),
        ));
    }
    out.push_str(&format!("</ol>\n{}</section>\n", source_of(&summary.rest())));
}

/// Renders a claim with its evidence and limits.
fn full_claim(out: &mut String, claim: &Claim) {
    out.push_str(&format!(
        "<li>{}{}{}{}</li>\n",
        strength(&claim.strength),
        statement(claim),
        part("evidence", "Evidence", &claim.evidence, "p"),
        part("caution", "Caution", &claim.caution, "p"),
    ));
}

fn strength(words: &str) -> String {
    if words.is_empty() {
        return String::new();
    }
    format!("<span class=\"strength r{}\">{}</span> ", super::claims::rank(words), escape(words))
}

/// The subject and statement of a claim.
fn statement(claim: &Claim) -> String {
    let about = Some(&claim.about).filter(|about| !about.is_empty());
    let about = about.map(|about| format!("<b>{}:</b> ", escape(about)));
    format!("{}{}", about.unwrap_or_default(), escape(&claim.words))
}

fn part(class: &str, name: &str, words: &str, element: &str) -> String {
    if words.is_empty() {
        return String::new();
    }
    format!(" <{element} class=\"{class}\"><i>{name}:</i> {}</{element}>", escape(words))
}

fn source_of(source: &[Span]) -> String {
    if source.is_empty() { String::new() } else { format!("<p class=\"source\">{}</p>\n", spans(source)) }
}

fn spans(spans: &[Span]) -> String {
    spans
        .iter()
        .map(|span| match span {
            Span::Text(words) => escape(words),
            Span::Code(name) => format!("<code>{}</code>", escape(name)),
            Span::Place { words, id } => format!("<a href=\"#{}\">{}</a>", escape(id), escape(words)),
            Span::File { name, path } => {
                format!("<a href=\"{}\"><code>{}</code></a>", escape(path), escape(name))
            }
        })
        .collect()
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
