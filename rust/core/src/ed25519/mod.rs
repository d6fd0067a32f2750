//! Ed25519 (RFC 8032) with one acceptance rule, alone or in a batch.

mod batch;
mod cache;
mod rule;
mod signing;

pub use batch::{CHUNK, Verifier};
pub use rule::{Item, Rule};
pub use signing::SigningKey;

/// The backend that was compiled in, and the one that this CPU runs.
#[must_use]
pub fn backend() -> (&'static str, &'static str) {
    (compiled(), chosen())
}

/// What the cfg `curve25519_dalek_backend` asked for; without it the crate decides by the target.
const fn compiled() -> &'static str {
    if cfg!(curve25519_dalek_backend = "avx512") {
        "avx512"
    } else if cfg!(curve25519_dalek_backend = "simd") {
        "simd"
    } else if cfg!(curve25519_dalek_backend = "fiat") {
        "fiat"
    } else if cfg!(curve25519_dalek_backend = "serial") {
        "serial"
    } else {
        "auto"
    }
}

/// The same tests in the same order as curve25519-dalek's own choice at run time.
#[cfg(target_arch = "x86_64")]
fn chosen() -> &'static str {
    let ifma =
        std::arch::is_x86_feature_detected!("avx512ifma") && std::arch::is_x86_feature_detected!("avx512vl");
    match compiled() {
        "avx512" if ifma => "avx512",
        "avx512" | "simd" | "auto" if std::arch::is_x86_feature_detected!("avx2") => "avx2",
        _ => "serial",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn chosen() -> &'static str {
    "serial"
}
