//! Whatever grootboek pays once per transaction, vote or node of a tree.
//!
//! Pure Rust without `unsafe`; only [`store`] does I/O. Formats are described in `docs/spec`.

#![forbid(unsafe_code)]
#![allow(clippy::missing_panics_doc, reason = "only a broken invariant of this crate's own panics")]

pub mod batch;
pub mod command;
pub mod ed25519;
pub mod filter;
pub mod frame;
pub mod hash;
pub mod log;
pub mod merkle;
mod msgpack;
pub mod pool;
pub mod row;
pub mod state;
pub mod store;
pub mod transaction;

pub use hash::Hash;
