//! The recorded weights and their principal components.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::conclusion::Spread;
use gradtop_toolkit::instruments::Watched;
use gradtop_toolkit::mlp::Mlp;
use gradtop_toolkit::pca::Pca;
use gradtop_toolkit::tensors::{lengths, numbers};
use tch::{Kind, TchError, Tensor};

use super::OptimizationPath;
use super::training::Training;

/// Number of components whose scores are stored.
const COMPONENTS: i64 = 3;

/// Weights of all runs, recorded every few epochs.
pub(super) struct Path {
    runs: i64,
    /// The layer analysed in addition to the whole, from 0, and the position of its parameters within a run's.
    pub(super) layer: usize,
    layer_start: i64,
    layer_length: i64,
    epochs: Vec<i64>,
    /// Test accuracies, `[record][run]`.
    accuracies: Vec<Vec<f64>>,
    /// One tensor `[runs, parameters]` per record, on the CPU.
    weights: Vec<Tensor>,
    start: Tensor,
    /// The principal components of all records so far, once there are two: of the whole network, and of the layer.
    pub(super) spaces: Vec<Space>,
}

/// Principal components of a space of weights.
pub(super) struct Space {
    /// `whole network` or `layer 1`.
    pub(super) name: String,
    table: &'static str,
    /// The components of all runs together.
    pub(super) together: Pca,
    /// The components of each single run.
    pub(super) alone: Vec<Pca>,
}

/// Returns all parameters on the CPU, one row per run.
fn rows(mlp: &Mlp) -> Result<Tensor, TchError> {
    mlp.rows(mlp.parameters())?.f_to_device(tch::Device::Cpu)
}

impl Path {
    pub(super) fn new(params: &OptimizationPath, training: &Training) -> Result<Self> {
        let counts = training.ensemble.mlp.layer_parameter_counts();
        let layer = params.layer as usize - 1;
        Ok(Self {
            runs: params.runs,
            layer,
            layer_start: counts[..layer].iter().sum(),
            layer_length: counts[layer],
            epochs: Vec::new(),
            accuracies: Vec::new(),
            weights: Vec::new(),
            start: rows(&training.ensemble.mlp)?,
            spaces: Vec::new(),
        })
    }

    pub(super) fn records(&self) -> usize {
        self.weights.len()
    }

    /// Returns each run's distance from its initial parameters.
    pub(super) fn distances(&self, mlp: &Mlp) -> Result<Vec<f64>> {
        Ok(norms(&rows(mlp)?.f_sub(&self.start)?)?)
    }

    /// Records the weights of an epoch.
    pub(super) fn record(&mut self, mlp: &Mlp, epoch: i64, accuracies: &[f64]) -> Result<()> {
        self.weights.push(rows(mlp)?);
        self.epochs.push(epoch);
        self.accuracies.push(accuracies.to_vec());
        Ok(())
    }

    /// Computes the principal components of at least two records.
    pub(super) fn analyse(&mut self) -> Result<()> {
        // [records, runs, parameters].
        let all = Tensor::f_stack(&self.weights, 0)?.f_to_kind(Kind::Double)?;
        let space = |name: String, table, all: &Tensor| -> Result<Space> {
            let flat = all.f_reshape([-1, all.size()[2]])?;
            let alone = (0..self.runs)
                .map(|run| Pca::of(&all.f_select(1, run)?, COMPONENTS))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Space { name, table, together: Pca::of(&flat, COMPONENTS)?, alone })
        };
        let layer = all.f_narrow(2, self.layer_start, self.layer_length)?;
        self.spaces = vec![
            space("whole network".to_owned(), "path-whole", &all)?,
            space(format!("layer {}", self.layer + 1), "path-layer", &layer)?,
        ];
        Ok(())
    }

    /// Returns the distances between the last and the first records: of each run, between runs at the start, and
    /// between runs at the end.
    pub(super) fn separations(&self) -> Result<[Spread; 3]> {
        let (first, last) = (&self.weights[0], &self.weights[self.weights.len() - 1]);
        let travelled = norms(&last.f_sub(first)?)?;
        let between = |weights: &Tensor| -> Result<Vec<f64>> {
            let mut distances = Vec::new();
            for a in 0..self.runs {
                for b in 0..a {
                    let difference = weights.f_select(0, a)?.f_sub(&weights.f_select(0, b)?)?;
                    distances.extend(norms(&difference.f_unsqueeze(0)?)?);
                }
            }
            Ok(distances)
        };
        Ok([Spread::of(&travelled), Spread::of(&between(first)?), Spread::of(&between(last)?)])
    }

    /// Returns the test accuracies at the last record.
    pub(super) fn last_accuracies(&self) -> &[f64] {
        self.accuracies.last().map_or(&[], Vec::as_slice)
    }

    pub(super) fn save(&self, saving: &mut Saving) -> Result<()> {
        saving.integers("path.epochs", &self.epochs)?;
        saving.tensor("path.weights", &Tensor::f_stack(&self.weights, 0)?)?;
        saving.tensor("path.start", &self.start)?;
        saving.tensor("path.accuracies", &Tensor::f_from_slice(&self.accuracies.concat())?)?;
        Ok(())
    }

    pub(super) fn restore(&mut self, saved: &Saved) -> Result<()> {
        self.epochs = saved.integers("path.epochs")?;
        let weights = saved.tensor("path.weights")?;
        let (records, runs) = (self.epochs.len() as i64, self.runs);
        let accuracies = numbers(saved.tensor("path.accuracies")?)?;
        if weights.size() != [records, runs, self.start.size()[1]]
            || accuracies.len() as i64 != records * runs
        {
            return Err(Error::new(format!(
                "the checkpoint's recorded weights are {:?}, this run's would be [{records}, {runs}, {}]",
                weights.size(),
                self.start.size()[1]
            )));
        }
        self.weights = (0..records).map(|i| weights.f_get(i)).collect::<Result<_, _>>()?;
        self.start = saved.tensor("path.start")?.shallow_clone();
        self.accuracies = accuracies.chunks(runs as usize).map(<[f64]>::to_vec).collect();
        if self.records() > 1 { self.analyse() } else { Ok(()) }
    }

    /// Writes the tables `path-whole`, `path-layer`, `single-whole`, `single-layer` and `scree`.
    pub(super) fn write(&self, ctx: &Ctx, step: i64) -> Result<()> {
        let runs = self.runs as usize;
        for space in &self.spaces {
            // Every run's points in the common components, and those of run 0 in its own.
            self.write_scores(ctx, step, space.table, &space.together, 0..runs)?;
            self.write_scores(ctx, step, &space.table.replace("path", "single"), &space.alone[0], 0..1)?;
        }
        let components = self.spaces.iter().flat_map(|space| {
            let mut sum = 0.0;
            // Beyond the number of runs and what moves within them, fractions are too small for a figure.
            (1..).zip(space.together.explained.iter().take(2 * runs)).map(move |(i, share)| {
                sum += share;
                (space, i, *share, sum)
            })
        });
        let rows = Rows::of(components)
            .utf8("space", |(space, ..)| &space.name)
            .i64("component", |(_, i, ..)| i)
            .f64("explained", |(_, _, share, _)| share)
            .f64("cumulative", |(.., sum)| sum);
        ctx.table("scree", step, &rows.columns())
    }

    /// Writes the scores of some runs, whose rows in `pca` are ordered by record.
    fn write_scores(
        &self,
        ctx: &Ctx,
        step: i64,
        table: &str,
        pca: &Pca,
        runs: std::ops::Range<usize>,
    ) -> Result<()> {
        let scores = numbers(&pca.scores)?;
        let width = pca.scores.size()[1] as usize;
        let count = runs.len();
        // Two records have only one component.
        let component = |c: usize, (r, i): (usize, usize)| {
            if c < width { scores[(i * count + r) * width + c] } else { 0.0 }
        };
        let rows = Rows::of(runs.flat_map(|r| (0..self.epochs.len()).map(move |i| (r, i))))
            .i64("trial", |(r, _)| r as i64)
            .i64("epoch", |(_, i)| self.epochs[i])
            .f64("accuracy", |(r, i)| self.accuracies[i][r])
            .utf8("percent", |(r, i)| format!("{:.1}", 100.0 * self.accuracies[i][r]))
            .f64("pc1", |at| component(0, at))
            .f64("pc2", |at| component(1, at))
            .f64("pc3", |at| component(2, at));
        ctx.table(table, step, &rows.columns())
    }
}

/// Returns the Euclidean norm of each row.
fn norms(rows: &Tensor) -> Result<Vec<f64>, TchError> {
    numbers(&lengths(&rows.f_to_kind(Kind::Double)?)?)
}

impl Space {
    /// Returns the lowest fraction of a single run's variance that its first two components explain.
    pub(super) fn alone_lowest(&self) -> f64 {
        Spread::of(&self.alone.iter().map(|pca| pca.explained_by(2)).collect::<Vec<_>>()).lowest
    }
}
