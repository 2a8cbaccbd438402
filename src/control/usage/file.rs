//! The file of what quotas have counted: a log of balances, the later ones in place of the earlier, written anew when it has grown.
//!
//! ```text
//! ringgate.usage/
//!   lock                      held by the process that counts
//!   usage.log                 what was counted
//!   usage.old                 the same as it was when `usage.log` was begun
//!   usage.log.corrupt-17…     one that was damaged, set aside
//!   2026-12-01.jsonl          a day that is over
//! ```
//!
//! A log is a line that says what it is, and frames: a mark, the length of what follows, the beginning of its SHA-256, and balances,
//! each with the names of its usage plan and key. A frame that was cut off by a crash is no damage; in place of one that is
//! damaged holds what was known before, and the ones behind it are found by their mark.

use crate::{
    base::{
        clock::unix_now,
        digest::sum,
        limits::{USAGE_FILE_BYTES_MAX, USAGE_LOCK_WAIT, USAGE_LOG_BYTES_MIN},
    },
    observe::error_log::{Level, log},
    plan::usage::Balance,
};
use ahash::AHashMap;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Balances by their names: see [`name`].
pub(super) type Balances = AHashMap<Arc<str>, Balance>;

/// What an account is called: its usage plan, a byte that no name has, its key.
pub(super) fn name(plan: &str, key: &str) -> Arc<str> {
    format!("{plan}\0{key}").into()
}

/// A folder that is ours to write to.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
    log: File,
    bytes: u64,
    /// What `bytes` was when the log was begun.
    begun: u64,
}

impl Store {
    /// Takes `folder`, and reads what was counted.
    ///
    /// # Errors
    /// It cannot be written to, or another process has it, or a later version wrote it; a sentence.
    pub(super) fn open(folder: &Path) -> Result<(Self, Balances), String> {
        let failed = |why: io::Error| format!("cannot keep usage in {}: {why}", folder.display());
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let lock = lock(folder)?;
        let mut all = Balances::new();
        for path in [folder.join(OLD), folder.join(LOG)] {
            read_into(&path, &mut all)?;
        }
        let (log, bytes) = begin(folder, all.iter().map(|(name, balance)| (&**name, *balance))).map_err(failed)?;
        Ok((Self { folder: folder.to_owned(), _lock: lock, log, bytes, begun: bytes }, all))
    }

    /// Appends balances; when this returns, they are on the disk.
    ///
    /// # Errors
    /// They are not, and nothing of them is.
    pub(super) fn append(&mut self, frames: &Frames) -> io::Result<()> {
        let written = self.log.write_all(&frames.bytes).and_then(|()| self.log.sync_data());
        match written {
            Ok(()) => self.bytes += frames.bytes.len() as u64,
            // What follows must not stand behind half a frame.
            Err(_) => self.log.set_len(self.bytes)?,
        }
        written
    }

    /// Whether most of the log is of the past.
    pub(super) const fn has_grown(&self) -> bool {
        self.bytes > USAGE_LOG_BYTES_MIN && self.bytes / 4 > self.begun
    }

    /// Begins the log anew with these.
    ///
    /// # Errors
    /// The old one is written to on.
    pub(super) fn begin_anew<'a>(&mut self, all: impl Iterator<Item = (&'a str, Balance)>) -> io::Result<()> {
        let (log, bytes) = begin(&self.folder, all)?;
        (self.log, self.bytes, self.begun) = (log, bytes, bytes);
        Ok(())
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Balances, written.
#[derive(Debug, Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
    /// Where the frame that is being written begins.
    frame: usize,
}

impl Frames {
    /// Writes one more.
    pub(super) fn push(&mut self, name: &str, balance: &Balance) {
        let Some((plan, key)) = name.split_once('\0') else { return };
        let (Ok(plan_bytes), Ok(key_bytes)) = (u16::try_from(plan.len()), u16::try_from(key.len())) else { return };
        if self.bytes.len() == self.frame {
            self.bytes.extend_from_slice(&[0; FRAME_HEAD]);
        }
        let out = &mut self.bytes;
        out.extend_from_slice(&balance.begin.to_le_bytes());
        out.extend_from_slice(&balance.taken.to_le_bytes());
        out.extend_from_slice(&balance.extra.to_le_bytes());
        for (day, count) in balance.days.iter().chain([&balance.closed]) {
            out.extend_from_slice(&day.to_le_bytes());
            out.extend_from_slice(&count.to_le_bytes());
        }
        out.extend_from_slice(&plan_bytes.to_le_bytes());
        out.extend_from_slice(&key_bytes.to_le_bytes());
        out.extend_from_slice(plan.as_bytes());
        out.extend_from_slice(key.as_bytes());
        if out.len() - self.frame > FRAME_BYTES {
            self.seal();
        }
    }

    /// Ends the frame that is being written.
    pub(super) fn seal(&mut self) {
        let Some((head, content)) = self.bytes.get_mut(self.frame..).and_then(|f| f.split_at_mut_checked(FRAME_HEAD))
        else {
            return;
        };
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes();
        for (place, byte) in head.iter_mut().zip(MARK.into_iter().chain(length).chain(sum::<SUM_BYTES>(content))) {
            *place = byte;
        }
        self.frame = self.bytes.len();
    }

    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// What was wrong with a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Damage {
    /// Frames, or what stood where one had to be.
    frames: usize,
    /// The last frame was cut off.
    torn: bool,
}

fn lock(folder: &Path) -> Result<File, String> {
    let path = folder.join("lock");
    let open = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = open.map_err(|why| format!("cannot keep usage in {}: {why}", folder.display()))?;
    let step = Duration::from_millis(20);
    for _ in 0..USAGE_LOCK_WAIT.as_millis() / step.as_millis() {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => std::thread::park_timeout(step),
            Err(TryLockError::Error(why)) => return Err(format!("cannot lock {}: {why}", path.display())),
        }
    }
    Err(format!("another process counts in {}: give this one a folder of its own, `[usage] folder`", folder.display()))
}

/// Writes a new log and puts it in place of the one that is there, which is kept.
fn begin<'a>(folder: &Path, all: impl Iterator<Item = (&'a str, Balance)>) -> io::Result<(File, u64)> {
    let (new, now) = (folder.join("usage.new"), folder.join(LOG));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&new)?;
    file.write_all(TITLE)?;
    let (mut bytes, mut frames) = (TITLE.len() as u64, Frames::default());
    for (name, balance) in all {
        frames.push(name, &balance);
        if frames.bytes.len() > CHUNK_BYTES {
            frames.seal();
            file.write_all(&frames.bytes)?;
            bytes += frames.bytes.len() as u64;
            frames = Frames::default();
        }
    }
    frames.seal();
    file.write_all(&frames.bytes)?;
    bytes += frames.bytes.len() as u64;
    file.sync_all()?;
    match fs::rename(&now, folder.join(OLD)) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    fs::rename(&new, &now)?;
    File::open(folder)?.sync_all()?;
    Ok((file, bytes))
}

/// Reads a log into `all`; if it is damaged, sets it aside and says so.
fn read_into(path: &Path, all: &mut Balances) -> Result<(), String> {
    let shown = path.display();
    let bytes = match fs::metadata(path).and_then(|about| {
        if about.len() > USAGE_FILE_BYTES_MAX { Err(io::Error::other("it is too large")) } else { fs::read(path) }
    }) {
        Ok(bytes) => bytes,
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(why) => return Err(format!("cannot read {shown}: {why}")),
    };
    if bytes.starts_with(FAMILY) && !bytes.starts_with(TITLE) {
        return Err(format!("{shown} was written by another version of this program: give it another folder"));
    }
    let before = all.len();
    let damage = read(&bytes, all);
    if damage.torn {
        log(Level::Info, format_args!("usage: the end of {shown} was cut off while it was written"));
    }
    if damage.frames > 0 {
        let aside = path.with_extension(format!(
            "{}.corrupt-{}",
            path.extension().unwrap_or_default().to_string_lossy(),
            unix_now().seconds()
        ));
        let kept = match fs::rename(path, &aside) {
            Ok(()) => format!("set aside as {}", aside.display()),
            Err(why) => format!("it could not be set aside: {why}"),
        };
        let (more, frames) = (all.len() - before, damage.frames);
        log(
            Level::Error,
            format_args!(
                "usage: {shown} is damaged in {frames} place{}, {kept}; counting goes on from the copy before and from what is good of \
                 it, {more} keys more",
                if frames == 1 { "" } else { "s" }
            ),
        );
    }
    Ok(())
}

/// Reads what is good of a log.
fn read(bytes: &[u8], all: &mut Balances) -> Damage {
    let mut damage = Damage::default();
    let mut rest = match bytes.strip_prefix(TITLE) {
        Some(rest) => rest,
        None if bytes.is_empty() => return damage,
        None => {
            damage.frames += 1;
            to_mark(bytes)
        }
    };
    while !rest.is_empty() {
        match frame(rest) {
            Frame::Good(content, behind) => {
                if balances(content, all).is_none() {
                    damage.frames += 1;
                }
                rest = behind;
            }
            Frame::Torn => {
                damage.torn = true;
                // If there are frames behind it, it was not cut off: its length is wrong.
                let behind = to_mark(rest.get(1..).unwrap_or_default());
                if !behind.is_empty() {
                    damage = Damage { frames: damage.frames + 1, torn: false };
                }
                rest = behind;
            }
            Frame::Bad => {
                damage.frames += 1;
                rest = to_mark(rest.get(1..).unwrap_or_default());
            }
        }
    }
    damage
}

enum Frame<'a> {
    /// Its content, and what is behind it.
    Good(&'a [u8], &'a [u8]),
    /// Not all of it is there.
    Torn,
    Bad,
}

fn frame(bytes: &[u8]) -> Frame<'_> {
    let mark = bytes.get(..MARK.len().min(bytes.len())).unwrap_or_default();
    if !MARK.starts_with(mark) {
        return Frame::Bad;
    }
    let Some((head, rest)) = bytes.split_at_checked(FRAME_HEAD) else { return Frame::Torn };
    let number = |from: usize| head.get(from..from + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let Some((content, behind)) =
        number(MARK.len()).and_then(|length| rest.split_at_checked(usize::try_from(length).ok()?))
    else {
        return Frame::Torn;
    };
    if head.get(MARK.len() + 4..) == Some(&sum::<SUM_BYTES>(content)) {
        Frame::Good(content, behind)
    } else {
        Frame::Bad
    }
}

/// From the next mark on.
fn to_mark(bytes: &[u8]) -> &[u8] {
    let at = bytes.windows(MARK.len()).position(|window| window == MARK);
    at.and_then(|at| bytes.get(at..)).unwrap_or_default()
}

fn balances(mut rest: &[u8], all: &mut Balances) -> Option<()> {
    while !rest.is_empty() {
        let mut balance = Balance {
            begin: u16::from_le_bytes(take(&mut rest)?),
            taken: u64::from_le_bytes(take(&mut rest)?),
            extra: i64::from_le_bytes(take(&mut rest)?),
            ..Balance::default()
        };
        let [one, other] = &mut balance.days;
        for (day, count) in [one, other, &mut balance.closed] {
            *day = u16::from_le_bytes(take(&mut rest)?);
            *count = u64::from_le_bytes(take(&mut rest)?);
        }
        let lengths = (u16::from_le_bytes(take(&mut rest)?), u16::from_le_bytes(take(&mut rest)?));
        let (plan, behind) = rest.split_at_checked(lengths.0.into())?;
        let (key, behind) = behind.split_at_checked(lengths.1.into())?;
        rest = behind;
        all.insert(name(std::str::from_utf8(plan).ok()?, std::str::from_utf8(key).ok()?), balance);
    }
    Some(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, behind) = rest.split_at_checked(N)?;
    *rest = behind;
    head.try_into().ok()
}

/// Of a frame's [`sum`].
const SUM_BYTES: usize = 8;
const LOG: &str = "usage.log";
const OLD: &str = "usage.old";
/// How all of these files begin, and how those of this version do.
const FAMILY: &[u8] = b"ringgate usage ";
const TITLE: &[u8] = b"ringgate usage 1\n";
/// No text has this in it.
const MARK: [u8; 8] = *b"\xffrgframe";
const FRAME_HEAD: usize = MARK.len() + 4 + SUM_BYTES;
/// Past this a frame is ended: what one damaged byte costs.
const FRAME_BYTES: usize = 64 * 1024;
/// Written at once.
const CHUNK_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::{Balances, Damage, Frames, LOG, OLD, Store, TITLE, name, read};
    use crate::plan::usage::Balance;
    use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
    use std::fs;

    fn balance(taken: u64) -> Balance {
        Balance { begin: 20_000, taken, extra: -3, days: [(20_000, taken), (19_999, 7)], closed: (19_999, 1) }
    }

    /// A log of `keys` keys, each in a frame of its own.
    fn log(keys: u64) -> Vec<u8> {
        let mut frames = Frames::default();
        for key in 0..keys {
            frames.push(&name("gold", &format!("key {key}")), &balance(key));
            frames.seal();
        }
        [TITLE, &frames.bytes].concat()
    }

    fn read_all(bytes: &[u8]) -> (usize, Damage) {
        let mut all = Balances::new();
        let damage = read(bytes, &mut all);
        for (name, balance) in &all {
            let key: u64 = name.strip_prefix("gold\0key ").unwrap().parse().unwrap();
            assert_eq!(*balance, self::balance(key));
        }
        (all.len(), damage)
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(read_all(&log(0)), (0, Damage::default()));
        assert_eq!(read_all(&log(50)), (50, Damage::default()));
        assert_eq!(read_all(b""), (0, Damage::default()), "a disk that was full");
    }

    #[test]
    fn every_cut_loses_what_is_behind_it_and_nothing_else() {
        let whole = log(3);
        let frame = (whole.len() - TITLE.len()) / 3;
        for end in TITLE.len()..whole.len() {
            let frames = (end - TITLE.len()) / frame;
            let torn = !(end - TITLE.len()).is_multiple_of(frame);
            assert_eq!(read_all(&whole[..end]), (frames, Damage { frames: 0, torn }), "{end}");
        }
    }

    #[test]
    fn every_damaged_byte_costs_its_frame_and_no_other() {
        let whole = log(3);
        let frame = (whole.len() - TITLE.len()) / 3;
        for at in 0..whole.len() {
            for change in [1, 0x80] {
                let mut damaged = whole.clone();
                damaged[at] ^= change;
                let (keys, damage) = read_all(&damaged);
                let in_last = at >= TITLE.len() + 2 * frame;
                assert_eq!(keys, if at < TITLE.len() { 3 } else { 2 }, "{at}");
                assert!(damage.frames == 1 || (damage.torn && in_last), "{at}: {damage:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0..300_usize) {
            let mut all = Balances::new();
            let _ = read(&bytes, &mut all);
            let mut mixed = log(3);
            let at = at.min(mixed.len());
            mixed.splice(at..at, bytes);
            let _ = read(&mixed, &mut all);
            prop_assert!(all.len() <= 1000);
        }
    }

    fn folder(of: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("ringgate-usage-{of}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn write(store: &mut Store, key: &str, taken: u64) {
        let mut frames = Frames::default();
        frames.push(&name("gold", key), &balance(taken));
        frames.seal();
        store.append(&frames).unwrap();
    }

    #[test]
    fn a_folder_is_taken_by_one_and_keeps_the_last_of_each() {
        let folder = folder("kept");
        let (mut store, all) = Store::open(&folder).unwrap();
        assert!(all.is_empty());
        write(&mut store, "a", 1);
        write(&mut store, "b", 2);
        write(&mut store, "a", 3);
        drop(store);
        let (mut store, all) = Store::open(&folder).unwrap();
        assert_eq!((all.len(), all[&name("gold", "a")].taken, all[&name("gold", "b")].taken), (2, 3, 2));
        write(&mut store, "b", 9);
        drop(store);
        fs::write(folder.join(LOG), b"ringgate usage 1\nnonsense").unwrap();
        let (store, all) = Store::open(&folder).unwrap();
        assert_eq!(all[&name("gold", "a")].taken, 3, "from the copy before");
        let set_aside = |entry: fs::DirEntry| entry.file_name().to_string_lossy().starts_with("usage.log.corrupt-");
        assert!(fs::read_dir(&folder).unwrap().flatten().any(set_aside));
        drop(store);
        fs::write(folder.join(OLD), b"ringgate usage 2\n").unwrap();
        assert!(Store::open(&folder).unwrap_err().contains("another version"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
