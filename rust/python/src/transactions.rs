//! Batches of framed transactions.

use crate::convert::{Natural, count, hash, value_error};
use crate::signatures::VERIFIER;
use grootboek_core::Hash;
use grootboek_core::batch::{self, Judged, PREFIX, Rules, Summary, Verdict};
use grootboek_core::transaction::Transaction;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyTuple};
use std::sync::OnceLock;

#[pyclass(frozen, module = "grootboek._core")]
pub struct TransactionBatch {
    buffer: PyBackedBytes,
    chain: Hash,
    judged: Vec<Judged>,
    digest: OnceLock<Hash>,
}

#[pymethods]
impl TransactionBatch {
    #[new]
    #[pyo3(
        signature = (
            buffer, chain, /, *,
            signers = Natural(16),
            commands = Natural(1_000),
            command_bytes = Natural(49_152),
            transaction_bytes = Natural(262_144),
            check_signatures = true,
        ),
        text_signature = "(buffer, chain, /, *, signers=16, commands=1000, command_bytes=49152, \
                          transaction_bytes=262144, check_signatures=True)",
    )]
    #[expect(clippy::too_many_arguments, reason = "the limits are keywords, each with its default")]
    fn new(
        py: Python<'_>,
        buffer: PyBackedBytes,
        chain: &[u8],
        signers: Natural,
        commands: Natural,
        command_bytes: Natural,
        transaction_bytes: Natural,
        check_signatures: bool,
    ) -> PyResult<Self> {
        let rules = Rules {
            chain: hash(chain)?,
            signers: count(signers),
            commands: count(commands),
            command_bytes: count(command_bytes),
            transaction_bytes: count(transaction_bytes),
            check_signatures,
        };
        let judged = py.detach(|| batch::judge(&buffer, &rules, &VERIFIER)).map_err(value_error)?;
        Ok(Self::of(buffer, rules.chain, judged))
    }

    fn __len__(&self) -> usize {
        self.judged.len()
    }

    #[getter]
    fn buffer<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok((&self.buffer).into_pyobject(py)?)
    }

    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let digest = match self.digest.get() {
            Some(digest) => *digest,
            None => py.detach(|| *self.digest.get_or_init(|| batch::batch_digest(&self.chain, &self.buffer))),
        };
        PyBytes::new(py, &digest)
    }

    #[getter]
    fn verdicts<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let verdicts: Vec<u8> = self.judged.iter().map(|judged| judged.verdict as u8).collect();
        PyBytes::new(py, &verdicts)
    }

    #[getter]
    fn ids<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.each_hash(py, |summary| &summary.id)
    }

    #[getter]
    fn expiries(&self) -> Vec<u64> {
        self.judged.iter().map(|judged| judged.summary.map_or(0, |summary| summary.expiry)).collect()
    }

    #[getter]
    fn senders<'py>(&self, py: Python<'py>) -> Vec<Bound<'py, PyBytes>> {
        self.each_hash(py, |summary| &summary.sender)
    }

    #[getter]
    fn frames(&self) -> Vec<(usize, usize)> {
        self.judged.iter().map(|judged| (judged.start, judged.end)).collect()
    }

    #[pyo3(signature = (indexes, /))]
    fn select(&self, py: Python<'_>, indexes: Vec<Natural>) -> PyResult<Self> {
        let pick = |index: &Natural| self.judged.get(count(*index)).map(|judged| (&self.buffer[..], judged));
        let picked: Option<Vec<_>> = indexes.iter().map(pick).collect();
        let picked = picked.ok_or_else(|| value_error("there is no transaction with this index"))?;
        Ok(Self::gather(py, self.chain, picked))
    }

    #[staticmethod]
    #[pyo3(signature = (batches, /))]
    fn join(py: Python<'_>, batches: Vec<Bound<'_, Self>>) -> PyResult<Self> {
        let batches: Vec<&Self> = batches.iter().map(Bound::get).collect();
        let chain = batches.first().map(|batch| batch.chain);
        let chain = chain.filter(|chain| batches.iter().all(|batch| batch.chain == *chain));
        let chain = chain.ok_or_else(|| value_error("needs one or more batches of one chain"))?;
        let picked = batches
            .iter()
            .flat_map(|batch| batch.judged.iter().map(|judged| (&batch.buffer[..], judged)))
            .collect();
        Ok(Self::gather(py, chain, picked))
    }

    #[pyo3(
        signature = (start = Natural(0), stop = Natural(u64::MAX), /),
        text_signature = "($self, start=0, stop=18446744073709551615, /)",
    )]
    fn transactions<'py>(
        &self,
        py: Python<'py>,
        start: Natural,
        stop: Natural,
    ) -> PyResult<Vec<Bound<'py, PyTuple>>> {
        let read = |judged: &Judged| {
            let admissible = judged.verdict == Verdict::Admissible;
            let data = &self.buffer[judged.start + PREFIX..judged.end];
            Some((judged.summary.filter(|_| admissible)?, Transaction::read(data).ok()?))
        };
        let stop = count(stop).min(self.judged.len());
        let wanted = &self.judged[count(start).min(stop)..stop];
        let transactions = py.detach(|| wanted.iter().map(read).collect::<Option<Vec<_>>>());
        let transactions = transactions.ok_or_else(|| value_error("a transaction is not admissible"))?;
        transactions.iter().map(|(summary, transaction)| tuple(py, summary, transaction)).collect()
    }
}

impl TransactionBatch {
    /// The frame and summary of an admissible transaction.
    pub fn admissible(&self, index: usize) -> Option<(&[u8], Summary)> {
        let judged = self.judged.get(index).filter(|judged| judged.verdict == Verdict::Admissible)?;
        Some((&self.buffer[judged.start..judged.end], judged.summary?))
    }

    pub fn of(buffer: PyBackedBytes, chain: Hash, judged: Vec<Judged>) -> Self {
        Self { buffer, chain, judged, digest: OnceLock::new() }
    }

    fn gather(py: Python<'_>, chain: Hash, picked: Vec<(&[u8], &Judged)>) -> Self {
        let (buffer, judged) = py.detach(|| batch::gather(picked));
        Self::of(PyBytes::new(py, &buffer).into(), chain, judged)
    }

    fn each_hash<'py>(&self, py: Python<'py>, part: impl Fn(&Summary) -> &Hash) -> Vec<Bound<'py, PyBytes>> {
        let bytes = |judged: &Judged| match &judged.summary {
            Some(summary) => PyBytes::new(py, part(summary)),
            None => PyBytes::new(py, &[]),
        };
        self.judged.iter().map(bytes).collect()
    }
}

fn tuple<'py>(
    py: Python<'py>,
    summary: &Summary,
    transaction: &Transaction,
) -> PyResult<Bound<'py, PyTuple>> {
    let header = &transaction.header;
    let signers = PyTuple::new(py, header.signers.iter().map(|key| PyBytes::new(py, *key)))?;
    let commands = transaction.commands.iter().map(|(command, encoded)| {
        let (body, encoded) = (PyBytes::new(py, command.body), PyBytes::new(py, encoded));
        (command.module, command.name, command.version, body, encoded)
    });
    let commands = PyList::new(py, commands.collect::<Vec<_>>())?;
    let entry = PyBytes::new(py, &transaction.header_entry());
    (PyBytes::new(py, &summary.id), summary.expiry, header.atomic, signers, entry, commands).into_pyobject(py)
}
