//! A report as data: headings, sentences, figures, tables. What it looks like is the business of `html` and `markdown`.

/// A piece of a sentence.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Span {
    /// Words.
    Text(String),
    /// A name that is typed as it stands.
    Code(String),
    /// A heading of the report.
    Place {
        /// What is shown.
        words: String,
        /// What links call the heading.
        id: String,
    },
    /// A file or folder, relative to the report.
    File {
        /// What is shown.
        name: String,
        /// Where it is.
        path: String,
    },
}

impl Span {
    /// What is shown of it.
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Text(words) | Self::Code(words) | Self::Place { words, .. } => words,
            Self::File { name, .. } => name,
        }
    }
}

/// A part of the report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Block {
    /// A heading of level 2 to 4; those of level 2 and 3 are in the table of contents.
    Heading {
        /// Its level.
        level: u8,
        /// What links call it.
        id: String,
        /// Its words.
        words: String,
    },
    /// Sentences.
    Text(Vec<Span>),
    /// Somebody else's words.
    Quote {
        /// Who says it.
        who: String,
        /// What.
        words: String,
    },
    /// What a run found: claims that its experiment computed.
    Found {
        /// The claims, whole.
        claims: Vec<Claim>,
        /// Where they are from.
        source: Vec<Span>,
    },
    /// Something that is missing, or went wrong.
    Missing(Vec<Span>),
    /// Something to be known before what follows is read.
    Alert(Vec<Span>),
    /// A command to be typed.
    Command(String),
    /// Lines that a program wrote.
    Output(String),
    /// Names and what belongs to them.
    Facts(Vec<(String, Vec<Span>)>),
    /// A table.
    Table {
        /// Names of the columns, with whether they hold numbers.
        head: Vec<(String, bool)>,
        /// Its rows.
        rows: Vec<Vec<Vec<Span>>>,
        /// Where it is from.
        source: Vec<Span>,
    },
    /// A figure.
    Figure(Box<Drawn>),
    /// Something to be opened by whoever wants it.
    More {
        /// What it holds.
        summary: String,
        /// The parts.
        blocks: Vec<Block>,
    },
}

/// A figure of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Drawn {
    /// Its file's name, without ending; also what links call it.
    pub(crate) name: String,
    /// Its title.
    pub(crate) title: String,
    /// Sentences below it.
    pub(crate) caption: String,
    /// For inside a page: without title and caption, names of its own, large fields as pictures.
    pub(crate) inline: String,
    /// For a file: with title, caption and where it comes from.
    pub(crate) file: String,
    /// Where its data is from.
    pub(crate) source: Vec<Span>,
}

/// A claim, all of it. Parts that were not given are empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Claim {
    /// The subject.
    pub(crate) about: String,
    /// The conclusion.
    pub(crate) words: String,
    /// The numbers behind it.
    pub(crate) evidence: String,
    /// What it does not say.
    pub(crate) caution: String,
    /// How reliable it is.
    pub(crate) strength: String,
}

impl Claim {
    /// A statement of which no more is known.
    pub(crate) fn said(words: impl Into<String>) -> Self {
        Self { words: words.into(), ..Self::default() }
    }
}

/// A line of a summary.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// Where the report says more, where that is not plain.
    pub(crate) of: Option<Span>,
    /// What was found; the evidence is not part of the line.
    pub(crate) claim: Claim,
}

/// What a report begins with: at most ten lines, the most reliable first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Summary {
    /// The lines.
    pub(crate) lines: Vec<Finding>,
    /// How many findings had no room.
    pub(crate) more: usize,
}

impl Summary {
    /// That there is more; nothing where there is not.
    pub(crate) fn rest(&self) -> Vec<Span> {
        match self.more {
            0 => Vec::new(),
            1 => vec![text("1 more finding is below.")],
            n => vec![text(format!("{n} more findings are below."))],
        }
    }
}

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// Its title.
    pub(crate) title: String,
    /// Sentences below it.
    pub(crate) lead: Vec<Span>,
    /// What was found, in a few lines.
    pub(crate) summary: Summary,
    /// Everything else.
    pub(crate) blocks: Vec<Block>,
}

impl Document {
    /// Level, id and words of the headings that the table of contents shows.
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

    /// All figures, those to be opened too.
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

/// Words alone.
pub(crate) fn text(words: impl Into<String>) -> Span {
    Span::Text(words.into())
}

/// A name alone.
pub(crate) fn code(name: impl Into<String>) -> Span {
    Span::Code(name.into())
}

/// Words with names between backticks.
pub(crate) fn marked(words: &str) -> Vec<Span> {
    let piece = |(i, piece): (usize, &str)| if i % 2 == 1 { code(piece) } else { text(piece) };
    words.split('`').enumerate().map(piece).collect()
}

/// A table; of each column whether it holds numbers.
pub(crate) fn table(head: &[(&str, bool)], rows: Vec<Vec<Vec<Span>>>, source: Vec<Span>) -> Block {
    Block::Table {
        head: head.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect(),
        rows,
        source,
    }
}

/// A heading.
pub(crate) fn heading(level: u8, id: impl Into<String>, words: impl Into<String>) -> Block {
    Block::Heading { level, id: id.into(), words: words.into() }
}

/// A name that may be part of a path and of a link.
pub(crate) fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '-' }).collect()
}
