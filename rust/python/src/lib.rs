//! The Python binding of grootboek-core.
