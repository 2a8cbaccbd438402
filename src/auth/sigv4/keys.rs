//! Users, their secrets, and the keys that are made of them.

use super::{body::Hash, time::DAY_BYTES};
use crate::base::limits;
use ahash::{HashMap, HashMapExt};
use aws_lc_rs::{constant_time, digest, hmac};
use std::fmt;

/// Bytes that nobody is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// A secret of these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// Whether `other` is the same, in a time that says nothing about where they differ.
    #[must_use]
    pub fn is(&self, other: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.0, other).is_ok()
    }

    /// The bytes, for whoever signs or sends them.
    pub(super) fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whose signatures are accepted.
#[derive(Clone, Debug)]
pub struct User {
    /// What a request names the user by: `AKIA…`, or `ASIA…` for temporary credentials.
    pub access_key_id: Box<str>,
    /// What signatures are made with.
    pub secret_access_key: Secret,
    /// What a request has to bring besides, if the credentials are temporary.
    pub session_token: Option<Secret>,
    /// When they end, in seconds since 1970; `None` is never.
    pub expires: Option<u64>,
}

/// A user of [`Users`]: its place in the order that they were given in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(pub u32);

/// All users of a configuration, found by access key. Immutable, shared by the cores.
#[derive(Debug, Default)]
pub struct Users {
    by_key: HashMap<Box<[u8]>, UserId>,
    users: Box<[User]>,
}

impl Users {
    /// A table of these; of several with one access key, the first is found.
    #[must_use]
    pub fn new(users: Vec<User>) -> Self {
        let mut by_key = HashMap::with_capacity(users.len());
        for (index, user) in (0..).zip(&users) {
            by_key.entry(user.access_key_id.as_bytes().into()).or_insert(UserId(index));
        }
        Self { by_key, users: users.into() }
    }

    /// The user with this access key.
    #[must_use]
    pub fn find(&self, access_key_id: &[u8]) -> Option<(UserId, &User)> {
        let id = *self.by_key.get(access_key_id)?;
        Some((id, self.get(id)?))
    }

    /// A user.
    #[must_use]
    pub fn get(&self, id: UserId) -> Option<&User> {
        self.users.get(usize::try_from(id.0).ok()?)
    }

    /// Every user.
    pub fn iter(&self) -> impl Iterator<Item = &User> {
        self.users.iter()
    }
}

/// What tells one key from another without being it: the user, its secret, region and service, hashed.
pub(super) type Mark = Hash;

/// The mark of a user in a scope.
pub(super) fn mark(user: &User, region: &str, service: &str) -> Mark {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [user.access_key_id.as_bytes(), user.secret_access_key.reveal(), region.as_bytes(), service.as_bytes()]
    {
        context.update(&part.len().to_le_bytes());
        context.update(part);
    }
    let mut mark = [0; 32];
    mark.copy_from_slice(context.finish().as_ref());
    mark
}

/// Signing keys of a core: a key holds for one user, day, region and service, and costs four HMACs to make.
#[derive(Debug, Default)]
pub struct KeyCache {
    keys: HashMap<(Mark, [u8; DAY_BYTES]), hmac::Key>,
}

impl KeyCache {
    /// The key of `user`, whose mark is `mark`, for a day; made if it is not there.
    pub(super) fn key(&mut self, user: &User, mark: &Mark, day: [u8; DAY_BYTES], scope: (&str, &str)) -> &hmac::Key {
        let name = (*mark, day);
        // Yesterday's keys go when there are too many.
        if self.keys.len() >= limits::SIGNING_KEYS_MAX && !self.keys.contains_key(&name) {
            self.keys.clear();
        }
        self.keys.entry(name).or_insert_with(|| signing_key(user.secret_access_key.reveal(), day, scope))
    }

    /// How many keys it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// The key for a day, region and service (reference, section 7.1, step 6).
pub(super) fn signing_key(secret: &[u8], day: [u8; DAY_BYTES], (region, service): (&str, &str)) -> hmac::Key {
    let first = [b"AWS4", secret].concat();
    let mut key = hmac::Key::new(hmac::HMAC_SHA256, &first);
    for part in [&day[..], region.as_bytes(), service.as_bytes(), super::TERMINATOR.as_bytes()] {
        key = hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part).as_ref());
    }
    key
}

#[cfg(test)]
mod tests {
    use super::{KeyCache, Secret, User, UserId, Users, mark, signing_key};
    use crate::base::limits;

    fn user(key: &str, secret: &str) -> User {
        User {
            access_key_id: key.into(),
            secret_access_key: Secret::new(secret.as_bytes()),
            session_token: None,
            expires: None,
        }
    }

    #[test]
    fn users_are_found_by_their_access_key() {
        let users = Users::new(vec![user("AKIA1", "one"), user("AKIA2", "two"), user("AKIA1", "three")]);
        assert_eq!(users.find(b"AKIA2").map(|(id, _)| id), Some(UserId(1)));
        assert!(users.find(b"AKIA1").is_some_and(|(id, user)| id == UserId(0) && user.secret_access_key.is(b"one")));
        assert!(users.find(b"akia1").is_none() && users.find(b"").is_none());
        assert_eq!(users.iter().count(), 3);
    }

    #[test]
    fn a_secret_shows_itself_to_nobody() {
        let user = User { session_token: Some(Secret::new(&b"hush"[..])), ..user("AKIA1", "wJalrXUtnFEMI") };
        let shown = format!("{user:?} {:?}", Users::new(vec![user.clone()]));
        assert!(!shown.contains("wJalr") && !shown.contains("hush") && !shown.contains("119, 74"), "{shown}");
    }

    #[test]
    fn a_key_is_made_once_and_never_for_another_secret() {
        let (mut cache, scope) = (KeyCache::default(), ("us-east-1", "service"));
        let (one, other) = (user("AKIA1", "one"), user("AKIA1", "other"));
        let (first, second) = (mark(&one, scope.0, scope.1), mark(&other, scope.0, scope.1));
        let sign = |key: &aws_lc_rs::hmac::Key| aws_lc_rs::hmac::sign(key, b"x").as_ref().to_vec();
        let expect = sign(&signing_key(b"one", *b"20150830", scope));
        assert_eq!(sign(cache.key(&one, &first, *b"20150830", scope)), expect);
        assert_eq!(sign(cache.key(&one, &first, *b"20150830", scope)), expect);
        assert_eq!(cache.len(), 1);
        // The same access key with another secret: after a reload.
        assert_ne!(sign(cache.key(&other, &second, *b"20150830", scope)), expect);
        assert_ne!(sign(cache.key(&one, &first, *b"20150831", scope)), expect);
        assert_ne!(mark(&one, "us-east-2", "service"), first);
        assert_ne!(mark(&one, "us-east-1", "services"), first);
        assert_ne!(mark(&one, "us-east-1s", "ervice"), first);
        for day in 0..limits::SIGNING_KEYS_MAX {
            let day: [u8; 8] = format!("{day:08}").into_bytes().try_into().unwrap();
            cache.key(&one, &first, day, scope);
            assert!(cache.len() <= limits::SIGNING_KEYS_MAX && !cache.is_empty());
        }
    }
}
