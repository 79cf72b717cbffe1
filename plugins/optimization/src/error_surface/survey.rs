//! Trains, then evaluates surface after surface, point by point.

use std::path::Path;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::ensemble::Ensemble;
use gradtop_toolkit::pca::Pca;
use gradtop_toolkit::record;
use gradtop_toolkit::tensors::rows;
use gradtop_toolkit::weights::Weights;
use tch::{Device, TchError, Tensor};

use super::ErrorSurface;
use super::directions::{extremes, filter_normalised, through_zero};
use super::plane::{Axes, Curvature, evaluate};
use super::task::Task;

/// Number of parameters up to which several threads are not worthwhile.
const SMALL: i64 = 1000;

/// Everything to be done.
pub struct Plan {
    /// The parameters.
    pub params: ErrorSurface,
    /// The tasks to train.
    pub tasks: Vec<Task>,
    /// Seed.
    pub seed: u64,
    /// Device.
    pub device: Device,
}

/// The work of a stage.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageKind {
    /// Training, with snapshots.
    #[choice("training")]
    Train,
    /// The line from the initial to the final parameters.
    Line,
    /// The plane of two random directions.
    Random,
    /// The plane of the path's first two principal components.
    Path,
    /// The plane of the eigenvectors of the Hessian's largest and smallest eigenvalue.
    Eigen,
}

/// One stage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    pub(super) task: usize,
    pub(super) kind: StageKind,
    steps: i64,
}

impl Plan {
    fn stages(&self) -> Vec<Stage> {
        let mut stages = Vec::new();
        for (task, what) in self.tasks.iter().enumerate() {
            stages.push(Stage { task, kind: StageKind::Train, steps: what.steps });
            stages.push(Stage { task, kind: StageKind::Line, steps: 1 });
            for kind in [StageKind::Random, StageKind::Path, StageKind::Eigen] {
                stages.push(Stage { task, kind, steps: self.params.grid });
            }
        }
        stages
    }

    /// Returns the number of steps of all stages.
    pub fn steps(&self) -> i64 {
        self.stages().iter().map(|stage| stage.steps).sum()
    }

    /// Returns the number of snapshots of a task, including the first and the last: one for each step if there are fewer.
    pub(super) fn snapshots(&self, task: &Task) -> i64 {
        self.params.snapshots.min(task.steps + 1)
    }

    /// Returns whether a snapshot is taken after this many steps: at both ends, and evenly between.
    fn is_snapshot(&self, task: &Task, step: i64) -> bool {
        let taken = |step: i64| step * (self.snapshots(task) - 1) / task.steps;
        step == 0 || taken(step) > taken(step - 1)
    }
}

/// The results of a finished surface.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    /// Loss of the final parameters.
    pub(super) centre: f64,
    pub(super) lowest: f64,
    pub(super) highest: f64,
    /// Position of the lowest loss, on the line or in the plane.
    pub(super) lowest_at: [f64; 2],
    /// For a line: the loss at its start, the highest from start to end, and how often it rises from one point to the next.
    pub(super) start: f64,
    pub(super) highest_between: f64,
    pub(super) rises: f64,
    /// For a plane, the curvature along its axes.
    pub(super) curvature: [Curvature; 2],
    pub(super) explained: [f64; 2],
    pub(super) eigenvalues: [[f64; 2]; 2],
}

record!(Found {
    centre,
    lowest,
    highest,
    lowest_at,
    start,
    highest_between,
    rises,
    curvature,
    explained,
    eigenvalues
});

/// The points of the current surface.
enum Work {
    Train(Box<Ensemble>),
    Line,
    Plane(Box<Axes>),
}

/// The state of a survey at one step.
pub struct Survey<'a> {
    plan: &'a Plan,
    stages: Vec<Stage>,
    stage: usize,
    step: i64,
    before: i64,
    work: Work,
    /// Snapshots of each task's parameters so far: `[snapshots, parameters]`.
    paths: Vec<Tensor>,
    /// Losses of the current stage's points so far.
    values: Vec<f64>,
    /// For a line, the same on the test set.
    tested: Vec<f64>,
    /// The results of finished surfaces, in the order of the stages without training.
    found: Vec<Found>,
}

impl<'a> Survey<'a> {
    /// Creates the state at step 0.
    pub fn new(plan: &'a Plan) -> Result<Self> {
        let ensemble = plan.tasks[0].begin(plan.seed)?;
        Ok(Self {
            paths: vec![ensemble.mlp.trial_parameters(0)?.f_unsqueeze(0)?],
            work: Work::Train(Box::new(ensemble)),
            stages: plan.stages(),
            stage: 0,
            step: 0,
            before: 0,
            values: Vec::new(),
            tested: Vec::new(),
            found: Vec::new(),
            plan,
        })
    }

    /// Returns the number of steps done in all stages.
    pub fn step(&self) -> i64 {
        self.before + self.step
    }

    /// Returns whether the current stage is done.
    pub fn stage_is_done(&self) -> bool {
        self.step == self.stages[self.stage].steps
    }

    /// Returns what the current stage does.
    pub fn kind(&self) -> StageKind {
        self.stages[self.stage].kind
    }

    /// Returns whether the current stage is training.
    pub fn is_training(&self) -> bool {
        self.kind() == StageKind::Train
    }

    /// Returns the current stage's task.
    pub fn task(&self) -> &'a Task {
        &self.plan.tasks[self.stages[self.stage].task]
    }

    /// Returns whether one thread is sufficient for the current stage.
    pub(crate) fn is_small(&self) -> bool {
        self.task().shape.parameter_count() <= SMALL
    }

    /// Describes what is being done.
    pub fn phase(&self) -> String {
        let what = match self.kind() {
            StageKind::Train => "training",
            StageKind::Line => "line from start to end",
            StageKind::Random => "random plane",
            StageKind::Path => "plane of the path",
            StageKind::Eigen => "plane of extreme curvature",
        };
        format!("{}: {what}", self.task().name)
    }

    /// Returns the losses so far of the current stage's points, row by row, and for a line those on the test set.
    pub fn values(&self) -> (&[f64], &[f64]) {
        (&self.values, &self.tested)
    }

    /// Returns the plane being drawn.
    pub fn axes(&self) -> Option<&Axes> {
        match &self.work {
            Work::Plane(axes) => Some(axes),
            _ => None,
        }
    }

    /// Returns the positions on the line: 0 is the initial, 1 the final parameters.
    pub fn line(&self) -> Vec<f64> {
        let points = self.plan.params.line_points;
        let gap = 2.0 / (points - 1) as f64;
        (0..points).map(|i| (i - (points - 1) / 4) as f64 * gap).collect()
    }

    /// Returns the snapshots of the current task: `[snapshots, parameters]`.
    pub fn path(&self) -> &Tensor {
        &self.paths[self.stages[self.stage].task]
    }

    /// Returns finished surfaces: the task, the kind, and the results.
    pub(super) fn found(&self) -> impl Iterator<Item = (&'a Task, StageKind, &Found)> {
        let surfaces = self.stages.iter().filter(|stage| stage.kind != StageKind::Train);
        surfaces.zip(&self.found).map(|(stage, found)| (&self.plan.tasks[stage.task], stage.kind, found))
    }

    /// Returns the final parameters of the current task: `[parameters]`.
    fn end(&self) -> Result<Tensor, TchError> {
        let path = self.path();
        path.f_select(0, path.size()[0] - 1)
    }

    /// Returns the loss at the end of the current task's training, which is bit for bit the loss at the centre of every plane.
    pub fn stored_loss(&self) -> Result<f64> {
        let task = self.task();
        Ok(evaluate(&task.shape, &self.end()?.f_unsqueeze(0)?, &task.train, self.plan.params.grid)?[0])
    }

    /// Returns the epoch and the losses on the training and test samples, if a snapshot has just been taken.
    pub fn measured(&self) -> Result<Option<(f64, Vec<f64>)>> {
        let Work::Train(ensemble) = &self.work else { return Ok(None) };
        let task = self.task();
        if !self.is_snapshot() {
            return Ok(None);
        }
        let here = self.end()?.f_unsqueeze(0)?;
        let mut losses = evaluate(&task.shape, &here, &task.train, self.plan.params.grid)?;
        if let Some(test) = &task.test {
            losses.extend(evaluate(&task.shape, &here, test, self.plan.params.grid)?);
        }
        Ok(Some((ensemble.epoch(), losses)))
    }

    fn is_snapshot(&self) -> bool {
        self.plan.is_snapshot(self.task(), self.step)
    }

    /// Makes one update by `update`, which receives the task's index, the task and its network, or evaluates one row of a
    /// plane, or a line.
    pub fn advance(
        &mut self,
        mut update: impl FnMut(usize, &Task, &mut Ensemble) -> Result<()>,
    ) -> Result<()> {
        if self.stage_is_done() {
            self.before += self.step;
            self.step = 0;
            self.stage += 1;
            (self.values, self.tested) = (Vec::new(), Vec::new());
            self.work = self.begin(None)?;
            if let Work::Train(ensemble) = &self.work {
                self.paths.push(ensemble.mlp.trial_parameters(0)?.f_unsqueeze(0)?);
            }
        }
        let task = self.task();
        let group = self.plan.params.grid;
        match &mut self.work {
            Work::Train(ensemble) => update(self.stages[self.stage].task, task, ensemble)?,
            Work::Line => {
                let (start, end) = (self.path().f_select(0, 0)?, self.end()?);
                let alpha = Tensor::f_from_slice(&self.line())?
                    .f_to_kind(task.kind)?
                    .f_to_device(self.plan.device)?;
                let alpha = alpha.f_unsqueeze(1)?;
                let points = start.f_mul(&alpha.f_neg()?.f_add_scalar(1.0)?)?.f_add(&end.f_mul(&alpha)?)?;
                self.values = evaluate(&task.shape, &points, &task.train, group)?;
                if let Some(test) = &task.test {
                    self.tested = evaluate(&task.shape, &points, test, group)?;
                }
            }
            Work::Plane(axes) => {
                let points = axes.row(self.step as usize)?;
                self.values.extend(evaluate(&task.shape, &points, &task.train, group)?);
            }
        }
        self.step += 1;
        if self.is_training() && self.is_snapshot() {
            self.keep()?;
        }
        if self.stage_is_done() && !self.is_training() {
            let found = self.conclude()?;
            self.found.push(found);
        }
        Ok(())
    }

    fn keep(&mut self) -> Result<()> {
        let Work::Train(ensemble) = &self.work else { return Ok(()) };
        let here = ensemble.mlp.trial_parameters(0)?.f_unsqueeze(0)?;
        let task = self.stages[self.stage].task;
        self.paths[task] = Tensor::f_cat(&[&self.paths[task], &here], 0)?;
        Ok(())
    }

    /// Returns the results of the finished surface.
    fn conclude(&self) -> Result<Found> {
        let lowest = (0..self.values.len())
            .min_by(|&a, &b| self.values[a].total_cmp(&self.values[b]))
            .unwrap_or_default();
        let found = Found {
            centre: self.stored_loss()?,
            lowest: self.values[lowest],
            highest: self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ..Found::default()
        };
        let Some(axes) = self.axes() else {
            let quarter = (self.values.len() - 1) / 4;
            let between = &self.values[quarter..=3 * quarter];
            return Ok(Found {
                lowest_at: [self.line()[lowest], 0.0],
                start: between[0],
                highest_between: between.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                rises: between.windows(2).filter(|pair| pair[1] > pair[0]).count() as f64,
                ..found
            });
        };
        let across = axes.x.len();
        Ok(Found {
            lowest_at: [axes.x[lowest % across], axes.y[lowest / across]],
            curvature: axes.curvature,
            explained: axes.explained,
            eigenvalues: axes.eigenvalues,
            ..found
        })
    }

    /// Creates the work of the current stage, at its beginning or as saved.
    fn begin(&self, saved: Option<&Saved>) -> Result<Work> {
        Ok(match self.kind() {
            StageKind::Train => {
                let mut ensemble = self.task().begin(self.plan.seed)?;
                if let Some(saved) = saved {
                    ensemble.restore("training", saved)?;
                }
                Work::Train(Box::new(ensemble))
            }
            StageKind::Line => Work::Line,
            StageKind::Random | StageKind::Path | StageKind::Eigen => Work::Plane(Box::new(self.plane()?)),
        })
    }

    fn plane(&self) -> Result<Axes> {
        let (plan, task) = (self.plan, self.task());
        let origin = self.end()?;
        let count = plan.params.grid as usize;
        let symmetric = |half: f64| -> Vec<f64> {
            let middle = (count / 2) as f64;
            (0..count).map(|i| (i as f64 - middle) / middle * half).collect()
        };
        let (mut explained, mut eigenvalues) = ([f64::NAN; 2], [[f64::NAN; 2]; 2]);
        let mut path = Vec::new();
        let (directions, x, y) = match self.kind() {
            StageKind::Path => {
                let pca = Pca::of(self.path(), 2)?;
                if pca.components.size()[0] < 2 {
                    return Err(Error::new("the path has too few snapshots for a plane"));
                }
                // Scores are relative to the mean, but the plane goes through the end of the path.
                let scores = pca.scores.f_sub(&pca.scores.f_select(0, pca.scores.size()[0] - 1)?)?;
                path = rows(&scores)?;
                explained = [0, 1].map(|i| pca.explained.get(i).copied().unwrap_or(0.0));
                let component = |i: i64| pca.components.f_select(0, i)?.f_to_kind(task.kind);
                let axis = |i: usize| {
                    let low = path.iter().map(|p| p[i]).fold(0.0, f64::min);
                    let high = path.iter().map(|p| p[i]).fold(0.0, f64::max);
                    let margin = 0.25 * (high - low).max(f64::MIN_POSITIVE);
                    through_zero(low - margin, high + margin, count)
                };
                ([component(0)?, component(1)?], axis(0), axis(1))
            }
            StageKind::Eigen => {
                let pairs = extremes(
                    &task.shape,
                    &task.train,
                    &origin,
                    plan.params.lanczos_steps as usize,
                    plan.seed,
                )?;
                let start = self.path().f_narrow(0, 0, 1)?;
                let rise =
                    evaluate(&task.shape, &start, &task.train, plan.params.grid)?[0] - self.stored_loss()?;
                let length = origin.f_norm()?.f_double_value(&[])?;
                // As far as the quadratic changes the loss by as much as training did, but no further than the norm of
                // the parameters.
                let half = |value: f64| {
                    let reach = (2.0 * rise.abs() / value.abs()).sqrt();
                    symmetric(if reach.is_finite() { reach.min(length) } else { length })
                };
                eigenvalues = [0, 1].map(|i| [pairs[i].value, pairs[i].bound]);
                let [first, second] = pairs;
                ([first.vector, second.vector], half(first.value), half(second.value))
            }
            _ => {
                let random = |member| filter_normalised(&task.shape, &origin, plan.seed, member);
                ([random(0)?, random(1)?], symmetric(plan.params.radius), symmetric(plan.params.radius))
            }
        };
        let along = |i: usize| Curvature::of(task, &origin, &directions[i], plan.params.grid);
        let curvature = [along(0)?, along(1)?];
        Ok(Axes { origin, directions, x, y, curvature, explained, eigenvalues, path })
    }

    /// Saves the final weights of each task's network in the run's folder.
    pub(super) fn keep_weights(&self, ctx: &Ctx) -> Result<()> {
        let mut weights = Weights::default();
        for (task, path) in self.plan.tasks.iter().zip(&self.paths) {
            weights.flat(task.name, task.shape.widths(), &path.f_select(0, path.size()[0] - 1)?)?;
        }
        weights.write(ctx, self.step(), "networks")
    }

    /// Saves everything needed to continue.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut saving = Saving::default();
        saving.integers("position", &[self.stage as i64, self.step])?;
        for (i, path) in self.paths.iter().enumerate() {
            saving.tensor(&format!("path-{i}"), path)?;
        }
        for (i, found) in self.found.iter().enumerate() {
            saving.records(&format!("found-{i}"), &[*found])?;
        }
        saving.numbers("values", &self.values)?;
        saving.numbers("tested", &self.tested)?;
        if let Work::Train(ensemble) = &self.work {
            ensemble.save("training", &mut saving)?;
        }
        saving.checkpoint(dir)
    }

    /// Restores what [`Survey::save`] saved.
    pub fn restore(plan: &'a Plan, dir: &Path) -> Result<Self> {
        let saved = Saved::checkpoint(dir)?;
        let [stage, step] = saved.exactly("position")?;
        let mut survey = Self::new(plan)?;
        let known = survey.stages.get(usize::try_from(stage).unwrap_or(usize::MAX));
        if !known.is_some_and(|known| (0..=known.steps).contains(&step)) {
            return Err(saved.misfit().into());
        }
        survey.stage = stage as usize;
        survey.step = step;
        survey.before = survey.stages[..survey.stage].iter().map(|stage| stage.steps).sum();
        let done = &survey.stages[..=survey.stage];
        let begun = done.iter().filter(|stage| stage.kind == StageKind::Train).count();
        let mut paths = Vec::new();
        for (i, task) in plan.tasks.iter().take(begun).enumerate() {
            let path = saved.tensor(&format!("path-{i}"))?;
            if path.dim() != 2 || path.size()[1] != task.shape.parameter_count() || path.kind() != task.kind {
                return Err(saved.misfit().into());
            }
            paths.push(path.f_to_device(plan.device)?);
        }
        survey.paths = paths;
        let finished = done.len() - begun - usize::from(!survey.is_training() && !survey.stage_is_done());
        survey.found = (0..finished)
            .map(|i| saved.records(&format!("found-{i}"))?.pop().ok_or_else(|| saved.misfit().into()))
            .collect::<Result<_>>()?;
        survey.values = saved.numbers("values")?;
        survey.tested = saved.numbers("tested")?;
        survey.work = survey.begin(Some(&saved))?;
        Ok(survey)
    }
}
