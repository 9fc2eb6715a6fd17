//! The native module `imp._core`: a thin seam over `imp_core`.
