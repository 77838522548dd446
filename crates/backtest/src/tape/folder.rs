//! A folder of segments that grows: numbered, rotated, gone on with after a kill.

use super::EXTENSION;
use super::block::Header;
use super::segment::{Segment, unreadable};
use crate::recorded::TapeError;
use std::fs;
use std::path::{Path, PathBuf};

/// A segment is ended at this size: what a damaged disk block costs at most, and the grain in
/// which old data is dropped.
pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// Every segment directly in a folder, by name: those of a [`Folder`] in the order of writing.
///
/// # Errors
/// It cannot be read.
pub fn segments(dir: &Path) -> Result<Vec<PathBuf>, TapeError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| unreadable(dir, e))? {
        let path = entry.map_err(|e| unreadable(dir, e))?.path();
        if path.extension().is_some_and(|e| e == EXTENSION) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// See the module.
pub struct Folder {
    dir: PathBuf,
    segment: Segment,
    number: u64,
}

impl Folder {
    /// Goes on in a folder, or begins it. A last segment without its end is repaired, and used on
    /// where it is about the same; returns what was repaired, in words.
    ///
    /// # Errors
    /// The last segment is damaged before its last block, or the disk says no.
    pub fn open(dir: &Path, header: Header) -> Result<(Self, Vec<String>), TapeError> {
        fs::create_dir_all(dir).map_err(|e| unreadable(dir, e))?;
        let mut said = Vec::new();
        let (mut number, mut going) = (0, None);
        if let Some(last) = segments(dir)?.pop() {
            number = number_of(&last);
            if is_headless(&last)? {
                // Killed between making the file and its first write.
                fs::remove_file(&last).map_err(|e| unreadable(&last, e))?;
                said.push(format!("{}: was empty and is made anew", last.display()));
                number = number.saturating_sub(1);
            } else {
                let (segment, cut) = Segment::resume(&last)?;
                said.extend(cut);
                going = segment;
            }
        }
        let segment = match going {
            Some(segment) if *segment.header() == header => segment,
            other => {
                if let Some(old) = other {
                    old.seal()?;
                }
                number += 1;
                Segment::create(&place(dir, number), header)?
            }
        };
        Ok((Self { dir: dir.to_owned(), segment, number }, said))
    }

    /// Where rows go now.
    pub const fn segment(&mut self) -> &mut Segment {
        &mut self.segment
    }

    /// Ends the segment and begins the next one.
    ///
    /// # Errors
    /// The disk says no.
    pub fn rotate(&mut self, header: Header) -> Result<(), TapeError> {
        let next = Segment::create(&place(&self.dir, self.number + 1), header)?;
        self.number += 1;
        std::mem::replace(&mut self.segment, next).seal()?;
        Ok(())
    }

    /// Drops the oldest segments until all together take no more than this; never this one, a
    /// later one or the one in use. Returns how many bytes are left.
    ///
    /// # Errors
    /// The disk says no.
    pub fn keep_within(&self, bytes_max: u64, kept_from: &Path) -> Result<u64, TapeError> {
        let paths = segments(&self.dir)?;
        let size = |path: &PathBuf| fs::metadata(path).map_or(0, |m| m.len());
        let mut bytes: u64 = paths.iter().map(size).sum();
        let in_use = self.segment.path();
        for path in paths.iter().filter(|p| p.as_path() < kept_from && *p != in_use) {
            if bytes <= bytes_max {
                break;
            }
            bytes -= size(path);
            fs::remove_file(path).map_err(|e| unreadable(path, e))?;
        }
        Ok(bytes)
    }

    /// Ends the last segment.
    ///
    /// # Errors
    /// The disk says no.
    pub fn close(self) -> Result<(), TapeError> {
        self.segment.seal().map(drop)
    }
}

fn place(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:08}.{EXTENSION}"))
}

fn number_of(path: &Path) -> u64 {
    path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse().ok()).unwrap_or_default()
}

/// Too short to say what it is about: nothing of worth can be in it.
fn is_headless(path: &Path) -> Result<bool, TapeError> {
    let bytes = fs::read(path).map(|b| b.len()).map_err(|e| unreadable(path, e))?;
    Ok(bytes < 1 << 16 && super::segment::Reader::open(path).is_err())
}
