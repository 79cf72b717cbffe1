//! Searches for points of small gradient from random initial values, all runs together, stage after stage.

use std::path::Path;

use gradtop_sdk::prelude::*;
use gradtop_toolkit::checkpoint::{Saved, Saving};
use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::instruments::{Instruments, Probe, Watched};
use gradtop_toolkit::levenberg_marquardt::{Problem, Search};
use gradtop_toolkit::mlp::{Batch, Mlp, Workspace};
use gradtop_toolkit::optim::{Optimizer, Rule};
use gradtop_toolkit::rng::{Rng, Stream};
use gradtop_toolkit::tensors::{column, copied, lengths, numbers};
use tch::{Device, Kind, TchError, Tensor};

use super::MinimalRatio;

/// A network and the data it fits.
#[derive(Debug)]
pub struct Net {
    /// Its widths: `1-4-4-1`.
    pub name: String,
    /// Shape and loss.
    pub shape: Network,
    /// The points.
    pub samples: Samples,
    /// Variance of the targets: the loss of predicting their mean.
    pub variance: f64,
    /// Inputs.
    pub x: Vec<f64>,
    /// Targets.
    pub y: Vec<f64>,
}

/// A method to find vanishing gradients.
#[derive(Choice, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finder {
    /// Levenberg–Marquardt on ½‖g‖².
    #[choice("lm")]
    LevenbergMarquardt,
    /// Adam on ½‖g‖²: the course's switch of objectives.
    Switch,
}

/// The work of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageKind {
    /// Adam on the loss.
    Train,
    /// A search for a vanishing gradient from where training ended.
    Find(Finder),
}

impl StageKind {
    /// Returns the split of its metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "adam",
            Self::Find(finder) => finder.name(),
        }
    }

    /// Returns whether it is Levenberg–Marquardt.
    pub(super) fn is_lm(self) -> bool {
        self == Self::Find(Finder::LevenbergMarquardt)
    }
}

/// One stage of a run.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// Index into [`Plan::networks`].
    pub network: usize,
    /// What it does.
    pub kind: StageKind,
    /// Number of steps.
    pub steps: i64,
}

/// Everything to be done.
#[derive(Debug)]
pub struct Plan {
    /// The parameters.
    pub params: MinimalRatio,
    /// The networks, one after the other.
    pub networks: Vec<Net>,
    /// Seed.
    pub seed: u64,
    /// Device.
    pub device: Device,
}

impl Plan {
    /// Returns the stages in order: for each network its training, then its searches.
    pub fn stages(&self) -> Vec<Stage> {
        let mut stages = Vec::new();
        for network in 0..self.networks.len() {
            stages.push(Stage { network, kind: StageKind::Train, steps: self.params.train_steps });
            for &finder in &self.params.finders {
                let steps = match finder {
                    Finder::LevenbergMarquardt => self.params.lm_steps,
                    Finder::Switch => self.params.switch_steps,
                };
                stages.push(Stage { network, kind: StageKind::Find(finder), steps });
            }
        }
        stages
    }

    /// Returns the number of steps of all stages.
    pub fn steps(&self) -> i64 {
        self.stages().iter().map(|stage| stage.steps).sum()
    }

    /// Returns one thread until the activations of all runs are a million numbers: below that, threads wait longer than
    /// they compute.
    pub fn useful_threads(&self, available: usize) -> usize {
        let most = self
            .networks
            .iter()
            .map(|net| {
                self.params.runs * net.samples.count() * net.shape.widths().iter().max().copied().unwrap_or(1)
            })
            .max()
            .unwrap_or(1);
        if most < 1 << 20 { 1 } else { available }
    }

    /// Returns the step at which each run's training ends: the last one for the first half of the runs, a log-uniform
    /// one for the rest.
    pub fn stops(&self) -> Vec<i64> {
        (0..self.params.runs)
            .map(|run| {
                if run < self.params.runs / 2 {
                    return self.params.train_steps;
                }
                let mut rng = Rng::new(self.seed, Stream::named("minimal-ratio/stop").member(run as u32), 0);
                let step = rng.uniform_in(0.0, (self.params.train_steps as f64).ln()).exp().round() as i64;
                step.clamp(1, self.params.train_steps)
            })
            .collect()
    }
}

/// The points at which one finder ended for one network.
#[derive(Debug)]
pub struct Arm<'a> {
    /// The network.
    pub net: &'a Net,
    /// The finder.
    pub finder: Finder,
    /// Parameters of each run: `[runs, parameters]`.
    pub parameters: &'a Tensor,
}

impl Arm<'_> {
    /// Returns `1-4-4-1-lm`: part of the names of its tables and figures.
    pub fn name(&self) -> String {
        format!("{}-{}", self.net.name, self.finder.name())
    }
}

struct Descent<'a>(&'a Net);

impl Problem for Descent<'_> {
    fn gradients(&self, parameters: &Tensor) -> Result<Tensor, TchError> {
        Ok(self.0.shape.gradient(parameters, &self.0.samples)?.1)
    }

    fn hessians(&self, parameters: &Tensor) -> Result<Tensor, TchError> {
        self.0.shape.hessian(parameters, &self.0.samples)
    }
}

enum Work<'a> {
    Train(Box<Training>),
    Search(Box<Search<Descent<'a>>>),
    Switch { parameters: Tensor, optimizer: Optimizer },
}

struct Training {
    mlp: Mlp,
    optimizer: Optimizer,
    space: Workspace,
    batch: Batch,
    stops: Vec<i64>,
}

/// The state of a run at one step.
pub struct Run<'a> {
    plan: &'a Plan,
    stages: Vec<Stage>,
    stage: usize,
    /// Number of steps done in this stage, and in the previous ones.
    step: i64,
    before: i64,
    work: Work<'a>,
    /// The parameters of each network's runs after training: `[runs, parameters]`.
    starts: Vec<Tensor>,
    /// The parameters at the end of each search.
    ends: Vec<Tensor>,
    /// Probes of each network's training, if it is watched.
    probes: Vec<Probe>,
}

impl<'a> Run<'a> {
    /// Creates the state at step 0.
    pub fn new(plan: &'a Plan) -> Result<Self> {
        Ok(Self {
            stages: plan.stages(),
            stage: 0,
            step: 0,
            before: 0,
            work: Work::Train(Box::new(Training::new(plan, 0)?)),
            starts: vec![blank(plan, 0)?],
            ends: Vec::new(),
            probes: Vec::new(),
            plan,
        })
    }

    /// Attaches instruments to the training of every network; the searches that follow have none.
    pub fn watch(&mut self, ctx: &Ctx, instruments: &mut Instruments) -> Result<()> {
        if !instruments.on() {
            return Ok(());
        }
        for (index, net) in self.plan.networks.iter().enumerate() {
            let training = Training::new(self.plan, index)?;
            let column = |values: &[f64]| column(values, self.plan.device);
            let data = (&column(&net.x)?, &column(&net.y)?);
            let probe = instruments.declare(ctx, net.name.as_str(), &training.mlp, &data)?;
            self.probes.push(probe.until(&training.stops));
        }
        Ok(())
    }

    /// Logs the instruments' readings since the last call.
    pub fn log_readings(&mut self, ctx: &Ctx) -> Result<()> {
        // A step goes over all points.
        self.probes.iter_mut().try_for_each(|probe| probe.log_kept(ctx, 1))
    }

    /// Returns the number of steps done in all stages.
    pub fn step(&self) -> i64 {
        self.before + self.step
    }

    /// Returns the stage and how many of its steps are done.
    pub fn place(&self) -> (Stage, i64) {
        (self.stages[self.stage], self.step)
    }

    /// Describes what is being done.
    pub fn phase(&self) -> String {
        let stage = self.stages[self.stage];
        let what = match stage.kind {
            StageKind::Train => "Adam on the loss",
            StageKind::Find(Finder::LevenbergMarquardt) => "Levenberg-Marquardt",
            StageKind::Find(Finder::Switch) => "Adam on the gradient norm",
        };
        format!("{}: {what}", self.plan.networks[stage.network].name)
    }

    /// Returns the network of the current stage.
    pub(super) fn net(&self) -> &'a Net {
        &self.plan.networks[self.stages[self.stage].network]
    }

    /// Makes one step of every run.
    pub fn advance(&mut self) -> Result<()> {
        if self.step == self.stages[self.stage].steps {
            self.next_stage()?;
        }
        let (net, stage) = (self.net(), self.stages[self.stage]);
        self.step += 1;
        match &mut self.work {
            Work::Train(training) => {
                training.advance(self.step - 1, self.probes.get_mut(stage.network))?;
                let start = self.starts.last().ok_or_else(|| Error::new("training has nowhere to end"))?;
                training.keep(self.step, start)?;
            }
            Work::Search(search) => drop(search.step()?),
            Work::Switch { parameters, optimizer } => {
                // The gradient of ½‖g‖² is Hg.
                let (_, uphill) = net.shape.gradient_and_image(parameters, &net.samples)?;
                optimizer.update(parameters, &uphill)?;
            }
        }
        if self.step == stage.steps && stage.kind != StageKind::Train {
            self.ends.push(copied(&self.parameters()?)?);
        }
        Ok(())
    }

    fn next_stage(&mut self) -> Result<()> {
        self.before += self.step;
        self.step = 0;
        self.stage += 1;
        let stage = self.stages[self.stage];
        if stage.kind == StageKind::Train {
            self.starts.push(blank(self.plan, stage.network)?);
        }
        self.work = self.begin(None)?;
        Ok(())
    }

    /// Creates the work of the current stage, at its beginning or as saved.
    fn begin(&self, saved: Option<&Saved>) -> Result<Work<'a>> {
        let stage = self.stages[self.stage];
        let net = self.net();
        let start = &self.starts[stage.network];
        Ok(match stage.kind {
            StageKind::Train => {
                let mut training = Training::new(self.plan, stage.network)?;
                if let Some(saved) = saved {
                    saved.restore("training", training.mlp.parameters(), &mut training.optimizer)?;
                }
                Work::Train(Box::new(training))
            }
            StageKind::Find(Finder::LevenbergMarquardt) => Work::Search(Box::new(match saved {
                None => Search::new(Descent(net), start)?,
                Some(saved) => {
                    let (parameters, damping) = (saved.tensor("parameters")?, saved.tensor("damping")?);
                    Search::resume(Descent(net), &self.here(parameters)?, &self.here(damping)?)?
                }
            })),
            StageKind::Find(Finder::Switch) => {
                let parameters = match saved {
                    None => copied(start)?,
                    Some(saved) => copied(&self.here(saved.tensor("parameters")?)?)?,
                };
                let mut optimizer =
                    Optimizer::new(Rule::Adam { lr: self.plan.params.switch_lr }, &parameters)?;
                if let Some(saved) = saved {
                    let (first, second) = (saved.tensor("first")?, saved.tensor("second")?);
                    optimizer.restore(self.step, &self.here(first)?, &self.here(second)?)?;
                }
                Work::Switch { parameters, optimizer }
            }
        })
    }

    fn here(&self, tensor: &Tensor) -> Result<Tensor, TchError> {
        tensor.f_to_device(self.plan.device)
    }

    /// Returns the current parameters of every run, during training those of a stopped run when it stopped: `[runs, parameters]`.
    pub fn parameters(&self) -> Result<Tensor> {
        Ok(match &self.work {
            Work::Train(training) => {
                let now = training.mlp.rows(training.mlp.parameters())?;
                let start = self.starts.last().ok_or_else(|| Error::new("training has nowhere to end"))?;
                let stopped: Vec<bool> = training.stops.iter().map(|stop| *stop <= self.step).collect();
                let stopped = Tensor::f_from_slice(&stopped)?.f_to_device(now.device())?.f_unsqueeze(1)?;
                start.f_where_self(&stopped, &now)?
            }
            Work::Search(search) => search.parameters().shallow_clone(),
            Work::Switch { parameters, .. } => parameters.shallow_clone(),
        })
    }

    /// Returns loss and gradient norm of every run.
    pub fn measure(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let net = self.net();
        let (losses, gradients) = net.shape.gradient(&self.parameters()?, &net.samples)?;
        Ok((numbers(&losses)?, numbers(&lengths(&gradients)?)?))
    }

    /// Returns the ends of the completed searches.
    pub fn arms(&self) -> Vec<Arm<'_>> {
        let finds = self.stages.iter().filter_map(|stage| match stage.kind {
            StageKind::Train => None,
            StageKind::Find(finder) => Some((stage.network, finder)),
        });
        finds
            .zip(&self.ends)
            .map(|((network, finder), parameters)| Arm {
                net: &self.plan.networks[network],
                finder,
                parameters,
            })
            .collect()
    }

    /// Saves everything needed to continue.
    pub fn save(&self, dir: &Path) -> Result<()> {
        let mut saving = Saving::default();
        saving.integers("position", &[self.stage as i64, self.step])?;
        for (i, start) in self.starts.iter().enumerate() {
            saving.tensor(&format!("start-{i}"), start)?;
        }
        for (i, end) in self.ends.iter().enumerate() {
            saving.tensor(&format!("end-{i}"), end)?;
        }
        match &self.work {
            Work::Train(training) => {
                saving.parameters("training", training.mlp.parameters(), &training.optimizer)?;
            }
            Work::Search(search) => {
                saving.tensor("parameters", search.parameters())?;
                saving.tensor("damping", search.damping())?;
            }
            Work::Switch { parameters, optimizer } => {
                saving.tensor("parameters", parameters)?;
                for (part, tensor) in optimizer.state() {
                    saving.tensor(part, tensor)?;
                }
            }
        }
        saving.checkpoint(dir)
    }

    /// Restores what [`Run::save`] saved.
    pub fn restore(plan: &'a Plan, dir: &Path) -> Result<Self> {
        let saved = Saved::checkpoint(dir)?;
        let [stage, step] = saved.exactly("position")?;
        let mut run = Self::new(plan)?;
        let known = run.stages.get(usize::try_from(stage).unwrap_or(usize::MAX));
        if !known.is_some_and(|known| (0..=known.steps).contains(&step)) {
            return Err(saved.misfit().into());
        }
        run.stage = stage as usize;
        run.step = step;
        run.before = run.stages[..run.stage].iter().map(|stage| stage.steps).sum();
        let read = |name: String, network: usize| -> Result<Tensor> {
            let wanted = [plan.params.runs, plan.networks[network].shape.parameter_count()];
            let tensor = saved.tensor(&name)?;
            if tensor.size() != wanted {
                return Err(saved.misfit().into());
            }
            Ok(copied(&tensor.f_to_device(plan.device)?)?)
        };
        let (mut starts, mut ends) = (Vec::new(), Vec::new());
        for (i, stage) in run.stages[..=run.stage].iter().enumerate() {
            if stage.kind == StageKind::Train {
                starts.push(read(format!("start-{}", starts.len()), stage.network)?);
            } else if i < run.stage || run.step == stage.steps {
                ends.push(read(format!("end-{}", ends.len()), stage.network)?);
            }
        }
        run.starts = starts;
        run.ends = ends;
        run.work = run.begin(Some(&saved))?;
        Ok(run)
    }
}

impl Training {
    fn new(plan: &Plan, network: usize) -> Result<Self> {
        let net = &plan.networks[network];
        let mut mlp = Mlp::zeros(net.shape.widths(), plan.params.runs, Kind::Double, plan.device)?;
        mlp.init_uniform(plan.seed, Stream::named(&format!("minimal-ratio/init/{}", net.name)))?;
        let row = |values: &[f64]| Tensor::f_from_slice(values)?.f_view([1, -1])?.f_to_device(plan.device);
        let x = row(&net.x)?;
        let inputs = Tensor::f_cat(&[&x, &x.f_ones_like()?], 0)?;
        Ok(Self {
            optimizer: Optimizer::new(Rule::Adam { lr: plan.params.lr }, mlp.parameters())?,
            space: mlp.workspace(net.samples.count())?,
            batch: Batch::shared(&inputs, &row(&net.y)?)?,
            stops: plan.stops(),
            mlp,
        })
    }

    /// Makes the update after `step` updates.
    fn advance(&mut self, step: i64, probe: Option<&mut Probe>) -> Result<()> {
        self.mlp.gradient(&self.space, &self.batch)?;
        let (mlp, space, batch) = (&self.mlp, &self.space, &self.batch);
        let mut none = Probe::default();
        let probe = probe.unwrap_or(&mut none);
        let noise = || Ok((mlp.gradient_variance(space, batch)?, space.samples()));
        let reading = probe.update(step, mlp, &mut self.optimizer, noise)?;
        probe.keep(reading);
        Ok(())
    }

    /// Copies the runs that stop at this step. They continue to be updated with the others, but the results are ignored.
    fn keep(&self, step: i64, starts: &Tensor) -> Result<()> {
        let stopped: Vec<i64> =
            (0..self.stops.len()).filter(|&run| self.stops[run] == step).map(|run| run as i64).collect();
        if stopped.is_empty() {
            return Ok(());
        }
        let stopped = Tensor::f_from_slice(&stopped)?.f_to_device(starts.device())?;
        let now = self.mlp.rows(self.mlp.parameters())?.f_index_select(0, &stopped)?;
        starts.shallow_clone().f_index_copy_(0, &stopped, &now).map(drop)?;
        Ok(())
    }
}

fn blank(plan: &Plan, network: usize) -> Result<Tensor, TchError> {
    let count = plan.networks[network].shape.parameter_count();
    Tensor::f_zeros([plan.params.runs, count], (Kind::Double, plan.device))
}
