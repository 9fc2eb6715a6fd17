//! `Engine` at the seam: bytes in, bytes out. Single look-ups stay attached to the GIL, waits and batches leave it.

use crate::context::{EngineOptions, ScanContext, read_role};
use crate::errors::to_py;
use arc_swap::ArcSwapOption;
use imp_core::engine::{self, Clock, Envelope, StoreKind, SystemClock};
use imp_core::error::Error;
use imp_core::scan::{
    self, Device, DeviceKeys, HttpRequest, HttpSettings, Outcome, Reason, Role, TrustedProxies, Verdict,
    address_prefix,
};
use imp_core::state::COMMAND_KINDS;
use imp_core::store::RocksOptions;
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use std::path::Path;
use std::sync::Arc;

/// Bytes of one row of `scan_many`.
const ROW_BYTES: usize = 16;
/// Codes of one `scan_many` call.
const SCAN_MANY_MAX: usize = 10_000_000;
/// `is_first` in a row when it is null.
const NULL_FIRST: u8 = 2;

/// One opened data directory.
#[pyclass(frozen, module = "imp._core")]
struct Engine {
    inner: ArcSwapOption<engine::Engine>,
}

impl Engine {
    fn get(&self) -> PyResult<Arc<engine::Engine>> {
        self.inner.load_full().ok_or_else(|| to_py(Error::Closed))
    }
}

#[pymethods]
impl Engine {
    #[staticmethod]
    fn open(py: Python<'_>, path: &str, secret: &[u8], options: &EngineOptions) -> PyResult<Self> {
        let secret: &[u8; 32] = secret.try_into().map_err(|_| {
            to_py(Error::invalid("secret", format!("{} bytes; a master secret has 32", secret.len())))
        })?;
        let core_options = core_options(options)?;
        let opened =
            py.detach(|| engine::Engine::open(Path::new(path), secret, core_options)).map_err(to_py)?;
        Ok(Self { inner: ArcSwapOption::from_pointee(opened) })
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let Some(closing) = self.inner.swap(None) else { return Ok(()) };
        py.detach(|| {
            let stopped = closing.stop();
            drop(closing);
            stopped
        })
        .map_err(to_py)
    }

    #[expect(clippy::too_many_arguments, reason = "the six parts of an outbox row")]
    fn apply<'py>(
        &self,
        py: Python<'py>,
        tenant: &str,
        event_id: &str,
        seq: u64,
        at_us: i64,
        actor: &str,
        command: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let engine = self.get()?;
        let envelope = Envelope { tenant, event_id, seq, at_us, actor, command };
        let report = py.detach(|| engine.apply(&envelope)).map_err(to_py)?;
        Ok(PyBytes::new(py, &report))
    }

    fn preview<'py>(
        &self,
        py: Python<'py>,
        tenant: &str,
        at_us: i64,
        command: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let engine = self.get()?;
        let report = py.detach(|| engine.preview(tenant, at_us, command)).map_err(to_py)?;
        Ok(PyBytes::new(py, &report))
    }

    fn last_seq(&self, tenant: &str) -> PyResult<u64> {
        Ok(self.get()?.last_seq(tenant))
    }

    fn last_seqs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let seqs = PyDict::new(py);
        for (tenant, seq) in self.get()?.last_seqs() {
            seqs.set_item(tenant, seq)?;
        }
        Ok(seqs)
    }

    fn applied<'py>(
        &self,
        py: Python<'py>,
        tenant: &str,
        event_id: &str,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let engine = self.get()?;
        let report = py.detach(|| engine.applied(tenant, event_id)).map_err(to_py)?;
        Ok(report.map(|report| PyBytes::new(py, &report)))
    }

    fn scan<'py>(
        &self,
        py: Python<'py>,
        tenant: &str,
        text: &[u8],
        context: &ScanContext,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let engine = self.get()?;
        let tenant = TenantScope::of(&engine, tenant);
        let outcome = engine.scan(text, &core_context(&engine, &tenant, context));
        Ok(PyBytes::new(py, &scan::json_answer(&outcome, context.language, context.role)))
    }

    #[pyo3(signature = (tenant, texts, context, width=15))]
    fn scan_many<'py>(
        &self,
        py: Python<'py>,
        tenant: &str,
        texts: &Bound<'py, PyAny>,
        context: &ScanContext,
        width: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let engine = self.get()?;
        let tenant = TenantScope::of(&engine, tenant);
        let core_context = core_context(&engine, &tenant, context);
        let has_clock = context.now_us.is_none();
        let texts = Texts::read(texts, width)?;
        PyBytes::new_with(py, texts.len() * ROW_BYTES, |rows| {
            py.detach(|| {
                for (row, text) in rows.chunks_exact_mut(ROW_BYTES).zip(texts.iter()) {
                    let now_us = if has_clock { engine.now_us() } else { core_context.now_us };
                    let outcome = engine.scan(text, &scan::ScanContext { now_us, ..core_context });
                    pack(&outcome, core_context.role, row);
                }
            });
            Ok(())
        })
    }

    #[pyo3(signature = (tenant, text, role="system"))]
    fn lookup<'py>(
        &self,
        py: Python<'py>,
        tenant: &str,
        text: &[u8],
        role: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.get()?.lookup(tenant, text, read_role(role)?).map_err(to_py)?))
    }

    fn http<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        raw_path: &[u8],
        query: &[u8],
        headers: &Bound<'py, PyList>,
        peer: Option<&str>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let engine = self.get()?;
        let lines: Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> = headers.extract()?;
        let lines: Vec<(&[u8], &[u8])> =
            lines.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let request = HttpRequest {
            method: method.as_bytes(),
            raw_path,
            query,
            headers: &lines,
            peer,
            now_us: engine.now_us(),
            random: random()?,
        };
        let Some(answer) = engine.http(&request) else { return Ok(None) };
        let headers = PyList::empty(py);
        for (name, value) in &answer.headers {
            headers.append((PyBytes::new(py, name), PyBytes::new(py, value)))?;
        }
        Ok(Some((answer.status, headers, PyBytes::new(py, &answer.body)).into_pyobject(py)?))
    }

    fn order<'py>(&self, py: Python<'py>, tenant: &str, order: &str) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.get()?.order(tenant, order).map_err(to_py)?))
    }

    fn orders<'py>(&self, py: Python<'py>, tenant: &str) -> PyResult<Bound<'py, PyBytes>> {
        let engine = self.get()?;
        Ok(PyBytes::new(py, &py.detach(|| engine.orders(tenant))))
    }

    fn catalogue<'py>(&self, py: Python<'py>, tenant: &str) -> PyResult<Bound<'py, PyBytes>> {
        let engine = self.get()?;
        Ok(PyBytes::new(py, &py.detach(|| engine.catalogue(tenant))))
    }

    fn key_space<'py>(&self, py: Python<'py>, tenant: &str, series: &str) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.get()?.key_space(tenant, series).map_err(to_py)?))
    }

    fn renew_ledger<'py>(
        &self,
        py: Python<'py>,
        actor: &str,
        at_us: i64,
        reason: &str,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let engine = self.get()?;
        let old = py.detach(|| engine.renew_ledger(actor, at_us, reason)).map_err(to_py)?;
        Ok(PyBytes::new(py, &old))
    }

    #[pyo3(signature = (tenant, order, include_frozen=false))]
    fn export_plan<'py>(
        &self,
        py: Python<'py>,
        tenant: &str,
        order: &str,
        include_frozen: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let engine = self.get()?;
        let plan = py.detach(|| engine.export_plan(tenant, order, include_frozen)).map_err(to_py)?;
        Ok(PyBytes::new(py, &plan))
    }

    fn export_keys<'py>(&self, py: Python<'py>, tenant: &str, order: &str) -> PyResult<Bound<'py, PyList>> {
        let keys = self.get()?.export_keys(tenant, order).map_err(to_py)?;
        PyList::new(
            py,
            keys.iter().map(|(face, slot, key)| (face.name(), *slot, PyBytes::new(py, key.bytes()))),
        )
    }

    fn checkpoint(&self, py: Python<'_>, path: &str) -> PyResult<()> {
        let engine = self.get()?;
        py.detach(|| engine.checkpoint(Path::new(path))).map_err(to_py)
    }

    fn durable(&self, py: Python<'_>) -> PyResult<()> {
        let engine = self.get()?;
        py.detach(|| engine.flush()).map_err(to_py)
    }

    fn status<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let engine = self.get()?;
        Ok(PyBytes::new(py, &py.detach(|| engine.status())))
    }

    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let engine = self.get()?;
        Ok(PyBytes::new(py, py.detach(|| engine.metrics()).as_bytes()))
    }
}

/// A tenant's number and its keys.
struct TenantScope {
    number: u32,
    keys: Arc<DeviceKeys>,
}

impl TenantScope {
    fn of(engine: &engine::Engine, name: &str) -> Self {
        let number = engine.tenant(name);
        Self { number, keys: engine.device_keys(number, name) }
    }
}

fn core_options(options: &EngineOptions) -> PyResult<engine::EngineOptions> {
    let blocks: Vec<&str> = options.trusted_proxies.iter().map(String::as_str).collect();
    let http = HttpSettings {
        trusted_proxies: TrustedProxies::parse(&blocks).map_err(to_py)?,
        default_domain: options.default_domain.as_deref().map(Into::into),
        cookie_secure: options.cookie_secure,
        utc_offset_minutes: options.utc_offset_minutes,
    };
    let rocks = RocksOptions {
        block_cache_bytes: options.block_cache_bytes,
        open_wait: options.open_timeout,
        ..RocksOptions::default()
    };
    Ok(engine::EngineOptions {
        store: if options.in_memory { StoreKind::Memory } else { StoreKind::Rocks(rocks) },
        create: options.create || options.in_memory,
        session_us: options.session_us as u64,
        flush_interval: options.flush_interval,
        clock: Arc::new(SystemClock) as Arc<dyn Clock>,
        http,
    })
}

/// The caller's context with its names hashed under the tenant's keys.
fn core_context<'a>(
    engine: &engine::Engine,
    tenant: &TenantScope,
    context: &'a ScanContext,
) -> scan::ScanContext<'a> {
    let keys = &tenant.keys;
    scan::ScanContext {
        tenant: tenant.number,
        domain: None,
        role: context.role,
        channel: context.channel,
        device: Device {
            cookie: context.device.as_deref().map(|device| keys.named_device(device)),
            issued: None,
            address: context.address.map(|address| keys.address_form(address, &context.user_agent)),
        },
        address_prefix: context.address.map(address_prefix).unwrap_or_default(),
        position: context.position,
        idempotency: context.idempotency_key.as_deref().map(|key| keys.idempotency(&context.caller, key)),
        caller_at_us: context.caller_at_us,
        now_us: context.now_us.unwrap_or_else(|| engine.now_us()),
        count: context.count,
        gtin: context.gtin.as_deref(),
        lot: context.lot.as_deref(),
    }
}

fn random() -> PyResult<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| to_py(Error::Storage(format!("the system gives no random bytes: {error}"))))?;
    Ok(bytes)
}

/// One row of `scan_many`, little endian.
fn pack(outcome: &Outcome, role: Role, row: &mut [u8]) {
    let reason = outcome.reasons.iter().find(|reason| reason.visible_to(role));
    row[0] = outcome.verdict.id();
    row[1] = outcome.is_first.map_or(NULL_FIRST, u8::from);
    row[2] = u8::from(outcome.recorded);
    row[3] = reason.map_or(0, Reason::id);
    row[4..8].copy_from_slice(&outcome.scans.unwrap_or(0).to_le_bytes());
    row[8..16].copy_from_slice(&outcome.first_at_us.unwrap_or(0).to_le_bytes());
}

/// Texts of a batch: fixed width in one buffer, or one by one.
enum Texts {
    Fixed(Vec<u8>, usize),
    Each(Vec<Vec<u8>>),
}

impl Texts {
    fn read(texts: &Bound<'_, PyAny>, width: usize) -> PyResult<Self> {
        let read = if let Ok(list) = texts.cast::<PyList>() {
            Self::Each(list.extract()?)
        } else {
            let bytes = PyBuffer::<u8>::get(texts)?.to_vec(texts.py())?;
            if width == 0 || bytes.len() % width != 0 {
                let message = format!("{} bytes are no whole number of texts of {width} bytes", bytes.len());
                return Err(to_py(Error::invalid("texts", message)));
            }
            Self::Fixed(bytes, width)
        };
        if read.len() > SCAN_MANY_MAX {
            let message = format!("{} codes; at most {SCAN_MANY_MAX} are accepted", read.len());
            return Err(to_py(Error::invalid("texts", message)));
        }
        Ok(read)
    }

    fn len(&self) -> usize {
        match self {
            Self::Fixed(bytes, width) => bytes.len() / width,
            Self::Each(texts) => texts.len(),
        }
    }

    fn iter(&self) -> Box<dyn Iterator<Item = &[u8]> + '_> {
        match self {
            Self::Fixed(bytes, width) => Box::new(bytes.chunks_exact(*width)),
            Self::Each(texts) => Box::new(texts.iter().map(Vec::as_slice)),
        }
    }
}

/// Add classes and catalogues to the module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add_class::<Engine>()?;
    module.add_class::<EngineOptions>()?;
    module.add_class::<ScanContext>()?;
    module.add("VERDICTS", PyTuple::new(py, Verdict::ALL.map(Verdict::name))?)?;
    let reasons: Vec<&str> = std::iter::once("").chain(Reason::ALL.map(Reason::code)).collect();
    module.add("REASONS", PyTuple::new(py, reasons)?)?;
    module.add("COMMAND_KINDS", PyTuple::new(py, COMMAND_KINDS)?)
}
