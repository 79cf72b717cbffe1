//! Reads the data of panes other than charts, in a worker thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gradtop_store::{EventLine, Table};

use super::console::chunk::{self, Chunk, Wanted};
use crate::widgets::Way;
use gradtop_view::runs::RunId;
use gradtop_view::table::conclusion_first;

/// The most events loaded, the newest ones.
const EVENTS: usize = 5_000;
/// How long to wait for the console to grow, and how often to check.
const PATIENCE: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(40);
/// Pieces of a log that a search reads before it answers.
const PIECES: usize = 64;

/// A request for data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PaneRequest {
    pub(crate) run: RunId,
    pub(crate) what: What,
}

/// What to read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// A piece of the console.
    Console(Wanted),
    /// Whether the console is longer than this; answered when it is, or after [`PATIENCE`].
    More(u64),
    /// The next match of a search in the console.
    Find(Search),
    /// The events.
    Events,
    /// The names of all tables, and a page of one.
    Table(Page),
}

/// A page of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The table; if there is none of this name, the first one.
    pub(crate) table: String,
    /// The first row.
    pub(crate) from: usize,
    /// The number of rows.
    pub(crate) count: usize,
}

/// A search in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Search {
    pub(crate) needle: String,
    /// The offset where it starts.
    pub(crate) from: u64,
    /// Towards the start of the log, or its end.
    pub(crate) way: Way,
}

/// The answer to a request.
#[derive(Clone, Debug)]
pub(crate) struct PaneSnapshot {
    pub(crate) run: RunId,
    /// The data, or why it could not be read.
    pub(crate) content: Result<Content, String>,
    /// The request.
    pub(crate) what: What,
}

/// The data that was read.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// A piece of the console.
    Console(Chunk),
    /// The length of the console.
    Length(u64),
    /// The progress of a search.
    Found(Hit),
    /// The last events, oldest first, and the number of earlier ones.
    Events(Arc<[EventLine]>, usize),
    /// The names of all tables, and a page of one.
    Table(Rows),
}

/// The progress of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    /// Found in the line at this offset.
    At(u64),
    /// Not found yet; continue from here.
    NotYet(u64),
    Nowhere,
}

/// A page of a table.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rows {
    /// The names of all tables of the run.
    pub(crate) tables: Vec<String>,
    /// The name of the shown table.
    pub(crate) name: String,
    /// The first row.
    pub(crate) from: usize,
    /// The total number of rows.
    pub(crate) total: usize,
    pub(crate) table: Table,
}

/// Reads the requested data. Blocks; runs on a worker thread.
pub(crate) fn read(request: &PaneRequest) -> PaneSnapshot {
    let run = request.run.dir();
    let piece = |wanted| {
        gradtop_host::console_span(&run, |total| chunk::span(wanted, total))
            .map(|(from, bytes, total)| chunk::cut(wanted, from, &bytes, total))
            .map_err(|e| format!("the console cannot be read: {e}"))
    };
    let content = match &request.what {
        What::Console(wanted) => piece(*wanted).map(Content::Console),
        What::More(than) => more(&run, *than).map(Content::Length),
        What::Find(search) => find(search, piece).map(Content::Found),
        What::Events => gradtop_store::read_events(&run).map_err(|e| e.to_string()).map(|mut events| {
            let before = events.len().saturating_sub(EVENTS);
            events.drain(..before);
            Content::Events(events.into(), before)
        }),
        What::Table(page) => table(&run, page).map_err(|e| e.to_string()).map(Content::Table),
    };
    PaneSnapshot { run: request.run.clone(), content, what: request.what.clone() }
}

/// Waits for the console to change its length.
fn more(run: &gradtop_store::RunDir, than: u64) -> Result<u64, String> {
    let end = Instant::now() + PATIENCE;
    loop {
        let (_, _, total) = gradtop_host::console_span(run, |total| (total, 0))
            .map_err(|e| format!("the console cannot be read: {e}"))?;
        if total != than || Instant::now() >= end {
            return Ok(total);
        }
        std::thread::sleep(LOOK);
    }
}

/// Searches a bounded part of the log.
fn find(search: &Search, piece: impl Fn(Wanted) -> Result<Chunk, String>) -> Result<Hit, String> {
    let mut from = search.from;
    for _ in 0..PIECES {
        let chunk = if search.way == Way::Back {
            piece(Wanted::Before(from))?
        } else {
            piece(Wanted::From(from, super::console::sgr::Look::default()))?
        };
        if let Some(at) = chunk::find(&chunk, &search.needle, search.way) {
            return Ok(Hit::At(at));
        }
        let next = if search.way == Way::Back { chunk.lines.first().map_or(0, |l| l.at) } else { chunk.end };
        if next == from || next == 0 || (search.way == Way::On && next >= chunk.total) {
            return Ok(Hit::Nowhere);
        }
        from = next;
    }
    Ok(Hit::NotYet(from))
}

fn table(run: &gradtop_store::RunDir, page: &Page) -> gradtop_store::Result<Rows> {
    let tables = conclusion_first(gradtop_store::table_names(run));
    let name = tables.iter().find(|t| **t == page.table).or(tables.first()).cloned();
    let Some(name) = name else { return Ok(Rows { tables, ..Rows::default() }) };
    let (table, total) = gradtop_store::read_table_rows(run, &name, page.from, page.count)?;
    Ok(Rows { tables, name, from: page.from, total, table })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use gradtop_store::RunDir;

    use super::*;

    fn ask(run: &RunDir, what: What) -> Result<Content, String> {
        read(&PaneRequest { run: RunId::new(run), what }).content
    }

    #[test]
    fn a_console_is_read_and_searched_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path());
        let line = |i: i32| format!("step {i}: \x1b[32mloss\x1b[0m {}\n", i % 7);
        let log = (0..200_000).map(line).collect::<Vec<_>>().concat();
        std::fs::write(run.console(), &log).unwrap();
        let Ok(Content::Console(chunk)) = ask(&run, What::Console(Wanted::Tail)) else { panic!() };
        assert_eq!(chunk.total, log.len() as u64);
        assert_eq!(chunk.lines.last().unwrap().text, "step 199999: loss 2");
        let seek = |needle: &str, from: u64, way: Way| match ask(
            &run,
            What::Find(Search { needle: needle.to_owned(), from, way }),
        ) {
            Ok(Content::Found(hit)) => hit,
            other => panic!("{other:?}"),
        };
        let at = log.find("step 77:").unwrap() as u64;
        assert_eq!(
            seek("step 77: loss", log.len() as u64, Way::Back),
            Hit::At(at),
            "colours do not hide text"
        );
        assert_eq!(seek("step 77:", 0, Way::On), Hit::At(at));
        assert_eq!(seek("step 77:", at + 1, Way::On), Hit::Nowhere);
        assert_eq!(seek("gone", log.len() as u64, Way::Back), Hit::Nowhere);
    }

    #[test]
    fn a_console_that_grows_is_told_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path());
        std::fs::write(run.console(), "one\n").unwrap();
        assert!(matches!(ask(&run, What::More(0)), Ok(Content::Length(4))));
        let mut file = std::fs::OpenOptions::new().append(true).open(run.console()).unwrap();
        // Asks again after each answer without news, as the screen does.
        let asked = run.clone();
        let waiting = std::thread::spawn(move || {
            loop {
                match ask(&asked, What::More(4)) {
                    Ok(Content::Length(4)) => {}
                    answer => return answer,
                }
            }
        });
        std::io::Write::write_all(&mut file, b"two\n").unwrap();
        assert!(matches!(waiting.join().unwrap(), Ok(Content::Length(5..=8))));
        let start = Instant::now();
        assert!(matches!(ask(&run, What::More(8)), Ok(Content::Length(8))), "in the end it answers");
        assert!(start.elapsed() >= PATIENCE);
    }

    #[test]
    fn a_search_through_much_answers_in_between() {
        let piece = |wanted| {
            let (from, len) = chunk::span(wanted, 1 << 30);
            Ok(chunk::cut(wanted, from, &b"filler\n".repeat(len / 7 + 1)[..len], 1 << 30))
        };
        let search = Search { needle: "x".to_owned(), from: 1 << 30, way: Way::Back };
        let Ok(Hit::NotYet(next)) = find(&search, piece) else { panic!() };
        assert!(next < 1 << 30);
    }

    #[test]
    fn a_run_without_anything_has_empty_panes() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunDir::new(dir.path());
        let Ok(Content::Console(chunk)) = ask(&run, What::Console(Wanted::Tail)) else { panic!() };
        assert!(chunk.lines.is_empty());
        let Ok(Content::Events(events, 0)) = ask(&run, What::Events) else { panic!() };
        assert!(events.is_empty());
        let page = Page { table: String::new(), from: 0, count: 10 };
        let Ok(Content::Table(rows)) = ask(&run, What::Table(page)) else { panic!() };
        assert!(rows.tables.is_empty());
    }
}
