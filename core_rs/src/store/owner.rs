//! Who has a store open, for messages and for waiting.
//!
//! The lock itself is RocksDB's `LOCK` file, which the kernel releases when its holder dies. The
//! owner file beside it only names the holder; a stale one (after SIGKILL) is recognised and
//! overwritten. Process facts come from `/proc`; where there is none, an owner is never judged
//! dead by this file and the lock alone decides.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// File name inside the store's directory; RocksDB ignores names it does not know.
const FILE_NAME: &str = "OWNER";

/// The process that has, or had, a store open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Process id on `host`.
    pub pid: u32,
    /// Host name; a process id says nothing on another host.
    pub host: String,
    /// Start of the process in clock ticks since boot (`/proc/<pid>/stat`, field 22): with the pid
    /// it tells a process from a later one that was given the same number. 0 if not known.
    pub started_ticks: u64,
    /// The kernel's boot id, since both numbers above repeat after a reboot; empty if not known.
    pub boot: String,
}

impl Owner {
    /// The calling process.
    #[must_use]
    pub fn current() -> Self {
        let pid = std::process::id();
        Self {
            pid,
            host: host_name(),
            started_ticks: process_stat(pid).map_or(0, |stat| stat.started_ticks),
            boot: kernel_text("/proc/sys/kernel/random/boot_id"),
        }
    }

    /// The owner named in a store's directory: `None` when the store was closed properly or never
    /// opened. The one named may be dead; see [`Self::is_alive`].
    #[must_use]
    pub fn of(directory: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(directory.join(FILE_NAME)).ok()?).ok()
    }

    /// Whether this very process still runs here and may hold files open. False for a process of
    /// another host, an earlier boot, a reused process id, and one that is dead but not reaped.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let here = Self { pid: self.pid, started_ticks: self.started_ticks, ..Self::current() };
        *self == here
            && process_stat(self.pid)
                .is_some_and(|stat| !stat.is_dead && stat.started_ticks == self.started_ticks)
    }

    /// Names this owner in the store's directory, replacing whoever was named before.
    pub(super) fn write_to(&self, directory: &Path) -> io::Result<OwnerFile> {
        let path = directory.join(FILE_NAME);
        let fresh = directory.join(format!("{FILE_NAME}.{}", self.pid));
        fs::write(&fresh, serde_json::to_vec(self).map_err(io::Error::other)?)?;
        fs::rename(&fresh, &path)?;
        Ok(OwnerFile { path })
    }
}

/// The owner file of an open store; removed when dropped. Drop it while the lock is still held, or
/// the name of the next owner would be removed instead.
#[derive(Debug)]
pub(super) struct OwnerFile {
    path: PathBuf,
}

impl Drop for OwnerFile {
    fn drop(&mut self) {
        // A file that stays behind is recognised as stale, so a failure costs nothing.
        let _ = fs::remove_file(&self.path);
    }
}

struct ProcessStat {
    started_ticks: u64,
    is_dead: bool,
}

fn process_stat(pid: u32) -> Option<ProcessStat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 2 is the command in parentheses and may itself hold spaces and parentheses.
    let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?;
    let started_ticks = fields.nth(18)?.parse().ok()?;
    Some(ProcessStat { started_ticks, is_dead: matches!(state, "Z" | "X") })
}

fn host_name() -> String {
    let name = kernel_text("/proc/sys/kernel/hostname");
    if name.is_empty() { std::env::var("HOSTNAME").unwrap_or_default() } else { name }
}

fn kernel_text(path: &str) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_process_is_alive_and_survives_a_round_trip() {
        let directory = tempfile::tempdir().unwrap();
        let owner = Owner::current();
        let file = owner.write_to(directory.path()).unwrap();
        assert_eq!(Owner::of(directory.path()), Some(owner.clone()));
        assert!(owner.is_alive());
        drop(file);
        assert_eq!(Owner::of(directory.path()), None);
    }

    #[test]
    fn another_host_boot_or_start_is_not_alive() {
        let owner = Owner::current();
        assert!(!Owner { host: "elsewhere".into(), ..owner.clone() }.is_alive());
        assert!(!Owner { boot: "earlier".into(), ..owner.clone() }.is_alive());
        assert!(!Owner { started_ticks: owner.started_ticks + 1, ..owner }.is_alive());
    }

    #[test]
    fn a_process_that_is_dead_but_not_reaped_is_not_alive() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let stat = process_stat(child.id()).unwrap();
        let owner = Owner { pid: child.id(), started_ticks: stat.started_ticks, ..Owner::current() };
        assert!(owner.is_alive());
        child.kill().unwrap();
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while owner.is_alive() {
            assert!(std::time::Instant::now() < patience, "still alive after SIGKILL");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        child.wait().unwrap();
    }

    #[test]
    fn a_damaged_owner_file_names_nobody() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE_NAME), b"{\"pid\":").unwrap();
        assert_eq!(Owner::of(directory.path()), None);
    }
}
