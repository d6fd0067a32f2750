//! Where the state is kept: ordered tables of bytes, written in atomic batches.

mod disk;
mod memory;

pub use disk::Disk;
pub use memory::Memory;

use std::io;
use std::ops::Bound;

/// The tables of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The present value of each key, with the height that wrote it.
    Values,
    /// Values that were overwritten, and deletions, by key and height.
    History,
    /// The index: not authenticated, never overwritten by another value.
    Index,
    /// By height, what the state tree's leaves were before.
    Undo,
    /// What the store itself is about.
    Meta,
}

impl Table {
    /// All tables, each at the position of its discriminant.
    pub const ALL: [Self; 5] = [Self::Values, Self::History, Self::Index, Self::Undo, Self::Meta];
}

/// A key with its value.
pub type Entry = (Vec<u8>, Vec<u8>);

/// One change of a batch: a value to put, or None to delete.
pub type Write = (Table, Vec<u8>, Option<Vec<u8>>);

/// An ordered key-value store.
pub trait Store: Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    /// Where the store cannot be read, as for all reads.
    fn get(&self, table: Table, key: &[u8]) -> io::Result<Option<Vec<u8>>>;

    /// Up to `limit` entries from `from` on whose key starts with `prefix`, in order.
    ///
    /// # Errors
    /// See [`Store::get`].
    fn page(&self, table: Table, prefix: &[u8], from: Bound<&[u8]>, limit: usize) -> io::Result<Vec<Entry>>;

    /// The greatest entry whose key starts with `prefix` and is at most `last`.
    ///
    /// # Errors
    /// See [`Store::get`].
    fn last(&self, table: Table, prefix: &[u8], last: &[u8]) -> io::Result<Option<Entry>>;

    /// Apply all of `batch` or nothing, and make it durable.
    ///
    /// # Errors
    /// Where it may not be durable: whoever wrote must stop.
    fn write(&self, batch: Vec<Write>) -> io::Result<()>;
}

/// The entries of a table whose key starts with `prefix`, from `from` on, fetched in pages.
pub fn entries<'a>(
    store: &'a dyn Store,
    table: Table,
    prefix: &'a [u8],
    from: Bound<&[u8]>,
) -> impl Iterator<Item = io::Result<Entry>> + use<'a> {
    const PAGE: usize = 64;
    let mut from = from.map(<[u8]>::to_vec);
    let mut page = Vec::new().into_iter();
    let mut ended = false;
    std::iter::from_fn(move || {
        if page.len() == 0 && !ended {
            match store.page(table, prefix, from.as_ref().map(Vec::as_slice), PAGE) {
                Ok(entries) => {
                    ended = entries.len() < PAGE;
                    page = entries.into_iter();
                }
                Err(error) => {
                    ended = true;
                    return Some(Err(error));
                }
            }
        }
        let entry: Entry = page.next()?;
        if page.len() == 0 {
            from = Bound::Excluded(entry.0.clone());
        }
        Some(Ok(entry))
    })
}
