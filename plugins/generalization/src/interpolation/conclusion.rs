//! Draws conclusions from the lines.

use std::collections::BTreeSet;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::conclusion::{self, Claim, FEWEST, Spread, counted};
use gradtop_toolkit::stats::{bootstrap, mean, permutation};

use super::plan::{Kind, Plan, Start};
use super::walk::{Line, Spawned};

/// A barrier of at most this many nats is considered none.
const NONE: f64 = 0.02;
/// A barrier of at least this many nats, in every pair, is considered clear.
const CLEAR: f64 = 0.05;
/// Training losses of two ends match if they differ by no more than this fraction of the higher one.
const MATCHED: f64 = 0.2;
/// Two networks are linearly connected if the error rises by less than this above their mean (Frankle et al. 2020).
pub(super) const CONNECTED: f64 = 0.02;

/// The lines of one kind from the same or from other initial values.
struct Group<'a> {
    kind: Kind,
    start: Start,
    lines: Vec<&'a Line>,
}

impl Group<'_> {
    fn barriers(&self, set: usize, alphas: &[f64]) -> Vec<f64> {
        self.lines.iter().map(|line| line.barrier(set, alphas).0).collect()
    }

    /// Returns the mean loss on a set at the position nearest to α.
    fn loss(&self, set: usize, alphas: &[f64], alpha: f64) -> f64 {
        let apart = |i: &usize| (alphas[*i] - alpha).abs();
        let nearest = (0..alphas.len()).min_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap_or_default();
        mean(&self.lines.iter().map(|line| line.sets[set].loss[nearest]).collect::<Vec<_>>())
    }

    fn about(&self, plan: &Plan) -> String {
        format!(
            "two {}, {} against {}, {}",
            match self.kind {
                Kind::Batch => "batch sizes",
                Kind::Rate => "learning rates",
            },
            plan.roles[0].name,
            plan.role_of(self.kind).name,
            self.start.in_words()
        )
    }

    /// Returns the claim whether there is a barrier.
    fn claim(&self, about: String, alphas: &[f64]) -> Claim {
        let (train, test) = (self.barriers(0, alphas), self.barriers(1, alphas));
        let above_mean: Vec<f64> = self.lines.iter().map(|line| line.above_mean(0, alphas)).collect();
        let pairs = self.lines.len();
        let claim = Claim::seen(about, verdict(&train))
            .evidence(format!(
                "training barrier above the chord {}, test barrier {}",
                range(&train),
                range(&test)
            ))
            .evidence(counted(pairs as i64, "pair"))
            .evidence_if(self.gap(alphas) > NONE, || {
                format!("above the mean of the two ends, which are not equally low, {}", range(&above_mean))
            });
        let distances: Vec<f64> = self.lines.iter().map(|line| line.distance).collect();
        let cosines: Vec<f64> = self.lines.iter().map(|line| line.cosine).collect();
        let claim = claim.evidence(format!("distance {:.1}, cosine {:.2}", mean(&distances), mean(&cosines)));
        let best = (0..alphas.len())
            .min_by(|&a, &b| self.loss(1, alphas, alphas[a]).total_cmp(&self.loss(1, alphas, alphas[b])));
        let claim = match best {
            Some(best) => claim.evidence(format!(
                "the test loss is lowest, {:.3}, at α = {:.2} ({:.3} at 0, {:.3} at 1)",
                self.loss(1, alphas, alphas[best]),
                alphas[best],
                self.loss(1, alphas, 0.0),
                self.loss(1, alphas, 1.0)
            )),
            None => claim,
        };
        let claim = claim
            .caution(format!("{CLEAR} nats or more in every pair count as a barrier, {NONE} or less as none"))
            .caution("a line is one path: another may pass below it");
        if pairs < 3 { claim.caution("fewer than 3 pairs: other pairs may differ") } else { claim }
    }

    /// Returns the difference of the training losses of the two ends.
    fn gap(&self, alphas: &[f64]) -> f64 {
        (self.loss(0, alphas, 0.0) - self.loss(0, alphas, 1.0)).abs()
    }

    /// Returns the claim about the line beyond its ends, and which end looks flatter along it. If the loss falls beyond
    /// an end, the line passes no minimum there, and ends with different losses are at different heights of one valley:
    /// in either case, nothing is claimed about flatness.
    fn beyond(&self, about: &str, alphas: &[f64]) -> Claim {
        let change = |end: f64, beyond: f64| self.loss(0, alphas, beyond) - self.loss(0, alphas, end);
        let (before, after) = (change(0.0, -0.5), change(1.0, 1.5));
        let way = |change: f64| if change < 0.0 { "falls" } else { "rises" };
        let seen = format!(
            "half a distance beyond the ends the training loss {} by {:.3} past 0 and {} by {:.3} past 1",
            way(before),
            before.abs(),
            way(after),
            after.abs()
        );
        let untestable =
            |why: String| Claim::untestable(about, "which end is flatter along the line").caution(why);
        let claim = if !(before.is_finite() && after.is_finite()) {
            untestable("the loss is not finite everywhere there".to_owned())
        } else if before < 0.0 || after < 0.0 {
            untestable("where the loss falls beyond an end, the line has no minimum there".to_owned())
        } else if self.gap(alphas) > MATCHED * self.loss(0, alphas, 0.0).max(self.loss(0, alphas, 1.0)) {
            untestable(format!(
                "the ends have training losses of {:.3} and {:.3}: flatness is compared only where they match within {:.0} %",
                self.loss(0, alphas, 0.0),
                self.loss(0, alphas, 1.0),
                100.0 * MATCHED
            ))
        } else if (before - after).abs() < NONE {
            Claim::seen(about, "along this line neither end looks flatter")
        } else {
            let flatter = if before < after { 0.0 } else { 1.0 };
            let (here, there) = (self.loss(1, alphas, flatter), self.loss(1, alphas, 1.0 - flatter));
            let goes = if here < there { "lower" } else { "no lower" };
            let words = format!(
                "along this line the network at {flatter} looks flatter, and its test loss is {goes}"
            );
            Claim::seen(about, words).caution("the slope along one line depends on the scale of the weights")
        };
        claim.evidence(seen)
    }
}

/// Formats `0.213 (0.209 to 0.218)`.
fn range(values: &[f64]) -> String {
    let Spread { lowest, highest, .. } = Spread::of(values);
    match values {
        [only] => format!("{only:.3}"),
        _ => format!("{:.3} ({lowest:.3} to {highest:.3})", mean(values)),
    }
}

fn verdict(barriers: &[f64]) -> &'static str {
    if barriers.iter().any(|b| !b.is_finite()) {
        "the loss is not finite on the way"
    } else if barriers.iter().all(|b| *b <= NONE) {
        "no barrier to speak of"
    } else if barriers.iter().all(|b| *b >= CLEAR) {
        "a barrier"
    } else {
        "neither clearly a barrier nor none"
    }
}

/// A comparison of the barriers of two starts over both kinds: the first is expected to be higher.
struct Question {
    about: &'static str,
    starts: [Start; 2],
    /// The question, and the claims if the barriers differ, are not separated, or differ the other way.
    asked: &'static str,
    differ: &'static str,
    same: &'static str,
    reverse: &'static str,
    caution: &'static str,
}

const INITIAL: Question = Question {
    about: "initial values",
    starts: [Start::Other, Start::Same],
    asked: "whether the initial values decide",
    differ: "from other initial values the barriers are higher than from the same",
    same: "the barriers from the same and from other initial values are not separated",
    reverse: "from other initial values the barriers are no higher than from the same",
    caution: "a line tells something about batch sizes or rates only together with the networks' initial values",
};

const MATCHED_UNITS: Question = Question {
    about: "matched units",
    starts: [Start::Other, Start::Matched],
    asked: "whether the order of the hidden units makes the barriers",
    differ: "matching the hidden units lowers the barriers between networks from other initial values",
    same: "the barriers with and without matched units are not separated",
    reverse: "matching the hidden units does not lower the barriers between networks from other initial values",
    caution: "units are matched by their weights: of several hidden layers that is a local optimum, and another order may have a lower barrier",
};

/// Returns the numbers of the pairs of several lines, each once.
fn different(pairs: impl Iterator<Item = i64>) -> Vec<i64> {
    pairs.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The pair is the unit, because its lines share the network at 0.
fn overall(groups: &[Group<'_>], alphas: &[f64], question: &Question) -> Claim {
    let of = |start: Start, pair: i64| -> f64 {
        let lines = groups.iter().filter(|g| g.start == start).flat_map(|g| &g.lines);
        mean(&lines.filter(|l| l.pair == pair).map(|l| l.barrier(0, alphas).0).collect::<Vec<_>>())
    };
    let pairs = different(groups.iter().flat_map(|g| g.lines.iter().map(|line| line.pair)));
    let [high, low] =
        question.starts.map(|start| pairs.iter().map(|&pair| of(start, pair)).collect::<Vec<_>>());
    let differences: Vec<f64> = high.iter().zip(&low).map(|(high, low)| high - low).collect();
    if !differences.iter().all(|d| d.is_finite()) {
        return Claim::untestable(question.about, question.asked).caution("a loss is not finite on the way");
    }
    let p = (pairs.len() >= FEWEST).then(|| permutation::pairs(&differences));
    let words = if mean(&differences) > 0.0 { question.differ } else { question.reverse };
    Claim::tested(question.about, p, words, question.same)
        .evidence(format!(
            "training barrier {} with {}, {} with {}; each number is the mean over the two kinds of line of a pair, in {}",
            range(&high),
            question.starts[0].in_words(),
            range(&low),
            question.starts[1].in_words(),
            counted(pairs.len() as i64, "pair")
        ))
        .caution(question.caution)
}

/// The error barriers between networks that parted at one step, by pair.
struct Parted {
    step: i64,
    test: Vec<f64>,
    train: Vec<f64>,
}

impl Parted {
    /// Groups them by step.
    fn of(spawned: &[Spawned], between: &[f64]) -> Vec<Self> {
        let barriers = |same: &[Spawned], set: usize| {
            same.iter().map(|two| two.error_barrier(set, between)).collect::<Vec<_>>()
        };
        let parted =
            |same: &[Spawned]| Self { step: same[0].step, test: barriers(same, 1), train: barriers(same, 0) };
        spawned.chunk_by(|a, b| a.step == b.step).map(parted).collect()
    }

    /// Returns p of a mean barrier of exactly [`CONNECTED`].
    fn p(&self) -> f64 {
        permutation::pairs(&self.test.iter().map(|barrier| barrier - CONNECTED).collect::<Vec<_>>())
    }
}

/// Returns the index of the first step from which on all means of the chosen pairs are below [`CONNECTED`]; the number
/// of steps if there is none.
fn spawn_time(all: &[Parted], pairs: &[usize]) -> usize {
    let of = |parted: &Parted| mean(&pairs.iter().map(|&pair| parted.test[pair]).collect::<Vec<_>>());
    all.iter().rposition(|parted| of(parted) >= CONNECTED).map_or(0, |last| last + 1)
}

/// Describes between which of the tested steps a range of spawn times lies: `after step 0, by step 10`.
fn bracket(all: &[Parted], low: usize, high: usize) -> String {
    let after =
        low.checked_sub(1).and_then(|at| all.get(at)).map(|parted| format!("after step {}", parted.step));
    let by = all.get(high).map(|parted| format!("by step {}", parted.step));
    after.into_iter().chain(by).collect::<Vec<_>>().join(", ")
}

/// Returns the claim from which step on networks that part end linearly connected: their spawn time. The steps are tested from
/// the last one backwards, each only if all later ones hold, so that the largest p of those covers all of them.
fn parting(all: &[Parted], settings: &str) -> Option<Claim> {
    let (about, asked) = ("spawn time", "from which step on networks of one trunk end linearly connected");
    let last = all.last()?;
    let pairs = last.test.len();
    let points = |share: f64| format!("{:.2}", 100.0 * share);
    let interval = |barriers: &[f64]| {
        let of = |chosen: &[usize]| mean(&chosen.iter().map(|&i| barriers[i]).collect::<Vec<_>>());
        match bootstrap::interval(pairs, of) {
            (low, _) if low.is_nan() => points(mean(barriers)),
            (low, high) => format!("{} ({} to {})", points(mean(barriers)), points(low), points(high)),
        }
    };
    let by_step = |of: fn(&Parted) -> &[f64]| {
        let each = all.iter().map(|parted| format!("{} at step {}", interval(of(parted)), parted.step));
        each.collect::<Vec<_>>().join(", ")
    };
    let whole: Vec<usize> = (0..pairs).collect();
    let open = format!(
        "the rise of the error between networks that part at step {} cannot be told from {} points",
        last.step,
        100.0 * CONNECTED
    );
    let (low, high) = bootstrap::interval(pairs, |chosen| spawn_time(all, chosen) as f64);
    let claim = if pairs < FEWEST {
        Claim::untestable(about, asked).few()
    } else if mean(&last.test) >= CONNECTED {
        let words = format!("networks that part at step {} still do not end linearly connected", last.step);
        Claim::tested(about, Some(last.p()), words, open)
    } else {
        let mut from = last;
        for parted in all.iter().rev().take_while(|parted| mean(&parted.test) < CONNECTED) {
            if parted.p() > last.p() {
                break;
            }
            from = parted;
        }
        let words = match from.step {
            0 => "networks that share no more than their initial values end linearly connected".to_owned(),
            step => format!("networks that part at step {step} or later end linearly connected"),
        };
        Claim::tested(about, Some(last.p()), words, open)
    };
    let claim = claim.evidence(format!(
        "test error at the highest point above the mean of the ends, by the step of parting, in points{}: {}",
        if low.is_nan() { "" } else { " (95 % interval)" },
        by_step(|parted| &parted.test)
    ));
    let time = spawn_time(all, &whole);
    Some(
        claim
            .evidence_if(!low.is_nan(), || {
                format!(
                    "spawn time by the means: {} (95 % interval by resampling pairs: {})",
                    bracket(all, time, time),
                    bracket(all, low.floor() as usize, high.ceil() as usize)
                )
            })
            .evidence(format!("training error {}", by_step(|parted| &parted.train)))
            .evidence(counted(pairs as i64, "pair"))
            .caution(format!("connected means less than {} points (Frankle et al. 2020)", 100.0 * CONNECTED))
            .caution(format!(
                "{settings}: with others the step may be earlier or later, and it is known only as far as the steps tried"
            )),
    )
}

/// Writes the claims about each kind of line, about all lines and about networks that parted, and returns each with its figure.
pub(super) fn write(
    ctx: &Ctx,
    plan: &Plan,
    lines: &[Line],
    spawned: &[Spawned],
) -> Result<Vec<(&'static str, Claim)>> {
    let mut groups = Vec::new();
    for &kind in Kind::ALL {
        for &start in Start::ALL {
            let of = lines.iter().filter(|line| line.kind == kind && line.start == start);
            groups.push(Group { kind, start, lines: of.collect() });
        }
    }
    let alphas = &plan.alphas;
    // Each with its figure, that of its kind of line if it has one.
    let mut said: Vec<(&'static str, Option<&Group<'_>>, Claim)> = Vec::new();
    for question in [INITIAL, MATCHED_UNITS] {
        said.push(("barriers", None, overall(&groups, alphas, &question)));
    }
    for group in &groups {
        let (about, figure) = (group.about(plan), group.kind.name());
        said.push((figure, Some(group), group.claim(about.clone(), alphas)));
        said.push((figure, Some(group), group.beyond(&format!("{about}, flatness"), alphas)));
    }
    let settings = plan.parting().next().map(|(role, _)| &plan.roles[role]);
    let settings = settings
        .map(|role| format!("batch {}, lr {}, {}", role.batch, role.lr, counted(role.epochs, "epoch")));
    let time = parting(&Parted::of(spawned, &plan.between), &settings.unwrap_or_default());
    said.extend(time.map(|claim| ("spawned", None, claim)));
    let pairs = |figure: &str, group: Option<&Group<'_>>| match group {
        Some(group) => group.lines.len(),
        None if figure == "spawned" => different(spawned.iter().map(|two| two.pair)).len(),
        None => different(lines.iter().map(|line| line.pair)).len(),
    };
    let above = |g: &Group<'_>| mean(&g.lines.iter().map(|l| l.above_mean(0, alphas)).collect::<Vec<_>>());
    let number = |g: Option<&Group<'_>>, of: &dyn Fn(&Group<'_>) -> f64| g.map_or(f64::NAN, of);
    let keys = Rows::of(said.iter().map(|(figure, group, _)| (*figure, *group)))
        .utf8("kind", |(figure, _)| if figure == "barriers" { "all" } else { figure })
        .utf8("start", |(_, g)| g.map_or("all", |g| g.start.name()))
        .i64("pairs", |(figure, g)| pairs(figure, g) as i64)
        .f64("train_barrier", |(_, g)| number(g, &|g| mean(&g.barriers(0, alphas))))
        .unit("nats")
        .f64("test_barrier", |(_, g)| number(g, &|g| mean(&g.barriers(1, alphas))))
        .unit("nats")
        .f64("train_above_mean", |(_, g)| number(g, &above))
        .unit("nats")
        .f64("train_loss_at_0", |(_, g)| number(g, &|g| g.loss(0, alphas, 0.0)))
        .unit("nats")
        .f64("train_loss_at_1", |(_, g)| number(g, &|g| g.loss(0, alphas, 1.0)))
        .unit("nats")
        .columns();
    let claims = said.iter().map(|(figure, _, claim)| (*figure, claim.clone())).collect();
    conclusion::write(ctx, plan.steps(), claims, 0, keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradtop_toolkit::mlp::Evaluation;

    fn line(kind: Kind, start: Start, pair: i64, hump: f64) -> Line {
        let loss = vec![0.9, 0.3, 0.1, 0.2 + hump, 0.3, 0.5, 4.0];
        let set = Evaluation { loss, accuracy: vec![0.9; 7] };
        Line { kind, start, pair, sets: [set.clone(), set], distance: 30.0, cosine: 0.5 }
    }

    const ALPHAS: [f64; 7] = [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0];

    #[test]
    fn barriers_are_heights_above_the_chord() {
        let (height, at) = line(Kind::Batch, Start::Same, 0, 0.25).barrier(0, &ALPHAS);
        assert!((height - 0.25).abs() < 1e-12 && at == 0.5, "{height} at {at}");
        // Below the chord: both ends have none, and so has the line.
        assert_eq!(line(Kind::Batch, Start::Same, 0, -0.1).barrier(0, &ALPHAS).0, 0.0);
        assert!(line(Kind::Batch, Start::Same, 0, f64::NAN).barrier(1, &ALPHAS).0.is_nan());
    }

    #[test]
    fn both_barriers_are_defined() {
        // A straight line between 0.1 and 0.3 has no barrier above the chord, and half the difference above the mean.
        let straight = line(Kind::Batch, Start::Same, 0, 0.0);
        assert!(straight.barrier(0, &ALPHAS).0 < 1e-12);
        assert!((straight.above_mean(0, &ALPHAS) - 0.1).abs() < 1e-12);
        assert!((line(Kind::Batch, Start::Same, 0, 0.25).above_mean(0, &ALPHAS) - 0.25).abs() < 1e-12);
        assert!(line(Kind::Batch, Start::Same, 0, f64::NAN).above_mean(0, &ALPHAS).is_nan());
    }

    fn groups_of<'a>(same: &'a [Line], other: &'a [Line]) -> [Group<'a>; 2] {
        [(Start::Same, same), (Start::Other, other)].map(|(start, lines)| Group {
            kind: Kind::Batch,
            start,
            lines: lines.iter().collect(),
        })
    }

    #[test]
    fn the_pair_is_the_unit() {
        let of = |same: &[f64], other: &[f64]| {
            let lines = |start, humps: &[f64]| -> Vec<Line> {
                humps.iter().enumerate().map(|(i, hump)| line(Kind::Batch, start, i as i64, *hump)).collect()
            };
            let (same, other) = (lines(Start::Same, same), lines(Start::Other, other));
            let groups = groups_of(&same, &other);
            let mut all = [overall(&groups, &ALPHAS, &INITIAL)];
            conclusion::settle(&mut all, 0);
            let said = |group: &Group<'_>| group.claim("x".into(), &ALPHAS).whole();
            (said(&groups[0]), said(&groups[1]), all[0].whole())
        };
        let six = |value: f64| [value; 6];
        let (same, other, all) = of(&six(0.001), &six(0.2));
        assert!(
            same.starts_with("no barrier to speak of (seen in this run)") && same.contains("chord 0.001"),
            "{same}"
        );
        assert!(
            same.contains("6 pairs; above the mean of the two ends, which are not equally low, 0.1"),
            "{same}"
        );
        assert!(other.starts_with("a barrier (") && other.contains("lowest, 0.100, at α = 0.00"), "{other}");
        assert!(
            all.starts_with("from other initial values the barriers are higher than from the same (shown)"),
            "{all}"
        );
        let (_, other, all) = of(&[0.2, 0.21, 0.2, 0.2, 0.2, 0.2], &[0.3, 0.1, 0.2, 0.25, 0.2, 0.21]);
        assert!(other.starts_with("a barrier"), "{other}");
        assert!(all.contains("are not separated (not decided)"), "{all}");
        // Of two pairs nothing is concluded.
        let (same, _, all) = of(&[0.01, 0.03], &[0.035, 0.04]);
        assert!(same.contains("neither clearly") && same.contains("fewer than 3 pairs"), "{same}");
        assert!(
            all.contains("(seen in this run)") && all.contains("fewer than 5 trials: others may differ"),
            "{all}"
        );
        let (same, _, all) = of(&[f64::NAN], &[0.2]);
        assert!(same.contains("not finite on the way") && all.contains("not testable"), "{same} {all}");
    }

    #[test]
    fn matched_units_are_compared_with_the_same_networks() {
        let lines = |start, hump: f64| -> Vec<Line> {
            (0..6).map(|pair| line(Kind::Batch, start, pair, hump)).collect()
        };
        let said =
            |matched: f64| {
                let (other, matched) = (lines(Start::Other, 0.3), lines(Start::Matched, matched));
                let groups = [(Start::Other, &other), (Start::Matched, &matched)]
                    .map(|(start, lines)| Group { kind: Kind::Batch, start, lines: lines.iter().collect() });
                let mut all = [overall(&groups, &ALPHAS, &MATCHED_UNITS)];
                conclusion::settle(&mut all, 0);
                all[0].whole()
            };
        let text = said(0.1);
        assert!(
            text.starts_with("matching the hidden units lowers the barriers") && text.contains("(shown)"),
            "{text}"
        );
        assert!(
            text.contains("0.300 (0.300 to 0.300) with other initial values, 0.100 (0.100 to 0.100) with other initial values, units matched"),
            "{text}"
        );
        assert!(said(0.3).starts_with("the barriers with and without matched units are not separated"));
    }

    #[test]
    fn flatness_is_compared_at_one_loss() {
        let beyond = |losses: [f64; 7]| {
            let set = Evaluation { loss: losses.to_vec(), accuracy: vec![0.9; 7] };
            let line = Line {
                kind: Kind::Rate,
                start: Start::Same,
                pair: 0,
                sets: [set.clone(), set],
                distance: 1.0,
                cosine: 0.0,
            };
            Group { kind: Kind::Rate, start: Start::Same, lines: vec![&line] }.beyond("x", &ALPHAS).whole()
        };
        let text = beyond([9.0, 7.0, 0.1, 0.2, 0.11, 0.5, 4.0]);
        assert!(
            text.contains("the network at 1 looks flatter, and its test loss is no lower (seen"),
            "{text}"
        );
        let text = beyond([9.0, 7.0, 0.02, 0.2, 0.13, 0.5, 4.0]);
        assert!(
            text.contains("(not testable)") && text.contains("training losses of 0.020 and 0.130"),
            "{text}"
        );
        let text = beyond([9.0, 0.05, 0.1, 0.2, 0.1, 0.5, 4.0]);
        assert!(
            text.contains("(not testable)")
                && text.contains("falls by 0.050 past 0 and rises by 0.400 past 1"),
            "{text}"
        );
        assert!(beyond([9.0, f64::NAN, 0.1, 0.2, 0.1, 0.5, 4.0]).contains("not finite"));
        assert!(beyond([9.0, 0.2, 0.1, 0.2, 0.1, 0.2, 4.0]).contains("neither end looks flatter"));
    }

    #[test]
    fn the_spawn_time_is_tested_from_the_last_step_backwards() {
        let said = |barriers: &[(i64, [f64; 7])], pairs: usize| {
            let parted = |(step, test): &(i64, [f64; 7])| Parted {
                step: *step,
                test: test[..pairs].to_vec(),
                train: test[..pairs].to_vec(),
            };
            let all: Vec<Parted> = barriers.iter().map(parted).collect();
            let mut claims = [parting(&all, "batch 64").unwrap_or_else(|| unreachable!())];
            conclusion::settle(&mut claims, 3);
            claims[0].whole()
        };
        let (high, low) = ([0.08; 7], [0.01, 0.011, 0.009, 0.01, 0.012, 0.01, 0.01]);
        // One of seven is above: no order of signs as rare as that of the later steps.
        let mixed = [0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.03];
        let text = said(&[(0, high), (30, mixed), (300, low), (1500, low)], 7);
        for part in [
            "networks that part at step 300 or later end linearly connected (shown)",
            "8.00 (8.00 to 8.00) at step 0, 1.29 (",
            "spawn time by the means: after step 0, by step 30 (95 % interval by resampling pairs: after step 0, by step 300)",
            "7 pairs; p = 0.016, corrected for 3 tests = 0.047",
            "less than 2 points",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        let text = said(&[(0, low), (30, low)], 7);
        assert!(text.starts_with("networks that share no more than their initial values end"), "{text}");
        assert!(text.contains("by the means: by step 0 (95 %"), "{text}");
        let text = said(&[(0, high), (30, high)], 7);
        assert!(
            text.starts_with("networks that part at step 30 still do not end linearly connected (shown)")
                && text.contains(
                    "by the means: after step 30 (95 % interval by resampling pairs: after step 30);"
                ),
            "{text}"
        );
        let text = said(&[(0, high), (30, mixed)], 7);
        assert!(text.contains("that part at step 30 cannot be told from 2 points (not decided)"), "{text}");
        let text = said(&[(0, high), (30, low)], 4);
        assert!(text.contains("one trunk end linearly connected (not testable)"), "{text}");
        let text = said(&[(0, high), (30, low)], 1);
        assert!(
            text.contains("in points: 8.00 at step 0, 1.00 at step 30; training error")
                && text.contains("1 pair"),
            "{text}"
        );
        assert!(parting(&[], "").is_none());
    }
}
