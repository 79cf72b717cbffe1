//! What a plugin on libtorch needs beside `tch`, which cannot save its optimizers: optimizers that a resumed run takes up where
//! it stopped, to the last bit.

pub mod optim;
mod raw;
mod var_optimizer;

pub use optim::Rule;
pub use var_optimizer::VarOptimizer;

use gradtop_sdk::{Ctx, Device};

/// The run's device, as `tch` names it.
pub fn device(ctx: &Ctx) -> tch::Device {
    match ctx.device() {
        Device::Cpu => tch::Device::Cpu,
        Device::Cuda(index) => tch::Device::Cuda(index as usize),
    }
}
