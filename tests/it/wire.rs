//! Wire scripts: whole exchanges, byte by byte, on both sides of the real gateway.
//!
//! Every case of `tests/data/wire/*.txt` is played whole, then once for every place at which the client's bytes can be
//! cut in two, once for every place of the upstream's bytes, and once with each side's bytes sent one by one: what the
//! gateway does must not depend on how bytes arrive. One gateway serves all cases that want the same `[server]` table. With
//! the other event loop they are played whole and byte by byte.
//!
//! `RINGGATE_WIRE=text` plays only the cases whose file or title contains the text.

mod pattern;
mod play;
mod script;

use crate::support::{
    gateway::Gateway,
    tools::{free_port, take_turn},
};
use play::{Delivery, Stage};
use script::{Case, Cuts, Side, What};
use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Threads that play: most of the time they wait for the gap between two halves to pass.
const PLAYERS: usize = 12;
/// Cuts of one side of one case; longer ones are cut at every place near both ends and at some in between.
const CUTS_MAX: usize = 500;

#[test]
fn wire_scripts_hold_at_every_cut() {
    perform_all("", true);
}

/// The other event loop, which containers without io_uring get: each case whole and byte by byte.
#[test]
fn wire_scripts_hold_on_epoll() {
    perform_all("driver = \"epoll\"\n", false);
}

fn perform_all(driver: &str, cut: bool) {
    let _turn = take_turn();
    let only = std::env::var("RINGGATE_WIRE").unwrap_or_default();
    let mut groups: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in cases().into_iter().filter(|case| case.origin.contains(&only) || case.title.contains(&only)) {
        groups.entry(case.server.clone()).or_default().push(case);
    }
    assert!(!groups.is_empty(), "no case matches {only:?}");
    let mut failures = Vec::new();
    let mut plays = 0;
    for (server, cases) in groups {
        let (count, failed) = perform(&format!("{driver}{server}"), cases, cut);
        plays += count;
        failures.extend(failed);
    }
    failures.sort();
    println!("{plays} plays");
    assert!(failures.is_empty(), "{} case(s) failed:\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn every_script_can_be_read() {
    let cases = cases();
    assert!(cases.len() > 20, "only {} cases", cases.len());
    for case in &cases {
        assert!(!case.steps.is_empty(), "{}: {} has no steps", case.origin, case.title);
    }
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .flat_map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            script::parse(&name, &fs::read_to_string(path).unwrap()).unwrap_or_else(|why| panic!("{why}"))
        })
        .collect()
}

/// Plays the cases of one gateway; returns how many plays there were and what failed.
fn perform(server: &str, cases: Vec<Case>, cut: bool) -> (usize, Vec<String>) {
    let nobody = format!("127.0.0.1:{}", free_port());
    let mut config = format!("[server]\nlisten = [\"127.0.0.1:$PORT\"]\n{server}\n");
    let mut listeners = Vec::new();
    for case in &cases {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        config.push_str(&case.config(&listener.local_addr().unwrap().to_string(), &nobody));
        listeners.push(listener);
    }
    let mut gateway = Gateway::with(&config).start();
    let port = gateway.port;
    let stages: Vec<(Case, Stage)> = cases
        .into_iter()
        .zip(listeners)
        .map(|(case, listener)| {
            let stage = Stage::new(listener, &case, port);
            (case, stage)
        })
        .collect();
    let reasons: Vec<(String, String)> = stages
        .iter()
        .filter_map(|(case, _)| Some((case.reason.clone()?, format!("{}: {}", case.origin, case.title))))
        .collect();
    let (plays, mut failures) = play_all(stages, cut);
    if gateway.is_running() {
        failures.extend(missing_reasons(&gateway, &reasons));
    } else {
        failures.push("the gateway is gone".into());
    }
    if !failures.is_empty() {
        failures.push(format!("what the gateway wrote:\n{}", gateway.output()));
    }
    (plays, failures)
}

fn play_all(stages: Vec<(Case, Stage)>, cut: bool) -> (usize, Vec<String>) {
    let plays = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let waiting = Mutex::new(stages);
    thread::scope(|scope| {
        for _ in 0..PLAYERS {
            scope.spawn(|| {
                loop {
                    let Some((case, mut stage)) = waiting.lock().unwrap().pop() else { return };
                    if let Err(why) = play_case(&case, &mut stage, cut, &plays) {
                        failures.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    (plays.into_inner(), failures.into_inner().unwrap())
}

/// Plays a case in every way; the first failure ends it.
fn play_case(case: &Case, stage: &mut Stage, cut: bool, plays: &AtomicUsize) -> Result<(), String> {
    for delivery in deliveries(case, stage, cut)? {
        plays.fetch_add(1, Ordering::Relaxed);
        stage.play(case, delivery).map_err(|why| {
            let how = match delivery {
                Delivery::Whole => "whole".to_owned(),
                Delivery::Cut(side, at) => format!("{side:?}'s bytes cut at {at}"),
                Delivery::Dribble(side) => format!("{side:?}'s bytes one by one"),
            };
            format!("{}: {} [{how}]: {why}", case.origin, case.title)
        })?;
    }
    Ok(())
}

fn deliveries(case: &Case, stage: &Stage, cut: bool) -> Result<Vec<Delivery>, String> {
    let mut all = vec![Delivery::Whole];
    for (side, wanted) in [
        (Side::Client, matches!(case.cuts, Cuts::Both | Cuts::Client)),
        (Side::Upstream, matches!(case.cuts, Cuts::Both | Cuts::Upstream)),
    ] {
        let mut total = 0;
        for step in case.steps.iter().filter(|step| step.who == side) {
            if let What::Sends(text) = &step.what {
                total +=
                    stage.names.bytes(text).map_err(|why| format!("{}: line {}: {why}", case.origin, step.line))?.len();
            }
        }
        if wanted && total > 1 {
            if cut {
                all.extend(places(total).into_iter().map(|at| Delivery::Cut(side, at)));
            }
            if total <= 4096 {
                all.push(Delivery::Dribble(side));
            }
        }
    }
    Ok(all)
}

fn places(total: usize) -> Vec<usize> {
    if total <= CUTS_MAX {
        return (1..total).collect();
    }
    let near = CUTS_MAX * 2 / 5;
    let between = CUTS_MAX - 2 * near;
    let step = (total - 2 * near).div_ceil(between).max(1);
    (1..near).chain((near..total - near).step_by(step)).chain(total - near..total).collect()
}

fn missing_reasons(gateway: &Gateway, reasons: &[(String, String)]) -> Vec<String> {
    let metrics = gateway.metrics().0;
    reasons
        .iter()
        .filter(|(label, _)| {
            let wanted = format!("=\"{label}\"");
            !metrics.lines().any(|line| line.contains(&wanted) && !line.ends_with(" 0"))
        })
        .map(|(label, case)| format!("{case}: no metric has the reason {label:?}"))
        .collect()
}

#[test]
fn places_of_cuts_are_all_of_them_or_a_fair_choice() {
    assert_eq!(places(4), [1, 2, 3]);
    let many = places(100_000);
    assert!(many.len() <= CUTS_MAX + 1 && many.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(many.contains(&1) && many.contains(&99_999));
}
