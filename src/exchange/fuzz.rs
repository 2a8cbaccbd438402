//! A core with a small plan of its own, for the fuzz target that takes whole exchanges through it.

use super::authorize::Doorkeeper;
use super::{Core, Epoch};
use crate::{
    base::{
        ids::{ApiId, CoreId, RouteId, UpstreamId},
        limits,
    },
    plan::{
        Api, Balance, Canary, Driver, ErrorLog, Fixed, HttpProxy, Integration, Level, Limits, Mapped, Plan, Retry,
        Route, Rules, Server, ServerTarget, Upstream as Settings, UpstreamServer, Validator,
        canary::Sticky,
        crowd::Gates,
        mapped::{self, Changes, Custom},
        respond::{self, Content, Edit, Passthrough, Requests, Response, Responses},
        shed::{NEVER, Priority},
        throttle,
    },
    route::{Builder, MethodSet},
    upstream::{Net, Upstream},
    validate::{Bodies, Dialect, Library, Parameter, Shape, Source, Style, Where, shape::Types},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

/// A core that answers `/fixed` itself and sends everything else to `server`: what comes to `/valid` once it has had and seen
/// the body, to `/mapped` and from there by what is mapped, to `/changed` with changes, to `/staged` also as a canary.
#[must_use]
pub fn core(net: Rc<Net>, server: SocketAddr) -> Core {
    let plan = Arc::new(plan(server));
    let upstreams = plan.upstreams.iter().map(|u| Rc::new(Upstream::adopt(u, None, |_| Arc::default())));
    let epoch = Epoch {
        limits: Arc::default(),
        gates: Rc::new(Gates::new(0, 1)),
        crowds: Box::default(),
        crowd_counters: Arc::default(),
        upstreams: upstreams.collect(),
        routes: Arc::new([]),
        doorkeeper: Doorkeeper::new(&plan),
        plan: Arc::clone(&plan),
    };
    Core::new(CoreId(0), net, epoch, Arc::default(), None, 1)
}

fn plan(server: SocketAddr) -> Plan {
    let proxy =
        HttpProxy { upstream: UpstreamId(0), path: None, host: None, timeout: Duration::from_secs(4), mapped: None };
    let fixed =
        Fixed { status: 200, fields: Bytes::from_static(b"X-Fixed: yes\r\n"), body: Bytes::from_static(b"fixed") };
    let to = |mapped: Mapped| Integration::HttpProxy(HttpProxy { mapped: Some(Box::new(mapped)), ..proxy.clone() });
    let plain = || Integration::HttpProxy(proxy.clone());
    let staged = Route {
        canary: Some(Box::new(Canary::new(50.0, Sticky::Not, "fuzz", RouteId(7)))),
        ..route(6, "/staged", plain())
    };
    let routes = vec![
        route(0, "/fixed", Integration::Fixed(Box::new(fixed))),
        route(1, "/", plain()),
        route(2, "/{rest+}", plain()),
        Route { validator: validator().map(Arc::new), ..route(3, "/valid", plain()) },
        route(4, "/mapped", to(mapped())),
        route(5, "/changed", to(changed())),
        staged,
        route(7, "/staged", to(changed())),
    ];
    let mut router = Builder::new();
    // The canary is nobody's to find.
    for route in routes.iter().filter(|route| route.id != RouteId(7)) {
        let added = router.add(&[], &route.path, MethodSet::ANY, route.id);
        debug_assert!(added.is_ok(), "three routes that differ");
    }
    Plan {
        hash: 0,
        server: server_settings(),
        listeners: Vec::new(),
        acme: Vec::new(),
        upstreams: vec![upstream(server)],
        apis: vec![Api {
            name: "fuzz".to_owned(),
            hosts: Vec::new(),
            base_path: "/".to_owned(),
            face: None,
            stage: String::new(),
            label: "fuzz".to_owned(),
            canary: None,
            aside: false,
            alone: false,
        }],
        routes,
        limits: throttle::Limits::default(),
        router: router.build(),
        domains: None,
        owners: None,
        guarded: false,
        only_rest: false,
        cache_bytes: limits::CACHE_BYTES_DEFAULT,
        cache_file: None,
        iam_users: Arc::default(),
        authorizers: Vec::new(),
        usage: None,
        cluster: None,
        keys: Arc::default(),
        admin: None,
        access_log: None,
        error_log: ErrorLog { level: Level::Error, file: None },
        prometheus: false,
        documentation: Box::default(),
    }
}

/// What `/valid` looks at: a body that is an object, and a parameter that is a number.
fn validator() -> Option<Validator> {
    let source = |name: &str, schema: Value| Source {
        name: name.into(),
        schema,
        dialect: Dialect::Draft4,
        uri: None,
        formats: true,
    };
    let sources = [("body", "object"), ("number", "integer")].map(|(name, kind)| source(name, json!({ "type": kind })));
    let (library, _) = Library::new(sources.into());
    let parameter = Parameter {
        place: Where::Query,
        name: "n".into(),
        required: false,
        allow_empty: false,
        style: Style::Form,
        explode: true,
        shape: Shape::Scalar(Types { number: true, ..Types::default() }),
        is_json: false,
        schema: Some(Arc::new(library.model(1).ok()?)),
        index: 0,
    };
    let models = vec![("application/json".to_owned(), Arc::new(library.model(0).ok()?))];
    let bodies = Bodies { models, strict: false, limit: 1 << 12 };
    Some(Validator { parameters: vec![parameter], bodies: Some(bodies) })
}

/// An `http` integration: texts get another body, failures another answer.
fn mapped() -> Mapped {
    let response = |pattern: &str, status, content| Response {
        pattern: pattern.to_owned(),
        status,
        headers: vec![("x-came".into(), respond::Value::Headers("x-echo".into()))],
        content,
        asks_record: false,
        content_type: None,
    };
    let own = Content::Texts(vec![("application/json".into(), Bytes::from_static(b"failed"))]);
    let all = vec![
        response("5..", 503, own),
        response("304", 304, Content::Nothing),
        response("default", 200, Content::Passed),
    ];
    let chosen = |status: u16| match status {
        500..=599 => 1,
        304 => 2,
        200..=499 => 3,
        _ => 0,
    };
    let by_status = (respond::FIRST..=respond::LAST).map(chosen).collect();
    let requests = Requests {
        all: vec![("text/plain".into(), Bytes::from_static(b"a text"))],
        passthrough: Passthrough::WhenNoMatch,
    };
    Mapped {
        rules: Rules { bare: true, replaced: vec!["x-id".into()], method: None },
        query: vec![((*b"id").into(), mapped::Value::Query("id".into()))],
        headers: vec![("x-id".into(), mapped::Value::Header("x-id".into()))],
        custom: Some(Box::new(Custom { requests, responses: Responses { all, by_status } })),
        ..Mapped::default()
    }
}

/// What an HTTP API changes.
fn changed() -> Mapped {
    let edit = |status: Option<u16>| Edit {
        status,
        removed: vec!["x-echo".into()],
        headers: vec![("x-came".into(), [respond::Value::Headers("x-echo".into())].into())],
        asks_record: false,
    };
    let path =
        mapped::Value::Text([mapped::Value::Literal((*b"/to/").into()), mapped::Value::Queries("id".into())].into());
    let changes = Changes {
        path: Some(path),
        dropped: vec![(*b"n").into()],
        edits: vec![(200, edit(Some(204))), (204, edit(Some(200))), (404, edit(None))],
    };
    Mapped {
        rules: Rules { replaced: vec!["x-id".into()], ..Rules::default() },
        headers: vec![("x-id".into(), mapped::Value::Whole(Some(0)))],
        changes: Some(Box::new(changes)),
        ..Mapped::default()
    }
}

fn route(id: u32, path: &str, integration: Integration) -> Route {
    Route {
        id: RouteId(id),
        api: ApiId(0),
        methods: "ANY".to_owned(),
        path: path.to_owned(),
        parameters: Vec::new(),
        integration,
        face: None,
        request_body: 1 << 20,
        access: None,
        throttle: None,
        validator: None,
        cache: None,
        invalidates: false,
        canary: None,
        priority: Priority::Critical,
        shed_from: NEVER,
        origin: String::new(),
    }
}

fn upstream(server: SocketAddr) -> Settings {
    let server =
        UpstreamServer { name: server.to_string(), target: ServerTarget::Address(server), weight: 1, tls: None };
    Settings {
        name: "fuzz".to_owned(),
        servers: vec![server],
        balance: Balance::RoundRobin,
        connect_timeout: Duration::from_secs(1),
        max_idle: 8,
        idle_timeout: Duration::from_secs(5),
        retry: Retry { attempts: 2, on_connect: true, on_statuses: Vec::new(), budget: 0.2 },
    }
}

fn server_settings() -> Server {
    Server {
        workers: 1,
        driver: Driver::Auto,
        trusted_proxies: Vec::new(),
        shutdown_grace: Duration::from_secs(1),
        max_connections: 16,
        limits: Limits {
            request_head: limits::HEAD_BYTES_DEFAULT,
            request_headers: limits::FIELDS_DEFAULT,
            request_body: 1 << 20,
            header_timeout: Duration::from_secs(2),
            body_timeout: Duration::from_secs(3),
            idle_timeout: Duration::from_secs(5),
        },
        overload: None,
    }
}
