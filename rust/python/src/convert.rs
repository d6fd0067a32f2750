//! Python values to Rust's and back.

use grootboek_core::Hash;
use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

/// A natural number below 2^64; another integer is a `ValueError`.
#[derive(Clone, Copy)]
pub struct Natural(pub u64);

impl<'py> FromPyObject<'_, 'py> for Natural {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let MaybeNatural(number) = value.extract()?;
        number.map(Self).ok_or_else(|| PyValueError::new_err("must be at least 0 and below 2**64"))
    }
}

/// An integer; None where it is no natural number below 2^64.
#[derive(Clone, Copy)]
pub struct MaybeNatural(pub Option<u64>);

impl<'py> FromPyObject<'_, 'py> for MaybeNatural {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match value.extract::<u64>() {
            Ok(number) => Ok(Self(Some(number))),
            Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}

/// `number` as a count of things in memory.
pub fn count(number: Natural) -> usize {
    usize::try_from(number.0).unwrap_or(usize::MAX)
}

/// Exactly 32 bytes.
pub fn hash(bytes: &[u8]) -> PyResult<Hash> {
    bytes.try_into().map_err(|_| PyValueError::new_err("must be 32 bytes"))
}

/// Hashes of 32 bytes each, one after the other.
pub fn hashes(bytes: &[u8]) -> PyResult<&[Hash]> {
    match bytes.as_chunks() {
        (hashes, []) => Ok(hashes),
        _ => Err(PyValueError::new_err("must be a multiple of 32 bytes")),
    }
}

/// Each exactly 32 bytes, else None.
pub fn path(hashes: &[PyBackedBytes]) -> Option<Vec<Hash>> {
    hashes.iter().map(|hash| hash[..].try_into().ok()).collect()
}

/// Hashes as one `bytes`.
pub fn joined<'py>(py: Python<'py>, hashes: &[Hash]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, hashes.as_flattened())
}

/// Hashes as a list of `bytes`.
pub fn listed<'py>(py: Python<'py>, hashes: &[Hash]) -> Vec<Bound<'py, PyBytes>> {
    hashes.iter().map(|hash| PyBytes::new(py, hash)).collect()
}

/// Any error of an argument.
pub fn value_error(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}
