//! Tensors on the CPU as slices: the one place of the plugins that touches raw memory.
//!
//! Libtorch's bindings offer no fused optimizers. Seven operations over a flat parameter tensor read and write it many times;
//! the loops here do it once. Each has a counterpart made of tensor operations, which serves other devices and kinds, and a
//! test holds the two against each other.

use tch::{Device, Kind, TchError, Tensor};

/// Adam's numbers for one step.
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

/// Whether [`adam`] can work on this tensor.
pub(crate) fn is_plain(tensor: &Tensor) -> bool {
    tensor.device() == Device::Cpu && tensor.kind() == Kind::Float && tensor.is_contiguous()
}

/// One update of Adam: m += (g − m)(1 − β₁), v += (g² − v)(1 − β₂), p −= rate · m / (√v + ε'). All five tensors have the same
/// number of elements and are distinct.
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
    // SAFETY: each pointer is to `length` f32 of a contiguous CPU tensor that is borrowed for this call, no two of the four
    // ranges overlap, and tensors belong to one thread.
    #[expect(unsafe_code, reason = "libtorch gives memory as pointers")]
    let [parameters, gradients, first, second] = [parameters, gradients, first, second]
        .map(|start| unsafe { std::slice::from_raw_parts_mut(start, length) });
    for (((p, &mut g), m), v) in parameters.iter_mut().zip(gradients).zip(first).zip(second) {
        *m += (g - *m) * step.first;
        *v += (g * g - *v) * step.second;
        *p -= step.rate * *m / (v.sqrt() + step.epsilon);
    }
    Ok(())
}
