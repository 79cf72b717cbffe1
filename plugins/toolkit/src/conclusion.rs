//! Claims that conclude experiments: what is claimed, its evidence, its limits, and how far it can be relied on. The
//! table `conclusion` contains them.

use gradtop_sdk::{Column, Ctx, Result, Rows};

use crate::stats::{Estimate, holm, mean, permutation};

/// Mean and range of a value over trials.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The mean; NaN without values.
    pub mean: f64,
    /// The smallest value; NaN without values.
    pub lowest: f64,
    /// The largest value; NaN without values.
    pub highest: f64,
    /// Number of values.
    pub count: usize,
}

impl Spread {
    /// Computes the spread of these values.
    pub fn of(values: &[f64]) -> Self {
        Self {
            mean: mean(values),
            lowest: values.iter().copied().fold(f64::NAN, f64::min),
            highest: values.iter().copied().fold(f64::NAN, f64::max),
            count: values.len(),
        }
    }

    /// Computes the spread of these positive values, with their geometric mean: that of quantities that are compared by
    /// their ratios.
    pub fn geometric(values: &[f64]) -> Self {
        let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
        Self { mean: mean(&logs).exp(), ..Self::of(values) }
    }

    /// Formats the range that follows a mean, with values formatted by `number`.
    pub fn in_words(&self, number: impl Fn(f64) -> String) -> String {
        let (low, high) = (number(self.lowest), number(self.highest));
        match self.count {
            1 => "(1 trial)".to_owned(),
            n if low == high => format!("(in each of {n} trials)"),
            n => format!("({low} to {high} in {n} trials)"),
        }
    }
}

/// Formats a number with this many significant digits: `2.30`, `0.135`, and with an exponent (`1.12e-5`) only if plain
/// decimals are hard to read.
pub fn significant(value: f64, digits: usize) -> String {
    let fraction = digits.max(1) - 1;
    let text = format!("{value:.fraction$e}");
    let exponent = text.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent {
        // The exponent is that of the rounded number: 9.9996 is 10.00.
        Some(exponent @ -3..=4) => {
            let decimals = usize::try_from(fraction as i32 - exponent).unwrap_or(0);
            format!("{value:.decimals$}")
        }
        Some(_) => text,
        None => value.to_string(),
    }
}

/// Formats a count: `1 pair`, `3 pairs`.
pub fn counted(count: i64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Describes how many trials diverged, if any.
pub fn diverged_in_words(count: usize) -> Option<String> {
    match count {
        0 => None,
        1 => Some("1 trial diverged and is left out".to_owned()),
        n => Some(format!("{n} trials diverged and are left out")),
    }
}

/// Minimum number of trials on each side to claim an order: with three each, not even a perfect order is significant at 5 %.
pub const FEWEST: usize = 5;

/// Returns p of an order of two samples by exact permutation; `None` with fewer than [`FEWEST`] trials.
pub fn order(a: &[f64], b: &[f64]) -> Option<f64> {
    (a.len().min(b.len()) >= FEWEST).then(|| permutation::two_samples(a, b))
}

/// Formats a rank coefficient with its interval.
pub fn coefficient(found: &Estimate) -> String {
    let [value, low, high] = [found.value, found.low, found.high].map(rank);
    format!("Spearman {value}, 95 % interval {low} to {high}")
}

/// Formats a rank coefficient with two decimals; zero has no sign.
pub fn rank(coefficient: f64) -> String {
    let text = format!("{coefficient:.2}");
    text.strip_prefix('-').filter(|digits| *digits == "0.00").unwrap_or(&text).to_owned()
}

/// How far a claim can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// Significant after correction for all claims of the run, or an exact count, or a counterexample.
    Shown,
    /// An observation on this run's networks that implies nothing for others.
    Seen,
    /// Tested, but not significant.
    Open,
    /// Not decidable with these data.
    Untestable,
}

impl Strength {
    /// Returns a description.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Seen => "seen in this run",
            Self::Open => "not decided",
            Self::Untestable => "not testable",
        }
    }
}

#[derive(Clone, Debug)]
struct Test {
    p: f64,
    corrected: f64,
    /// The claim if the test is not significant.
    otherwise: String,
}

/// A claim with everything that belongs to it; always logged and shown as a whole.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The subject, such as `sinc, shallow`.
    pub about: String,
    /// The claim itself.
    pub statement: String,
    /// The numbers it is based on, how many, and their interval.
    pub evidence: String,
    /// What it does not imply.
    cautions: Vec<String>,
    /// How far it can be relied on.
    pub strength: Strength,
    test: Option<Test>,
}

impl Claim {
    /// Creates a claim without evidence and caution.
    fn new(about: impl Into<String>, strength: Strength, statement: impl Into<String>) -> Self {
        Self {
            about: about.into(),
            statement: statement.into(),
            evidence: String::new(),
            cautions: Vec::new(),
            strength,
            test: None,
        }
    }

    /// Creates a claim that is shown: by an exact count, or a counterexample.
    pub fn shown(about: impl Into<String>, statement: impl Into<String>) -> Self {
        Self::new(about, Strength::Shown, statement)
    }

    /// Creates a claim about this run's networks alone.
    pub fn seen(about: impl Into<String>, statement: impl Into<String>) -> Self {
        Self::new(about, Strength::Seen, statement)
    }

    /// Creates a claim that is not decided.
    pub fn open(about: impl Into<String>, statement: impl Into<String>) -> Self {
        Self::new(about, Strength::Open, statement)
    }

    /// Creates the claim that a question cannot be decided with these data.
    pub fn untestable(about: impl Into<String>, asked: impl Into<String>) -> Self {
        Self::new(about, Strength::Untestable, asked)
    }

    /// Creates a claim that holds only if its test is significant after Holm's correction over all tests of the run;
    /// otherwise `otherwise` is claimed. Without a p nothing is tested, and the statement is about this run alone, as of
    /// [`Claim::few`] trials.
    pub fn tested(
        about: impl Into<String>,
        p: Option<f64>,
        statement: impl Into<String>,
        otherwise: impl Into<String>,
    ) -> Self {
        let claim = Self::new(about, Strength::Seen, statement);
        match p {
            Some(p) => Self { test: Some(Test { p, corrected: p, otherwise: otherwise.into() }), ..claim },
            None => claim.few(),
        }
    }

    /// Creates a claim about an order measured by a rank coefficient. Without a p, a direction is claimed only if the
    /// coefficient's interval excludes zero; otherwise the question `asked` is not testable.
    pub fn ordered(
        about: impl Into<String>,
        found: &Estimate,
        p: Option<f64>,
        statement: impl Into<String>,
        otherwise: impl Into<String>,
        asked: impl Into<String>,
    ) -> Self {
        if p.is_none() && !(found.low > 0.0 || found.high < 0.0) {
            return Self::new(about, Strength::Untestable, asked).few();
        }
        Self::tested(about, p, statement, otherwise)
    }

    /// Adds evidence.
    #[must_use]
    pub fn evidence(mut self, words: impl AsRef<str>) -> Self {
        join(&mut self.evidence, words.as_ref());
        self
    }

    /// Adds evidence if `holds`.
    #[must_use]
    pub fn evidence_if(self, holds: bool, words: impl FnOnce() -> String) -> Self {
        if holds { self.evidence(words()) } else { self }
    }

    /// Adds a caution.
    #[must_use]
    pub fn caution(mut self, words: impl AsRef<str>) -> Self {
        if !words.as_ref().is_empty() {
            self.cautions.push(words.as_ref().to_owned());
        }
        self
    }

    /// Adds the caution of fewer than [`FEWEST`] trials. What is seen in them is no claim about others.
    #[must_use]
    pub fn few(self) -> Self {
        let words = match self.strength {
            Strength::Untestable => "fewer than 5 trials: no order can be claimed",
            _ => "fewer than 5 trials: others may differ",
        };
        self.caution(words)
    }

    /// Returns statement, strength, evidence and caution as sentences.
    pub fn whole(&self) -> String {
        self.without(&[])
    }

    /// Returns it as sentences, without these cautions.
    fn without(&self, cautions: &[&String]) -> String {
        let own: Vec<&str> =
            self.cautions.iter().filter(|caution| !cautions.contains(caution)).map(String::as_str).collect();
        let mut text = format!("{} ({}).", self.statement, self.strength.name());
        for (name, part) in [("Evidence", &self.evidence), ("Caution", &own.join("; "))] {
            if !part.is_empty() {
                text.extend([" ", name, ": ", part, "."]);
            }
        }
        text
    }
}

fn join(all: &mut String, words: &str) {
    if !all.is_empty() && !words.is_empty() {
        all.push_str("; ");
    }
    all.push_str(words);
}

/// Decides every tested claim of a run by its p after Holm's correction over `family` tests, or over those here if they
/// are more: a family is larger if only the most striking of many comparisons are claimed.
pub fn settle(claims: &mut [Claim], family: usize) {
    let p: Vec<f64> = claims.iter().filter_map(|claim| Some(claim.test.as_ref()?.p)).collect();
    let tests = family.max(p.len());
    let mut corrected = holm(&p, family).into_iter();
    for claim in claims {
        let Some(test) = &mut claim.test else { continue };
        test.corrected = corrected.next().unwrap_or(1.0);
        let holds = test.corrected <= LEVEL;
        claim.strength = if holds { Strength::Shown } else { Strength::Open };
        if !holds {
            claim.statement.clone_from(&test.otherwise);
        }
        let of = if tests == 1 {
            String::new()
        } else {
            format!(", corrected for {tests} tests {}", p_in_words(test.corrected))
        };
        join(&mut claim.evidence, &format!("p {}{of}", p_in_words(test.p)));
    }
}

/// Accepted rate of false alarms per run.
const LEVEL: f64 = 0.05;

fn p_in_words(p: f64) -> String {
    if p < 1e-3 { "< 0.001".to_owned() } else { format!("= {}", significant(p, 2)) }
}

/// Settles the claims of a run ([`settle`]) and writes them to the log and to the table `conclusion`, one row per
/// claim. `keys` are its first columns, followed by `about`, `claim`, `evidence`, `caution`, `strength`, `p`,
/// `p_corrected`, and `statement` with all of it as sentences. Each claim comes with the figure it is based on and is
/// returned with it, as settled, for [`caption`].
pub fn write<F>(
    ctx: &Ctx,
    step: i64,
    said: Vec<(F, Claim)>,
    family: usize,
    keys: Vec<Column<'_>>,
) -> Result<Vec<(F, Claim)>> {
    let (figures, mut claims): (Vec<F>, Vec<Claim>) = said.into_iter().unzip();
    settle(&mut claims, family);
    for claim in &claims {
        ctx.info(format!("{}: {}", claim.about, claim.whole()))?;
    }
    let mut rows = Rows::of(&claims)
        .utf8("about", |c| &c.about)
        .utf8("claim", |c| &c.statement)
        .utf8("evidence", |c| &c.evidence)
        .utf8("caution", |c| c.cautions.join("; "))
        .utf8("strength", |c| c.strength.name());
    if claims.iter().any(|claim| claim.test.is_some()) {
        let number = |claim: &Claim, of: fn(&Test) -> f64| claim.test.as_ref().map_or(f64::NAN, of);
        rows = rows.f64("p", |c| number(c, |t| t.p)).f64("p_corrected", |c| number(c, |t| t.corrected));
    }
    let rows = rows.utf8("statement", |c| format!("{}: {}", c.about, c.whole()));
    ctx.table("conclusion", step, &[keys, rows.columns()].concat())?;
    Ok(figures.into_iter().zip(claims).collect())
}

/// Appends claims to the caption of the figure they are based on; a caution that all of them have stands once, at the end.
pub fn caption<F: PartialEq<G>, G: ?Sized>(said: &[(F, Claim)], figure: &G) -> String {
    let here: Vec<&Claim> = said.iter().filter(|(of, _)| of == figure).map(|(_, claim)| claim).collect();
    let shared: Vec<&String> = match &here[..] {
        [first, others @ ..] if !others.is_empty() => {
            let by_all = |words: &&String| others.iter().all(|claim| claim.cautions.contains(words));
            first.cautions.iter().filter(by_all).collect()
        }
        _ => Vec::new(),
    };
    if here.is_empty() {
        return String::new();
    }
    let each: Vec<String> =
        here.iter().map(|claim| [&claim.about, ": ", &claim.without(&shared)].concat()).collect();
    let all: Vec<&str> = shared.into_iter().map(String::as_str).collect();
    let all = if all.is_empty() { String::new() } else { format!(" Caution for all: {}.", all.join("; ")) };
    format!(" Found: {}{all}", each.join(" · "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coefficient_of_zero_has_no_sign() {
        let found = Estimate { value: -0.001, low: -0.81, high: 0.004, pairs: 9 };
        assert_eq!(coefficient(&found), "Spearman 0.00, 95 % interval -0.81 to 0.00");
    }

    #[test]
    fn ranges_in_words() {
        let of = Spread::of;
        assert_eq!(of(&[2.0]).in_words(|v| v.to_string()), "(1 trial)");
        assert_eq!(of(&[1.0, 3.0]).in_words(|v| format!("{v:.1}")), "(1.0 to 3.0 in 2 trials)");
        assert_eq!(of(&[2.0, 2.001]).in_words(|v| format!("{v:.1}")), "(in each of 2 trials)");
        assert!(of(&[]).mean.is_nan());
        let geometric = Spread::geometric(&[1e-4, 1e-2]);
        assert!((geometric.mean - 1e-3).abs() < 1e-15 && geometric.highest == 1e-2, "{geometric:?}");
        assert_eq!(diverged_in_words(0), None);
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let written =
            [(2.302, 3), (0.13479, 3), (0.00112, 3), (9.9996, 4), (18.687, 5), (-0.26472, 5), (0.0, 3)];
        assert_eq!(
            written.map(|(value, digits)| significant(value, digits)),
            ["2.30", "0.135", "0.00112", "10.00", "18.687", "-0.26472", "0.00"]
        );
        let odd = [1.12e-5, -4.5024e-6, 123_456.0, 99_999.0, f64::NAN, f64::INFINITY];
        assert_eq!(
            odd.map(|value| significant(value, 3)),
            ["1.12e-5", "-4.50e-6", "1.23e5", "1.00e5", "NaN", "inf"]
        );
    }

    #[test]
    fn a_claim_is_shown_whole() {
        let claim = Claim::new("sinc", Strength::Seen, "it falls")
            .evidence("5 trials")
            .evidence("all of them")
            .caution("one rate");
        assert_eq!(
            claim.whole(),
            "it falls (seen in this run). Evidence: 5 trials; all of them. Caution: one rate."
        );
        let nothing = Claim::new("a", Strength::Untestable, "nothing");
        assert_eq!(nothing.whole(), "nothing (not testable).");
        let said = [("loss", claim.clone()), ("fit", claim.clone()), ("loss", nothing)];
        let both = caption(&said, &"loss");
        assert_eq!(both, format!(" Found: sinc: {} · a: nothing (not testable).", claim.whole()));
        let alike = [("loss", claim.clone().caution("few")), ("loss", claim.clone())];
        assert_eq!(
            caption(&alike, &"loss"),
            " Found: sinc: it falls (seen in this run). Evidence: 5 trials; all of them. Caution: few. · \
             sinc: it falls (seen in this run). Evidence: 5 trials; all of them. Caution for all: one rate."
        );
        assert_eq!(caption(&said, &"other"), "");
    }

    #[test]
    fn tests_are_corrected_for_all_of_a_run() {
        let claim = |p| Claim::tested("x", p, "different", "not separated");
        let mut claims = vec![
            claim(Some(0.004)),
            claim(Some(0.03)),
            claim(None),
            Claim::new("x", Strength::Shown, "exact"),
        ];
        settle(&mut claims, 0);
        assert!(
            claims[0]
                .whole()
                .starts_with("different (shown). Evidence: p = 0.0040, corrected for 2 tests = 0.0080"),
            "{}",
            claims[0].whole()
        );
        assert_eq!(
            (claims[1].strength, claims[2].strength, claims[3].strength),
            (Strength::Shown, Strength::Seen, Strength::Shown)
        );
        assert_eq!(
            claims[2].whole(),
            "different (seen in this run). Caution: fewer than 5 trials: others may differ."
        );
        // The same p among more tests is no evidence.
        let mut claims = vec![claim(Some(0.004)), claim(Some(0.03))];
        settle(&mut claims, 20);
        assert!(claims[0].whole().starts_with("not separated (not decided)"), "{}", claims[0].whole());
    }

    /// What is claimed of few trials is not denied by its own caution.
    #[test]
    fn three_trials_have_no_order() {
        let unordered = Estimate { value: 0.5, low: -0.2, high: 0.9, pairs: 6 };
        let seen = Estimate { low: 0.1, ..unordered };
        let said =
            |found| Claim::ordered("x", found, None, "it rises", "unclear", "whether it rises").whole();
        assert!(said(&unordered).ends_with("fewer than 5 trials: no order can be claimed."));
        assert_eq!(
            said(&seen),
            "it rises (seen in this run). Caution: fewer than 5 trials: others may differ."
        );
        assert_eq!(order(&[1.0, 2.0, 3.0], &[7.0, 8.0, 9.0]), None);
        assert!(order(&[1.0, 2.0, 3.0, 4.0, 5.0], &[7.0, 8.0, 9.0, 10.0, 11.0]).is_some_and(|p| p < 0.01));
    }
}
