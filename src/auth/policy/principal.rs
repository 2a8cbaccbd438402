//! Who asks, and whom a statement is for.

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal<'p> {
    /// Nobody known.
    Anonymous,
    /// A user of an account.
    User {
        /// The user's ARN.
        arn: &'p str,
        /// The account's id.
        account: &'p str,
    },
}

/// Whom a statement is for.
#[derive(Clone, Debug)]
pub(super) struct Principals {
    /// All but these.
    pub(super) not: bool,
    /// Everyone, also who is not known.
    pub(super) everyone: bool,
    /// Sorted.
    pub(super) arns: Box<[Box<str>]>,
    /// Sorted.
    pub(super) accounts: Box<[Box<str>]>,
}

impl Principals {
    pub(super) fn have(&self, principal: Principal<'_>) -> bool {
        let has = |list: &[Box<str>], name: &str| list.binary_search_by(|known| known.as_ref().cmp(name)).is_ok();
        let found = self.everyone
            || match principal {
                Principal::Anonymous => false,
                Principal::User { arn, account } => has(&self.arns, arn) || has(&self.accounts, account),
            };
        found != self.not
    }
}

/// What a text under `AWS` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named<'n> {
    Everyone,
    Account(&'n str),
    Arn(&'n str),
}

/// Reads a text under `AWS`: `*`, an account's id, the ARN of an account's root, or the ARN of a user or role. Patterns are none.
pub(super) fn named(text: &str) -> Option<Named<'_>> {
    let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    if text == "*" {
        return Some(Named::Everyone);
    }
    if is_account(text) {
        return Some(Named::Account(text));
    }
    let mut parts = text.splitn(6, ':');
    let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let is_arn = arn == "arn" && partition.starts_with("aws") && matches!(service, "iam" | "sts") && region.is_empty();
    if !is_arn || !is_account(account) || resource.is_empty() || resource.contains(['*', '?']) {
        return None;
    }
    Some(if resource == "root" { Named::Account(account) } else { Named::Arn(text) })
}

#[cfg(test)]
mod tests {
    use super::{Named, named};

    #[test]
    fn principals_are_accounts_and_arns() {
        for (text, expect) in [
            ("*", Some(Named::Everyone)),
            ("123456789012", Some(Named::Account("123456789012"))),
            ("arn:aws:iam::123456789012:root", Some(Named::Account("123456789012"))),
            ("arn:aws:iam::123456789012:user/robot", Some(Named::Arn("arn:aws:iam::123456789012:user/robot"))),
            (
                "arn:aws-cn:sts::123456789012:assumed-role/a/b",
                Some(Named::Arn("arn:aws-cn:sts::123456789012:assumed-role/a/b")),
            ),
            ("arn:aws:iam::123456789012:user/*", None),
            ("arn:aws:iam::12:user/x", None),
            ("arn:aws:s3:::bucket", None),
            ("arn:aws:iam::123456789012:", None),
            ("12345678901", None),
            ("robot", None),
            ("", None),
        ] {
            assert_eq!(named(text), expect, "{text}");
        }
    }
}
