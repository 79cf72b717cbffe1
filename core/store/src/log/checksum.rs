//! Checksums of what lies on the disk: CRC32C, written as eight hexadecimal digits.

/// How many digits a sum has.
pub(crate) const DIGITS: usize = 8;
/// What stands for the digits of a sum while it is computed over the bytes that hold it.
pub(crate) const BLANK: &str = "00000000";

/// A sum being computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sum(u32);

impl Sum {
    /// Of some bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self::default().and(bytes)
    }

    /// And of those that follow.
    pub(crate) fn and(self, bytes: &[u8]) -> Self {
        Self(crc32c::crc32c_append(self.0, bytes))
    }

    /// Of bytes in which the sum itself is written at `place`.
    pub(crate) fn around(self, bytes: &[u8], place: usize) -> Self {
        self.and(&bytes[..place]).and(BLANK.as_bytes()).and(&bytes[place + DIGITS..])
    }

    /// As written.
    pub(crate) fn digits(self) -> String {
        format!("{:08x}", self.0)
    }
}

/// What stands before the sum of a JSON object, and after it.
const BEFORE: &[u8] = b",\"sum\":\"";
const AFTER: &[u8] = b"\"}";

/// Adds its sum to a JSON object that has a key already: as its last key, over all bytes before that.
pub(crate) fn sign(object: &mut Vec<u8>) {
    if object.last() == Some(&b'}') {
        object.pop();
        let sum = Sum::of(object).digits();
        object.extend_from_slice(BEFORE);
        object.extend_from_slice(sum.as_bytes());
        object.extend_from_slice(AFTER);
    }
}

/// Whether a JSON object has the sum of its bytes; `None`: it has none, as in older versions.
pub(crate) fn holds(object: &[u8]) -> Option<bool> {
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
        assert_eq!(holds(&signed), None);
        sign(&mut signed);
        assert_eq!((holds(&signed), holds(&[&signed[..], b"\n"].concat())), (Some(true), Some(true)));
        let parsed: serde_json::Value = serde_json::from_slice(&signed).unwrap_or_default();
        assert_eq!(parsed["value"], 0.25);
        for bit in 0..signed.len() * 8 {
            let mut flipped = signed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let seen: Option<serde_json::Value> = serde_json::from_slice(&flipped).ok();
            // What is flipped in the sum's own key makes it an object without one, and changes nothing.
            assert!(
                holds(&flipped) == Some(false) || seen.is_none_or(|v| v["value"] == 0.25 && v["schema"] == 1),
                "bit {bit}"
            );
        }
    }
}
