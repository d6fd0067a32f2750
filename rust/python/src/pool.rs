//! The pool of waiting transactions.

use crate::convert::{Natural, count, hash, listed, value_error};
use crate::transactions::TransactionBatch;
use grootboek_core::Hash;
use grootboek_core::pool;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use std::sync::{Mutex, MutexGuard};

/// Nothing under the lock asks for the GIL.
#[pyclass(frozen, module = "grootboek._core")]
pub struct Pool {
    chain: Hash,
    inner: Mutex<pool::Pool>,
}

#[pymethods]
impl Pool {
    #[new]
    #[pyo3(signature = (chain, transactions, size, /))]
    fn new(chain: &[u8], transactions: Natural, size: Natural) -> PyResult<Self> {
        let inner = Mutex::new(pool::Pool::new(count(transactions), count(size)));
        Ok(Self { chain: hash(chain)?, inner })
    }

    fn __len__(&self) -> usize {
        self.lock().len()
    }

    fn __contains__(&self, key: &[u8]) -> bool {
        key.try_into().is_ok_and(|id| self.lock().contains(id))
    }

    #[getter]
    fn size(&self) -> usize {
        self.lock().bytes()
    }

    #[pyo3(signature = (batch, indexes, /))]
    fn add(
        &self,
        batch: &Bound<'_, TransactionBatch>,
        indexes: Vec<usize>,
    ) -> PyResult<Vec<(usize, String)>> {
        let batch = batch.get();
        let mut refused = Vec::new();
        let mut pool = self.lock();
        for index in indexes {
            let (frame, summary) =
                batch.admissible(index).ok_or_else(|| value_error("it is not there, or not admissible"))?;
            if let Err(reason) = pool.add(frame, summary) {
                refused.push((index, reason.to_string()));
            }
        }
        Ok(refused)
    }

    #[pyo3(signature = (max_transactions, max_bytes, /))]
    fn take(
        &self,
        py: Python<'_>,
        max_transactions: Natural,
        max_bytes: Natural,
    ) -> Option<TransactionBatch> {
        let (buffer, judged) = self.lock().take(count(max_transactions), count(max_bytes));
        let batch = || TransactionBatch::of(PyBytes::new(py, &buffer).into(), self.chain, judged);
        (!buffer.is_empty()).then(batch)
    }

    #[pyo3(signature = (ids, /))]
    fn remove(&self, ids: Vec<PyBackedBytes>) {
        let mut pool = self.lock();
        for id in ids.iter().filter_map(|id| id[..].try_into().ok()) {
            pool.remove(id);
        }
    }

    #[pyo3(signature = (time, /))]
    fn expire<'py>(&self, py: Python<'py>, time: Natural) -> Vec<Bound<'py, PyBytes>> {
        let gone = self.lock().expire(time.0);
        listed(py, &gone)
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, pool::Pool> {
        self.inner.lock().expect("no panic under this lock")
    }
}
