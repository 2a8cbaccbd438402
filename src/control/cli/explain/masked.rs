//! Heads as they may be shown: what is explained is pasted into tickets.

/// A head with the values of fields that hold credentials left out.
pub(super) fn masked(head: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len());
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        if name.len() < line.len() && CREDENTIALS.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
            out.extend_from_slice(name);
            out.extend_from_slice(b": ***\r\n");
        } else {
            out.extend_from_slice(line);
        }
    }
    out
}

const CREDENTIALS: [&str; 5] = ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-amz-security-token"];

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn credentials_are_left_out_and_nothing_else() {
        for (head, shown) in [
            ("GET /a:b HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a:b HTTP/1.1\r\nHost: h\r\n\r\n"),
            ("X-API-key: a: b\r\nAccept: c\r\n\r\n", "X-API-key: ***\r\nAccept: c\r\n\r\n"),
            ("authorization:Bearer a\r\n\r\n", "authorization: ***\r\n\r\n"),
            ("X-Cookie: a\r\nCookie\r\n", "X-Cookie: a\r\nCookie\r\n"),
            ("", ""),
        ] {
            assert_eq!(String::from_utf8(masked(head.as_bytes())).unwrap(), shown);
        }
    }
}
