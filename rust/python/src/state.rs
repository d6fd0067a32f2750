//! The state.

use crate::convert::{Natural, count, hash, value_error};
use grootboek_core::state::{self, Put, StateError, View};
use pyo3::exceptions::PyLookupError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use std::io;
use std::path::PathBuf;

#[pyclass(frozen, module = "grootboek._core")]
pub struct State(state::State);

type MaybeBytes<'py> = Option<Bound<'py, PyBytes>>;
type Pairs<'py> = Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>;

#[pymethods]
impl State {
    #[new]
    #[pyo3(signature = (path = None, /))]
    fn new(py: Python<'_>, path: Option<PathBuf>) -> PyResult<Self> {
        Ok(Self(match path {
            Some(path) => py.detach(|| state::State::open(&path))?,
            None => state::State::in_memory(),
        }))
    }

    #[getter]
    fn height(&self, py: Python<'_>) -> u64 {
        self.quick(py, |view| view.height())
    }

    #[getter]
    fn pending(&self, py: Python<'_>) -> usize {
        self.quick(py, |view| view.pending())
    }

    #[getter]
    fn flushed(&self, py: Python<'_>) -> u64 {
        self.quick(py, |view| view.flushed())
    }

    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.quick(py, |view| view.root()))
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.quick(py, |view| view.len())
    }

    #[pyo3(signature = (key, /))]
    fn get<'py>(&self, py: Python<'py>, key: &[u8]) -> PyResult<MaybeBytes<'py>> {
        Ok(maybe(py, self.quick(py, |view| view.get(key))?.as_deref()))
    }

    #[pyo3(signature = (keys, /))]
    fn get_many<'py>(&self, py: Python<'py>, keys: Vec<PyBackedBytes>) -> PyResult<Vec<MaybeBytes<'py>>> {
        let get_all = |view: &View| keys.iter().map(|key| view.get(key)).collect::<io::Result<Vec<_>>>();
        let values = self.long(py, get_all)?;
        Ok(values.iter().map(|value| maybe(py, value.as_deref())).collect())
    }

    #[pyo3(signature = (key, height, /))]
    fn get_at<'py>(&self, py: Python<'py>, key: &[u8], height: Natural) -> PyResult<MaybeBytes<'py>> {
        Ok(maybe(py, self.long(py, |view| view.get_at(key, height.0))?.as_deref()))
    }

    #[pyo3(signature = (key, limit, /))]
    fn changes(&self, py: Python<'_>, key: &[u8], limit: Natural) -> PyResult<Vec<u64>> {
        Ok(self.long(py, |view| view.changes(key, count(limit)))?)
    }

    #[pyo3(signature = (prefix, after, limit, /))]
    fn scan<'py>(
        &self,
        py: Python<'py>,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: Natural,
    ) -> PyResult<Pairs<'py>> {
        Ok(pairs(py, &self.long(py, |view| view.scan(prefix, after, count(limit)))?))
    }

    #[pyo3(signature = (prefix, after, limit, height, /))]
    fn scan_at<'py>(
        &self,
        py: Python<'py>,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: Natural,
        height: Natural,
    ) -> PyResult<Pairs<'py>> {
        let found = self.long(py, |view| view.scan_at(prefix, after, count(limit), height.0))?;
        Ok(pairs(py, &found))
    }

    #[pyo3(
        signature = (height, writes, index = Vec::new(), /),
        text_signature = "($self, height, writes, index=(), /)",
    )]
    fn commit<'py>(
        &self,
        py: Python<'py>,
        height: Natural,
        writes: Vec<(PyBackedBytes, Option<PyBackedBytes>)>,
        index: Vec<(PyBackedBytes, PyBackedBytes)>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let root = py.detach(|| self.0.commit(height.0, &puts(&writes), &index_rows(&index)));
        Ok(PyBytes::new(py, &root.map_err(into_py)?))
    }

    #[pyo3(
        signature = (height, root, writes, index = Vec::new(), /),
        text_signature = "($self, height, root, writes, index=(), /)",
    )]
    fn leap(
        &self,
        py: Python<'_>,
        height: Natural,
        root: &[u8],
        writes: Vec<(PyBackedBytes, Option<PyBackedBytes>)>,
        index: Vec<(PyBackedBytes, PyBackedBytes)>,
    ) -> PyResult<()> {
        let root = hash(root)?;
        py.detach(|| self.0.leap(height.0, &root, &puts(&writes), &index_rows(&index))).map_err(into_py)
    }

    #[pyo3(signature = (key, /))]
    fn index_get<'py>(&self, py: Python<'py>, key: &[u8]) -> PyResult<MaybeBytes<'py>> {
        Ok(maybe(py, self.quick(py, |view| view.index_get(key))?.as_deref()))
    }

    #[pyo3(signature = (keys, /))]
    fn index_get_many<'py>(
        &self,
        py: Python<'py>,
        keys: Vec<PyBackedBytes>,
    ) -> PyResult<Vec<MaybeBytes<'py>>> {
        let get_all =
            |view: &View| keys.iter().map(|key| view.index_get(key)).collect::<io::Result<Vec<_>>>();
        let values = self.long(py, get_all)?;
        Ok(values.iter().map(|value| maybe(py, value.as_deref())).collect())
    }

    #[pyo3(signature = (prefix, last, /))]
    fn index_scan<'py>(
        &self,
        py: Python<'py>,
        prefix: &[u8],
        last: &[u8],
    ) -> PyResult<Option<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>> {
        let found = self.long(py, |view| view.index_last(prefix, last))?;
        Ok(found.map(|(key, value)| (PyBytes::new(py, &key), PyBytes::new(py, &value))))
    }

    #[pyo3(signature = (rows, /))]
    fn index_put(&self, py: Python<'_>, rows: Vec<(PyBackedBytes, PyBackedBytes)>) -> PyResult<()> {
        py.detach(|| self.0.index_put(&index_rows(&rows))).map_err(into_py)
    }

    #[pyo3(signature = (key, height, /))]
    fn prove<'py>(&self, py: Python<'py>, key: &[u8], height: Natural) -> PyResult<Bound<'py, PyBytes>> {
        let proof = self.long(py, |view| view.prove(key, height.0)).map_err(into_py)?;
        Ok(PyBytes::new(py, &proof))
    }

    #[pyo3(signature = (height, keep, /))]
    fn flush(&self, py: Python<'_>, height: Natural, keep: Natural) -> PyResult<()> {
        py.detach(|| self.0.flush(height.0, keep.0)).map_err(into_py)
    }

    fn crash(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.0.crash()).map_err(into_py)
    }

    #[pyo3(signature = (after, limit, /))]
    fn dump<'py>(&self, py: Python<'py>, after: Option<&[u8]>, limit: Natural) -> PyResult<Pairs<'py>> {
        self.scan(py, &[], after, limit)
    }
}

impl State {
    /// A read that is shorter than giving the GIL away, unless a commit is in its way.
    fn quick<T: Send>(&self, py: Python<'_>, read: impl Fn(&View) -> T + Send + Sync) -> T {
        match self.0.try_view() {
            Some(view) => read(&view),
            None => self.long(py, read),
        }
    }

    fn long<T: Send>(&self, py: Python<'_>, read: impl Fn(&View) -> T + Send + Sync) -> T {
        py.detach(|| read(&self.0.view()))
    }
}

fn puts(writes: &[(PyBackedBytes, Option<PyBackedBytes>)]) -> Vec<Put<'_>> {
    writes.iter().map(|(key, value)| (&key[..], value.as_deref())).collect()
}

fn index_rows(index: &[(PyBackedBytes, PyBackedBytes)]) -> Vec<(&[u8], &[u8])> {
    index.iter().map(|(key, value)| (&key[..], &value[..])).collect()
}

fn maybe<'py>(py: Python<'py>, value: Option<&[u8]>) -> MaybeBytes<'py> {
    value.map(|value| PyBytes::new(py, value))
}

fn pairs<'py>(py: Python<'py>, found: &[(Vec<u8>, Vec<u8>)]) -> Pairs<'py> {
    found.iter().map(|(key, value)| (PyBytes::new(py, key), PyBytes::new(py, value))).collect()
}

fn into_py(error: StateError) -> PyErr {
    match error {
        StateError::Store(error) => error.into(),
        StateError::NotKept(_) => PyLookupError::new_err(error.to_string()),
        StateError::Height(_)
        | StateError::WrittenTwice
        | StateError::KeyLength(_)
        | StateError::NotInMemory
        | StateError::OtherRoot => value_error(error),
    }
}
