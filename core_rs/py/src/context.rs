//! `ScanContext` and `EngineOptions`: the frozen options objects of the seam.

use crate::errors::to_py;
use imp_core::error::Error;
use imp_core::scan::{Datum, Lang, Position, Role};
use pyo3::prelude::*;
use std::net::IpAddr;
use std::time::Duration;

/// Longest device id and idempotency key a caller may give, bytes.
pub const CALLER_TEXT_BYTES_MAX: usize = 128;

/// Who scans, from where and how it counts.
#[pyclass(frozen, module = "imp._core")]
pub struct ScanContext {
    pub role: Role,
    pub channel: u8,
    pub device: Option<Vec<u8>>,
    pub address: Option<IpAddr>,
    pub user_agent: Vec<u8>,
    pub position: Option<Position>,
    pub language: Lang,
    pub idempotency_key: Option<Vec<u8>>,
    pub caller: Vec<u8>,
    pub caller_at_us: Option<i64>,
    pub count: bool,
    pub gtin: Option<Vec<u8>>,
    pub lot: Option<Vec<u8>>,
    pub now_us: Option<i64>,
}

#[pymethods]
impl ScanContext {
    #[new]
    #[pyo3(signature = (*, role="consumer", channel=0, device=None, address=None, user_agent=None, position=None,
        language="zh", idempotency_key=None, caller=None,
        caller_at_us=None, count=true, gtin=None, lot=None, now_us=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of one Python object")]
    fn new(
        role: &str,
        channel: u8,
        device: Option<Vec<u8>>,
        address: Option<&str>,
        user_agent: Option<Vec<u8>>,
        position: Option<(f64, f64, u32, String)>,
        language: &str,
        idempotency_key: Option<Vec<u8>>,
        caller: Option<Vec<u8>>,
        caller_at_us: Option<i64>,
        count: bool,
        gtin: Option<Vec<u8>>,
        lot: Option<Vec<u8>>,
        now_us: Option<i64>,
    ) -> PyResult<Self> {
        let role = read_role(role)?;
        let language = lang_of(language)
            .ok_or_else(|| invalid("language", format!("{language:?} is neither \"zh\" nor \"en\"")))?;
        let address = address
            .map(|text| {
                text.parse().map_err(|_| invalid("address", format!("{text:?} is not an IP address")))
            })
            .transpose()?;
        short("device", device.as_deref())?;
        short("idempotency_key", idempotency_key.as_deref())?;
        short("caller", caller.as_deref())?;
        Ok(Self {
            role,
            channel,
            device,
            address,
            user_agent: user_agent.unwrap_or_default(),
            position: position.map(read_position).transpose()?,
            language,
            idempotency_key,
            caller: caller.unwrap_or_default(),
            caller_at_us,
            count,
            gtin,
            lot,
            now_us,
        })
    }
}

/// The role of this name.
pub fn read_role(name: &str) -> PyResult<Role> {
    Role::from_name(name).ok_or_else(|| {
        invalid("role", format!("{name:?} is none of {}", Role::ALL.map(Role::name).join(", ")))
    })
}

fn lang_of(name: &str) -> Option<Lang> {
    match name {
        "zh" => Some(Lang::Zh),
        "en" => Some(Lang::En),
        _ => None,
    }
}

fn invalid(field: &'static str, message: String) -> PyErr {
    to_py(Error::invalid(field, message))
}

fn short(field: &'static str, value: Option<&[u8]>) -> PyResult<()> {
    match value {
        Some(bytes) if bytes.is_empty() || bytes.len() > CALLER_TEXT_BYTES_MAX => {
            Err(invalid(field, format!("{} bytes; 1 to {CALLER_TEXT_BYTES_MAX} are accepted", bytes.len())))
        }
        _ => Ok(()),
    }
}

fn read_position((lat, lon, accuracy_m, datum): (f64, f64, u32, String)) -> PyResult<Position> {
    let datum = Datum::from_name(&datum)
        .ok_or_else(|| invalid("position", format!("datum {datum:?} is neither \"wgs84\" nor \"gcj02\"")))?;
    Position::from_degrees(lat, lon, accuracy_m, datum)
        .ok_or_else(|| invalid("position", format!("({lat}, {lon}) is outside ±90°, ±180°")))
}

/// How an engine is opened.
#[pyclass(frozen, module = "imp._core")]
pub struct EngineOptions {
    pub in_memory: bool,
    pub create: bool,
    pub session_us: i64,
    pub flush_interval: Duration,
    pub block_cache_bytes: usize,
    pub open_timeout: Duration,
    pub trusted_proxies: Vec<String>,
    pub default_domain: Option<String>,
    pub cookie_secure: bool,
    pub utc_offset_minutes: i16,
}

#[pymethods]
impl EngineOptions {
    #[new]
    #[pyo3(signature = (*, store="rocks", create=false, session_us=600_000_000, flush_interval_us=50_000,
        block_cache_bytes=268_435_456, open_timeout_us=10_000_000, trusted_proxies=vec![], default_domain=None,
        cookie_secure=true, utc_offset_minutes=480))]
    #[expect(clippy::too_many_arguments, reason = "keyword-only options of one Python object")]
    fn new(
        store: &str,
        create: bool,
        session_us: i64,
        flush_interval_us: u64,
        block_cache_bytes: usize,
        open_timeout_us: u64,
        trusted_proxies: Vec<String>,
        default_domain: Option<String>,
        cookie_secure: bool,
        utc_offset_minutes: i16,
    ) -> PyResult<Self> {
        let in_memory = match store {
            "rocks" => false,
            "memory" => true,
            other => return Err(invalid("store", format!("{other:?} is neither \"rocks\" nor \"memory\""))),
        };
        if !(1..=86_400_000_000).contains(&session_us) {
            return Err(invalid("session_us", format!("{session_us}; 1 µs to one day is accepted")));
        }
        if !(1_000..=10_000_000).contains(&flush_interval_us) {
            return Err(invalid(
                "flush_interval_us",
                format!("{flush_interval_us}; 1 ms to 10 s is accepted"),
            ));
        }
        if !(-720..=840).contains(&utc_offset_minutes) {
            return Err(invalid(
                "utc_offset_minutes",
                format!("{utc_offset_minutes}; -720 to 840 is accepted"),
            ));
        }
        Ok(Self {
            in_memory,
            create,
            session_us,
            flush_interval: Duration::from_micros(flush_interval_us),
            block_cache_bytes,
            open_timeout: Duration::from_micros(open_timeout_us),
            trusted_proxies,
            default_domain,
            cookie_secure,
            utc_offset_minutes,
        })
    }
}
