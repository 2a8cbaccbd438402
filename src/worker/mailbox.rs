//! How the outside reaches a core: a queue, and a bell that wakes the core to look into it.

use super::{accept::Handed, adopt::CorePlan};
use crate::{
    io::bell::Rope,
    observe::access_log::Lines,
    plan::{ListenAddress, crowd::Errand},
};
use rustix::fd::OwnedFd;
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

/// What a core can be told.
#[derive(Debug)]
pub enum Message {
    /// Run this plan; listen on these sockets, too.
    Install {
        /// The plan.
        plan: CorePlan,
        /// Sockets of listeners that are new.
        sockets: Vec<(ListenAddress, OwnedFd)>,
    },
    /// A name was resolved anew.
    Addresses {
        /// The server's name in the plan.
        server: String,
        /// Where it is.
        addresses: Arc<[SocketAddr]>,
    },
    /// Log there.
    Access(Option<Lines>),
    /// Something that is waited for on this core has been fetched.
    Fetched,
    /// Something about a limit on requests under way, by the number of its places.
    Crowd(u32, Errand),
    /// Serve this connection, which another core accepted but is too busy for.
    Serve(Handed),
    /// Stop after that time at the latest.
    Drain(Duration),
    /// Panic: for the test that a core that dies is noticed.
    #[cfg(test)]
    Break,
}

/// The sending side, for any thread.
#[derive(Clone, Debug)]
pub struct Post {
    queue: Sender<Message>,
    rope: Rope,
}

/// The core's side.
#[derive(Debug)]
pub struct Mailbox {
    /// What was sent.
    pub queue: Receiver<Message>,
    /// What to listen to.
    pub rope: Rope,
}

impl Mailbox {
    /// Both sides of a new mailbox.
    ///
    /// # Errors
    /// No descriptor left.
    pub fn new() -> io::Result<(Post, Self)> {
        let (sender, queue) = channel();
        let rope = Rope::new()?;
        Ok((Post { queue: sender, rope: rope.clone() }, Self { queue, rope }))
    }
}

impl Post {
    /// Sends `message`. A core that has ended does not care.
    pub fn send(&self, message: Message) {
        if self.queue.send(message).is_ok() {
            self.rope.ring();
        }
    }
}
