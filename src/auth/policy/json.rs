//! The JSON of policies: everyone reads the same in it, no member twice, not too deep.

use crate::base::{json, limits};
use serde_json::Value;

/// Reads one policy's text.
pub(super) fn parse(text: &[u8]) -> Result<Value, String> {
    if text.len() > limits::POLICY_BYTES_MAX {
        return Err(format!("larger than {} bytes", limits::POLICY_BYTES_MAX));
    }
    json::parse_document(text, limits::POLICY_DEPTH_MAX)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn json_means_one_thing() {
        assert_eq!(parse(br#"{"a":[1,true,null,"x",1.5,-1]}"#).unwrap()["a"][4], 1.5);
        for (text, why) in [
            (r#"{"Effect":"Deny","Effect":"Allow"}"#, "is there twice"),
            ("{} {}", "trailing"),
            ("", "EOF"),
            ("{", "EOF"),
            ("{a:1}", "key must be a string"),
            (&"[".repeat(100), "nested deeper"),
            ("1e999", "out of range"),
        ] {
            let wrong = parse(text.as_bytes()).unwrap_err();
            assert!(wrong.contains(why), "{text}: {wrong}");
        }
        assert!(parse(b"\"\xff\"").is_err());
    }
}
