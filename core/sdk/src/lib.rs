//! Write gradtop experiments in Rust.
//!
//! An experiment is a struct of parameters and one `run` function; a plugin is a `cdylib` crate that exports a list of them.
//!
//! ```
//! use gradtop_sdk::prelude::*;
//!
//! /// Halves a number again and again.
//! #[derive(Params)]
//! struct Halving {
//!     /// Number of steps
//!     #[param(default = 20, min = 1)]
//!     steps: i64,
//! }
//!
//! impl Experiment for Halving {
//!     fn info() -> Info {
//!         Info::new("halving", "Halving", "").metric(Metric::new("loss").goal(Goal::Min).headline())
//!     }
//!
//!     fn run(&mut self, ctx: &mut Ctx) -> Result<()> {
//!         let loss = ctx.series(Series::metric("loss"))?;
//!         for step in ctx.steps(0..self.steps) {
//!             let step = step?; // here a stop comes out
//!             ctx.log(step, &[(loss, 0.5_f64.powi(step as i32))])?;
//!         }
//!         Ok(())
//!     }
//! }
//!
//! gradtop_sdk::export_experiments![Halving];
//! # fn main() {
//! let recorded = gradtop_sdk::testing::TestHost::new().run::<Halving>(&[("steps", "3")]);
//! assert_eq!(recorded.values("loss"), [1.0, 0.5, 0.25]);
//! # }
//! ```
//!
//! The crate's build script calls `gradtop_sdk_build::plugin()`, so that the library exports one symbol only.
//! Panics are caught at the boundary and end the run as failed with their message; the plugin must therefore
//! be built with `panic = "unwind"`, which is cargo's default. A panic of a thread that the experiment started fails the run
//! at its next step or at its end, also where the thread is joined: what may go wrong there returns a `Result`.

#![warn(clippy::missing_errors_doc)]

#[doc(hidden)]
pub mod boundary;
mod ctx;
mod error;
mod export;
mod figure;
mod info;
mod params;
mod series;
mod steps;
mod table;
pub mod testing;

pub use ctx::{Ctx, Device};
pub use error::{Context, Error, ErrorKind, Result};
pub use figure::{Axis, By, Figure, Figures, Mark, Panel, Source};
pub use gradtop_sdk_derive::{Choice, Params};
pub use info::{Goal, Info, Metric, Preset, PresetValues};
pub use params::{Choice, Item, ParamKind, ParamSpec, Params, Value, Values};
pub use series::{Series, SeriesId};
pub use steps::Steps;
pub use table::{Column, Rows};

/// An experiment: its parameters are the struct's fields, see [`Params`].
///
/// `run` is called once on a fresh value, on the one thread that may call [`Ctx::steps`] and [`Ctx::checkpoint`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an experiment",
    label = "this type does not implement `gradtop_sdk::Experiment`",
    note = "an experiment is a struct with `#[derive(Params)]` and `impl Experiment for {Self}`"
)]
pub trait Experiment: Params {
    /// Describes the experiment. Called without a run, to list experiments, so it should be fast.
    fn info() -> Info;

    /// Checks the parameters together, before there is a run: ranges that depend on each other, an expression that must
    /// parse. A refusal is reported at once and leaves no run behind. It should be fast; `run` need not call it.
    ///
    /// # Errors
    /// Why these parameters are invalid, naming them.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// Runs the training.
    ///
    /// # Errors
    /// Any error ends the run: a stop passed on from [`Ctx::steps`] as stopped, everything else as failed.
    fn run(&mut self, ctx: &mut Ctx) -> Result<()>;
}

/// Everything an experiment needs: `use gradtop_sdk::prelude::*;`
pub mod prelude {
    pub use crate::{
        Axis, By, Choice, Column, Ctx, Device, Error, Experiment, Figure, Goal, Info, Mark, Metric, Panel,
        Params, Result, Rows, Series, SeriesId,
    };
    pub use crate::{Context as _, ErrorKind};
}
