//! Files that prove themselves: each carries the hash of its own text, with zeros in the hash's place.

use sha2::{Digest, Sha256};

/// Where the hash will be.
pub(crate) const BLANK: &str = "0000000000000000000000000000000000000000000000000000000000000000";

pub(crate) fn digest(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Puts the hash where the first [`BLANK`] is.
pub(crate) fn sealed(blank: &str) -> String {
    blank.replacen(BLANK, &digest(blank), 1)
}

/// Is the text as it was sealed, its hash behind the mark? `None`: there is none.
pub(crate) fn is_whole(text: &str, mark: &str) -> Option<bool> {
    let at = text.find(mark)? + mark.len();
    let (hash, rest) = (text.get(at..at + BLANK.len())?, text.get(at + BLANK.len()..)?);
    Some(digest(&format!("{}{BLANK}{rest}", &text[..at])) == hash)
}
