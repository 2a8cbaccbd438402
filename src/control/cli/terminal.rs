//! Where a command's text goes, and whether it may be coloured.

use std::io::{IsTerminal, Write};

/// The two streams of a command: results and complaints.
pub(crate) struct Terminal {
    /// Results: what a script reads.
    pub out: Stream,
    /// Errors and warnings.
    pub err: Stream,
}

/// A stream that ignores a reader who left (`ringgate routes | head`), and knows whether it shows colours.
pub(crate) struct Stream {
    to: Box<dyn Write>,
    color: bool,
}

impl Terminal {
    /// This process's standard output and error.
    pub(crate) fn standard() -> Self {
        let allowed = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            out: Stream { to: Box::new(std::io::stdout()), color: allowed && std::io::stdout().is_terminal() },
            err: Stream { to: Box::new(std::io::stderr()), color: allowed && std::io::stderr().is_terminal() },
        }
    }
}

impl Stream {
    /// Writes one line.
    pub(crate) fn line(&mut self, text: &str) {
        self.text(&format!("{text}\n"));
    }

    /// Writes `text` as it is.
    pub(crate) fn text(&mut self, text: &str) {
        // A reader that went away is no failure of the command, and there is nobody left to tell.
        let _ = self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush());
    }

    /// Whether colours are shown.
    pub(crate) fn color(&self) -> bool {
        self.color
    }

    /// `text` as an error's mark.
    pub(crate) fn red(&self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// `text` as a good outcome.
    pub(crate) fn green(&self, text: &str) -> String {
        self.paint("32", text)
    }

    /// `text` as a heading.
    pub(crate) fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Lays out `rows` in columns with two spaces between them; the last column is not padded.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|r| r.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["long".to_owned(), String::new()]];
        assert_eq!(table(&rows), "a     b\nlong\n");
    }
}
