//! Prometheus text of the engine.

use super::Engine;
use std::fmt::Write;

impl Engine {
    /// Counters since opening and gauges of store and durability, as Prometheus text exposition.
    pub fn metrics(&self) -> String {
        let mut out = String::with_capacity(4096);
        self.counters.expose(&mut out);
        for (name, value) in self.durability.gauges().into_iter().chain(self.store.gauges()) {
            let _ = writeln!(out, "# TYPE imp_store_{name} gauge\nimp_store_{name} {value}");
        }
        out
    }
}
