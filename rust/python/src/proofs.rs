//! Checking proofs: what is malformed is False.

use crate::convert::{MaybeNatural, Natural, hashes, listed, path, value_error};
use grootboek_core::merkle::{self, LogHash};
use grootboek_core::{command, state};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

#[pyfunction]
#[pyo3(name = "verify_command", signature = (root, count, index, command, path, /))]
pub fn verify_command(
    root: &[u8],
    count: MaybeNatural,
    index: MaybeNatural,
    command: &[u8],
    path: Vec<PyBackedBytes>,
) -> bool {
    let check = || {
        let path = self::path(&path)?;
        Some(command::verify(root.try_into().ok()?, count.0?, index.0?, command, &path))
    };
    check().unwrap_or(false)
}

#[pyfunction]
#[pyo3(signature = (root, size, index, leaf, path, /))]
pub fn verify_inclusion(
    root: &[u8],
    size: MaybeNatural,
    index: MaybeNatural,
    leaf: &[u8],
    path: Vec<PyBackedBytes>,
) -> bool {
    let check = || {
        let (root, leaf, path) = (root.try_into().ok()?, leaf.try_into().ok()?, self::path(&path)?);
        Some(merkle::verify_inclusion(&LogHash, root, size.0?, index.0?, leaf, &path))
    };
    check().unwrap_or(false)
}

#[pyfunction]
#[pyo3(signature = (first, first_root, second, second_root, proof, /))]
pub fn verify_consistency(
    first: MaybeNatural,
    first_root: &[u8],
    second: MaybeNatural,
    second_root: &[u8],
    proof: Vec<PyBackedBytes>,
) -> bool {
    let check = || {
        let (old, new) = (first_root.try_into().ok()?, second_root.try_into().ok()?);
        Some(merkle::verify_consistency(&LogHash, first.0?, old, second.0?, new, &path(&proof)?))
    };
    check().unwrap_or(false)
}

/// A root, and a path for each leaf.
type RangePaths<'py> = (Bound<'py, PyBytes>, Vec<Vec<Bound<'py, PyBytes>>>);

#[pyfunction]
#[pyo3(signature = (size, start, leaves, nodes, /))]
pub fn range_paths<'py>(
    py: Python<'py>,
    size: Natural,
    start: Natural,
    leaves: &[u8],
    nodes: Vec<PyBackedBytes>,
) -> PyResult<RangePaths<'py>> {
    let leaves = hashes(leaves)?;
    let nodes = path(&nodes).ok_or_else(|| value_error("each node must be 32 bytes"))?;
    let found = py.detach(|| merkle::range_paths(&LogHash, size.0, start.0, leaves, &nodes));
    let (root, paths) = found.ok_or_else(|| value_error("the counts do not fit each other"))?;
    Ok((PyBytes::new(py, &root), paths.iter().map(|path| listed(py, path)).collect()))
}

#[pyfunction]
#[pyo3(signature = (root, key, value, proof, /))]
pub fn verify_state(root: &[u8], key: &[u8], value: Option<&[u8]>, proof: &[u8]) -> bool {
    root.try_into().is_ok_and(|root| state::verify(root, key, value, proof))
}
