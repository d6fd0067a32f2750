//! Moving what is pending to the store.

use super::record::{
    APPLIED, applied_row, height_key, history_key, history_row, read_value_row, undo_row, value_row,
};
use super::versions::{Bytes, Version, Versions};
use super::{Sealed, State, StateError};
use crate::store::{Store, Table, Write};
use std::io;

/// What a flush writes, taken from the shared state.
struct Cut {
    height: u64,
    /// Proofs reach back to here afterwards, and did so before.
    floor: u64,
    old_floor: u64,
    flushed: u64,
    values: Vec<(Bytes, Versions)>,
    index: Vec<(Bytes, Versions)>,
    heights: Vec<(u64, Sealed)>,
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
        for (key, versions) in &self.values {
            let stored = if versions.fresh() { None } else { store.get(Table::Values, key)? };
            if let Some(row) = stored {
                let (height, value) = read_value_row(row)?;
                batch.push(past(key, &(height, Some(value.into()))));
            }
            write_versions(key, versions, &mut batch);
        }
        for (key, versions) in &self.index {
            let (_, value) = versions.last();
            batch.push((Table::Index, key.to_vec(), value.as_ref().map(|value| value.to_vec())));
        }
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
fn write_versions(key: &Bytes, versions: &Versions, batch: &mut Vec<Write>) {
    batch.extend(versions.older().iter().map(|version| past(key, version)));
    let (height, value) = versions.last();
    let row = value.as_ref().map(|value| value_row(*height, value));
    if row.is_none() {
        batch.push(past(key, versions.last()));
    }
    batch.push((Table::Values, key.to_vec(), row));
}

fn past(key: &[u8], version: &Version) -> Write {
    (Table::History, history_key(key, version.0), Some(history_row(version)))
}
