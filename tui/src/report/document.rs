//! A report as data: headings, text, figures, tables. `html` and `markdown` render it.

use gradtop_chart::{Figure, svg};

/// A piece of text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Span {
    Text(String),
    /// Code, shown as it is.
    Code(String),
    /// A link to a heading of the report.
    Place {
        words: String,
        id: String,
    },
    /// A link to a file or folder.
    File {
        name: String,
        /// The path relative to the report.
        path: String,
    },
}

impl Span {
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Text(words) | Self::Code(words) | Self::Place { words, .. } => words,
            Self::File { name, .. } => name,
        }
    }
}

/// A block of the report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Block {
    /// A heading of level 2 to 4; levels 2 and 3 are in the table of contents.
    Heading {
        level: u8,
        id: String,
        words: String,
    },
    Text(Vec<Span>),
    Quote {
        /// The author.
        who: String,
        words: String,
    },
    /// Claims that an experiment computed.
    Found {
        claims: Vec<Claim>,
        /// Where they come from.
        source: Vec<Span>,
    },
    /// Something is missing or went wrong.
    Missing(Vec<Span>),
    /// A warning about what follows.
    Alert(Vec<Span>),
    Command(String),
    /// Output of a program.
    Output(String),
    /// Names and values.
    Facts(Vec<(String, Vec<Span>)>),
    Table {
        /// The column names, and whether each column holds numbers.
        head: Vec<(String, bool)>,
        rows: Vec<Vec<Vec<Span>>>,
        /// Where it comes from.
        source: Vec<Span>,
    },
    Figure(Box<Drawn>),
    /// A collapsed section.
    More {
        summary: String,
        blocks: Vec<Block>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drawn {
    /// The file name without extension, also used as id.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) caption: String,
    /// SVG for a page: without title and caption, with unique ids, large fields as bitmaps.
    pub(crate) inline: String,
    /// SVG for a file: with title, caption and source.
    pub(crate) file: String,
    /// Where its data comes from.
    pub(crate) source: Vec<Span>,
}

/// A claim. Parts that were not given are empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Claim {
    pub(crate) about: String,
    pub(crate) words: String,
    pub(crate) evidence: String,
    /// Its limits.
    pub(crate) caution: String,
    /// How reliable it is.
    pub(crate) strength: String,
}

impl Claim {
    /// Creates a claim with nothing but a statement.
    pub(crate) fn statement(words: impl Into<String>) -> Self {
        Self { words: words.into(), ..Self::default() }
    }
}

/// A line of the summary.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// Whose it is, with links to where the report says more; empty if that is obvious.
    pub(crate) of: Vec<Span>,
    /// The claim; its evidence is not shown in the line.
    pub(crate) claim: Claim,
}

/// The summary at the start of a report: at most ten lines, the most reliable first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Summary {
    pub(crate) lines: Vec<Finding>,
    /// The number of findings left out.
    pub(crate) more: usize,
}

impl Summary {
    /// Mentions the findings left out, if any. Not each has a place of its own below.
    pub(crate) fn rest(&self) -> Vec<Span> {
        match self.more {
            0 => Vec::new(),
            1 => vec![text("1 more finding is left out here.")],
            n => vec![text(format!("{n} more findings are left out here."))],
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    pub(crate) title: String,
    /// The paragraph below the title.
    pub(crate) lead: Vec<Span>,
    pub(crate) summary: Summary,
    pub(crate) blocks: Vec<Block>,
}

impl Document {
    /// Level, id and text of the headings in the table of contents.
    pub(crate) fn contents(&self) -> Vec<(u8, &str, &str)> {
        self.blocks
            .iter()
            .filter_map(|block| match block {
                Block::Heading { level, id, words } if *level <= 3 => {
                    Some((*level, id.as_str(), words.as_str()))
                }
                _ => None,
            })
            .collect()
    }

    /// All figures, including those in collapsed sections.
    pub(crate) fn figures(&self) -> Vec<&Drawn> {
        fn within(blocks: &[Block]) -> Vec<&Drawn> {
            blocks
                .iter()
                .flat_map(|block| match block {
                    Block::Figure(drawn) => vec![drawn.as_ref()],
                    Block::More { blocks, .. } => within(blocks),
                    _ => Vec::new(),
                })
                .collect()
        }
        within(&self.blocks)
    }
}

/// Creates a figure block: `drawn` is shown on the page, `signed` is for its file.
pub(super) fn figure(drawn: Figure, signed: &Figure, name: String, source: Vec<Span>) -> Block {
    let mut bare = Figure { title: String::new(), caption: None, ..drawn.clone() };
    // With a single panel, its title would repeat that of the figure.
    if let [only] = bare.charts.as_mut_slice() {
        only.title.take_if(|title| *title == drawn.title);
    }
    Block::Figure(Box::new(Drawn {
        inline: svg::embedded(&bare, &name),
        file: svg::figure(signed),
        source,
        title: drawn.title,
        caption: drawn.caption.unwrap_or_default(),
        name,
    }))
}

pub(crate) fn text(words: impl Into<String>) -> Span {
    Span::Text(words.into())
}

pub(crate) fn code(name: impl Into<String>) -> Span {
    Span::Code(name.into())
}

/// Parses text with code between backticks.
pub(crate) fn marked(words: &str) -> Vec<Span> {
    let piece = |(i, piece): (usize, &str)| if i % 2 == 1 { code(piece) } else { text(piece) };
    words.split('`').enumerate().map(piece).collect()
}

/// Creates a table; each column says whether it holds numbers.
pub(crate) fn table(head: &[(&str, bool)], rows: Vec<Vec<Vec<Span>>>, source: Vec<Span>) -> Block {
    Block::Table {
        head: head.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect(),
        rows,
        source,
    }
}

/// A table without its empty columns.
pub(super) fn dense_table(head: &[(&str, bool)], rows: &[Vec<Vec<Span>>]) -> Block {
    let empty = |span: &Span| matches!(span, Span::Text(words) if words.is_empty());
    let used = |at: usize| rows.iter().any(|row| row.get(at).is_some_and(|c| !c.iter().all(empty)));
    let kept: Vec<usize> = (0..head.len()).filter(|at| used(*at)).collect();
    Block::Table {
        head: kept.iter().map(|at| (head[*at].0.to_owned(), head[*at].1)).collect(),
        rows: rows.iter().map(|row| kept.iter().map(|at| row[*at].clone()).collect()).collect(),
        source: Vec::new(),
    }
}

pub(crate) fn heading(level: u8, id: impl Into<String>, words: impl Into<String>) -> Block {
    Block::Heading { level, id: id.into(), words: words.into() }
}

/// Makes a name safe for paths and links.
pub(crate) fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect()
}
