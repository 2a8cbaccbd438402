//! What the policies on both sides of a request make together (reference, section 7.6).

use super::Outcome;

/// How a request was authenticated, as far as it matters for policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Not at all.
    Open,
    /// By a token that says who someone is and not what they may: JWT, Cognito, a certificate.
    Token,
    /// By an authorizer that answers with a policy.
    Lambda,
    /// By a signature of a user of the API's account.
    SameAccount,
    /// By a signature of a user of another account.
    OtherAccount,
}

/// What comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass.
    Allow,
    /// Nothing allows it.
    ImplicitDeny,
    /// Something denies it.
    ExplicitDeny,
}

/// What is made of the policy of an identity (or the one that an authorizer answered) and that of the API, if it has one.
///
/// `identity` matters only where there is one: for `Lambda`, `SameAccount` and `OtherAccount`. Where the API has no policy,
/// everyone may pass who needs no policy of an identity; and a user of another account may not.
#[must_use]
pub const fn combine(access: Access, identity: Outcome, resource: Option<Outcome>) -> Verdict {
    let (needs_both, has_identity) = match access {
        Access::Open | Access::Token => (false, false),
        Access::Lambda | Access::SameAccount => (false, true),
        Access::OtherAccount => (true, true),
    };
    if has_identity && matches!(identity, Outcome::Deny) || matches!(resource, Some(Outcome::Deny)) {
        return Verdict::ExplicitDeny;
    }
    let identity = has_identity && matches!(identity, Outcome::Allow);
    let allowed = matches!(resource, Some(Outcome::Allow));
    let passes = match (has_identity, needs_both, resource) {
        (false, _, None) => true,
        (false, _, Some(_)) => allowed,
        (true, true, _) => identity && allowed,
        (true, false, _) => identity || allowed,
    };
    if passes { Verdict::Allow } else { Verdict::ImplicitDeny }
}

#[cfg(test)]
mod tests {
    use super::{Access, Outcome, Verdict, combine};

    const OUTCOMES: [Outcome; 3] = [Outcome::Allow, Outcome::Silent, Outcome::Deny];

    #[test]
    fn reference_7_6_every_cell_of_the_tables() {
        use Outcome::{Allow, Deny, Silent};
        use Verdict::{Allow as Pass, ExplicitDeny as Explicit, ImplicitDeny as Implicit};
        let cells = [
            (Allow, Allow, Pass, Pass),
            (Allow, Silent, Pass, Implicit),
            (Allow, Deny, Explicit, Explicit),
            (Silent, Allow, Pass, Implicit),
            (Silent, Silent, Implicit, Implicit),
            (Silent, Deny, Explicit, Explicit),
            (Deny, Allow, Explicit, Explicit),
            (Deny, Silent, Explicit, Explicit),
            (Deny, Deny, Explicit, Explicit),
        ];
        for (identity, resource, same, other) in cells {
            let why = format!("{identity:?} and {resource:?} [D23]");
            assert_eq!(combine(Access::SameAccount, identity, Some(resource)), same, "table A: {why}");
            assert_eq!(combine(Access::Lambda, identity, Some(resource)), same, "table A: {why}");
            assert_eq!(combine(Access::OtherAccount, identity, Some(resource)), other, "table B: {why}");
        }
    }

    #[test]
    fn reference_7_6_where_there_is_one_policy_or_none() {
        use Outcome::{Allow, Deny, Silent};
        for identity in OUTCOMES {
            for access in [Access::Open, Access::Token] {
                let verdict = |resource| combine(access, identity, resource);
                assert_eq!(verdict(Some(Allow)), Verdict::Allow, "no auth, Cognito: an explicit allow [D23]");
                assert_eq!(verdict(Some(Silent)), Verdict::ImplicitDeny, "silent is denied [D23]");
                assert_eq!(verdict(Some(Deny)), Verdict::ExplicitDeny, "[D23]");
                assert_eq!(verdict(None), Verdict::Allow, "an API without a policy is open to who got here");
            }
            for access in [Access::Lambda, Access::SameAccount, Access::OtherAccount] {
                let silent = combine(access, identity, Some(Silent));
                assert_eq!(
                    combine(access, identity, None),
                    silent,
                    "no policy is a silent one: {access:?} {identity:?}"
                );
            }
        }
    }
}
