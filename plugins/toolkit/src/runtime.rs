//! Sets up libtorch for a run.

use std::sync::Once;

use gradtop_sdk::{Ctx, Device as RunDevice};
use tch::{Device, NoGradGuard};

/// Sets libtorch's number of threads to the run's and returns the run's device.
///
/// While the guard lives, no autograd graph is recorded; experiments that differentiate through libtorch must drop it.
pub fn prepare(ctx: &Ctx) -> (Device, NoGradGuard) {
    set_threads(ctx.threads());
    let device = match ctx.device() {
        RunDevice::Cpu => Device::Cpu,
        RunDevice::Cuda(index) => Device::Cuda(index as usize),
    };
    (device, tch::no_grad_guard())
}

/// Sets the number of threads within one operation of the calling thread; operations themselves run one after another.
///
/// Libtorch also has a process-wide number, which each thread adopts at its first operation, overwriting its own. That
/// first operation is triggered here, so that no thread changes the number of another.
pub fn set_threads(threads: usize) {
    // Libtorch allows setting the second number only once per process.
    static INTEROP: Once = Once::new();
    INTEROP.call_once(|| tch::set_num_interop_threads(1));
    tch::get_num_threads();
    tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tch::{Kind, Tensor};

    use super::set_threads;

    #[test]
    fn no_thread_changes_the_number_of_another() {
        std::thread::spawn(|| {
            set_threads(1);
            std::thread::spawn(|| set_threads(3)).join().unwrap();
            let x = Tensor::ones([300, 300], (Kind::Double, tch::Device::Cpu));
            assert_eq!(x.matmul(&x).double_value(&[0, 0]), 300.0);
            assert_eq!(tch::get_num_threads(), 1);
        })
        .join()
        .unwrap();
    }
}
