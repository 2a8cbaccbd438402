//! What is kept, as bytes for a later process of this version.
//!
//! Records: the length of what follows, that, and the beginning of its SHA-256. The first one says what it is, the last one that it is
//! whole; between them are routes, groups and responses. Responses lie under the hidden form of their marks ([`Mark::hidden`]): with the
//! key, which is in the first record, the process that reads it finds them, and nobody learns from it what somebody's key was made
//! of, a token for example. Ages go on by the wall clock. What was purged is not written, and numbers of purges begin anew.

use super::{
    control::{DELTA_MAX, Wish},
    store::{Group, Slot, Store},
    stored::{Labels, Stored},
    tally::Tally,
    terms::{State, Terms},
};
use crate::{
    base::{
        clock::Instant,
        digest::sum,
        limits,
        mark::{Mark, Marker},
    },
    http::status::Status,
};
use ahash::AHashMap;
use std::{
    io::{self, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Why it could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is of another version, or of the future: there is nothing wrong with it.
    Foreign,
    /// It ends before its end.
    Cut,
    /// Something in it is not what was written.
    Damaged,
    /// There was no time left.
    Time,
}

/// How much was written or read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Responses.
    pub responses: u64,
    /// Bytes that they take in memory.
    pub bytes: u64,
}

/// Now, on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Monotonic.
    pub now: Instant,
    /// Seconds since 1970.
    pub unix: u64,
}

impl Store {
    /// Writes what is of use at `moment`, while `goes_on` says so.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn save(&self, out: &mut impl Write, moment: Moment, goes_on: &mut dyn FnMut() -> bool) -> io::Result<Amount> {
        let Some(key) = self.key else { return Err(io::Error::other("there is no key")) };
        let (mut body, mut amount) = (Vec::new(), Amount::default());
        let mut routes: AHashMap<u64, ()> = AHashMap::new();
        body.push(HEADER);
        body.extend_from_slice(MAGIC);
        text(&mut body, env!("CARGO_PKG_VERSION"));
        body.extend_from_slice(&key);
        number(&mut body, moment.unix);
        number(&mut body, self.serial.load(Ordering::Relaxed));
        record(out, &body)?;
        for (at, (mark, slot)) in self.all().enumerate() {
            if at.is_multiple_of(limits::CACHE_SNAPSHOT_STEP) && !goes_on() {
                break;
            }
            if !self.stands(&slot) {
                continue;
            }
            let labels = match &slot {
                Slot::Kept(stored) if stored.state(moment.now, &Wish::default()) != State::Stale => &stored.labels,
                Slot::Group(group) => &group.labels,
                Slot::Kept(_) | Slot::Passing(_) => continue,
            };
            if routes.insert(labels.tally.route, ()).is_none() {
                body.clear();
                body.push(ROUTE);
                number(&mut body, labels.tally.route);
                text(&mut body, &labels.tally.name);
                record(out, &body)?;
            }
            body.clear();
            match &slot {
                Slot::Kept(stored) => {
                    response(&mut body, mark, stored, moment.now);
                    amount.add(stored);
                }
                Slot::Group(one) => group(&mut body, mark, one),
                Slot::Passing(_) => {}
            }
            record(out, &body)?;
        }
        record(out, &[END])?;
        out.flush()?;
        Ok(amount)
    }

    /// A store with room for `budget` bytes that has what [`Store::save`] has written, as far as that can be read and `goes_on`
    /// says so; to be called before anybody uses it. Also says how much that is, and what was wrong.
    #[must_use]
    pub fn load(
        budget: u64,
        input: &mut impl Read,
        moment: Moment,
        goes_on: &mut dyn FnMut() -> bool,
    ) -> (Self, Amount, Option<Flaw>) {
        let mut body = Vec::new();
        let header = next(input, &mut body).and_then(|()| Header::read(&body, moment.unix));
        let header = match header {
            Ok(header) => header,
            Err(flaw) => return (Self::new(budget), Amount::default(), Some(flaw)),
        };
        let store = Self::with_marker(budget, (Marker::new(&header.key), Some(header.key)));
        store.serial.store(header.serial, Ordering::Relaxed);
        store.has_hidden.store(true, Ordering::Relaxed);
        let mut loading =
            Loading { store: &store, moment, passed: moment.unix - header.saved, amount: Amount::default() };
        let mut at = 0_usize;
        let flaw = loop {
            at += 1;
            if at.is_multiple_of(limits::CACHE_SNAPSHOT_STEP) && !goes_on() {
                break Some(Flaw::Time);
            }
            match next(input, &mut body).and_then(|()| loading.take(&body)) {
                Ok(true) => {}
                Ok(false) => break None,
                Err(flaw) => break Some(flaw),
            }
        };
        let amount = loading.amount;
        (store, amount, flaw)
    }
}

impl Amount {
    fn add(&mut self, stored: &Stored) {
        self.responses += 1;
        self.bytes += stored.weight();
    }
}

/// The first record.
struct Header {
    key: [u8; 16],
    saved: u64,
    serial: u64,
}

impl Header {
    fn read(body: &[u8], unix: u64) -> Result<Self, Flaw> {
        let mut rest = Rest(body);
        let known = rest.byte() == Some(HEADER) && rest.take(MAGIC.len()) == Some(MAGIC);
        if !known {
            return Err(Flaw::Damaged);
        }
        let version = rest.text().ok_or(Flaw::Damaged)?;
        if version != env!("CARGO_PKG_VERSION") {
            return Err(Flaw::Foreign);
        }
        let read = |rest: &mut Rest<'_>| Some((rest.array()?, rest.number()?, rest.number()?));
        let (key, saved, serial) = read(&mut rest).ok_or(Flaw::Damaged)?;
        // By a clock that has gone back nobody knows how old anything is.
        if saved > unix { Err(Flaw::Foreign) } else { Ok(Self { key, saved, serial }) }
    }
}

/// A store that is being filled.
struct Loading<'s> {
    store: &'s Store,
    moment: Moment,
    /// Seconds since it was written.
    passed: u64,
    amount: Amount,
}

impl Loading<'_> {
    /// Takes a record; false: it is the last one.
    fn take(&mut self, body: &[u8]) -> Result<bool, Flaw> {
        let mut rest = Rest(body);
        let taken = match rest.byte() {
            Some(END) => return Ok(false),
            Some(ROUTE) => self.route(&mut rest),
            Some(RESPONSE) => self.response(&mut rest),
            Some(GROUP) => self.group(&mut rest),
            _ => None,
        };
        taken.map(|()| true).ok_or(Flaw::Damaged)
    }

    fn route(&self, rest: &mut Rest<'_>) -> Option<()> {
        let (route, name) = (rest.number()?, rest.text()?);
        let _ = self.store.tally(route, name);
        Some(())
    }

    fn labels(&self, rest: &mut Rest<'_>) -> Option<Labels> {
        let (url, route) = (rest.number()?, rest.number()?);
        let count = usize::from(rest.byte()?);
        let tags = (0..count).map(|_| rest.number()).collect::<Option<Box<[u64]>>>()?;
        Some(Labels { url, tally: self.tally(route), tags, since: 0 })
    }

    /// That of a route whose record came before.
    fn tally(&self, route: u64) -> Arc<Tally> {
        self.store.tally(route, "")
    }

    fn response(&mut self, rest: &mut Rest<'_>) -> Option<()> {
        let mark = Mark::of(rest.array()?);
        let labels = self.labels(rest)?;
        let status = Status(rest.short()?);
        let ends = (rest.short()?, rest.long()?);
        let age = rest.number()?.saturating_add(self.passed);
        let (lifetime, stale_while_revalidate, stale_if_error) = (rest.long()?, rest.long()?, rest.long()?);
        let flags = rest.byte()?;
        let terms = Terms {
            received: self.moment.now,
            initial_age: u32::try_from(age).unwrap_or(DELTA_MAX).min(DELTA_MAX),
            lifetime,
            stale_while_revalidate,
            stale_if_error,
            always_validated: flags & 1 != 0,
            never_stale: flags & 2 != 0,
        };
        let stored = Arc::new(Stored::of_parts((terms, status, labels), ends, rest.0.into())?);
        if stored.state(self.moment.now, &Wish::default()) != State::Stale {
            self.amount.add(&stored);
            self.store.insert(mark, Slot::Kept(stored));
        }
        Some(())
    }

    fn group(&self, rest: &mut Rest<'_>) -> Option<()> {
        let mark = Mark::of(rest.array()?);
        let labels = self.labels(rest)?;
        let serial = rest.number()?;
        let count = usize::from(rest.byte()?);
        let vary = (0..count).map(|_| rest.text().map(Into::into)).collect::<Option<Vec<Box<str>>>>()?;
        let group = Group { vary, serial, labels, gone: AtomicBool::new(false) };
        self.store.insert(mark, Slot::Group(Arc::new(group)));
        Some(())
    }
}

fn labels(out: &mut Vec<u8>, labels: &Labels) {
    number(out, labels.url);
    number(out, labels.tally.route);
    let tags = labels.tags.get(..usize::from(u8::MAX).min(labels.tags.len())).unwrap_or_default();
    out.push(u8::try_from(tags.len()).unwrap_or(u8::MAX));
    tags.iter().for_each(|tag| number(out, *tag));
}

fn response(out: &mut Vec<u8>, mark: Mark, stored: &Stored, now: Instant) {
    let ((line_end, head_end), bytes) = stored.parts();
    let terms = &stored.terms;
    out.push(RESPONSE);
    out.extend_from_slice(mark.hidden().bytes());
    labels(out, &stored.labels);
    out.extend_from_slice(&stored.status.0.to_le_bytes());
    out.extend_from_slice(&line_end.to_le_bytes());
    out.extend_from_slice(&head_end.to_le_bytes());
    number(out, terms.age(now));
    for seconds in [terms.lifetime, terms.stale_while_revalidate, terms.stale_if_error] {
        out.extend_from_slice(&seconds.to_le_bytes());
    }
    out.push(u8::from(terms.always_validated) | u8::from(terms.never_stale) << 1);
    out.extend_from_slice(bytes);
}

fn group(out: &mut Vec<u8>, mark: Mark, group: &Group) {
    out.push(GROUP);
    out.extend_from_slice(mark.hidden().bytes());
    labels(out, &group.labels);
    number(out, group.serial);
    out.push(u8::try_from(group.vary.len()).unwrap_or(u8::MAX));
    group.vary.iter().take(usize::from(u8::MAX)).for_each(|name| text(out, name));
}

fn number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// At most 64 KiB of a text.
fn text(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(bytes.get(..usize::from(length)).unwrap_or_default());
}

fn record(out: &mut impl Write, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(&sum::<SUM_BYTES>(body))
}

/// Reads `data` as a file of what was kept, as it is and as records behind a header that fits, and holds what comes of it against
/// what must be: nothing worse than [`Flaw`]s, no more responses than there are records, and what was read can be written and
/// read again. The body of a fuzz target.
pub(super) fn fuzz(data: &[u8]) {
    let moment = Moment { now: Instant::from_nanos(5_000_000_000), unix: 1_767_225_600 };
    let load = |bytes: &[u8]| Store::load(1 << 20, &mut &*bytes, moment, &mut || true);
    let (store, amount, flaw) = load(data);
    assert!(amount.responses == 0 || flaw != Some(Flaw::Foreign), "what is foreign is not read");
    drop(store);
    let mut header = [&[HEADER], MAGIC].concat();
    text(&mut header, env!("CARGO_PKG_VERSION"));
    header.extend_from_slice(&[7; 16]);
    number(&mut header, moment.unix);
    number(&mut header, 1);
    let (mut bytes, mut rest, mut records) = (Vec::new(), Rest(data), 0);
    let mut add = |body: &[u8]| record(&mut bytes, body).unwrap_or_default();
    add(&header);
    while let Some(body) = rest.short().and_then(|length| rest.take(usize::from(length))) {
        add(body);
        records += 1;
    }
    add(&[END]);
    let (store, amount, flaw) = load(&bytes);
    assert!(amount.responses <= records, "each is a record");
    assert!(matches!(flaw, None | Some(Flaw::Damaged)), "all that is said to be there is there");
    let mut again = Vec::new();
    let Ok(saved) = store.save(&mut again, moment, &mut || true) else { return };
    let (_, loaded, flaw) = load(&again);
    assert_eq!((flaw, loaded.responses), (None, saved.responses), "what was read can be written and read");
}

/// Reads the next record.
fn next(input: &mut impl Read, body: &mut Vec<u8>) -> Result<(), Flaw> {
    let mut length = [0; 4];
    input.read_exact(&mut length).map_err(|_| Flaw::Cut)?;
    let length = u32::from_le_bytes(length);
    if u64::from(length) > limits::CACHE_RECORD_BYTES_MAX {
        return Err(Flaw::Damaged);
    }
    body.clear();
    body.resize(length as usize, 0);
    input.read_exact(body).map_err(|_| Flaw::Cut)?;
    let mut known = [0; SUM_BYTES];
    input.read_exact(&mut known).map_err(|_| Flaw::Cut)?;
    if sum(body) == known { Ok(()) } else { Err(Flaw::Damaged) }
}

/// What is still to be read of a record.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn short(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn long(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn number(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'b str> {
        let length = self.short()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }
}

const MAGIC: &[u8] = b"ringgate cache 1\n";
const SUM_BYTES: usize = 16;
const HEADER: u8 = 0;
const ROUTE: u8 = 1;
const RESPONSE: u8 = 2;
const GROUP: u8 = 3;
const END: u8 = 4;

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "keys and numbers of a test are small")]
mod tests {
    use super::{Amount, Flaw, Moment, Store};
    use crate::{
        base::{clock::Instant, prng::Prng},
        cache::{
            Purge, Slot, Stored,
            naive::{labels, response_with},
        },
    };
    use std::sync::Arc;

    const SECOND: u64 = 1_000_000_000;
    const BUDGET: u64 = 1 << 20;

    fn moment(unix: u64) -> Moment {
        // A machine that was started anew: its monotonic clock says nothing.
        Moment { now: Instant::from_nanos(unix % 50 * SECOND), unix }
    }

    fn filled(now: Moment) -> Store {
        let store = Store::new(BUDGET);
        let seconds = now.now.as_nanos() / SECOND;
        for key in 0..10 {
            let stored = response_with(key, labels(key, 0), seconds, 100 + key as u32);
            assert!(store.put(store.mark(&[key as u8]).unwrap(), None, stored));
        }
        let group = store.group(store.mark(b"group").unwrap(), vec!["accept".into()], labels(5, 0));
        let variant = store.mark(&group.serial.to_le_bytes()).unwrap();
        assert!(store.put(variant, None, response_with(77, labels(5, 0), seconds, 100)));
        store
    }

    fn saved(store: &Store, at: Moment) -> Vec<u8> {
        let mut out = Vec::new();
        let amount = store.save(&mut out, at, &mut || true).unwrap();
        assert!(amount.responses > 0 && amount.bytes > 0);
        out
    }

    fn load(bytes: &[u8], at: Moment) -> (Store, Amount, Option<Flaw>) {
        Store::load(BUDGET, &mut &*bytes, at, &mut || true)
    }

    fn kept(store: &Store, key: &[u8]) -> Option<Arc<Stored>> {
        match store.get(store.mark(key).unwrap()) {
            Some(Slot::Kept(stored)) => Some(stored),
            _ => None,
        }
    }

    #[test]
    fn what_is_written_is_found_again_and_has_aged() {
        let (then, later) = (moment(1_800_000_010), moment(1_800_000_062));
        let store = filled(then);
        store.purge(Purge::Url(3));
        let bytes =
            saved(&store, Moment { now: then.now.plus(std::time::Duration::from_secs(2)), unix: then.unix + 2 });
        let (store, amount, flaw) = load(&bytes, later);
        assert_eq!((amount.responses, flaw), (10, None), "all but what was purged");
        assert_eq!(store.tallies().len(), 2);
        assert_eq!(store.tallies().iter().map(|tally| tally.entries()).sum::<u64>(), 10);
        let found = kept(&store, &[4]).unwrap();
        assert_eq!((found.content(), found.terms.age(later.now)), (&4_u64.to_le_bytes()[..], 52), "RFC 9111 §4.2.3");
        assert!(kept(&store, &[3]).is_none(), "what was purged is gone");
        let Some(Slot::Group(group)) = store.get(store.mark(b"group").unwrap()) else { panic!("a group") };
        assert_eq!(group.vary, vec![Box::<str>::from("accept")]);
        assert_eq!(kept(&store, &group.serial.to_le_bytes()).unwrap().content(), 77_u64.to_le_bytes());
        assert!(store.serial() > group.serial, "no group has its number");
        store.purge(Purge::Tag(1));
        for key in [1, 7] {
            assert!(kept(&store, &[key]).is_none(), "purges are about it, wherever it lies");
        }
        assert!(store.forget(store.mark(&[6]).unwrap()) && kept(&store, &[6]).is_none(), "so is what is forgotten");
        store.sweep();
        assert_eq!(kept(&store, &[8]).unwrap().content(), 8_u64.to_le_bytes());
        let (store, amount, flaw) = load(&bytes, moment(1_800_000_115));
        assert_eq!((amount.responses, flaw), (4, None), "what is too old by now is not taken up");
        assert!(kept(&store, &[4]).is_none() && kept(&store, &[6]).is_some());
    }

    #[test]
    fn nothing_in_it_tells_what_marks_were_made_of() {
        let store = filled(moment(1_800_000_000));
        let bytes = saved(&store, moment(1_800_000_000));
        for key in 0..10_u8 {
            let mark = store.mark(&[key]).unwrap();
            let found = |what: &[u8]| bytes.windows(16).any(|window| window == what);
            assert!(found(mark.hidden().bytes()) && !found(mark.bytes()), "GHASH can be undone by whoever has its key");
        }
    }

    #[test]
    fn what_is_damaged_is_noticed_and_what_came_before_it_is_kept() {
        let at = moment(1_800_000_000);
        let bytes = saved(&filled(at), at);
        for end in 0..bytes.len() {
            let (_, amount, flaw) = load(&bytes[..end], at);
            assert!(flaw == Some(Flaw::Cut) && amount.responses < 12, "{end}: {flaw:?}");
        }
        let mut chance = Prng::new(1);
        for _ in 0..2000 {
            let mut bytes = bytes.clone();
            let place = chance.draw() as usize % bytes.len();
            bytes[place] ^= 1 << (chance.draw() % 8);
            let (store, _, flaw) = load(&bytes, at);
            assert!(matches!(flaw, Some(Flaw::Damaged | Flaw::Cut)), "{place}: {flaw:?}");
            for key in 0..10_u8 {
                if let Some(stored) = kept(&store, &[key]) {
                    assert_eq!(stored.content(), u64::from(key).to_le_bytes(), "what is found is what was written");
                }
            }
        }
        assert_eq!(load(&bytes, moment(1_799_999_999)).2, Some(Flaw::Foreign), "a clock that has gone back");
        assert_eq!(load(b"", at).2, Some(Flaw::Cut));
        let (_, amount, flaw) = Store::load(BUDGET, &mut &*bytes, at, &mut || false);
        assert_eq!((amount.responses, flaw), (11, None), "a step is longer than that");
    }
}
