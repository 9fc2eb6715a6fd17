//! Keys of each tenant for recognising devices, derived once.

use super::NO_TENANT;
use crate::code::Keyring;
use crate::scan::DeviceKeys;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// Device keys by tenant number; tenants are few and never removed.
#[derive(Default)]
pub struct TenantKeys(ArcSwap<Vec<Option<Arc<DeviceKeys>>>>);

impl TenantKeys {
    /// The keys of tenant `number`, called `name`.
    pub fn of(&self, keyring: &Keyring, number: u32, name: &str) -> Arc<DeviceKeys> {
        let index = number as usize;
        if let Some(Some(keys)) = self.0.load().get(index) {
            return Arc::clone(keys);
        }
        let keys =
            Arc::new(DeviceKeys::new(&keyring.subkey("cookie", name), &keyring.subkey("address", name)));
        if number == NO_TENANT {
            return keys;
        }
        self.0.rcu(|known| {
            let mut grown = Vec::clone(known);
            grown.resize_with(grown.len().max(index + 1), || None);
            grown[index].get_or_insert_with(|| Arc::clone(&keys));
            grown
        });
        keys
    }
}
