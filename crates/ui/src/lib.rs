//! The dashboard of `web/`, built and put into the binary, for `server` alone.
//!
//! Deliberately absent: HTTP, and any knowledge of what the files say.

/// What the build put into the binary.
struct File {
    name: &'static str,
    hash: u64,
    plain: &'static [u8],
    packed: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// A file of the dashboard.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its content, compressed where `is_gzip` says so.
    pub bytes: &'static [u8],
    /// What it is: `text/html; charset=utf-8`.
    pub content_type: &'static str,
    /// Compressed by gzip while it was built.
    pub is_gzip: bool,
    /// Changes with the content.
    pub etag: String,
    /// Its name has a hash of its content: it never changes under this name.
    pub is_immutable: bool,
}

/// The file under a path without its leading slash; `index.html` for the empty one.
///
/// `takes_gzip`: whether the one who asks can unpack.
pub fn asset(path: &str, takes_gzip: bool) -> Option<Asset> {
    let path = if path.is_empty() { "index.html" } else { path };
    let file = FILES.iter().find(|file| file.name == path)?;
    let packed = file.packed.filter(|_| takes_gzip);
    Some(Asset {
        bytes: packed.unwrap_or(file.plain),
        content_type: content_type(path),
        is_gzip: packed.is_some(),
        // Two answers of different bytes may not share one.
        etag: format!("{:016x}{}", file.hash, if packed.is_some() { "-gz" } else { "" }),
        is_immutable: path.starts_with("assets/"),
    })
}

/// The kinds that the build makes; anything else is not shown by a browser.
fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_always_a_first_page_and_packed_twins_are_no_files() {
        let page = asset("", false).unwrap();
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        assert!(!page.is_gzip && !page.is_immutable);
        assert!(String::from_utf8_lossy(page.bytes).contains("Amarktai"));
        assert!(asset("index.html.gz", true).is_none());
        assert!(asset("../Cargo.toml", true).is_none());
        assert!(asset("assets/nothing.js", true).is_none());
    }

    #[cfg(feature = "dashboard")]
    #[test]
    fn the_first_page_names_only_files_that_are_there() {
        let page = asset("", false).unwrap();
        let text = String::from_utf8_lossy(page.bytes).into_owned();
        let names = text.split('"').filter(|part| part.starts_with('/') && part.contains('.'));
        let names: Vec<&str> = names.collect();
        assert!(!names.is_empty(), "{text}");
        for name in names {
            let file = asset(name.trim_start_matches('/'), true);
            let file = file.unwrap_or_else(|| panic!("{name} is not in the binary"));
            assert_ne!(file.content_type, "application/octet-stream", "{name}");
            assert!(!file.etag.is_empty());
        }
    }
}
