//! Completion scripts, made from the table of commands.

use super::{
    Exit,
    arguments::{Matches, UsageError},
    terminal::Terminal,
    verbs::{Opt, VERBS, nearest},
};
use std::fmt::Write;

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// `ringgate completions SHELL`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let script = match matches.positional_text(0)? {
        Some("bash") => bash(),
        Some("zsh") => format!("#compdef ringgate\nautoload -U +X bashcompinit && bashcompinit\n{}", bash()),
        Some("fish") => fish(),
        Some(other) => {
            let what = format!("no completions for `{other}`; there are some for {}", SHELLS.join(", "));
            return Err(UsageError { nearest: nearest(other, SHELLS.into_iter()), ..matches.wrong(what) });
        }
        None => return Err(matches.wrong(format!("which shell? One of {}", SHELLS.join(", ")))),
    };
    terminal.out.text(&script);
    Ok(Exit::Done)
}

fn bash() -> String {
    let names: Vec<&str> = VERBS.iter().map(|v| v.name).collect();
    let mut cases = String::new();
    for verb in VERBS {
        let words: Vec<String> = verb.options.iter().map(|o| format!("--{}", o.long)).collect();
        let positionals = positionals(verb.name).join(" ");
        let words = format!("{} --help {positionals}", words.join(" "));
        let _ = writeln!(cases, "    {}) words=\"{}\" ;;", verb.name, words.trim());
    }
    format!(
        r#"_ringgate() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" words
  case "$previous" in
    --config|-c) COMPREPLY=($(compgen -f -- "$current")); return ;;
    --format) COMPREPLY=($(compgen -W "human json" -- "$current")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{} --help --version" -- "$current")); return
  fi
  case "${{COMP_WORDS[1]}}" in
{cases}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  case "${{COMP_WORDS[1]}}:$current" in
    check:-*|init:-*) ;;
    check:*|init:*) COMPREPLY+=($(compgen -f -- "$current")) ;;
  esac
}}
complete -o filenames -F _ringgate ringgate
"#,
        names.join(" ")
    )
}

fn fish() -> String {
    let mut text = String::from("complete -c ringgate -f\n");
    for verb in VERBS {
        let about = verb.about.replace('\'', "\\'");
        let _ = writeln!(text, "complete -c ringgate -n __fish_use_subcommand -a {} -d '{about}'", verb.name);
        let when = format!("-n '__fish_seen_subcommand_from {}'", verb.name);
        for option in verb.options {
            let _ = writeln!(text, "complete -c ringgate {when} {}", fish_option(option));
        }
        for word in positionals(verb.name) {
            let _ = writeln!(text, "complete -c ringgate {when} -a {word}");
        }
        if matches!(verb.name, "check" | "init") {
            let _ = writeln!(text, "complete -c ringgate {when} -F");
        }
    }
    text
}

fn fish_option(option: &Opt) -> String {
    let short = option.short.map_or_else(String::new, |c| format!("-s {c} "));
    let value = match (option.value, option.choices) {
        (None, _) => String::new(),
        (Some("FILE"), _) => "-r -F ".to_owned(),
        (Some(_), []) => "-x ".to_owned(),
        (Some(_), choices) => format!("-x -a '{}' ", choices.join(" ")),
    };
    format!("{short}-l {} {value}-d '{}'", option.long, option.about.replace('\'', "\\'"))
}

fn positionals(verb: &str) -> Vec<&'static str> {
    match verb {
        "completions" => SHELLS.to_vec(),
        "help" => VERBS.iter().map(|v| v.name).collect(),
        "explain" => vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
        _ => Vec::new(),
    }
}
