//! Luno.
pub(crate) fn decode_error(_b: &[u8]) -> Option<(String, String)> {
    None
}
