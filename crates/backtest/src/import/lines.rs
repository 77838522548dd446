//! Text files line by line, unpacked on the way: plain, gzip, or the only member of a zip.

use crate::recorded::TapeError;
use crate::tape::{unreadable, useless};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::ops::ControlFlow;
use std::path::Path;

/// Longest line of a table of numbers, with a wide margin; a longer one is no table.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Largest text, unpacked: a month of the busiest symbol's trades has a quarter of it.
const TEXT_BYTES_MAX: u64 = 64 << 30;

/// How a file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packing {
    Plain,
    Gzip,
    Zip,
}

/// The first bytes of what is in a file, unpacked.
pub(crate) fn first_bytes(path: &Path, count: usize) -> Result<Vec<u8>, TapeError> {
    let mut bytes = Vec::new();
    with_text(path, |text| {
        text.take(count as u64).read_to_end(&mut bytes).map(drop).map_err(|e| cut(path, 0, &e))
    })?;
    Ok(bytes)
}

/// Hands a file's unpacked bytes to `read`.
pub(crate) fn with_text<T>(
    path: &Path,
    read: impl FnOnce(&mut dyn Read) -> Result<T, TapeError>,
) -> Result<T, TapeError> {
    let mut file = File::open(path).map_err(|e| unreadable(path, e))?;
    let packing = packing(&mut file).map_err(|e| unreadable(path, e))?;
    let file = BufReader::with_capacity(1 << 18, file);
    match packing {
        Packing::Plain => read(&mut file.take(TEXT_BYTES_MAX)),
        Packing::Gzip => read(&mut MultiGzDecoder::new(file).take(TEXT_BYTES_MAX)),
        Packing::Zip => {
            let broken = |e: zip::result::ZipError| useless(path, format!("is no whole zip: {e}"));
            let mut archive = zip::ZipArchive::new(file).map_err(broken)?;
            if archive.len() != 1 {
                let count = archive.len();
                return Err(useless(path, format!("holds {count} files; one table is allowed")));
            }
            let member = archive.by_index(0).map_err(broken)?;
            read(&mut member.take(TEXT_BYTES_MAX))
        }
    }
}

fn packing(file: &mut File) -> std::io::Result<Packing> {
    let mut magic = Vec::new();
    file.by_ref().take(4).read_to_end(&mut magic)?;
    file.rewind()?;
    Ok(match &magic[..] {
        [0x1f, 0x8b, ..] => Packing::Gzip,
        b"PK\x03\x04" => Packing::Zip,
        _ => Packing::Plain,
    })
}

/// A packed file ends early, or its checksum is wrong.
fn cut(path: &Path, line: u64, error: &std::io::Error) -> TapeError {
    useless(path, format!("is cut off or damaged after line {line}: {error}"))
}

/// A line without its end.
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: u64,
    pub(crate) text: &'a str,
    /// A file may be cut off in the middle of its last line.
    pub(crate) has_end: bool,
}

/// Every line of a file that is not empty.
pub(crate) fn each_line(
    path: &Path,
    mut take: impl FnMut(&Line<'_>) -> ControlFlow<()>,
) -> Result<(), TapeError> {
    with_text(path, |text| {
        let mut text = BufReader::with_capacity(1 << 18, text);
        let (mut number, mut bytes) = (0, Vec::new());
        loop {
            bytes.clear();
            let read = text.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
            if read.map_err(|e| cut(path, number, &e))? == 0 {
                return Ok(());
            }
            number += 1;
            let has_end = bytes.last() == Some(&b'\n');
            let wrong = |problem: &str| line_error(path, number, problem.to_owned());
            if !has_end && bytes.len() as u64 == LINE_BYTES_MAX {
                return Err(wrong("is longer than any row of a table"));
            }
            let text = std::str::from_utf8(&bytes).map_err(|_| wrong("is no text"))?;
            let text = text.trim_start_matches('\u{feff}').trim();
            let line = Line { number, text, has_end };
            if !text.is_empty() && take(&line).is_break() {
                return Ok(());
            }
        }
    })
}

/// A line that says nothing sensible.
pub(crate) fn line_error(path: &Path, line: u64, problem: String) -> TapeError {
    TapeError::Line { path: path.to_owned(), line, problem }
}
