//! Certificates, keys, authorities, revocation lists and API keys that change while they are in use: read again when their files
//! change, put in place if they are good, and told about if they are not.
//!
//! Invariant: what serves is only ever replaced by something that a start would have taken; open connections keep what they
//! began with.

mod watch;

use super::{run::Event, usage::Keeper};
use crate::{
    auth::jwt::Algorithms,
    base::{
        clock::{Instant, monotonic_now, unix_now},
        limits::{self, ROTATION_DOUBT, ROTATION_POLL},
    },
    compile,
    config::{
        Config, FileValue,
        files::{Disk, Files as _},
        tls as written,
    },
    observe::{
        error_log::{Level, log},
        registry::{Certificate, Registry},
    },
    plan::{
        ListenAddress, Plan,
        access::{Jwt, KeyOrigin, Keys, Method, Provided, ProviderKeys, Table},
        tls::Slot,
    },
    tls::{Client, certificate::Summary},
};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::{Arc, mpsc::Sender},
    time::Duration,
};
use watch::Watch;

/// Follows the files of one plan, and of the next one when there is one.
#[derive(Debug)]
pub(super) struct Rotation {
    all: Vec<Watched>,
    watch: Option<Watch>,
    events: Sender<Event>,
    registry: Arc<Registry>,
    usage: Arc<Keeper>,
    /// Whether it was said that files cannot be watched.
    told: bool,
}

/// The files of a plan, as they were when it was made.
#[derive(Debug)]
pub(super) struct Files(Vec<Watched>);

impl Files {
    /// Those of `plan`, which was made of `config`; their contents are not kept.
    pub(super) fn of(config: &Config, plan: &Plan) -> Self {
        let listeners = listeners(config, plan).into_iter().map(|(name, written, slot)| {
            let mut written = Box::new(written.clone());
            let seen = digest(&Ok(()), written.files());
            written.forget();
            Watched { name, place: Place::Listener(written, slot), seen, doubt: None }
        });
        let upstreams = upstreams(config, plan).into_iter().filter_map(|(name, written, client)| {
            let mut written = Box::new(written?.clone());
            let seen = digest(&Ok(()), written.files());
            written.forget();
            Some(Watched { name, place: Place::Upstream(written, client), seen, doubt: None })
        });
        let keys = config.access.key_file.as_ref().map(|file| {
            let mut written = Box::new(KeyFile { file: file.clone(), rest: compile::access::keys(config) });
            let seen = digest(&Ok(()), std::iter::once(&written.file));
            written.file.bytes = Vec::new();
            Watched {
                name: "API keys".to_owned(),
                place: Place::Keys(written, Arc::clone(&plan.keys)),
                seen,
                doubt: None,
            }
        });
        let providers = plan.authorizers.iter().filter_map(|authorizer| match &authorizer.method {
            Method::Jwt(jwt) => provider(config, &authorizer.name, jwt),
            Method::Certificate(_) | Method::Iam(_) | Method::Call(_) => None,
        });
        Self(listeners.chain(upstreams).chain(keys).chain(providers).collect())
    }
}

/// The keys of an authorizer, if they are in a file.
fn provider(config: &Config, name: &str, jwt: &Jwt) -> Option<Watched> {
    let KeyOrigin::File(path) = &jwt.origin else { return None };
    let all = config.access.authorizers.iter().chain(config.apis.iter().flat_map(|api| &api.authorizers));
    let mut files = all.filter_map(|authorizer| authorizer.jwt.jwks_file.as_ref());
    let mut file = files.find(|file| file.path == *path)?.clone();
    let seen = digest(&Ok(()), std::iter::once(&file));
    file.bytes = Vec::new();
    let place =
        Place::Provider(Box::new(ProviderFile { file, algorithms: jwt.demands.algorithms }), Arc::clone(&jwt.provided));
    Some(Watched { name: format!("authorizer {name}"), place, seen, doubt: None })
}

/// Something with files.
#[derive(Debug)]
struct Watched {
    /// What it is called in logs and metrics.
    name: String,
    place: Place,
    /// A digest of what the files held when something was last made of them, or refused.
    seen: u64,
    /// What they held when they were found not to fit, and since when: half of a change, until it has lasted for
    /// [`ROTATION_DOUBT`].
    doubt: Option<(u64, Instant)>,
}

/// What a look at files came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// They are what they were, or they were refused.
    Same,
    /// They were put in place.
    Taken,
    /// They do not fit, perhaps not yet.
    Doubtful,
}

/// What was written, its files' contents left out, and where what is made of it lies.
#[derive(Debug)]
enum Place {
    Listener(Box<written::Listener>, Arc<Slot>),
    Upstream(Box<written::Upstream>, Client),
    Keys(Box<KeyFile>, Arc<Keys>),
    Provider(Box<ProviderFile>, Arc<Provided>),
}

/// A file with the keys of tokens' issuer, and which of them are read.
#[derive(Debug)]
struct ProviderFile {
    file: FileValue,
    algorithms: Algorithms,
}

/// A file of API keys, and what they are put together with.
#[derive(Debug)]
struct KeyFile {
    file: FileValue,
    rest: compile::access::Keys,
}

impl Rotation {
    /// Nothing is followed yet; changes are told to `events`.
    pub(super) fn new(events: Sender<Event>, registry: Arc<Registry>, usage: Arc<Keeper>) -> Self {
        Self { all: Vec::new(), watch: None, events, registry, usage, told: false }
    }

    /// Follows these files from now on, and no others.
    pub(super) fn follow(&mut self, files: Files) {
        self.all = files.0;
        self.report(&self.all.iter().flat_map(Watched::certificates).collect::<Vec<_>>());
        self.look();
    }

    /// Looks at all files, and takes what has changed.
    pub(super) fn look(&mut self) {
        let mut taken = false;
        for poll in [ROTATION_POLL, ROTATION_DOUBT] {
            // First the watch: what changes from now on is seen by this look or leads to another one.
            self.watch(poll);
            let mut doubtful = false;
            for watched in &mut self.all {
                let look = watched.look(&self.registry, &self.usage, monotonic_now());
                taken |= look == Look::Taken;
                doubtful |= look == Look::Doubtful;
            }
            if !doubtful {
                break;
            }
        }
        if taken {
            self.renewed();
        }
    }

    /// Has control told of the next change, or that `poll` has passed without one.
    fn watch(&mut self, poll: Duration) {
        self.watch = None;
        let paths: Vec<PathBuf> = self.all.iter().flat_map(Watched::paths).collect();
        if paths.is_empty() {
            return;
        }
        let events = self.events.clone();
        match Watch::start(&paths, poll, move || drop(events.send(Event::Files))) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) if !self.told => {
                self.told = true;
                log(Level::Warn, format_args!("certificate files cannot be watched, SIGHUP reads them: {error}"));
            }
            Err(_) => {}
        }
    }

    /// Looks at what is in use, after something has been put in place.
    pub(super) fn renewed(&self) {
        self.report(&self.all.iter().flat_map(Watched::certificates).collect::<Vec<_>>());
    }

    fn report(&self, all: &[InUse]) {
        let certificate = |one: &InUse| Certificate {
            user: one.user.clone(),
            name: first_name(&one.summary),
            file: one.file.clone(),
            not_after: one.summary.not_after,
        };
        self.registry.certificates(all.iter().map(certificate).collect());
    }
}

impl Watched {
    /// Puts in place what is new and fits.
    fn look(&mut self, registry: &Registry, usage: &Keeper, now: Instant) -> Look {
        let (result, seen) = match &mut self.place {
            Place::Listener(written, slot) => {
                let read = written.read_again(&Disk);
                let seen = digest(&read, written.files());
                let made = (seen != self.seen)
                    .then(|| read.map_err(|why| vec![why]).and_then(|()| compile::tls::listener_again(written)));
                written.forget();
                (made.map(|made| made.map(|(server, said)| (slot.replace(server), said).1)), seen)
            }
            Place::Upstream(written, client) => {
                let read = written.read_again(&Disk);
                let seen = digest(&read, written.files());
                let made = (seen != self.seen)
                    .then(|| read.map_err(|why| vec![why]).and_then(|()| compile::tls::client_again(written)));
                written.forget();
                (made.map(|made| made.map(|(new, said)| (client.replace(&new), said).1)), seen)
            }
            Place::Keys(written, keys) => {
                let read = read_again(&mut written.file, limits::KEY_FILE_BYTES_MAX);
                let seen = digest(&read, std::iter::once(&written.file));
                let made = (seen != self.seen)
                    .then(|| read.map_err(|why| vec![why]).and_then(|()| written.rest.table(&written.file.bytes)));
                written.file.bytes = Vec::new();
                let put = |table: Table| {
                    // Whoever finds a key there counts it.
                    usage.prepare_keys(&table).map_err(|why| vec![why])?;
                    keys.replace(table);
                    Ok(Vec::new())
                };
                (made.map(|made| made.and_then(put)), seen)
            }
            Place::Provider(written, provided) => {
                let read = read_again(&mut written.file, limits::JWKS_BYTES_MAX);
                let seen = digest(&read, std::iter::once(&written.file));
                let made = (seen != self.seen).then(|| {
                    read.map_err(|why| vec![why])
                        .and_then(|()| compile::token::key_set(&written.file.bytes, written.algorithms))
                });
                written.file.bytes = Vec::new();
                let put = |(set, said)| (provided.put(Arc::new(ProviderKeys::new(set))), said).1;
                (made.map(|made| made.map(put)), seen)
            }
        };
        if matches!(result, Some(Err(_))) {
            match self.doubt {
                Some((held, since)) if held == seen && now.since(since) >= ROTATION_DOUBT => {}
                Some((held, _)) if held == seen => return Look::Doubtful,
                _ => {
                    self.doubt = Some((seen, now));
                    return Look::Doubtful;
                }
            }
        }
        self.doubt = None;
        self.seen = seen;
        let Some(result) = result else { return Look::Same };
        registry.rotated(result.is_ok());
        self.tell(result)
    }

    fn tell(&self, result: Result<Vec<String>, Vec<String>>) -> Look {
        let name = &self.name;
        let what = match self.place {
            Place::Keys(..) => "their file has",
            Place::Provider(..) => "the file with the issuer's keys has",
            Place::Listener(..) | Place::Upstream(..) => "certificate files have",
        };
        match result {
            Ok(warnings) => {
                for warning in warnings {
                    log(Level::Warn, format_args!("{name}: {warning}"));
                }
                log(Level::Info, format_args!("{name}: {what} changed, the new ones are in use"));
                Look::Taken
            }
            Err(reasons) => {
                for why in reasons {
                    log(Level::Error, format_args!("{name}: {what} changed, the old ones stay: {why}"));
                }
                Look::Same
            }
        }
    }

    fn paths(&self) -> Vec<PathBuf> {
        match &self.place {
            Place::Listener(written, _) => written.files().map(|file| file.path.clone()).collect(),
            Place::Upstream(written, _) => written.files().map(|file| file.path.clone()).collect(),
            Place::Keys(written, _) => vec![written.file.path.clone()],
            Place::Provider(written, _) => vec![written.file.path.clone()],
        }
    }

    fn certificates(&self) -> Vec<InUse> {
        match &self.place {
            Place::Listener(written, slot) => of_listener(&self.name, written, slot),
            Place::Upstream(written, client) => of_upstream(&self.name, Some(written), client).into_iter().collect(),
            Place::Keys(..) | Place::Provider(..) => Vec::new(),
        }
    }
}

/// Reads a file of at most `max` bytes once more.
fn read_again(file: &mut FileValue, max: usize) -> Result<(), String> {
    file.bytes = Disk.read(&file.path, max).map_err(|error| format!("{}: {error}", file.path.display()))?;
    Ok(())
}

/// A certificate that a plan uses.
#[derive(Debug)]
pub(super) struct InUse {
    /// The listener or the upstream, as in the configuration.
    pub(super) user: String,
    /// What is known about it.
    pub(super) summary: Summary,
    /// Its file.
    pub(super) file: String,
}

/// Every certificate of `plan`, which was made of `config`: those shown to clients, then those shown to upstream servers.
pub(super) fn in_use(config: &Config, plan: &Plan) -> Vec<InUse> {
    let listeners = listeners(config, plan);
    let mut all: Vec<InUse> =
        listeners.iter().flat_map(|(name, written, slot)| of_listener(name, written, slot)).collect();
    all.extend(upstreams(config, plan).iter().filter_map(|(name, tls, client)| of_upstream(name, *tls, client)));
    all
}

fn of_listener(name: &str, written: &written::Listener, slot: &Slot) -> Vec<InUse> {
    // In the order in which they are compiled.
    let obtained = written.acme.iter().map(|acme| Some(&acme.certificate));
    let named = written.main.iter().chain(&written.further).map(|c| c.chain.as_ref().map(|file| &file.path));
    let mut files = obtained.chain(named);
    let server = slot.current();
    let one = |summary: &Summary| {
        let file = files.next().flatten().map_or_else(String::new, |path| path.display().to_string());
        InUse { user: name.to_owned(), summary: summary.clone(), file }
    };
    server.certificates.iter().map(one).collect()
}

fn of_upstream(name: &str, written: Option<&written::Upstream>, client: &Client) -> Option<InUse> {
    let file = written.and_then(|tls| tls.certificate.as_ref());
    let file = file.map_or_else(String::new, |file| file.path.display().to_string());
    client.certificate().map(|summary| InUse { user: name.to_owned(), summary, file })
}

/// The listeners that speak TLS: their addresses, what was written, and where what was made of it lies. Those of one
/// `[[server.tls]]` share one slot, and slots stand in the plan in the order of the configuration.
fn listeners<'c>(config: &'c Config, plan: &Plan) -> Vec<(String, &'c written::Listener, Arc<Slot>)> {
    let mut slots: Vec<(Vec<String>, Arc<Slot>)> = Vec::new();
    for listener in &plan.listeners {
        let Some(slot) = &listener.tls else { continue };
        let address = match &listener.address {
            ListenAddress::Tcp(address) => address.to_string(),
            ListenAddress::Unix(path) => format!("unix:{}", path.display()),
        };
        match slots.last_mut() {
            Some((addresses, last)) if Arc::ptr_eq(last, slot) => addresses.push(address),
            _ => slots.push((vec![address], Arc::clone(slot))),
        }
    }
    let all = slots.into_iter().zip(&config.server.tls);
    all.map(|((addresses, slot), written)| (addresses.join(" "), written, slot)).collect()
}

/// The upstreams that are spoken to with TLS.
fn upstreams<'c>(config: &'c Config, plan: &Plan) -> Vec<(String, Option<&'c written::Upstream>, Client)> {
    let all = config.upstreams.iter().zip(&plan.upstreams);
    all.filter_map(|(written, upstream)| {
        let target = upstream.servers.iter().find_map(|server| server.tls.as_ref())?;
        Some((format!("upstream {}", upstream.name), written.tls.as_ref(), target.client.clone()))
    })
    .collect()
}

/// Lets the servers of `new` that a core will keep from `old` share their place with them, so that a later rotation reaches
/// both, and sessions are still resumed.
pub(super) fn share(old: &Plan, new: &mut Plan) {
    for upstream in &mut new.upstreams {
        let Some(before) = old.upstreams.iter().find(|other| other.name == upstream.name) else { continue };
        for server in &mut upstream.servers {
            let same = before.servers.iter().find(|other| other.name == server.name && other.tls == server.tls);
            if let Some(same) = same {
                server.tls.clone_from(&same.tls);
            }
        }
    }
}

/// The name that a certificate goes by.
pub(super) fn first_name(summary: &Summary) -> String {
    let address = || summary.addresses.first().map(ToString::to_string);
    summary.names.first().cloned().or_else(address).unwrap_or_else(|| summary.subject.clone())
}

/// Whole days until a certificate expires; negative once it has.
pub(super) fn days_left(summary: &Summary) -> i64 {
    let now = i64::try_from(unix_now().seconds()).unwrap_or(i64::MAX);
    summary.not_after.saturating_sub(now).div_euclid(86_400)
}

/// What tells two states of files apart; nobody who could write them needs to make them look alike.
fn digest<'f>(read: &Result<(), String>, files: impl Iterator<Item = &'f FileValue>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match read {
        Ok(()) => files.for_each(|file| file.bytes.hash(&mut hasher)),
        Err(why) => why.hash(&mut hasher),
    }
    hasher.finish()
}
