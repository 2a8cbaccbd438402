//! Names of upstream servers to addresses, on a thread of its own: asked again when an answer's TTL ends, when a lookup
//! failed, and when a core could not connect. A failure keeps the last good addresses.
//!
//! `table` decides (a pure function of answers and time), `lookup` asks, this file waits and passes messages.

mod lookup;
mod table;

use crate::{
    base::{
        clock::Clock,
        limits::{RESOLVE_PARALLEL_MAX, RESOLVE_QUEUE_MAX},
    },
    plan::{Plan, ServerTarget},
};
use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::mpsc as std_mpsc,
    thread::{Builder, JoinHandle},
    time::Duration,
};
use table::Table;
use tokio::sync::mpsc;

pub use lookup::Source;
pub use table::{Answer, Said, Update, Wanted};

/// Upstream servers' names with all addresses known for each.
pub type Addresses = Vec<(String, Vec<SocketAddr>)>;

/// The resolver's thread; it ends when this is dropped.
#[derive(Debug)]
pub struct Resolver {
    messages: mpsc::Sender<Message>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Message {
    /// Watch these from now on, and no others; answer once each had a lookup.
    Watch(Vec<Wanted>, std_mpsc::Sender<Addresses>),
    /// Answer at once with what is known.
    Known(std_mpsc::Sender<Addresses>),
    /// Cores could not connect to this server.
    Hint(Box<str>),
    /// A lookup ended.
    Answered(String, Result<Answer, String>),
    /// The end.
    Stop,
}

/// The servers of `plan` that are known by name.
#[must_use]
pub fn wanted(plan: &Plan) -> Vec<Wanted> {
    let servers = plan.upstreams.iter().flat_map(|upstream| &upstream.servers);
    servers
        .filter_map(|server| match &server.target {
            ServerTarget::Name { host, port } => {
                Some(Wanted { server: server.name.clone(), host: host.clone(), port: *port })
            }
            ServerTarget::Address(_) | ServerTarget::Unix(_) => None,
        })
        .collect()
}

impl Resolver {
    /// Starts the thread. `tell` is called on it, for each change of addresses and each change between failing and not.
    ///
    /// # Errors
    /// When there can be no further thread.
    pub fn start(source: Source, tell: impl Fn(Update) + Send + 'static) -> io::Result<Self> {
        let (messages, inbox) = mpsc::channel(RESOLVE_QUEUE_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answers = messages.downgrade();
        let thread = Builder::new().name("ringgate-names".to_owned()).spawn(move || {
            runtime.block_on(serve(Server { source, inbox, answers, tell, waiting: Vec::new() }));
        })?;
        Ok(Self { messages, thread: Some(thread) })
    }

    /// Watches `wanted` from now on and no others. Waits until each name had one lookup, but no longer than `wait`, and
    /// returns what is known by then.
    #[must_use]
    pub fn watch(&self, wanted: Vec<Wanted>, wait: Duration) -> Addresses {
        let (reply, answer) = std_mpsc::channel();
        if self.messages.blocking_send(Message::Watch(wanted, reply)).is_err() {
            return Vec::new();
        }
        answer.recv_timeout(wait).unwrap_or_else(|_| self.known())
    }

    /// Asks early for the name of `server`, because cores cannot connect to it. Never blocks; dropped when many messages
    /// wait already.
    pub fn hint(&self, server: &str) {
        let _ = self.messages.try_send(Message::Hint(server.into()));
    }

    fn known(&self) -> Addresses {
        let (reply, answer) = std_mpsc::channel();
        let sent = self.messages.blocking_send(Message::Known(reply));
        sent.ok().and_then(|()| answer.recv().ok()).unwrap_or_default()
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        if self.messages.blocking_send(Message::Stop).is_ok()
            && let Some(thread) = self.thread.take()
        {
            // A panic there has been reported by the panic hook; there is nothing to add.
            let _ = thread.join();
        }
    }
}

/// What the thread has.
struct Server<T> {
    source: Source,
    inbox: mpsc::Receiver<Message>,
    answers: mpsc::WeakSender<Message>,
    tell: T,
    /// Who waits until every name had a lookup.
    waiting: Vec<std_mpsc::Sender<Addresses>>,
}

async fn serve<T: Fn(Update)>(mut server: Server<T>) {
    let clock = Clock::system();
    let mut table = Table::default();
    let mut due = VecDeque::new();
    let mut in_flight = 0_usize;
    let mut lookups = lookup::Lookups::new(std::mem::take(&mut server.source));
    loop {
        let now = clock.now();
        due.extend(table.due(now));
        while in_flight < RESOLVE_PARALLEL_MAX
            && let Some(host) = due.pop_front()
        {
            in_flight += 1;
            ask(lookups.prepare(), host, server.answers.clone());
        }
        let pause = table.next_due().map_or(Duration::from_secs(3600), |at| at.since(now));
        // A message that arrived is never lost here: only the wait for one is cut.
        let Ok(message) = tokio::time::timeout(pause, server.inbox.recv()).await else { continue };
        match message {
            None | Some(Message::Stop) => return,
            Some(Message::Answered(host, result)) => {
                in_flight -= 1;
                table.answered(&host, result, clock.now()).into_iter().for_each(&server.tell);
            }
            Some(Message::Watch(wanted, reply)) => {
                table.watch(wanted, clock.now());
                server.waiting.push(reply);
            }
            Some(Message::Known(reply)) => drop(reply.send(table.addresses())),
            Some(Message::Hint(name)) => table.hint(&name, clock.now()),
        }
        if table.complete() {
            server.waiting.drain(..).for_each(|reply| drop(reply.send(table.addresses())));
        }
    }
}

fn ask(lookup: lookup::Lookup, host: String, answers: mpsc::WeakSender<Message>) {
    tokio::spawn(async move {
        let answer = lookup.run(&host).await;
        if let Some(answers) = answers.upgrade() {
            let _ = answers.send(Message::Answered(host, answer)).await;
        }
    });
}

#[cfg(test)]
mod tests;
