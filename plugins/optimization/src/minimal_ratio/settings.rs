//! Checks the parameters, and describes them.

use gradtop_sdk::prelude::*;
use gradtop_toolkit::curvature::network::{Network, Samples};
use gradtop_toolkit::functions::{grid, sinc, variance};
use gradtop_toolkit::mlp::{Activation, Loss};
use gradtop_toolkit::settings;
use gradtop_toolkit::tensors::column;
use tch::Device;

use super::MinimalRatio;
use super::search::{Finder, Net, Plan};

/// Maximum number of parameters for which whole Hessians are computed: 100 of them then need 0.8 GB.
const MOST_PARAMETERS: i64 = 1000;

impl MinimalRatio {
    /// Converts the parameters to a plan of the search.
    pub fn plan(&self, seed: u64, device: Device) -> Result<Plan> {
        Ok(Plan {
            networks: self.networks.iter().map(|text| network(text, device)).collect::<Result<_>>()?,
            params: self.clone(),
            seed,
            device,
        })
    }
}

impl Plan {
    /// Describes how the runs reached their ends, for captions.
    pub(super) fn in_words(&self) -> String {
        let MinimalRatio { runs, lr, train_steps, lm_steps, switch_lr, switch_steps, .. } = self.params;
        let finders = self.params.finders.iter().map(|finder| match finder {
            Finder::LevenbergMarquardt => format!("Levenberg-Marquardt, {lm_steps} iterations"),
            Finder::Switch => {
                format!("Adam on half the squared gradient norm, lr {switch_lr}, {switch_steps} steps")
            }
        });
        format!(
            "tanh, sin(5πx)/(5πx) on [1e-4, 1], full batch, double precision; {runs} runs: Adam on the loss, lr {lr}, \
             {train_steps} steps, the second half stopped at a log-uniform step before; then {}; seed {}",
            finders.collect::<Vec<_>>().join(" or "),
            self.seed
        )
    }
}

/// Parses `4-4@64`: hidden widths and number of points.
fn network(text: &str, device: Device) -> Result<Net> {
    let wrong = |why: &str| {
        Error::invalid(format!(
            "parameter `networks` names `{text}`: {why}; hidden widths @ points, such as 4-4@64"
        ))
    };
    let (hidden, points) = text.split_once('@').ok_or_else(|| wrong("the number of points is missing"))?;
    let points: usize = points.parse().map_err(|_| wrong("the points are no whole number"))?;
    let mut widths = vec![1];
    for width in hidden.split('-') {
        let width: i64 = width.trim().parse().map_err(|_| wrong("a width is no whole number"))?;
        if !(1..=MOST_PARAMETERS).contains(&width) {
            return Err(wrong("a width is out of range"));
        }
        widths.push(width);
    }
    widths.push(1);
    if !(2..=100_000).contains(&points) {
        return Err(wrong("there must be 2 to 100000 points"));
    }
    let shape = Network::new(&widths, Activation::Tanh, Loss::MeanSquared)?;
    if shape.parameter_count() > MOST_PARAMETERS {
        return Err(wrong(&format!(
            "it has {} parameters, the Hessians are whole only up to {MOST_PARAMETERS}",
            shape.parameter_count()
        )));
    }
    let x = grid(1e-4, 1.0, points);
    let y: Vec<f64> = x.iter().copied().map(sinc).collect();
    Ok(Net {
        name: settings::shape(&widths),
        samples: Samples::new(&column(&x, device)?, &column(&y, device)?)?,
        variance: variance(&y),
        shape,
        x,
        y,
    })
}
