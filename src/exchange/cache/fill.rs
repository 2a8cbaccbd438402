//! What is fetched for the cache: from the question to the stored response.

use super::super::{Core, Opened, Rejection, Request};
use super::{Hit, invalidate::invalidate, key};
use crate::{
    base::{clock::Instant, limits},
    cache::{
        Came, Credentials, Draft, Fetched, Group, Labels, Mark, Refused, Shelf, Slot, State, Store, Stored, Terms,
        Wish, key::varying,
    },
    http::head::{Framing, ResponseHead},
    observe::event::CacheStatus,
    plan::cache::{Mode, Policy},
    upstream::{
        pump::Tee,
        transcode::{Sink, Transcoder},
    },
};
use std::{rc::Rc, sync::Arc};

/// What the answer of an upstream means for the cache.
#[derive(Debug)]
pub enum Fetching {
    /// It is kept, if it may be.
    Fill(Box<Fill>),
    /// If it succeeds, something that is kept is not the truth any more (RFC 9111 §4.4).
    Unsafe,
}

/// A fetch. Dropped before its time, it has failed.
#[derive(Debug)]
pub struct Fill {
    shelf: Rc<Shelf>,
    store: Arc<Store>,
    core: u16,
    primary: Mark,
    mark: Mark,
    group: Option<Arc<Group>>,
    /// Others wait for it; `None` if nobody does, or if it was told already.
    fetched: Option<Arc<Fetched>>,
    old: Option<Arc<Stored>>,
    /// Purges before it was asked for.
    sequence: u64,
    asked: Instant,
    credentials: Credentials,
    /// Field lines that are sent in the place of the client's conditions.
    lines: Vec<u8>,
}

/// A response that is on its way to the client, and into the cache.
#[derive(Debug)]
pub struct Recording {
    fill: Fill,
    draft: Draft,
    labels: Labels,
    mark: Mark,
    tee: Option<Box<Tee>>,
}

/// What becomes of an answer.
#[derive(Debug)]
pub enum Arrived {
    /// The client gets it, and the cache, too, if there is a recording.
    Passes(Option<Box<Recording>>),
    /// The client gets what is kept.
    Instead(Hit),
}

impl Fetching {
    /// What is sent upstream in the place of the client's conditions, if they do not go along.
    #[must_use]
    pub fn conditions(&self) -> Option<&[u8]> {
        match self {
            Self::Fill(fill) => Some(&fill.lines),
            Self::Unsafe => None,
        }
    }
}

impl Fill {
    pub(super) fn new(
        core: &Core,
        (primary, mark, group): (Mark, Mark, Option<Arc<Group>>),
        fetched: Option<Arc<Fetched>>,
        old: Option<Arc<Stored>>,
        credentials: Credentials,
        policy: &Policy,
    ) -> Self {
        let lines = match (&old, policy.rules.mode) {
            (Some(old), Mode::Http { .. }) => conditions(old),
            _ => Vec::new(),
        };
        let (shelf, store) = (Rc::clone(&core.shelf), Arc::clone(core.shelf.store()));
        let (sequence, asked) = (store.sequence(), core.net.recent());
        let core = core.id.0;
        Self { shelf, store, core, primary, mark, group, fetched, old, sequence, asked, credentials, lines }
    }

    /// Tells who waits what has become of it.
    fn settle(&mut self, came: Came) {
        if let Some(fetched) = self.fetched.take() {
            self.store.settle(self.mark, &fetched, came, self.core);
            self.shelf.look();
        }
    }

    fn put(&mut self, mark: Mark, stored: Arc<Stored>) -> bool {
        let fetched = self.fetched.as_ref().filter(|_| mark == self.mark);
        let current = self.group.as_ref().is_none_or(|group| !group.is_gone());
        current && self.store.put(mark, fetched, stored)
    }
}

impl Drop for Fill {
    fn drop(&mut self) {
        self.settle(Came::Failed);
    }
}

/// What validates a stored response (RFC 9111 §4.3.1).
fn conditions(old: &Stored) -> Vec<u8> {
    let fields = old.fields();
    let validators = old.validators(&fields);
    let mut lines = Vec::new();
    for (name, value) in [("If-None-Match", validators.etag), ("If-Modified-Since", validators.modified)] {
        if let Some(value) = value {
            lines.extend_from_slice(name.as_bytes());
            lines.extend_from_slice(b": ");
            lines.extend_from_slice(value);
            lines.extend_from_slice(b"\r\n");
        }
    }
    lines
}

/// An upstream has answered a request whose answer matters to the cache.
#[cold]
pub fn arrived(core: &Core, opened: &mut Opened, request: &Request<'_>, head: &ResponseHead, bytes: &[u8]) -> Arrived {
    let mut fill = match opened.fetching.take() {
        None => return Arrived::Passes(None),
        Some(Fetching::Unsafe) => {
            invalidate(core, opened, request, head, bytes);
            return Arrived::Passes(None);
        }
        Some(Fetching::Fill(fill)) => *fill,
    };
    let epoch = opened.epoch();
    let route = opened.route.and_then(|id| epoch.plan.routes.get(id.index()));
    let Some(policy) = route.and_then(|route| route.cache.as_deref()) else { return Arrived::Passes(None) };
    if let Some(old) = fill.old.take() {
        if head.status.0 == 304 {
            return freshened(core, opened, policy, fill, (request, &old), (head, bytes));
        }
        if matches!(head.status.0, 500 | 502 | 503 | 504) && may_stand_in(core, &old) {
            opened.cache_status = CacheStatus::Stale;
            return Arrived::Instead(Hit { stored: old, warned: false, refresh: None });
        }
        fill.old = Some(old);
    }
    match terms(core, policy, &fill, head, bytes) {
        Ok(terms) => record(core, (opened, policy), fill, terms, (request, head, bytes)),
        Err(why) => {
            refused(core, &mut fill, head, why);
            Arrived::Passes(None)
        }
    }
}

/// A stored response that may be sent because there is no other one (RFC 5861 §4).
#[cold]
pub fn rescued(core: &Core, opened: &mut Opened, rejection: &Rejection) -> Option<Hit> {
    let Some(Fetching::Fill(mut fill)) = opened.fetching.take() else { return None };
    let old = fill.old.take().filter(|old| may_stand_in(core, old))?;
    if !(500..600).contains(&rejection.status.0) {
        return None;
    }
    opened.cache_status = CacheStatus::Stale;
    Some(Hit { stored: old, warned: false, refresh: None })
}

fn may_stand_in(core: &Core, old: &Arc<Stored>) -> bool {
    let state = old.state(core.net.recent(), &Wish::default());
    core.shelf.store().stands(&Slot::Kept(Arc::clone(old)))
        && matches!(state, State::Fresh | State::IfError | State::WhileRevalidated)
}

fn terms(core: &Core, policy: &Policy, fill: &Fill, head: &ResponseHead, bytes: &[u8]) -> Result<Terms, Refused> {
    let now = core.net.recent();
    let unix = core.net.clock.unix(now).seconds();
    let delay = u32::try_from(now.since(fill.asked).as_secs()).unwrap_or(u32::MAX);
    policy.rules.terms(head, bytes, fill.credentials, (now, unix, delay))
}

/// It is not kept: who waits for it waits no more, and what was kept is not the truth any more.
fn refused(core: &Core, fill: &mut Fill, head: &ResponseHead, why: Refused) {
    let failed = head.status.0 >= 500;
    if !failed {
        if fill.old.is_some() {
            fill.store.forget(fill.mark);
        }
        if why != Refused::TooLarge || fill.fetched.is_some() {
            fill.store.pass(fill.mark, core.net.recent().plus(limits::CACHE_PASSING));
        }
    }
    fill.settle(if failed { Came::Failed } else { Came::Passing });
}

/// RFC 9111 §4.3.4: what is kept is good again.
fn freshened(
    core: &Core,
    opened: &mut Opened,
    policy: &Policy,
    mut fill: Fill,
    (request, old): (&Request<'_>, &Arc<Stored>),
    (head, bytes): (&ResponseHead, &[u8]),
) -> Arrived {
    opened.cache_status = CacheStatus::Revalidated;
    let (merged, lines) = Draft::freshened(old, head, bytes);
    let terms = terms(core, policy, &fill, &merged, &lines);
    let kept = terms.unwrap_or(old.terms);
    let date = |out: &mut Vec<u8>| core.date(core.net.recent(), out);
    let Some(mut draft) = Draft::new(&merged, &lines, kept, usize::MAX, date) else {
        return Arrived::Instead(Hit { stored: Arc::clone(old), warned: false, refresh: None });
    };
    draft.add(old.content());
    let tags = tags(&merged, &lines);
    let stored = Arc::new(draft.finish(key::labels(core, policy, request, &tags, fill.sequence)));
    match terms {
        Ok(_) => {
            let came = if fill.put(fill.mark, Arc::clone(&stored)) { Came::Kept } else { Came::Failed };
            fill.settle(came);
        }
        Err(why) => {
            fill.old = Some(Arc::clone(old));
            refused(core, &mut fill, &merged, why);
        }
    }
    Arrived::Instead(Hit { stored, warned: false, refresh: None })
}

fn tags<'b>(head: &ResponseHead, bytes: &'b [u8]) -> Vec<&'b [u8]> {
    let of = |name: &str| -> Vec<&'b [u8]> {
        let named = head.fields.iter().filter(|line| line.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()));
        named.map(|line| line.value.of(bytes)).collect()
    };
    let mut tags = of("surrogate-key");
    tags.extend(of("cache-tag"));
    tags
}

/// Begins to keep an answer.
fn record(
    core: &Core,
    (opened, policy): (&Opened, &Policy),
    mut fill: Fill,
    terms: Terms,
    (request, head, bytes): (&Request<'_>, &ResponseHead, &[u8]),
) -> Arrived {
    let Some(vary) = varying(&head.fields, bytes, limits::CACHE_VARY_MAX) else {
        refused(core, &mut fill, head, Refused::Vary);
        return Arrived::Passes(None);
    };
    let date = |out: &mut Vec<u8>| core.date(core.net.recent(), out);
    // What ends with its connection may have been cut: nobody could tell.
    let whole = head.framing != Framing::UntilClose;
    let draft = if whole { Draft::new(head, bytes, terms, policy.max_object, date) } else { None };
    let Some(mut draft) = draft else {
        refused(core, &mut fill, head, Refused::TooLarge);
        return Arrived::Passes(None);
    };
    let labels = key::labels(core, policy, request, &tags(head, bytes), fill.sequence);
    let Some(mark) = placed(&mut fill, (opened, policy), request, vary, &labels) else {
        return Arrived::Passes(None);
    };
    let (kept, most) = draft.take();
    let tee = Box::new(Tee::new(Transcoder::new(head.framing, Sink::Raw, false), kept, most));
    Arrived::Passes(Some(Box::new(Recording { fill, draft, labels, mark, tee: Some(tee) })))
}

/// Under which key a response is kept that varies by `vary`: what others of its key vary by counts, too (RFC 9111 §4.1).
fn placed(
    fill: &mut Fill,
    (opened, policy): (&Opened, &Policy),
    request: &Request<'_>,
    mut vary: Vec<Box<str>>,
    labels: &Labels,
) -> Option<Mark> {
    let known = fill.group.as_ref().map(|group| group.vary.as_slice()).unwrap_or_default();
    if vary.iter().all(|name| known.contains(name)) {
        return Some(fill.mark);
    }
    vary.extend(known.iter().cloned());
    vary.sort_unstable();
    vary.dedup();
    let group = fill.store.group(fill.primary, vary, Labels { tags: Box::default(), ..labels.clone() });
    let mut out = Vec::new();
    key::secondary(policy, opened, request, &group, &mut out);
    fill.group = Some(group);
    key::mark(&fill.store, &out)
}

impl Recording {
    /// Takes the body bytes that came with the head. Gives itself back where more are to come, and what is to be kept of them.
    #[must_use]
    pub fn begin(mut self: Box<Self>, first: &[u8]) -> Option<(Box<Self>, Box<Tee>)> {
        let mut tee = self.tee.take()?;
        tee.take(first);
        if tee.is_done() {
            self.finish(*tee);
            return None;
        }
        Some((self, tee))
    }

    /// The body has come to its end: keeps it, if that is so.
    pub fn finish(self, tee: Tee) {
        let Self { mut fill, mut draft, labels, mark, .. } = self;
        // What was cut is dropped, and whoever waits is told that it has failed.
        let Some(kept) = tee.finish() else { return };
        draft.give_back(kept);
        let stored = Arc::new(draft.finish(labels));
        let came = if fill.put(mark, stored) { Came::Kept } else { Came::Failed };
        fill.settle(came);
    }
}
