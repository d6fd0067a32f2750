//! Filters of ids.

use crate::convert::hash;
use grootboek_core::filter;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use std::sync::Mutex;

/// Nothing under the lock asks for the GIL.
#[pyclass(frozen, module = "grootboek._core")]
pub struct IdFilter(Mutex<filter::IdFilter>);

#[pymethods]
impl IdFilter {
    #[new]
    fn new() -> Self {
        Self(Mutex::default())
    }

    #[pyo3(signature = (ids, /))]
    fn add(&self, ids: Vec<PyBackedBytes>) -> PyResult<()> {
        let ids = ids.iter().map(|id| hash(id)).collect::<PyResult<Vec<_>>>()?;
        let mut filter = self.0.lock().expect("no panic under this lock");
        for id in &ids {
            filter.add(id);
        }
        Ok(())
    }

    #[pyo3(signature = (ids, /))]
    fn candidates(&self, ids: Vec<PyBackedBytes>) -> Vec<usize> {
        let filter = self.0.lock().expect("no panic under this lock");
        let seen = |id: &[u8]| id.try_into().is_ok_and(|id| filter.may_contain(id));
        let found = ids.iter().enumerate().filter(|(_, id)| seen(id));
        found.map(|(position, _)| position).collect()
    }
}
