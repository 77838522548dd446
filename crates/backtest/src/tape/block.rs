//! Blocks: how a segment lies on the disk.
//!
//! ```text
//! segment = MAGIC block*
//! block   = kind u8 | packed length u32 | length u32 | xxh3-64 | packed bytes      (little endian)
//! ```
//! The checksum covers kind, lengths and packed bytes, so a block is whole or not there.

use domain::{Instrument, Timeframe, Timestamp};
use serde::{Deserialize, Serialize};
use std::io::{self, Read};
use xxhash_rust::xxh3::Xxh3Default;

/// First bytes of every segment; the digit is the version of everything behind it.
pub(crate) const MAGIC: &[u8; 8] = b"AMKTAPE1";
/// Largest block, packed or not: a bound for what a damaged length may make us ask of memory. A
/// chunk of the deepest books that we keep has a quarter of it.
pub const BLOCK_BYTES_MAX: usize = 64 << 20;
/// Before a block's bytes.
pub(crate) const HEAD_BYTES: usize = 17;
/// A third of the time of the default level for a tenth more bytes.
const LEVEL: i32 = 1;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// [`Header`], once, first.
    Header = 1,
    /// Normalised events.
    Events = 2,
    /// Bars.
    Bars = 3,
    /// Raw frames and measurements.
    Heard = 4,
    /// Whatever the owner of the segment writes.
    Own = 5,
    /// [`End`], once, last.
    End = 6,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Header, Self::Events, Self::Bars, Self::Heard, Self::Own, Self::End];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|k| *k as u8 == byte)
    }
}

/// What a segment is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// What its blocks hold.
    pub content: Content,
    /// Everything that its rows may tell of.
    pub instruments: Vec<Instrument>,
    /// Where it comes from, for people.
    pub origin: String,
    /// Free for the owner.
    pub note: String,
}

/// What the blocks of a segment hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// Events as they were received.
    Events,
    /// Bars of the only instrument.
    Bars(Timeframe),
    /// Inputs of the core.
    Inputs,
}

/// Said once nothing more comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Rows in all.
    pub rows: u64,
    /// Time of the first row, or of its bar's start.
    pub first_at: Option<Timestamp>,
    /// Time of the last row.
    pub last_at: Option<Timestamp>,
}

/// What stands at a place of a segment.
pub(crate) enum Found {
    /// A whole block.
    Block(Kind, Vec<u8>),
    /// The end of the file.
    Nothing,
    /// The beginning of a block, or what a power cut leaves of one.
    Torn,
    /// A block whose checksum is wrong with more behind it, or of a kind that we do not know.
    Damaged(&'static str),
}

/// Appends a block to `out`.
pub(crate) fn put(kind: Kind, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|n| *n as usize <= BLOCK_BYTES_MAX);
    let length = length.ok_or_else(|| io::Error::other("a block over its limit"))?;
    let packed = zstd::bulk::compress(bytes, LEVEL)?;
    let packed_length = u32::try_from(packed.len()).map_err(io::Error::other)?;
    let start = out.len();
    out.push(kind as u8);
    out.extend_from_slice(&packed_length.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    let sum = checksum(&out[start..], &packed);
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&packed);
    Ok(())
}

fn checksum(head: &[u8], packed: &[u8]) -> u64 {
    let mut hash = Xxh3Default::new();
    hash.update(head);
    hash.update(packed);
    hash.digest()
}

/// Reads what comes next, and says how many bytes it took.
pub(crate) fn take(file: &mut impl Read) -> io::Result<(Found, u64)> {
    let mut head = [0; HEAD_BYTES];
    match fill(file, &mut head)? {
        0 => return Ok((Found::Nothing, 0)),
        HEAD_BYTES => {}
        _ => return Ok((Found::Torn, 0)),
    }
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (packed_length, length) = (word(1) as usize, word(5) as usize);
    let sum = u64::from_le_bytes(head[9..17].try_into().unwrap_or_default());
    if head.iter().all(|b| *b == 0) {
        return Ok((Found::Torn, 0)); // space that was given to the file and never written
    }
    let Some(kind) = Kind::of(head[0]).filter(|_| packed_length.max(length) <= BLOCK_BYTES_MAX)
    else {
        return Ok((Found::Damaged("no block begins here"), 0));
    };
    let mut packed = Vec::new();
    let got = file.take(packed_length as u64).read_to_end(&mut packed)?;
    if got < packed_length {
        return Ok((Found::Torn, 0));
    }
    if checksum(&head[..9], &packed) != sum {
        let is_last = fill(file, &mut [0])? == 0;
        let damaged = Found::Damaged("its checksum is wrong");
        return Ok((if is_last { Found::Torn } else { damaged }, 0));
    }
    let bytes = zstd::bulk::decompress(&packed, length)?;
    Ok((Found::Block(kind, bytes), (HEAD_BYTES + packed_length) as u64))
}

/// Reads until the room is full or the file ends.
fn fill(file: &mut impl Read, room: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < room.len() {
        match file.read(&mut room[got..])? {
            0 => break,
            n => got += n,
        }
    }
    Ok(got)
}
