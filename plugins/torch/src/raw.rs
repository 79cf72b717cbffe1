//! Tensors on the CPU as slices.
//!
//! Libtorch's bindings offer no fused optimizers. Seven operations over a flat parameter tensor read and write it many
//! times; the loops here do it once. Each has a counterpart made of tensor operations for other devices and kinds, and
//! a test compares the two.

use tch::{Device, Kind, TchError, Tensor};

/// Adam's constants for one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdamStep {
    /// 1 − β₁.
    pub(crate) first: f32,
    /// 1 − β₂.
    pub(crate) second: f32,
    /// ε · √(1 − β₂ᵗ).
    pub(crate) epsilon: f32,
    /// lr · √(1 − β₂ᵗ) / (1 − β₁ᵗ).
    pub(crate) rate: f32,
}

/// Smaller moments become 0. A weight whose input is rarely active has a first moment that shrinks by a tenth per step,
/// and after some 800 steps is subnormal, which makes processors a hundred times slower. What is cut off is below the
/// rounding error of the update: the denominator is at least ε = 1e-8 √(1 − β₂ᵗ).
const LEAST: (f32, f32) = (1e-30, 1e-32);

/// Returns whether [`adam`] supports this tensor.
pub(crate) fn is_plain(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu && tensor.kind() == Kind::Float && tensor.is_contiguous()
}

/// Makes one update of Adam: m += (g − m)(1 − β₁), v += (g² − v)(1 − β₂), p −= rate · m / (√v + ε'). All four tensors
/// must be distinct and have the same number of elements.
pub(crate) fn adam(
    parameters: &mut Tensor,
    gradients: &Tensor,
    first: &mut Tensor,
    second: &mut Tensor,
    step: AdamStep,
) -> Result<(), TchError> {
    let length = parameters.numel();
    let all = [&*parameters, gradients, &*first, &*second];
    if !all.iter().all(|tensor| is_plain(tensor) && tensor.numel() == length) {
        return Err(TchError::Shape("Adam needs contiguous tensors of one length on the CPU".to_owned()));
    }
    let pointers = all.map(|tensor| tensor.data_ptr().cast::<f32>());
    let addresses = pointers.map(|pointer| pointer as usize);
    let apart = |i: usize, j: usize| addresses[i].abs_diff(addresses[j]) >= length * size_of::<f32>();
    if (0..4).any(|i| (0..i).any(|j| !apart(i, j))) {
        return Err(TchError::Shape("Adam's tensors must not share memory".to_owned()));
    }
    let [parameters, gradients, first, second] = pointers;
    // SAFETY: each pointer is to `length` f32 of a contiguous CPU tensor that is borrowed for this call, no two of the
    // four ranges overlap, and tensors belong to one thread.
    #[expect(unsafe_code, reason = "libtorch gives memory as pointers")]
    let [parameters, gradients, first, second] = [parameters, gradients, first, second]
        .map(|start| unsafe { std::slice::from_raw_parts_mut(start, length) });
    let memory = Memory { parameters, gradients, first, second };
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has these instructions.
        #[expect(unsafe_code, reason = "a function compiled for a kind of processor")]
        unsafe {
            wide(memory, step);
        }
    } else if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has these instructions.
        #[expect(unsafe_code, reason = "a function compiled for a kind of processor")]
        unsafe {
            narrow(memory, step);
        }
    } else {
        update(memory, step);
    }
    Ok(())
}

struct Memory<'a> {
    parameters: &'a mut [f32],
    gradients: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
}

#[target_feature(enable = "avx512f")]
fn wide(memory: Memory<'_>, step: AdamStep) {
    update(memory, step);
}

#[target_feature(enable = "avx2")]
fn narrow(memory: Memory<'_>, step: AdamStep) {
    update(memory, step);
}

/// The result is bit for bit the same however the compiler vectorizes it.
#[expect(clippy::inline_always, reason = "it becomes part of functions compiled for a kind of processor")]
#[inline(always)]
fn update(memory: Memory<'_>, step: AdamStep) {
    let Memory { parameters, gradients, first, second } = memory;
    for (((p, &g), m), v) in parameters.iter_mut().zip(gradients).zip(first).zip(second) {
        let (first, second) = (*m + (g - *m) * step.first, *v + (g * g - *v) * step.second);
        *m = if first.abs() < LEAST.0 { 0.0 } else { first };
        *v = if second < LEAST.1 { 0.0 } else { second };
        *p -= step.rate * *m / (v.sqrt() + step.epsilon);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tch::Tensor;

    use crate::optim::{Optimizer, Rule};

    /// A weight whose gradient vanishes for long: its moments reach 0 without ever being too small for a normal number, and
    /// the parameters are those of the tensor operations, which do not cut them off.
    #[test]
    fn moments_vanish_without_becoming_subnormal() {
        let parameters = || Tensor::from_slice(&[0.5_f32, -0.25, 1e-3, 2.0]);
        let (one, two) = (parameters(), parameters());
        let mut fused = Optimizer::new(Rule::Adam { lr: 1e-3 }, &one).unwrap().fused();
        let mut plain = Optimizer::new(Rule::Adam { lr: 1e-3 }, &two).unwrap();
        let values = |tensor: &Tensor| {
            let mut values = [0.0_f32; 4];
            tensor.copy_data(&mut values, 4);
            values
        };
        for step in 0..1500 {
            // The last weight keeps a gradient; of the others one never has any.
            let lit = if step < 3 { 1.0_f32 } else { 0.0 };
            let gradient = Tensor::from_slice(&[lit, 1e-4 * lit, 0.0, 0.1]);
            fused.update(&one, &gradient).unwrap();
            plain.update(&two, &gradient).unwrap();
            for (name, moment) in fused.state() {
                assert!(
                    values(moment).iter().all(|v| !v.is_subnormal()),
                    "{name} at {step}: {:?}",
                    values(moment)
                );
            }
        }
        assert_eq!(values(fused.state()[0].1)[..3], [0.0; 3]);
        for (a, b) in values(&one).iter().zip(values(&two)) {
            assert!((a - b).abs() <= 2e-6 * b.abs(), "{a} {b}");
        }
    }
}
