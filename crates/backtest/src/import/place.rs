//! Where imported tapes lie, and how one comes to be there whole or not at all.

use crate::gaps::Gap;
use crate::recorded::TapeError;
use crate::tape::{Content, EXTENSION, Header, Segment, segments, unreadable, useless};
use domain::{Instrument, Timestamp};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of all tapes: `exchange/BASE-QUOTE/timeframe/from_until.tape` below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Usually `tapes` in the data directory.
    pub root: PathBuf,
}

/// What was imported.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The new tape.
    pub path: PathBuf,
    /// Rows of data in it.
    pub rows: u64,
    /// Time of the first.
    pub from: Timestamp,
    /// End of the last.
    pub until: Timestamp,
    /// Where data is missing.
    pub gaps: Vec<Gap>,
    /// What was odd, and what was done about it.
    pub notes: Vec<String>,
}

impl Place {
    /// The folder of one series.
    pub fn series(&self, instrument: &Instrument, content: Content) -> PathBuf {
        let symbol = format!("{}-{}", instrument.symbol.base, instrument.symbol.quote);
        let kind = match content {
            Content::Bars(timeframe) => timeframe.name(),
            Content::Events => "events",
            Content::Inputs => "inputs",
        };
        self.root.join(instrument.exchange.name()).join(symbol).join(kind)
    }

    /// Begins a tape under a name that nobody reads.
    pub(crate) fn begin(&self, header: Header, replaces: bool) -> Result<Writing, TapeError> {
        let root = &self.root;
        let instrument =
            header.instruments.first().ok_or_else(|| useless(root, "no instrument at all"))?;
        let dir = self.series(instrument, header.content);
        fs::create_dir_all(&dir).map_err(|e| unreadable(&dir, e))?;
        let part = dir.join(format!("{}.part", std::process::id()));
        // Left by a process of the same number that was killed.
        let _ = fs::remove_file(&part);
        let segment = Some(Segment::create(&part, header)?);
        Ok(Writing { dir, part, segment, replaces })
    }
}

/// A tape in the making; dropped before its end, it leaves nothing.
pub(crate) struct Writing {
    dir: PathBuf,
    part: PathBuf,
    segment: Option<Segment>,
    replaces: bool,
}

impl Writing {
    pub(crate) fn segment(&mut self) -> &mut Segment {
        self.segment.as_mut().expect("taken by finish alone, which consumes self")
    }

    /// Seals it and gives it its name, unless that would tell of a time twice.
    pub(crate) fn finish(mut self, until: Timestamp) -> Result<Written, TapeError> {
        let segment = self.segment.take().expect("taken here alone");
        let end = segment.seal()?;
        let from = end.first_at.ok_or_else(|| useless(&self.dir, "no row at all"))?;
        let path = publish(&self.dir, &self.part, from, until, self.replaces)?;
        let (gaps, notes) = (Vec::new(), Vec::new());
        Ok(Written { path, rows: end.rows, from, until, gaps, notes })
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // Renamed by then where all went well.
        let _ = fs::remove_file(&self.part);
    }
}

/// Moves a sealed tape to where it is found.
pub(crate) fn publish(
    dir: &Path,
    part: &Path,
    from: Timestamp,
    until: Timestamp,
    replaces: bool,
) -> Result<PathBuf, TapeError> {
    let path = dir.join(format!("{}_{}.{EXTENSION}", stamp(from), stamp(until)));
    let (first, last) = (stamp(from), stamp(until));
    let overlaps = |old: &PathBuf| {
        let name = old.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let (begin, end) = name.split_once('_').unwrap_or_default();
        begin < last.as_str() && first.as_str() < end || *old == path
    };
    let old: Vec<PathBuf> = segments(dir)?.into_iter().filter(overlaps).collect();
    if let Some(old) = old.first().filter(|_| !replaces) {
        let problem = "tells of the same time already; --replace puts the new one in its place";
        return Err(useless(old, problem));
    }
    fs::rename(part, &path).map_err(|e| unreadable(&path, e))?;
    for old in old.iter().filter(|o| **o != path) {
        fs::remove_file(old).map_err(|e| unreadable(old, e))?;
    }
    let synced = fs::File::open(dir).and_then(|d| d.sync_all());
    synced.map_err(|e| unreadable(dir, e))?;
    Ok(path)
}

/// `20240808T235413937`: sorts as time does, and is a file's name everywhere.
fn stamp(at: Timestamp) -> String {
    at.to_string().chars().take(23).filter(|c| c.is_ascii_alphanumeric()).collect()
}

/// The time that a tape's name tells of.
pub(crate) fn unstamp(path: &Path) -> Option<(Timestamp, Timestamp)> {
    let name = path.file_stem()?.to_str()?;
    let (from, until) = name.split_once('_')?;
    Some((instant(from)?, instant(until)?))
}

fn instant(stamp: &str) -> Option<Timestamp> {
    let (date, time) = stamp.split_once('T')?;
    let part = |text: &str, range: std::ops::Range<usize>| text.get(range).map(str::to_owned);
    let (year, month, day) = (part(date, 0..4)?, part(date, 4..6)?, part(date, 6..8)?);
    let (hour, minute, second) = (part(time, 0..2)?, part(time, 2..4)?, part(time, 4..6)?);
    let millis = part(time, 6..9)?;
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}.{millis}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_of_its_time() {
        let at = Timestamp::parse("2024-08-08T23:54:13.937Z").unwrap();
        assert_eq!(stamp(at), "20240808T235413937");
        assert_eq!(instant(&stamp(at)), Some(at));
        assert_eq!(unstamp(Path::new("00000001.tape")), None);
    }
}
