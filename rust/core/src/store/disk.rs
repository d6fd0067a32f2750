//! A store in a folder: fjall, a log-structured merge tree in Rust.
//!
//! All tables are one tree, told apart by the first byte of a key, and each batch becomes a file of the
//! tree by itself: it is complete once the tree names it, which is one atomic step. So a batch is written
//! once before files are merged, and never kept in memory: whoever needs the last state after a crash has
//! another log.

use super::{Entry, Store, Table, Write};
use fjall::compaction::Leveled;
use fjall::config::CompressionPolicy;
use fjall::{CompressionType, Database, Guard, Keyspace, KeyspaceCreateOptions};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

/// Bytes of blocks read that are kept in memory.
const CACHE_BYTES: u64 = 16 << 20;
/// Batches that are files of their own before they are merged with the rest: reads look into each of them,
/// and merging writes all that overlaps again.
const BATCHES: u8 = 16;
/// Threads that merge files.
const WORKERS: usize = 1;
const NAME: &str = "state";

/// A fjall database with one keyspace.
pub struct Disk {
    rows: Keyspace,
    /// Ends its threads when it is dropped.
    _database: Database,
}

impl Disk {
    /// Open the database in the folder `path`, or make it.
    ///
    /// # Errors
    /// Where the folder cannot be used, or another process uses it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .worker_threads(WORKERS)
            .open()
            .map_err(into_io)?;
        let merging = Arc::new(Leveled::default().with_l0_threshold(BATCHES));
        let options = || {
            KeyspaceCreateOptions::default()
                .compaction_strategy(merging)
                .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
        };
        let rows = database.keyspace(NAME, options).map_err(into_io)?;
        Ok(Self { rows, _database: database })
    }
}

impl Store for Disk {
    fn get(&self, table: Table, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let value = self.rows.get(row(table, key)).map_err(into_io)?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn page(&self, table: Table, prefix: &[u8], from: Bound<&[u8]>, limit: usize) -> io::Result<Vec<Entry>> {
        let from = match from {
            Bound::Unbounded => Bound::Included(row(table, &[])),
            bound => bound.map(|key| row(table, key)),
        };
        let prefix = row(table, prefix);
        let mut page = Vec::new();
        for guard in self.rows.range((from, Bound::Unbounded)).take(limit) {
            match within(guard, &prefix)? {
                Some(entry) => page.push(entry),
                None => break,
            }
        }
        Ok(page)
    }

    fn last(&self, table: Table, prefix: &[u8], last: &[u8]) -> io::Result<Option<Entry>> {
        if last < prefix {
            return Ok(None);
        }
        let (prefix, last) = (row(table, prefix), row(table, last));
        for guard in self.rows.range(prefix.clone()..=last).rev() {
            if let Some(entry) = within(guard, &prefix)? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn write(&self, mut writes: Vec<Write>) -> io::Result<()> {
        writes.sort_by(|(table, key, _), (other, right, _)| (*table as u8, key).cmp(&(*other as u8, right)));
        let mut file = self.rows.start_ingestion().map_err(into_io)?;
        let mut writes = writes.into_iter().peekable();
        while let Some((table, key, value)) = writes.next() {
            if writes.peek().is_some_and(|(other, right, _)| (*other, right) == (table, &key)) {
                continue;
            }
            match value {
                Some(value) => file.write(row(table, &key), value),
                None => file.write_tombstone(row(table, &key)),
            }
            .map_err(into_io)?;
        }
        file.finish().map_err(into_io)
    }
}

/// The key of a table's row in the one tree.
fn row(table: Table, key: &[u8]) -> Vec<u8> {
    let mut row = Vec::with_capacity(1 + key.len());
    row.push(table as u8);
    row.extend_from_slice(key);
    row
}

/// What was found, without its table; None where it does not start with `prefix`, which is a row.
fn within(guard: Guard, prefix: &[u8]) -> io::Result<Option<Entry>> {
    let (key, value) = guard.into_inner().map_err(into_io)?;
    Ok(key.starts_with(prefix).then(|| (key[1..].to_vec(), value.to_vec())))
}

fn into_io(error: fjall::Error) -> io::Error {
    match error {
        fjall::Error::Io(error) => error,
        fjall::Error::Locked => {
            io::Error::new(io::ErrorKind::WouldBlock, "another process uses the state store")
        }
        error => io::Error::other(error),
    }
}
