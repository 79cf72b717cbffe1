//! Serializes what may be unknown the way that files say it: 0 or an empty text is not known.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[allow(clippy::ref_option, reason = "serde calls it with a reference")]
pub(crate) fn serialize<T: Serialize + Default, S: Serializer>(
    value: &Option<T>,
    s: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => value.serialize(s),
        None => T::default().serialize(s),
    }
}

pub(crate) fn deserialize<'de, T: Deserialize<'de> + Default + PartialEq, D: Deserializer<'de>>(
    d: D,
) -> Result<Option<T>, D::Error> {
    Ok(Some(T::deserialize(d)?).filter(|value| *value != T::default()))
}
