//! Binary forms of fixed width: what is written and hashed by the million is copied, not counted
//! out in digits of seven bits, and currency codes are not read as UTF-8 again.

use serde::{Deserializer, de};
use std::fmt;

/// Accepts bytes, as many as fit into `N`; what is missing is zero.
struct Bytes<const N: usize>;

impl<const N: usize> de::Visitor<'_> for Bytes<N> {
    /// The bytes and how many they were.
    type Value = ([u8; N], usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {N} bytes")
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        let mut all = [0; N];
        let room =
            all.get_mut(..bytes.len()).ok_or_else(|| E::invalid_length(bytes.len(), &self))?;
        room.copy_from_slice(bytes);
        Ok((all, bytes.len()))
    }
}

/// Reads up to `N` bytes; says how many they were.
fn read_some<'de, const N: usize, D: Deserializer<'de>>(
    d: D,
) -> Result<([u8; N], usize), D::Error> {
    d.deserialize_bytes(Bytes::<N>)
}

/// Reads an integer of eight or sixteen bytes.
pub(crate) fn read_i128<'de, D: Deserializer<'de>>(d: D) -> Result<i128, D::Error> {
    match read_some::<16, D>(d)? {
        (bytes, 16) => Ok(i128::from_le_bytes(bytes)),
        ([a, b, c, d, e, f, g, h, ..], 8) => {
            Ok(i64::from_le_bytes([a, b, c, d, e, f, g, h]).into())
        }
        (_, length) => Err(de::Error::invalid_length(length, &"8 or 16 bytes")),
    }
}

/// Reads exactly `N` bytes.
pub(crate) fn read<'de, const N: usize, D: Deserializer<'de>>(d: D) -> Result<[u8; N], D::Error> {
    match read_some(d)? {
        (bytes, length) if length == N => Ok(bytes),
        (_, length) => Err(de::Error::invalid_length(length, &Bytes::<N>)),
    }
}
