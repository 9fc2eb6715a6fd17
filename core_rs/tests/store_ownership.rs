//! One process owns a directory, and everybody else hears who it is. Method: owners in this
//! process, and in a child (this test binary run again with a place in its environment) that is
//! killed while others wait.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use imp_core::error::Error;
use imp_core::store::{Batch, Family, Owner, RocksOptions, RocksStore, Store};

const PLACE: &str = "IMP_OWNER_TEST_PLACE";
const PATIENCE: Duration = Duration::from_secs(20);

fn open(path: &Path, open_wait: Duration) -> Result<RocksStore, Error> {
    RocksStore::open(path, &RocksOptions { open_wait, ..RocksOptions::default() })
}

fn refusal(path: &Path, open_wait: Duration) -> String {
    match open(path, open_wait).err() {
        Some(Error::Locked(message)) => message,
        other => panic!("expected a locked directory, got {other:?}"),
    }
}

fn assert_names(message: &str, pid: u32) {
    let host = Owner::current().host;
    assert!(!host.is_empty() && message.contains(&format!("process {pid} on host {host}")), "{message}");
}

struct OwningChild(Child);

impl OwningChild {
    /// Starts a child and returns once it has the directory open.
    fn start(place: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process", "--nocapture"])
            .env(PLACE, place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("said: open")));
        Self(child)
    }
}

impl Drop for OwningChild {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test of its own: as a child, holds the directory until its standard input ends.
#[test]
fn child_process() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let store = open(Path::new(&place), Duration::ZERO).unwrap();
    let mut batch = Batch::new();
    batch.put(Family::Meta, b"written by", b"child");
    store.write(&batch).unwrap();
    writeln!(std::io::stdout(), "said: open").unwrap();
    std::io::stdin().lines().for_each(drop);
}

#[test]
fn a_second_opener_in_this_process_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Duration::ZERO).unwrap();
    assert_names(&refusal(directory.path(), Duration::ZERO), std::process::id());
    assert_eq!(Owner::of(directory.path()), Some(Owner::current()));
    drop(store);
    open(directory.path(), Duration::ZERO).unwrap();
}

/// RocksDB tells directories of one process apart by spelling, and the kernel's lock does not keep
/// a process from itself.
#[test]
fn another_spelling_of_the_path_is_the_same_directory() {
    let directory = tempfile::tempdir().unwrap();
    let (real, link) = (directory.path().join("real"), directory.path().join("link"));
    let _store = open(&real, Duration::ZERO).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let spellings: [PathBuf; 3] =
        [link, directory.path().join("real/../real"), PathBuf::from(format!("{}/", real.display()))];
    for spelling in spellings {
        assert_names(&refusal(&spelling, Duration::ZERO), std::process::id());
    }
}

#[test]
fn a_second_opener_in_another_process_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let child = OwningChild::start(directory.path());
    assert_names(&refusal(directory.path(), Duration::ZERO), child.0.id());
}

#[test]
fn opening_waits_as_long_as_told_and_no_longer() {
    let directory = tempfile::tempdir().unwrap();
    let _store = open(directory.path(), Duration::ZERO).unwrap();
    let started = Instant::now();
    refusal(directory.path(), Duration::from_millis(300));
    assert!(started.elapsed() >= Duration::from_millis(300));
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn an_owner_killed_meanwhile_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = OwningChild::start(directory.path());
    thread::scope(|scope| {
        let waiting = scope.spawn(|| open(directory.path(), PATIENCE));
        thread::sleep(Duration::from_millis(200));
        assert!(!waiting.is_finished());
        // Killed and left unreaped: a zombie holds nothing.
        child.0.kill().unwrap();
        let store = waiting.join().unwrap().unwrap();
        let mut value = Vec::new();
        assert!(store.get(Family::Meta, b"written by", &mut value).unwrap());
        assert_eq!(Owner::of(directory.path()), Some(Owner::current()));
    });
}

#[test]
fn an_owner_killed_before_is_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let child = OwningChild::start(directory.path());
    let pid = child.0.id();
    drop(child);
    let left_behind = Owner::of(directory.path()).unwrap();
    assert_eq!((left_behind.pid, left_behind.is_alive()), (pid, false));
    open(directory.path(), Duration::ZERO).unwrap();
}

#[test]
fn a_store_closed_by_another_thread_is_taken_over() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), Duration::ZERO).unwrap();
    let (opened, openings) = mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| opened.send(open(directory.path(), PATIENCE).map(drop)).unwrap());
        assert!(openings.recv_timeout(Duration::from_millis(100)).is_err());
        drop(store);
        assert_eq!(openings.recv_timeout(PATIENCE).unwrap(), Ok(()));
    });
}

/// The lock decides, not the name: a name left by a living process that holds nothing delays nobody.
#[test]
fn a_living_process_that_holds_no_lock_does_not_keep_others_out() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), Duration::ZERO).unwrap());
    let owner = serde_json::to_vec(&Owner::current()).unwrap();
    std::fs::write(directory.path().join("OWNER"), owner).unwrap();
    let started = Instant::now();
    open(directory.path(), PATIENCE).unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
}

/// Waiting leaves the owner's log file alone: an attempt to open renames it.
#[test]
fn waiting_does_not_litter_the_owners_directory() {
    let directory = tempfile::tempdir().unwrap();
    let _child = OwningChild::start(directory.path());
    refusal(directory.path(), Duration::from_millis(500));
    let entries = std::fs::read_dir(directory.path()).unwrap().flatten();
    let logs = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("LOG"));
    assert!(logs.count() <= 3);
}
