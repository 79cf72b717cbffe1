//! What the lines say, computed from them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::stats::mean;

use super::plan::{Kind, Plan};
use super::tables::start;
use super::walk::Line;

/// A barrier no higher than this many nats is none to speak of.
const NONE: f64 = 0.02;
/// From this many nats on, in every pair, it is one.
const CLEAR: f64 = 0.05;

/// The lines of one kind from the same or from other initial values.
struct Group<'a> {
    kind: Kind,
    same_start: bool,
    lines: Vec<&'a Line>,
}

impl Group<'_> {
    fn barriers(&self, set: usize, alphas: &[f64]) -> Vec<f64> {
        self.lines.iter().map(|line| line.barrier(set, alphas).0).collect()
    }

    /// Mean loss of a set at the place nearest to α.
    fn loss(&self, set: usize, alphas: &[f64], alpha: f64) -> f64 {
        let apart = |i: &usize| (alphas[*i] - alpha).abs();
        let nearest = (0..alphas.len()).min_by(|a, b| apart(a).total_cmp(&apart(b))).unwrap_or_default();
        mean(&self.lines.iter().map(|line| line.sets[set].loss[nearest]).collect::<Vec<_>>())
    }

    fn statement(&self, alphas: &[f64]) -> String {
        let (train, test) = (self.barriers(0, alphas), self.barriers(1, alphas));
        let mut parts = vec![format!("training barrier {}, test barrier {}", range(&train), range(&test))];
        parts.push(verdict(&train).to_owned());
        let distances: Vec<f64> = self.lines.iter().map(|line| line.distance).collect();
        let cosines: Vec<f64> = self.lines.iter().map(|line| line.cosine).collect();
        parts.push(format!("distance {:.1}, cosine {:.2}", mean(&distances), mean(&cosines)));
        let best = (0..alphas.len())
            .min_by(|&a, &b| self.loss(1, alphas, alphas[a]).total_cmp(&self.loss(1, alphas, alphas[b])));
        if let Some(best) = best {
            parts.push(format!(
                "the test loss is lowest, {:.3}, at α = {:.2} ({:.3} at 0, {:.3} at 1)",
                self.loss(1, alphas, alphas[best]),
                alphas[best],
                self.loss(1, alphas, 0.0),
                self.loss(1, alphas, 1.0)
            ));
        }
        parts.push(self.beyond(alphas));
        parts.join("; ")
    }

    /// How the line goes on beyond its ends, and which end looks flatter along it. A loss that falls beyond an end says that
    /// the line passes no minimum there, so that nothing is said of how flat one is.
    fn beyond(&self, alphas: &[f64]) -> String {
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
        let verdict = if !(before.is_finite() && after.is_finite()) {
            "it is not finite everywhere there".to_owned()
        } else if before < 0.0 || after < 0.0 {
            "the line passes no minimum where it falls, so neither end can be called the flatter".to_owned()
        } else if (before - after).abs() < NONE {
            "along this line neither end looks flatter".to_owned()
        } else {
            let flatter = if before < after { 0.0 } else { 1.0 };
            let (here, there) = (self.loss(1, alphas, flatter), self.loss(1, alphas, 1.0 - flatter));
            let goes = if here < there { "lower" } else { "no lower" };
            format!("along this line the network at {flatter} looks flatter, and its test loss is {goes}")
        };
        format!("{seen}: {verdict}")
    }
}

/// `0.213 (0.209 to 0.218)`.
fn range(values: &[f64]) -> String {
    let (low, high) = (
        values.iter().copied().fold(f64::INFINITY, f64::min),
        values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
    );
    if values.len() == 1 {
        format!("{low:.3}")
    } else {
        format!("{:.3} ({low:.3} to {high:.3})", mean(values))
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

/// Whether the initial values decide, over both kinds.
fn overall(groups: &[Group<'_>], alphas: &[f64]) -> String {
    let all = |same: bool| -> Vec<f64> {
        groups.iter().filter(|g| g.same_start == same).flat_map(|g| g.barriers(0, alphas)).collect()
    };
    let (same, other) = (all(true), all(false));
    let highest = same.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let lowest = other.iter().copied().fold(f64::INFINITY, f64::min);
    let apart = lowest > highest;
    // Of one or two pairs a kind, what was seen is said, and nothing concluded.
    if same.len() < 6 {
        let seen = if apart {
            "from different initial values the barriers are higher than from the same"
        } else {
            "the barriers from the same and from different initial values overlap"
        };
        return format!("Overall: {seen}. Fewer than 3 pairs of a kind: no order can be claimed.");
    }
    let decides = if apart && verdict(&other) == "a barrier" {
        "every pair from different initial values has a higher barrier than any pair from the same: the initial values decide the \
         picture, and a line says nothing about batch sizes or rates unless they are given"
    } else if apart {
        "pairs from different initial values have higher barriers than pairs from the same, but small ones"
    } else {
        "the barriers of pairs from the same and from different initial values overlap: here the initial values do not decide"
    };
    format!("Overall: {decides}.")
}

/// Writes a paragraph a kind of line to the log, and the numbers to the table `conclusion`.
pub(super) fn write(ctx: &Ctx, plan: &Plan, lines: &[Line]) -> Result<()> {
    let mut groups = Vec::new();
    for kind in Kind::ALL {
        for same_start in [true, false] {
            let of = lines.iter().filter(|line| line.kind == kind && line.same_start == same_start);
            groups.push(Group { kind, same_start, lines: of.collect() });
        }
    }
    let mut statements: Vec<String> = groups
        .iter()
        .map(|group| {
            format!(
                "Two {}, {} against {}, {} initial values: {}.",
                match group.kind {
                    Kind::Batch => "batch sizes",
                    Kind::Rate => "learning rates",
                },
                plan.roles[0].name,
                plan.role_of(group.kind).name,
                if group.same_start { "the same" } else { "other" },
                group.statement(&plan.alphas)
            )
        })
        .collect();
    statements.push(overall(&groups, &plan.alphas));
    for statement in &statements {
        ctx.info(statement)?;
    }
    // The last row is of all groups together, which have no one number.
    let number = |of: &dyn Fn(&Group<'_>) -> f64| groups.iter().map(of).chain([f64::NAN]).collect::<Vec<_>>();
    let kinds: Vec<&str> = groups.iter().map(|group| group.kind.name()).chain(["all"]).collect();
    let starts: Vec<&str> = groups.iter().map(|group| start(group.same_start)).chain(["all"]).collect();
    let pairs: Vec<i64> =
        groups.iter().map(|group| group.lines.len() as i64).chain([lines.len() as i64]).collect();
    let alphas = &plan.alphas;
    ctx.table(
        "conclusion",
        plan.steps(),
        &[
            Column::utf8("kind", &kinds),
            Column::utf8("start", &starts),
            Column::i64("pairs", pairs),
            Column::f64("train_barrier", number(&|g| mean(&g.barriers(0, alphas)))).unit("nats"),
            Column::f64("test_barrier", number(&|g| mean(&g.barriers(1, alphas)))).unit("nats"),
            Column::f64("train_loss_at_0", number(&|g| g.loss(0, alphas, 0.0))).unit("nats"),
            Column::f64("train_loss_at_1", number(&|g| g.loss(0, alphas, 1.0))).unit("nats"),
            Column::utf8("statement", &statements),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradtop_toolkit::mlp::Evaluation;

    fn line(kind: Kind, same_start: bool, pair: i64, hump: f64) -> Line {
        let loss = vec![0.9, 0.3, 0.1, 0.2 + hump, 0.3, 0.5, 4.0];
        let set = Evaluation { loss, accuracy: vec![0.9; 7] };
        Line { kind, same_start, pair, sets: [set.clone(), set], distance: 30.0, cosine: 0.5 }
    }

    const ALPHAS: [f64; 7] = [-1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0];

    #[test]
    fn barriers_are_heights_above_the_chord() {
        let (height, at) = line(Kind::Batch, true, 0, 0.25).barrier(0, &ALPHAS);
        assert!((height - 0.25).abs() < 1e-12 && at == 0.5, "{height} at {at}");
        // Below the chord: both ends have none, and so has the line.
        assert_eq!(line(Kind::Batch, true, 0, -0.1).barrier(0, &ALPHAS).0, 0.0);
        assert!(line(Kind::Batch, true, 0, f64::NAN).barrier(1, &ALPHAS).0.is_nan());
    }

    #[test]
    fn statements_follow_the_numbers() {
        let group = |same, humps: &[f64]| -> Vec<Line> {
            humps.iter().enumerate().map(|(i, hump)| line(Kind::Batch, same, i as i64, *hump)).collect()
        };
        let of = |same: &[f64], other: &[f64]| {
            let (same, other) = (group(true, same), group(false, other));
            let groups = [
                Group { kind: Kind::Batch, same_start: true, lines: same.iter().collect() },
                Group { kind: Kind::Batch, same_start: false, lines: other.iter().collect() },
            ];
            (groups[0].statement(&ALPHAS), groups[1].statement(&ALPHAS), overall(&groups, &ALPHAS))
        };
        let six = |value: f64| [value; 6];
        let (same, other, all) = of(&six(0.001), &six(0.2));
        assert!(same.contains("training barrier 0.001") && same.contains("no barrier to speak of"), "{same}");
        assert!(other.contains("; a barrier;") && other.contains("lowest, 0.100, at α = 0.00"), "{other}");
        assert!(other.contains("rises by 0.200 past 0 and rises by 0.200 past 1"), "{other}");
        assert!(other.contains("neither end looks flatter"), "{other}");
        assert!(all.contains("the initial values decide") && !all.contains("Fewer"), "{all}");
        // The other way round.
        let (_, other, all) = of(&six(0.2), &six(0.01));
        assert!(other.contains("no barrier to speak of"), "{other}");
        assert!(all.contains("do not decide"), "{all}");
        let (same, _, all) = of(&[0.01, 0.03], &[0.035, 0.04]);
        assert!(
            same.contains("neither clearly") && all.contains("are higher than from the same. Fewer"),
            "{same} {all}"
        );
        let (.., all) = of(&six(0.01), &six(0.04));
        assert!(all.contains("but small ones"), "{all}");
        let beyond = |losses: [f64; 7]| {
            let set = Evaluation { loss: losses.to_vec(), accuracy: vec![0.9; 7] };
            let line = Line {
                kind: Kind::Rate,
                same_start: true,
                pair: 0,
                sets: [set.clone(), set],
                distance: 1.0,
                cosine: 0.0,
            };
            Group { kind: Kind::Rate, same_start: true, lines: vec![&line] }.beyond(&ALPHAS)
        };
        let text = beyond([9.0, 7.0, 0.1, 0.2, 0.3, 0.5, 4.0]);
        assert!(text.contains("the network at 1 looks flatter, and its test loss is no lower"), "{text}");
        let text = beyond([9.0, 0.05, 0.1, 0.2, 0.3, 0.5, 4.0]);
        assert!(
            text.contains("falls by 0.050 past 0 and rises by 0.200 past 1: the line passes no"),
            "{text}"
        );
        assert!(beyond([9.0, f64::NAN, 0.1, 0.2, 0.3, 0.5, 4.0]).contains("not finite"));
        let (same, ..) = of(&[f64::NAN], &[0.2]);
        assert!(same.contains("not finite on the way"), "{same}");
    }
}
