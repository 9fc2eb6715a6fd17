//! What a scan means over HTTP: request parts in, status, headers and body out. Every door (front, documented
//! route, bindings, a later listener) calls [`answer`] and therefore gives the same bytes.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::negotiate::{Accept, Lang, Media, accepted_language, is_prefetch};
use super::page::{CONTENT_SECURITY_POLICY, html_answer};
use super::parse::{Link, Route, route};
use super::problem::Problem;
use super::{
    COOKIE_AGE_S_MAX, COOKIE_NAME, Device, DeviceKeys, Outcome, Reason, Role, ScanContext, TrustedProxies,
};
use super::{IssuedCookie, address_prefix, json_answer};

/// Bytes of all header names and values together that a scan may have.
pub const HEADERS_BYTES_MAX: usize = 16 * 1024;
/// Longest host name (RFC 1035, section 2.3.4).
const HOST_BYTES_MAX: usize = 253;
/// Time zone of pages when nothing else is said: China Standard Time.
const UTC_OFFSET_MINUTES: i16 = 8 * 60;

/// What the engine offers to the doors.
pub trait Scanner {
    /// Scan one text. Never fails: what cannot be recorded is answered unrecorded.
    fn scan(&self, text: &[u8], context: &ScanContext<'_>) -> Outcome;

    /// A scan whose link carries no readable code: counted as malformed, answered with `reason`.
    fn scan_nothing(&self, reason: Reason, context: &ScanContext<'_>) -> Outcome;

    /// The scan domain of a host name in lower case, without port.
    fn domain(&self, host: &[u8]) -> Option<ScanDomain>;
}

/// A host name under which one tenant's codes live.
#[derive(Debug, Clone)]
pub struct ScanDomain {
    /// Its number.
    pub id: u32,
    /// Number of its tenant.
    pub tenant: u32,
    /// The tenant's keys for recognising devices.
    pub device_keys: Arc<DeviceKeys>,
}

/// How the doors are set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpSettings {
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Host name of the domain that answers for unknown hosts. For demonstrations only: it lets anybody's host
    /// name show this tenant's answers.
    pub default_domain: Option<Box<str>>,
    /// Does the device cookie travel over TLS only?
    pub cookie_secure: bool,
    /// Offset from UTC of the times that pages show.
    pub utc_offset_minutes: i16,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            trusted_proxies: TrustedProxies::default(),
            default_domain: None,
            cookie_secure: true,
            utc_offset_minutes: UTC_OFFSET_MINUTES,
        }
    }
}

/// The parts of a request that a scan looks at. `Debug` hides cookies and what they are made of.
#[derive(Clone, Copy)]
pub struct HttpRequest<'a> {
    /// Method, upper case.
    pub method: &'a [u8],
    /// Path as it came, still percent-encoded.
    pub raw_path: &'a [u8],
    /// Query without the question mark.
    pub query: &'a [u8],
    /// Header lines in their order; names in any case.
    pub headers: &'a [(&'a [u8], &'a [u8])],
    /// Address of the peer, where it has one.
    pub peer: Option<&'a str>,
    /// Engine time, microseconds since the Unix epoch.
    pub now_us: i64,
    /// Random bytes for a device cookie.
    pub random: [u8; 16],
}

/// Header lines of an answer.
pub type HeaderLines = Vec<(&'static [u8], Cow<'static, [u8]>)>;

/// The answer, ready to send. `Content-Length` is the server's to say. `Debug` hides the cookie it sets.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// Header lines, names in lower case.
    pub headers: HeaderLines,
    /// Body; empty for `HEAD` and `OPTIONS`.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method.escape_ascii())
            .field("raw_path", &self.raw_path.escape_ascii())
            .field("query", &self.query.escape_ascii())
            .field("headers", &self.headers.iter().map(|line| shown_line(line.0, line.1)).collect::<Vec<_>>())
            .field("peer", &self.peer)
            .field("now_us", &self.now_us)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpAnswer")
            .field("status", &self.status)
            .field(
                "headers",
                &self.headers.iter().map(|line| shown_line(line.0, &line.1)).collect::<Vec<_>>(),
            )
            .field("body", &self.body.escape_ascii())
            .finish()
    }
}

/// A header line for logs: values that give their owner access are left out.
fn shown_line(name: &[u8], value: &[u8]) -> String {
    const SECRETS: [&[u8]; 4] = [b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"];
    let is_secret = SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
    let value = if is_secret { &b".."[..] } else { value };
    format!("{}: {}", name.escape_ascii(), value.escape_ascii())
}

/// Answer a request if it is a scan; `None` hands it to the control plane.
///
/// Every verdict is status 200. Errors are problem details (RFC 9457): 400 for a missing, empty, repeated or
/// malformed `Host` and for a Digital Link against the standard, 421 for a host that is no scan domain, 431 for
/// more than [`HEADERS_BYTES_MAX`] of headers.
#[must_use]
pub fn answer(
    scanner: &dyn Scanner,
    settings: &HttpSettings,
    request: &HttpRequest<'_>,
) -> Option<HttpAnswer> {
    let method = Method::of(request.method)?;
    let route = match route(request.raw_path) {
        Route::Elsewhere => return None,
        Route::Scan(link) => Ok(link),
        Route::BadLink(detail) => Err(Problem::BadLink(detail)),
    };
    let answered = Asked::read(request)
        .and_then(|asked| Ok((find_domain(scanner, settings, asked.host)?, asked)))
        .and_then(|(domain, asked)| match method {
            Method::Options => Ok(preflight()),
            Method::Get | Method::Head => {
                Ok(answer_scan(scanner, settings, request, &asked, &domain, &route?, method))
            }
        });
    let mut answered = answered.unwrap_or_else(|problem| problem.answer());
    if method == Method::Head {
        answered.body.clear();
    }
    Some(answered)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Get,
    Head,
    Options,
}

impl Method {
    fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"GET" => Some(Self::Get),
            b"HEAD" => Some(Self::Head),
            b"OPTIONS" => Some(Self::Options),
            _ => None,
        }
    }
}

/// What the headers ask.
struct Asked<'h> {
    host: &'h [u8],
    user_agent: &'h [u8],
    language: Option<&'h [u8]>,
    accept: Accept,
    is_prefetch: bool,
}

impl<'h> Asked<'h> {
    fn read(request: &HttpRequest<'h>) -> Result<Self, Problem> {
        let (mut bytes, mut host) = (0usize, None);
        let mut asked = Self {
            host: b"",
            user_agent: b"",
            language: None,
            accept: Accept::default(),
            is_prefetch: false,
        };
        for &(name, value) in request.headers {
            bytes += name.len() + value.len();
            match Field::of(name) {
                Some(Field::Host) if host.is_some() => return Err(Problem::RepeatedHost),
                Some(Field::Host) => host = Some(value),
                Some(Field::UserAgent) => asked.user_agent = value,
                Some(Field::Accept) => asked.accept.add(value),
                Some(Field::AcceptLanguage) => asked.language = asked.language.or(Some(value)),
                Some(Field::Purpose) => asked.is_prefetch |= is_prefetch(value),
                None => {}
            }
        }
        if bytes > HEADERS_BYTES_MAX {
            return Err(Problem::HeadersTooLarge);
        }
        asked.host = host.ok_or(Problem::MissingHost)?;
        Ok(asked)
    }

    fn lang(&self, query: &[u8]) -> Lang {
        Lang::from_query(query).unwrap_or_else(|| self.language.map_or(Lang::default(), accepted_language))
    }
}

#[derive(Debug, Clone, Copy)]
enum Field {
    Host,
    UserAgent,
    Accept,
    AcceptLanguage,
    Purpose,
}

impl Field {
    fn of(name: &[u8]) -> Option<Self> {
        let (known, field): (&[u8], _) = match name.len() {
            4 => (b"host", Self::Host),
            5 => (b"x-moz", Self::Purpose),
            6 => (b"accept", Self::Accept),
            7 => (b"purpose", Self::Purpose),
            9 => (b"x-purpose", Self::Purpose),
            10 => (b"user-agent", Self::UserAgent),
            11 => (b"sec-purpose", Self::Purpose),
            15 => (b"accept-language", Self::AcceptLanguage),
            _ => return None,
        };
        name.eq_ignore_ascii_case(known).then_some(field)
    }
}

fn find_domain(scanner: &dyn Scanner, settings: &HttpSettings, host: &[u8]) -> Result<ScanDomain, Problem> {
    let host = host_name(host).ok_or(Problem::BadHost)?;
    scanner
        .domain(&host)
        .or_else(|| scanner.domain(settings.default_domain.as_deref()?.as_bytes()))
        .ok_or(Problem::UnknownHost)
}

/// The host name of a `Host` value: without port and root dot, in lower case.
fn host_name(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let value = value.trim_ascii();
    let (name, port) = if value.starts_with(b"[") {
        let end = value.iter().position(|byte| *byte == b']')? + 1;
        value.split_at(end)
    } else {
        value.split_at(value.iter().position(|byte| *byte == b':').unwrap_or(value.len()))
    };
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is_name = match name {
        [b'[', address @ .., b']'] => {
            !address.is_empty()
                && address.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        }
        _ => {
            !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
        }
    };
    if !is_port || !is_name || name.len() > HOST_BYTES_MAX {
        return None;
    }
    Some(match name.iter().any(u8::is_ascii_uppercase) {
        true => Cow::Owned(name.to_ascii_lowercase()),
        false => Cow::Borrowed(name),
    })
}

fn answer_scan(
    scanner: &dyn Scanner,
    settings: &HttpSettings,
    request: &HttpRequest<'_>,
    asked: &Asked<'_>,
    domain: &ScanDomain,
    link: &Link<'_>,
    method: Method,
) -> HttpAnswer {
    let count = method == Method::Get && !asked.is_prefetch;
    let address = client_address(settings, request);
    let (device, cookie) = device(&domain.device_keys, request, asked.user_agent, address, count);
    let context = ScanContext {
        tenant: domain.tenant,
        domain: Some(domain.id),
        role: Role::Consumer,
        device,
        address_prefix: address.map(address_prefix).unwrap_or_default(),
        now_us: request.now_us,
        count,
        gtin: link.gtin.as_ref().map(|gtin| gtin.as_slice()),
        lot: link.lot.as_deref(),
        ..ScanContext::default()
    };
    let outcome = match &link.code {
        Ok(text) => scanner.scan(text, &context),
        Err(reason) => scanner.scan_nothing(*reason, &context),
    };
    let lang = asked.lang(request.query);
    let mut headers = answer_headers(lang);
    let body = match asked.accept.media() {
        Media::Json => {
            headers.push((b"content-type", Cow::Borrowed(b"application/json")));
            json_answer(&outcome, lang, context.role)
        }
        Media::Html => {
            headers.push((b"content-type", Cow::Borrowed(b"text/html; charset=utf-8")));
            headers.push((b"content-security-policy", Cow::Borrowed(&**CONTENT_SECURITY_POLICY)));
            headers.push((b"referrer-policy", Cow::Borrowed(b"no-referrer")));
            html_answer(&outcome, lang, settings.utc_offset_minutes)
        }
    };
    if let Some(cookie) = cookie {
        headers.push((b"set-cookie", Cow::Owned(set_cookie(&cookie, settings.cookie_secure))));
    }
    HttpAnswer { status: 200, headers, body }
}

fn client_address(settings: &HttpSettings, request: &HttpRequest<'_>) -> Option<IpAddr> {
    let forwarded = lines(request, b"x-forwarded-for").rev();
    settings.trusted_proxies.client_address(request.peer, forwarded)
}

/// Who scans, and the cookie the answer sets when a counted request presented no valid one.
fn device(
    keys: &DeviceKeys,
    request: &HttpRequest<'_>,
    user_agent: &[u8],
    address: Option<IpAddr>,
    count: bool,
) -> (Device, Option<IssuedCookie>) {
    let presented = keys.find_cookie(lines(request, b"cookie"));
    let issued = (count && presented.is_none()).then(|| keys.issue_cookie(request.random));
    let device = Device {
        cookie: presented,
        issued: issued.map(|cookie| cookie.hash),
        address: address.map(|address| keys.address_form(address, user_agent)),
    };
    (device, issued)
}

fn lines<'a>(request: &HttpRequest<'a>, name: &'static [u8]) -> impl DoubleEndedIterator<Item = &'a [u8]> {
    request.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

fn set_cookie(cookie: &IssuedCookie, secure: bool) -> Vec<u8> {
    let mut line = Vec::with_capacity(128);
    line.extend_from_slice(COOKIE_NAME);
    line.push(b'=');
    line.extend_from_slice(&cookie.text);
    line.extend_from_slice(b"; Path=/; Max-Age=");
    line.extend_from_slice(itoa::Buffer::new().format(COOKIE_AGE_S_MAX).as_bytes());
    line.extend_from_slice(b"; HttpOnly; SameSite=Lax");
    if secure {
        line.extend_from_slice(b"; Secure");
    }
    line
}

/// Lines of every verdict. Anybody's page may ask (`*`), but without credentials, so never with our cookie.
fn answer_headers(lang: Lang) -> HeaderLines {
    let mut headers: HeaderLines = Vec::with_capacity(9);
    headers.push((b"cache-control", Cow::Borrowed(b"no-store")));
    headers.push((b"vary", Cow::Borrowed(b"Accept, Accept-Language")));
    headers.push((b"access-control-allow-origin", Cow::Borrowed(b"*")));
    headers.push((b"x-content-type-options", Cow::Borrowed(b"nosniff")));
    headers.push((b"content-language", Cow::Borrowed(lang.tag().as_bytes())));
    headers
}

/// `OPTIONS`: what is allowed, also as an answer to a CORS preflight.
fn preflight() -> HttpAnswer {
    let headers: HeaderLines = vec![
        (b"allow", Cow::Borrowed(b"GET, HEAD, OPTIONS")),
        (b"access-control-allow-origin", Cow::Borrowed(b"*")),
        (b"access-control-allow-methods", Cow::Borrowed(b"GET, HEAD, OPTIONS")),
        (b"access-control-allow-headers", Cow::Borrowed(b"*")),
        (b"access-control-max-age", Cow::Borrowed(b"86400")),
        (b"cache-control", Cow::Borrowed(b"no-store")),
        (b"vary", Cow::Borrowed(b"Accept, Accept-Language")),
    ];
    HttpAnswer { status: 204, headers, body: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn host_names_lose_port_case_and_root_dot() {
        for (value, name) in [
            ("scan.example.com", Some("scan.example.com")),
            ("Scan.Example.COM:8443", Some("scan.example.com")),
            ("scan.example.com.", Some("scan.example.com")),
            (" localhost: ", Some("localhost")),
            ("[::1]:8000", Some("[::1]")),
            ("[2001:DB8::1]", Some("[2001:db8::1]")),
            ("", None),
            (":80", None),
            (".", None),
            ("a b", None),
            ("user@host", None),
            ("a/b", None),
            ("a,b", None),
            ("host:80:80", None),
            ("host:123456", None),
            ("host:x", None),
            ("[::1", None),
            ("[::1]x", None),
            ("[]", None),
            ("中.example", None),
        ] {
            assert_eq!(host_name(value.as_bytes()).as_deref(), name.map(str::as_bytes), "{value}");
        }
        assert!(host_name("a".repeat(HOST_BYTES_MAX).as_bytes()).is_some());
        assert!(host_name("a".repeat(HOST_BYTES_MAX + 1).as_bytes()).is_none());
    }

    #[test]
    fn logs_show_no_cookie() {
        let request = HttpRequest {
            method: b"GET",
            raw_path: b"/x",
            query: b"",
            headers: &[(b"Host", b"a.example"), (b"Cookie", b"imp_d=secret"), (b"Authorization", b"secret")],
            peer: None,
            now_us: 0,
            random: *b"secretsecret.sec",
        };
        let headers: HeaderLines =
            vec![(b"set-cookie", Cow::Borrowed(b"imp_d=secret")), (b"vary", Cow::Borrowed(b"*"))];
        let shown = format!("{request:?} {:?}", HttpAnswer { status: 200, headers, body: Vec::new() });
        let seed = format!("{:?}", b"secret");
        assert!(!shown.contains("secret") && !shown.contains(&seed[1..seed.len() - 1]), "{shown}");
        assert!(shown.contains("Host: a.example") && shown.contains("vary: *"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_host_is_survived(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = host_name(&value);
        }
    }
}
