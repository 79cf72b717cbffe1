//! What a plugin on libtorch needs in addition to `tch`, which cannot save its optimizers: optimizers that a resumed
//! run continues exactly.

pub mod optim;
mod raw;
mod var_optimizer;

pub use optim::Rule;
pub use var_optimizer::VarOptimizer;

use gradtop_sdk::{Ctx, Device};

/// Returns the run's device as a `tch` device.
pub fn device(ctx: &Ctx) -> tch::Device {
    match ctx.device() {
        Device::Cpu => tch::Device::Cpu,
        Device::Cuda(index) => tch::Device::Cuda(index as usize),
    }
}
