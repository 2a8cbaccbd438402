//! A core with a small plan of its own, for the fuzz target that takes whole exchanges through it.

use super::authorize::Doorkeeper;
use super::{Core, Epoch};
use crate::{
    base::{
        ids::{ApiId, CoreId, RouteId, UpstreamId},
        limits,
    },
    plan::{
        Api, Balance, Driver, ErrorLog, Fixed, HttpProxy, Integration, Level, Limits, Plan, Retry, Route, Server,
        ServerTarget, Upstream as Settings, UpstreamServer,
    },
    route::{Builder, MethodSet},
    upstream::{Net, Upstream},
};
use bytes::Bytes;
use std::{net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

/// A core that answers `/fixed` itself and sends everything else to `server`.
#[must_use]
pub fn core(net: Rc<Net>, server: SocketAddr) -> Core {
    let plan = Arc::new(plan(server));
    let upstreams = plan.upstreams.iter().map(|u| Rc::new(Upstream::adopt(u, None, |_| Arc::default())));
    let epoch = Epoch {
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
    let routes = vec![
        route(0, "/fixed", Integration::Fixed(fixed)),
        route(1, "/", Integration::HttpProxy(proxy.clone())),
        route(2, "/{rest+}", Integration::HttpProxy(proxy)),
    ];
    let mut router = Builder::new();
    for route in &routes {
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
        }],
        routes,
        router: router.build(),
        domains: None,
        owners: None,
        only_rest: false,
        iam_users: Arc::default(),
        authorizers: Vec::new(),
        keys: Arc::default(),
        admin: None,
        access_log: None,
        error_log: ErrorLog { level: Level::Error, file: None },
        prometheus: false,
        documentation: Box::default(),
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
        validator: None,
        canary: None,
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
    }
}
