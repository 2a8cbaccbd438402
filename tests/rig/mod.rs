//! One client connection, one core, one upstream connection, moved by hand: nothing else runs and nothing waits.

use ringgate::{
    base::{
        clock::Clock,
        ids::{CoreId, ListenerId},
    },
    compile, config,
    connection::{self, Client},
    exchange::{Core, context::ClientAddress},
    io::{
        Net,
        sim::{Executor, Queue, Socket, Weather, World},
    },
    observe::metrics::Registry,
    tls::{Server, Stream, Target, handshake},
    worker::adopt::CorePlan,
};
use std::{
    cell::RefCell,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Waker},
};

/// The stage of an exchange.
pub(crate) struct Rig {
    pub(crate) core: Rc<Core>,
    near: Stream,
    gateway: Pin<Box<dyn Future<Output = ()>>>,
    queue: Rc<Queue>,
    upstream: Option<Rc<Socket>>,
    buffer: Vec<u8>,
    /// What the client got last.
    pub(crate) got: Vec<u8>,
    /// A count that is read before and after the gateway's turn, and what was added in those turns.
    pub(crate) meter: fn() -> u64,
    pub(crate) spent: u64,
}

impl Rig {
    /// A core that runs `text`, whose upstream is at 10.0.0.1:80, with one client.
    pub(crate) fn new(text: &str) -> Self {
        Self::over(text, None)
    }

    #[allow(dead_code, reason = "benches need it not")]
    /// The same; the client speaks TLS if it is said how.
    pub(crate) fn over(text: &str, encrypted: Option<(&Arc<Server>, &Target)>) -> Self {
        let config = config::load_str("rig.toml", text, &|_| None).expect("a configuration").config;
        let plan = Arc::new(compile::compile(&config).expect("a plan").0);
        // What control does where there are quotas.
        if let Some(usage) = &plan.usage {
            let keys = plan.keys.current();
            let open = |_| usage.ledger.open(&Default::default()).expect("room").0;
            keys.mark(keys.memberships().map(open).collect());
        }
        let registry = Registry::new();
        let epoch = CorePlan::for_cores(&plan, &registry, 1).remove(0).adopt(None, &[]);
        let world = World::new(1, Weather::default());
        let queue = world.listen(SocketAddr::from(([10, 0, 0, 1], 80)));
        let net = Rc::new(Net::simulated(Rc::clone(&world), Clock::manual()));
        let core = Rc::new(Core::new(CoreId(0), net, epoch, registry.core(0), None, 1));
        let (near, far) = world.pair();
        let pair = match encrypted {
            None => (Stream::simulated(near), Stream::simulated(far)),
            Some((server, target)) => shake(&core.net, near, far, server, target),
        };
        Self::with(core, queue, pair)
    }

    fn with(core: Rc<Core>, queue: Rc<Queue>, (near, far): (Stream, Stream)) -> Self {
        let address = ClientAddress::new(([192, 0, 2, 1], 4711).into(), false);
        let alarm = core.net.timers.alarm();
        let client = Client::new(Rc::clone(&core), far, alarm, address, ListenerId(0));
        let gateway = Box::pin(connection::serve(Rc::new(client), connection::Staff::new(connection::work), ()));
        let (buffer, got) = (vec![0; 1 << 16], Vec::with_capacity(1 << 12));
        Self { core, near, gateway, queue, upstream: None, buffer, got, meter: || 0, spent: 0 }
    }

    /// Takes `request` through and answers it with `response`, unless the core answers by itself. Returns how many bytes
    /// the upstream and the client got.
    pub(crate) fn exchange(&mut self, request: &[u8], response: &[u8]) -> (usize, usize) {
        let (mut asked, mut got) = (0, 0);
        self.got.clear();
        let (mut request, mut response) = (request, response);
        loop {
            let before = (request.len(), response.len(), asked, got);
            while let Ok(n @ 1..) = self.near.send(request) {
                request = &request[n..];
            }
            self.poll();
            if self.upstream.is_none() {
                self.upstream = self.queue.take();
            }
            if let Some(upstream) = &self.upstream {
                while let Ok(n @ 1..) = upstream.recv(&mut self.buffer) {
                    asked += n;
                }
                if asked > 0 && request.is_empty() {
                    send(upstream, &mut response);
                }
            }
            self.poll();
            while let Ok(n @ 1..) = self.near.recv(&mut self.buffer) {
                let room = self.got.capacity() - self.got.len();
                self.got.extend_from_slice(&self.buffer[..n.min(room)]);
                got += n;
            }
            if before == (request.len(), response.len(), asked, got) {
                return (asked, got);
            }
        }
    }

    fn poll(&mut self) {
        let before = (self.meter)();
        let over = self.gateway.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        self.spent += (self.meter)() - before;
        assert!(over.is_pending(), "the connection is kept");
    }
}

/// A client and a server that have done their handshake.
fn shake(net: &Rc<Net>, near: Rc<Socket>, far: Rc<Socket>, server: &Arc<Server>, target: &Target) -> (Stream, Stream) {
    let made: [Rc<RefCell<Option<Stream>>>; 2] = Default::default();
    let mut executor = Executor::default();
    let deadline = net.now().plus(std::time::Duration::from_secs(9));
    let (net_here, target, out) = (Rc::clone(net), target.clone(), Rc::clone(&made[0]));
    executor.spawn(async move {
        let (alarm, socket) = (net_here.timers.alarm(), ringgate::io::Stream::simulated(near));
        let done = handshake::connect(socket, &target, &net_here, &alarm, deadline).await;
        assert!(done.as_ref().is_ok_and(|done| done.stream.flush()));
        *out.borrow_mut() = done.ok().map(|done| done.stream);
    });
    let (net_here, server, out) = (Rc::clone(net), Arc::clone(server), Rc::clone(&made[1]));
    executor.spawn(async move {
        let (alarm, socket) = (net_here.timers.alarm(), ringgate::io::Stream::simulated(far));
        let done = handshake::accept(socket, &server, &net_here, &alarm, deadline, || Some(())).await;
        *out.borrow_mut() = done.ok().map(|done| done.stream);
    });
    assert!(executor.run(100_000) && executor.is_empty(), "the handshake ends");
    let [near, far] = made.map(|made| made.take().expect("a session"));
    (near, far)
}

fn send(socket: &Socket, bytes: &mut &[u8]) {
    while let Ok(n @ 1..) = socket.send(bytes) {
        *bytes = &bytes[n..];
    }
}

/// `routes` decoys and the routes that the scripts ask for.
pub(crate) fn config(routes: usize) -> String {
    let mut text = String::from(
        r#"
[server]
listen = ["127.0.0.1:1"]
[server.limits]
request_body = "64MiB"
[upstream.u]
servers = ["http://10.0.0.1:80"]
[api.a]
[[api.a.route]]
method = "ANY"
path = "/p/{rest+}"
integration = { type = "http_proxy", upstream = "u" }
[[api.a.route]]
method = "ANY"
path = "/fixed"
integration = { type = "static", status = 200, headers = { cache-control = "no-cache" }, body = "fixed" }
[[api.a.route]]
method = "ANY"
path = "/old/{x}"
integration = { type = "redirect", status = 302, location = "/new/{x}", keep_query = true }
[[api.a.route]]
method = "ANY"
path = "/mapped/{x}"
integration = { type = "http_proxy", uri = "http://10.0.0.1/m/{x}/{q}?a={b}" }
[api.a.route.request_parameters]
"integration.request.path.q" = "method.request.querystring.q"
"integration.request.path.b" = "method.request.header.host"
"integration.request.querystring.id" = "context.requestId"
"integration.request.querystring.all" = "method.request.multivaluequerystring.q"
"integration.request.header.x-ip" = "context.identity.sourceIp"
"integration.request.header.x-host" = "method.request.header.host"
"integration.request.header.x-q" = "method.request.querystring.q"
[[api.a.route]]
method = "ANY"
path = "/custom/{x}"
integration = { type = "http", uri = "http://10.0.0.1/c/{x}" }
[api.a.route.response.200]
[api.a.route.response.200.parameters]
"method.response.header.x-id" = "context.requestId"
"method.response.header.x-type" = "integration.response.header.content-type"
"method.response.header.x-all" = "integration.response.multivalueheader.server"
[api.a.route.response.default]
status = 404
templates = { "application/json" = '{"message":"none"}' }
[[api.a.route]]
method = "ANY"
path = "/mock"
integration = { type = "mock" }
request_templates = { "application/json" = '{"statusCode":200}' }
passthrough_behavior = "never"
[api.a.route.response.default]
parameters = { "method.response.header.x-id" = "context.requestId" }
templates = { "application/json" = "{}", "text/html" = "<p>" }
"#,
    );
    for n in 0..routes {
        text += &format!(
            "[[api.a.route]]\nmethod = \"GET\"\npath = \"/svc{n}/items/{{id}}\"\nintegration = {{ type = \"http_proxy\", upstream = \"u\" }}\n"
        );
    }
    text
}

/// As wrk asks.
pub(crate) const WRK: &[u8] = b"GET /p/a HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n";

/// As a browser asks.
pub(crate) const BROWSER: &[u8] = b"GET /p/orders/17?page=2&sort=date HTTP/1.1\r\n\
Host: shop.example.com\r\n\
Connection: keep-alive\r\n\
sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\"\r\n\
sec-ch-ua-mobile: ?0\r\n\
sec-ch-ua-platform: \"Linux\"\r\n\
Upgrade-Insecure-Requests: 1\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8\r\n\
Sec-Fetch-Site: same-origin\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
Cookie: session=0123456789abcdef0123456789abcdef; theme=dark; consent=yes\r\n\r\n";

/// A small answer as nginx writes it.
pub(crate) const SMALL: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx/1.26.3\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\
Content-Type: text/plain\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\nhello world\n";
