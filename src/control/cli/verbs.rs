//! The commands and their options, once: parsing, help and completions are made from this table.

/// A command.
#[derive(Debug)]
pub(super) struct Verb {
    /// Its name.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What it does, for the list of commands.
    pub about: &'static str,
    /// What follows its name: `[--config FILE]`.
    pub usage: &'static str,
    /// The most positional arguments it takes.
    pub positionals: usize,
    /// Its options, besides `--help`.
    pub options: &'static [Opt],
    /// The rest of its help page.
    pub notes: &'static str,
}

/// An option of a command.
#[derive(Debug)]
pub(super) struct Opt {
    /// `--long`
    pub long: &'static str,
    /// `-s`
    pub short: Option<char>,
    /// How its value is called; `None` for a switch.
    pub value: Option<&'static str>,
    /// The values it takes; empty = any.
    pub choices: &'static [&'static str],
    /// What it does.
    pub about: &'static str,
}

const CONFIG: Opt = Opt {
    long: "config",
    short: Some('c'),
    value: Some("FILE"),
    choices: &[],
    about: "the configuration (default: ringgate.toml)",
};

const FORMAT: Opt = Opt {
    long: "format",
    short: None,
    value: Some("FORMAT"),
    choices: &["human", "json"],
    about: "human (default) or json",
};

const RELEASES: Opt = Opt {
    long: "releases",
    short: None,
    value: Some("DIR"),
    choices: &[],
    about: "where releases are kept (default: beside FILE, ringgate.releases)",
};

const NOTE: Opt =
    Opt { long: "note", short: Some('m'), value: Some("TEXT"), choices: &[], about: "what the history says about it" };

/// Every command, in the order in which help lists them.
pub(super) const VERBS: &[Verb] = &[
    Verb {
        name: "run",
        aliases: &["start", "serve"],
        about: "serve (the default); without a file, a built-in demo",
        usage: "[--config FILE]",
        positionals: 0,
        options: &[CONFIG],
        notes: "\
Without --config, ringgate.toml of the current directory is used; if there is none, a demo API is
served on 127.0.0.1:8080 together with an upstream of its own, and what to curl is printed.

Signals
  SIGHUP            reload the configuration; an invalid one changes nothing
  SIGTERM, SIGINT   finish what is in flight (server.shutdown_grace), then stop; a second one stops at once
  SIGUSR1           reopen the log files

Exit codes: 0 stopped, 1 configuration wrong, 2 usage, 3 could not start (port taken, no permission),
4 a worker died; 128 + the signal's number when a second signal cut what the first let finish.",
    },
    Verb {
        name: "check",
        aliases: &["validate", "test"],
        about: "say everything that is wrong with a configuration",
        usage: "[FILE] [--format human|json] [--deny-warnings]",
        positionals: 1,
        options: &[
            CONFIG,
            FORMAT,
            Opt { long: "deny-warnings", short: None, value: None, choices: &[], about: "warnings count as errors" },
        ],
        notes: "\
Loads and compiles everything that `run` would, binds nothing, and reports all errors of all files at
once. `ringgate -t FILE` is the same.

Exit codes: 0 valid, 1 not valid, 2 usage.",
    },
    Verb {
        name: "routes",
        aliases: &[],
        about: "list the routes in the order in which they win",
        usage: "[--config FILE] [--format human|json]",
        positionals: 0,
        options: &[CONFIG, FORMAT],
        notes: "\
For a given request: an exact host before a wildcard before any; then, segment by segment, fixed text
before {name} before {name+}; then a method by name before ANY. `ringgate explain` shows it at work.",
    },
    Verb {
        name: "explain",
        aliases: &["match"],
        about: "which route a request takes, why, and what is sent upstream",
        usage: "METHOD URL [-H 'NAME: VALUE']... [-d BODY] | CODE",
        positionals: 2,
        options: &[
            CONFIG,
            Opt {
                long: "header",
                short: Some('H'),
                value: Some("'NAME: VALUE'"),
                choices: &[],
                about: "a field of the request, as with curl; may be repeated",
            },
            Opt { long: "data", short: Some('d'), value: Some("BODY"), choices: &[], about: "the request's body" },
            Opt {
                long: "client",
                short: None,
                value: Some("ADDRESS"),
                choices: &[],
                about: "where the request comes from (default: 127.0.0.1)",
            },
            FORMAT,
        ],
        notes: "\
Nothing is sent, and no running gateway is asked: the configuration is compiled as `run` would, and
the request goes through the same parser and router. URL is a path or a whole URL.

  ringgate explain GET /orders/7 -H 'Host: shop.example.com'
  ringgate explain RG0102            what a diagnostic's code means

Exit codes: 0 a route was found, 1 none was, or the configuration is wrong, 2 usage.",
    },
    Verb {
        name: "certs",
        aliases: &["certificates"],
        about: "list the certificates that are loaded, and when they expire",
        usage: "[--config FILE] [--format human|json]",
        positionals: 0,
        options: &[CONFIG, FORMAT],
        notes: "\
Those that listeners show to clients, then those that are shown to upstream servers. No running gateway
is asked: the files are read and checked as `run` would.

Exit codes: 0 all can be used, 1 the configuration or a certificate is wrong, 2 usage.",
    },
    Verb {
        name: "keys",
        aliases: &[],
        about: "make, list, replace and revoke API keys",
        usage: "create|list|revoke|rotate [NAME] [--config FILE | --file FILE]",
        positionals: 2,
        options: &[
            CONFIG,
            Opt {
                long: "file",
                short: Some('f'),
                value: Some("FILE"),
                choices: &[],
                about: "the file of keys (default: that of the configuration's [api_keys])",
            },
            Opt {
                long: "plan",
                short: Some('p'),
                value: Some("NAME"),
                choices: &[],
                about: "create: a usage plan that the key is in; may be repeated",
            },
            Opt {
                long: "expires",
                short: None,
                value: Some("MOMENT"),
                choices: &[],
                about: "create: 2027-01-31 or 2027-01-31T12:00:00Z, UTC (default: never)",
            },
            Opt {
                long: "label",
                short: None,
                value: Some("NAME=VALUE"),
                choices: &[],
                about: "create: something to remember about it; may be repeated",
            },
            Opt {
                long: "keep",
                short: None,
                value: Some("DURATION"),
                choices: &[],
                about: "rotate: how long the old value is good for, as NAME.old (default: not at all)",
            },
            FORMAT,
        ],
        notes: "\
The file has a line per key, with its SHA-256 and never the key itself: what `create` and `rotate` print is
shown once. A gateway that runs reads the file when it changes. Keys begin with rgk_ and end with a
checksum, so that scanners of source code can know a leaked one.

  ringgate keys create acme --plan gold --expires 2027-12-31
  ringgate keys rotate acme --keep 24h

Exit codes: 0 done, 1 it could not be done, 2 usage.",
    },
    Verb {
        name: "token",
        aliases: &["jwt"],
        about: "say what is in a JSON Web Token, and whether it is good",
        usage: "inspect TOKEN [--config FILE] [--authorizer NAME]",
        positionals: 2,
        options: &[
            CONFIG,
            Opt {
                long: "authorizer",
                short: Some('a'),
                value: Some("NAME"),
                choices: &[],
                about: "the one that it is held against (default: those of its issuer, else all of type jwt)",
            },
        ],
        notes: "\
TOKEN is a token, with or without `Bearer `, or - to read it from standard input, where no other user of the
machine sees it. Keys are fetched as `run` would fetch them. Without a configuration the token is only decoded.

Exit codes: 0 an authorizer takes it, or there is none to ask; 1 none does, or it is no token, 2 usage.",
    },
    Verb {
        name: "import",
        aliases: &[],
        about: "print an OpenAPI or Swagger document as a configuration",
        usage: "DOCUMENT [--api NAME] [--upstream NAME] [--base-path MODE] [--answer-501] [--security WHO] [--documentation]",
        positionals: 1,
        options: &[
            Opt {
                long: "api",
                short: Some('a'),
                value: Some("NAME"),
                choices: &[],
                about: "what the API is called (default: the name of the file)",
            },
            Opt {
                long: "upstream",
                short: Some('u'),
                value: Some("NAME"),
                choices: &[],
                about: "who answers what has no integration (default: the document's server)",
            },
            Opt {
                long: "base-path",
                short: None,
                value: Some("MODE"),
                choices: &["ignore", "prepend", "split"],
                about: "the document's base path: ignore (default), prepend, or split (without its first segment)",
            },
            Opt {
                long: "answer-501",
                short: None,
                value: None,
                choices: &[],
                about: "what is not supported yet answers 501 instead of being refused",
            },
            Opt {
                long: "security",
                short: None,
                value: Some("WHO"),
                choices: &["gateway", "upstream"],
                about: "who enforces the document's security: gateway (default), or upstream, which checks callers itself",
            },
            Opt {
                long: "documentation",
                short: None,
                value: None,
                choices: &[],
                about: "keep responses, examples and the like, too",
            },
        ],
        notes: "\
Reads OpenAPI 3.0 and 3.1 and Swagger 2.0, JSON or YAML, with the files that it refers to, and prints TOML
to go on from. To serve a document as it is, name it instead: `[api.shop]` with `openapi = \"shop.yaml\"`.

  ringgate import shop.yaml > ringgate.toml

Exit codes: 0 printed, 1 the document is wrong, 2 usage.",
    },
    Verb {
        name: "export",
        aliases: &[],
        about: "print an API as an OpenAPI or Swagger document",
        usage: "--api NAME [--stage STAGE] [--config FILE] [--format oas30|oas31|swagger] [--extensions LIST] [--json|--yaml]",
        positionals: 0,
        options: &[
            CONFIG,
            Opt { long: "api", short: Some('a'), value: Some("NAME"), choices: &[], about: "which API" },
            Opt {
                long: "stage",
                short: None,
                value: Some("STAGE"),
                choices: &[],
                about: "as this stage is served, with the values of its variables",
            },
            Opt {
                long: "format",
                short: None,
                value: Some("FORMAT"),
                choices: &["oas30", "oas31", "swagger"],
                about: "oas30 (default), oas31 or swagger",
            },
            Opt {
                long: "extensions",
                short: None,
                value: Some("LIST"),
                choices: &[],
                about: "integrations, apigateway, authorizers, with commas; none (default: integrations,apigateway)",
            },
            Opt { long: "json", short: None, value: None, choices: &[], about: "as JSON" },
            Opt { long: "yaml", short: None, value: None, choices: &[], about: "as YAML (default)" },
        ],
        notes: "\
With integrations and apigateway the document can be imported again and serves the same. What Amazon API
Gateway has no words for stands in x-ringgate-integration, which it ignores.

Exit codes: 0 printed, 1 the configuration is wrong or has no such API, 2 usage.",
    },
    Verb {
        name: "show",
        aliases: &[],
        about: "print the effective configuration, defaults filled in, secrets masked",
        usage: "[--config FILE]",
        positionals: 0,
        options: &[CONFIG],
        notes: "",
    },
    Verb {
        name: "init",
        aliases: &[],
        about: "write a commented configuration to begin with",
        usage: "[FILE]",
        positionals: 1,
        options: &[],
        notes: "\
Writes FILE (default: ringgate.toml) and, beside it, ringgate.schema.json, with which editors complete
and check it. Never overwrites a configuration.",
    },
    Verb {
        name: "schema",
        aliases: &[],
        about: "print the JSON Schema of the configuration language",
        usage: "",
        positionals: 0,
        options: &[],
        notes: "",
    },
    Verb {
        name: "deploy",
        aliases: &[],
        about: "freeze the configuration as a release, and let it serve",
        usage: "[--config FILE] [--releases DIR] [--note TEXT]",
        positionals: 0,
        options: &[CONFIG, RELEASES, NOTE],
        notes: "\
Compiles the configuration and keeps everything that it was made of, environment variables too, under a
hash of it: nobody's later edit changes a release. Keys, certificates and tokens are not kept, but read
where they lie. DIR is readable by its owner only.

  ringgate deploy --note 'orders v2'
  ringgate run --config ringgate.releases     serves the release that is current
  ringgate rollback                           and back

A gateway that runs with DIR takes the release at once, as with `reload`; if it cannot, nothing changes.

Exit codes: 0 deployed, 1 the configuration is wrong or was refused, 2 usage.",
    },
    Verb {
        name: "releases",
        aliases: &["history"],
        about: "list what was deployed and rolled back, and what serves",
        usage: "[--config FILE | --releases DIR] [--format human|json]",
        positionals: 0,
        options: &[CONFIG, RELEASES, FORMAT],
        notes: "The newest comes first; `*` marks what serves.",
    },
    Verb {
        name: "rollback",
        aliases: &[],
        about: "let an earlier release serve again",
        usage: "[RELEASE] [--config FILE | --releases DIR] [--note TEXT]",
        positionals: 1,
        options: &[CONFIG, RELEASES, NOTE],
        notes: "\
RELEASE is the beginning of a release's name; without it, the one that was deployed before the one that
serves. A gateway that runs with the releases takes it at once and drops no connection; if it cannot,
nothing changes.

Exit codes: 0 it serves, 1 there is no such release or it was refused, 2 usage.",
    },
    Verb {
        name: "reload",
        aliases: &[],
        about: "make a running gateway read its configuration again",
        usage: "[--config FILE | --pid PID]",
        positionals: 0,
        options: &[
            CONFIG,
            Opt {
                long: "pid",
                short: Some('p'),
                value: Some("PID"),
                choices: &[],
                about: "the gateway's process, instead of its configuration",
            },
        ],
        notes: "\
Finds the gateway that runs with this configuration, asks it to reload, waits, and reports. An invalid
configuration is shown as `check` would; the gateway keeps the old one.

Gateways are found by their sockets in $RINGGATE_RUNTIME_DIR, or else $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR
or the folder for temporary files. One that cannot be found there gets a SIGHUP with --pid.

Exit codes: 0 the new configuration serves, 1 it was refused or no such gateway runs, 2 usage.",
    },
    Verb {
        name: "purge",
        aliases: &[],
        about: "have a running gateway let go of stored responses",
        usage: "all | url URL | route NAME | tag TAG [--config FILE | --pid PID]",
        positionals: 2,
        options: &[
            CONFIG,
            Opt {
                long: "pid",
                short: Some('p'),
                value: Some("PID"),
                choices: &[],
                about: "the gateway's process, instead of its configuration",
            },
        ],
        notes: "\
When it returns, no core sends any of them any more. URL is one that clients ask for, with its query; all of
its variants go. NAME is a route's, in quotes: the API's name, methods and path, \"shop GET /orders/{id}\".
TAG is a word of the Surrogate-Key or Cache-Tag header that the upstream had sent along.

Exit codes: 0 purged, 1 no such gateway runs or nothing is named so, 2 usage.",
    },
    Verb {
        name: "proxy",
        aliases: &["reverse-proxy"],
        about: "forward everything to one place, without a file",
        usage: "--listen ADDRESS --to ADDRESS",
        positionals: 0,
        options: &[
            Opt {
                long: "listen",
                short: Some('l'),
                value: Some("ADDRESS"),
                choices: &[],
                about: "where to listen: 127.0.0.1:8080, :8080 (all addresses), 8080 (loopback)",
            },
            Opt {
                long: "to",
                short: Some('t'),
                value: Some("ADDRESS"),
                choices: &[],
                about: "where to: 127.0.0.1:3000, http://host:3000, unix:/run/app.sock, 3000 (loopback)",
            },
        ],
        notes: "  ringgate proxy --listen :8080 --to 127.0.0.1:3000",
    },
    Verb {
        name: "version",
        aliases: &[],
        about: "print the version; --verbose: build, kernel, io_uring features",
        usage: "[--verbose]",
        positionals: 0,
        options: &[Opt {
            long: "verbose",
            short: Some('v'),
            value: None,
            choices: &[],
            about: "build, kernel, io_uring features found",
        }],
        notes: "",
    },
    Verb {
        name: "completions",
        aliases: &["completion"],
        about: "print a completion script",
        usage: "bash|zsh|fish",
        positionals: 1,
        options: &[],
        notes: "\
  source <(ringgate completions bash)
  ringgate completions zsh > \"${fpath[1]}/_ringgate\"
  ringgate completions fish > ~/.config/fish/completions/ringgate.fish",
    },
    Verb {
        name: "help",
        aliases: &[],
        about: "print this, or the help of one command",
        usage: "[COMMAND]",
        positionals: 1,
        options: &[],
        notes: "",
    },
];

/// The command called `name`, or known by it.
pub(super) fn find(name: &str) -> Option<&'static Verb> {
    VERBS.iter().find(|verb| verb.name == name || verb.aliases.contains(&name))
}

/// The command or option nearest to what was typed, if one is near.
pub(super) fn nearest<'a>(typed: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    names
        .map(|name| (strsim::damerau_levenshtein(typed, name), name))
        .filter(|(distance, name)| *distance <= name.len().max(typed.len()) / 3 + 1 && *distance < name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{VERBS, find, nearest};

    #[test]
    fn names_and_aliases_are_unique() {
        let mut all: Vec<&str> = VERBS.iter().flat_map(|v| v.aliases.iter().chain([&v.name])).copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|name| find(name).is_some()));
    }

    #[test]
    fn short_options_are_unique_within_a_command_and_not_help() {
        for verb in VERBS {
            let mut shorts: Vec<char> = verb.options.iter().filter_map(|o| o.short).collect();
            let count = shorts.len();
            shorts.sort_unstable();
            shorts.dedup();
            assert_eq!(shorts.len(), count, "{}", verb.name);
            assert!(!shorts.contains(&'h'), "{}", verb.name);
        }
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = || VERBS.iter().map(|v| v.name);
        for (typed, expect) in [("chekc", Some("check")), ("rutes", Some("routes")), ("relaod", Some("reload"))] {
            assert_eq!(nearest(typed, names()).as_deref(), expect, "{typed}");
        }
        assert_eq!(nearest("frobnicate", names()), None);
    }
}
