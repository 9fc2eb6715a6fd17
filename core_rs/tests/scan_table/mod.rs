//! The case table of HTTP scans and its runner, for whatever answers: a stand-in or a real engine.

use std::collections::HashMap;

use imp_core::scan::{HttpAnswer, HttpRequest};
use serde_json::Value;

/// Now, in every case: 2026-01-02T03:04:05.678901Z.
pub const NOW_US: i64 = 1_767_323_045_678_901;

/// Something that issues codes of the table's kinds and answers scans of them.
pub trait World {
    /// A code of this kind that was not given out before.
    fn new_code(&mut self, kind: &str) -> String;

    /// Answer a request.
    fn answer(&self, request: &HttpRequest<'_>) -> Option<HttpAnswer>;
}

/// The table.
pub fn table() -> Value {
    serde_json::from_str(include_str!("../../../tests/cases/http_scans.json")).unwrap()
}

/// Run every case.
pub fn run(world: &mut dyn World) {
    let table = table();
    for case in table["cases"].as_array().unwrap() {
        let (name, expect) = (text(case, "name"), &case["expect"]);
        let mut filler = Filler::new(text(&table["world"], "host"));
        let answer = ask(world, &mut filler, &case["request"]);
        if expect["none"] == Value::Bool(true) {
            assert_eq!(answer, None, "{name}");
        } else {
            let answer = answer.unwrap_or_else(|| panic!("{name}: no answer"));
            Check { name, expect, answer: &answer, filler: &filler }.all();
        }
    }
}

/// What the names in braces stand for during one case.
pub struct Filler {
    texts: HashMap<String, String>,
}

impl Filler {
    pub fn new(host: &str) -> Self {
        Self { texts: HashMap::from([("host".to_owned(), host.to_owned())]) }
    }

    /// Put codes in the place of `{kind}`, `{kind:spelled}` and `{kind:escaped}`.
    pub fn fill(&mut self, world: &mut dyn World, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap();
            out.push_str(before);
            let (kind, form) = name.split_once(':').unwrap_or((name, ""));
            let code = self.texts.entry(kind.to_owned()).or_insert_with(|| world.new_code(kind));
            match form {
                "spelled" => {
                    let groups: Vec<_> = code.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
                    out.push_str(&groups.join("-%20").to_lowercase());
                }
                "escaped" => out.extend(code.bytes().map(|byte| format!("%{byte:02x}"))),
                _ => out.push_str(code),
            }
            rest = after;
        }
        out + rest
    }

    /// Put what the names stand for already in their place; other braces stay.
    fn filled(&self, text: &str) -> String {
        self.texts
            .iter()
            .fold(text.to_owned(), |text, (kind, code)| text.replace(&format!("{{{kind}}}"), code))
    }
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

/// Ask as the case says.
fn ask(world: &mut dyn World, filler: &mut Filler, request: &Value) -> Option<HttpAnswer> {
    let path = filler.fill(world, text(request, "path"));
    let method = request["method"].as_str().unwrap_or("GET");
    let lines = request["headers"].as_array().into_iter().flatten();
    let mut headers: Vec<(String, String)> = lines
        .map(|line| (line[0].as_str().unwrap().to_owned(), filler.fill(world, line[1].as_str().unwrap())))
        .collect();
    if request["no_host"] != Value::Bool(true) && headers.iter().all(|(name, _)| name != "Host") {
        headers.push(("Host".to_owned(), filler.fill(world, "{host}")));
    }
    if let Some(total) = request["long_header"].as_u64() {
        let used: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        headers.push(("X-Fill".to_owned(), "f".repeat(total as usize - used - "X-Fill".len())));
    }
    let headers: Vec<(&[u8], &[u8])> =
        headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    world.answer(&HttpRequest {
        method: method.as_bytes(),
        raw_path: path.as_bytes(),
        query: text(request, "query").as_bytes(),
        headers: &headers,
        peer: Some("192.0.2.7"),
        now_us: NOW_US,
        random: [42; 16],
    })
}

/// The value of a header that stands once at most.
pub fn header<'a>(answer: &'a HttpAnswer, name: &str) -> Option<&'a str> {
    let mut lines = answer.headers.iter().filter(|(known, _)| *known == name.as_bytes());
    let first = lines.next();
    assert!(lines.next().is_none(), "{name} twice");
    first.map(|(_, value)| std::str::from_utf8(value).unwrap())
}

struct Check<'t> {
    name: &'t str,
    expect: &'t Value,
    answer: &'t HttpAnswer,
    filler: &'t Filler,
}

impl Check<'_> {
    fn all(&self) {
        let status = u64::from(self.answer.status);
        assert_eq!(status, self.expect["status"].as_u64().unwrap(), "{}", self.name);
        self.headers();
        let body = std::str::from_utf8(&self.answer.body).unwrap();
        self.text(body);
        self.json(body);
    }

    fn headers(&self) {
        let Self { name, expect, answer, .. } = self;
        for (field, value) in expect["headers"].as_object().into_iter().flatten() {
            assert_eq!(header(answer, field), value.as_str(), "{name}: {field}");
        }
        for (field, part) in expect["headers_contain"].as_object().into_iter().flatten() {
            let value = header(answer, field).unwrap_or_else(|| panic!("{name}: {field} is missing"));
            assert!(value.contains(part.as_str().unwrap()), "{name}: {field}: {value}");
        }
        for field in expect["headers_absent"].as_array().into_iter().flatten() {
            assert_eq!(header(answer, field.as_str().unwrap()), None, "{name}");
        }
    }

    fn text(&self, body: &str) {
        let Self { name, expect, .. } = self;
        if expect["empty"] == Value::Bool(true) {
            assert_eq!(body, "", "{name}");
        }
        for part in expect["text_contains"].as_array().into_iter().flatten() {
            assert!(body.contains(part.as_str().unwrap()), "{name}: {part} is not in\n{body}");
        }
        for part in expect["text_excludes"].as_array().into_iter().flatten() {
            assert!(!body.contains(part.as_str().unwrap()), "{name}: {part} is in\n{body}");
        }
    }

    fn json(&self, body: &str) {
        let Self { name, expect, .. } = self;
        let json =
            || serde_json::from_str::<Value>(body).unwrap_or_else(|error| panic!("{name}: {error}\n{body}"));
        for (key, value) in expect["json"].as_object().into_iter().flatten() {
            let value = match value {
                Value::String(text) => Value::String(self.filler.filled(text)),
                other => other.clone(),
            };
            assert_eq!(json()[key], value, "{name}: {key} in {body}");
        }
        if let Some(reasons) = expect.get("reasons") {
            assert_eq!(&json()["reasons"], reasons, "{name}: {body}");
        }
        if let Some(keys) = expect["json_keys"].as_array() {
            let places: Vec<_> = keys.iter().map(|key| body.find(&format!("{key}:")).unwrap()).collect();
            assert!(places.is_sorted(), "{name}: {body}");
            assert_eq!(json().as_object().unwrap().len(), keys.len(), "{name}: {body}");
        }
    }
}

/// The same code with one symbol of its body changed.
pub fn mistype(code: &str) -> String {
    let mut text = code.to_owned();
    let other = if &text[6..7] == "7" { "8" } else { "7" };
    text.replace_range(6..7, other);
    text
}
