//! Moving what is pending to the store.

use super::pending::{Rows, Version, Written, written};
use super::record::{
    APPLIED, applied_row, height_key, history_key, history_row, read_value_row, undo_row, value_row,
};
use super::{Sealed, State, StateError};
use crate::store::{Store, Table, Write};
use std::io;
use std::sync::Arc;

/// What a flush writes, taken from the shared state.
struct Cut {
    height: u64,
    /// Proofs reach back to here afterwards, and did so before.
    floor: u64,
    old_floor: u64,
    flushed: u64,
    values: Vec<Arc<Rows>>,
    index: Vec<Arc<Rows>>,
    heights: Vec<(u64, Arc<Sealed>)>,
}

impl State {
    /// Make everything up to `height` durable, and keep undo records of the last `keep` heights.
    ///
    /// # Errors
    /// Where `height` is not between the last flush and the last commit, or the store fails.
    pub fn flush(&self, height: u64, keep: u64) -> Result<(), StateError> {
        let _one_at_a_time = self.flushing.lock().expect("no flush panicked");
        let cut = self.cut(height, keep)?;
        if cut.heights.is_empty() && cut.floor == cut.old_floor {
            return Ok(());
        }
        self.store.write(cut.batch(&*self.store)?)?;
        let mut shared = self.write();
        shared.flushed = height;
        shared.floor = cut.floor;
        shared.values.forget(height);
        shared.index.forget(height);
        shared.heights = shared.heights.split_off(&(height + 1));
        Ok(())
    }

    fn cut(&self, height: u64, keep: u64) -> Result<Cut, StateError> {
        let shared = self.shared.read().expect("no commit panicked");
        if height < shared.flushed || shared.height < height {
            return Err(StateError::Height(height));
        }
        Ok(Cut {
            height,
            floor: shared.floor.max(height.saturating_sub(keep)),
            old_floor: shared.floor,
            flushed: shared.flushed,
            values: shared.values.up_to(height),
            index: shared.index.up_to(height),
            heights: shared
                .heights
                .range(..=height)
                .map(|(height, sealed)| (*height, sealed.clone()))
                .collect(),
        })
    }
}

impl Cut {
    fn batch(&self, store: &dyn Store) -> io::Result<Vec<Write>> {
        let mut batch = Vec::new();
        let mut rows: Vec<Written> = written(&self.values).collect();
        rows.sort_by_key(|row| row.key); // neighbours lie in one block of the store's files
        for row in rows {
            let stored = if row.overwrites { store.get(Table::Values, row.key)? } else { None };
            if let Some(stored) = stored {
                let (height, value) = read_value_row(stored)?;
                batch.push(past(row.key, (height, Some(&value))));
            }
            write_version(&row, &mut batch);
        }
        let index = written(&self.index).filter(|row| row.last);
        batch.extend(index.map(|row| (Table::Index, row.key.to_vec(), row.version.1.map(<[u8]>::to_vec))));
        for (height, sealed) in self.heights.iter().filter(|(height, _)| *height > self.floor) {
            batch.push((Table::Undo, height_key(*height), Some(undo_row(&sealed.undo))));
        }
        for height in self.old_floor + 1..=self.floor.min(self.flushed) {
            batch.push((Table::Undo, height_key(height), None));
        }
        if let Some((_, sealed)) = self.heights.last() {
            let row = applied_row(self.height, &sealed.root);
            batch.push((Table::Meta, APPLIED.to_vec(), Some(row)));
        }
        Ok(batch)
    }
}

/// All but the last version are history; so is the last one if it deletes.
fn write_version(row: &Written, batch: &mut Vec<Write>) {
    let (height, value) = row.version;
    if !row.last || value.is_none() {
        batch.push(past(row.key, row.version));
    }
    if row.last {
        batch.push((Table::Values, row.key.to_vec(), value.map(|value| value_row(height, value))));
    }
}

fn past(key: &[u8], version: Version) -> Write {
    (Table::History, history_key(key, version.0), Some(history_row(version)))
}
