//! Analyses the Hessians at the ends of the searches.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::curvature::spectrum::{ROUNDING, Split, eigenvalues, largest};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::stats::{Estimate, partial_spearman, permutation, spearman};
use gradtop_toolkit::tensors::{lengths, numbers, rows};
use tch::{Kind, TchError, Tensor};

use super::search::{Arm, Finder, Plan};

/// ‖Hg‖ / (|λ|max ‖g‖) below which a point with nonzero gradient counts as gradient-flat: the gradient lies nearly in
/// the kernel of H, so that a search on ½‖g‖² cannot proceed (Frye et al. 2021).
pub(super) const FLAT: f64 = 0.01;
/// Relative difference up to which a loss counts as that of the mean predictor, the variance of the targets.
const TRIVIAL: f64 = 1e-4;
/// Gradient norm below which a point is critical up to rounding.
pub(super) const EXACT: f64 = 1e-8;
/// Half-widths of the boxes from which displacements for sampled ratios are drawn.
pub(super) const BOXES: [f64; 3] = [1e-4, 1e-3, 1e-2];
/// Number of tolerances tried on either side of one, per factor of ten and in total.
const FINE: u32 = 10;
const REACH: u32 = 12 * FINE;
/// Tolerances of the panel, as fractions of the largest absolute eigenvalue.
pub(super) const SHARES: [f64; 6] = [1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2];

/// The kind of point at which a run ended.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The gradient vanishes, at a loss other than the mean predictor's.
    Critical,
    /// The gradient vanishes, at the loss of predicting the mean of the targets: a trivial, degenerate saddle.
    #[choice("mean predictor")]
    Mean,
    /// The gradient does not vanish, but lies nearly in the kernel of the Hessian.
    #[choice("gradient-flat")]
    Flat,
    /// Neither: the search had not ended, or diverged.
    Neither,
}

/// The definition of the fraction of positive eigenvalues.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ratio {
    /// n₊ / (n₊ + n₋).
    #[choice("n+/(n+ + n-)")]
    Signed,
    /// n₊ / P.
    #[choice("n+/P")]
    Positive,
    /// 1 − n₋ / P.
    #[choice("1 - n-/P")]
    NotNegative,
}

impl Ratio {
    fn of(self, split: Split) -> f64 {
        match self {
            Self::Signed => split.signed_share(),
            Self::Positive => split.positive_share(),
            Self::NotNegative => split.not_negative_share(),
        }
    }
}

/// The tolerance within which eigenvalues count as zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Tolerance {
    /// None: even eigenvalues that are only rounding errors are counted by their sign.
    Raw,
    /// This fraction of the run's largest absolute eigenvalue.
    Share(f64),
    /// This multiple of the run's gradient norm.
    GradientNorm(f64),
}

/// The course's tolerance.
pub(super) const COURSE: Tolerance = Tolerance::GradientNorm(1.0);

impl Tolerance {
    pub(super) fn name(self) -> String {
        match self {
            Self::Raw => "0".to_owned(),
            Self::Share(share) => format!("{share:.0e}"),
            Self::GradientNorm(_) => "|g|".to_owned(),
        }
    }

    fn times(self, factor: f64) -> Self {
        match self {
            Self::Raw => Self::Raw,
            Self::Share(share) => Self::Share(factor * share),
            Self::GradientNorm(norms) => Self::GradientNorm(factor * norms),
        }
    }
}

/// Which of the points with vanishing gradient to consider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Points {
    /// Those trained to the end, the main result. Over all points, a correlation mostly distinguishes long training
    /// from early stopping.
    Trained,
    /// Those trained to the end, without the mean predictor.
    WithoutMean,
    /// All, including those stopped early.
    All,
}

/// The end of one run.
#[derive(Debug)]
pub(super) struct End {
    pub(super) run: usize,
    /// Number of steps of Adam before the search.
    pub(super) trained: i64,
    /// Whether these are all training steps.
    pub(super) whole: bool,
    pub(super) loss: f64,
    pub(super) norm: f64,
    /// ‖Hg‖ / (|λ|max ‖g‖).
    pub(super) flatness: f64,
    pub(super) class: Class,
    /// The eigenvalues, ascending.
    pub(super) eigenvalues: Vec<f64>,
    /// Fractions of displacements that raise the loss, for each of [`BOXES`]; empty if none were drawn.
    pub(super) sampled: Vec<f64>,
}

impl End {
    /// Returns whether the gradient vanishes.
    pub(super) fn is_critical(&self) -> bool {
        matches!(self.class, Class::Critical | Class::Mean)
    }

    /// Counts eigenvalues by sign. Except with [`Tolerance::Raw`], eigenvalues within rounding errors have no sign,
    /// however small the tolerance: a gradient norm may be far below the rounding error of the largest eigenvalue.
    pub(super) fn split(&self, tolerance: Tolerance) -> Split {
        let rounding = ROUNDING * largest(&self.eigenvalues);
        let width = match tolerance {
            Tolerance::Raw => 0.0,
            Tolerance::Share(share) => rounding.max(share * largest(&self.eigenvalues)),
            Tolerance::GradientNorm(norms) => rounding.max(norms * self.norm),
        };
        Split::of(&self.eigenvalues, width)
    }

    pub(super) fn ratio(&self, ratio: Ratio, tolerance: Tolerance) -> f64 {
        ratio.of(self.split(tolerance))
    }
}

/// The ends of all runs of one network with one finder.
#[derive(Debug)]
pub(super) struct Analysis {
    /// `1-4-4-1-lm`.
    pub(super) name: String,
    pub(super) network: String,
    pub(super) finder: Finder,
    pub(super) parameters: i64,
    pub(super) points: i64,
    pub(super) variance: f64,
    /// The tolerance of tables and scatter figures.
    pub(super) tolerance: Tolerance,
    pub(super) ends: Vec<End>,
    /// `[run][parameter]`.
    pub(super) weights: Vec<Vec<f64>>,
}

impl Analysis {
    /// Computes Hessians, spectra and sampled ratios of an arm's points.
    pub(super) fn of(plan: &Plan, arm: &Arm<'_>) -> Result<Self> {
        let (params, net, points) = (&plan.params, arm.net, arm.parameters);
        let (losses, gradients) = net.shape.gradient(points, &net.samples)?;
        let hessians = net.shape.hessian(points, &net.samples)?;
        let images = hessians.f_bmm(&gradients.f_unsqueeze(2)?)?.f_squeeze_dim(2)?;
        let norms = |vectors: &Tensor| numbers(&lengths(vectors)?);
        let (losses, norms, images) = (numbers(&losses)?, norms(&gradients)?, norms(&images)?);
        let spectra = finite_eigenvalues(&hessians)?;
        let sampled = sampled(plan, arm)?;
        let stops = plan.stops();
        let ends = (0..params.runs as usize)
            .map(|run| {
                let (loss, norm) = (losses[run], norms[run]);
                let flatness = images[run] / (largest(&spectra[run]) * norm);
                let class = if norm < params.critical {
                    if (loss - net.variance).abs() < TRIVIAL { Class::Mean } else { Class::Critical }
                } else if flatness < FLAT {
                    Class::Flat
                } else {
                    Class::Neither
                };
                let sampled = sampled.iter().map(|shares| shares[run]).collect();
                let eigenvalues = spectra[run].clone();
                End {
                    run,
                    trained: stops[run],
                    whole: stops[run] == params.train_steps,
                    loss,
                    norm,
                    flatness,
                    class,
                    eigenvalues,
                    sampled,
                }
            })
            .collect();
        Ok(Self {
            name: arm.name(),
            network: net.name.clone(),
            finder: arm.finder,
            parameters: net.shape.parameter_count(),
            points: net.samples.count(),
            variance: net.variance,
            tolerance: Tolerance::Share(params.tolerance),
            ends,
            weights: rows(points)?,
        })
    }

    /// Returns Spearman's correlation of the loss with a ratio, over these points.
    pub(super) fn correlation(&self, of: Points, ratio: Ratio, tolerance: Tolerance) -> Estimate {
        let (losses, ratios) = self.pairs(of, ratio, tolerance);
        spearman(&losses, &ratios)
    }

    /// Returns p of the correlation by permutation; `None` with too few points.
    pub(super) fn chance(&self, of: Points, ratio: Ratio, tolerance: Tolerance) -> Option<f64> {
        let (losses, ratios) = self.pairs(of, ratio, tolerance);
        (!spearman(&losses, &ratios).value.is_nan()).then(|| permutation::correlation(&losses, &ratios))
    }

    /// Returns the nearest smaller and the nearest larger tolerance, to a quarter of their size, at which the
    /// coefficient of these points has another sign than that of points trained to the end at this tolerance.
    pub(super) fn turns(&self, of: Points, ratio: Ratio, tolerance: Tolerance) -> [Option<Tolerance>; 2] {
        let claimed = self.correlation(Points::Trained, ratio, tolerance).value;
        [-1.0, 1.0].map(|way| {
            (0..=REACH)
                .map(|i| tolerance.times(10_f64.powf(way * f64::from(i) / f64::from(FINE))))
                .find(|other| claimed * self.correlation(of, ratio, *other).value < 0.0)
        })
    }

    /// Returns the partial correlation over all points, given the number of training steps.
    pub(super) fn given_steps(&self, ratio: Ratio, tolerance: Tolerance) -> Estimate {
        let (losses, ratios) = self.pairs(Points::All, ratio, tolerance);
        let steps: Vec<f64> = self.points(Points::All).map(|end| end.trained as f64).collect();
        partial_spearman(&losses, &ratios, &steps)
    }

    fn pairs(&self, of: Points, ratio: Ratio, tolerance: Tolerance) -> (Vec<f64>, Vec<f64>) {
        self.points(of).map(|end| (end.loss, end.ratio(ratio, tolerance))).unzip()
    }

    /// Returns points with vanishing gradient. Among those trained to the end, the mean predictor occurs at most once,
    /// because all runs that end there are at one point.
    pub(super) fn points(&self, of: Points) -> impl Iterator<Item = &End> {
        let means = self.critical().filter(|end| end.whole && end.class == Class::Mean);
        let first = means.map(|end| end.run).next();
        self.critical().filter(move |end| match of {
            Points::All => true,
            Points::Trained => end.whole && (end.class != Class::Mean || Some(end.run) == first),
            Points::WithoutMean => end.whole && end.class != Class::Mean,
        })
    }

    /// Returns whether the mean predictor is among the points trained to the end.
    pub(super) fn trains_to_mean(&self) -> bool {
        self.points(Points::Trained).any(|end| end.class == Class::Mean)
    }

    /// Returns the points with vanishing gradient.
    pub(super) fn critical(&self) -> impl Iterator<Item = &End> {
        self.ends.iter().filter(|end| end.is_critical())
    }

    pub(super) fn count(&self, class: Class) -> usize {
        self.ends.iter().filter(|end| end.class == class).count()
    }

    /// Returns losses that at least a twentieth of the runs, and at least three, share to a thousandth, with their number.
    pub(super) fn plateaus(&self) -> Vec<(f64, usize)> {
        let mut losses: Vec<f64> = self.critical().map(|end| end.loss).collect();
        losses.sort_by(f64::total_cmp);
        let enough = (self.ends.len() / 20).max(3);
        losses
            .chunk_by(|a, b| b - a <= 1e-3 * b)
            .filter(|same| same.len() >= enough)
            .map(|same| (same[same.len() / 2], same.len()))
            .collect()
    }

    /// Returns the critical points with the lowest, the median and the highest loss, with their names.
    pub(super) fn three(&self) -> Vec<(&'static str, &End)> {
        let mut ends: Vec<&End> = self.critical().collect();
        ends.sort_by(|a, b| a.loss.total_cmp(&b.loss));
        let Some(last) = ends.len().checked_sub(1) else { return Vec::new() };
        [("lowest loss", 0), ("middle loss", last / 2), ("highest loss", last)]
            .into_iter()
            .map(|(name, at)| (name, ends[at]))
            .collect()
    }
}

/// Returns the eigenvalues of each Hessian; NaN for one that is not finite, which LAPACK must not receive.
fn finite_eigenvalues(hessians: &Tensor) -> Result<Vec<Vec<f64>>, TchError> {
    let odd = hessians
        .f_sum_dim_intlist([1_i64, 2].as_slice(), false, Kind::Double)?
        .f_isfinite()?
        .f_logical_not()?;
    let cleaned =
        hessians.f_where_self(&odd.f_logical_not()?.f_view([-1, 1, 1])?, &hessians.f_zeros_like()?)?;
    let odd = numbers(&odd.f_to_kind(Kind::Double)?)?;
    let mut spectra = eigenvalues(&cleaned)?;
    for (spectrum, odd) in spectra.iter_mut().zip(odd) {
        if odd > 0.0 {
            spectrum.fill(f64::NAN);
        }
    }
    Ok(spectra)
}

/// Returns the course's cheap substitute: the fraction of displacements, uniform in a box, that raise the loss;
/// `[box][run]`. All runs use the same displacements.
fn sampled(plan: &Plan, arm: &Arm<'_>) -> Result<Vec<Vec<f64>>> {
    let (params, net, points) = (&plan.params, arm.net, arm.parameters);
    if params.samples == 0 {
        return Ok(Vec::new());
    }
    let here = net.shape.losses(points, &net.samples)?;
    let count = net.shape.parameter_count();
    BOXES
        .iter()
        .enumerate()
        .map(|(which, half)| {
            let mut rng = Rng::new(plan.seed, Stream::named("minimal-ratio/box").member(which as u32), 0);
            let mut raised = here.f_zeros_like()?;
            for _ in 0..params.samples {
                let shift: Vec<f64> = (0..count).map(|_| rng.uniform_in(-half, *half)).collect();
                let shift = Tensor::f_from_slice(&shift)?.f_to_device(plan.device)?;
                let there = net.shape.losses(&points.f_add(&shift)?, &net.samples)?;
                raised = raised.f_add(&there.f_gt_tensor(&here)?.f_to_kind(Kind::Double)?)?;
            }
            Ok(numbers(&raised.f_div_scalar(params.samples as f64)?)?)
        })
        .collect()
}
