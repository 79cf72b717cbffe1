//! Parses the values of summaries: tensors, histograms, hyperparameters.

use gradtop_store::ParamValue;
use half::{bf16, f16};

use crate::proto::{Fields, Value, varint};

/// The content of a supported tensor.
#[derive(Debug, PartialEq)]
pub(crate) enum Tensor {
    Number(f64),
    /// Numbers, in the order stored.
    Numbers(Vec<f64>),
    Texts(Vec<String>),
}

/// Maximum number of elements of a tensor.
const ELEMENTS: usize = 1 << 16;

/// Parses a tensor of numbers or texts. `None` if it is of another type or truncated.
pub(crate) fn tensor(message: &[u8]) -> Option<Tensor> {
    let (mut kind, mut content, mut numbers, mut texts) = (0, &[][..], Vec::new(), Vec::new());
    for field in Fields::of(message) {
        match field? {
            (1, value) => kind = value.int()?,
            (4, value) => content = value.bytes()?,
            (8, value) => texts.push(value.text()?.into_owned()),
            (field @ (5 | 6 | 7 | 10 | 11 | 13 | 16 | 17), value) => {
                packed(field, kind, value, &mut numbers)?;
            }
            _ => {}
        }
        if numbers.len() > ELEMENTS || texts.len() > ELEMENTS {
            return None;
        }
    }
    if kind == 7 {
        return Some(Tensor::Texts(texts));
    }
    if numbers.is_empty() {
        numbers = raw(kind, content)?;
    }
    match numbers.as_slice() {
        [] => None,
        [one] => Some(Tensor::Number(*one)),
        _ => Some(Tensor::Numbers(numbers)),
    }
}

/// Parses a repeated field, packed or not.
fn packed(field: u64, kind: i64, value: Value<'_>, into: &mut Vec<f64>) -> Option<()> {
    let whole = |v: u64| match (field, kind) {
        (13, 14) => bf16::from_bits(v as u16).to_f64(),
        (13, _) => f16::from_bits(v as u16).to_f64(),
        (17, _) => v as f64,
        _ => v as i64 as f64,
    };
    match value {
        Value::Varint(v) => into.push(whole(v)),
        Value::Fixed32(v) => into.push(f64::from(f32::from_bits(v))),
        Value::Fixed64(v) => into.push(f64::from_bits(v)),
        Value::Bytes(bytes) if field == 5 => into.extend(raw(1, bytes)?),
        Value::Bytes(bytes) if field == 6 => into.extend(raw(2, bytes)?),
        Value::Bytes(mut bytes) => {
            while !bytes.is_empty() && into.len() <= ELEMENTS {
                into.push(whole(varint(&mut bytes)?));
            }
        }
    }
    Some(())
}

/// Parses elements stored consecutively in memory order.
fn raw(kind: i64, bytes: &[u8]) -> Option<Vec<f64>> {
    fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Option<Vec<f64>> {
        let (elements, []) = bytes.as_chunks::<N>() else { return None };
        (elements.len() <= ELEMENTS).then(|| elements.iter().map(|e| read(*e)).collect())
    }
    match kind {
        1 => each(bytes, |b| f64::from(f32::from_le_bytes(b))),
        2 => each(bytes, f64::from_le_bytes),
        3 => each(bytes, |b| f64::from(i32::from_le_bytes(b))),
        4 | 10 => each(bytes, |[b]| f64::from(b)),
        5 => each(bytes, |b| f64::from(i16::from_le_bytes(b))),
        6 => each(bytes, |b| f64::from(i8::from_le_bytes(b))),
        9 => each(bytes, |b| i64::from_le_bytes(b) as f64),
        14 => each(bytes, |b| bf16::from_le_bytes(b).to_f64()),
        17 => each(bytes, |b| f64::from(u16::from_le_bytes(b))),
        19 => each(bytes, |b| f16::from_le_bytes(b).to_f64()),
        22 => each(bytes, |b| f64::from(u32::from_le_bytes(b))),
        23 => each(bytes, |b| u64::from_le_bytes(b) as f64),
        _ => None,
    }
}

/// Maximum number of bins of a histogram.
const BINS: usize = 10_000;

/// Parses a histogram of the older kind: the upper edge and count of each bin.
pub(crate) fn histogram(message: &[u8]) -> Option<Vec<[f64; 3]>> {
    let (mut low, mut high, mut edges, mut counts) = (0.0, 0.0, Vec::new(), Vec::new());
    for field in Fields::of(message) {
        match field? {
            (1, value) => low = value.double()?,
            (2, value) => high = value.double()?,
            (field @ (6 | 7), value) => {
                packed(6, 2, value, if field == 6 { &mut edges } else { &mut counts })?;
            }
            _ => {}
        }
    }
    if edges.len() != counts.len() || edges.len() > BINS {
        return None;
    }
    let mut below: f64 = low;
    let bins = edges.into_iter().zip(counts).map(|(edge, count)| {
        // The outermost edges are the largest doubles.
        let edge = edge.clamp(low.min(high), high.max(low));
        let bin = [below.min(edge), edge, count];
        below = edge;
        bin
    });
    Some(bins.filter(|[.., count]| *count > 0.0).collect())
}

/// Parses the hyperparameter plugin's record of a session start.
pub(crate) fn session_start(content: &[u8]) -> Option<Vec<(String, ParamValue)>> {
    let mut params = Vec::new();
    for field in Fields::of(content) {
        let (3, start) = field? else { continue };
        for field in Fields::of(start.bytes()?) {
            let (1, pair) = field? else { continue };
            let (mut key, mut value) = (String::new(), None);
            for field in Fields::of(pair.bytes()?) {
                match field? {
                    (1, text) => key = text.text()?.into_owned(),
                    (2, message) => value = param(message.bytes()?)?,
                    _ => {}
                }
            }
            params.extend(value.map(|value| (key, value)));
        }
    }
    Some(params)
}

/// Parses the hyperparameter plugin's record of a session end; `Some(None)` if it is not one.
#[expect(clippy::option_option, reason = "what is wrong is another thing than what is missing")]
pub(crate) fn session_end(content: &[u8]) -> Option<Option<i64>> {
    let mut status = None;
    for field in Fields::of(content) {
        let (4, end) = field? else { continue };
        for field in Fields::of(end.bytes()?) {
            if let (1, value) = field? {
                status = Some(value.int()?);
            }
        }
    }
    Some(status)
}

/// Parses a `google.protobuf.Value` that is a number, a text or a Boolean.
#[expect(clippy::option_option, reason = "what is wrong is another thing than what is missing")]
fn param(message: &[u8]) -> Option<Option<ParamValue>> {
    let mut found = None;
    for field in Fields::of(message) {
        found = match field? {
            (2, value) => {
                let number = value.double()?;
                // Every number is a double there; integral ones were most likely integers.
                Some(crate::metric::float_or_int(number))
            }
            (3, value) => Some(ParamValue::Text(value.text()?.into_owned())),
            (4, value) => Some(ParamValue::Bool(value.int()? != 0)),
            _ => found,
        };
    }
    Some(found)
}
