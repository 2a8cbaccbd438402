//! OpenAPI documents: what they are served as, what they look like as TOML and as documents again, and what is said about
//! wrong ones.
//!
//! Documents of `tests/data/openapi/documents` are of our own making and follow real ones in shape. Expected texts lie in
//! `tests/data/openapi/expected`, and beside wrong documents; `RINGGATE_BLESS=1 cargo test` writes them anew.

use ringgate::{
    compile::{self, Compiled},
    config::{
        self, Report,
        document::Format,
        files::{Disk, Memory},
        openapi::{Dialect, Export, Import, write},
    },
};
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

fn none(_: &str) -> Option<String> {
    None
}

/// Compares `actual` with the file `path`, or writes it when blessing.
fn golden(path: &Path, actual: &str) {
    if std::env::var_os("RINGGATE_BLESS").is_some() {
        return fs::write(path, actual).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    assert!(expected == actual, "{} differs\n--- expected\n{expected}\n--- actual\n{actual}", path.display());
}

/// The files of a directory with one of these endings, sorted.
fn files(directory: &str, endings: &[&str]) -> Vec<PathBuf> {
    let is = |path: &PathBuf| path.extension().and_then(|e| e.to_str()).is_some_and(|e| endings.contains(&e));
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path()).filter(is).collect();
    files.sort();
    files
}

const DOCUMENTS: &str = "tests/data/openapi/documents";

fn documents() -> Vec<PathBuf> {
    let all = files(DOCUMENTS, &["yaml", "json"]);
    assert!(all.len() >= 10, "only {} documents", all.len());
    all
}

fn expected(name: &str, ending: &str) -> PathBuf {
    Path::new("tests/data/openapi/expected").join(format!("{name}{ending}"))
}

fn stem(path: &Path) -> &str {
    path.file_stem().unwrap().to_str().unwrap()
}

/// A configuration of these files, the first one on top.
fn load(files: &[(&str, &str)]) -> Result<Compiled, Report> {
    let all = files.iter().map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec())).collect();
    compile::load_all(&Memory(all), Path::new(files[0].0), &none)
}

/// What clients and people see of a plan: APIs and routes, not where they were written.
fn routes(compiled: &Compiled) -> String {
    let text = compile::summary(&compiled.plan);
    let start = text.find("\napi ").map_or(0, |at| at + 1);
    let upstreams = text[..start].lines().filter(|line| line.starts_with("upstream ") || line.starts_with("  "));
    upstreams.chain(text[start..].lines()).fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn every_document_is_served_as_expected() {
    for path in documents() {
        let compiled = compile::load_all(&Disk, &path.with_extension("toml"), &none)
            .unwrap_or_else(|report| panic!("{}\n{}", path.display(), report.render_human(false)));
        let mut table = String::new();
        for entry in compiled.plan.router.routes() {
            let route = &compiled.plan.routes[entry.route.index()];
            let _ = writeln!(table, "{:7} {:32} {}", route.methods, route.path, route.origin);
        }
        let text = format!("{table}\n{}\n{}", routes(&compiled), compiled.report.render_human(false));
        golden(&expected(stem(&path), ".txt"), &text);
    }
}

#[test]
fn every_document_becomes_toml_that_compiles_to_the_same_plan() {
    for path in documents() {
        let options = |documentation| Import {
            answer_501: true,
            upstream_checks: path.ends_with("petstore.yaml"),
            documentation,
            ..Import::default()
        };
        let (_, toml) = config::import(&path, &options(false), &Disk);
        golden(&expected(stem(&path), ".toml"), &toml);
        load(&[("import.toml", &toml)]).unwrap_or_else(|report| panic!("{toml}\n{}", report.render_human(false)));

        let (read, whole) = config::import(&path, &options(true), &Disk);
        let (plan, _) = compile::compile(&read.config).unwrap_or_else(|errors| panic!("{errors:?}"));
        let again = load(&[("import.toml", &whole)]).unwrap_or_else(|report| panic!("{}", report.render_human(false)));
        assert_eq!(compile::summary(&plan), compile::summary(&again.plan), "{}", path.display());
    }
}

#[test]
fn an_exported_document_compiles_to_the_same_plan() {
    for path in documents() {
        let config = path.with_extension("toml");
        let first = compile::load_all(&Disk, &config, &none).unwrap();
        let api = first.plan.apis[0].name.clone();
        for (dialect, format) in [
            (Dialect::Oas30, Format::Yaml),
            (Dialect::Oas30, Format::Json),
            (Dialect::Oas31, Format::Yaml),
            (Dialect::Swagger, Format::Json),
        ] {
            let options = Export { dialect, stage: None, integrations: true, apigateway: true };
            let json = config::export(&config, &api, &options, &Disk, &none).unwrap();
            let text = write::document(&json, format);
            let name = if format == Format::Json { "export.json" } else { "export.yaml" };
            let upstreams: String = first.plan.upstreams.iter().fold(String::new(), |all, upstream| {
                let server = &upstream.servers[0];
                let generated = upstream.name.contains(".example.com");
                if generated {
                    all
                } else {
                    format!(
                        "{all}[upstream.{}]\nservers = [\"http://{}\"]\n",
                        upstream.name,
                        server.name.trim_start_matches("http://")
                    )
                }
            });
            // What a document does not hold.
            let keys = "[[api_key]]\nname = \"one\"\nvalue_sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"\n\
                        [iam_user.robot]\naccess_key_id = \"AKIDROBOT\"\nsecret_access_key = \"made-up\"\n";
            let toml = format!("{keys}{upstreams}[api.{api}]\nopenapi = \"{name}\"\n");
            let again = load(&[("again.toml", &toml), (name, &text)])
                .unwrap_or_else(|report| panic!("{}\n{text}", report.render_human(false)));
            assert_eq!(again.report.warnings(), 0, "{}", again.report.render_human(false));
            let (mut a, mut b) = (routes(&first), routes(&again));
            if dialect == Dialect::Swagger {
                // What only OpenAPI 3 can say about responses is not carried over.
                (a, b) = (without_told(&a), without_told(&b));
            }
            let sorted = |text: &str| {
                let mut lines: Vec<String> =
                    text.lines().filter(|l| l.starts_with("upstream")).map(str::to_owned).collect();
                lines.sort();
                let rest = text
                    .lines()
                    .filter(|l| !l.starts_with("upstream") && !l.contains("(name)") && !l.contains("(address)"));
                lines.into_iter().chain(rest.map(str::to_owned)).collect::<Vec<_>>().join("\n")
            };
            assert_eq!(sorted(&a), sorted(&b), "{} as {dialect:?}\n{text}", path.display());
        }
    }
}

fn without_told(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("  ")).fold(String::new(), |all, line| all + line + "\n")
}

#[test]
fn everything_that_is_wrong_with_a_document_is_told_at_once() {
    let all = files("tests/data/openapi/wrong", &["yaml", "json"]);
    assert!(all.len() >= 12, "only {} wrong documents", all.len());
    for path in all {
        let name = path.file_name().unwrap().to_str().unwrap();
        let upstream = if name.starts_with("bare-") { "" } else { ", upstream = \"backend\"" };
        let toml = format!(
            "[upstream.backend]\nservers = [\"http://127.0.0.1:9\"]\n[api.wrong]\nopenapi = {{ file = \"{name}\"{upstream} }}\n"
        );
        let text = fs::read_to_string(&path).unwrap();
        let Err(report) = load(&[("wrong.toml", &toml), (name, &text)]) else { panic!("{name} compiles") };
        golden(
            &path.with_extension(format!("{}.txt", path.extension().unwrap().to_str().unwrap())),
            &report.render_human(false),
        );
    }
}

/// The smallest document with these operations, `method path`.
fn document(operations: &[&str], more: &str) -> String {
    let mut text = format!("openapi: 3.0.0\ninfo: {{title: t, version: 1.0.0}}\n{more}paths:\n");
    for operation in operations {
        let (method, path) = operation.split_once(' ').unwrap();
        let names = path.split('{').skip(1).filter_map(|part| part.split('}').next());
        let parameters: Vec<String> =
            names.map(|name| format!("{{name: {name}, in: path, required: true, schema: {{type: string}}}}")).collect();
        let _ = writeln!(
            text,
            "  {path}:\n    {method}:\n      parameters: [{}]\n      responses: {{}}",
            parameters.join(", ")
        );
    }
    text
}

const UPSTREAMS: &str =
    "[upstream.a]\nservers = [\"http://127.0.0.1:1\"]\n[upstream.b]\nservers = [\"http://127.0.0.1:2\"]\n";

/// `METHOD path upstream` of each route, and the codes of warnings.
fn served(api: &str, document: &str) -> (Vec<String>, Vec<String>) {
    let toml = format!("{UPSTREAMS}[api.x]\n{api}\n");
    let compiled = load(&[("x.toml", &toml), ("d.yaml", document)])
        .unwrap_or_else(|report| panic!("{toml}\n{}", report.render_human(false)));
    let route = |route: &ringgate::plan::Route| {
        let to = match &route.integration {
            ringgate::plan::Integration::HttpProxy(proxy) => {
                compiled.plan.upstreams[proxy.upstream.index()].name.clone()
            }
            ringgate::plan::Integration::Fixed(fixed) => fixed.status.to_string(),
            ringgate::plan::Integration::Redirect(_) => "redirect".to_owned(),
            ringgate::plan::Integration::Mock(_) => "mock".to_owned(),
            ringgate::plan::Integration::NotImplemented => "501".to_owned(),
        };
        format!("{} {} {to}", route.methods, route.path)
    };
    let routes = compiled.plan.routes.iter().map(route).collect();
    (routes, compiled.report.diagnostics.iter().map(|d| d.code.to_string()).collect())
}

/// Why, the mode, what is inline, the routes, the warnings.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str], &'static [&'static str]);

#[test]
fn inline_routes_and_the_document_are_merged_or_the_document_counts() {
    let both = document(&["get /pets", "post /orders"], "");
    let over = "[[api.x.route]]\nmethod = \"GET\"\npath = \"/pets\"\nintegration = { type = \"http_proxy\", upstream = \"b\" }";
    let list = "[[api.x.route]]\nmethod = [\"GET\", \"PUT\"]\npath = \"/pets\"\nintegration = { type = \"http_proxy\", upstream = \"b\" }";
    let part = "[[api.x.route]]\nmethod = \"GET\"\npath = \"/pets\"\nrequest_body = \"1KiB\"";
    let own = "[[api.x.route]]\nmethod = \"GET\"\npath = \"/other\"\nintegration = { type = \"http_proxy\", upstream = \"b\" }";
    let any = "[[api.x.route]]\nmethod = \"ANY\"\npath = \"/pets\"\nintegration = { type = \"http_proxy\", upstream = \"b\" }";
    let cases: [Case; 7] = [
        ("the inline route wins", "merge", over, &["GET /pets b", "POST /orders a"], &[]),
        ("one method of a list wins", "merge", list, &["GET /pets b", "POST /orders a", "PUT /pets b"], &[]),
        ("what it leaves out is the document's", "merge", part, &["GET /pets a", "POST /orders a"], &[]),
        ("another route serves beside", "merge", own, &["GET /pets a", "POST /orders a", "GET /other b"], &[]),
        ("ANY is another method", "merge", any, &["GET /pets a", "POST /orders a", "ANY /pets b"], &[]),
        ("the document counts", "overwrite", over, &["GET /pets a", "POST /orders a"], &["RG0347"]),
        ("for what it defines", "overwrite", own, &["GET /pets a", "POST /orders a", "GET /other b"], &[]),
    ];
    for (why, mode, inline, expected, warnings) in cases {
        let api = format!("openapi = {{ file = \"d.yaml\", upstream = \"a\", mode = \"{mode}\" }}\n{inline}");
        let (routes, codes) = served(&api, &both);
        let codes: Vec<&str> = codes.iter().map(String::as_str).filter(|code| *code != "RG0390").collect();
        assert_eq!((routes.as_slice(), codes.as_slice()), (own_all(expected).as_slice(), warnings), "{why}");
    }
}

fn own_all(all: &[&str]) -> Vec<String> {
    all.iter().map(|one| (*one).to_owned()).collect()
}

#[test]
fn base_paths_are_ignored_prepended_or_split() {
    // Reference, section 3.3: for base path /a/b/c and path /e.
    let servers = [
        ("a URL", "servers: [{url: 'https://example.com/a/b/c'}]\n"),
        ("a path", "servers: [{url: /a/b/c/}]\n"),
        (
            "a variable",
            "servers: [{url: 'https://example.com/{basePath}', variables: {basePath: {default: /a/b/c}}}]\n",
        ),
        (
            "without its slash",
            "servers: [{url: 'https://example.com/{basePath}', variables: {basePath: {default: a/b/c}}}]\n",
        ),
    ];
    for (why, servers) in servers {
        for (mode, path) in [("ignore", "/e"), ("prepend", "/a/b/c/e"), ("split", "/b/c/e")] {
            let api = format!("openapi = {{ file = \"d.yaml\", upstream = \"a\", base_path = \"{mode}\" }}");
            let (routes, _) = served(&api, &document(&["get /e"], servers));
            assert_eq!(routes, [format!("GET {path} a")], "{why} {mode}");
        }
    }
}

#[test]
fn an_operation_that_asks_for_security_is_never_served_without() {
    let schemes = "components: {securitySchemes: {key: {type: apiKey, in: header, name: x-api-key}, jwt: {type: http, scheme: bearer}}}\n";
    // Root-level security is applied although the documentation says that it is not (reference, section 3.3 [S]).
    let cases = [
        ("security: [{jwt: []}]\n", "", "501"),
        ("security: [{jwt: []}]\n", "      security: []\n", "a"),
        ("security: [{jwt: []}]\n", "      security: [{}]\n", "a"),
        ("security: [{jwt: []}]\n", "      security: [{key: []}, {}]\n", "a"),
        ("", "      security: [{key: []}, {jwt: []}]\n", "501"),
        ("security: [{jwt: []}]\n", "      x-amazon-apigateway-auth: {type: none}\n", "a"),
        ("", "", "a"),
    ];
    for (root, operation, expected) in cases {
        let text = document(&["get /e"], &format!("{schemes}{root}")) + operation;
        let api = "openapi = { file = \"d.yaml\", upstream = \"a\", unsupported = \"answer_501\" }";
        assert_eq!(served(api, &text).0, [format!("GET /e {expected}")], "{root}{operation}");
        let api = "openapi = { file = \"d.yaml\", upstream = \"a\", security = \"upstream\" }";
        assert_eq!(served(api, &text).0, ["GET /e a"], "{root}{operation}");
        let toml = format!("{UPSTREAMS}[api.x]\nopenapi = {{ file = \"d.yaml\", upstream = \"a\" }}\n");
        assert_eq!(load(&[("x.toml", &toml), ("d.yaml", &text)]).is_err(), expected == "501", "{root}{operation}");
        // Nor with an integration of an inline route.
        let api = "openapi = { file = \"d.yaml\", unsupported = \"answer_501\" }\n[[api.x.route]]\nmethod = \"GET\"\n\
                   path = \"/e\"\nintegration = { type = \"http_proxy\", upstream = \"b\" }";
        let inline = if expected == "501" { "501" } else { "b" };
        assert_eq!(served(api, &text).0, [format!("GET /e {inline}")], "{root}{operation}");
    }
}

#[test]
fn what_an_operation_asks_for_is_asked_of_callers() {
    let schemes = "components: {securitySchemes: {key: {type: apiKey, in: header, name: X-API-Key}, iam: {type: apiKey, in: header, \
                   name: Authorization, x-amazon-apigateway-authtype: AwsSigv4}, oidc: {type: openIdConnect, openIdConnectUrl: \
                   'https://a.example.com/.well-known/openid-configuration'}, other: {type: http, scheme: basic}}}\n";
    let own = "[api.x.authorizers.other]\ntype = \"mtls\"\nnames = [\"*\"]\n";
    let same = "[api.x.authorizers.oidc]\ntype = \"mtls\"\nnames = [\"*\"]\n";
    let (guard, key) = ("authorizer = \"outside\"", "api_key = true");
    let policy = "x-amazon-apigateway-policy: {Statement: [{Effect: Allow, Principal: '*', Action: 'execute-api:Invoke', \
                  Resource: '*'}]}\n";
    let cases = [
        ("nothing", "", "", "", "open"),
        ("a key", "", "", "      security: [{key: []}]\n", "key"),
        ("a key, for all", "", "security: [{key: []}]\n", "", "key"),
        ("everyone in spite of that", "", "security: [{key: []}]\n", "      security: []\n", "open"),
        ("a signature", "", "", "      security: [{iam: []}]\n", "iam"),
        ("a signature by another way", "", "", "      x-amazon-apigateway-auth: {type: aws_iam}\n", "sigv4"),
        (
            "a signature and a key",
            "",
            "security: [{key: []}]\n",
            "      x-amazon-apigateway-auth: {type: AWS_IAM}\n",
            "sigv4 key",
        ),
        (
            "a key and nobody's name",
            "",
            "security: [{key: []}, {oidc: []}]\n",
            "      x-amazon-apigateway-auth: {type: NONE}\n",
            "key",
        ),
        ("both, however listed", "", "", "      security: [{key: []}, {oidc: [a, b]}]\n", "oidc a|b key"),
        ("both, in one", "", "", "      security: [{key: [], oidc: []}]\n", "oidc key"),
        ("what the configuration says", own, "", "      security: [{other: []}]\n", "other"),
        ("instead of the document, too", same, "", "      security: [{oidc: []}]\n", "oidc"),
        ("the API's for what is silent", guard, "", "", "outside"),
        ("but not for what is open", guard, "", "      security: []\n", "open"),
        ("the API's key besides", key, "", "      security: [{oidc: []}]\n", "oidc key"),
        ("a policy", "", policy, "", "policy"),
        ("a policy besides", "", policy, "      security: [{key: []}]\n", "key policy"),
    ];
    for (why, inline, root, operation, expected) in cases {
        let text = document(&["get /e"], &format!("{schemes}{root}")) + operation;
        let toml = format!(
            "{UPSTREAMS}[authorizer.outside]\ntype = \"mtls\"\nnames = [\"*\"]\n\
             [api.x]\nopenapi = {{ file = \"d.yaml\", upstream = \"a\" }}\n{inline}\n"
        );
        let compiled = load(&[("x.toml", &toml), ("d.yaml", &text)])
            .unwrap_or_else(|report| panic!("{why}\n{}", report.render_human(false)));
        let asked = compiled.plan.routes[0].access.as_deref().map(|access| {
            let name = access.authorizer.as_deref().map(|authorizer| authorizer.name.clone());
            let scopes = (!access.scopes.is_empty()).then(|| access.scopes.join("|"));
            let key = access.key.as_ref().map(|_| "key".to_owned());
            let policy = access.rules.policy.as_ref().map(|_| "policy".to_owned());
            [name, scopes, key, policy].into_iter().flatten().collect::<Vec<_>>().join(" ")
        });
        assert_eq!(asked.unwrap_or_else(|| "open".to_owned()), expected, "{why}");
    }
}

#[test]
fn functions_become_authorizers_by_call() {
    let uri = "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-west-1:1:function:f/invocations";
    let scheme = |name: &str, more: &str| {
        format!(
            "{name}: {{type: apiKey, in: header, name: X-Token, x-amazon-apigateway-authorizer: {{authorizerUri: '{uri}', {more}}}}}"
        )
    };
    let schemes = [
        scheme("one", "type: token, identityValidationExpression: '^a', authorizerResultTtlInSeconds: 60"),
        scheme(
            "two",
            "type: request, identitySource: 'method.request.header.A, context.path', authorizerPayloadFormatVersion: '1.0'",
        ),
        scheme("three", "type: request, authorizerPayloadFormatVersion: '2.0', enableSimpleResponses: true"),
    ];
    let root = format!("components: {{securitySchemes: {{{}}}}}\nsecurity: [{{NAME: []}}]\n", schemes.join(", "));
    for (name, expected) in [
        (
            "one",
            "type = \"lambda_token\"\nfunction = \"URI\"\nidentity_source = \"header.X-Token\"\nidentity_validation = \"^a\"\ncache_ttl = \"60s\"\n",
        ),
        (
            "two",
            "type = \"lambda_request\"\nfunction = \"URI\"\nidentity_source = [\"header.A\", \"context.path\"]\npayload_format = \"1.0\"\n",
        ),
        (
            "three",
            "type = \"lambda_request\"\nfunction = \"URI\"\ncache_ttl = \"0s\"\npayload_format = \"2.0\"\nsimple_responses = true\n",
        ),
    ] {
        let text = document(&["get /e"], &root.replace("NAME", name));
        let files = Memory([(PathBuf::from("d.yaml"), text.into_bytes())].into_iter().collect());
        let (_, toml) =
            config::import(Path::new("d.yaml"), &Import { upstream: Some("a".into()), ..Import::default() }, &files);
        let table = format!("[api.d.authorizers.{name}]\n{}", expected.replace("URI", uri));
        assert!(toml.contains(&table) && toml.contains(&format!("authorizer = \"{name}\"")), "{name}: {table}\n{toml}");
    }
}

#[test]
fn authorizers_by_call_come_back_as_they_were_exported() {
    let credentials = "[credentials.default]\naccess_key_id = \"AKIDEXAMPLE\"\nsecret_access_key = \"made-up\"\n";
    let function = "function = \"arn:aws:lambda:eu-west-1:123456789012:function:f\"\n";
    let of = |compiled: &Compiled| match &compiled.plan.routes[0]
        .access
        .as_ref()
        .unwrap()
        .authorizer
        .as_ref()
        .unwrap()
        .method
    {
        ringgate::plan::access::Method::Call(call) => format!("{call:#?}"),
        other => panic!("{other:?}"),
    };
    for (kind, authorizer) in [
        ("rest", format!("type = \"lambda_token\"\n{function}identity_validation = \"^[a-z]+$\"\ncache_ttl = \"60s\"\n")),
        ("rest", format!("type = \"lambda_token\"\n{function}endpoint = \"http://127.0.0.1:9001\"\ntimeout = \"2s\"\n")),
        ("rest", format!("type = \"lambda_request\"\n{function}identity_source = [\"header.a\", \"query.b\"]\ncache_ttl = \"0s\"\n")),
        ("http", format!("type = \"lambda_request\"\n{function}payload_format = \"2.0\"\nsimple_responses = true\nidentity_source = \"header.a\"\n")),
        ("http", "type = \"http\"\nurl = \"http://127.0.0.1:1/check\"\nrequest_headers = [\"x-*\"]\nresponse_headers = [\"x-user\"]\nallow_status = [\"204\"]\n".to_owned()),
    ] {
        let api = format!("[authorizer.asked]\n{authorizer}{credentials}[api.a]\ntype = \"{kind}\"\nauthorizer = \"asked\"\n[[api.a.route]]\nmethod = \"GET\"\npath = \"/e\"\nintegration = {{ type = \"static\", body = \"x\" }}\n");
        let first = load(&[("a.toml", &api)]).unwrap_or_else(|report| panic!("{}", report.render_human(false)));
        let files = Memory([(PathBuf::from("a.toml"), api.into_bytes())].into_iter().collect());
        for dialect in [Dialect::Oas30, Dialect::Oas31, Dialect::Swagger] {
            let options = Export { dialect, stage: None, integrations: true, apigateway: true };
            let json = config::export(Path::new("a.toml"), "a", &options, &files, &none).unwrap();
            let text = write::document(&json, Format::Yaml);
            let toml = format!("{credentials}[api.a]\ntype = \"{kind}\"\nopenapi = \"d.yaml\"\n");
            let again = load(&[("b.toml", &toml), ("d.yaml", &text)])
                .unwrap_or_else(|report| panic!("{}\n{text}", report.render_human(false)));
            assert_eq!(of(&first), of(&again), "{dialect:?} of\n{authorizer}\n{text}");
        }
    }
}

#[test]
fn what_tells_kept_responses_apart_comes_back_as_it_was_exported() {
    let api = |routes: &str| {
        format!("{UPSTREAMS}[api.x]\ntype = \"rest\"\ncache = {{ ttl = \"1m\", key = [\"query.all\"] }}\n{routes}")
    };
    let of = |compiled: &Compiled| {
        let policy = compiled.plan.routes[0].cache.as_ref().unwrap();
        format!("{:?}", policy.key)
    };
    for integration in [
        "type = \"http_proxy\", upstream = \"a\", path = \"/{id}\"",
        "type = \"http\", uri = \"http://127.0.0.1:1/{id}\"",
    ] {
        let first = api(&format!(
            "[[api.x.route]]\nmethod = \"GET\"\npath = \"/e/{{id}}\"\nintegration = {{ {integration} }}\n\
             cache_key = [\"path.id\", \"query.page\", \"header.accept-language\"]\n"
        ));
        let compiled = load(&[("a.toml", &first)]).unwrap_or_else(|report| panic!("{}", report.render_human(false)));
        let files = Memory([(PathBuf::from("a.toml"), first.into_bytes())].into_iter().collect());
        for dialect in [Dialect::Oas30, Dialect::Oas31, Dialect::Swagger] {
            let options = Export { dialect, stage: None, integrations: true, apigateway: true };
            let json = config::export(Path::new("a.toml"), "x", &options, &files, &none).unwrap();
            let text = write::document(&json, Format::Yaml);
            for part in ["path.id", "querystring.page", "header.accept-language"] {
                assert!(text.contains(&format!("method.request.{part}")), "{part} is missing in\n{text}");
            }
            let again = load(&[("b.toml", &api("openapi = \"d.yaml\"\n")), ("d.yaml", &text)])
                .unwrap_or_else(|report| panic!("{}\n{text}", report.render_human(false)));
            assert_eq!(of(&compiled), of(&again), "{dialect:?}\n{text}");
        }
    }
}

#[test]
fn warnings_about_a_document_are_errors_if_asked_for() {
    let text = document(&["get /a"], "x-amazon-apigateway-binary-media-types: ['image/*']\n");
    for (fail, good) in [("false", true), ("true", false)] {
        let toml = format!(
            "{UPSTREAMS}[api.x]\nopenapi = {{ file = \"d.yaml\", upstream = \"a\", fail_on_warnings = {fail} }}\n"
        );
        assert_eq!(load(&[("x.toml", &toml), ("d.yaml", &text)]).is_ok(), good, "{fail}");
    }
}

/// A document of `count` operations with bodies, parameters and models, as large as asked for.
fn large(count: usize, bytes: usize, format: Format) -> String {
    use ringgate::config::json::Json;
    let text = "What it does, at length. ".repeat(bytes / count / 60);
    let schema = |n: usize| {
        let property = |m: usize| {
            let mut property = Json::object([("type", Json::text("string")), ("maxLength", Json::number(100 + m))]);
            property.put("description", Json::text("something about it"));
            (format!("property_{m}"), property)
        };
        let mut properties: Vec<(String, Json)> = (0..20).map(property).collect();
        let next = Json::Text(format!("#/components/schemas/Model{}", (n + 1) % count));
        properties.push(("next".to_owned(), Json::object([("$ref", next)])));
        (format!("Model{n}"), Json::object([("type", Json::text("object")), ("properties", Json::Object(properties))]))
    };
    let path = |n: usize| {
        let model = Json::Text(format!("#/components/schemas/Model{n}"));
        let content = Json::object([("application/json", Json::object([("schema", Json::object([("$ref", model)]))]))]);
        let parameter = |name: &str, spot: &str, kind: &str| {
            Json::object([
                ("name", Json::text(name)),
                ("in", Json::text(spot)),
                ("required", Json::Bool(true)),
                ("schema", Json::object([("type", Json::text(kind))])),
            ])
        };
        let operation = Json::object([
            ("operationId", Json::Text(format!("operation{n}"))),
            ("summary", Json::text("An operation")),
            ("description", Json::text(text.as_str())),
            ("parameters", Json::List(vec![parameter("id", "path", "string"), parameter("page", "query", "integer")])),
            ("requestBody", Json::object([("content", content.clone())])),
            (
                "responses",
                Json::object([("200", Json::object([("description", Json::text("ok")), ("content", content)]))]),
            ),
        ]);
        (format!("/v1/resource{n}/items/{{id}}"), Json::object([("post", operation)]))
    };
    let document = Json::object([
        ("openapi", Json::text("3.0.3")),
        ("info", Json::object([("title", Json::text("large")), ("version", Json::text("1"))])),
        ("paths", Json::Object((0..count).map(path).collect())),
        ("components", Json::object([("schemas", Json::Object((0..count).map(schema).collect()))])),
    ]);
    write::document(&document, format)
}

#[test]
fn a_thousand_operations_load_in_good_time() {
    for format in [Format::Json, Format::Yaml] {
        let text = large(1000, 8 << 20, format);
        let name = if format == Format::Json { "d.json" } else { "d.yaml" };
        let toml = format!("{UPSTREAMS}[api.x]\nopenapi = {{ file = \"{name}\", upstream = \"a\" }}\n");
        let start = std::time::Instant::now();
        let compiled =
            load(&[("x.toml", &toml), (name, &text)]).unwrap_or_else(|r| panic!("{}", r.render_human(false)));
        let taken = start.elapsed();
        println!("{format:?}: {} MiB, {taken:?}", text.len() >> 20);
        assert_eq!(compiled.plan.routes.len(), 1000);
        // Under a second in a release build on an idle machine; this build is slower, and so may the machine be.
        assert!(taken.as_secs() < 60, "{taken:?}");
    }
}

#[test]
fn what_would_take_too_much_memory_or_stack_is_refused() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(5000), close.repeat(5000));
    let aliases = (1..20).fold("a0: &a0 [x]\n".to_owned(), |all, n| {
        all + &format!("a{n}: &a{n} [*a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}, *a{m}]\n", m = n - 1)
    });
    let wide = format!("[{}]", "0,".repeat(4_100_000) + "0");
    for (why, name, text) in [
        ("lists in lists", "d.json", deep("[", "]")),
        ("tables in tables", "d.json", deep("{\"a\":", "") + "1"),
        ("lists in lists", "d.yaml", deep("[", "]")),
        ("dashes", "d.yaml", "- ".repeat(5000) + "x"),
        ("aliases", "d.yaml", aliases),
        ("values", "d.json", wide),
    ] {
        let toml = format!("{UPSTREAMS}[api.x]\nopenapi = {{ file = \"{name}\", upstream = \"a\" }}\n");
        let Err(report) = load(&[("x.toml", &toml), (name, &text)]) else { panic!("{why} in {name}") };
        let codes: Vec<u16> = report.diagnostics.iter().map(|d| d.code.0).collect();
        assert!(codes.iter().all(|code| matches!(code, 330 | 331)) && !codes.is_empty(), "{why} in {name}: {codes:?}");
    }
}
