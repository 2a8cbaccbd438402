//! Arguments to a command and its values, against the table in [`verbs`](super::verbs).

use super::verbs::{Opt, VERBS, Verb, find, nearest};
use lexopt::Arg;
use std::ffi::OsString;

/// A command line that was understood.
#[derive(Debug)]
pub(super) struct Matches {
    /// The command.
    pub verb: &'static Verb,
    values: Vec<(&'static str, OsString)>,
    positionals: Vec<OsString>,
}

/// A command line that was not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UsageError {
    /// What is wrong, in a sentence without a full stop.
    pub what: String,
    /// What was probably meant.
    pub nearest: Option<String>,
    /// Whose help page tells more.
    pub verb: Option<&'static Verb>,
}

impl PartialEq for Verb {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Verb {}

impl Matches {
    /// Whether the option was given.
    pub(super) fn has(&self, long: &str) -> bool {
        self.values.iter().any(|(name, _)| *name == long)
    }

    /// The option's last value.
    pub(super) fn value(&self, long: &str) -> Option<&OsString> {
        self.values.iter().rev().find(|(name, _)| *name == long).map(|(_, value)| value)
    }

    /// The option's last value as text.
    pub(super) fn text(&self, long: &str) -> Result<Option<&str>, UsageError> {
        self.value(long).map(|value| self.utf8(value)).transpose()
    }

    /// All values of an option that may be repeated, as text.
    pub(super) fn texts(&self, long: &str) -> Result<Vec<&str>, UsageError> {
        self.values.iter().filter(|(name, _)| *name == long).map(|(_, value)| self.utf8(value)).collect()
    }

    /// The positional argument of that index.
    pub(super) fn positional(&self, index: usize) -> Option<&OsString> {
        self.positionals.get(index)
    }

    /// The positional argument of that index as text.
    pub(super) fn positional_text(&self, index: usize) -> Result<Option<&str>, UsageError> {
        self.positional(index).map(|value| self.utf8(value)).transpose()
    }

    /// A complaint about this command line.
    pub(super) fn wrong(&self, what: impl Into<String>) -> UsageError {
        UsageError { what: what.into(), nearest: None, verb: Some(self.verb) }
    }

    fn utf8<'a>(&self, value: &'a OsString) -> Result<&'a str, UsageError> {
        value.to_str().ok_or_else(|| self.wrong(format!("`{}` is not UTF-8", value.to_string_lossy())))
    }

    fn switch(verb: &'static Verb, long: &'static str) -> Self {
        Self { verb, values: vec![(long, OsString::new())], positionals: Vec::new() }
    }
}

/// Reads a command line without the program's name.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Matches, UsageError> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let verb = match arguments.first().and_then(|first| first.to_str()) {
        None if arguments.is_empty() => named("run")?,
        Some("-h" | "--help") => return Ok(Matches { verb: named("help")?, values: vec![], positionals: vec![] }),
        Some("-V" | "--version") => {
            return Ok(Matches { verb: named("version")?, values: vec![], positionals: vec![] });
        }
        Some("-t" | "--test") => {
            arguments.remove(0);
            named("check")?
        }
        Some(option) if option.starts_with('-') => named("run")?,
        _ => named(&arguments.remove(0).to_string_lossy())?,
    };
    values(verb, arguments)
}

fn named(name: &str) -> Result<&'static Verb, UsageError> {
    find(name).ok_or_else(|| UsageError {
        what: format!("unknown command `{name}`"),
        nearest: nearest(name, VERBS.iter().flat_map(|v| v.aliases.iter().chain([&v.name])).copied()),
        verb: None,
    })
}

fn values(verb: &'static Verb, arguments: Vec<OsString>) -> Result<Matches, UsageError> {
    let mut matches = Matches { verb, values: Vec::new(), positionals: Vec::new() };
    let mut parser = lexopt::Parser::from_args(arguments);
    loop {
        let option = match parser.next().map_err(|e| matches.wrong(e.to_string()))? {
            None => return Ok(matches),
            Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Matches::switch(verb, "help")),
            Some(Arg::Value(value)) if matches.positionals.len() < verb.positionals => {
                matches.positionals.push(value);
                continue;
            }
            Some(Arg::Value(value)) => {
                return Err(matches.wrong(format!("unexpected argument `{}`", value.to_string_lossy())));
            }
            Some(Arg::Long(long)) => option(verb, &format!("--{long}"), |o| o.long == long)?,
            Some(Arg::Short(short)) => option(verb, &format!("-{short}"), |o| o.short == Some(short))?,
        };
        let value = value(&matches, option, &mut parser)?;
        matches.values.push((option.long, value));
    }
}

fn option(verb: &'static Verb, typed: &str, is: impl Fn(&Opt) -> bool) -> Result<&'static Opt, UsageError> {
    verb.options.iter().find(|option| is(option)).ok_or_else(|| {
        let long = typed.strip_prefix("--");
        let near = long.and_then(|long| nearest(long, verb.options.iter().map(|o| o.long)));
        UsageError {
            what: format!("unknown option `{typed}` of `ringgate {}`", verb.name),
            nearest: near.map(|name| format!("--{name}")),
            verb: Some(verb),
        }
    })
}

fn value(matches: &Matches, option: &'static Opt, parser: &mut lexopt::Parser) -> Result<OsString, UsageError> {
    let Some(placeholder) = option.value else {
        return match parser.optional_value() {
            Some(_) => Err(matches.wrong(format!("`--{}` takes no value", option.long))),
            None => Ok(OsString::new()),
        };
    };
    let missing = |_| matches.wrong(format!("`--{}` needs a value: --{} {placeholder}", option.long, option.long));
    let value = parser.value().map_err(missing)?;
    if option.choices.is_empty() || value.to_str().is_some_and(|v| option.choices.contains(&v)) {
        return Ok(value);
    }
    let typed = value.to_string_lossy();
    let what = format!("`--{}` is one of {}, not `{typed}`", option.long, option.choices.join(", "));
    Err(UsageError { nearest: nearest(&typed, option.choices.iter().copied()), ..matches.wrong(what) })
}

#[cfg(test)]
mod tests {
    use super::{Matches, UsageError, parse};
    use std::ffi::OsString;

    fn read(line: &str) -> Result<Matches, UsageError> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_command_line_names_a_command() {
        for (line, verb) in [
            ("", "run"),
            ("run", "run"),
            ("--config a.toml", "run"),
            ("-c a.toml", "run"),
            ("-t", "check"),
            ("-t a.toml", "check"),
            ("-t -c a.toml", "check"),
            ("validate a.toml", "check"),
            ("--version", "version"),
            ("-V", "version"),
            ("--help", "help"),
            ("-h", "help"),
            ("match GET /", "explain"),
        ] {
            assert_eq!(read(line).map(|m| m.verb.name), Ok(verb), "{line}");
        }
    }

    #[test]
    fn values_are_found_where_they_were_given() {
        let m = read("explain POST /a -H a:1 --header=b:2 -d body --config=x.toml").unwrap();
        assert_eq!(m.texts("header").unwrap(), ["a:1", "b:2"]);
        assert_eq!(m.text("data").unwrap(), Some("body"));
        assert_eq!(m.text("config").unwrap(), Some("x.toml"));
        assert_eq!((m.positional_text(0).unwrap(), m.positional_text(1).unwrap()), (Some("POST"), Some("/a")));
        assert!(read("check --help").unwrap().has("help"));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_nearest_name() {
        for (line, what, near) in [
            ("chekc", "unknown command `chekc`", Some("check")),
            ("frobnicate", "unknown command `frobnicate`", None),
            ("run --confg x", "unknown option `--confg` of `ringgate run`", Some("--config")),
            ("run -x", "unknown option `-x` of `ringgate run`", None),
            ("run there", "unexpected argument `there`", None),
            ("check a b", "unexpected argument `b`", None),
            ("run --config", "`--config` needs a value: --config FILE", None),
            ("check --format jsn", "`--format` is one of human, json, not `jsn`", Some("json")),
            ("check --deny-warnings=1", "`--deny-warnings` takes no value", None),
        ] {
            let wrong = read(line).unwrap_err();
            assert_eq!((wrong.what.as_str(), wrong.nearest.as_deref()), (what, near), "{line}");
        }
    }
}
