//! The command line, outside in: the real binary, every output compared with a file in `tests/data/cli`.
//!
//! `RINGGATE_BLESS=1 cargo test --test it cli` writes the files anew; the difference is then reviewed like code.

mod life;
mod process;
mod release;

use crate::{
    certificates::{Authority, Wish},
    support::tools::Folder,
};
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

/// `ringgate` in `folder` with a clean environment.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringgate"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    for name in ["NO_COLOR", "NOTIFY_SOCKET", "RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"] {
        command.env_remove(name);
    }
    // Relative: the path of a socket may have some hundred bytes only. Gateways that somebody runs by hand are of no interest.
    command.env("RINGGATE_RUNTIME_DIR", "run").env("TMPDIR", folder);
    command
}

/// Starts `ringgate` and waits for its end.
fn ringgate(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

/// A command line as it is typed, its exit code and both its outputs.
fn transcript(arguments: &[&str], output: &Output) -> String {
    let quoted: Vec<String> = arguments.iter().map(|a| quote(a)).collect();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let code = output.status.code().map_or_else(|| "none".to_owned(), |code| code.to_string());
    let command = format!("$ ringgate {}", quoted.join(" "));
    format!("{}\nexit {code}\n--- stdout\n{out}--- stderr\n{err}", command.trim_end())
}

fn quote(argument: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=+@,".contains(&b);
    if !argument.is_empty() && argument.bytes().all(plain) { argument.to_owned() } else { format!("'{argument}'") }
}

/// Compares `actual` with `tests/data/cli/{name}.txt`, or writes it there.
fn golden(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/cli/{name}.txt"));
    if std::env::var_os("RINGGATE_BLESS").is_some() {
        fs::write(&path, actual).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs (RINGGATE_BLESS=1 writes it anew)\n--- expected\n{expected}\n--- actual\n{actual}",
        path.display()
    );
}

/// Runs one command line in a folder with `files` and compares its transcript.
fn check(name: &str, files: &[(&str, &str)], arguments: &[&str]) {
    let folder = Folder::new("cli");
    for (file, text) in files {
        folder.write(file, text);
    }
    golden(name, &transcript(arguments, &ringgate(folder.path(), arguments)));
}

#[test]
fn help_pages_are_as_reviewed() {
    check("help", &[], &["help"]);
    check("help-option", &[], &["--help"]);
    for verb in [
        "run",
        "check",
        "routes",
        "explain",
        "import",
        "export",
        "certs",
        "show",
        "init",
        "schema",
        "reload",
        "deploy",
        "releases",
        "rollback",
        "proxy",
        "version",
        "completions",
        "help",
    ] {
        check(&format!("help-{verb}"), &[], &[verb, "--help"]);
    }
}

#[test]
fn wrong_usage_says_what_was_probably_meant_and_exits_with_2() {
    for (name, arguments) in [
        ("usage-command", &["chekc"] as &[&str]),
        ("usage-command-far", &["frobnicate"]),
        ("usage-option", &["run", "--confg", "x.toml"]),
        ("usage-value", &["check", "--format", "jsn"]),
        ("usage-value-missing", &["run", "--config"]),
        ("usage-argument", &["run", "there"]),
        ("usage-help-command", &["help", "rotes"]),
        ("usage-shell", &["completions", "bsh"]),
        ("usage-shell-missing", &["completions"]),
    ] {
        check(name, &[], arguments);
    }
}

const SHOP: &str = include_str!("../data/cli/shop.toml");

const WRONG: &str = "\
[server]
listen = [\"127.0.0.1:8080\"]
worker = 2

[api.a]
[[api.a.route]]
method = \"GET\"
path = \"/a\"
integration = { type = \"http_proxy\", upstream = \"nobody\" }
";

/// A configuration about which there is something to warn: an upstream that nobody uses.
fn doubtful() -> String {
    format!("{SHOP}\n[upstream.unused]\nservers = [\"http://127.0.0.1:9\"]\n")
}

#[test]
fn kinds_of_apis_are_shown_and_explained() {
    let files = [("amazon.toml", include_str!("../../config/amazon.toml"))];
    let large = "x".repeat(1025);
    let origin = "Origin: https://shop.example.com";
    for (name, more) in [
        ("routes-kinds", &["routes"] as &[&str]),
        ("explain-rest", &["explain", "GET", "/shop/orders/7"]),
        ("explain-rest-nothing", &["explain", "PURGE", "/shop/orders/7"]),
        ("explain-rest-json", &["explain", "POST", "/shop/nothing", "--format", "json"]),
        ("explain-rest-too-large", &["explain", "POST", "/shop/notes", "--data", &large]),
        ("explain-http", &["explain", "GET", "/web/items/7"]),
        ("explain-http-slash", &["explain", "GET", "/web/items/"]),
        ("explain-http-fewest", &["explain", "GET", "/web/static/app.js"]),
        ("explain-http-nothing", &["explain", "DELETE", "/web/items/7"]),
        ("explain-http-full-match", &["explain", "GET", "/web/items"]),
        (
            "explain-preflight",
            &["explain", "OPTIONS", "/web/items/7", "-H", origin, "-H", "Access-Control-Request-Method: PUT"],
        ),
    ] {
        let arguments = [more, &["--config", "amazon.toml"]].concat();
        check(name, &files, &arguments);
    }
}

#[test]
fn mappings_are_listed_and_explained() {
    let files = [("mapping.toml", include_str!("../../config/mapping.toml"))];
    for (name, more) in [
        ("routes-mapped", &["routes"] as &[&str]),
        ("explain-mapped", &["explain", "GET", "/orders/search?q=a%20b&tag=1&tag=2", "-H", "User-Agent: test"]),
        ("explain-mapped-hole", &["explain", "GET", "/orders/search"]),
        ("explain-changed", &["explain", "GET", "/catalogue/a/b?page=1&x=2", "-H", "X-Page: 2", "-H", "Cookie: a=b"]),
        (
            "explain-custom",
            &["explain", "POST", "/orders/legacy/7", "-H", "X-User: me", "-H", "X-Other: no", "-d", "{}"],
        ),
        (
            "explain-custom-body",
            &["explain", "POST", "/orders/legacy/7", "-H", "Content-Type: text/plain", "-d", "note"],
        ),
        ("explain-mock-refused", &["explain", "GET", "/orders/status", "-H", "Content-Type: text/xml"]),
        ("explain-mock", &["explain", "GET", "/orders/status"]),
        (
            "explain-mock-json",
            &["explain", "GET", "/orders/status", "-H", "Content-Type: text/plain", "--format", "json"],
        ),
        (
            "explain-mock-media",
            &["explain", "GET", "/orders/status", "-H", "Content-Type: text/xml", "--format", "json"],
        ),
    ] {
        let arguments = [more, &["--config", "mapping.toml"]].concat();
        check(name, &files, &arguments);
    }
}

#[test]
fn check_is_short_about_what_is_right_and_complete_about_what_is_wrong() {
    let right = [("shop.toml", SHOP)];
    let doubtful = doubtful();
    let doubtful = [("doubtful.toml", doubtful.as_str())];
    let wrong = [("wrong.toml", WRONG)];
    check("check-right", &right, &["check", "shop.toml"]);
    check("check-right-json", &right, &["check", "shop.toml", "--format", "json"]);
    check("check-like-nginx", &right, &["-t", "-c", "shop.toml"]);
    check("check-warning", &doubtful, &["check", "doubtful.toml"]);
    check("check-warning-denied", &doubtful, &["check", "doubtful.toml", "--deny-warnings"]);
    check("check-wrong", &wrong, &["validate", "wrong.toml"]);
    check("check-wrong-json", &wrong, &["check", "wrong.toml", "--format", "json"]);
    check("check-missing", &[], &["check"]);
    check("check-named-twice", &right, &["check", "shop.toml", "-c", "shop.toml"]);
}

#[test]
fn routes_are_listed_as_they_win() {
    check("routes", &[("ringgate.toml", SHOP)], &["routes"]);
    check("routes-json", &[("shop.toml", SHOP)], &["routes", "--config", "shop.toml", "--format", "json"]);
    check("routes-wrong", &[("wrong.toml", WRONG)], &["routes", "-c", "wrong.toml"]);
}

#[test]
fn stages_canaries_and_domains_are_listed_and_explained() {
    let files = [("ringgate.toml", include_str!("../../config/stages.toml"))];
    for (name, arguments) in [
        ("routes-stages", &["routes"] as &[&str]),
        ("explain-stage", &["explain", "GET", "/dev/orders/7"]),
        ("explain-canary", &["explain", "GET", "/prod/orders/7"]),
        ("explain-canary-json", &["explain", "GET", "/prod/orders/7", "--format", "json"]),
        ("explain-mapping", &["explain", "GET", "http://api.example.com/store/v1/orders/7"]),
        (
            "explain-rule",
            &["explain", "http://api.example.com/store/orders/7", "-H", "x-version: next-1", "-H", "accept: a/json"],
        ),
        ("explain-nowhere", &["explain", "http://a.tenants.example.com/carts"]),
    ] {
        check(name, &files, arguments);
    }
}

#[test]
fn documents_are_imported_and_apis_exported() {
    let pets = "openapi: 3.0.0\ninfo: {title: Pets, version: '1'}\nservers: [{url: 'https://pets.example.com/v1'}]\npaths:\n  \
                /pets/{id}:\n    get:\n      operationId: getPet\n      parameters: [{name: id, in: path, required: true}]\n      \
                responses: {'200': {description: the pet}}\n";
    let config = "[upstream.pets]\nservers = [\"http://127.0.0.1:1\"]\n[api.pets]\nopenapi = { file = \"pets.yaml\", upstream = \"pets\" }\n";
    let files = [("pets.yaml", pets), ("ringgate.toml", config)];
    check("import", &files, &["import", "pets.yaml"]);
    check(
        "import-upstream",
        &files,
        &["import", "pets.yaml", "--upstream", "backend", "--base-path", "prepend", "--api", "p"],
    );
    check("import-documentation", &files, &["import", "pets.yaml", "--documentation"]);
    check("import-missing", &files, &["import", "pet.yaml"]);
    check("import-nothing", &files, &["import"]);
    check("import-wrong", &[("a.yaml", "openapi: 3.0.0\npaths: {/a: {gett: {}}}\n")], &["import", "a.yaml"]);
    check("export", &files, &["export", "--api", "pets"]);
    check("export-swagger", &files, &["export", "--api", "pets", "--format", "swagger", "--json"]);
    check("export-bare", &files, &["export", "--api", "pets", "--extensions", "none", "--yaml"]);
    check("export-no-api", &files, &["export", "--api", "pet"]);
    check("export-extensions", &files, &["export", "--api", "pets", "--extensions", "integration"]);
    check("export-stage", &files, &["export", "--api", "pets", "--stage", "prod"]);
    check("routes-document", &files, &["routes"]);
    let staged = "[upstream.a]\nservers = [\"http://a\"]\n[api.shop]\nstage_in_path = true\n\
                  [api.shop.stages.dev]\nvariables = { to = \"dev.test\" }\n[api.shop.stages.prod]\nvariables = { to = \"test\" }\n\
                  [[api.shop.route]]\nmethod = \"GET\"\npath = \"/a\"\nintegration = { type = \"http_proxy\", uri = \"http://${stageVariables.to}/b\" }\n";
    let files = [("ringgate.toml", staged)];
    check("export-of-stage", &files, &["export", "--api", "shop", "--stage", "dev"]);
    check("export-no-stage", &files, &["export", "--api", "shop", "--stage", "deb"]);
}

#[test]
fn a_request_is_explained_without_sending_it() {
    let files = [("ringgate.toml", SHOP)];
    let shop = "Host: shop.example.com";
    for (name, arguments) in [
        (
            "proxied",
            &["GET", "http://shop.example.com/v1/orders/7?full=1", "-H", "X-Forwarded-For: 192.0.2.1"] as &[&str],
        ),
        ("trusted", &["GET", "/v1/orders/7", "-H", shop, "-H", "X-Forwarded-For: 192.0.2.1", "--client", "10.1.2.3"]),
        ("body", &["POST", "/v1/orders/7", "-H", shop, "-d", "{}"]),
        ("too-large", &["POST", "http://a.shop.example.com/v1/orders/7", "-H", "Content-Length: 2000"]),
        ("chunked", &["PUT", "/v1/orders/7", "-H", shop, "-H", "Transfer-Encoding: chunked", "-d", "{}"]),
        ("fall-through", &["DELETE", "http://shop.example.com/v1/orders/7"]),
        ("redirect", &["/v1/orders/latest", "-H", shop]),
        ("fixed", &["/health"]),
        ("normalised", &["GET", "/a/../b%41"]),
        ("bad-path", &["GET", "/a/../../b"]),
        ("malformed", &["GET", "/x", "-H", "Transfer-Encoding: chunked", "-H", "Content-Length: 3"]),
        ("connect", &["CONNECT", "example.com:443"]),
        ("json", &["GET", "http://shop.example.com/v1/orders/7", "--format", "json"]),
        ("json-malformed", &["GET", "/x y", "--format", "json"]),
        ("no-url", &["GET"]),
        ("no-path", &["GET", "orders/7"]),
        ("no-header", &["GET", "/", "-H", "nonsense"]),
        ("no-client", &["GET", "/", "--client", "me"]),
        ("code", &["RG0002"]),
        ("code-unknown", &["RG9999"]),
    ] {
        check(&format!("explain-{name}"), &files, &[&["explain"], arguments].concat());
    }
    let validated = [("ringgate.toml", include_str!("../../config/validation.toml"))];
    let order = |body| ["explain", "POST", "/orders", "-H", "Content-Type: application/json", "-d", body];
    check("explain-valid", &validated, &order(r#"{"items":[{"sku":"ABC-0001","count":1}]}"#));
    let wrong = order(r#"{"items":[{"sku":"x","count":0}]}"#);
    check("explain-invalid", &validated, &wrong);
    check("explain-invalid-json", &validated, &[&wrong as &[&str], &["--format", "json"]].concat());
    check("explain-unsupported-media", &validated, &["explain", "POST", "/orders", "-H", "Content-Type: text/csv"]);
    check("explain-missing-parameter", &validated, &["explain", "GET", "/orders?page=0"]);
    let only_shop = SHOP.split("[api.all]").next().unwrap();
    check("explain-no-host", &[("ringgate.toml", only_shop)], &["explain", "GET", "/v1/orders/7"]);
    let no_method = &["explain", "DELETE", "http://shop.example.com/v1/orders/7"];
    check("explain-no-method", &[("ringgate.toml", only_shop)], no_method);
}

#[test]
fn certificates_are_listed_with_what_uses_them() {
    let folder = Folder::new("cli");
    let ca = Authority::new("ringgate test authority");
    for (name, issued) in [
        ("shop", ca.issue(&["shop.example.com", "*.shop.example.com", "192.0.2.1"])),
        (
            "many",
            ca.issue_as(
                &["a.test", "b.test", "c.test", "d.test", "e.test", "f.test"],
                Wish { rsa: true, ..Wish::default() },
            ),
        ),
        ("gateway", ca.issue(&["gateway"])),
        ("late", ca.issue_as(&["late"], Wish { expired: true, ..Wish::default() })),
    ] {
        folder.write(&format!("{name}.pem"), issued.certificate);
        folder.write(&format!("{name}.key"), issued.key);
    }
    folder.write("ca.pem", &ca.pem);
    let tls = "[[server.tls]]\nlisten = [\"127.0.0.1:8443\", \"[::1]:8443\"]\ncertificate = \"shop.pem\"\nkey = \"shop.key\"\n\
               certificates = [{ certificate = \"many.pem\", key = \"many.key\" }]\n\
               [upstream.partner]\nservers = [\"https://192.0.2.7\"]\n\
               tls = { ca = \"ca.pem\", client_certificate = \"gateway.pem\", client_key = \"gateway.key\" }\n";
    let route =
        |to: &str| format!("[api.a]\n[[api.a.route]]\nmethod = \"ANY\"\npath = \"/{{all+}}\"\nintegration = {to}\n");
    folder.write("ringgate.toml", format!("{tls}{}", route("{ type = \"http_proxy\", upstream = \"partner\" }")));
    let plain = "[server]\nlisten = [\"127.0.0.1:8080\"]\n";
    folder.write("plain.toml", format!("{plain}{}", route("{ type = \"static\", body = \"\" }")));
    folder.write("late.toml", fs::read_to_string(folder.path().join("ringgate.toml")).unwrap().replace("many", "late"));
    // The number of days is another one every day.
    let day = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let left = [day, day - 1, day + 1].map(|day| (64_060_588_800_u64 / 86_400 - day - 1).to_string());
    let run = |arguments: &[&str]| {
        let text = transcript(arguments, &ringgate(folder.path(), arguments));
        left.iter().fold(text, |text, left| text.replace(left, "<LEFT>"))
    };
    golden("certs", &run(&["certs"]));
    golden("certs-json", &run(&["certs", "--format", "json"]));
    golden("certs-none", &run(&["certs", "-c", "plain.toml"]));
    let late = run(&["certs", "-c", "late.toml"]);
    assert!(late.contains("exit 1") && late.contains("expired"), "{late}");
}

#[test]
fn the_effective_configuration_is_shown() {
    check("show", &[("ringgate.toml", SHOP)], &["show"]);
}

#[test]
fn init_writes_a_configuration_that_is_right_and_never_overwrites_one() {
    let folder = Folder::new("cli");
    let run = |arguments: &[&str]| transcript(arguments, &ringgate(folder.path(), arguments));
    golden("init", &run(&["init"]));
    golden("init-again", &run(&["init"]));
    golden("init-elsewhere", &run(&["init", "edge.toml"]));
    golden("init-nowhere", &run(&["init", "no/such/folder/ringgate.toml"]));
    golden("init-checked", &run(&["check", "--deny-warnings"]));
    let schema = ringgate(folder.path(), &["schema"]).stdout;
    assert_eq!(fs::read(folder.path().join("ringgate.schema.json")).unwrap(), schema);
    let text = String::from_utf8(schema).unwrap();
    assert!(text.contains("\"$schema\"") && text.contains("http_proxy"), "{text}");
    // Older schemas are replaced, configurations are not.
    folder.write("ringgate.schema.json", "old");
    fs::remove_file(folder.path().join("ringgate.toml")).unwrap();
    assert!(ringgate(folder.path(), &["init"]).status.success());
    assert_eq!(fs::read_to_string(folder.path().join("ringgate.schema.json")).unwrap(), text);
}

#[test]
fn reload_without_a_gateway_says_so() {
    check("reload-pid", &[], &["reload", "--pid", "1"]);
    check("reload-pid-wrong", &[], &["reload", "--pid", "one"]);
    check("reload-both", &[], &["reload", "--pid", "1", "--config", "a.toml"]);
    check("reload-nobody", &[], &["reload", "--config", "/no/such/ringgate.toml"]);
}

#[test]
fn proxy_needs_to_know_from_where_to_where() {
    check("proxy-missing", &[], &["proxy", "--listen", ":8080"]);
    check("proxy-wrong", &[], &["proxy", "--listen", "nonsense", "--to", "http://"]);
    check("run-missing", &[], &["run", "--config", "missing.toml"]);
    check("run-wrong", &[("wrong.toml", WRONG)], &["--config", "wrong.toml"]);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = Folder::new("cli");
    let line = format!("{} schema | head -c 1", env!("CARGO_BIN_EXE_ringgate"));
    let output = Command::new("sh").args(["-c", &line]).current_dir(folder.path()).output().unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (b"{" as &[u8], b"" as &[u8]));
}

#[test]
fn the_version_is_one_line_and_verbose_tells_of_build_kernel_and_ring() {
    check("version", &[], &["--version"]);
    let folder = Folder::new("cli");
    let output = ringgate(folder.path(), &["version", "--verbose"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for fact in ["build ", "kernel ", "Linux ", "cores ", "descriptors ", "io_uring "] {
        assert!(text.contains(fact), "{fact} in {text}");
    }
    if text.contains("available") {
        for fact in ["COOP_TASKRUN", "SINGLE_ISSUER", "DEFER_TASKRUN", "poll", "splice"] {
            assert!(text.contains(fact), "{fact} in {text}");
        }
    }
}

#[test]
fn completions_are_scripts_that_their_shells_accept() {
    let folder = Folder::new("cli");
    for shell in ["bash", "zsh", "fish"] {
        check(&format!("completions-{shell}"), &[], &["completions", shell]);
        if crate::support::tools::find_program(shell).is_none() {
            eprintln!("*** {shell} is not installed: its script was compared, not run ***");
            continue;
        }
        let script = folder.write(shell, ringgate(folder.path(), &["completions", shell]).stdout);
        let status = Command::new(shell).arg("-n").arg(script).status().unwrap();
        assert!(status.success(), "{shell} does not accept its script");
    }
}

#[test]
fn bash_completes_commands_and_options() {
    if !crate::support::tools::require_real("bash") {
        return;
    }
    let folder = Folder::new("cli");
    let script = folder.write("bash", ringgate(folder.path(), &["completions", "bash"]).stdout);
    let complete = |words: &str, at: usize| {
        let line = format!(
            "source {}; COMP_WORDS=({words}); COMP_CWORD={at}; _ringgate; echo \"${{COMPREPLY[*]}}\"",
            script.display()
        );
        String::from_utf8(Command::new("bash").args(["-c", &line]).output().unwrap().stdout).unwrap()
    };
    assert_eq!(complete("ringgate re", 1), "releases reload\n");
    assert_eq!(complete("ringgate check --f", 2), "--format\n");
    assert_eq!(complete("ringgate check --format ''", 3), "human json\n");
}
