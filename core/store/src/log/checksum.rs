//! CRC32C checksums of files, written as eight hexadecimal digits.

/// Number of digits.
pub(crate) const DIGITS: usize = 8;
/// Placeholder for the digits while computing the sum of bytes that contain it.
pub(crate) const BLANK: &str = "00000000";

/// A checksum in progress.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum(u32);

impl Sum {
    /// Returns the checksum of some bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::default().and(bytes)
    }

    /// Continues with the bytes that follow.
    pub(crate) fn and(self, bytes: &[u8]) -> Self {
        Self(crc32c::crc32c_append(self.0, bytes))
    }

    /// Continues with bytes that contain the sum itself at `place`, which counts as [`BLANK`].
    pub(crate) fn around(self, bytes: &[u8], place: usize) -> Self {
        self.and(&bytes[..place]).and(BLANK.as_bytes()).and(&bytes[place + DIGITS..])
    }

    pub(crate) fn digits(self) -> String {
        format!("{:08x}", self.0)
    }
}

/// The text before and after the sum in a JSON object.
const BEFORE: &[u8] = b",\"sum\":\"";
const AFTER: &[u8] = b"\"}";

/// Adds a sum to a non-empty JSON object, as its last key and over all preceding bytes.
pub(crate) fn sign(object: &mut Vec<u8>) {
    if object.last() == Some(&b'}') {
        object.pop();
        let sum = Sum::of(object).digits();
        object.extend_from_slice(BEFORE);
        object.extend_from_slice(sum.as_bytes());
        object.extend_from_slice(AFTER);
    }
}

/// Verifies the sum of a JSON object. Returns `None` if it has none, as in older versions.
pub(crate) fn verify(object: &[u8]) -> Option<bool> {
    let (text, sum) = object.trim_ascii_end().strip_suffix(AFTER)?.split_last_chunk::<DIGITS>()?;
    let text = text.strip_suffix(BEFORE)?;
    Some(Sum::of(text).digits().as_bytes() == sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_crc32c() {
        // The check value of the polynomial's definition, RFC 3720.
        assert_eq!(Sum::of(b"123456789").digits(), "e3069283");
        assert_eq!(Sum::of(b"1234").and(b"56789"), Sum::of(b"123456789"));
        assert_eq!(Sum::default().around(b"12abcdefgh34", 2), Sum::of(b"120000000034"));
    }

    #[test]
    fn a_signed_object_is_json_and_no_flip_goes_unseen() {
        let mut signed = br#"{"schema":1,"value":0.25}"#.to_vec();
        assert_eq!(verify(&signed), None);
        sign(&mut signed);
        assert_eq!((verify(&signed), verify(&[&signed[..], b"\n"].concat())), (Some(true), Some(true)));
        let parsed: serde_json::Value = serde_json::from_slice(&signed).unwrap_or_default();
        assert_eq!(parsed["value"], 0.25);
        for bit in 0..signed.len() * 8 {
            let mut flipped = signed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let seen: Option<serde_json::Value> = serde_json::from_slice(&flipped).ok();
            // What is flipped in the sum's own key makes it an object without one, and changes nothing.
            assert!(
                verify(&flipped) == Some(false)
                    || seen.is_none_or(|v| v["value"] == 0.25 && v["schema"] == 1),
                "bit {bit}"
            );
        }
    }
}
