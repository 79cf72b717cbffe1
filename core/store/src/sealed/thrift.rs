//! Skips over data in Thrift's compact protocol without building anything.
//!
//! The Parquet reader allocates lists by the length they state. A length beyond the size of the file must not reach it.

/// Maximum nesting depth of structs.
const DEPTH: u32 = 16;

/// Returns the length of the struct at the start of `bytes`, if it is complete.
pub(crate) fn struct_len(bytes: &[u8]) -> Option<usize> {
    let mut walk = Walk { rest: bytes };
    walk.fields(DEPTH)?;
    Some(bytes.len() - walk.rest.len())
}

struct Walk<'a> {
    rest: &'a [u8],
}

impl Walk<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn skip(&mut self, n: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(n).ok()?..)?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Skips the fields of a struct.
    fn fields(&mut self, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        loop {
            let head = self.byte()?;
            if head >> 4 == 0 && head > 0 {
                self.varint()?; // its number
            }
            match head & 0x0f {
                0 => return Some(()),
                1 | 2 => {} // true and false have no more
                kind => self.value(kind, depth)?,
            }
        }
    }

    fn value(&mut self, kind: u8, depth: u32) -> Option<()> {
        match kind {
            1..=3 => self.skip(1),
            4..=6 => self.varint().map(drop),
            7 => self.skip(8),
            8 => self.varint().and_then(|n| self.skip(n)),
            9 | 10 => {
                let head = self.byte()?;
                let n = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                if n > self.rest.len() as u64 {
                    return None;
                }
                (0..n).try_for_each(|_| self.value(head & 0x0f, depth))
            }
            12 => self.fields(depth),
            // Parquet uses no maps.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::struct_len;

    #[test]
    fn a_list_longer_than_the_bytes_is_none() {
        // Field 1, a list of three i32; then the end.
        assert_eq!(struct_len(&[0x19, 0x35, 2, 4, 6, 0, 99]), Some(6));
        // A list that says it has two thousand million.
        assert_eq!(struct_len(&[0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x07, 2, 4, 0]), None);
        // A text of 300 bytes of which three are there.
        assert_eq!(struct_len(&[0x18, 0xac, 0x02, b'a', b'b', b'c', 0]), None);
        // Structs without an end.
        assert_eq!(struct_len(&[0x1c; 100]), None);
    }
}
