//! Lines of a text file, packed or not, within bounds.

use crate::TapeError;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// Text of one file, unpacked: a day of a busy symbol, and a bound for a broken archive.
const BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// One line: an exchange's whole list of instruments is a few megabytes.
const LINE_MAX: u64 = 64 * 1024 * 1024;
/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// See the module.
pub(super) struct Lines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    line: String,
    number: u64,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, TapeError> {
        let unreadable = |source| TapeError::Unreadable { path: path.to_owned(), source };
        let mut file = BufReader::new(File::open(path).map_err(unreadable)?);
        let is_packed = file.fill_buf().map_err(unreadable)?.starts_with(&GZIP);
        let reader: Box<dyn BufRead> = if is_packed {
            Box::new(BufReader::new(MultiGzDecoder::new(file).take(BYTES_MAX)))
        } else {
            Box::new(file.take(BYTES_MAX))
        };
        Ok(Self { path: path.to_owned(), reader, line: String::new(), number: 0 })
    }

    /// The next line without its end; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<&str>, TapeError> {
        self.line.clear();
        let read = self.reader.by_ref().take(LINE_MAX).read_line(&mut self.line);
        let read = read.map_err(|error| self.torn(error))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        if read as u64 == LINE_MAX {
            return Err(self.wrong("longer than any message of an exchange".to_owned()));
        }
        Ok(Some(self.line.trim_end()))
    }

    /// Hands every line to `take`; what it does not like is named by file and line.
    pub(super) fn each(
        mut self,
        mut take: impl FnMut(&str) -> Result<(), String>,
    ) -> Result<(), TapeError> {
        while let Some(line) = self.next()? {
            if let Err(problem) = take(line) {
                return Err(self.wrong(problem));
            }
        }
        Ok(())
    }

    /// A packed file that ends in the middle says so by the line at which it does.
    fn torn(&self, error: Error) -> TapeError {
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
                let problem = format!("cannot be unpacked from here on: {error}");
                TapeError::Line { path: self.path.clone(), line: self.number + 1, problem }
            }
            _ => TapeError::Unreadable { path: self.path.clone(), source: error },
        }
    }

    /// The line last read is no good.
    pub(super) fn wrong(&self, problem: String) -> TapeError {
        TapeError::Line { path: self.path.clone(), line: self.number, problem }
    }

    /// Counts from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}
