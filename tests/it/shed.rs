//! Overload: a core with too much to do refuses what has a low priority, and nothing else, until it has less.

use crate::support::{
    client::get,
    gateway::Gateway,
    tools::{self, require_real, take_turn, wait_for},
};
use std::{thread, time::Duration};

fn config(overload: &str) -> String {
    let route = |path: &str, priority: &str| {
        format!(
            "[[api.a.route]]\nmethod = \"GET\"\npath = \"{path}\"\npriority = \"{priority}\"\n\
             integration = {{ type = \"static\", body = \"here\" }}\n"
        )
    };
    format!(
        "[server]\nlisten = [\"127.0.0.1:$PORT\"]\nworkers = 1\n{overload}\n\
         [log.access]\nformat = \"$context.path $context.status $context.reason\"\n[api.a]\n{}{}",
        route("/batch", "low"),
        route("/pay", "critical")
    )
}

/// Asks for `/batch` over so many connections that each has to wait for hundreds of others, and for `/pay` beside: how many of the
/// first were refused.
fn drive(gateway: &Gateway) -> u64 {
    let url = format!("http://127.0.0.1:{}/batch", gateway.port);
    thread::scope(|scope| {
        let run = scope.spawn(|| tools::run("wrk", ["-t1", "-c600", "-d5s", "--timeout", "10s", &url]));
        for _ in 0..40 {
            let answer = get(gateway.port, "h", "/pay");
            assert_eq!((answer.status, answer.text().as_str()), (200, "here"), "{}", gateway.output());
            thread::sleep(Duration::from_millis(100));
        }
        let text = String::from_utf8_lossy(&run.join().unwrap().stdout).into_owned();
        assert!(!text.contains("Socket errors"), "{text}");
        let refused = text.lines().find_map(|line| line.trim().strip_prefix("Non-2xx or 3xx responses:"));
        refused.map_or(0, |count| count.trim().parse().unwrap())
    })
}

fn shed(gateway: &Gateway, priority: &str, outcome: &str) -> f64 {
    let labels = [format!("priority=\"{priority}\""), format!("outcome=\"{outcome}\"")];
    gateway.metrics().sum("ringgate_shed_requests_total", &labels.each_ref().map(String::as_str))
}

#[test]
fn an_overloaded_core_refuses_what_has_a_low_priority_and_nothing_else() {
    if !require_real("wrk") {
        return;
    }
    let _turn = take_turn();
    let gateway = Gateway::with(&config("overload = { delay = \"2ms\" }")).start();
    assert_eq!(get(gateway.port, "h", "/batch").status, 200, "nothing is refused of a core that has time");
    let refused = drive(&gateway);
    eprintln!("{refused} refused; {}", gateway.metrics().sum("ringgate_loop_delay_seconds", &[]));
    assert!(refused > 0, "{}", gateway.metrics().0);
    assert!(
        (shed(&gateway, "low", "refused") - refused as f64).abs() <= 600.0,
        "but for those that wrk did not wait for"
    );
    for priority in ["normal", "high"] {
        assert_eq!(shed(&gateway, priority, "refused"), 0.0, "{priority}");
    }
    wait_for("time to spare", Duration::from_secs(20), || {
        (gateway.metrics().sum("ringgate_overload_level", &[]) == 0.0).then_some(())
    });
    assert_eq!(get(gateway.port, "h", "/batch").status, 200);
    let output = gateway.output();
    for words in ["core 0 is overloaded: ready work waits for", "core 0 is not overloaded any more", "/batch 503 shed"]
    {
        assert!(output.contains(words), "{words}");
    }
}

#[test]
fn where_it_is_only_counted_or_not_asked_for_nobody_is_refused() {
    if !require_real("wrk") {
        return;
    }
    let _turn = take_turn();
    let gateway = Gateway::with(&config("overload = { delay = \"2ms\", dry_run = true }")).start();
    assert_eq!(drive(&gateway), 0);
    assert!(shed(&gateway, "low", "dry_run") > 0.0 && shed(&gateway, "low", "refused") == 0.0);
    let gateway = Gateway::with(&config("")).start();
    assert_eq!(drive(&gateway), 0);
    assert_eq!(shed(&gateway, "low", "dry_run"), 0.0);
    assert!(gateway.output().contains("nothing is ever refused by its priority"), "{}", gateway.output());
}
