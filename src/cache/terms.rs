//! Whether a response may be kept, for how long it is fresh, and what becomes of it then (RFC 9111 §3 and §4.2; reference,
//! section 1.8, where the operator says so).

use super::control::{Control, DELTA_MAX, Delta, Wish, seconds, values};
use crate::{
    base::{clock::Instant, limits},
    http::{
        date,
        field::Known,
        head::{FieldLine, ResponseHead},
        list,
    },
};

/// By whose rules responses are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Those of Amazon API Gateway's cache: for so many seconds, whatever the response says of its freshness (reference 1.8).
    Fixed {
        /// So many seconds.
        ttl: Delta,
    },
    /// RFC 9111.
    Http {
        /// How long a response is fresh that does not say so itself; `None`: what RFC 9111 §4.2.2 makes of its age.
        ttl: Option<Delta>,
    },
}

/// What an operator says about keeping responses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// By whose rules.
    pub mode: Mode,
    /// Whoever asks gets the same answer, whatever it says of being private.
    pub shared: bool,
    /// What `stale-while-revalidate` is where the response does not say so.
    pub stale_while_revalidate: Delta,
    /// What `stale-if-error` is where the response does not say so.
    pub stale_if_error: Delta,
}

/// What a request has shown of who sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing that counts.
    None,
    /// `Authorization`, which is not part of the key.
    Unkeyed,
    /// It is part of the key who sent it.
    Keyed,
}

/// For how long a response is kept, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// When its head had come.
    pub received: Instant,
    /// How old it was then, in seconds (`corrected_initial_age`, RFC 9111 §4.2.3).
    pub initial_age: Delta,
    /// For how long it is fresh, in seconds.
    pub lifetime: Delta,
    /// For how long after that it may be sent while it is fetched anew (RFC 5861 §3).
    pub stale_while_revalidate: Delta,
    /// For how long after that it may be sent if that fails (RFC 5861 §4).
    pub stale_if_error: Delta,
    /// It must be validated before each use (`no-cache`).
    pub always_validated: bool,
    /// It must never be sent stale.
    pub never_stale: bool,
}

/// Why a response is not kept; a word for `Cache-Status` and for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its status (RFC 9111 §3).
    Status,
    /// `no-store` in the response, or in the request.
    NoStore,
    /// `private`
    Private,
    /// It answers `Authorization` and does not say that others may have it (RFC 9111 §3.5).
    Authorization,
    /// It sets a cookie and does not say itself that it may be kept.
    SetCookie,
    /// `Vary: *`, or more names than a key is made of.
    Vary,
    /// Nothing says how long it is fresh, and nothing validates it.
    Freshness,
    /// Its content is too large.
    TooLarge,
}

/// What a stored response is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// To be sent.
    Fresh,
    /// To be sent while it is fetched anew.
    WhileRevalidated,
    /// To be sent if it cannot be fetched anew.
    IfError,
    /// To be validated.
    Stale,
}

impl Refused {
    /// The word.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::Vary => "vary",
            Self::Freshness => "no-freshness",
            Self::TooLarge => "too-large",
        }
    }
}

impl Rules {
    /// The terms on which a response to GET is kept that came at `received`, which is `now` in seconds since 1970, `delay` seconds
    /// after it had been asked for.
    ///
    /// # Errors
    /// Why it is not.
    pub fn terms(
        &self,
        head: &ResponseHead,
        bytes: &[u8],
        credentials: Credentials,
        (received, now, delay): (Instant, u64, Delta),
    ) -> Result<Terms, Refused> {
        let control = Control::of(&head.fields, bytes);
        let kept = Terms {
            received,
            initial_age: 0,
            lifetime: 0,
            stale_while_revalidate: control.stale_while_revalidate.unwrap_or(self.stale_while_revalidate),
            stale_if_error: control.stale_if_error.unwrap_or(self.stale_if_error),
            always_validated: false,
            never_stale: false,
        };
        match self.mode {
            Mode::Fixed { ttl } => {
                self.fixed(head, bytes, credentials, &control)?;
                Ok(Terms { lifetime: ttl, ..kept })
            }
            Mode::Http { ttl } => {
                let lifetime = self.http(head, bytes, credentials, &control, (now, ttl))?;
                Ok(Terms {
                    initial_age: initial_age(head, bytes, now, delay),
                    lifetime,
                    always_validated: control.no_cache,
                    never_stale: control.forbids_stale(),
                    ..kept
                })
            }
        }
    }

    /// Reference 1.8, but that what a response says of being meant for one client alone counts, unless the operator knows better.
    fn fixed(
        &self,
        head: &ResponseHead,
        bytes: &[u8],
        credentials: Credentials,
        control: &Control,
    ) -> Result<(), Refused> {
        if !matches!(head.status.0, 200 | 203 | 204 | 300 | 301 | 308) {
            return Err(Refused::Status);
        }
        if self.shared {
            return Ok(());
        }
        if control.no_store {
            return Err(Refused::NoStore);
        }
        if control.private {
            return Err(Refused::Private);
        }
        if credentials == Credentials::Unkeyed {
            return Err(Refused::Authorization);
        }
        if values(&head.fields, bytes, "set-cookie").next().is_some() {
            return Err(Refused::SetCookie);
        }
        Ok(())
    }

    /// RFC 9111 §3 and §4.2.1.
    fn http(
        &self,
        head: &ResponseHead,
        bytes: &[u8],
        credentials: Credentials,
        control: &Control,
        (now, ttl): (u64, Option<Delta>),
    ) -> Result<Delta, Refused> {
        // 206 and 304 are parts of something, and are never kept as if they were the whole.
        let understood = (200..600).contains(&head.status.0) && !matches!(head.status.0, 206 | 304);
        if !understood || control.must_understand && !is_understood(head.status.0) {
            return Err(Refused::Status);
        }
        if control.no_store && !control.must_understand {
            return Err(Refused::NoStore);
        }
        if control.private {
            return Err(Refused::Private);
        }
        let permitted = control.public || control.must_revalidate || control.s_maxage.is_some();
        if credentials == Credentials::Unkeyed && !permitted && !self.shared {
            return Err(Refused::Authorization);
        }
        if let Some(lifetime) = explicit(head, bytes, control, now) {
            let validated = is_validated(head, bytes) || self.stale_if_error.max(self.stale_while_revalidate) > 0;
            let later = control.stale_if_error.or(control.stale_while_revalidate).is_some();
            return if lifetime > 0 || validated || later { Ok(lifetime) } else { Err(Refused::Freshness) };
        }
        if values(&head.fields, bytes, "set-cookie").next().is_some() {
            return Err(Refused::SetCookie);
        }
        if !is_heuristic(head.status.0) && !control.public {
            return Err(Refused::Freshness);
        }
        match ttl.or_else(|| heuristic(head, bytes, now)) {
            Some(lifetime) => Ok(lifetime),
            None if is_validated(head, bytes) => Ok(0),
            None => Err(Refused::Freshness),
        }
    }
}

impl Terms {
    /// Its age at `now`, in seconds (`current_age`, RFC 9111 §4.2.3).
    #[inline]
    #[must_use]
    pub fn age(&self, now: Instant) -> u64 {
        u64::from(self.initial_age) + now.since(self.received).as_secs()
    }

    /// Until when it is fresh.
    #[inline]
    #[must_use]
    pub fn fresh_until(&self) -> Instant {
        let seconds = self.lifetime.saturating_sub(self.initial_age);
        self.received.plus(std::time::Duration::from_secs(u64::from(seconds)))
    }

    /// For how many seconds it is of any use, validators set aside.
    #[must_use]
    pub fn useful(&self) -> u64 {
        let stale = if self.never_stale { 0 } else { self.stale_if_error.max(self.stale_while_revalidate) };
        u64::from(self.lifetime.saturating_sub(self.initial_age)) + u64::from(stale)
    }

    /// What it is good for at `now`, for a request that wishes `wish`.
    #[inline]
    #[must_use]
    pub fn state(&self, now: Instant, wish: &Wish) -> State {
        if self.always_validated || wish.no_cache {
            return State::Stale;
        }
        let age = u64::from(self.initial_age) * NANOS + now.as_nanos().saturating_sub(self.received.as_nanos());
        if wish.max_age.is_some_and(|most| age >= u64::from(most) * NANOS) {
            return State::Stale;
        }
        let lifetime = u64::from(self.lifetime) * NANOS;
        let wanted = wish.min_fresh.map_or(0, |least| u64::from(least) * NANOS);
        if age.saturating_add(wanted) < lifetime {
            return State::Fresh;
        }
        self.stale(age.saturating_sub(lifetime), wish)
    }

    #[cold]
    fn stale(&self, by: u64, wish: &Wish) -> State {
        let within = |seconds: Delta| by < u64::from(seconds) * NANOS;
        if self.never_stale || wish.min_fresh.is_some() {
            State::Stale
        } else if wish.max_stale.is_some_and(within) {
            State::Fresh
        } else if within(self.stale_while_revalidate) {
            State::WhileRevalidated
        } else if within(self.stale_if_error) {
            State::IfError
        } else {
            State::Stale
        }
    }
}

const NANOS: u64 = 1_000_000_000;

/// Statuses that are fresh by what their age lets expect (RFC 9110 §15.1).
const fn is_heuristic(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 206 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Statuses whose meaning for caches is known here (`must-understand`, RFC 9111 §5.2.2.3): those of RFC 9110.
const fn is_understood(status: u16) -> bool {
    matches!(status, 200..=205 | 300..=303 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505)
}

fn is_validated(head: &ResponseHead, bytes: &[u8]) -> bool {
    ["etag", "last-modified"].iter().any(|name| values(&head.fields, bytes, name).next().is_some())
}

/// What the response says itself: `s-maxage`, `max-age`, or `Expires` (RFC 9111 §4.2.1).
fn explicit(head: &ResponseHead, bytes: &[u8], control: &Control, now: u64) -> Option<Delta> {
    if let Some(seconds) = control.lifetime() {
        return Some(seconds);
    }
    if control.targeted {
        return None;
    }
    let mut expires = values(&head.fields, bytes, "expires");
    let first = expires.next()?;
    // RFC 9111 §5.3: what is not a date is one in the past; two are not a date.
    let until = if expires.next().is_some() { None } else { date::parse(first, now) };
    let from = dated(head, bytes, now).unwrap_or(now);
    Some(Delta::try_from(until.unwrap_or(0).saturating_sub(from)).unwrap_or(DELTA_MAX).min(DELTA_MAX))
}

/// A tenth of the time for which it had not changed (RFC 9111 §4.2.2).
fn heuristic(head: &ResponseHead, bytes: &[u8], now: u64) -> Option<Delta> {
    let modified = date::parse(values(&head.fields, bytes, "last-modified").next()?, now)?;
    let age = dated(head, bytes, now).unwrap_or(now).saturating_sub(modified);
    Some(Delta::try_from(age / 10).unwrap_or(DELTA_MAX).min(limits::CACHE_HEURISTIC_SECONDS_MAX))
}

/// RFC 9111 §4.2.3.
fn initial_age(head: &ResponseHead, bytes: &[u8], now: u64, delay: Delta) -> Delta {
    let apparent = dated(head, bytes, now).map_or(0, |dated| now.saturating_sub(dated));
    let apparent = Delta::try_from(apparent).unwrap_or(DELTA_MAX).min(DELTA_MAX);
    // RFC 9111 §5.1: of several the first one counts; what is not a number is nothing.
    let said = values(&head.fields, bytes, "age").next().and_then(|value| list::elements(value).next());
    let said = said.and_then(seconds).unwrap_or(0);
    apparent.max(said.saturating_add(delay)).min(DELTA_MAX)
}

fn dated(head: &ResponseHead, bytes: &[u8], now: u64) -> Option<u64> {
    let line = head.fields.iter().find(|line: &&FieldLine| line.known == Known::Date)?;
    date::parse(line.value.of(bytes), now)
}

#[cfg(test)]
mod tests {
    use super::{Credentials, DELTA_MAX, Mode, Refused, Rules, State, Terms};
    use crate::{
        base::clock::Instant,
        cache::{Wish, key::tests::lines},
        http::{head::ResponseHead, status::Status},
    };

    const NOW: u64 = 1_767_225_600;
    const THEN: &str = "Thu, 01 Jan 2026 00:00:00 GMT";
    const RULES: Rules =
        Rules { mode: Mode::Http { ttl: None }, shared: false, stale_while_revalidate: 0, stale_if_error: 0 };
    const FIXED: Rules = Rules { mode: Mode::Fixed { ttl: 300 }, ..RULES };

    fn judge(
        rules: Rules,
        status: u16,
        list: &[(&str, &str)],
        credentials: Credentials,
        delay: u32,
    ) -> Result<Terms, Refused> {
        let (fields, bytes) = lines(list);
        let head = ResponseHead { status: Status(status), fields, ..ResponseHead::with_capacity(0) };
        rules.terms(&head, &bytes, credentials, (Instant::from_nanos(9), NOW, delay))
    }

    #[test]
    fn rfc9111_3_and_4_2_1_what_is_kept_and_for_how_long() {
        type Row<'a> = (u16, &'a [(&'a str, &'a str)], Result<u32, Refused>, &'a str);
        let cc = "Cache-Control";
        let table: &[Row<'_>] = &[
            (200, &[], Err(Refused::Freshness), "RFC 9111 §3: nothing says so"),
            (200, &[(cc, "max-age=60")], Ok(60), "RFC 9111 §4.2.1"),
            (200, &[(cc, "max-age=60, s-maxage=5")], Ok(5), "RFC 9111 §5.2.2.10: that is for us"),
            (200, &[(cc, "max-age=60"), ("Expires", "0")], Ok(60), "RFC 9111 §5.3: max-age comes first"),
            (200, &[("Expires", "Thu, 01 Jan 2026 00:01:00 GMT"), ("Date", THEN)], Ok(60), "Expires less Date"),
            (200, &[("Expires", "Thu, 01 Jan 2026 00:01:00 GMT"), ("Date", "x")], Ok(60), "or less now"),
            (200, &[("Expires", "0")], Err(Refused::Freshness), "RFC 9111 §5.3: invalid is past"),
            (200, &[("Expires", "0"), ("ETag", "\"a\"")], Ok(0), "but it can be validated"),
            (200, &[("Last-Modified", "Wed, 31 Dec 2025 23:50:00 GMT")], Ok(60), "RFC 9111 §4.2.2: a tenth"),
            (200, &[("Last-Modified", "Sun, 01 Jan 2006 00:00:00 GMT")], Ok(86_400), "RFC 9111 §4.2.2: a day at most"),
            (404, &[("Last-Modified", "Wed, 31 Dec 2025 23:50:00 GMT")], Ok(60), "RFC 9110 §15.1"),
            (403, &[("Last-Modified", THEN)], Err(Refused::Freshness), "RFC 9110 §15.1: not that status"),
            (599, &[("Last-Modified", "Wed, 31 Dec 2025 23:50:00 GMT"), (cc, "public")], Ok(60), "RFC 9111 §5.2.2.9"),
            (403, &[(cc, "max-age=60")], Ok(60), "RFC 9111 §3: any final status that says so"),
            (206, &[(cc, "max-age=60")], Err(Refused::Status), "a part is not the whole"),
            (304, &[(cc, "max-age=60")], Err(Refused::Status), "nor is nothing"),
            (101, &[(cc, "max-age=60")], Err(Refused::Status), "nor is a tunnel"),
            (200, &[(cc, "max-age=60, no-store")], Err(Refused::NoStore), "RFC 9111 §5.2.2.5"),
            (200, &[(cc, "max-age=60, no-store, must-understand")], Ok(60), "RFC 9111 §5.2.2.3"),
            (299, &[(cc, "max-age=60, no-store, must-understand")], Err(Refused::Status), "RFC 9111 §5.2.2.3"),
            (200, &[(cc, "max-age=60, private")], Err(Refused::Private), "RFC 9111 §5.2.2.7"),
            (200, &[(cc, "max-age=0")], Err(Refused::Freshness), "of no use"),
            (200, &[(cc, "max-age=0, stale-if-error=5")], Ok(0), "of use in need"),
            (200, &[(cc, "max-age=60"), ("Set-Cookie", "a=b")], Ok(60), "RFC 9111 §7.3: it says so itself"),
            (200, &[("Last-Modified", THEN), ("Set-Cookie", "a=b")], Err(Refused::SetCookie), "it does not"),
            (200, &[("CDN-Cache-Control", "max-age=9"), (cc, "no-store")], Ok(9), "RFC 9213 §2.2"),
            (200, &[("CDN-Cache-Control", "no-store"), (cc, "max-age=9")], Err(Refused::NoStore), "RFC 9213 §2.2"),
            (200, &[("CDN-Cache-Control", "max-age=9, &"), (cc, "max-age=8")], Ok(8), "RFC 9213 §2.1"),
            (200, &[(cc, "max-age=99999999999")], Ok(DELTA_MAX), "RFC 9111 §1.2.2"),
        ];
        for (status, list, expect, why) in table {
            let terms = judge(RULES, *status, list, Credentials::None, 0);
            assert_eq!(terms.map(|terms| terms.lifetime), *expect, "{status} {list:?}: {why}");
        }
        let with = Rules { mode: Mode::Http { ttl: Some(7) }, ..RULES };
        assert_eq!(judge(with, 200, &[], Credentials::None, 0).map(|t| t.lifetime), Ok(7), "the operator says so");
        assert_eq!(judge(with, 200, &[(cc, "max-age=1")], Credentials::None, 0).map(|t| t.lifetime), Ok(1));
        assert_eq!(judge(with, 500, &[], Credentials::None, 0), Err(Refused::Freshness), "errors are not");
    }

    #[test]
    fn rfc9111_3_5_authorization_needs_a_word() {
        for (control, kept) in [
            ("max-age=9", false),
            ("public, max-age=9", true),
            ("must-revalidate, max-age=9", true),
            ("s-maxage=9", true),
        ] {
            let list = [("Cache-Control", control)];
            let of = |rules, credentials| judge(rules, 200, &list, credentials, 0).is_ok();
            assert_eq!(of(RULES, Credentials::Unkeyed), kept, "{control}");
            assert!(of(RULES, Credentials::Keyed), "{control}: nobody else finds it");
            assert!(of(Rules { shared: true, ..RULES }, Credentials::Unkeyed), "{control}: the operator says so");
        }
    }

    #[test]
    fn reference_1_8_a_fixed_time_but_nothing_that_is_meant_for_one() {
        let cc = "Cache-Control";
        for (status, list, expect, why) in [
            (200, &[][..], Ok(300), "whatever it says"),
            (200, &[(cc, "max-age=1")], Ok(300), "of its freshness"),
            (301, &[], Ok(300), "redirects that last"),
            (302, &[], Err(Refused::Status), "others do not"),
            (404, &[], Err(Refused::Status), "errors are for now"),
            (500, &[], Err(Refused::Status), "errors are for now"),
            (200, &[(cc, "private")], Err(Refused::Private), "meant for one"),
            (200, &[(cc, "no-store")], Err(Refused::NoStore), "meant for one"),
            (200, &[("Set-Cookie", "a=b")], Err(Refused::SetCookie), "meant for one"),
        ] {
            let of = |rules| judge(rules, status, list, Credentials::None, 0).map(|terms| terms.lifetime);
            assert_eq!(of(FIXED), expect, "{status} {list:?}: {why}");
            let shared = of(Rules { shared: true, ..FIXED });
            assert_eq!(shared.is_ok(), expect != Err(Refused::Status), "{list:?}: the operator knows better");
        }
        assert_eq!(judge(FIXED, 200, &[], Credentials::Unkeyed, 0), Err(Refused::Authorization));
    }

    #[test]
    fn rfc9111_4_2_3_age() {
        let old = "Wed, 31 Dec 2025 23:59:00 GMT";
        for (list, delay, expect, why) in [
            (&[("Date", THEN)][..], 0, 0, "just made"),
            (&[("Date", old)], 0, 60, "by its date"),
            (&[("Date", THEN), ("Age", "30")], 0, 30, "by its age"),
            (&[("Date", THEN), ("Age", "30")], 5, 35, "and how long it took"),
            (&[("Date", old), ("Age", "30")], 5, 60, "the larger one"),
            (&[("Date", "Thu, 01 Jan 2026 01:00:00 GMT")], 0, 0, "a clock that is fast"),
            (&[("Age", "x")], 0, 0, "RFC 9111 §5.1: no number"),
            (&[("Age", "-1")], 0, 0, "no number"),
            (&[("Age", "7200, 0")], 0, 7200, "RFC 9111 §5.1: the first of several"),
            (&[("Age", "0"), ("Age", "7200")], 0, 0, "on lines of their own, too"),
            (&[("Age", "99999999999")], 0, DELTA_MAX, "absurd"),
        ] {
            let mut all = vec![("Cache-Control", "max-age=9")];
            all.extend_from_slice(list);
            let terms = judge(RULES, 200, &all, Credentials::None, delay).unwrap();
            assert_eq!(terms.initial_age, expect, "{list:?}: {why}");
        }
    }

    #[test]
    fn rfc9111_4_2_4_and_rfc5861_what_becomes_of_it() {
        let terms = Terms {
            received: Instant::from_nanos(0),
            initial_age: 10,
            lifetime: 60,
            stale_while_revalidate: 5,
            stale_if_error: 20,
            always_validated: false,
            never_stale: false,
        };
        let none = Wish::default();
        let at = |seconds: u64| Instant::from_nanos(seconds * 1_000_000_000);
        for (terms, second, wish, expect, why) in [
            (terms, 0, none, State::Fresh, "RFC 9111 §4.2"),
            (terms, 49, none, State::Fresh, "up to its last second"),
            (terms, 50, none, State::WhileRevalidated, "RFC 5861 §3"),
            (terms, 55, none, State::IfError, "RFC 5861 §4"),
            (terms, 70, none, State::Stale, "over"),
            (Terms { never_stale: true, ..terms }, 50, none, State::Stale, "RFC 9111 §5.2.2.2"),
            (Terms { always_validated: true, ..terms }, 0, none, State::Stale, "RFC 9111 §5.2.2.4"),
            (terms, 0, Wish { no_cache: true, ..none }, State::Stale, "RFC 9111 §5.2.1.4"),
            (terms, 0, Wish { max_age: Some(10), ..none }, State::Stale, "RFC 9111 §5.2.1.1"),
            (terms, 0, Wish { max_age: Some(11), ..none }, State::Fresh, "young enough"),
            (terms, 0, Wish { min_fresh: Some(49), ..none }, State::Fresh, "RFC 9111 §5.2.1.3"),
            (terms, 0, Wish { min_fresh: Some(50), ..none }, State::Stale, "not for long enough"),
            (terms, 80, Wish { max_stale: Some(31), ..none }, State::Fresh, "RFC 9111 §5.2.1.2"),
            (terms, 80, Wish { max_stale: Some(30), ..none }, State::Stale, "too stale"),
            (terms, 999, Wish { max_stale: Some(DELTA_MAX), ..none }, State::Fresh, "however stale"),
            (Terms { never_stale: true, ..terms }, 80, Wish { max_stale: Some(99), ..none }, State::Stale, "may not"),
        ] {
            assert_eq!(terms.state(at(second), &wish), expect, "{second} {wish:?}: {why}");
        }
        assert_eq!(terms.age(at(5)), 15);
        assert_eq!(terms.fresh_until(), at(50));
    }
}
