//! A store that ends with its process: for simulations and audits.

use super::{Entry, Store, Table, Write};
use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{RwLock, RwLockReadGuard};

type Tables = [BTreeMap<Vec<u8>, Vec<u8>>; Table::ALL.len()];

/// Ordered maps in memory.
#[derive(Debug, Default)]
pub struct Memory(RwLock<Tables>);

impl Memory {
    fn read(&self) -> RwLockReadGuard<'_, Tables> {
        self.0.read().expect("no panic under this lock")
    }
}

impl Store for Memory {
    fn get(&self, table: Table, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        Ok(self.read()[table as usize].get(key).cloned())
    }

    fn page(&self, table: Table, prefix: &[u8], from: Bound<&[u8]>, limit: usize) -> io::Result<Vec<Entry>> {
        let tables = self.read();
        let range = tables[table as usize].range::<[u8], _>((from, Bound::Unbounded));
        let matching = range.take_while(|(key, _)| key.starts_with(prefix));
        Ok(matching.take(limit).map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn last(&self, table: Table, prefix: &[u8], last: &[u8]) -> io::Result<Option<Entry>> {
        if last < prefix {
            return Ok(None);
        }
        let tables = self.read();
        let bounds = (Bound::Included(prefix), Bound::Included(last));
        let found =
            tables[table as usize].range::<[u8], _>(bounds).rev().find(|(key, _)| key.starts_with(prefix));
        Ok(found.map(|(key, value)| (key.clone(), value.clone())))
    }

    fn write(&self, batch: Vec<Write>) -> io::Result<()> {
        let mut tables = self.0.write().expect("no panic under this lock");
        for (table, key, value) in batch {
            let table = &mut tables[table as usize];
            match value {
                Some(value) => table.insert(key, value),
                None => table.remove(&key),
            };
        }
        Ok(())
    }
}
