//! Tensors from numbers, numbers from tensors, and the layers within flat parameters.

use tch::{Device, Kind, TchError, Tensor};

/// Returns numbers as a column `[n, 1]` in double precision.
pub fn column(values: &[f64], device: Device) -> Result<Tensor, TchError> {
    Tensor::f_from_slice(values)?.f_view([-1, 1])?.f_to_device(device)
}

/// Returns all values of a tensor in order. Waits for the device.
pub fn numbers(tensor: &Tensor) -> Result<Vec<f64>, TchError> {
    let tensor = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_contiguous()?;
    let mut values = vec![0.0; tensor.numel()];
    tensor.f_copy_data(&mut values, tensor.numel())?;
    Ok(values)
}

/// Converts a tensor `[rows, n]` to vectors. Waits for the device.
pub fn rows(tensor: &Tensor) -> Result<Vec<Vec<f64>>, TchError> {
    let width = tensor.size().last().copied().unwrap_or(1).max(1) as usize;
    Ok(numbers(tensor)?.chunks(width).map(<[f64]>::to_vec).collect())
}

/// Returns a copy of a tensor outside of any graph.
pub fn copied(tensor: &Tensor) -> Result<Tensor, TchError> {
    let mut copy = tensor.f_detach()?.f_empty_like()?;
    tch::no_grad(|| copy.f_copy_(tensor))?;
    Ok(copy)
}

/// Returns the Euclidean norm of each row: `[rows, 1]`.
pub fn lengths(rows: &Tensor) -> Result<Tensor, TchError> {
    rows.f_square()?.f_sum_dim_intlist([1_i64].as_slice(), true, None)?.f_sqrt()
}

/// Returns views of the layers of an ensemble's flat parameters, which have these numbers of parameters in each of
/// `trials` networks: `[trials, parameters]` each.
pub(crate) fn layers(flat: &Tensor, counts: &[i64], trials: i64) -> Result<Vec<Tensor>, TchError> {
    let mut start = 0;
    counts
        .iter()
        .map(|count| {
            start += count * trials;
            flat.f_narrow(0, start - count * trials, count * trials)?.f_view([trials, *count])
        })
        .collect()
}

/// Returns views of the layers of fully connected networks of these widths, whose parameters lie flat in the last
/// dimension: `[…, out, in + 1]` each, the bias last.
pub(crate) fn matrices(flat: &Tensor, widths: &[i64]) -> Result<Vec<Tensor>, TchError> {
    let mut start = 0;
    widths
        .windows(2)
        .map(|pair| {
            let length = (pair[0] + 1) * pair[1];
            start += length;
            flat.f_narrow(-1, start - length, length)?.f_unflatten(-1, [pair[1], pair[0] + 1])
        })
        .collect()
}

/// Returns the squared Euclidean norm of each of these layers: `[layer][trial]`.
pub(crate) fn squared_norms(layers: &[Tensor]) -> Result<Vec<Vec<f64>>, TchError> {
    let squares = layers.iter().map(|layer| {
        let squares = layer.f_to_kind(Kind::Double)?.f_square()?;
        squares.f_sum_dim_intlist([1_i64].as_slice(), false, Kind::Double)
    });
    // One transfer for all layers.
    rows(&Tensor::f_stack(&squares.collect::<Result<Vec<_>, TchError>>()?, 0)?)
}
