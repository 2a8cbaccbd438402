//! `[admin]` as written.

use super::{
    diagnostic::{Code, Diagnostic},
    reader::{FileValue, Reader},
    source::Text,
};
use crate::base::limits;

/// `[admin]`
#[derive(Clone, Debug)]
pub struct Admin {
    /// `listen`, not yet parsed; `None` if it could not be read.
    pub listen: Option<Text>,
    /// `token_file`, its content without the line end at its end.
    pub token_file: Option<FileValue>,
    /// It was written, whether or not it could be read.
    pub has_token_file: bool,
}

pub(super) fn read(table: &Reader<'_>) -> Admin {
    let token_file = table.file("token_file", limits::TOKEN_FILE_BYTES_MAX).and_then(|file| token(table, file));
    Admin { listen: table.text("listen"), token_file, has_token_file: table.key_place("token_file").is_some() }
}

/// A token must be able to stand in a header: visible ASCII, nothing else (RFC 6750 §2.1).
fn token(table: &Reader<'_>, mut file: FileValue) -> Option<FileValue> {
    let end = file.bytes.trim_ascii_end().len();
    file.bytes.truncate(end);
    let problem = if file.bytes.is_empty() {
        "is empty"
    } else if !file.bytes.iter().all(u8::is_ascii_graphic) {
        "holds more than one word of visible ASCII"
    } else {
        return Some(file);
    };
    let message = format!("the token file `{}` {problem}", file.path.display());
    let diagnostic = Diagnostic::error(Code::FILE_VALUE, file.written.place, message);
    table.add(diagnostic.expected("expected a file with one token, as from `openssl rand -hex 32`"));
    None
}
