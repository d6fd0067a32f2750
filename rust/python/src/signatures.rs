//! Signing keys and verdicts on signatures.

use crate::convert::value_error;
use grootboek_core::ed25519::{self, Item, Rule, Verifier};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// How many public keys are remembered: about 6 MB.
const REMEMBERED_KEYS: usize = 1 << 15;

/// The process's verifier, with a secret of its own.
pub static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *secret).expect("the system gives random bytes");
    Verifier::new(*secret, REMEMBERED_KEYS)
});

#[pyfunction]
pub fn backend() -> (&'static str, &'static str) {
    ed25519::backend()
}

#[pyfunction]
#[pyo3(signature = (key, message, signature, /, *, cofactorless = false))]
pub fn verify(key: &[u8], message: &[u8], signature: &[u8], cofactorless: bool) -> bool {
    let item = item(key, message, signature);
    item.is_some_and(|item| VERIFIER.verify(&item, rule(cofactorless)))
}

#[pyfunction]
#[pyo3(signature = (items, /, *, cofactorless = false))]
pub fn verify_many(
    py: Python<'_>,
    items: Vec<(PyBackedBytes, PyBackedBytes, PyBackedBytes)>,
    cofactorless: bool,
) -> Bound<'_, PyBytes> {
    let verdicts = py.detach(|| {
        let items: Vec<_> =
            items.iter().map(|(key, message, signature)| item(key, message, signature)).collect();
        let well_formed: Vec<_> = items.iter().flatten().copied().collect();
        let mut verdicts = VERIFIER.verify_many(&well_formed, rule(cofactorless)).into_iter();
        items.iter().map(|item| u8::from(item.is_some() && verdicts.next() == Some(true))).collect::<Vec<_>>()
    });
    PyBytes::new(py, &verdicts)
}

fn item<'a>(key: &'a [u8], message: &'a [u8], signature: &'a [u8]) -> Option<Item<'a>> {
    Some(Item { key: key.try_into().ok()?, prefix: &[], message, signature: signature.try_into().ok()? })
}

const fn rule(cofactorless: bool) -> Rule {
    if cofactorless { Rule::Both } else { Rule::Cofactored }
}

#[pyclass(frozen, module = "grootboek._core")]
pub struct SigningKey(ed25519::SigningKey);

#[pymethods]
impl SigningKey {
    #[new]
    #[pyo3(signature = (seed, /))]
    fn new(seed: &[u8]) -> PyResult<Self> {
        let seed = seed.try_into().map_err(|_| value_error("a seed is 32 bytes"))?;
        Ok(Self(ed25519::SigningKey::new(seed)))
    }

    #[getter]
    fn public<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.public())
    }

    #[pyo3(signature = (message, /))]
    fn sign<'py>(&self, py: Python<'py>, message: &[u8]) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.sign(message))
    }

    #[pyo3(signature = (messages, /))]
    fn sign_many<'py>(&self, py: Python<'py>, messages: Vec<PyBackedBytes>) -> Vec<Bound<'py, PyBytes>> {
        let sign = |message: &PyBackedBytes| self.0.sign(message);
        let signatures: Vec<[u8; 64]> = py.detach(|| messages.iter().map(sign).collect());
        signatures.iter().map(|signature| PyBytes::new(py, signature)).collect()
    }
}
