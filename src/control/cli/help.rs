//! Help pages, made from the table of commands.

use super::{
    Exit,
    arguments::{Matches, UsageError},
    terminal::{Terminal, table},
    verbs::{VERBS, Verb, find, nearest},
};

/// `ringgate help [COMMAND]`
pub(super) fn run(matches: &Matches, terminal: &mut Terminal) -> Result<Exit, UsageError> {
    let Some(name) = matches.positional_text(0)? else {
        overview(terminal);
        return Ok(Exit::Done);
    };
    match find(name) {
        Some(found) => Ok(verb(found, terminal)),
        None => Err(UsageError {
            nearest: nearest(name, VERBS.iter().map(|v| v.name)),
            ..matches.wrong(format!("unknown command `{name}`"))
        }),
    }
}

/// The page of one command.
pub(super) fn verb(verb: &Verb, terminal: &mut Terminal) -> Exit {
    let out = &mut terminal.out;
    let title = out.bold(&format!("ringgate {}", verb.name));
    out.line(&format!("{title}: {}", verb.about));
    out.line(&format!("\nUsage: {}", format!("ringgate {} {}", verb.name, verb.usage).trim_end()));
    if !verb.aliases.is_empty() {
        out.line(&format!("Also known as: {}", verb.aliases.join(", ")));
    }
    out.text(&format!("\nOptions\n{}", options(verb)));
    if !verb.notes.is_empty() {
        out.line(&format!("\n{}", verb.notes));
    }
    Exit::Done
}

fn overview(terminal: &mut Terminal) {
    let out = &mut terminal.out;
    let title = out.bold("ringgate");
    let rows: Vec<Vec<String>> = VERBS.iter().map(|v| vec![format!("  {}", v.name), v.about.to_owned()]).collect();
    out.line(&format!("{title} {}: a self-hosted API gateway", env!("CARGO_PKG_VERSION")));
    out.line("\nUsage: ringgate [COMMAND] [OPTIONS]");
    out.text(&format!("\nCommands\n{}", table(&rows)));
    out.line("\n`ringgate help COMMAND` tells more about one; `ringgate` alone is `ringgate run`.");
}

fn options(verb: &Verb) -> String {
    let mut rows: Vec<Vec<String>> = verb
        .options
        .iter()
        .map(|option| {
            let short = option.short.map_or_else(|| "    ".to_owned(), |c| format!("-{c}, "));
            let value = option.value.map_or_else(String::new, |v| format!(" {v}"));
            vec![format!("  {short}--{}{value}", option.long), option.about.to_owned()]
        })
        .collect();
    rows.push(vec!["  -h, --help".to_owned(), "print this".to_owned()]);
    table(&rows)
}
