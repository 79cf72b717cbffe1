//! Statistics of the measured networks: order with batch size, peaks, correlation with the test loss.

use gradtop_sdk::Choice;
use gradtop_toolkit::conclusion::FEWEST;
use gradtop_toolkit::rates;
use gradtop_toolkit::stats::{Estimate, bootstrap, mean, permutation, spearman};

use super::measure::{Measures, Network};
use super::plan::{Plan, Purpose};

/// A quantity of a network.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    #[choice("training loss")]
    TrainLoss,
    #[choice("test loss")]
    TestLoss,
    #[choice("test accuracy")]
    TestAccuracy,
    #[choice("sensitivity of logits")]
    Logits,
    #[choice("sensitivity of probabilities")]
    Probabilities,
    #[choice("largest eigenvalue")]
    LambdaMax,
    Trace,
    #[choice("Keskar's sharpness")]
    Sharpness,
}

/// Quantities whose peak may be one of training progress.
pub(super) const PEAKS: [Quantity; 2] = [Quantity::Probabilities, Quantity::Logits];

impl Quantity {
    /// Quantities that may correlate with the test loss.
    pub(super) const PREDICTORS: [Self; 5] =
        [Self::Logits, Self::Probabilities, Self::LambdaMax, Self::Trace, Self::Sharpness];

    pub(super) fn column(self) -> &'static str {
        match self {
            Self::TrainLoss => "train_loss",
            Self::TestLoss => "test_loss",
            Self::TestAccuracy => "test_accuracy",
            Self::Logits => "logit_sensitivity",
            Self::Probabilities => "probability_sensitivity",
            Self::LambdaMax => "lambda_max",
            Self::Trace => "trace",
            Self::Sharpness => "sharpness",
        }
    }

    /// Returns its name as the subject of a sentence.
    pub(super) fn with_article(self) -> String {
        match self {
            Self::Sharpness => self.name().to_owned(),
            _ => format!("the {}", self.name()),
        }
    }

    pub(super) fn of(self, measures: &Measures) -> f64 {
        match self {
            Self::TrainLoss => measures.train_loss,
            Self::TestLoss => measures.test_loss,
            Self::TestAccuracy => measures.test_accuracy,
            Self::Logits => measures.logits,
            Self::Probabilities => measures.probabilities,
            Self::LambdaMax => measures.lambda_max,
            Self::Trace => measures.trace,
            Self::Sharpness => measures.sharpness,
        }
    }
}

/// Returns the networks of the batch sizes measured by a protocol.
pub(super) fn by_protocol<'a>(plan: &Plan, networks: &'a [Network], name: &str) -> Vec<&'a Network> {
    of(plan, networks, Purpose::Batches).into_iter().filter(|n| n.moment.name() == name).collect()
}

/// Returns the networks with one purpose.
pub(super) fn of<'a>(plan: &Plan, networks: &'a [Network], purpose: Purpose) -> Vec<&'a Network> {
    networks.iter().filter(|n| plan.legs[n.leg].purpose == purpose).collect()
}

pub(super) fn many<'a>(plan: &Plan, networks: &'a [Network]) -> Vec<&'a Network> {
    of(plan, networks, Purpose::Many)
}

/// Returns for each batch size, ascending, the network at the common rate, and the one with the lowest validation loss,
/// if it is another: of those that reached the training loss.
pub(super) fn own_rates<'a>(plan: &Plan, networks: &'a [Network]) -> Vec<[&'a Network; 2]> {
    let swept = of(plan, networks, Purpose::Rates);
    let mut pairs: Vec<[&Network; 2]> = swept
        .chunk_by(|a, b| plan.legs[a.leg].batch == plan.legs[b.leg].batch)
        .filter_map(|same| {
            let common = same.iter().find(|n| plan.legs[n.leg].lr == plan.params.lr)?;
            Some([*common, rates::own(same, |n| n.measures.validation_loss).unwrap_or(common)])
        })
        .collect();
    pairs.sort_by_key(|[common, _]| plan.legs[common.leg].batch);
    pairs
}

/// One quantity by batch size, ascending.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Groups(pub(super) Vec<(i64, Vec<f64>)>);

impl Groups {
    pub(super) fn of(plan: &Plan, networks: &[&Network], quantity: Quantity) -> Self {
        let mut groups: Vec<(i64, Vec<f64>)> = Vec::new();
        for network in networks {
            let (batch, value) = (plan.legs[network.leg].batch, quantity.of(&network.measures));
            match groups.iter_mut().find(|group| group.0 == batch) {
                Some(group) => group.1.push(value),
                None => groups.push((batch, vec![value])),
            }
        }
        groups.sort_by_key(|group| group.0);
        Self(groups)
    }

    /// Returns batch size and quantity of every network.
    fn pairs(&self) -> (Vec<f64>, Vec<f64>) {
        let each = |(batch, values): &(i64, Vec<f64>)| {
            values.iter().map(|value| (*batch as f64, *value)).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(each).unzip()
    }

    /// Returns Spearman's coefficient of batch size and quantity over networks.
    pub(super) fn trend(&self) -> Estimate {
        let (x, y) = self.pairs();
        spearman(&x, &y)
    }

    /// Returns p of the trend by permutation; `None` with fewer than [`FEWEST`] networks of a batch size.
    pub(super) fn chance(&self) -> Option<f64> {
        let (x, y) = self.pairs();
        self.is_enough().then(|| permutation::correlation(&x, &y))
    }

    fn is_enough(&self) -> bool {
        self.0.iter().all(|(_, values)| values.len() >= FEWEST)
    }

    /// Returns the means of the smallest and the largest batch size.
    pub(super) fn ends(&self) -> Option<(f64, f64)> {
        let (first, last) = (self.0.first()?, self.0.last()?);
        Some((mean(&first.1), mean(&last.1)))
    }

    /// Returns the batch size with the largest mean, if it is an inner one whose mean exceeds those of both ends, and p
    /// of a peak as high at any position; no p with fewer than [`FEWEST`] networks of a batch size.
    pub(super) fn peak(&self) -> Option<(i64, Option<f64>)> {
        let values: Vec<Vec<f64>> = self.0.iter().map(|group| group.1.clone()).collect();
        let (at, _) = permutation::peak(&values)?;
        Some((self.0[at].0, self.is_enough().then(|| permutation::of_peak(&values))))
    }

    /// Returns the batch size with the largest mean.
    pub(super) fn top(&self) -> Option<i64> {
        let mean_of = |group: &&(i64, Vec<f64>)| mean(&group.1);
        self.0.iter().max_by(|a, b| mean_of(a).total_cmp(&mean_of(b))).map(|group| group.0)
    }
}

/// The correlation of a quantity with the test loss, over networks grouped by setting: batch size and rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prediction {
    /// Spearman's coefficient over all networks, with the interval from resampling whole settings.
    pub(super) estimate: Estimate,
    pub(super) settings: usize,
    /// p by exchanging whole settings; `None` with fewer than [`FEWEST`] settings.
    pub(super) p: Option<f64>,
}

/// Correlates a quantity with the test loss. Networks of one setting are alike, so the setting is the unit.
pub(super) fn with_test_loss(networks: &[&Network], quantity: Quantity) -> Prediction {
    let mut settings: Vec<(usize, permutation::Group)> = Vec::new();
    for network in networks {
        let pair = (quantity.of(&network.measures), Quantity::TestLoss.of(&network.measures));
        if !(pair.0.is_finite() && pair.1.is_finite()) {
            continue;
        }
        let at = settings.iter().position(|setting| setting.0 == network.leg).unwrap_or_else(|| {
            settings.push((network.leg, (Vec::new(), Vec::new())));
            settings.len() - 1
        });
        settings[at].1.0.push(pair.0);
        settings[at].1.1.push(pair.1);
    }
    let groups: Vec<permutation::Group> = settings.into_iter().map(|setting| setting.1).collect();
    let over = |chosen: &[usize]| {
        let side = |of: fn(&permutation::Group) -> &Vec<f64>| {
            chosen.iter().flat_map(|&i| of(&groups[i]).iter().copied()).collect::<Vec<_>>()
        };
        spearman(&side(|g| &g.0), &side(|g| &g.1))
    };
    let all: Vec<usize> = (0..groups.len()).collect();
    let (low, high) = bootstrap::interval(groups.len(), |chosen| over(chosen).value);
    let estimate = Estimate { low, high, ..over(&all) };
    let p = (groups.len() >= FEWEST).then(|| permutation::grouped(&groups));
    Prediction { estimate, settings: groups.len(), p }
}

/// The evidence about a peak of a sensitivity against batch size at an equal number of epochs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Artefact {
    /// The position of the peak, if there is one, and its p.
    pub(super) peak: Option<(i64, Option<f64>)>,
    /// Whether the training loss rises with batch size there, so that the networks are not equally trained.
    pub(super) unequal: bool,
    /// The position of the largest value after fewer epochs.
    pub(super) earlier: Option<i64>,
    /// The position of a peak at equal training loss.
    pub(super) matched: Option<i64>,
    /// Number of batch sizes compared at equal training loss, and the largest of them.
    pub(super) matched_sizes: usize,
    pub(super) matched_up_to: i64,
}

impl Artefact {
    /// Collects the evidence from these networks.
    pub(super) fn of(plan: &Plan, networks: &[Network], quantity: Quantity) -> Self {
        let groups = |name: &str, quantity| Groups::of(plan, &by_protocol(plan, networks, name), quantity);
        let matched = groups("loss", quantity);
        Self {
            peak: groups("epochs", quantity).peak(),
            unequal: groups("epochs", Quantity::TrainLoss).trend().low > 0.0,
            earlier: groups("early", quantity).top(),
            matched: matched.peak().map(|peak| peak.0),
            matched_sizes: matched.0.len(),
            matched_up_to: matched.0.last().map_or(0, |group| group.0),
        }
    }

    /// Returns the evidence for, the evidence against, and what cannot be tested of the peak being one of training
    /// progress alone: it moves to larger batches with more training, the networks are unequally trained, and at equal
    /// training loss it is gone. A peak at or beyond the largest size that reached the equal loss would have no right
    /// side there. `None` without a peak.
    pub(super) fn evidence(&self) -> Option<[Vec<String>; 3]> {
        let (peak, _) = self.peak?;
        let (mut for_it, mut against, mut untestable) = (Vec::new(), Vec::new(), Vec::new());
        let mut weigh = |holds: bool, yes: String, no: String| {
            if holds { for_it.push(yes) } else { against.push(no) }
        };
        weigh(
            self.unequal,
            "the training loss rises with batch size, so the networks are not equally trained".to_owned(),
            "the training loss does not rise with batch size".to_owned(),
        );
        let before = self.earlier.map_or_else(|| "nowhere".to_owned(), |at| format!("at {at}"));
        weigh(
            self.earlier.is_some_and(|earlier| earlier < peak),
            format!("after fewer epochs the largest value was {before}: the peak moves with training"),
            format!(
                "after fewer epochs the largest value was {before}: the peak does not move to larger batches"
            ),
        );
        if self.matched_sizes < 3 {
            untestable.push("too few batch sizes came to the equal training loss to compare".to_owned());
        } else if peak >= self.matched_up_to {
            untestable.push(format!(
                "at equal training loss there are batch sizes up to {} only: a peak at {peak} cannot be tested there",
                self.matched_up_to
            ));
        } else {
            weigh(
                self.matched.is_none(),
                format!(
                    "at equal training loss no size stands above both ends, up to batch size {}",
                    self.matched_up_to
                ),
                format!(
                    "at equal training loss there is a peak too, at {}",
                    self.matched.unwrap_or_default()
                ),
            );
        }
        Some([for_it, against, untestable])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn groups(of: &[(i64, [f64; 5])]) -> Groups {
        Groups(of.iter().map(|(batch, values)| (*batch, values.to_vec())).collect())
    }

    #[test]
    fn peaks_stand_above_both_ends() {
        let near = |at: f64| [at, at + 0.1, at - 0.1, at + 0.05, at];
        let clear = groups(&[(16, near(1.0)), (64, near(3.0)), (256, near(2.0))]);
        assert!(matches!(clear.peak(), Some((64, Some(p))) if p < 0.01) && clear.top() == Some(64));
        let touching = groups(&[(16, near(1.0)), (64, [2.0, 1.0, 2.1, 1.9, 3.1]), (256, near(2.0))]);
        assert!(matches!(touching.peak(), Some((64, Some(p))) if p > 0.05));
        let rising = groups(&[(16, near(1.0)), (64, near(2.0)), (256, near(4.0))]);
        assert_eq!((rising.peak(), rising.top()), (None, Some(256)));
        assert!(rising.trend().low > 0.0 && rising.chance().is_some_and(|p| p < 0.01));
        assert_eq!(Groups(Vec::new()).peak(), None);
        let few = Groups(vec![(16, vec![1.0; 2]), (64, vec![3.0; 2]), (256, vec![2.0; 2])]);
        assert_eq!((few.peak(), few.chance()), (Some((64, None)), None));
    }

    #[test]
    fn a_peak_is_an_artefact_only_if_everything_says_so() {
        let shown = Artefact {
            peak: Some((1024, Some(0.001))),
            unequal: true,
            earlier: Some(256),
            matched: None,
            matched_sizes: 5,
            matched_up_to: 4096,
        };
        let count = |of: &Artefact| of.evidence().unwrap().map(|list| list.len());
        assert_eq!(count(&shown), [3, 0, 0]);
        for other in [
            Artefact { unequal: false, ..shown.clone() },
            Artefact { earlier: Some(4096), ..shown.clone() },
            Artefact { earlier: None, ..shown.clone() },
            Artefact { matched: Some(256), ..shown.clone() },
        ] {
            assert_eq!(count(&other), [2, 1, 0], "{other:?}");
        }
        // At the largest size that came to the equal loss, and with too few that did, a peak there cannot be tested.
        for other in [
            Artefact { peak: Some((4096, None)), ..shown.clone() },
            Artefact { matched_sizes: 2, ..shown.clone() },
        ] {
            assert_eq!(count(&other), [2, 0, 1], "{other:?}");
        }
        assert_eq!(Artefact { peak: None, ..shown }.evidence(), None);
    }
}
