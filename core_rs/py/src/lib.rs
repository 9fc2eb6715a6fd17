//! The native module `imp._core`: a thin seam over `imp_core`.

mod codes;
mod context;
mod engine;
mod errors;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    errors::register(module)?;
    codes::register(module)?;
    engine::register(module)
}
