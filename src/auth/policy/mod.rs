//! Policy documents in the language of Amazon's IAM, as far as a gateway can answer for them (reference, sections 7.5 and 7.6).
//!
//! A document is read once, and anything in it that is not understood keeps it from being used: an element, operator or key that
//! was passed over might have been what a `Deny` depends on. What runs is compiled: actions are bits, resources and texts are
//! sorted tables of whole texts and beginnings (patterns are tried one by one only where that is not enough), networks are tables
//! of ranges. Evaluating allocates nothing.
//!
//! A `Deny` that applies wins, then an `Allow`, and otherwise the policy is silent. Who asks combines policies by [`combine()`].

pub mod combine;
pub mod condition;
pub mod facts;
pub mod fuzz;
pub mod naive;
pub mod pattern;
pub mod principal;
pub mod read;

mod json;

#[cfg(test)]
mod tests;

pub use combine::{Access, Verdict, combine};
pub use facts::{Facts, Key, Value};
pub use principal::Principal;

use condition::Condition;
use pattern::Patterns;
use principal::Principals;

/// A compiled policy; immutable.
#[derive(Clone, Debug)]
pub struct Policy {
    statements: Box<[Statement]>,
}

/// What a policy is attached to: that says whether its statements name principals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An API: every statement names principals.
    Resource,
    /// A user, or what an authorizer answered: no statement does.
    Identity,
}

/// What a request wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `execute-api:Invoke`
    Invoke,
    /// `execute-api:InvalidateCache`
    InvalidateCache,
    /// `execute-api:ManageConnections`
    ManageConnections,
}

/// What a policy is asked about.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// What is to be done.
    pub action: Action,
    /// To what: `arn:aws:execute-api:{region}:{account}:{api}/{stage}/{method}/{path}`.
    pub arn: &'r [u8],
    /// Where in `arn` the slash before the stage is: what stands from there on is what short resources are compared with.
    pub stage_at: usize,
    /// By whom.
    pub principal: Principal<'r>,
    /// All else that conditions may ask for.
    pub facts: &'r dyn Facts,
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {} by {:?}", self.action, String::from_utf8_lossy(self.arn), self.principal)
    }
}

/// What one policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A statement allows it, and none denies it.
    Allow,
    /// No statement applies.
    Silent,
    /// A statement denies it.
    Deny,
}

/// What one policy says, and which of its statements said so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What it says.
    pub outcome: Outcome,
    /// The statement's place in the document, from 0.
    pub statement: Option<usize>,
}

impl Action {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Invoke, Self::InvalidateCache, Self::ManageConnections];

    /// As a policy names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Invoke => "execute-api:Invoke",
            Self::InvalidateCache => "execute-api:InvalidateCache",
            Self::ManageConnections => "execute-api:ManageConnections",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Policy {
    /// What the policy says about a request.
    #[must_use]
    pub fn decide(&self, request: &Request<'_>) -> Decision {
        let mut decision = Decision { outcome: Outcome::Silent, statement: None };
        for (at, statement) in self.statements.iter().enumerate() {
            // Once something allows it, only what denies it matters.
            if statement.allows && decision.outcome == Outcome::Allow || !statement.applies(request) {
                continue;
            }
            let outcome = if statement.allows { Outcome::Allow } else { Outcome::Deny };
            decision = Decision { outcome, statement: Some(at) };
            if outcome == Outcome::Deny {
                break;
            }
        }
        decision
    }

    /// The same without the reason.
    #[must_use]
    pub fn evaluate(&self, request: &Request<'_>) -> Outcome {
        self.decide(request).outcome
    }

    /// How people know a statement: its `Sid`, if it has one.
    #[must_use]
    pub fn sid(&self, statement: usize) -> Option<&str> {
        self.statements.get(statement)?.sid.as_deref()
    }

    /// How many statements it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Whether it has none: it is always silent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// Whether what it says can depend on `key`.
    #[must_use]
    pub fn asks_for(&self, key: &Key) -> bool {
        self.statements.iter().any(|statement| {
            statement.resources.asks_for(key) || statement.conditions.iter().any(|condition| condition.asks_for(key))
        })
    }
}

/// One statement.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    sid: Option<Box<str>>,
    allows: bool,
    /// `None` where the policy is one of an identity.
    principals: Option<Principals>,
    /// Bits of [`Action`]s.
    actions: u8,
    resources: Resources,
    conditions: Box<[Condition]>,
}

/// What a statement is about.
#[derive(Clone, Debug)]
pub(super) struct Resources {
    /// All but these.
    not: bool,
    /// Compared with the whole ARN.
    whole: Patterns,
    /// `execute-api:/{stage}/…`: compared with what follows the API's id.
    short: Patterns,
}

impl Statement {
    /// Cheap questions first.
    fn applies(&self, request: &Request<'_>) -> bool {
        self.actions & request.action.bit() != 0
            && self.principals.as_ref().is_none_or(|these| these.have(request.principal))
            && self.resources.have(request)
            && self.conditions.iter().all(|condition| condition.holds(request.facts, self.allows))
    }
}

impl Resources {
    fn have(&self, request: &Request<'_>) -> bool {
        let short = request.arn.get(request.stage_at..).unwrap_or_default();
        let found = self.whole.have(request.arn, request.facts) || self.short.have(short, request.facts);
        found != self.not
    }

    fn asks_for(&self, key: &Key) -> bool {
        self.whole.asks_for(key) || self.short.asks_for(key)
    }
}
