//! Refusals of requests that are no well-formed scans, as problem details (RFC 9457).

use std::borrow::Cow;

use super::http::{HEADERS_BYTES_MAX, HttpAnswer};

/// Why a request is refused. `type` of each is stable API, the wording is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    MissingHost,
    RepeatedHost,
    BadHost,
    UnknownHost,
    HeadersTooLarge,
    BadLink(&'static str),
}

impl Problem {
    const fn status(self) -> u16 {
        match self {
            Self::MissingHost | Self::RepeatedHost | Self::BadHost | Self::BadLink(_) => 400,
            Self::UnknownHost => 421,
            Self::HeadersTooLarge => 431,
        }
    }

    const fn slug(self) -> &'static str {
        match self {
            Self::MissingHost | Self::RepeatedHost | Self::BadHost => "bad-host",
            Self::UnknownHost => "unknown-host",
            Self::HeadersTooLarge => "headers-too-large",
            Self::BadLink(_) => "bad-link",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::MissingHost | Self::RepeatedHost | Self::BadHost => "The Host header is not acceptable",
            Self::UnknownHost => "No codes live under this host name",
            Self::HeadersTooLarge => "The request headers are too large",
            Self::BadLink(_) => "Not a valid GS1 Digital Link",
        }
    }

    fn detail(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::MissingHost => "The request has no Host header; send exactly one.",
            Self::RepeatedHost => "The request has more than one Host header; send exactly one.",
            Self::BadHost => "The Host header is no host name with an optional port.",
            Self::UnknownHost => "Use the host name printed with the code.",
            Self::HeadersTooLarge => {
                return Cow::Owned(format!(
                    "Header names and values exceed {HEADERS_BYTES_MAX} bytes; send fewer or shorter ones."
                ));
            }
            Self::BadLink(detail) => detail,
        })
    }

    /// The refusal, ready to send.
    pub(super) fn answer(self) -> HttpAnswer {
        let body = format!(
            r#"{{"type":"urn:imp:problem:{}","title":"{}","status":{},"detail":"{}"}}"#,
            self.slug(),
            self.title(),
            self.status(),
            self.detail()
        );
        HttpAnswer {
            status: self.status(),
            headers: vec![
                (b"content-type", Cow::Borrowed(b"application/problem+json")),
                (b"cache-control", Cow::Borrowed(b"no-store")),
                (b"access-control-allow-origin", Cow::Borrowed(b"*")),
            ],
            body: body.into_bytes(),
        }
    }
}
