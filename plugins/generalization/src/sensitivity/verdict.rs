//! What the measured networks say: order with batch size, peaks, correlation with the test loss.

use gradtop_toolkit::stats::{Estimate, mean, spearman};

use super::measure::{Measures, Network};
use super::plan::Plan;

/// A number of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantity {
    TrainLoss,
    TestLoss,
    TestAccuracy,
    Logits,
    Probabilities,
    LambdaMax,
    Trace,
    Sharpness,
}

impl Quantity {
    /// All of them.
    pub(super) const ALL: [Self; 8] = [
        Self::TrainLoss,
        Self::TestLoss,
        Self::TestAccuracy,
        Self::Logits,
        Self::Probabilities,
        Self::LambdaMax,
        Self::Trace,
        Self::Sharpness,
    ];

    /// What may go with the test loss.
    pub(super) const PREDICTORS: [Self; 5] =
        [Self::Logits, Self::Probabilities, Self::LambdaMax, Self::Trace, Self::Sharpness];

    /// Its column.
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

    /// In words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::TrainLoss => "training loss",
            Self::TestLoss => "test loss",
            Self::TestAccuracy => "test accuracy",
            Self::Logits => "sensitivity of logits",
            Self::Probabilities => "sensitivity of probabilities",
            Self::LambdaMax => "largest eigenvalue",
            Self::Trace => "trace",
            Self::Sharpness => "Keskar's sharpness",
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

/// The networks of the batch sizes that were measured by a protocol of this name.
pub(super) fn by_protocol<'a>(plan: &Plan, networks: &'a [Network], name: &str) -> Vec<&'a Network> {
    networks.iter().filter(|n| n.moment.name() == name && !plan.legs[n.leg].many).collect()
}

/// The many networks.
pub(super) fn many<'a>(plan: &Plan, networks: &'a [Network]) -> Vec<&'a Network> {
    networks.iter().filter(|n| plan.legs[n.leg].many).collect()
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

    /// Spearman's coefficient of batch size and quantity over networks.
    pub(super) fn trend(&self) -> Estimate {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for (batch, values) in &self.0 {
            x.extend(std::iter::repeat_n(*batch as f64, values.len()));
            y.extend(values);
        }
        spearman(&x, &y)
    }

    /// Means of the smallest and of the largest batch size.
    pub(super) fn ends(&self) -> Option<(f64, f64)> {
        let (first, last) = (self.0.first()?, self.0.last()?);
        Some((mean(&first.1), mean(&last.1)))
    }

    /// The batch size of the largest mean, if it is neither the smallest nor the largest, and every network there lies above
    /// every one at both ends.
    pub(super) fn peak(&self) -> Option<i64> {
        let means: Vec<f64> = self.0.iter().map(|group| mean(&group.1)).collect();
        let at = (0..means.len()).max_by(|&a, &b| means[a].total_cmp(&means[b]))?;
        if at == 0 || at + 1 == means.len() {
            return None;
        }
        let lowest = self.0[at].1.iter().copied().fold(f64::INFINITY, f64::min);
        let above = |end: usize| self.0[end].1.iter().all(|value| *value < lowest);
        (above(0) && above(means.len() - 1)).then_some(self.0[at].0)
    }

    /// The batch size of the largest mean.
    pub(super) fn top(&self) -> Option<i64> {
        let mean_of = |group: &&(i64, Vec<f64>)| mean(&group.1);
        self.0.iter().max_by(|a, b| mean_of(a).total_cmp(&mean_of(b))).map(|group| group.0)
    }
}

/// Spearman's coefficient of a quantity and the test loss over networks.
pub(super) fn with_test_loss(networks: &[&Network], quantity: Quantity) -> Estimate {
    let of = |quantity: Quantity| networks.iter().map(|n| quantity.of(&n.measures)).collect::<Vec<_>>();
    spearman(&of(quantity), &of(Quantity::TestLoss))
}

/// What is said of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Rises,
    Falls,
    Unclear,
}

impl Order {
    /// By whether the interval excludes zero.
    pub(super) fn of(estimate: Estimate) -> Self {
        if estimate.low > 0.0 {
            Self::Rises
        } else if estimate.high < 0.0 {
            Self::Falls
        } else {
            Self::Unclear
        }
    }
}

/// The evidence on a peak of a sensitivity against batch size under as many epochs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Artefact {
    /// Where the peak is, if there is one.
    pub(super) peak: Option<i64>,
    /// Whether the training loss rises with batch size there: the networks are not equally trained.
    pub(super) unequal: bool,
    /// Where the largest value was after fewer epochs.
    pub(super) earlier: Option<i64>,
    /// Where a peak is at equal training loss.
    pub(super) matched: Option<i64>,
    /// Batch sizes compared at equal training loss, and the largest of them.
    pub(super) matched_sizes: usize,
    pub(super) matched_up_to: i64,
}

impl Artefact {
    /// Of these networks.
    pub(super) fn of(plan: &Plan, networks: &[Network], quantity: Quantity) -> Self {
        let groups = |name: &str, quantity| Groups::of(plan, &by_protocol(plan, networks, name), quantity);
        let matched = groups("loss", quantity);
        Self {
            peak: groups("epochs", quantity).peak(),
            unequal: Order::of(groups("epochs", Quantity::TrainLoss).trend()) == Order::Rises,
            earlier: groups("early", quantity).top(),
            matched: matched.peak(),
            matched_sizes: matched.0.len(),
            matched_up_to: matched.0.last().map_or(0, |group| group.0),
        }
    }

    /// The evidence for, and the evidence against, the peak being one of training progress alone: it moves to larger batches
    /// with more training, the networks are unequally trained, and at equal training loss it is gone. Nothing if there is no
    /// peak.
    pub(super) fn evidence(&self) -> Option<(Vec<String>, Vec<String>)> {
        let peak = self.peak?;
        let (mut for_it, mut against) = (Vec::new(), Vec::new());
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
            against.push("too few batch sizes came to the equal training loss to compare".to_owned());
        } else {
            weigh(
                self.matched.is_none(),
                format!("at equal training loss there is no peak up to batch size {}", self.matched_up_to),
                format!(
                    "at equal training loss there is a peak too, at {}",
                    self.matched.unwrap_or_default()
                ),
            );
        }
        Some((for_it, against))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn groups(of: &[(i64, [f64; 3])]) -> Groups {
        Groups(of.iter().map(|(batch, values)| (*batch, values.to_vec())).collect())
    }

    #[test]
    fn peaks_stand_above_both_ends() {
        let clear = groups(&[(16, [1.0, 1.1, 1.2]), (64, [3.0, 3.1, 3.2]), (256, [2.0, 2.1, 2.2])]);
        assert_eq!((clear.peak(), clear.top()), (Some(64), Some(64)));
        let touching = groups(&[(16, [1.0, 1.1, 1.2]), (64, [2.1, 3.1, 3.2]), (256, [2.0, 2.1, 2.2])]);
        assert_eq!((touching.peak(), touching.top()), (None, Some(64)));
        let rising = groups(&[(16, [1.0, 1.1, 1.2]), (64, [2.1, 3.1, 3.2]), (256, [4.0, 4.1, 4.2])]);
        assert_eq!((rising.peak(), rising.top()), (None, Some(256)));
        assert_eq!(Order::of(rising.trend()), Order::Rises);
        assert_eq!(Groups(Vec::new()).peak(), None);
    }

    #[test]
    fn a_peak_is_an_artefact_only_if_everything_says_so() {
        let shown = Artefact {
            peak: Some(4096),
            unequal: true,
            earlier: Some(1024),
            matched: None,
            matched_sizes: 5,
            matched_up_to: 4096,
        };
        let (for_it, against) = shown.evidence().unwrap();
        assert_eq!((for_it.len(), against.len()), (3, 0));
        for other in [
            Artefact { unequal: false, ..shown.clone() },
            Artefact { earlier: Some(4096), ..shown.clone() },
            Artefact { earlier: None, ..shown.clone() },
            Artefact { matched: Some(256), ..shown.clone() },
            Artefact { matched_sizes: 2, ..shown.clone() },
        ] {
            assert_eq!(other.evidence().unwrap().1.len(), 1, "{other:?}");
        }
        assert_eq!(Artefact { peak: None, ..shown }.evidence(), None);
    }
}
