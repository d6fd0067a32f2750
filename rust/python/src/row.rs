//! Keys of a module's rows.

use grootboek_core::row::{self, Part};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyInt, PyString, PyTuple};

#[pyfunction]
#[pyo3(signature = (prefix, parts, /))]
pub fn row_key<'py>(
    py: Python<'py>,
    prefix: &[u8],
    parts: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyBytes>> {
    let given = parts.iter().map(Given::of).collect::<PyResult<Vec<_>>>()?;
    Ok(PyBytes::new(py, &row::key(prefix, given.iter().map(Given::part))))
}

enum Given {
    Text(PyBackedStr),
    Bytes(PyBackedBytes),
    Number(u64),
}

impl Given {
    fn of(value: Bound<'_, PyAny>) -> PyResult<Self> {
        if value.is_instance_of::<PyString>() {
            Ok(Self::Text(value.extract()?))
        } else if value.is_instance_of::<PyBytes>() {
            Ok(Self::Bytes(value.extract()?))
        } else if value.is_instance_of::<PyInt>() {
            Ok(Self::Number(value.extract()?))
        } else {
            Err(PyTypeError::new_err("a part of a key is text, bytes or an integer"))
        }
    }

    fn part(&self) -> Part<'_> {
        match self {
            Self::Text(text) => Part::Bytes(text.as_bytes()),
            Self::Bytes(bytes) => Part::Bytes(bytes),
            Self::Number(number) => Part::Number(*number),
        }
    }
}
