//! The one mapping from [`imp_core::error::Error`] to the Python exception tree, by kind.

use imp_core::error::Error;
use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyLookupError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};

create_exception!(imp._core, ImpError, PyException, "Root of every error IMP raises on purpose.");
create_exception!(
    imp._core,
    Conflict,
    ImpError,
    "The request contradicts something accepted under the same id."
);
create_exception!(imp._core, Busy, ImpError, "Push-back: the same call may be repeated after a moment.");
create_exception!(imp._core, Poisoned, ImpError, "The engine stopped writing until it is reopened.");
create_exception!(
    imp._core,
    CorruptData,
    ImpError,
    "Stored bytes do not have the form they were written in."
);
create_exception!(imp._core, StoreLocked, ImpError, "Another process owns the directory.");
create_exception!(imp._core, WrongSecret, ImpError, "The master secret is not the directory's.");
create_exception!(
    imp._core,
    IncompatibleData,
    ImpError,
    "The directory was written by a newer version of IMP."
);
create_exception!(imp._core, EngineClosed, ImpError, "The engine was closed.");

/// The three kinds that are also one of Python's own: name, second base, docstring.
static INVALID_INPUT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static NOT_FOUND: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static STORAGE_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// `type(name, (ImpError, second), {"__module__": …})`: `create_exception!` knows only one base.
fn with_two_bases(py: Python<'_>, name: &str, second: Bound<'_, PyType>, doc: &str) -> PyResult<Py<PyType>> {
    let namespace = pyo3::types::PyDict::new(py);
    namespace.set_item("__module__", "imp._core")?;
    namespace.set_item("__doc__", doc)?;
    let bases = PyTuple::new(py, [py.get_type::<ImpError>(), second])?;
    let made = py.get_type::<PyType>().call1((name, bases, namespace))?;
    Ok(made.cast_into::<PyType>()?.unbind())
}

fn invalid_input(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    let doc = "An argument is outside what is accepted; `field` names it.";
    let made = INVALID_INPUT
        .get_or_try_init(py, || with_two_bases(py, "InvalidInput", py.get_type::<PyValueError>(), doc))?;
    Ok(made.bind(py))
}

fn not_found(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    let doc = "Nothing of that name belongs to this tenant.";
    let made = NOT_FOUND
        .get_or_try_init(py, || with_two_bases(py, "NotFound", py.get_type::<PyLookupError>(), doc))?;
    Ok(made.bind(py))
}

fn storage_error(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    let doc = "The file system refused: disk full, no permission, read-only …";
    let made = STORAGE_ERROR
        .get_or_try_init(py, || with_two_bases(py, "StorageError", py.get_type::<PyOSError>(), doc))?;
    Ok(made.bind(py))
}

/// Turn an error of the core into the Python exception of its kind.
pub fn to_py(error: Error) -> PyErr {
    let message = error.to_string();
    match error {
        Error::InvalidInput { field, .. } => Python::attach(|py| invalid(py, field, message)),
        Error::NotFound { .. } => Python::attach(|py| raise(not_found(py), message)),
        Error::Storage(_) => Python::attach(|py| raise(storage_error(py), message)),
        Error::Conflict(_) => Conflict::new_err(message),
        Error::Busy(_) => Busy::new_err(message),
        Error::Poisoned(_) => Poisoned::new_err(message),
        Error::Corrupt(_) => CorruptData::new_err(message),
        Error::Locked(_) => StoreLocked::new_err(message),
        Error::WrongSecret => WrongSecret::new_err(message),
        Error::Incompatible(_) => IncompatibleData::new_err(message),
        Error::Closed => EngineClosed::new_err(message),
    }
}

fn raise(kind: PyResult<&Bound<'_, PyType>>, message: String) -> PyErr {
    kind.map_or_else(|error| error, |kind| PyErr::from_type(kind.clone(), message))
}

/// An `InvalidInput` whose `field` attribute is set.
fn invalid(py: Python<'_>, field: &str, message: String) -> PyErr {
    let error = raise(invalid_input(py), message);
    match error.value(py).setattr("field", field) {
        Ok(()) => error,
        Err(other) => other,
    }
}

/// Add the exception tree to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("ImpError", py.get_type::<ImpError>())?;
    module.add("InvalidInput", invalid_input(py)?)?;
    module.add("NotFound", not_found(py)?)?;
    module.add("Conflict", py.get_type::<Conflict>())?;
    module.add("Busy", py.get_type::<Busy>())?;
    module.add("Poisoned", py.get_type::<Poisoned>())?;
    module.add("StorageError", storage_error(py)?)?;
    module.add("CorruptData", py.get_type::<CorruptData>())?;
    module.add("StoreLocked", py.get_type::<StoreLocked>())?;
    module.add("WrongSecret", py.get_type::<WrongSecret>())?;
    module.add("IncompatibleData", py.get_type::<IncompatibleData>())?;
    module.add("EngineClosed", py.get_type::<EngineClosed>())
}
