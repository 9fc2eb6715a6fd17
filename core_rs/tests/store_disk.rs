//! What the disk store keeps through crashes, damage, a full disk and a forbidden directory.
//! Method: a child process (this test binary run again with a role in its environment) writes
//! numbered batches and prints each number once it is acknowledged; the parent kills it, or damages
//! what it left, and reopens. Number `n` is written to two families in one batch, so a batch that
//! survived in part would show.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use imp_core::error::Error;
use imp_core::store::{Batch, Family, Owner, RocksOptions, RocksStore, Store};

/// Environment of a child: what it does, and where.
const ROLE: &str = "IMP_STORE_TEST_ROLE";
const PLACE: &str = "IMP_STORE_TEST_PLACE";
/// Reopening must be quick even after SIGKILL: no waiting for the owner that died.
const REOPEN_MAX: Duration = Duration::from_secs(5);
/// The user without rights of most systems.
const NOBODY: u32 = 65_534;

fn open(path: &Path) -> Result<RocksStore, Error> {
    RocksStore::open(path, &RocksOptions::default())
}

fn write_number(store: &RocksStore, number: u64) -> Result<(), Error> {
    let mut batch = Batch::new();
    batch.put(Family::Scan, &number.to_be_bytes(), &[number as u8; 96]);
    batch.put(Family::Event, &number.to_be_bytes(), &[number as u8; 160]);
    store.write(&batch)
}

/// The numbers present, after checking that every batch is whole.
fn numbers(store: &RocksStore) -> Vec<u64> {
    let of = |family: Family| {
        let mut numbers = Vec::new();
        let mut visit = |key: &[u8], value: &[u8]| {
            let number = u64::from_be_bytes(key.try_into().unwrap());
            assert!(value.iter().all(|&byte| byte == number as u8));
            numbers.push(number);
            true
        };
        store.for_each(family, b"", b"", &mut visit).unwrap();
        numbers
    };
    let scans = of(Family::Scan);
    assert_eq!(scans, of(Family::Event), "a batch survived in part");
    scans
}

fn assert_is_prefix(numbers: &[u64]) {
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "a later batch without an earlier one");
}

/// A command that runs only `child_process` of this binary, in the given role.
fn child(program: &Path, role: &str, place: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["--exact", "child_process", "--nocapture"]).env(ROLE, role).env(PLACE, place);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn this_binary() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// Kills the child when a test fails before it did.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lines a child printed in its role; the test harness prints others.
fn said(line: &str) -> Option<&str> {
    Some(&line[line.find("said: ")? + 6..])
}

fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "said: {what}").and_then(|()| out.flush()).unwrap();
}

/// Not a test of its own: what this binary does as a child.
#[test]
fn child_process() {
    let (Ok(role), Ok(place)) = (std::env::var(ROLE), std::env::var(PLACE)) else { return };
    let place = PathBuf::from(place);
    match role.as_str() {
        "write for ever" => write_for_ever(&place),
        "open" => say(&open(&place).map_or_else(|error| format!("{error:?}"), |_| "opened".into())),
        "fill" => fill(&place),
        other => panic!("no such role: {other}"),
    }
}

fn write_for_ever(place: &Path) {
    let store = open(place).unwrap();
    for number in numbers(&store).len() as u64.. {
        write_number(&store, number).unwrap();
        say(&number.to_string());
    }
}

#[test]
fn what_was_acknowledged_survives_sigkill() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 1..=5_u64 {
        let started = child(&this_binary(), "write for ever", directory.path()).spawn().unwrap();
        let mut writer = Killed(started);
        let lines = BufReader::new(writer.0.stdout.take().unwrap()).lines();
        let mut heard = 0;
        for line in lines.map_while(Result::ok) {
            let Some(number) = said(&line) else { continue };
            acknowledged = number.parse::<u64>().unwrap() + 1;
            heard += 1;
            if heard == 137 * round {
                writer.0.kill().unwrap();
            }
        }
        assert!(heard >= 137 * round);
        drop(writer);
        let started = Instant::now();
        let store = open(directory.path()).unwrap();
        assert!(started.elapsed() < REOPEN_MAX);
        let present = numbers(&store);
        assert_is_prefix(&present);
        assert!(present.len() as u64 >= acknowledged, "acknowledged and lost");
        assert_eq!(store.latest_sequence(), 2 * present.len() as u64);
    }
}

#[test]
fn a_closed_store_opens_with_everything_and_no_owner_left() {
    let directory = tempfile::tempdir().unwrap();
    let sequence = {
        let store = open(directory.path()).unwrap();
        (0..1_000).for_each(|number| write_number(&store, number).unwrap());
        store.latest_sequence()
    };
    assert_eq!(Owner::of(directory.path()), None);
    let store = open(directory.path()).unwrap();
    assert_eq!((numbers(&store).len(), store.latest_sequence()), (1_000, sequence));
}

/// A copy of a store's files as a power loss would leave them, and the journal with most in it.
/// The lock is left out: closing any descriptor of it would release the original's.
fn copy_of_open_store(from: &Path, to: &Path) -> PathBuf {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten().filter(|entry| entry.file_name() != "LOCK") {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    let journals = fs::read_dir(to).unwrap().flatten().map(|entry| entry.path());
    let journals = journals.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    journals.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn a_torn_journal_tail_loses_the_torn_batches_only() {
    const BATCHES: u64 = 200;
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory.path().join("live")).unwrap();
    (0..BATCHES).for_each(|number| write_number(&store, number).unwrap());
    let mut previous = BATCHES as usize + 1;
    for cut in [0_u64, 1, 7, 8, 300, 5_000, 33_000] {
        let copy = directory.path().join(format!("cut {cut}"));
        let journal = copy_of_open_store(&directory.path().join("live"), &copy);
        let length = fs::metadata(&journal).unwrap().len();
        OpenOptions::new().write(true).open(&journal).unwrap().set_len(length - cut).unwrap();
        let torn = open(&copy).unwrap();
        let present = numbers(&torn);
        assert_is_prefix(&present);
        // A batch takes some 300 bytes here; nothing beyond the cut may be missing.
        let least = BATCHES as i64 - 2 - cut as i64 / 250;
        assert!(present.len() as i64 >= least && present.len() <= previous);
        assert_eq!(present.len() as u64 == BATCHES, cut == 0);
        previous = present.len();
        write_number(&torn, present.len() as u64).unwrap();
    }
}

#[test]
fn garbage_after_or_inside_the_journal_leaves_a_prefix() {
    const BATCHES: u64 = 200;
    let directory = tempfile::tempdir().unwrap();
    let live = directory.path().join("live");
    let store = open(&live).unwrap();
    (0..BATCHES).for_each(|number| write_number(&store, number).unwrap());

    let appended = directory.path().join("appended");
    let journal = copy_of_open_store(&live, &appended);
    OpenOptions::new().append(true).open(journal).unwrap().write_all(&[0xa5; 999]).unwrap();
    assert_eq!(numbers(&open(&appended).unwrap()).len() as u64, BATCHES);

    let damaged = directory.path().join("damaged");
    let journal = copy_of_open_store(&live, &damaged);
    let middle = fs::metadata(&journal).unwrap().len() / 2;
    OpenOptions::new().write(true).open(journal).unwrap().write_all_at(&[0xa5; 4], middle).unwrap();
    let present = numbers(&open(&damaged).unwrap());
    assert_is_prefix(&present);
    assert!((60..140).contains(&present.len()), "{} batches of {BATCHES}", present.len());
}

#[test]
fn a_damaged_manifest_is_an_error_and_not_an_empty_store() {
    let directory = tempfile::tempdir().unwrap();
    write_number(&open(directory.path()).unwrap(), 0).unwrap();
    let manifest = fs::read_to_string(directory.path().join("CURRENT")).unwrap();
    let manifest = directory.path().join(manifest.trim());
    File::create(manifest).unwrap().write_all(b"not a manifest").unwrap();
    assert!(matches!(open(directory.path()).err(), Some(Error::Corrupt(_))));
}

#[test]
fn families_of_a_newer_version_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()).unwrap());
    let mut options = rocksdb::Options::default();
    options.create_missing_column_families(true);
    let names = Family::ALL.map(Family::name).into_iter().chain(["from the future"]);
    drop(rocksdb::DB::open_cf(&options, directory.path(), names).unwrap());
    let refusal = open(directory.path()).err();
    assert!(matches!(refusal, Some(Error::Incompatible(why)) if why.contains("from the future")));
}

#[test]
fn a_checkpoint_is_a_whole_store_of_one_moment() {
    let directory = tempfile::tempdir().unwrap();
    let (live, copy) = (directory.path().join("live"), directory.path().join("copy"));
    let store = open(&live).unwrap();
    (0..500).for_each(|number| write_number(&store, number).unwrap());
    std::thread::scope(|scope| {
        scope.spawn(|| (500..3_000).for_each(|number| write_number(&store, number).unwrap()));
        store.checkpoint(&copy).unwrap();
    });
    let refusal = store.checkpoint(&copy);
    assert!(matches!(refusal, Err(Error::InvalidInput { field: "to", .. })));
    let restored = open(&copy).unwrap();
    let present = numbers(&restored);
    assert_is_prefix(&present);
    assert!(present.len() >= 500);
    assert_eq!(numbers(&store).len(), 3_000);
    write_number(&restored, present.len() as u64).unwrap();
    assert_eq!(numbers(&store).len(), 3_000, "a checkpoint shares nothing that is written");
}

#[test]
fn gauges_follow_what_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let gauge = |wanted: &str| store.gauges().into_iter().find(|(name, _)| *name == wanted).unwrap().1;
    let memtables_before = gauge("memtable_bytes");
    assert_eq!((gauge("wal_bytes"), gauge("scan_keys")), (0, 0));
    (0..2_000).for_each(|number| write_number(&store, number).unwrap());
    assert!(gauge("memtable_bytes") >= memtables_before);
    assert!(gauge("wal_bytes") > 2_000 * 256);
    assert_eq!((gauge("scan_keys"), gauge("event_keys")), (2_000, 2_000));
    assert_eq!((gauge("background_errors"), gauge("writes_stopped")), (0, 0));
    // A checkpoint flushes: the data is in tables then.
    store.checkpoint(&directory.path().join("copy")).unwrap();
    assert!(gauge("live_data_bytes") > 0 && gauge("table_files_bytes") > 0);
    let mut value = Vec::new();
    assert!(store.get(Family::Scan, &7_u64.to_be_bytes(), &mut value).unwrap());
    assert!(gauge("block_cache_bytes") > 0);
}

/// Root may write anywhere, so a child without rights tries, from a copy of this binary that it
/// can reach.
#[test]
fn a_directory_that_may_not_be_written_is_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    drop(open(&store).unwrap());
    for forbidden in [&store, directory.path()] {
        fs::set_permissions(forbidden, fs::Permissions::from_mode(0o555)).unwrap();
    }
    let refusal = if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        let reachable = tempfile::tempdir().unwrap();
        fs::set_permissions(reachable.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = reachable.path().join("child");
        fs::copy(this_binary(), &program).unwrap();
        let mut command = child(&program, "open", &store);
        let output = command.uid(NOBODY).gid(NOBODY).current_dir("/").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    } else {
        format!("{:?}", open(&store).err())
    };
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(refusal.contains("Storage(") && refusal.contains("no permission to write"), "{refusal}");
    assert!(refusal.contains(store.to_str().unwrap()), "{refusal}");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o755)).unwrap();
    open(&store).unwrap();
}

#[test]
fn a_path_that_is_a_file_is_a_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    File::create(&file).unwrap();
    let refusal = open(&file).err();
    assert!(matches!(refusal, Some(Error::Storage(why)) if why.contains("cannot open")));
}

/// As a child with little room: writes until the disk is full, makes room, reopens, and finds
/// everything that was acknowledged.
fn fill(place: &Path) {
    let ballast = place.join("ballast");
    fs::write(&ballast, vec![1; 3 << 20]).unwrap();
    let directory = place.join("store");
    let store = open(&directory).unwrap();
    let (acknowledged, error) = (0..)
        .find_map(|number| write_number(&store, number).err().map(|error| (number, error)))
        .expect("the room is limited");
    say(&format!("{error:?}"));
    drop(store);
    fs::remove_file(ballast).unwrap();
    let present = numbers(&open(&directory).unwrap());
    assert_is_prefix(&present);
    assert!(present.len() as u64 >= acknowledged, "{} of {acknowledged}", present.len());
    say("kept");
}

/// The room is a small tmpfs of a private mount namespace; where the system forbids those, a limit
/// on the size of files, which fails at the same call.
#[test]
fn a_full_disk_is_a_clear_error_and_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let binary = this_binary();
    let rerun = r#"exec "$0" --exact child_process --nocapture"#;
    let mounted = format!("mount -t tmpfs -o size=12m tmpfs \"${PLACE}\" && {rerun}");
    let limited = format!("trap '' XFSZ; ulimit -f 8192; {rerun}");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(arguments[0]);
        command.args(&arguments[1..]).arg(&binary).env(ROLE, "fill").env(PLACE, directory.path());
        command.output().unwrap()
    };
    let can_mount = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        .output()
        .is_ok_and(|output| output.status.success());
    let output = if can_mount {
        run(&["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", &mounted])
    } else {
        run(&["sh", "-c", &limited])
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    let sign = if can_mount { "the disk is full; free space" } else { "a file may not grow any further" };
    assert!(out.contains("said: Storage(") && out.contains(sign), "{out}");
    assert!(out.contains("said: kept"), "{out}");
}

/// With tiny memtables the flush cannot keep up; the writer hears of it instead of hanging, and can
/// go on later.
#[test]
fn push_back_is_busy_and_passes() {
    let directory = tempfile::tempdir().unwrap();
    let options = RocksOptions { memtable_bytes: 64 << 10, ..RocksOptions::default() };
    let store = RocksStore::open(directory.path(), &options).unwrap();
    let mut batch = Batch::new();
    batch.put(Family::Scan, b"key", &vec![7; 96 << 10]);
    let deadline = Instant::now() + Duration::from_secs(20);
    let refusal = loop {
        assert!(Instant::now() < deadline, "never pushed back");
        let before = store.latest_sequence();
        if let Err(error) = store.write(&batch) {
            assert_eq!(store.latest_sequence(), before);
            break error;
        }
    };
    assert!(matches!(refusal, Error::Busy(_)), "{refusal:?}");
    while store.write(&batch).is_err() {
        assert!(Instant::now() < deadline, "never accepted again");
        std::thread::sleep(Duration::from_millis(1));
    }
}
