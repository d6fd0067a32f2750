//! The Python binding of grootboek-core: it converts arguments and results and releases the GIL.
//!
//! What each name means is said once, in `python/grootboek/_core.pyi`; a test compares it with this.

#![forbid(unsafe_code)]
#![allow(clippy::needless_pass_by_value, reason = "PyO3 hands extracted arguments over by value")]
#![allow(clippy::redundant_closure_for_method_calls, reason = "a method of a View lacks its lifetime")]

mod convert;
mod filter;
mod hashing;
mod log;
mod pool;
mod proofs;
mod row;
mod signatures;
mod state;
mod transactions;

use pyo3::prelude::*;

#[pymodule(gil_used = true)]
mod _core {
    #[pymodule_export]
    use super::filter::IdFilter;
    #[pymodule_export]
    use super::hashing::{command_path, command_root, digest, leaf_hashes};
    #[pymodule_export]
    use super::log::Log;
    #[pymodule_export]
    use super::pool::Pool;
    #[pymodule_export]
    use super::proofs::{range_paths, verify_command, verify_consistency, verify_inclusion, verify_state};
    #[pymodule_export]
    use super::row::row_key;
    #[pymodule_export]
    use super::signatures::{SigningKey, backend, verify, verify_many};
    #[pymodule_export]
    use super::state::State;
    #[pymodule_export]
    use super::transactions::TransactionBatch;
}
