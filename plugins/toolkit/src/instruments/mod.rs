//! Training instruments: measure gradients, their noise, updates and curvature at chosen intervals.
//!
//! Off unless the user asks for them. A step that is not measured costs one comparison, and one that is costs a few
//! passes over the parameters, or for the curvature some dozens of products with the Hessian. They only read:
//! parameters are bit for bit the same as without them. See docs/instruments.md for formulas, units and interpretation.
//!
//! An experiment needs three things: the parameters ([`Settings`], as a field with `#[param(flatten)]`), the metrics
//! ([`describe`]), and for each network or ensemble a [`Probe`] from [`Instruments::declare`], which makes the updates:
//!
//! ```no_run
//! # use gradtop_sdk::prelude::*;
//! # use gradtop_toolkit::{ensemble::Ensemble, instruments::{Instruments, Settings}, mlp::Samples};
//! # fn run(ctx: &Ctx, settings: &Settings, mut ensemble: Ensemble, train: Samples) -> Result<()> {
//! let mut instruments = Instruments::new(settings, ctx.seed(), "ReLU 784-15-30-10 on MNIST.");
//! let mut probe = instruments.declare(ctx, "deep", &ensemble.mlp, &train)?;
//! while ensemble.step() < 1000 {
//!     probe.advance(ctx, &mut ensemble, &train)?; // instead of ensemble.advance(&train)?
//! }
//! # Ok(())
//! # }
//! ```

mod check;
mod curvature;
mod figures;
mod gradients;
mod network;
mod probe;
mod subset;

use gradtop_sdk::prelude::*;

pub use check::assert_harmless;
pub use curvature::Curvature;
use gradients::DECADES;
pub use gradients::Gradients;
pub use network::{Product, Watched};
pub use probe::{Instruments, Name, Probe, Reading};
pub use subset::{Data, Subset};

/// The parameters, to stand among an experiment's: `#[param(flatten)] pub instruments: Settings`.
#[derive(Params, Clone, Debug)]
pub struct Settings {
    /// Steps between readings of the training instruments (gradients, their noise, updates); 0: off
    #[param(default = 0, min = 0)]
    pub instruments: i64,
    /// Steps between readings of the curvature (largest eigenvalue and trace of the Hessian); 0: off
    #[param(default = 0, min = 0)]
    pub instruments_curvature: i64,
    /// Training samples for the curvature, drawn by the seed
    #[param(default = 250, min = 1, max = 60_000)]
    pub instruments_samples: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self::defaults()
    }
}

impl Settings {
    /// Returns whether anything is measured.
    pub fn on(&self) -> bool {
        self.instruments > 0 || self.instruments_curvature > 0
    }
}

/// Adds the metrics to an experiment's description.
pub fn describe(info: Info) -> Info {
    metrics().into_iter().fold(info, Info::metric)
}

/// Returns the metrics that a [`Probe`] logs.
pub fn metrics() -> [Metric; 8] {
    [
        Metric::new("batch/grad_norm").log().help("Norm of the gradient of the step's batch"),
        Metric::new("batch/layer_grad_norm").log().help("The same over one layer's weights and biases"),
        Metric::new("batch/update_size").log().help("Length of the update"),
        Metric::new("batch/distance").help("Distance of the parameters from their initial values"),
        Metric::new("batch/noise_scale").unit("samples").log().help(
            "Simple gradient noise scale, tr Σ / |gradient|²: batches far larger than this help little",
        ),
        Metric::new("curvature/max_eigenvalue").log().help(
            "Largest eigenvalue of the loss's Hessian on a fixed part of the training data, by Lanczos",
        ),
        Metric::new("curvature/trace")
            .help("Trace of the loss's Hessian on a fixed part of the training data, by Hutchinson"),
        Metric::new("curvature/trace_error").log().help("Standard error of that estimate"),
    ]
}
