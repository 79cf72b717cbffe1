//! Claims that experiments write to their table `conclusion`, and the summary that a report begins with.

use gradtop_store::{ColumnData, Table};

use super::document::{Claim, Finding, Span, Summary, text};
use crate::print::clean;

/// Strengths of claims, the most reliable first, as in docs/claims.md. Facts that gradtop itself reads from a run are
/// "recorded".
const STRENGTHS: [&str; 5] = [RECORDED, "shown", SEEN, "not decided", "not testable"];
/// The strength of facts in a run's files, such as a crash.
pub(crate) const RECORDED: &str = "recorded";
/// The strength of numbers from a single run.
pub(crate) const SEEN: &str = "seen in this run";
/// The strength of what several runs show.
pub(crate) const SEEN_IN_SEVERAL: &str = "seen in these runs";
/// The limits of numbers that no experiment drew a conclusion from.
pub(crate) const NUMBERS_ALONE: &str = "numbers alone; they say nothing of other runs";
/// The most runs named that share a finding.
const NAMED: usize = 3;
/// The most lines of a summary.
const LINES: usize = 10;

impl Claim {
    /// Creates a claim about a fact in a run's files.
    pub(crate) fn recorded(words: impl Into<String>) -> Self {
        Self { strength: RECORDED.to_owned(), ..Self::statement(words) }
    }
}

/// The rank of a strength, lower being more reliable. Unknown words of other authors rank in the middle.
pub(crate) fn rank(strength: &str) -> usize {
    STRENGTHS.iter().position(|known| *known == strength).unwrap_or(2)
}

/// Returns the distinct claims of a table. Tables without the columns of a claim contain plain statements, which are completed
/// by words of the columns before them.
pub(crate) fn of_table(table: &Table) -> Vec<Claim> {
    let words = |name: &str| match table.column(name) {
        Some(ColumnData::Utf8(words)) => Some(words),
        _ => None,
    };
    let mut claims: Vec<Claim> = Vec::new();
    for row in 0..table.rows() {
        let of = |name: &str| words(name).map(|column| clean(column[row].trim())).unwrap_or_default();
        let claim = match words("claim") {
            Some(_) => Claim {
                about: missing_words(table, row, "claim", &[of("claim"), of("evidence")].concat()),
                words: of("claim"),
                evidence: of("evidence"),
                caution: of("caution"),
                strength: of("strength"),
            },
            None => Claim {
                about: missing_words(table, row, "statement", &of("statement")),
                ..Claim::statement(of("statement"))
            },
        };
        if !claim.words.is_empty() && !claims.contains(&claim) {
            claims.push(claim);
        }
    }
    claims
}

/// Returns the words of the columns before `until` that the statement does not contain.
fn missing_words(table: &Table, row: usize, until: &str, said: &str) -> String {
    let before = table.columns.iter().take_while(|(name, _, _)| name != until);
    let mut keys: Vec<String> = Vec::new();
    for (_, _, data) in before {
        let ColumnData::Utf8(words) = data else { continue };
        let word = clean(words[row].trim());
        // `sinc, deep` makes a key `sinc` redundant.
        keys.retain(|key| !word.contains(key.as_str()));
        if !word.is_empty() && !said.contains(&word) && keys.iter().all(|key| !key.contains(&word)) {
            keys.push(word);
        }
    }
    keys.join(", ")
}

/// Builds the summary: the most reliable finding of each run first, then as many others as fit. Findings that several runs
/// share become one line.
pub(crate) fn summary(of_runs: Vec<(Option<Span>, Vec<Claim>)>) -> Summary {
    let runs = of_runs.iter().filter(|(of, _)| of.is_some()).count();
    let mut all: Vec<Shared> = Vec::new();
    for (run, (of, mut claims)) in of_runs.into_iter().enumerate() {
        claims.sort_by_key(|claim| rank(&claim.strength));
        for (turn, claim) in claims.into_iter().enumerate() {
            let words = |claim: &Claim| {
                [&claim.about, &claim.words, &claim.caution, &claim.strength].map(Clone::clone)
            };
            let same = |other: &&mut Shared| other.last != run && words(&other.claim) == words(&claim);
            match (all.iter_mut().find(same), &of) {
                (Some(shared), Some(of)) => {
                    (shared.turn, shared.last) = (shared.turn.min(turn), run);
                    shared.runs.push(of.clone());
                }
                _ => all.push(Shared { turn, last: run, runs: of.clone().into_iter().collect(), claim }),
            }
        }
    }
    let rank = |shared: &Shared| rank(&shared.claim.strength);
    // Findings about several runs take precedence over those about single ones.
    all.sort_by_key(|shared| (shared.turn > 0 || !shared.runs.is_empty(), shared.turn, rank(shared)));
    let more = all.len().saturating_sub(LINES);
    all.truncate(LINES);
    all.sort_by_key(rank);
    let mut lines: Vec<Finding> = all.into_iter().map(|shared| shared.finding(runs)).collect();
    say_cautions_once(&mut lines);
    Summary { lines, more }
}

/// Says a caution of several lines in a row only at the last of them, and of which it is.
fn say_cautions_once(lines: &mut [Finding]) {
    let mut first = 1;
    for alike in lines.chunk_by_mut(|a, b| a.claim.caution == b.claim.caution) {
        let next = first + alike.len();
        if let Some((last, others @ [_, ..])) = alike.split_last_mut()
            && !last.claim.caution.is_empty()
        {
            for line in others.iter_mut() {
                line.claim.caution.clear();
            }
            let to = if others.len() == 1 { "and" } else { "to" };
            last.claim.caution = format!("of {first} {to} {}: {}", next - 1, last.claim.caution);
        }
        first = next;
    }
}

/// A finding of one or more runs.
struct Shared {
    /// Its place among the findings of a run, the first of all.
    turn: usize,
    /// The last of its runs.
    last: usize,
    runs: Vec<Span>,
    claim: Claim,
}

impl Shared {
    /// The line of the summary about `all` runs.
    fn finding(self, all: usize) -> Finding {
        let Self { mut runs, mut claim, .. } = self;
        let n = runs.len();
        if n < 2 {
            return Finding { of: runs, claim };
        }
        if claim.strength == SEEN {
            SEEN_IN_SEVERAL.clone_into(&mut claim.strength);
        }
        if n == all {
            return Finding { of: vec![text(format!("all {n} runs:"))], claim };
        }
        runs.truncate(NAMED);
        let more = if n > NAMED { format!(" and {} more", n - NAMED) } else { String::new() };
        let commas =
            (0..).zip(runs).flat_map(|(i, run)| (i > 0).then(|| text(", ")).into_iter().chain([run]));
        let of = std::iter::once(text(format!("{n} of {all} runs ("))).chain(commas);
        Finding { of: of.chain([text(format!("{more}):"))]).collect(), claim }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &[&str]) -> ColumnData {
        ColumnData::Utf8(words.iter().map(|w| (*w).to_owned()).collect())
    }

    fn table(columns: &[(&str, ColumnData)]) -> Table {
        let column = |(name, data): &(&str, ColumnData)| ((*name).to_owned(), None, data.clone());
        Table { columns: columns.iter().map(column).collect(), ..Table::default() }
    }

    #[test]
    fn a_statement_is_told_of_whom_it_speaks() {
        let table = table(&[
            ("task", text(&["sinc", "sinc", "mnist", ""])),
            ("model", text(&["deep", "flat", "deep", ""])),
            ("loss", ColumnData::F64(vec![0.5; 4])),
            ("statement", text(&["lowest", "flat is worse", "sinc and deep: said", " "])),
            ("after", text(&["x"; 4])),
        ]);
        let said: Vec<(String, String)> =
            of_table(&table).into_iter().map(|claim| (claim.about, claim.words)).collect();
        let expected =
            [("sinc, deep", "lowest"), ("sinc", "flat is worse"), ("mnist", "sinc and deep: said")];
        assert_eq!(said, expected.map(|(about, claim)| (about.to_owned(), claim.to_owned())));
    }

    #[test]
    fn a_claim_keeps_all_its_parts() {
        let table = table(&[
            ("function", text(&["sinc"])),
            ("about", text(&["sinc, deep"])),
            ("claim", text(&["it fell"])),
            ("evidence", text(&["5 trials"])),
            ("caution", text(&[""])),
            ("strength", text(&["shown"])),
            ("statement", text(&["sinc, deep: it fell (shown). Evidence: 5 trials."])),
        ]);
        let expected = Claim {
            about: "sinc, deep".to_owned(),
            evidence: "5 trials".to_owned(),
            strength: "shown".to_owned(),
            ..Claim::statement("it fell")
        };
        assert_eq!(of_table(&table), [expected]);
    }

    #[test]
    fn a_summary_is_ten_lines_the_surest_first_and_each_run_has_its_turn() {
        let claim = |n: usize, strength: &str| Claim {
            strength: strength.to_owned(),
            ..Claim::statement(format!("{strength} {n}"))
        };
        let run = |name: &str, claims| (Some(Span::Text(name.to_owned())), claims);
        let many = (0..12).map(|n| claim(n, if n % 2 == 0 { "not decided" } else { "shown" })).collect();
        let found = summary(vec![
            run("a", many),
            run("b", vec![claim(0, SEEN)]),
            run("c", vec![claim(1, "not testable")]),
        ]);
        assert_eq!((found.lines.len(), found.more), (10, 4));
        let said: Vec<&str> = found.lines.iter().map(|line| line.claim.words.as_str()).collect();
        assert_eq!(said[0], "shown 1");
        assert_eq!(said[6..], [&format!("{SEEN} 0"), "not decided 0", "not decided 2", "not testable 1"]);
        let same = summary(vec![
            run("a", vec![claim(0, "shown"), claim(0, "shown")]),
            run("b", vec![claim(1, "shown"), claim(0, "shown"), claim(0, RECORDED)]),
            run("c", vec![claim(0, RECORDED)]),
        ]);
        let said = |summary: &Summary| {
            let of = |line: &Finding| line.of.iter().map(Span::words).collect::<String>();
            let line =
                |line: &Finding| format!("{} {} ({})", of(line), line.claim.words, line.claim.strength);
            summary.lines.iter().map(line).collect::<Vec<String>>()
        };
        assert_eq!(
            said(&same),
            [
                "2 of 3 runs (b, c): recorded 0 (recorded)",
                "2 of 3 runs (a, b): shown 0 (shown)",
                "a shown 0 (shown)",
                "b shown 1 (shown)"
            ]
        );
        let crashed = |n: usize| run(&n.to_string(), vec![claim(0, RECORDED), claim(n, RECORDED)]);
        let best = vec![(None, vec![claim(0, "shown")]), (None, vec![claim(1, "shown")])];
        let many = summary(best.into_iter().chain((1..13).map(crashed)).collect());
        assert_eq!(said(&many)[0], "all 12 runs: recorded 0 (recorded)");
        assert_eq!(
            said(&many)[8..],
            [" shown 0 (shown)", " shown 1 (shown)"],
            "what crashed leaves them room"
        );
        let seen = summary((0..5).map(|n| run(&n.to_string(), vec![claim(n / 4, SEEN)])).collect());
        let several = "4 of 5 runs (0, 1, 2 and 1 more): seen in this run 0 (seen in these runs)";
        assert_eq!(said(&seen), [several, "4 seen in this run 1 (seen in this run)"]);
        let caution = |n: usize, words: &str| Claim { caution: words.to_owned(), ..claim(n, SEEN) };
        let cautions =
            ["alone", "alone", "alone", "", "", "few", "some", "some"].map(|words| caution(0, words));
        let told = summary((0..8).map(|n| (None, vec![cautions[n].clone()])).collect());
        let told: Vec<&str> = told.lines.iter().map(|line| line.claim.caution.as_str()).collect();
        assert_eq!(told, ["", "", "of 1 to 3: alone", "", "", "few", "", "of 7 and 8: some"]);
        let one = summary(vec![run("a", vec![claim(0, SEEN)])]);
        assert!(one.lines.len() == 1 && one.rest().is_empty());
    }
}
