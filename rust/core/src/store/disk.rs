//! A store in a folder: fjall, a log-structured merge tree in Rust.

use super::{Entry, Store, Table, Write};
use fjall::{Database, Guard, Keyspace, KeyspaceCreateOptions, PersistMode};
use std::io;
use std::ops::Bound;
use std::path::Path;

/// Bytes of recent writes a table keeps in memory before they go to a file of their own.
const MEMTABLE_BYTES: u64 = 8 << 20;
/// Bytes of blocks read that are kept in memory.
const CACHE_BYTES: u64 = 16 << 20;
/// Bytes of the write-ahead journal, the least that fjall allows.
const JOURNAL_BYTES: u64 = 64 << 20;
/// Threads that merge files.
const WORKERS: usize = 1;

/// A fjall database with one keyspace for each table.
pub struct Disk {
    database: Database,
    tables: Vec<Keyspace>,
}

impl Disk {
    /// Open the database in the folder `path`, or make it.
    ///
    /// # Errors
    /// Where the folder cannot be used, or another process uses it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let database = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKERS)
            .manual_journal_persist(true)
            .open()
            .map_err(into_io)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let open = |table: Table| database.keyspace(table.name(), options).map_err(into_io);
        let tables = Table::ALL.into_iter().map(open).collect::<io::Result<_>>()?;
        Ok(Self { database, tables })
    }

    fn table(&self, table: Table) -> &Keyspace {
        &self.tables[table as usize]
    }
}

impl Store for Disk {
    fn get(&self, table: Table, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        let value = self.table(table).get(key).map_err(into_io)?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn page(&self, table: Table, prefix: &[u8], from: Bound<&[u8]>, limit: usize) -> io::Result<Vec<Entry>> {
        let range = self.table(table).range::<&[u8], _>((from, Bound::Unbounded));
        let mut page = Vec::new();
        for guard in range.take(limit) {
            let entry = into_entry(guard)?;
            if !entry.0.starts_with(prefix) {
                break;
            }
            page.push(entry);
        }
        Ok(page)
    }

    fn last(&self, table: Table, prefix: &[u8], last: &[u8]) -> io::Result<Option<Entry>> {
        if last < prefix {
            return Ok(None);
        }
        let bounds = (Bound::Included(prefix), Bound::Included(last));
        for guard in self.table(table).range::<&[u8], _>(bounds).rev() {
            let entry = into_entry(guard)?;
            if entry.0.starts_with(prefix) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    fn write(&self, writes: Vec<Write>) -> io::Result<()> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        for (table, key, value) in writes {
            match value {
                Some(value) => batch.insert(self.table(table), key, value),
                None => batch.remove(self.table(table), key),
            }
        }
        batch.commit().map_err(into_io)
    }
}

fn into_entry(guard: Guard) -> io::Result<Entry> {
    let (key, value) = guard.into_inner().map_err(into_io)?;
    Ok((key.to_vec(), value.to_vec()))
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
