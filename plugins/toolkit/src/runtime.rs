//! Libtorch set up for one run.

use std::sync::Once;

use gradtop_sdk::{Ctx, Device as RunDevice};
use tch::{Device, NoGradGuard};

/// Sets libtorch's threads to the run's and gives the run's device.
///
/// While the guard lives no autograd graph is recorded; experiments that differentiate through libtorch drop it.
pub fn prepare(ctx: &Ctx) -> (Device, NoGradGuard) {
    set_threads(ctx.threads());
    let device = match ctx.device() {
        RunDevice::Cpu => Device::Cpu,
        RunDevice::Cuda(index) => Device::Cuda(index as usize),
    };
    (device, tch::no_grad_guard())
}

/// Threads within one operation; operations themselves run one after another.
pub fn set_threads(threads: usize) {
    // Libtorch allows the second number to be set once only in a process.
    static INTEROP: Once = Once::new();
    INTEROP.call_once(|| tch::set_num_interop_threads(1));
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}
