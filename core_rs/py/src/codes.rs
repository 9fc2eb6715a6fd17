//! Codes for Python: bytes and packed arrays in and out, the GIL released for every batch.
//!
//! Texts that are not codes are values (`None`, packed constants, `Parsed.failure`), never
//! exceptions. Arguments outside what is accepted raise `InvalidInput`.

use imp_core::code::{
    self, AesCipher, Block, BlockCipher, Carrier, Format, GeneralFf1, Key, LANES, MalformedWhy, ParseFailure,
};
use imp_core::error::Error;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyInt, PyList};

use crate::errors::to_py;

/// Blocks of one `aes_blocks` call that are enciphered before signals are looked at again.
const AES_BLOCKS_MAX: u64 = 1 << 32;

/// Adds everything of this file to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<FF1>()?;
    module.add_class::<SlotCipher>()?;
    module.add_class::<Parsed>()?;
    module.add_class::<WordFilter>()?;
    module.add_function(wrap_pyfunction!(parse, module)?)?;
    module.add_function(wrap_pyfunction!(guess_odds, module)?)?;
    module.add_function(wrap_pyfunction!(alias_hash, module)?)?;
    module.add_function(wrap_pyfunction!(normalise_alias, module)?)?;
    module.add_function(wrap_pyfunction!(normalise_carrier, module)?)?;
    module.add_function(wrap_pyfunction!(aes_blocks, module)?)?;
    module.add("NOT_A_CODE_MALFORMED", code::NOT_A_CODE_MALFORMED)?;
    module.add("NOT_A_CODE_MISTYPED", code::NOT_A_CODE_MISTYPED)?;
    module.add("NOT_A_CODE_OTHER_SLOT", code::NOT_A_CODE_OTHER_SLOT)?;
    module.add("BATCH_CODES_MAX", code::BATCH_CODES_MAX)
}

/// A whole number that may be of any size: one that does not fit is out of range, not an overflow.
fn natural<N>(field: &'static str, value: &Bound<'_, PyAny>) -> PyResult<N>
where
    N: for<'a, 'py> FromPyObject<'a, 'py, Error = PyErr>,
{
    value.extract().map_err(|error| {
        if value.is_instance_of::<PyInt>() {
            let bits = 8 * size_of::<N>();
            to_py(Error::invalid(
                field,
                format!("{value}; a whole number from 0 to 2^{bits} - 1 is expected"),
            ))
        } else {
            error
        }
    })
}

fn threads_count(threads: i64) -> PyResult<usize> {
    threads.try_into().map_err(|_| {
        to_py(Error::invalid("threads", format!("{threads}; accepted are 1 to {}", code::BATCH_THREADS_MAX)))
    })
}

fn format_named(name: &str) -> PyResult<Format> {
    Format::from_name(name)
        .ok_or_else(|| to_py(Error::invalid("format", format!("{name:?}; accepted are base32 and digits"))))
}

/// FF1 for any radix (NIST SP 800-38G).
#[pyclass(frozen, module = "imp._core")]
struct FF1(GeneralFf1);

#[pymethods]
impl FF1 {
    #[new]
    #[pyo3(signature = (key, radix, tweak = b"".as_slice()), text_signature = "(key, radix, tweak=b'')")]
    fn new(key: &[u8], radix: &Bound<'_, PyAny>, tweak: &[u8]) -> PyResult<Self> {
        GeneralFf1::new(key, natural("radix", radix)?, tweak).map(Self).map_err(to_py)
    }

    fn encrypt(&self, numerals: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
        self.0.encrypt(&numerals_of(numerals)?).map_err(to_py)
    }

    fn decrypt(&self, numerals: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
        self.0.decrypt(&numerals_of(numerals)?).map_err(to_py)
    }
}

fn numerals_of(numerals: &Bound<'_, PyAny>) -> PyResult<Vec<u32>> {
    numerals.try_iter()?.map(|numeral| natural("numerals", &numeral?)).collect()
}

/// One slot's key at work: serials to codes and back.
#[pyclass(frozen, module = "imp._core")]
struct SlotCipher(code::SlotCipher);

#[pymethods]
impl SlotCipher {
    #[new]
    fn new(format: &str, slot: &Bound<'_, PyAny>, key: PyBackedBytes) -> PyResult<Self> {
        let (format, slot) = (format_named(format)?, natural("slot", slot)?);
        let key = Key::from_bytes(&key).map_err(to_py)?;
        code::SlotCipher::new(format, slot, &key).map(Self).map_err(to_py)
    }

    #[getter]
    fn format(&self) -> &'static str {
        self.0.format().name()
    }

    #[getter]
    fn slot(&self) -> u16 {
        self.0.slot()
    }

    #[getter]
    fn code_len(&self) -> usize {
        self.0.format().code_len()
    }

    #[getter]
    fn domain(&self) -> u64 {
        self.0.format().domain()
    }

    fn encode<'py>(&self, py: Python<'py>, serial: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let serial: u64 = natural("serial", serial)?;
        let domain = self.0.format().domain();
        if serial >= domain {
            let accepted = format!("{serial}; accepted are 0 to {}", domain - 1);
            return Err(to_py(Error::invalid("serial", accepted)));
        }
        Ok(PyBytes::new(py, &self.0.encode(serial)))
    }

    #[pyo3(signature = (first, count, threads = 1))]
    fn encode_range<'py>(
        &self,
        py: Python<'py>,
        first: &Bound<'py, PyAny>,
        count: &Bound<'py, PyAny>,
        threads: i64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (first, count) = (natural("first", first)?, natural("count", count)?);
        let threads = threads_count(threads)?;
        // Before the buffer is made: a wrong count must not ask for terabytes.
        code::check_batch(count, threads).map_err(to_py)?;
        PyBytes::new_with(py, count * self.code_len(), |out| {
            py.detach(|| self.0.encode_range(first, count, out, threads)).map_err(to_py)
        })
    }

    fn decode(&self, text: PyBackedBytes) -> Option<u64> {
        self.0.decode(&text).ok()
    }

    #[pyo3(signature = (texts, threads = 1))]
    fn decode_many<'py>(
        &self,
        py: Python<'py>,
        texts: &Bound<'py, PyAny>,
        threads: i64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let threads = threads_count(threads)?;
        let serials = if let Ok(list) = texts.cast::<PyList>() {
            let texts = list
                .iter()
                .map(|text| text.extract().map_err(PyErr::from))
                .collect::<PyResult<Vec<PyBackedBytes>>>()?;
            py.detach(|| {
                code::check_batch(texts.len(), threads)?;
                let mut out = vec![0; texts.len()];
                self.0.decode_many(&texts, &mut out, threads).map(|()| out)
            })
        } else {
            let texts = PackedTexts::new(texts)?;
            py.detach(|| {
                let count = texts.len().div_ceil(self.code_len());
                code::check_batch(count, threads)?;
                let mut out = vec![0; count];
                self.0.decode_packed(&texts, &mut out, threads).map(|()| out)
            })
        };
        packed_serials(py, &serials.map_err(to_py)?)
    }

    fn __repr__(&self) -> String {
        format!("SlotCipher(format={:?}, slot={})", self.format(), self.slot())
    }
}

/// Texts one after the other: `bytes` are read in place, since they cannot change while the GIL is
/// released; any other buffer is copied once.
enum PackedTexts {
    InPlace(PyBackedBytes),
    Copied(Vec<u8>),
}

impl PackedTexts {
    fn new(texts: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = texts.cast::<PyBytes>() {
            return Ok(Self::InPlace(PyBackedBytes::from(bytes.clone())));
        }
        let buffer = PyBuffer::<u8>::get(texts).map_err(|_| {
            PyTypeError::new_err("texts: a buffer of bytes (uint8) or a list of bytes is expected")
        })?;
        Ok(Self::Copied(buffer.to_vec(texts.py())?))
    }
}

impl std::ops::Deref for PackedTexts {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::InPlace(bytes) => bytes,
            Self::Copied(bytes) => bytes,
        }
    }
}

fn packed_serials<'py>(py: Python<'py>, serials: &[u64]) -> PyResult<Bound<'py, PyBytes>> {
    PyBytes::new_with(py, size_of_val(serials), |out| {
        for (bytes, serial) in out.chunks_exact_mut(8).zip(serials) {
            bytes.copy_from_slice(&serial.to_le_bytes());
        }
        Ok(())
    })
}

/// What a text says before any key is asked.
#[pyclass(frozen, get_all, eq, module = "imp._core")]
#[derive(PartialEq)]
struct Parsed {
    failure: Option<&'static str>,
    format: Option<&'static str>,
    slot: Option<u16>,
    body: Option<u64>,
    text: String,
}

#[pymethods]
impl Parsed {
    fn __repr__(&self) -> String {
        match self.failure {
            Some(failure) => format!("Parsed(failure={failure:?}, text={:?})", self.text),
            None => format!("Parsed(text={:?}, slot={})", self.text, self.slot.unwrap_or_default()),
        }
    }
}

#[pyfunction]
fn parse(text: PyBackedBytes) -> Parsed {
    match code::parse(&text) {
        Ok(parsed) => Parsed {
            failure: None,
            format: Some(parsed.format.name()),
            slot: Some(parsed.slot),
            body: Some(parsed.body),
            text: parsed.text.to_string(),
        },
        Err(ParseFailure::Mistyped { format, text }) => Parsed {
            failure: Some("mistyped"),
            format: Some(format.name()),
            slot: None,
            body: None,
            text: text.to_string(),
        },
        Err(ParseFailure::Malformed(why)) => {
            let failure = match why {
                MalformedWhy::Empty => "empty",
                MalformedWhy::TooLong => "too_long",
                MalformedWhy::Length => "length",
                MalformedWhy::Alphabet => "alphabet",
            };
            Parsed { failure: Some(failure), format: None, slot: None, body: None, text: String::new() }
        }
    }
}

#[pyfunction]
fn guess_odds(format: &str, planned: &Bound<'_, PyAny>) -> PyResult<(f64, &'static str)> {
    let odds = code::guess_odds(format_named(format)?, natural("planned", planned)?);
    Ok((odds.one_in, odds.verdict.name()))
}

#[pyfunction]
fn alias_hash(normalised: PyBackedBytes) -> u128 {
    code::alias_hash(&normalised)
}

#[pyfunction]
#[pyo3(signature = (text, fold_case = false))]
fn normalise_alias(py: Python<'_>, text: PyBackedBytes, fold_case: bool) -> PyResult<Bound<'_, PyBytes>> {
    code::normalise_alias(&text, fold_case).map(|text| PyBytes::new(py, &text)).map_err(to_py)
}

#[pyfunction]
#[pyo3(signature = (carrier, text, fold_case = false))]
fn normalise_carrier<'py>(
    py: Python<'py>,
    carrier: &str,
    text: PyBackedBytes,
    fold_case: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let carrier = Carrier::from_name(carrier).ok_or_else(|| {
        to_py(Error::invalid("carrier", format!("{carrier:?}; accepted are text, epc, tid and nfc_uid")))
    })?;
    carrier.normalise(&text, fold_case).map(|text| PyBytes::new(py, &text)).map_err(to_py)
}

/// One version of the list of words that no code may spell.
#[pyclass(frozen, module = "imp._core")]
struct WordFilter(code::WordFilter);

#[pymethods]
impl WordFilter {
    #[new]
    fn new(version: &Bound<'_, PyAny>) -> PyResult<Self> {
        code::WordFilter::version(natural("version", version)?).map(Self).map_err(to_py)
    }

    fn matches(&self, text: PyBackedBytes) -> bool {
        self.0.matches(&text)
    }
}

/// Raw AES, for benchmarks: enciphers at least `count` blocks, as many side by side as codes are.
#[pyfunction]
fn aes_blocks<'py>(
    py: Python<'py>,
    key: PyBackedBytes,
    count: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let count: u64 = natural("count", count)?;
    if count > AES_BLOCKS_MAX {
        return Err(to_py(Error::invalid("count", format!("{count}; accepted are up to {AES_BLOCKS_MAX}"))));
    }
    let aes = AesCipher::from_bytes(&key).map_err(to_py)?;
    let block = py.detach(|| {
        let mut blocks = [Block::default(); LANES];
        for _ in 0..count.div_ceil(LANES as u64) {
            aes.encrypt_blocks(&mut blocks);
        }
        blocks[0]
    });
    Ok(PyBytes::new(py, &block))
}
