//! A gateway's life: start in order, serve until told otherwise, drain, end. The main thread does nothing else.

use super::{
    acme::Acme,
    cli::{Exit, Terminal, kernel, summary},
    cluster::{Cluster, Others},
    demo,
    jwks::Jwks,
    listeners,
    listeners::Admin,
    logs::Logs,
    names::Names,
    notify::Notify,
    purge, reload,
    resolver::Update,
    rotation::{Files, Rotation},
    signals::{self, Asked},
    snapshot,
    socket::{self, Outcome, Reply, Served},
    source::Source,
    usage::{self, Keeper},
};
use crate::{
    base::{
        clock::unix_now,
        limits::{CONTROL_NICE, CONTROL_TICK, LOG_STOP_GRACE, START_WAIT},
    },
    cache::Store,
    compile::Compiled,
    config,
    io::memory::give_back_program,
    observe::{
        error_log::{Level, log},
        registry::Registry,
    },
    plan::{ListenAddress, Plan},
    worker::{self, Workers},
};
use rustix::process::{Resource, Rlimit, getrlimit, nice, setrlimit};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::Builder,
    time::Duration,
};

/// What the main thread waits for.
#[derive(Debug)]
pub(super) enum Event {
    /// A signal.
    Asked(Asked),
    /// Someone waits for the outcome of a reload.
    Reload(Sender<Reply>),
    /// What is known about the name of upstream servers has changed.
    Name(Update),
    /// Certificate files have changed, or it is time to look.
    Files,
    /// A certificate was obtained, and is in place.
    Renewed,
    /// All cores have ended.
    Drained,
}

/// A gateway that serves, as its main thread sees it.
pub(super) struct Gateway {
    pub(super) source: Source,
    pub(super) plan: Arc<Plan>,
    pub(super) workers: Workers,
    pub(super) registry: Arc<Registry>,
    pub(super) names: Names,
    pub(super) acme: Acme,
    pub(super) jwks: Jwks,
    pub(super) usage: Arc<Keeper>,
    pub(super) cluster: Cluster,
    /// Writes down what quotas have counted; ends last.
    writer: usage::Writer,
    pub(super) rotation: Rotation,
    pub(super) logs: Logs,
    pub(super) admin: Admin,
    pub(super) notify: Notify,
    /// Until it ends, `ringgate reload` finds us.
    served: Option<Served>,
}

/// Serves `source` until a signal ends it.
pub(super) fn run(source: Source, terminal: &mut Terminal) -> Exit {
    let Compiled { plan, config, report } = match source.load() {
        Ok(compiled) => compiled,
        Err(report) => {
            let text = report.render_human(terminal.err.color());
            terminal.err.text(&text);
            return Exit::Invalid;
        }
    };
    let warnings = report.render_human(terminal.err.color());
    terminal.err.text(&warnings);
    let shown = config::show::json(&config);
    let files = Files::of(&config, &plan);
    // What follows lives for long: the texts that the plan was made of need not.
    drop((config, report));
    let (events, inbox) = channel();
    match start(source, Arc::new(plan), &shown, files, &events) {
        Ok(gateway) => {
            if gateway.source.is_demo() {
                terminal.out.text(&demo::invitation(&gateway.plan));
            }
            gateway.serve(&inbox, events)
        }
        Err(why) => {
            let mark = terminal.err.red("error");
            terminal.err.line(&format!("{mark}: {why}"));
            Exit::NoStart
        }
    }
}

/// Starts everything, in the order in which it is needed; `Err` is a sentence for people.
fn start(
    source: Source,
    plan: Arc<Plan>,
    shown: &str,
    files: Files,
    events: &Sender<Event>,
) -> Result<Gateway, String> {
    raise_descriptor_limit();
    watch_signals(events)?;
    let registry = Registry::new();
    let mut logs = Logs::start(&plan, &registry)?;
    listeners::probe(&listeners::of(&plan), hint(&source))?;
    Jwks::prepare(&plan)?;
    let usage = Keeper::new(&registry);
    usage.prepare(&plan)?;
    // By a thread that has not stepped back: what it is late with is refused.
    let mut cluster = Cluster::new(Arc::clone(&registry), Arc::clone(&usage));
    cluster.watch(&plan);
    let mut names = Names::new(events.clone());
    let addresses = names.watch(&plan);
    let mut jwks = Jwks::new(Arc::clone(&registry));
    // Before there are cores: the first request may already name a key that is not there.
    std::thread::scope(|scope| {
        let watch = || {
            step_back();
            jwks.watch(&plan);
        };
        scope.spawn(watch).join().map_err(|_| "providers' keys could not be watched".to_owned())
    })?;
    let (access, store) = (logs.lines(), snapshot::open(&plan));
    let start = worker::Start { plan: Arc::clone(&plan), registry: Arc::clone(&registry), access, addresses, store };
    let workers = worker::start(start).map_err(|error| listeners::explain(&error, hint(&source)))?;
    wait_until_ready(&workers)?;
    cluster.set_store(workers.store());
    registry.config_accepted(plan.hash, plan.routes.len(), unix_now());
    // By a thread that has stepped back, so that theirs have, too.
    let (admin, served) = std::thread::scope(|scope| {
        let open = || {
            step_back();
            let admin = Admin::start(&plan, shown, &registry, (workers.store(), &usage, cluster.others()));
            (admin, serve_socket(&source, events, (workers.store(), cluster.others())))
        };
        scope.spawn(open).join().map_err(|_| "the admin listener could not be started".to_owned())
    })?;
    let admin = admin?;
    // Whoever reads that it serves may ask anything of it. The log's own thread does not step back.
    tell(&plan, &workers);
    logs.started(&plan)?;
    step_back();
    let notify = Notify::from_environment();
    let writer = usage::Writer::start(&usage).map_err(|why| format!("no thread to keep usage: {why}"))?;
    let mut rotation = Rotation::new(events.clone(), Arc::clone(&registry), Arc::clone(&usage));
    rotation.follow(files);
    let mut acme = Acme::new(events.clone(), Arc::clone(&registry));
    // Only now: an authority may ask back at once.
    acme.watch(&plan);
    notify.ready();
    Ok(Gateway {
        source,
        plan,
        workers,
        registry,
        names,
        rotation,
        acme,
        jwks,
        usage,
        cluster,
        writer,
        logs,
        admin,
        notify,
        served,
    })
}

/// What else can be done about a port that is taken.
fn hint(source: &Source) -> &'static str {
    if source.is_demo() { demo::OTHER_PORT } else { "" }
}

/// As many connections as the system allows: two descriptors for each.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // It stays what it was otherwise, and accepting pauses at it.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
}

/// Cores come first: this thread and those that it makes from now on yield to them, each core being pinned to a processor
/// that it may have to share with one of them. What takes long, a reload's compiling, steps back further still.
fn step_back() {
    // Where it is not allowed, things are as they were.
    let _ = nice(CONTROL_NICE);
}

fn watch_signals(events: &Sender<Event>) -> Result<(), String> {
    let events = events.clone();
    let watch = signals::watch(move |asked| {
        // The main thread ends last.
        let _ = events.send(Event::Asked(asked));
    });
    watch.map_err(|error| format!("cannot listen to signals: {error}"))
}

fn wait_until_ready(workers: &Workers) -> Result<(), String> {
    let step = Duration::from_millis(1);
    for _ in 0..START_WAIT.as_millis() {
        if workers.ready() {
            return Ok(());
        }
        if !workers.alive() {
            break;
        }
        std::thread::park_timeout(step);
    }
    Err("a worker could not start its event loop; the lines above say why".to_owned())
}

/// The socket of `ringgate reload`; a gateway without one serves just as well.
fn serve_socket(source: &Source, events: &Sender<Event>, (store, others): (Arc<Store>, Arc<Others>)) -> Option<Served> {
    let events = events.clone();
    let reload = move || {
        let (reply, answer) = channel();
        let sent = events.send(Event::Reload(reply)).is_ok();
        let answer = if sent { answer.recv().ok() } else { None };
        answer.unwrap_or_else(|| Reply { outcome: Outcome::Failed, text: "the gateway is stopping\n".to_owned() })
    };
    let purge = move |words: &str| match purge::purge(&store, words) {
        Ok(done) => {
            others.purged(words);
            Reply { outcome: Outcome::Done, text: format!("{done}\n") }
        }
        Err(wrong) => Reply { outcome: Outcome::Refused, text: format!("{wrong}\n") },
    };
    match socket::serve(&socket::folder(), format!("{}\n", source.identity()), reload, purge) {
        Ok(served) => Some(served),
        Err(error) => {
            log(Level::Warn, format_args!("`ringgate reload` will not find this process (SIGHUP works): {error}"));
            None
        }
    }
}

/// The lines of a start: one per listener, one about the machine, one about the configuration.
fn tell(plan: &Plan, workers: &Workers) {
    for listener in &plan.listeners {
        match &listener.address {
            ListenAddress::Tcp(address) if listener.tls.is_some() => {
                log(Level::Info, format_args!("listening on https://{address}"));
            }
            ListenAddress::Tcp(address) => log(Level::Info, format_args!("listening on http://{address}")),
            ListenAddress::Unix(path) => log(Level::Info, format_args!("listening on unix:{}", path.display())),
        }
    }
    if let Some(admin) = &plan.admin {
        log(Level::Info, format_args!("admin on http://{}", admin.listen));
    }
    let backend = workers.backend();
    if let Some(note) = &backend.note {
        log(Level::Warn, format_args!("{} is used: {note}", backend.kind));
    }
    let flags = if backend.flags.is_empty() { String::new() } else { format!(" {}", backend.flags) };
    let plural = if workers.count() == 1 { "" } else { "s" };
    log(Level::Info, format_args!("{} worker{plural}, {}{flags}, {}", workers.count(), backend.kind, kernel()));
    log(Level::Info, format_args!("config ok, {}", summary(plan)));
}

impl Gateway {
    /// Waits for events until one ends it.
    fn serve(mut self, inbox: &Receiver<Event>, events: Sender<Event>) -> Exit {
        // Half of the code that is in memory now will not run again before the next reload.
        let mut settled = false;
        loop {
            match inbox.recv_timeout(CONTROL_TICK) {
                Ok(Event::Asked(Asked::Reload)) => {
                    drop(self.reload());
                    settled = false;
                }
                Ok(Event::Asked(Asked::ReopenLogs)) => self.logs.reopen(),
                Ok(Event::Asked(Asked::Upgrade)) => {
                    log(Level::Warn, format_args!("SIGUSR2: handing over to a new binary is not supported yet"));
                }
                Ok(Event::Asked(Asked::Stop(_))) => return self.stop(inbox, events),
                // Whoever asked may have gone.
                Ok(Event::Reload(reply)) => {
                    drop(reply.send(self.reload()));
                    settled = false;
                }
                Ok(Event::Name(update)) => self.names.changed(&update, &self.workers),
                Ok(Event::Files) => {
                    self.rotation.look();
                    // What was obtained meanwhile is newer than what was read.
                    self.acme.watch(&self.plan);
                }
                Ok(Event::Renewed) => self.rotation.renewed(),
                Ok(Event::Drained) | Err(RecvTimeoutError::Disconnected | RecvTimeoutError::Timeout) => {
                    reload::drop_aside(self.workers.sweep());
                    purge::sweep(&self.workers.store());
                    self.names.look(&self.registry);
                    if !std::mem::replace(&mut settled, true) {
                        give_back_program();
                    }
                }
            }
            // After every event: many of them must not keep a gateway alive that has lost a core.
            if !self.workers.alive() {
                log(Level::Error, format_args!("a worker has died: stopping, so that a supervisor starts anew"));
                return self.finish(Exit::Broken);
            }
        }
    }

    /// Lets exchanges finish for as long as the plan allows; a second signal cuts them.
    fn stop(mut self, inbox: &Receiver<Event>, events: Sender<Event>) -> Exit {
        let grace = self.plan.server.shutdown_grace;
        self.notify.stopping();
        self.admin.draining();
        self.served = None;
        log(Level::Info, format_args!("stopping: exchanges may finish for {} s", grace.as_secs()));
        self.workers.drain(grace);
        let store = self.workers.store();
        let workers = self.workers;
        let joined = Builder::new().name("ringgate-join".to_owned()).spawn(move || {
            workers.join();
            drop(events.send(Event::Drained));
        });
        if let Err(error) = joined {
            log(Level::Error, format_args!("cannot wait for the workers: {error}"));
            return Exit::Broken;
        }
        let mut exit = Exit::Done;
        loop {
            match inbox.recv() {
                Ok(Event::Drained) | Err(_) => break,
                Ok(Event::Asked(Asked::Stop(signal))) => {
                    log(Level::Warn, format_args!("a second signal: stopping at once"));
                    exit = Exit::Cut(signal);
                    break;
                }
                Ok(Event::Asked(Asked::ReopenLogs)) => self.logs.reopen(),
                Ok(Event::Reload(reply)) => {
                    let text = "the gateway is stopping\n".to_owned();
                    drop(reply.send(Reply { outcome: Outcome::Failed, text }));
                }
                Ok(Event::Asked(Asked::Reload | Asked::Upgrade) | Event::Name(_) | Event::Files | Event::Renewed) => {}
            }
        }
        // After the cores, which have given back what they did not use, and keep nothing any more.
        drop(self.cluster);
        drop(self.writer);
        if exit == Exit::Done {
            snapshot::write(&self.plan, &store);
        }
        log(Level::Info, format_args!("stopped"));
        self.logs.stop(LOG_STOP_GRACE);
        exit
    }

    /// Ends at once.
    fn finish(self, exit: Exit) -> Exit {
        self.notify.stopping();
        self.logs.stop(LOG_STOP_GRACE);
        exit
    }
}

#[cfg(test)]
mod tests {
    use super::{Admin, Asked, Cluster, Event, Exit, Gateway, Logs, Names, Notify, Registry, Source, worker};
    use crate::base::clock::monotonic_now;
    use std::{
        net::TcpListener,
        sync::{Arc, mpsc::channel},
        time::Duration,
    };

    #[test]
    fn a_core_that_dies_ends_the_process_within_a_second_whatever_else_goes_on() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let text = format!(
            "[server]\nlisten = [\"127.0.0.1:{port}\"]\nworkers = 2\n[api.a]\n[[api.a.route]]\nmethod = \"GET\"\n\
             path = \"/\"\nintegration = {{ type = \"mock\" }}\n"
        );
        let source = Source::BuiltIn { name: "test.toml", text, values: Vec::new() };
        let plan = Arc::new(source.load().unwrap().plan);
        let (registry, (events, inbox)) = (Registry::new(), channel());
        let start = worker::Start {
            plan: Arc::clone(&plan),
            registry: Arc::clone(&registry),
            access: None,
            addresses: Vec::new(),
            store: super::Store::default(),
        };
        let usage = super::Keeper::new(&registry);
        let workers = worker::start(start).unwrap();
        super::wait_until_ready(&workers).unwrap();
        workers.break_one();
        let begun = monotonic_now();
        // Somebody asks for something all the time: that must not keep what is left going.
        let busy = events.clone();
        std::thread::spawn(move || {
            while busy.send(Event::Asked(Asked::ReopenLogs)).is_ok() {
                std::thread::park_timeout(Duration::from_millis(5));
            }
        });
        let gateway = Gateway {
            source,
            workers,
            names: Names::new(events.clone()),
            rotation: super::Rotation::new(events.clone(), Arc::clone(&registry), Arc::clone(&usage)),
            acme: super::Acme::new(events.clone(), Arc::clone(&registry)),
            jwks: super::Jwks::new(Arc::clone(&registry)),
            logs: Logs::start(&plan, &registry).unwrap(),
            admin: Admin::start(&plan, "{}", &registry, (Arc::default(), &usage, Arc::default())).unwrap(),
            writer: super::usage::Writer::start(&usage).unwrap(),
            cluster: Cluster::new(Arc::clone(&registry), Arc::clone(&usage)),
            usage,
            notify: Notify::default(),
            served: None,
            plan,
            registry,
        };
        assert_eq!((gateway.serve(&inbox, events), Exit::Broken.code()), (Exit::Broken, 4));
        let took = monotonic_now().since(begun);
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
}
