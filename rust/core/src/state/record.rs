//! How the state's rows look in the store.
//!
//! - `values`: key -> height of the write (8 bytes, big-endian), value
//! - `history`: escaped key, height -> 1 and the value, or 0 for a deletion. A value moves here when
//!   it is overwritten, so each is stored once.
//! - `undo`: height -> for each changed leaf its key hash, then 1 and the old value hash, or 0
//! - `meta`: `applied` -> height, root

use super::pending::Version;
use super::trie::Change;
use crate::hash::Hash;
use std::io;

pub const APPLIED: &[u8] = b"applied";

const ABSENT: u8 = 0;
const PRESENT: u8 = 1;

/// A row of the store that is not as this module writes it.
pub fn damaged(table: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the state store's table {table} is damaged"))
}

pub fn height_key(height: u64) -> Vec<u8> {
    height.to_be_bytes().to_vec()
}

pub fn read_height(bytes: &[u8], table: &str) -> io::Result<u64> {
    Ok(u64::from_be_bytes(bytes.try_into().map_err(|_| damaged(table))?))
}

pub fn value_row(height: u64, value: &[u8]) -> Vec<u8> {
    [&height.to_be_bytes(), value].concat()
}

pub fn read_value_row(mut row: Vec<u8>) -> io::Result<(u64, Vec<u8>)> {
    let height = row.first_chunk().copied().map(u64::from_be_bytes).ok_or_else(|| damaged("values"))?;
    row.drain(..8);
    Ok((height, row))
}

pub fn history_row((_, value): Version) -> Vec<u8> {
    match value {
        Some(value) => [&[PRESENT], value].concat(),
        None => vec![ABSENT],
    }
}

pub fn read_history_row(mut row: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    match row.first() {
        Some(&PRESENT) => {
            row.remove(0);
            Ok(Some(row))
        }
        Some(&ABSENT) if row.len() == 1 => Ok(None),
        _ => Err(damaged("history")),
    }
}

/// `key` with 0 written as 0 255, so that order and prefixes are kept and 0 0 can end it.
pub fn escape(key: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(key.len() + 10);
    for byte in key {
        escaped.push(*byte);
        if *byte == 0 {
            escaped.push(0xff);
        }
    }
    escaped
}

/// What all history keys of `key` start with.
pub fn history_prefix(key: &[u8]) -> Vec<u8> {
    let mut prefix = escape(key);
    prefix.extend([0, 0]);
    prefix
}

/// Beyond all history keys of `key`, and before those of the next key.
pub fn history_end(key: &[u8]) -> Vec<u8> {
    let mut end = escape(key);
    end.extend([0, 1]);
    end
}

pub fn history_key(key: &[u8], height: u64) -> Vec<u8> {
    let mut bytes = history_prefix(key);
    bytes.extend(height.to_be_bytes());
    bytes
}

/// The key and height of a history key.
pub fn read_history_key(bytes: &[u8]) -> io::Result<(Vec<u8>, u64)> {
    let (escaped, height) = bytes.split_last_chunk::<8>().ok_or_else(|| damaged("history"))?;
    let escaped = escaped.strip_suffix(&[0, 0]).ok_or_else(|| damaged("history"))?;
    let mut key = Vec::with_capacity(escaped.len());
    let mut bytes = escaped.iter();
    while let Some(byte) = bytes.next() {
        key.push(*byte);
        if *byte == 0 && bytes.next() != Some(&0xff) {
            return Err(damaged("history"));
        }
    }
    Ok((key, u64::from_be_bytes(*height)))
}

pub fn undo_row(undo: &[Change]) -> Vec<u8> {
    let mut row = Vec::with_capacity(65 * undo.len());
    for Change { key, value } in undo {
        row.extend_from_slice(key);
        row.push(if value.is_some() { PRESENT } else { ABSENT });
        row.extend(value.iter().flatten());
    }
    row
}

pub fn read_undo_row(mut row: &[u8]) -> io::Result<Vec<Change>> {
    let mut undo = Vec::new();
    while let Some((key, rest)) = row.split_first_chunk::<32>() {
        let value;
        (value, row) = match rest.split_first() {
            Some((&ABSENT, rest)) => (None, rest),
            Some((&PRESENT, rest)) => {
                let (value, rest) = rest.split_first_chunk().ok_or_else(|| damaged("undo"))?;
                (Some(*value), rest)
            }
            _ => return Err(damaged("undo")),
        };
        undo.push(Change { key: *key, value });
    }
    if row.is_empty() { Ok(undo) } else { Err(damaged("undo")) }
}

pub fn applied_row(height: u64, root: &Hash) -> Vec<u8> {
    [&height.to_be_bytes(), &root[..]].concat()
}

pub fn read_applied_row(row: &[u8]) -> io::Result<(u64, Hash)> {
    let (height, root) = row.split_first_chunk().ok_or_else(|| damaged("meta"))?;
    Ok((u64::from_be_bytes(*height), root.try_into().map_err(|_| damaged("meta"))?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn short_key() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(prop::sample::select(vec![0, 1, 0xfe, 0xff]), 0..6)
    }

    proptest! {
        #[test]
        fn history_keys_round_trip_and_keep_order(a in short_key(), b in short_key(), x: u64, y: u64) {
            prop_assert_eq!(read_history_key(&history_key(&a, x)).unwrap(), (a.clone(), x));
            prop_assert_eq!(history_key(&a, x).cmp(&history_key(&b, y)), a.cmp(&b).then(x.cmp(&y)));
            prop_assert!(history_key(&a, x) < history_end(&a));
            prop_assert_eq!(history_end(&a) < history_key(&b, y), a < b);
            prop_assert_eq!(history_key(&a, x).starts_with(&escape(&b)), a.starts_with(&b));
        }
    }

    #[test]
    fn damaged_rows_are_errors() {
        assert!(read_history_key(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).is_err());
        assert!(read_history_key(&[1]).is_err());
        assert!(read_history_row(vec![]).is_err());
        assert!(read_history_row(vec![0, 1]).is_err());
        assert!(read_value_row(vec![0; 7]).is_err());
        assert!(read_undo_row(&[0; 32]).is_err());
        assert!(read_undo_row(&[2; 33]).is_err());
        assert!(read_undo_row(&[1; 64]).is_err());
        assert!(read_applied_row(&[0; 39]).is_err());
    }
}
