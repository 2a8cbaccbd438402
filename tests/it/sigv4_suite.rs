//! The published suite of signatures (Signature Version 4), as botocore carries it: every request is signed to the published
//! `Authorization`, and every signed request is verified.
//!
//! `RINGGATE_SIGV4_SUITE` names a checkout of <https://github.com/boto/botocore>. Without the variable this is skipped also where
//! real peers are required: the suite is in no package.

use ringgate::{
    auth::sigv4::{
        Body, Core, Outgoing, Request, Secret, Signer, User, Users, Verifier, body,
        fuzz::{NOW, content, request},
    },
    base::clock::UnixTime,
};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

#[test]
fn the_published_suite_is_signed_and_verified() {
    let Some(root) = std::env::var_os("RINGGATE_SIGV4_SUITE") else {
        println!("SKIPPED: RINGGATE_SIGV4_SUITE does not name a checkout of botocore");
        return;
    };
    let mut cases = Vec::new();
    collect(&Path::new(&root).join("tests/unit/auth/aws4_testsuite"), &mut cases);
    cases.sort();
    for case in &cases {
        check(case);
    }
    println!("{} requests of the suite", cases.len());
    assert!(cases.len() >= 30, "{} requests: is this the suite?", cases.len());
}

fn check(case: &Path) {
    let read = |extension: &str| {
        let path = case.with_extension(extension);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())).replace('\r', "")
    };
    let (sent, published) = (read("req"), read("authz"));
    let name = case.display();
    let (head, bytes) = request(sent.as_bytes()).unwrap_or_else(|| panic!("{name}: {sent}"));
    let payload = body::hash(content(sent.as_bytes()));

    // Signed by us: the date and the token are what signing adds.
    let canonical = read("creq");
    let token = canonical.lines().find_map(|line| line.strip_prefix("x-amz-security-token:"));
    let secret_token = token.map(|token| Secret::new(token.as_bytes()));
    let mut headers: Vec<(String, &[u8])> = Vec::new();
    for field in &head.fields {
        let name = String::from_utf8_lossy(field.name.of(&bytes)).to_ascii_lowercase();
        if !matches!(name.as_str(), "x-amz-date" | "x-amz-security-token") {
            headers.push((name, field.value.of(&bytes)));
        }
    }
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let method = std::str::from_utf8(head.method_token.of(&bytes)).unwrap();
    let (path, query) = (head.path.of(&bytes), head.query.of(&bytes));
    let outgoing = Outgoing { method, path, query, headers: &headers, payload };
    let secret = Secret::new(SECRET.as_bytes());
    let mut signer = Signer::new("AKIDEXAMPLE", secret.clone(), secret_token.clone(), "us-east-1", "service");
    assert_eq!(signer.sign(&outgoing, NOW).authorization, published, "{name}");

    // Verified by us, as published.
    let user = User {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: secret,
        session_token: secret_token,
        expires: None,
    };
    let verifier = Verifier::new(Arc::new(Users::new(vec![user])), "us-east-1", "service");
    let (first, rest) = sent.split_once('\n').unwrap();
    let has_token = sent.to_ascii_lowercase().contains("x-amz-security-token:");
    let added = token.filter(|_| !has_token).map(|token| format!("X-Amz-Security-Token:{token}\n")).unwrap_or_default();
    let signed = format!("{first}\nAuthorization:{published}\n{added}{rest}");
    let verdict = |text: &str, now: UnixTime| {
        let (head, bytes) = request(text.as_bytes()).unwrap();
        let body = Body::Hash(body::hash(content(text.as_bytes())));
        verifier.verify(Request { head: &head, bytes: &bytes }, body, now, &mut Core::default()).map(|it| it.user.0)
    };
    assert_eq!(verdict(&signed, NOW), Ok(0), "{name}");
    let other = if published.ends_with('0') { '1' } else { '0' };
    let forged = signed.replace(&published, &format!("{}{other}", &published[..published.len() - 1]));
    assert!(verdict(&forged, NOW).is_err(), "{name}");
    let later = UnixTime::from_nanos(NOW.nanos() + 301_000_000_000);
    assert!(verdict(&signed, later).is_err(), "{name}");
}

/// Every request of the suite: files that end with `.req`.
fn collect(folder: &Path, cases: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, cases);
        } else if path.extension().is_some_and(|extension| extension == "req") {
            cases.push(path);
        }
    }
}
