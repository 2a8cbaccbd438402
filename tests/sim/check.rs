//! What must be true when a story is over.

use super::{
    script::{Ask, Kind, Way, Worth},
    stage::Ending,
    story::{Asked, End, Visitor, World, answers},
};
use ringgate::connection::naive::{self, Message, Reading};
use std::rc::Rc;

/// The number of the exchange that a request belongs to.
pub(crate) fn id(message: &Message) -> usize {
    let text = message.target().split_once("id=").expect("an id").1;
    text.parse().expect("a number")
}

/// What a client heard is a sequence of answers to what it asked, in order, whole or visibly cut.
pub(crate) fn visitor(visitor: &Visitor, all: &[Ask], world: &World, end: &mut End) {
    let asks = &all[visitor.asks.clone()];
    let bytes = visitor.heard.bytes.borrow();
    let ending = visitor.heard.end.get();
    let told = || format!("{:?} after {:?}; breaks {:?}", ending, String::from_utf8_lossy(&bytes), visitor.breaks);
    let (heard, rest) = answers(&bytes, asks, ending == Some(Ending::Closed));
    assert!(heard.len() <= asks.len(), "more answers than questions: {}", told());
    let mut closed = false;
    for (message, ask) in heard.iter().zip(asks) {
        assert!(!closed, "an answer after the last: {}", told());
        closed = message.field("connection") == Some("close") || message.until_close;
        whole(message, ask, world, end, &told);
        end.answered += 1;
    }
    let next = asks.get(heard.len());
    match &rest {
        Reading::Nothing => {}
        Reading::Wrong(why) => panic!("no response: {why}: {}", told()),
        Reading::Head => assert!(!is_owed(visitor, world), "half a head: {}", told()),
        Reading::Cut(message) => {
            let ask = next.unwrap_or_else(|| panic!("an answer to nothing: {}", told()));
            assert!(!closed, "an answer after the last: {}", told());
            cut(message, ask, &told);
            let spoilt = ask.answer.worth == Worth::CutBody;
            assert!(spoilt || !is_owed(visitor, world), "cut for no reason: {}", told());
            assert_ne!(ending, None, "not even ended: {}", told());
            end.cut += 1;
            return;
        }
        Reading::Whole(..) => unreachable!("answers reads all of them"),
    }
    if heard.len() < asks.len() && !closed {
        assert!(!is_owed(visitor, world), "answer {} is missing: {}", heard.len(), told());
        let before: usize = asks[..=heard.len()].iter().map(|ask| ask.bytes.len()).sum();
        let hangs = ending == Some(Ending::GaveUp) && visitor.sent.get() >= before && visitor.breaks.is_none();
        assert!(!hangs, "left hanging with question {}: {}", heard.len(), told());
    }
}

/// Nobody did anything that would excuse a missing answer.
fn is_owed(visitor: &Visitor, world: &World) -> bool {
    world.kind && !world.drained && visitor.breaks.is_none()
}

fn whole(message: &Message, ask: &Ask, world: &World, end: &mut End, told: &dyn Fn() -> String) {
    let status = message.status();
    let ours = message.field("x-echo").is_none();
    if !ours {
        end.upstream_answers += 1;
        end.ways[ask.way as usize] += 1;
        return from_upstream(message, ask, told);
    }
    let fine = match &ask.kind {
        Kind::BadHead(expected) => status == *expected && message.field("connection") == Some("close"),
        Kind::Fixed => status == 200 && (message.body == b"fixed" || ask.method == "HEAD"),
        Kind::Redirect => status == 302 && message.field("location") == Some(&*format!("/new/it?id={}", ask.id)),
        Kind::Missing => status == 404,
        Kind::Invalid => status == 400,
        Kind::BadBody => matches!(status, 400 | 502..=504),
        Kind::TooLarge => matches!(status, 413 | 502..=504),
        Kind::Proxied => !world.kind && matches!(status, 502..=504),
    };
    end.errors += usize::from(status >= 400);
    // Someone who pauses inside a request is told so.
    let late = !world.kind && status == 408 && message.field("connection") == Some("close");
    assert!(fine || late, "{status} for {ask:?}: {}", told());
    let json = message.field("content-type") == Some("application/json");
    assert!(status < 400 || json && (ask.method == "HEAD" || message.body.ends_with(b"}\n")), "{}", told());
}

fn from_upstream(message: &Message, ask: &Ask, told: &dyn Fn() -> String) {
    let answer = &ask.answer;
    assert!(matches!(ask.kind, Kind::Proxied | Kind::BadBody | Kind::TooLarge), "{:?}: {}", ask.kind, told());
    assert_eq!(message.field("x-echo"), Some(&*ask.id.to_string()), "somebody else's answer: {}", told());
    let (status, own) = expected(ask);
    assert_eq!(message.status(), status, "{}", told());
    assert_eq!(message.count("date"), 1, "{}", told());
    let changed = ask.way == Way::Changed && matches!(answer.status, 201 | 404);
    assert_eq!(message.field("x-changed"), changed.then(|| ask.id.to_string()).as_deref(), "{}", told());
    match answer.worth {
        Worth::NoHead | Worth::Silence => panic!("a cut response was completed: {}", told()),
        _ if own.is_some() => assert!(Some(message.body.as_slice()) == own, "another body: {}", told()),
        Worth::Whole => assert!(message.body == answer.content, "another body: {}", told()),
        Worth::CutUnseen => assert!(answer.content.starts_with(&message.body), "another body: {}", told()),
        Worth::CutBody => panic!("a cut response was completed: {}", told()),
    }
}

/// The status that the client gets for what the upstream says, and the content that is not the upstream's.
fn expected(ask: &Ask) -> (u16, Option<&'static [u8]>) {
    let own = |text: &'static [u8]| if ask.method == "HEAD" { &b""[..] } else { text };
    match (ask.way, ask.answer.status) {
        (Way::Mapped, 503) => (503, Some(own(b"failed"))),
        (Way::Mapped, _) => (200, None),
        (Way::Changed, 201) => (204, Some(b"")),
        (Way::Changed, 404) => (410, None),
        (_, status) => (status, None),
    }
}

fn cut(message: &Message, ask: &Ask, told: &dyn Fn() -> String) {
    if message.field("x-echo").is_some() {
        assert_eq!(message.field("x-echo"), Some(&*ask.id.to_string()), "somebody else's answer: {}", told());
        let content = expected(ask).1.unwrap_or(&ask.answer.content);
        assert!(content.starts_with(&message.body), "another body: {}", told());
    }
}

/// What upstreams saw is whole requests, each as its client meant it, and nothing of what was refused.
pub(crate) fn upstreams(asked: &[Rc<Asked>], all: &[Ask], end: &mut End) {
    let mut heads = vec![0; all.len()];
    for asked in asked {
        for message in asked.whole.borrow().iter() {
            let ask = &all[id(message)];
            end.delivered += 1;
            heads[ask.id] += 1;
            assert_eq!(ask.kind, Kind::Proxied, "a request that was refused: {message:?}");
            assert!(message.body == ask.content, "another body: {message:?} for {ask:?}");
            head(message, ask);
        }
        let bytes = asked.bytes.borrow();
        let mut at = 0;
        while let Reading::Whole(_, end) = naive::request(&bytes[at..]) {
            at += end;
        }
        if let Reading::Cut(message) = naive::request(&bytes[at..]) {
            let ask = &all[id(&message)];
            heads[ask.id] += 1;
            head(&message, ask);
            assert!(matches!(ask.kind, Kind::Proxied | Kind::BadBody | Kind::TooLarge), "refused: {message:?}");
            assert!(ask.way != Way::Valid || ask.kind == Kind::Proxied, "not looked at: {message:?}");
            assert!(ask.kind == Kind::BadBody || ask.content.starts_with(&message.body), "another body: {message:?}");
        }
    }
    for (ask, heads) in all.iter().zip(heads) {
        assert!(heads <= 1 || ask.method != "POST", "{heads} times: {ask:?}");
        assert!(heads <= 4, "{heads} times: {ask:?}");
    }
}

fn head(message: &Message, ask: &Ask) {
    assert_eq!(message.method(), ask.method);
    let path = message.target().split('?').next().unwrap_or_default();
    match ask.way {
        Way::Plain | Way::Changed => assert_eq!(path, "/e"),
        Way::Valid | Way::Mapped => assert_eq!(path, ask.way.path()),
        Way::Staged => assert!(matches!(path, "/e" | "/f"), "{message:?}"),
    }
    assert_eq!(message.target(), format!("{path}?id={}", ask.id));
    let more = (ask.way == Way::Changed).then(|| ask.id.to_string());
    assert_eq!(message.field("x-more"), more.as_deref(), "{message:?}");
    assert_eq!(message.field("x-id"), Some(&*ask.id.to_string()), "{message:?}");
    assert_eq!(message.field("x-forwarded-for"), Some("192.0.2.1"), "{message:?}");
    assert_eq!(message.field("host"), Some("sim.example"), "{message:?}");
    let text = String::from_utf8_lossy(&ask.bytes);
    let passes = ask.way != Way::Mapped;
    assert_eq!(message.field("x-empty").is_some(), passes && text.contains("X-Empty"), "{message:?}");
    let odd = passes && ask.way != Way::Changed && text.contains("X-Odd");
    assert_eq!(message.field("x-odd").is_some(), odd, "{message:?}");
    assert_eq!(message.count("x-hop") + message.count("expect") + message.count("keep-alive"), 0, "{message:?}");
    assert!(message.field("connection").is_none_or(|value| value == "TE"), "{message:?}");
}
