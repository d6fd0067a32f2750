//! Digests, leaf hashes and command roots.

use crate::convert::{Natural, joined, listed, value_error};
use grootboek_core::{command, frame, hash, log};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

/// From so many bytes on a hash takes longer than giving the GIL away and getting it back.
const DETACH_BYTES: usize = 1 << 16;

#[pyfunction]
#[pyo3(signature = (data, /))]
pub fn digest<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    let digest =
        if data.len() < DETACH_BYTES { hash::digest(data) } else { py.detach(|| hash::digest(data)) };
    PyBytes::new(py, &digest)
}

#[pyfunction]
#[pyo3(signature = (commands, /))]
pub fn command_root(py: Python<'_>, commands: Vec<PyBackedBytes>) -> Bound<'_, PyBytes> {
    let root = py.detach(|| command::root(commands.iter().map(|command| &command[..])));
    PyBytes::new(py, &root)
}

#[pyfunction]
#[pyo3(signature = (commands, index, /))]
pub fn command_path(
    py: Python<'_>,
    commands: Vec<PyBackedBytes>,
    index: Natural,
) -> PyResult<Vec<Bound<'_, PyBytes>>> {
    let path = py.detach(|| command::path(commands.iter().map(|command| &command[..]), index.0));
    let path = path.ok_or_else(|| value_error("there is no command with this index"))?;
    Ok(listed(py, &path))
}

#[pyfunction]
#[pyo3(signature = (entries, /))]
pub fn leaf_hashes<'py>(py: Python<'py>, entries: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let hashes = py.detach(|| frame::contents::<2>(entries).map(|entries| log::leaf_hashes(&entries)));
    Ok(joined(py, &hashes.map_err(value_error)?))
}
