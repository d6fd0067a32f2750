//! The per-transaction work of grootboek.
