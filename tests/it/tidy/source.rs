//! Reading Rust, as much of it as the checks need.

/// Every room that the file names, with the line: `crate::room…`, `use crate::{room, …}`, `super::…` that leaves the
/// room, and `ringgate::room…` in the program.
pub(super) fn imports(path: &str, text: &str) -> Vec<(usize, String)> {
    let code = code_only(text);
    let mut found = Vec::new();
    let own_name = if room_of(path) == "main" { "ringgate" } else { "crate" };
    for at in words(&code, own_name) {
        push_targets(&code, at + own_name.len(), text, &mut found);
    }
    for at in words(&code, "super") {
        // The first `super` of a chain decides; the others are counted with it.
        if code[..at].trim_end().ends_with("super::") || code[..at].trim_end().ends_with("crate") {
            continue;
        }
        let mut end = at;
        let mut ups = 0;
        while code[end..].starts_with("super") {
            ups += 1;
            end += "super".len();
            if code[end..].starts_with("::super") {
                end += 2;
            }
        }
        if ups >= module_depth(path) + inline_modules_around(&code, at) {
            push_targets(&code, end, text, &mut found);
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Reads `::name`, or `::{a::b, c, d::{e}}`, at `at`; pushes the first segment of each.
pub(super) fn push_targets(code: &str, at: usize, text: &str, found: &mut Vec<(usize, String)>) {
    let line = line_of(text, at);
    let Some(rest) = code[at..].trim_start().strip_prefix("::") else { return };
    let rest = rest.trim_start();
    let Some(group) = rest.strip_prefix('{') else {
        push_segment(rest, line, found);
        return;
    };
    let mut depth = 0;
    let mut start = 0;
    for (index, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                push_segment(group[start..index].trim_start(), line, found);
                start = index + 1;
                if c == '}' {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// Names that begin with a capital letter, or stand before `!`, are items of the crate's root, which has none.
pub(super) fn push_segment(text: &str, line: usize, found: &mut Vec<(usize, String)>) {
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    if !name.is_empty() && name != "self" && name != "super" && name != "in" {
        found.push((line, name));
    }
}

/// How many `super` lead from the file's top level to the crate's root.
pub(super) fn module_depth(path: &str) -> usize {
    let inner = path.strip_prefix("src/").unwrap_or(path);
    let parts = inner.split('/').count();
    if inner.ends_with("/mod.rs") || inner == "lib.rs" || inner == "main.rs" { parts - 1 } else { parts }
}

/// How many `mod name { … }` of the same file enclose the place.
pub(super) fn inline_modules_around(code: &str, at: usize) -> usize {
    words(code, "mod")
        .into_iter()
        .take_while(|start| *start < at)
        .filter(|start| {
            let rest = &code[*start..];
            let Some(open) = rest.find('{') else { return false };
            !rest[..open].contains(';')
                && matching_brace(code, start + open).is_none_or(|end| end > at)
                && start + open < at
        })
        .count()
}

/// The functions of a file: name, line, and how many lines of code from its name to its closing brace.
pub(super) fn functions(text: &str) -> Vec<(String, usize, usize)> {
    let code = code_only(text);
    let mut found = Vec::new();
    for at in words(&code, "fn") {
        let name: String =
            code[at + 2..].trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if name.is_empty() {
            continue;
        }
        // A declaration ends in a semicolon before any brace; `[u8; 4]` in a signature is not its end.
        let mut brackets = 0;
        let open = code[at..].char_indices().find(|(_, c)| {
            match c {
                '[' | '(' => brackets += 1,
                ']' | ')' => brackets -= 1,
                _ => {}
            }
            brackets == 0 && (*c == '{' || *c == ';')
        });
        let Some((offset, '{')) = open else { continue };
        let Some(end) = matching_brace(&code, at + offset) else { continue };
        let lines = code[at..=end].lines().filter(|line| !line.trim().is_empty()).count();
        found.push((name, line_of(text, at), lines));
    }
    found
}

pub(super) fn matching_brace(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(index);
                }
            }
            _ => {}
        }
    }
    None
}

pub(super) fn lines_before_tests(text: &str) -> usize {
    let mut lines = 0;
    let mut all = text.lines().peekable();
    while let Some(line) = all.next() {
        if line == "#[cfg(test)]" && all.peek().is_some_and(|next| next.starts_with("mod ") && next.ends_with('{')) {
            break;
        }
        lines += 1;
    }
    lines
}

/// The text with comments, strings and character literals blanked out, byte for byte as long, lines kept.
pub(super) fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => find(bytes, at, b"\n"),
            b'/' if bytes[at..].starts_with(b"/*") => end_of_block_comment(bytes, at),
            b'"' => end_of_string(bytes, at),
            b'r' | b'b' | b'c' if !continues_word(bytes, at) => match raw_string(bytes, at) {
                Some(end) => end,
                None => {
                    at += 1;
                    continue;
                }
            },
            b'\'' => match end_of_character(bytes, at) {
                Some(end) => end,
                None => {
                    at += 1;
                    continue;
                }
            },
            _ => {
                at += 1;
                continue;
            }
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(out).expect("whole characters were blanked")
}

pub(super) fn find(bytes: &[u8], from: usize, what: &[u8]) -> usize {
    bytes[from..].windows(what.len()).position(|window| window == what).map_or(bytes.len(), |found| from + found)
}

pub(super) fn end_of_block_comment(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0_usize;
    let mut index = at;
    while index < bytes.len() {
        if bytes[index..].starts_with(b"/*") {
            depth += 1;
            index += 2;
        } else if bytes[index..].starts_with(b"*/") {
            depth -= 1;
            index += 2;
            if depth == 0 {
                return index;
            }
        } else {
            index += 1;
        }
    }
    bytes.len()
}

pub(super) fn end_of_string(bytes: &[u8], at: usize) -> usize {
    let mut index = at + 1;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' => index += 2,
            b'"' => return index + 1,
            _ => index += 1,
        }
    }
    bytes.len()
}

/// The end of `r"…"`, `r#"…"#`, `br"…"`, if one begins here. (`b"…"` is found at its quote.)
pub(super) fn raw_string(bytes: &[u8], at: usize) -> Option<usize> {
    let mut index = at;
    if matches!(bytes[index], b'b' | b'c') {
        index += 1;
    }
    if bytes.get(index) != Some(&b'r') {
        return None;
    }
    index += 1;
    let hashes = bytes[index..].iter().take_while(|byte| **byte == b'#').count();
    if bytes.get(index + hashes) != Some(&b'"') {
        return None;
    }
    let mut close = vec![b'"'];
    close.extend(std::iter::repeat_n(b'#', hashes));
    Some((find(bytes, index + hashes + 1, &close) + close.len()).min(bytes.len()))
}

/// The end of a character literal; `None` for a lifetime or a label.
pub(super) fn end_of_character(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at + 1) == Some(&b'\\') {
        return Some((find(bytes, at + 3, b"'") + 1).min(bytes.len()));
    }
    let width = std::str::from_utf8(&bytes[at + 1..(at + 5).min(bytes.len())])
        .map_or_else(|error| error.valid_up_to(), str::len);
    let first = std::str::from_utf8(&bytes[at + 1..at + 1 + width]).ok()?.chars().next()?.len_utf8();
    (bytes.get(at + 1 + first) == Some(&b'\'')).then_some(at + 1 + first + 1)
}

pub(super) fn continues_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_')
}

/// Where `word` stands as a whole word.
pub(super) fn words(text: &str, word: &str) -> Vec<usize> {
    words_starting(text, word)
        .into_iter()
        .filter(|at| !text[at + word.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_'))
        .collect()
}

/// Where a word begins with `word`.
pub(super) fn words_starting(text: &str, word: &str) -> Vec<usize> {
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(|at| !text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .collect()
}

/// Every `ringgate_…` inside a string literal or a comment.
pub(super) fn metric_names(text: &str) -> Vec<(usize, &str)> {
    let code = code_only(text);
    words_starting(text, "ringgate_")
        .into_iter()
        .filter(|at| code.as_bytes()[*at] == b' ')
        .map(|at| {
            let length = text[at..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
            (at, &text[at..at + length])
        })
        .filter(|(_, name)| *name != "ringgate_")
        .collect()
}

pub(super) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

pub(super) fn room_of(path: &str) -> String {
    let inner = path.strip_prefix("src/").unwrap_or(path);
    inner.split_once('/').map_or_else(|| inner.trim_end_matches(".rs"), |(room, _)| room).to_owned()
}
