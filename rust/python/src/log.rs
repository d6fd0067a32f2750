//! The log's tree.

use crate::convert::{Natural, hashes, joined, listed, value_error};
use grootboek_core::frame;
use grootboek_core::log::{self, Bundles, LogError};
use pyo3::exceptions::PyLookupError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Nothing under the lock asks for the GIL, and who has the GIL does not wait for the lock.
#[pyclass(frozen, module = "grootboek._core")]
pub struct Log(RwLock<log::Log>);

/// Bundle numbers with their leaf hashes.
type Given = Vec<(Natural, PyBackedBytes)>;

#[pymethods]
impl Log {
    #[new]
    #[pyo3(
        signature = (bundles = b"".as_slice(), tail = b"".as_slice(), /, *, recent = Natural(131_072)),
        text_signature = "(bundles=b'', tail=b'', /, *, recent=131072)",
    )]
    fn new(py: Python<'_>, bundles: &[u8], tail: &[u8], recent: Natural) -> PyResult<Self> {
        let (bundles, tail) = (hashes(bundles)?, hashes(tail)?);
        Ok(Self(RwLock::new(py.detach(|| log::Log::new(bundles, tail, recent.0)))))
    }

    #[getter]
    fn size(&self, py: Python<'_>) -> u64 {
        self.quick(py, log::Log::size)
    }

    #[pyo3(signature = (entries, /))]
    fn append<'py>(&self, py: Python<'py>, entries: &[u8]) -> PyResult<(u64, Bound<'py, PyBytes>)> {
        let appended = py.detach(|| {
            let leaves = log::leaf_hashes(&frame::contents::<2>(entries)?);
            let mut log = self.write();
            let full = log.append(&leaves);
            Ok::<_, frame::BrokenFrame>((log.size(), full))
        });
        let (size, full) = appended.map_err(value_error)?;
        Ok((size, joined(py, &full)))
    }

    #[pyo3(signature = (size, tail, /))]
    fn truncate(&self, py: Python<'_>, size: Natural, tail: &[u8]) -> PyResult<()> {
        let tail = hashes(tail)?;
        py.detach(|| self.write().truncate(size.0, tail)).map_err(into_py)
    }

    #[pyo3(
        signature = (size, bundles = Vec::new(), /),
        text_signature = "($self, size, bundles=(), /)",
    )]
    fn root<'py>(&self, py: Python<'py>, size: Natural, bundles: Given) -> PyResult<Bound<'py, PyBytes>> {
        let root = self.ask(py, &bundles, |log, bundles| log.root(size.0, bundles))?;
        Ok(PyBytes::new(py, &root))
    }

    #[pyo3(signature = (positions, size, /))]
    fn missing(&self, py: Python<'_>, positions: Vec<Natural>, size: Natural) -> PyResult<Vec<u64>> {
        let positions: Vec<u64> = positions.iter().map(|position| position.0).collect();
        py.detach(|| self.read().missing(&positions, size.0)).map_err(into_py)
    }

    #[pyo3(
        signature = (index, size, bundles = Vec::new(), /),
        text_signature = "($self, index, size, bundles=(), /)",
    )]
    fn inclusion<'py>(
        &self,
        py: Python<'py>,
        index: Natural,
        size: Natural,
        bundles: Given,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let path = self.ask(py, &bundles, |log, bundles| log.inclusion(index.0, size.0, bundles))?;
        Ok(listed(py, &path))
    }

    #[pyo3(
        signature = (first, second, bundles = Vec::new(), /),
        text_signature = "($self, first, second, bundles=(), /)",
    )]
    fn consistency<'py>(
        &self,
        py: Python<'py>,
        first: Natural,
        second: Natural,
        bundles: Given,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let proof = self.ask(py, &bundles, |log, bundles| log.consistency(first.0, second.0, bundles))?;
        Ok(listed(py, &proof))
    }

    #[pyo3(
        signature = (start, end, size, bundles = Vec::new(), /),
        text_signature = "($self, start, end, size, bundles=(), /)",
    )]
    fn range_proof<'py>(
        &self,
        py: Python<'py>,
        start: Natural,
        end: Natural,
        size: Natural,
        bundles: Given,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let nodes = self.ask(py, &bundles, |log, bundles| log.range(start.0, end.0, size.0, bundles))?;
        Ok(listed(py, &nodes))
    }

    #[pyo3(
        signature = (start, end, bundles = Vec::new(), /),
        text_signature = "($self, start, end, bundles=(), /)",
    )]
    fn leaves<'py>(
        &self,
        py: Python<'py>,
        start: Natural,
        end: Natural,
        bundles: Given,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let bundles = bundles_of(&bundles)?;
        let leaves = py.detach(|| self.read().leaves(start.0, end.0, &bundles)).map_err(into_py)?;
        Ok(joined(py, &leaves))
    }

    #[pyo3(
        signature = (level, index, width, bundles = Vec::new(), /),
        text_signature = "($self, level, index, width, bundles=(), /)",
    )]
    fn tile<'py>(
        &self,
        py: Python<'py>,
        level: Natural,
        index: Natural,
        width: Natural,
        bundles: Given,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let level = u32::try_from(level.0).unwrap_or(u32::MAX);
        let tile = self.ask(py, &bundles, |log, bundles| log.tile(level, index.0, width.0, bundles))?;
        Ok(joined(py, &tile))
    }
}

impl Log {
    fn read(&self) -> RwLockReadGuard<'_, log::Log> {
        self.0.read().expect("no append panicked")
    }

    fn write(&self) -> RwLockWriteGuard<'_, log::Log> {
        self.0.write().expect("no append panicked")
    }

    /// A question about a few nodes, which takes longer only where bundles have to be hashed for it.
    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        given: &Given,
        question: impl Fn(&log::Log, &Bundles) -> Result<T, LogError> + Send + Sync,
    ) -> PyResult<T> {
        let bundles = bundles_of(given)?;
        let answer = if bundles.is_empty() {
            self.quick(py, |log| question(log, &bundles))
        } else {
            py.detach(|| question(&self.read(), &bundles))
        };
        answer.map_err(into_py)
    }

    /// A read that is shorter than giving the GIL away, unless an append is in its way.
    fn quick<T: Send>(&self, py: Python<'_>, read: impl Fn(&log::Log) -> T + Send + Sync) -> T {
        match self.0.try_read() {
            Ok(log) => read(&log),
            Err(_) => py.detach(|| read(&self.read())),
        }
    }
}

fn bundles_of(given: &Given) -> PyResult<Bundles> {
    given.iter().map(|(number, leaves)| Ok((number.0, hashes(leaves)?.to_vec()))).collect()
}

fn into_py(error: LogError) -> PyErr {
    match error {
        LogError::Missing(_) => PyLookupError::new_err(error.to_string()),
        LogError::OutOfRange | LogError::WrongBundle(_) => value_error(error),
    }
}
