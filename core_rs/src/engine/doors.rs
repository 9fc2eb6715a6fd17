//! The engine behind the doors of [`crate::scan`].

use super::Engine;
use crate::scan::{
    self, DeviceKeys, HttpAnswer, HttpRequest, Outcome, Reason, ScanContext, ScanDomain, Scanner,
};
use std::sync::Arc;

impl Engine {
    /// Answer an HTTP request if it is a scan; `None` hands it to the control plane.
    pub fn http(&self, request: &HttpRequest<'_>) -> Option<HttpAnswer> {
        scan::answer(self, &self.http, request)
    }

    /// The keys that hash devices of tenant `number`, called `name`.
    pub fn device_keys(&self, number: u32, name: &str) -> Arc<DeviceKeys> {
        self.tenant_keys.of(&self.keyring, number, name)
    }
}

impl Scanner for Engine {
    fn scan(&self, text: &[u8], context: &ScanContext<'_>) -> Outcome {
        Self::scan(self, text, context)
    }

    fn scan_nothing(&self, reason: Reason, _context: &ScanContext<'_>) -> Outcome {
        Self::scan_nothing(self, reason)
    }

    fn domain(&self, host: &[u8]) -> Option<ScanDomain> {
        let snapshot = self.snapshot.load();
        let domain = snapshot.domain_of_host(host)?;
        let tenant = snapshot.tenant_at(domain.tenant)?;
        let device_keys = self.device_keys(tenant.id, &tenant.name);
        Some(ScanDomain { id: domain.id, tenant: tenant.id, device_keys })
    }
}
