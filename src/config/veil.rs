//! Secrets in what is shown of a configuration's text: a finding shows the line that it is about, which may have a secret in it that
//! has nothing to do with the finding.

use std::{borrow::Cow, ops::Range};

/// Keys whose values nobody is to see.
const SECRETS: [&str; 4] = ["secret_access_key", "session_token", "client_secret", "password"];

/// `text` with an asterisk for every byte of a secret: of a password in a URL, and of a quoted value of a key that is known for
/// secrets. Byte offsets stay what they are.
pub(super) fn veiled(text: &str) -> Cow<'_, str> {
    let secrets: Vec<Range<usize>> = passwords(text).chain(SECRETS.iter().flat_map(|key| values(text, key))).collect();
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if secrets.iter().any(|secret| secret.contains(&at)) {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// The passwords of URLs: `scheme://user:password@host`.
fn passwords(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("://").filter_map(move |(at, _)| {
        let start = at + 3;
        let authority = text[start..].split(['/', '?', '#', '"', '\'', '`', ' ', '\t']).next()?;
        let user = &authority[..authority.rfind('@')?];
        Some(start + user.find(':')? + 1..start + user.len())
    })
}

/// The quoted values of `key`, as TOML, JSON and YAML have them; of one that is not closed, all that follows.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    text.match_indices(key).filter_map(move |(at, _)| {
        let rest = &text[at + key.len()..];
        let value = rest.trim_start_matches(['"', '\'', ' ', '\t']).strip_prefix(['=', ':'])?.trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let value = value.trim_start_matches(quote);
        let start = text.len() - value.len();
        Some(start..value.find(quote).map_or(text.len(), |end| start + end))
    })
}

#[cfg(test)]
mod tests {
    use super::veiled;

    #[test]
    fn secrets_are_not_shown() {
        for (text, shown, why) in [
            ("servers = [\"http://u:pass@h:1/\"]", "servers = [\"http://u:****@h:1/\"]", "a password in a URL"),
            ("redis://:p@ss@h", "redis://:****@h", "no user, and an @ in the password"),
            ("http://u@h and http://h:80/a@b", "http://u@h and http://h:80/a@b", "no passwords"),
            ("{ secret_access_key = \"a=b\", x = 1 }", "{ secret_access_key = \"***\", x = 1 }", "a key of TOML"),
            ("\"session_token\": \"ab\",", "\"session_token\": \"**\",", "a key of JSON"),
            ("password: 'ä'", "password: '**'", "a key of YAML; bytes are counted"),
            ("secret_access_key = \"open", "secret_access_key = \"****", "a text that does not end"),
            ("secret_access_key = '''two''' # x", "secret_access_key = '''***''' # x", "a text in three quotes"),
            ("secret_access_key_file = \"f\"", "secret_access_key_file = \"f\"", "the name of a file is none"),
            ("secret_access_key = 7", "secret_access_key = 7", "no text"),
        ] {
            assert_eq!(veiled(text), shown, "{why}");
        }
    }
}
