use super::{
    Body, Core, EXECUTE_API, Failure, Kind, Outgoing, Request, Secret, Signer, User, UserId, Users, Verifier, body,
    fuzz::{NOW, content, judge, request},
    time,
};
use crate::base::clock::UnixTime;
use proptest::prelude::*;
use std::sync::Arc;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn user(key: &str) -> User {
    let secret_access_key = Secret::new(SECRET.as_bytes());
    User { access_key_id: key.into(), secret_access_key, session_token: None, expires: None }
}

fn verifier() -> Verifier {
    let temporary = User { session_token: Some(Secret::new(&b"token/+="[..])), ..user("ASIATEMP") };
    let ended = User { expires: Some(NOW.seconds()), ..user("AKIDENDED") };
    Verifier::new(Arc::new(Users::new(vec![user("AKIDEXAMPLE"), temporary, ended])), "us-east-1", EXECUTE_API)
}

/// A signed request as text.
fn signed(
    key: &str,
    token: Option<&str>,
    start: &str,
    headers: &[(&str, &str)],
    content: &str,
    now: UnixTime,
) -> String {
    let token = token.map(|token| Secret::new(token.as_bytes()));
    let mut signer = Signer::new(key, Secret::new(SECRET.as_bytes()), token, "us-east-1", EXECUTE_API);
    let (method, target) = start.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let bytes: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let payload = body::hash(content.as_bytes());
    let outgoing = Outgoing { method, path: path.as_bytes(), query: query.as_bytes(), headers: &bytes, payload };
    let mut text = format!("{start} HTTP/1.1\n");
    for (name, value) in headers {
        text += &format!("{name}:{value}\n");
    }
    for (name, value) in signer.sign(&outgoing, now).headers() {
        text += &format!("{name}:{}\n", String::from_utf8_lossy(value));
    }
    text + "\n" + content
}

fn presigned(seconds: u64, token: Option<&str>) -> String {
    let token = token.map(|token| Secret::new(token.as_bytes()));
    let key = if token.is_some() { "ASIATEMP" } else { "AKIDEXAMPLE" };
    let mut signer = Signer::new(key, Secret::new(SECRET.as_bytes()), token, "us-east-1", EXECUTE_API);
    let headers: [(&str, &[u8]); 1] = [("host", b"example.com")];
    let outgoing =
        Outgoing { method: "GET", path: b"/prod/pets", query: b"a=b", headers: &headers, payload: body::EMPTY };
    let query = String::from_utf8(signer.presign(&outgoing, seconds, NOW)).unwrap();
    format!("GET /prod/pets?{query} HTTP/1.1\nhost:example.com\n\n")
}

fn plain() -> String {
    signed("AKIDEXAMPLE", None, "GET /prod/pets?b=2&a=1", &[("host", "example.com"), ("x-amz-meta", "1")], "", NOW)
}

fn verdict(text: &str, now: u64) -> Result<UserId, Failure> {
    let (head, bytes) = request(text.as_bytes()).expect(text);
    let body = Body::Hash(body::hash(content(text.as_bytes())));
    let now = UnixTime::from_nanos(now * 1_000_000_000);
    verifier().verify(Request { head: &head, bytes: &bytes }, body, now, &mut Core::default()).map(|it| it.user)
}

#[test]
fn what_was_signed_is_accepted() {
    let now = NOW.seconds();
    let post = |content| signed("AKIDEXAMPLE", None, "POST /prod/pets", &[("host", "example.com")], content, NOW);
    let announced = String::from_utf8(body::hex(&body::hash(b"{}")).to_vec()).unwrap();
    let headers = [("host", "example.com"), ("x-amz-content-sha256", announced.as_str())];
    let cases = [
        (plain(), UserId(0), "a request without a body"),
        (post("{\"a\":1}"), UserId(0), "the body's hash is computed"),
        (signed("AKIDEXAMPLE", None, "POST /x", &headers, "{}", NOW), UserId(0), "the body's hash is announced"),
        (signed("ASIATEMP", Some("token/+="), "GET /", &[("host", "h")], "", NOW), UserId(1), "temporary credentials"),
        (presigned(3600, None), UserId(0), "reference 7.1: the presigned form"),
        (presigned(3600, Some("token/+=")), UserId(1), "with temporary credentials"),
        (plain().replace("?b=2&a=1", "?a=1&b=%32"), UserId(0), "order and encoding of a query are not signed"),
        (plain().replace("/prod/pets", "//prod/./pets"), UserId(0), "nor is how a path is written"),
        (plain().replace("x-amz-meta:1", "X-AMZ-Meta:  1 "), UserId(0), "nor are letter case and blanks"),
        (plain().replace("\n\n", "\nx-new:1\nx-amz-cf-id:1\n\n"), UserId(0), "headers that others add on the way"),
        (
            plain().replace("host;x-amz-date;x-amz-meta", "X-Amz-Meta;Host;x-amz-date"),
            UserId(0),
            "the list of signed headers in any order",
        ),
    ];
    for (text, user, why) in cases {
        assert_eq!(verdict(&text, now), Ok(user), "{why}: {text}");
    }
    // The published example: what others sign is what we sign.
    let mut signer = Signer::new("AKIDEXAMPLE", Secret::new(SECRET.as_bytes()), None, "us-east-1", "service");
    let headers: [(&str, &[u8]); 1] = [("host", b"example.amazonaws.com")];
    let outgoing = Outgoing { method: "GET", path: b"/", query: b"", headers: &headers, payload: body::EMPTY };
    assert_eq!(
        signer.sign(&outgoing, NOW).authorization,
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
}

/// A request, the kind of failure, how its text begins, and why.
type Told = (String, Kind, &'static str, &'static str);

fn with(authorization: &str) -> String {
    format!("GET / HTTP/1.1\nhost:h\nauthorization:{authorization}\n\n")
}

fn swap(from: &str, to: &str) -> String {
    let plain = plain();
    assert!(plain.contains(from), "{from}");
    plain.replace(from, to)
}

fn told(cases: impl IntoIterator<Item = Told>) {
    for (text, kind, message, why) in cases {
        let failure = verdict(&text, NOW.seconds()).expect_err(&text);
        assert!(failure.to_string().starts_with(message), "{why}: {failure}\n{text}");
        assert_eq!(failure.kind(), kind, "{why}: {failure}");
    }
}

#[test]
fn a_header_that_is_no_signature_is_told_in_amazons_words() {
    let row = |text, message, why| -> Told { (text, Kind::Incomplete, message, why) };
    let pair = "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '";
    let all = "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=";
    let parts = "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKIDEXAMPLE/20150830/us-east-1/execute-api'";
    let algorithm = "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256' (only AWS4-HMAC-SHA256 for now)";
    let date = "Date must be in ISO-8601 'basic format'. Got '2015-08-30T12:36:00Z'.";
    let twice = |name: &str, text: &str| swap(name, text);
    told([
        ("GET / HTTP/1.1\nhost:h\n\n".into(), Kind::MissingToken, "Missing Authentication Token", "reference 7.1 [KC]"),
        row(with("Bearer eyJhbGciOi"), pair, "reference 7.1 [KC], as Amazon says it today: the token is not repeated"),
        row(with("Basic YWJj="), all, "reference 7.1 [KC]"),
        row(with("Credential=a"), "Authorization header must begin with the algorithm name", "no algorithm"),
        row(
            swap("Signature=", "signature="),
            "Authorization header requires 'Signature' parameter. (",
            "keys have case",
        ),
        row(swap("x-amz-date:", "x-amz-d:"), "Authorization header requires existence of either", "no date"),
        row(swap("Credential=AKID", "Credential= AKID"), "Invalid key=value pair", "a blank ends a pair"),
        row(swap("AWS4-HMAC-SHA256 ", "AWS4-ECDSA-P256-SHA256 "), algorithm, "no 4A"),
        row(swap("/aws4_request", ""), parts, "a part is missing"),
        row(swap("20150830T123600Z", "2015-08-30T12:36:00Z"), date, "the other format"),
        row(twice("Signature=", "Signature=0, Signature="), "'Signature' is there more than once.", "which one?"),
        row(twice("\n\n", "\nauthorization:x\n\n"), "'Authorization' is there more than once.", "which one?"),
        row(twice("\n\n", "\nx-amz-date:20150830T123600Z\n\n"), "'X-Amz-Date' is there more than once.", "which one?"),
        row(twice("host;", "host;host;"), "'SignedHeaders' is there more than once.", "a list of names"),
    ]);
    assert_eq!(verdict(&with("Bearer eyJhbGciOi"), NOW.seconds()).unwrap_err().to_string().find("eyJ"), None);
}

#[test]
fn a_signature_for_something_else_is_told_in_amazons_words() {
    let row = |text, message, why| -> Told { (text, Kind::Invalid, message, why) };
    let both = "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.";
    let region = "Credential should be scoped to a valid region, not 'eu-west-1'.";
    let service = "Credential should be scoped to correct service: 'execute-api'.";
    let end = "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws4'.";
    let day = "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20150829' != '20150830', from '20150830T123600Z'.";
    let host = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.";
    let unsigned = "There were headers present in the request which were not signed: ";
    let mismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";
    told([
        row(swap("?b=2", "?X-Amz-Algorithm=x&b=2"), both, "which one?"),
        row(swap("/us-east-1/", "/eu-west-1/"), region, "reference 7.1 [KC]"),
        row(swap("/execute-api/", "/s3/"), service, "reference 7.1 [KC]"),
        row(swap("/aws4_request", "/aws4"), end, "another end"),
        row(swap("/20150830/", "/20150829/"), day, "reference 7.1 [KC]"),
        row(swap("host;", ""), host, "reference 7.1, step 3"),
        row(swap("x-amz-date;", ""), unsigned, "reference 7.1, step 3"),
        row(swap("\n\n", "\nX-Amz-Target:x\n\n"), unsigned, "reference 7.1, step 3"),
        row(swap("x-amz-meta:1\n", ""), mismatch, "a signed header was taken away"),
        row(swap("GET ", "PUT "), mismatch, "reference 7.1 [KC]"),
    ]);
}

#[test]
fn who_is_not_known_is_told_in_amazons_words() {
    let unknown = "The security token included in the request is invalid.";
    let row = |text, why| -> Told { (text, Kind::Unrecognised, unknown, why) };
    let of = |key, token| signed(key, token, "GET /", &[("host", "h")], "", NOW);
    let expired = "The security token included in the request is expired";
    told([
        row(swap("Credential=AKIDEXAMPLE", "Credential=AKIDOTHER"), "reference 7.1"),
        row(of("ASIATEMP", None), "temporary credentials need their token"),
        row(of("ASIATEMP", Some("other")), "and no other"),
        row(of("AKIDEXAMPLE", Some("token/+=")), "others have none"),
        (of("AKIDENDED", None), Kind::ExpiredToken, expired, "reference 8.1"),
    ]);
}

#[test]
fn a_signature_holds_for_five_minutes() {
    let now = NOW.seconds();
    let expired =
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)";
    let early =
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)";
    for (shift, expect, why) in [
        (0, None, "now"),
        (300, None, "reference 7.1: five minutes later"),
        (301, Some(expired), "and a second"),
        (-300, None, "five minutes before"),
        (-301, Some(early), "and a second"),
    ] {
        let verdict = verdict(&plain(), now.strict_add_signed(shift));
        assert_eq!(verdict.err().map(|failure| failure.to_string()).as_deref(), expect, "{why}");
    }
    // An HTTP date does as well, and need not be signed: the signature is over the moment anyway.
    let date = "date:Sun, 30 Aug 2015 12:36:00 GMT";
    let text = plain().replace("x-amz-date:20150830T123600Z", date);
    assert!(matches!(verdict(&text, now), Err(Failure::Mismatch)), "the list of signed headers says otherwise");
}

#[test]
fn a_presigned_request_holds_for_as_long_as_it_says() {
    let now = NOW.seconds();
    let swap = |from: &str, to: &str| presigned(3600, None).replace(from, to);
    assert_eq!(verdict(&presigned(3600, None), now + 3600), Ok(UserId(0)));
    assert_eq!(verdict(&presigned(604_800, None), now + 604_800), Ok(UserId(0)), "seven days");
    assert_eq!(verdict(&presigned(1, None), now - 300), Ok(UserId(0)), "clocks differ");
    let cases = [
        (
            presigned(3600, None),
            3601,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T133601Z - 60 min.)",
            "over",
        ),
        (
            presigned(90, None),
            91,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T123731Z - 90 sec.)",
            "over",
        ),
        (presigned(604_801, None), 0, "X-Amz-Expires must be a number of seconds from 1 to 604800.", "too long"),
        (presigned(0, None), 0, "X-Amz-Expires must be", "no time at all"),
        (swap("Expires=3600", "Expires=%2b3600"), 0, "X-Amz-Expires must be", "no number"),
        (swap("Expires=3600", "Expires=3601"), 0, "The request signature we calculated does not match", "changed"),
        (swap("&X-Amz-Expires=3600", ""), 0, "The request signature we calculated does not match", "taken away"),
        (swap("&X-Amz-Expires=3600", ""), 301, "Signature expired:", "without it, five minutes"),
        (
            swap("X-Amz-Date", "X-Amz-D"),
            0,
            "AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters.",
            "no date",
        ),
        (
            swap("X-Amz-Algorithm=AWS4-HMAC-SHA256&", ""),
            0,
            "AWS query-string parameters must include 'X-Amz-Algorithm'.",
            "no algorithm",
        ),
        (swap("=AWS4-HMAC-SHA256&", "=AWS4-HMAC-SHA1&"), 0, "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA1'", "another"),
        (swap("a=b", "a=c"), 0, "The request signature we calculated does not match", "another query"),
        (swap("a=b", "a=b&X-Amz-Date=1"), 0, "'X-Amz-Date' is there more than once.", "which one?"),
        (
            swap("\n\n", "\nx-amz-target:1\n\n"),
            0,
            "There were headers present in the request which were not signed",
            "as in the header",
        ),
        (swap("\n\n", "\n\nbody"), 0, "The request signature we calculated does not match", "no body was signed"),
    ];
    for (text, later, message, why) in cases {
        let failure = verdict(&text, now + later).expect_err(&text);
        assert!(failure.to_string().starts_with(message), "{why}: {failure}\n{text}");
    }
}

#[test]
fn a_body_has_to_be_the_one_that_was_signed() {
    let headers = |hash: &'static str| [("host", "h"), ("x-amz-content-sha256", hash)];
    let right = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let hash = body::hash(b"{}");
    assert_eq!(body::hex(&hash), right.as_bytes());
    let announced = |sent, of: &str| signed("AKIDEXAMPLE", None, "POST /", &headers(sent), of, NOW);
    let silent = signed("AKIDEXAMPLE", None, "POST /", &[("host", "h")], "{}", NOW);
    let upper = "44136FA355B3678A1146AD16F7E8649E94FB4FC21FE77E8310C060F61CAAFF8A";
    let cases = [
        (announced(right, "{}"), Body::Hash(hash), Ok(None), "it is there"),
        (announced(right, "{}"), Body::Later, Ok(Some(hash)), "it is to come, and will have to be that"),
        (announced(right, "{}"), Body::Hash(body::hash(b"{ }")), Err(Failure::BodyMismatch), "it is another"),
        (announced(right, "{}"), Body::None, Err(Failure::BodyMismatch), "it is not there"),
        (announced(right, "[]"), Body::Hash(hash), Err(Failure::Mismatch), "announced is not what was signed"),
        (silent.clone(), Body::Hash(hash), Ok(None), "reference 7.1, step 4: computed"),
        (silent.clone(), Body::Hash(body::hash(b"")), Err(Failure::Mismatch), "another"),
        (silent.clone(), Body::None, Err(Failure::Mismatch), "none"),
        (silent, Body::Later, Err(Failure::BodyNeeded), "it has to be had first"),
        (announced("UNSIGNED-PAYLOAD", "{}"), Body::Hash(hash), Err(Failure::PayloadForm), "reference 7.1, step 4 [K]"),
        (announced("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ""), Body::Later, Err(Failure::PayloadForm), "S3's"),
        (announced(upper, "{}"), Body::Hash(hash), Err(Failure::PayloadForm), "hashes are in lower case"),
    ];
    for (text, body, expect, why) in cases {
        let (head, bytes) = request(text.as_bytes()).unwrap();
        let verdict = verifier().verify(Request { head: &head, bytes: &bytes }, body, NOW, &mut Core::default());
        assert_eq!(verdict.map(|it| it.body), expect, "{why}");
    }
}

/// Every letter and digit of a signed request, changed in every way that leaves it a letter or digit.
#[test]
fn no_change_of_what_is_signed_is_accepted() {
    let header = signed(
        "AKIDEXAMPLE",
        None,
        "POST /prod/pets/%41?b=2&a=%20x+y",
        &[("host", "example.com"), ("content-type", "text/plain; a=b"), ("x-amz-meta", "1"), ("x-amz-meta", "2")],
        "the body",
        NOW,
    );
    let (verifier, mut core) = (verifier(), Core::default());
    for text in [header, presigned(3600, None)] {
        assert_eq!(judge(&verifier, text.as_bytes(), &mut core), Ok(()));
        let line = text.find(" HTTP/1.1").unwrap()..text.find('\n').unwrap();
        for (at, before) in text.bytes().enumerate() {
            // The version is the transport's, and header names have no case.
            if !before.is_ascii_alphanumeric() || line.contains(&at) {
                continue;
            }
            let named = |key: &str| text.find(key).is_some_and(|start| (start..start + key.len()).contains(&at));
            for after in (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z') {
                let mut changed = text.clone().into_bytes();
                changed[at] = after;
                let same_name = before.eq_ignore_ascii_case(&after) && at > line.end;
                if after == before || same_name && is_name(&text, at) || same_name && named("SignedHeaders=") {
                    continue;
                }
                let verdict = judge(&verifier, &changed, &mut core);
                let shown = String::from_utf8_lossy(&changed);
                let escape = text[..at].ends_with('%') || text[..at.saturating_sub(1)].ends_with('%');
                if escape && before.eq_ignore_ascii_case(&after) {
                    continue;
                }
                assert!(verdict.is_err(), "{} became {}: {shown}", char::from(before), char::from(after));
            }
        }
    }
}

/// Whether there is a header's name, or the name of a signed header, at `at`: letter case does not matter there.
fn is_name(text: &str, at: usize) -> bool {
    let start = text[..at].rfind('\n').map_or(0, |start| start + 1);
    let listed = text.find("SignedHeaders=").is_some_and(|from| {
        let end = text[from..].find([',', '&', '\n']).map_or(text.len(), |end| from + end);
        (from..end).contains(&at)
    });
    listed
        || text[start..at].chars().all(|c| c != ':')
            && start > 0
            && text[at..].lines().next().is_some_and(|l| l.contains(':'))
}

#[test]
fn no_byte_may_be_cut_added_or_doubled() {
    let text = plain();
    let (verifier, mut core) = (verifier(), Core::default());
    let signature = text.find("Signature=").unwrap() + "Signature=".len();
    for at in signature..signature + 64 {
        let mut cut = text.clone().into_bytes();
        cut.remove(at);
        assert!(judge(&verifier, &cut, &mut core).is_err());
        let mut doubled = text.clone().into_bytes();
        doubled.insert(at, doubled[at]);
        assert!(judge(&verifier, &doubled, &mut core).is_err());
    }
    for end in signature..text.len() - 2 {
        let cut = format!("{}\n\n", &text[..end]);
        if end < signature + 64 {
            assert!(judge(&verifier, cut.as_bytes(), &mut core).is_err(), "{cut}");
        }
    }
}

#[test]
fn a_request_names_at_most_as_many_headers_as_it_may_have() {
    let names: String = (0..300).map(|n| format!("x{n};")).collect();
    let text = plain().replace("SignedHeaders=", &format!("SignedHeaders={names}"));
    assert_eq!(verdict(&text, NOW.seconds()), Err(Failure::Mismatch));
    assert_eq!(time::stamp(NOW), *b"20150830T123600Z");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn what_is_signed_is_accepted_and_what_is_changed_is_not(
        place: [u8; 2],
        form in 0u8..2,
        method in "[A-Z]{1,6}",
        path in "(/[a-z.%2 $:~]{0,4}){1,4}",
        query in "([a-c%2=+ ]{0,3}&){0,4}",
        headers in prop::collection::vec(("[a-cA-C-]{1,2}", "[ -~]{0,8}"), 0..4),
        content in "[ -~]{0,12}",
    ) {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let text = format!("{method} {path}?{query} HTTP/1.1\nHost:h\n{lines}\n{content}");
        super::fuzz::fuzz_sigv4(&[&[place[0], place[1], form], text.as_bytes()].concat());
    }
}
