#!/usr/bin/env python3
"""What a reload does to requests under way, and how long a start takes, with many routes. Prints a Markdown table.

    cargo build --release
    benches/wrk/reload.py

The gateway runs on one processor, worker and control thread alike, and one client on another asks as fast as it is
answered. Windows in which SIGHUP has just been sent alternate with windows of the same length without: the machine's own
hiccups are in both, so what a reload adds is the difference. Nothing but 127.0.0.1 is used, and nothing is left behind.
"""

import argparse
import contextlib
import gc
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REQUEST = b"GET /v1/s9/orders/4711/items/7 HTTP/1.1\r\nHost: localhost\r\n\r\n"


def main():
    options = parse()
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[-1]})
    with tempfile.TemporaryDirectory(prefix="ringgate-reload-") as folder:
        port = free_port()
        file = Path(folder) / "ringgate.toml"
        file.write_text(configuration(options.routes, port))
        starts = [start(options.binary, file, port, processors[0], None) for _ in range(5)]
        with running(options.binary, file, port, processors[0]) as gateway:
            quiet, busy, accepted = measure(gateway, port, options.reloads, options.window)
    report(options, starts, quiet, busy, accepted)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default=ROOT / "target/release/ringgate", help="default: target/release/ringgate")
    parser.add_argument("--routes", type=int, default=10_000)
    parser.add_argument("--reloads", type=int, default=15)
    parser.add_argument("--window", type=float, default=1.2, help="seconds; an old plan is dropped within a second")
    return parser.parse_args()


def configuration(routes, port):
    """`routes` routes with two parameters each; the one that is asked for is answered at once."""
    lines = [
        f'[server]\nlisten = ["127.0.0.1:{port}"]\nworkers = 1\n',
        '[upstream.backend]\nservers = ["http://127.0.0.1:9"]\n',
        '[api.many]\nbase_path = "/v1"\n',
    ]
    for n in range(routes):
        answer = '"mock"' if n == 9 else '"http_proxy", upstream = "backend", path = "/{order}/{item}"'
        lines.append(
            f'[[api.many.route]]\nmethod = "GET"\npath = "/s{n}/orders/{{order}}/items/{{item}}"\n'
            f"integration = {{ type = {answer} }}\n"
        )
    return "".join(lines)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def spawn(binary, file, processor):
    return subprocess.Popen(
        [binary, "run", "-c", file],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, {processor}),
    )


def start(binary, file, port, processor, keep):
    """Milliseconds from starting the program until it has answered a request."""
    begun = time.perf_counter()
    gateway = spawn(binary, file, processor)
    try:
        took = wait_for_answer(gateway, port, begun)
    except BaseException:
        gateway.kill()
        raise
    if keep is not None:
        keep.append(gateway)
    else:
        end(gateway)
    return took


def wait_for_answer(gateway, port, begun):
    while True:
        if gateway.poll() is not None:
            sys.exit("the gateway did not start:\n" + gateway.stderr.read().decode())
        try:
            with socket.create_connection(("127.0.0.1", port)) as client:
                ask(client)
                return (time.perf_counter() - begun) * 1000
        except (ConnectionRefusedError, ConnectionResetError):
            # Reset: it has only tried whether the port is free.
            time.sleep(0.001)


def end(gateway):
    gateway.send_signal(signal.SIGTERM)
    return gateway.communicate(timeout=40)[1].decode()


@contextlib.contextmanager
def running(binary, file, port, processor):
    kept = []
    start(binary, file, port, processor, kept)
    try:
        yield kept[0]
    finally:
        if kept[0].poll() is None:
            end(kept[0])


def ask(client):
    client.sendall(REQUEST)
    if not client.recv(4096).startswith(b"HTTP/1.1 200 "):
        sys.exit("the gateway answered something else than 200")


def measure(gateway, port, reloads, window):
    """The latencies of each window, in µs: (without a reload, with one, reloads accepted)."""
    quiet, busy = [], []
    gc.disable()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2000):
            ask(client)
        for _ in range(reloads):
            quiet.append(latencies(client, window))
            gateway.send_signal(signal.SIGHUP)
            busy.append(latencies(client, window))
    log = end(gateway)
    return quiet, busy, log.count("reloaded, config ok")


def latencies(client, window):
    found = []
    now = time.perf_counter_ns()
    until = now + int(window * 1e9)
    while now < until:
        ask(client)
        before, now = now, time.perf_counter_ns()
        found.append((now - before) / 1000)
    return sorted(found)


def report(options, starts, quiet, busy, accepted):
    if accepted != options.reloads:
        print(f"warning: {accepted} of {options.reloads} reloads were accepted", file=sys.stderr)
    print(f"{options.routes} routes; {accepted} reloads, {len(busy)} windows of {options.window} s each way\n")
    print("| µs | no reload | reload |\n| --- | --- | --- |")
    rows = [
        ("median", lambda window: at(window, 0.5)),
        ("p99", lambda window: at(window, 0.99)),
        ("p99.9", lambda window: at(window, 0.999)),
        ("worst", lambda window: window[-1]),
    ]
    for name, of in rows:
        few, many = ([of(window) for window in windows] for windows in (quiet, busy))
        print(f"| {name}, median of windows | {statistics.median(few):.0f} | {statistics.median(many):.0f} |")
    print(f"| worst of all windows | {max(w[-1] for w in quiet):.0f} | {max(w[-1] for w in busy):.0f} |")
    print(f"\nstart until the first answer: {statistics.median(starts):.0f} ms (median of {len(starts)})")


def at(window, share):
    return window[min(len(window) - 1, int(len(window) * share))]


if __name__ == "__main__":
    main()
