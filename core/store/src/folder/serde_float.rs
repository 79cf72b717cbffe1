//! Serializes floats in JSON: finite ones as numbers, others as `"NaN"`, `"Infinity"` and `"-Infinity"`.

use serde::{Deserialize, Deserializer, Serializer};

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(crate) fn serialize<S: Serializer>(v: &f64, s: S) -> Result<S::Ok, S::Error> {
    if v.is_finite() {
        s.serialize_f64(*v)
    } else if v.is_nan() {
        s.serialize_str("NaN")
    } else {
        s.serialize_str(if *v > 0.0 { "Infinity" } else { "-Infinity" })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Repr {
    Number(f64),
    Text(String),
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
    match Repr::deserialize(d)? {
        Repr::Number(v) => Ok(v),
        Repr::Text(t) => t.parse().map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct One(#[serde(with = "super")] f64);

    #[test]
    fn a_number_is_read_to_its_last_bit() {
        let special = [3.750_758_118_494_995e-158, 0.1 + 0.2, f64::MIN_POSITIVE, f64::INFINITY, f64::NAN];
        // Steps of the golden ratio come to all exponents.
        let spread = (0..1_000u64).map(|n| f64::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        for v in special.into_iter().chain(spread) {
            let One(read) = serde_json::from_slice(&serde_json::to_vec(&One(v)).unwrap()).unwrap();
            assert!(read.to_bits() == v.to_bits() || read.is_nan() && v.is_nan(), "{v:e} {read:e}");
        }
    }
}
