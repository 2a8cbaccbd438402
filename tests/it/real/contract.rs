//! A tester of APIs that knows only the document: what it describes is what is served, whatever is sent.

use crate::support::{
    gateway::Gateway,
    tools::{self, Folder, require_real, take_turn},
};
use std::{path::Path, process::Command};

/// Of an API that mocks itself out of its document, what it says of each operation holds: documented statuses, media types and
/// bodies; what the document allows is taken, what it does not is refused; no server error.
#[test]
fn schemathesis_finds_nothing_that_the_document_does_not_say() {
    if !require_real("schemathesis") {
        return;
    }
    let _turn = take_turn();
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/openapi/contract/orders.yaml");
    let document = document.display().to_string();
    let server = "[server]\nlisten = [\"127.0.0.1:$PORT\"]\n";
    let api = format!("[api.orders]\nhonest_errors = true\nopenapi = \"{document}\"\n");
    let gateway = Gateway::with(&format!("{server}{api}")).start();
    let url = format!("http://127.0.0.1:{}", gateway.port);
    let fixed = ["run", &document, "--url", &url, "--checks", "all", "--max-examples", "50", "--seed", "1"];
    // A mock remembers nothing, so what was deleted is still there.
    let excluded = ["--exclude-checks", "use_after_free,ensure_resource_availability", "--no-color"];
    let program = tools::find_program("schemathesis").unwrap();
    // It keeps notes where it runs.
    let folder = Folder::new("schemathesis");
    let mut command = Command::new(program);
    let found = command.args(fixed).args(excluded).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&found.stdout);
    assert!(found.status.success(), "{said}\n{}", String::from_utf8_lossy(&found.stderr));
    // That it looked at all of it.
    assert!(said.contains("4 selected / 4 total") && said.contains("Fuzzing") && !said.contains("❌"), "{said}");
}
