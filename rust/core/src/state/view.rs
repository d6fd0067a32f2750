//! Reading the state: what is pending first, then the store.

use super::pending::Version;
use super::proof::prove;
use super::record::{
    escape, height_key, history_end, history_key, history_prefix, read_history_key, read_history_row,
    read_undo_row, read_value_row,
};
use super::trie::{Change, KEY};
use super::{Shared, StateError};
use crate::hash::{Hash, digest};
use crate::store::{Entry, Store, Table, entries};
use std::io;
use std::iter::Peekable;
use std::ops::Bound;
use std::sync::RwLockReadGuard;

type Value = Option<Vec<u8>>;

/// The state between two commits. While it is held no commit can change the tree.
pub struct View<'a> {
    shared: RwLockReadGuard<'a, Shared>,
    store: &'a dyn Store,
}

impl<'a> View<'a> {
    pub(super) fn new(shared: RwLockReadGuard<'a, Shared>, store: &'a dyn Store) -> Self {
        Self { shared, store }
    }

    /// The last committed height.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.shared.height
    }

    /// The height that a crash falls back to.
    #[must_use]
    pub fn flushed(&self) -> u64 {
        self.shared.flushed
    }

    /// Bytes of what is committed and not flushed, index included.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.shared.values.bytes() + self.shared.index.bytes()
    }

    /// The root after the last commit.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.shared.trie.root()
    }

    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.trie.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `key` now.
    ///
    /// # Errors
    /// Where the store fails, as for all reads.
    pub fn get(&self, key: &[u8]) -> io::Result<Value> {
        let hash = KEY.hash(key);
        if !self.shared.seen.may_contain(&hash) {
            return Ok(None);
        }
        if let Some(version) = self.shared.values.last(&hash) {
            return Ok(owned(version));
        }
        Ok(self.stored(key)?.map(|(_, value)| value))
    }

    /// The value of `key` after `height`.
    ///
    /// # Errors
    /// See [`View::get`].
    pub fn get_at(&self, key: &[u8], height: u64) -> io::Result<Value> {
        let mut pending = self.shared.values.versions(&KEY.hash(key));
        if let Some(version) = pending.find(|(written, _)| *written <= height) {
            return Ok(owned(version));
        }
        if let Some((_, value)) = self.stored(key)?.filter(|(written, _)| *written <= height) {
            return Ok(Some(value));
        }
        let past = self.store.last(Table::History, &history_prefix(key), &history_key(key, height))?;
        past.map_or(Ok(None), |(_, row)| read_history_row(row))
    }

    /// The last `limit` heights that wrote `key`, newest first.
    ///
    /// # Errors
    /// See [`View::get`].
    pub fn changes(&self, key: &[u8], limit: usize) -> io::Result<Vec<u64>> {
        let pending = self.shared.values.versions(&KEY.hash(key));
        let mut heights: Vec<u64> = pending.map(|(height, _)| height).collect();
        // A flush that is under way may have stored some of them already.
        let mut below = heights.last().copied().unwrap_or(u64::MAX);
        if let Some((height, _)) = self.stored(key)?.filter(|(height, _)| *height < below) {
            heights.push(height);
            below = height;
        }
        while heights.len() < limit && below > 0 {
            let Some((height, _)) = self.past(key, below - 1)? else { break };
            heights.push(height);
            below = height;
        }
        heights.truncate(limit);
        Ok(heights)
    }

    /// Up to `limit` pairs whose key starts with `prefix` and is greater than `after`.
    ///
    /// # Errors
    /// See [`View::get`].
    pub fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> io::Result<Vec<Entry>> {
        let present = self.latest(prefix, start(prefix, after)).filter_map(|pair| match pair {
            Ok((key, value)) => value.map(|value| Ok((key, value))),
            Err(error) => Some(Err(error)),
        });
        present.take(limit).collect()
    }

    /// The same after `height`.
    ///
    /// # Errors
    /// See [`View::get`].
    pub fn scan_at(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
        height: u64,
    ) -> io::Result<Vec<Entry>> {
        let present = self.latest(prefix, start(prefix, after)).map(|pair| pair.map(|(key, _)| key));
        let mut found = Vec::new();
        for key in union(present, self.past_keys(prefix, after)) {
            if found.len() == limit {
                break;
            }
            let key = key?;
            if let Some(value) = self.get_at(&key, height)? {
                found.push((key, value));
            }
        }
        Ok(found)
    }

    /// An index entry.
    ///
    /// # Errors
    /// See [`View::get`].
    pub fn index_get(&self, key: &[u8]) -> io::Result<Value> {
        match self.shared.index.last(&digest(key)) {
            Some(version) => Ok(owned(version)),
            None => self.store.get(Table::Index, key),
        }
    }

    /// The greatest index entry that starts with `prefix` and is at most `last`.
    ///
    /// # Errors
    /// See [`View::get`].
    pub fn index_last(&self, prefix: &[u8], last: &[u8]) -> io::Result<Option<Entry>> {
        let stored = self.store.last(Table::Index, prefix, last)?;
        let pending =
            self.shared.index.greatest(prefix, last).and_then(|(key, version)| Some((key, owned(version)?)));
        Ok(match (pending, stored) {
            (Some(pending), Some(stored)) if stored.0 > pending.0 => Some(stored),
            (pending, stored) => pending.or(stored),
        })
    }

    /// The proof of the value or absence of `key` after `height`.
    ///
    /// # Errors
    /// Where undo records do not reach that height, or the store fails.
    pub fn prove(&self, key: &[u8], height: u64) -> Result<Vec<u8>, StateError> {
        if height < self.shared.floor || self.shared.height < height {
            return Err(StateError::NotKept(height));
        }
        Ok(prove(&self.shared.trie, &KEY.hash(key), &self.undo_to(height)?))
    }

    /// The changes that take the tree back to `height`, sorted by key.
    fn undo_to(&self, height: u64) -> Result<Vec<Change>, StateError> {
        let mut undo = Vec::new();
        for height in height + 1..=self.shared.height {
            undo.extend(self.undo_of(height)?);
        }
        // The sort is stable: of each key the oldest change, which goes furthest back, stays.
        undo.sort_by_key(|change| change.key);
        undo.dedup_by_key(|change| change.key);
        Ok(undo)
    }

    fn undo_of(&self, height: u64) -> Result<Vec<Change>, StateError> {
        if let Some(sealed) = self.shared.heights.get(&height) {
            return Ok(sealed.undo.clone());
        }
        let row = self.store.get(Table::Undo, &height_key(height))?;
        Ok(read_undo_row(&row.ok_or(StateError::NotKept(height))?)?)
    }

    fn stored(&self, key: &[u8]) -> io::Result<Option<(u64, Vec<u8>)>> {
        self.store.get(Table::Values, key)?.map(read_value_row).transpose()
    }

    /// The last value of `key` in the history up to `height`.
    fn past(&self, key: &[u8], height: u64) -> io::Result<Option<(u64, Value)>> {
        let row = self.store.last(Table::History, &history_prefix(key), &history_key(key, height))?;
        let read = |(key, row): Entry| Ok((read_history_key(&key)?.1, read_history_row(row)?));
        row.map(read).transpose()
    }

    /// All keys with their last value, None where it was deleted and that is pending.
    fn latest<'b>(
        &'b self,
        prefix: &'b [u8],
        from: Bound<&'b [u8]>,
    ) -> impl Iterator<Item = io::Result<(Vec<u8>, Value)>> {
        let pending = self.shared.values.range(prefix, from).peekable();
        let stored = entries(self.store, Table::Values, prefix, from).peekable();
        Latest { pending, stored }
    }

    /// The keys that the history knows.
    fn past_keys(&self, prefix: &[u8], after: Option<&[u8]>) -> impl Iterator<Item = io::Result<Vec<u8>>> {
        let prefix = escape(prefix);
        let mut from = after.map_or_else(|| prefix.clone(), |after| history_end(after).max(prefix.clone()));
        std::iter::from_fn(move || {
            let next = self.store.page(Table::History, &prefix, Bound::Included(&from), 1);
            let key = next.and_then(|mut page| page.pop().map(|(key, _)| read_history_key(&key)).transpose());
            key.map(|key| {
                key.map(|(key, _)| {
                    from = history_end(&key);
                    key
                })
            })
            .transpose()
        })
    }
}

/// A copy of the value.
fn owned((_, value): Version) -> Value {
    value.map(<[u8]>::to_vec)
}

/// Where a scan begins.
fn start<'a>(prefix: &'a [u8], after: Option<&'a [u8]>) -> Bound<&'a [u8]> {
    match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    }
}

/// Pending and stored entries in one order; what is pending hides what is stored.
struct Latest<P: Iterator, S: Iterator> {
    pending: Peekable<P>,
    stored: Peekable<S>,
}

impl<'a, P, S> Iterator for Latest<P, S>
where
    P: Iterator<Item = (Vec<u8>, Version<'a>)>,
    S: Iterator<Item = io::Result<Entry>>,
{
    type Item = io::Result<(Vec<u8>, Value)>;

    fn next(&mut self) -> Option<Self::Item> {
        let pending = self.pending.peek().map(|(key, _)| key);
        let (take_stored, both) = match (self.stored.peek(), pending) {
            (Some(Ok((stored, _))), Some(pending)) => (stored[..] < pending[..], stored[..] == pending[..]),
            (stored, _) => (stored.is_some(), false),
        };
        if both {
            self.stored.next();
        }
        if take_stored {
            return self.stored.next().map(|entry| {
                let (key, row) = entry?;
                Ok((key, Some(read_value_row(row)?.1)))
            });
        }
        let (key, version) = self.pending.next()?;
        Some(Ok((key, owned(version))))
    }
}

/// The keys of two ordered sources in one order, each once.
fn union(
    left: impl Iterator<Item = io::Result<Vec<u8>>>,
    right: impl Iterator<Item = io::Result<Vec<u8>>>,
) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (Some(Ok(a)), Some(Ok(b))) => a.cmp(b),
            (Some(Ok(_)), None) | (Some(Err(_)), _) => std::cmp::Ordering::Less,
            _ => std::cmp::Ordering::Greater,
        };
        match order {
            std::cmp::Ordering::Less => left.next(),
            std::cmp::Ordering::Greater => right.next(),
            std::cmp::Ordering::Equal => {
                right.next();
                left.next()
            }
        }
    })
}
