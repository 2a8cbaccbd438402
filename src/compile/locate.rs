//! Where in a JSON text a JSON Pointer leads: parsers of values do not keep places.

/// The offset of the value that `pointer` (RFC 6901) leads to; `None` if it leads nowhere.
pub(super) fn locate(text: &str, pointer: &str) -> Option<usize> {
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0 };
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        scanner.enter(&token)?;
    }
    scanner.blanks();
    Some(scanner.at)
}

struct Scanner<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Goes to the member or element `token` of the value here.
    fn enter(&mut self, token: &str) -> Option<()> {
        self.blanks();
        let opening = self.peek()?;
        self.at += 1;
        let mut index = 0_usize;
        loop {
            self.blanks();
            let found = match opening {
                b'{' => {
                    let name = self.string()?;
                    self.blanks();
                    self.at += 1;
                    name == token
                }
                b'[' if self.peek()? != b']' => index.to_string() == token,
                _ => return None,
            };
            if found {
                return Some(());
            }
            self.skip()?;
            self.blanks();
            if self.peek()? != b',' {
                return None;
            }
            self.at += 1;
            index += 1;
        }
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        if self.peek()? != b'"' {
            return None;
        }
        self.at += 1;
        while self.peek()? != b'"' {
            self.at += if self.peek()? == b'\\' { 2 } else { 1 };
        }
        self.at += 1;
        serde_json::from_slice(self.bytes.get(start..self.at)?).ok()
    }

    /// Goes behind the value here.
    fn skip(&mut self) -> Option<()> {
        self.blanks();
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => drop(self.string()?),
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => return Some(()),
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' if depth == 0 => return Some(()),
                _ => self.at += 1,
            }
            if depth == 0 && matches!(self.peek(), None | Some(b',' | b'}' | b']')) {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::locate;

    #[test]
    fn a_pointer_leads_to_its_value() {
        let text = r#" {"a": [1, {"b/c": "x,]"}], "d\u0065": {"f": [[], 2]}, "g": true}"#;
        for (pointer, expect) in [
            ("", Some("{\"a\"")),
            ("/a/0", Some("1,")),
            ("/a/1/b~1c", Some("\"x,]\"")),
            ("/de/f/1", Some("2]")),
            ("/g", Some("true")),
            ("/h", None),
            ("/a/2", None),
            ("/g/x", None),
        ] {
            let found = locate(text, pointer).map(|at| &text[at..]);
            assert_eq!(
                found.map(|f| f.starts_with(expect.unwrap_or("?"))),
                expect.map(|_| true),
                "{pointer} {found:?}"
            );
        }
        for broken in ["{", "{\"a\"", "[1,", "", "{\"a\":\"", "{\"a\":\"\\"] {
            assert_eq!(locate(broken, "/a/0"), None, "{broken}");
        }
    }
}
