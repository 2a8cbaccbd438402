#!/usr/bin/env python3
"""Compares ringgate with nginx and HAProxy on this machine, with wrk, and prints a Markdown table.

    cargo build --release
    benches/wrk/compare.py

Needs wrk, nginx (as the origin, and as a proxy) and haproxy; what is missing is left out, but for wrk and nginx. What is
measured and how to read it is in README.md beside this file. Nothing but 127.0.0.1 is used, and nothing is left behind.
"""

import argparse
import contextlib
import datetime
import http.client
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TICKS = os.sysconf("SC_CLK_TCK")
SMALL = b"hello, world!"
BIG_BYTES = 1 << 20

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
    "Cache-Control": "no-cache",
    "Cookie": "session=" + "0123456789abcdef" * 16 + "; theme=dark; consent=all",
    "Referer": "https://shop.example.com/catalogue/books?page=7&sort=price",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "same-origin",
    "Upgrade-Insecure-Requests": "1",
}

# Larger buffers move large bodies for half the CPU time, and make small requests dearer: HAProxy gets each where it helps.
HAPROXY_BULK = "tune.bufsize 65536"

# Name: connections, path, fields, what CPU time is divided by.
SCENARIOS = {
    "small-64": (64, "/small", {}, "request"),
    "small-512": (512, "/small", {}, "request"),
    "browser-64": (64, "/small", BROWSER, "request"),
    "body-1m": (16, "/1m", {}, "GiB"),
}

ORIGIN = """
daemon off; master_process off; pid {folder}/origin.pid; error_log {folder}/origin.log crit;
worker_rlimit_nofile 65536;
events {{ worker_connections 8192; multi_accept on; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 300; sendfile on; tcp_nodelay on;
  {temp}
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    location = /small {{ return 200 "{small}"; }}
    location / {{ root {folder}/www; open_file_cache max=100; }}
  }}
}}
"""

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log crit;
worker_rlimit_nofile 65536;
events {{ worker_connections 8192; multi_accept on; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 300; tcp_nodelay on;
  {temp}
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=8192;
    location / {{
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host;
      proxy_buffer_size 16k; proxy_buffers 16 64k; proxy_busy_buffers_size 128k; proxy_max_temp_file_size 0;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 8192
  {haproxy_tuning}
defaults
  mode http
  timeout client 300s
  timeout server 300s
  timeout connect 5s
  option forwardfor
  http-reuse always
frontend in
  bind 127.0.0.1:{port} backlog 8192
  http-request set-header X-Forwarded-Proto http
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  default_backend out
backend out
  server origin 127.0.0.1:{origin} pool-max-conn 1024
"""

RINGGATE = """
[server]
workers = 1
listen = ["127.0.0.1:{port}"]
[log.access]
output = "off"
[upstream.origin]
servers = ["http://127.0.0.1:{origin}"]
[api.all]
[[api.all.route]]
method = "ANY"
path = "/{{proxy+}}"
integration = {{ type = "http_proxy", upstream = "origin" }}
"""


def main():
    options = arguments()
    needed = [program for program in ("wrk", "nginx") if not find(program)]
    if needed:
        sys.exit(f"compare.py needs {' and '.join(needed)}: on Debian, apt-get install {' '.join(needed)}")
    cores = sorted(os.sched_getaffinity(0))
    proxy_cores, load_cores = ({cores[0]}, set(cores[1:])) if len(cores) > 1 else (set(cores), set(cores))
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ringgate-compare-")))
        origin = start_origin(stack, folder, load_cores)
        results, versions = {}, {}
        for bulk in (False, True):
            scenarios = [name for name in options.scenarios if is_bulk(name) == bulk]
            if scenarios:
                with contextlib.ExitStack() as inner:
                    proxies = start_proxies(inner, folder, origin, options, proxy_cores, bulk)
                    results.update(measure(proxies, scenarios, options, load_cores))
                    versions = {name: version for name, (_, _, version) in proxies.items()}
    text = report(versions, results, options, cores)
    print(text)
    if options.markdown:
        Path(options.markdown).write_text(text + "\n")
    if any(sample.get("fault") for samples in results.values() for sample in samples):
        sys.exit(1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ringgate", default=str(ROOT / "target/release/ringgate"), help="the binary (default: %(default)s)")
    parser.add_argument("--proxies", default="ringgate,nginx,haproxy", help="which, comma-separated (default: %(default)s)")
    parser.add_argument("--scenarios", default=",".join(SCENARIOS), help="which, comma-separated (default: all)")
    parser.add_argument("--seconds", type=int, default=5, help="of each sample (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="samples of each proxy and scenario (default: %(default)s)")
    parser.add_argument("--markdown", help="write the table to this file, too")
    options = parser.parse_args()
    options.proxies = options.proxies.split(",")
    options.scenarios = options.scenarios.split(",")
    unknown = [name for name in options.scenarios if name not in SCENARIOS]
    unknown += [name for name in options.proxies if name not in ("ringgate", "nginx", "haproxy")]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}")
    return options


# Starting what is compared.


def start_origin(stack, folder, cores):
    (folder / "www").mkdir()
    (folder / "www/1m").write_bytes(os.urandom(BIG_BYTES))
    port = free_port()
    path = folder / "origin.conf"
    path.write_text(ORIGIN.format(folder=folder, port=port, small=SMALL.decode(), temp=temp_paths(folder, "origin")))
    start(stack, [find("nginx"), "-c", path, "-p", folder], cores, port)
    return port


def start_proxies(stack, folder, origin, options, cores, bulk):
    """Starts each proxy that is here, and checks that it does its work; returns name -> (process, port, version)."""
    proxies = {}
    for name in options.proxies:
        program = options.ringgate if name == "ringgate" else find(name)
        if not program or not os.path.exists(program):
            print(f"{name} is not here: left out", file=sys.stderr)
            continue
        port = free_port()
        path = folder / f"{name}.conf"
        text = {"ringgate": RINGGATE, "nginx": NGINX, "haproxy": HAPROXY}[name]
        tuning = HAPROXY_BULK if bulk else ""
        path.write_text(
            text.format(folder=folder, port=port, origin=origin, temp=temp_paths(folder, name), haproxy_tuning=tuning)
        )
        command = {
            "ringgate": [program, "run", "--config", path],
            "nginx": [program, "-c", path, "-p", folder],
            "haproxy": [program, "-f", path, "-db"],
        }[name]
        process = start(stack, command, cores, port)
        verify(name, port, folder)
        proxies[name] = (process, port, version(name, program))
    if not proxies:
        sys.exit("nothing to compare")
    return proxies


def start(stack, command, cores, port):
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    stack.callback(stop, process)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"{command[0]} stopped:\n{process.stderr.read().decode(errors='replace')}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return process
        time.sleep(0.02)
    sys.exit(f"{command[0]} does not listen on port {port}")


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()


def verify(name, port, folder):
    """A proxy that answers quickly, but not what the origin said, is not compared."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for path, content in (("/small", SMALL), ("/1m", (folder / "www/1m").read_bytes()), ("/small", SMALL)):
        connection.request("GET", path)
        response = connection.getresponse()
        if response.status != 200 or response.read() != content:
            sys.exit(f"{name} does not hand on {path}: status {response.status}")
    connection.close()


# Measuring.


def measure(proxies, scenarios, options, cores):
    """All proxies in turn, round by round, so that a slow minute of the machine counts on all of them."""
    results = {}
    for scenario in scenarios:
        for round_number in range(options.rounds):
            for name, (process, port, _) in proxies.items():
                sample = take_sample(process, port, scenario, options.seconds, cores)
                results.setdefault((scenario, name), []).append(sample)
                said = sample.get("fault") or f"{sample['rate']:.0f} requests/s, {sample['cpu']:.1f} {unit(scenario)}"
                print(f"{scenario} {name} {round_number + 1}/{options.rounds}: {said}", file=sys.stderr)
    return results


def take_sample(process, port, scenario, seconds, cores):
    connections, path, fields, _ = SCENARIOS[scenario]
    threads = max(1, min(len(cores), 2, connections))
    command = [find("wrk"), f"-t{threads}", f"-c{connections}", "--latency", "--timeout", "10s"]
    for name, value in fields.items():
        command += ["-H", f"{name}: {value}"]
    url = f"http://127.0.0.1:{port}{path}"
    pin = lambda: os.sched_setaffinity(0, cores)
    # Connections are made and pools filled before anything counts.
    subprocess.run([*command, "-d1s", url], capture_output=True, check=True, preexec_fn=pin)
    before = cpu_seconds(process.pid)
    output = subprocess.run([*command, f"-d{seconds}s", url], capture_output=True, text=True, check=True, preexec_fn=pin)
    used = cpu_seconds(process.pid) - before
    return understand(output.stdout, used, scenario)


def understand(text, used, scenario):
    def number(pattern):
        found = re.search(pattern, text)
        return float(found.group(1)) if found else 0.0

    requests = number(r"(\d+) requests in")
    if "Socket errors" in text or "Non-2xx" in text or requests == 0:
        return {"fault": "FAILED: " + "; ".join(re.findall(r"(?:Socket errors|Non-2xx).*", text) or ["no answer"])}
    latency = dict(re.findall(r"(50|99)%\s+([\d.]+\w+)", text))
    work, scale = (requests * BIG_BYTES / (1 << 30), 1e3) if is_bulk(scenario) else (requests, 1e6)
    return {
        "rate": number(r"Requests/sec:\s+([\d.]+)"),
        "p50": milliseconds(latency["50"]),
        "p99": milliseconds(latency["99"]),
        "cpu": used * scale / work,
    }


def milliseconds(text):
    value, suffix = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(value) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[suffix]


def cpu_seconds(process):
    """User and system time of all threads of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


# Telling.


def report(versions, results, options, cores):
    lines = [
        f"{datetime.date.today()}, {platform.system()} {platform.release()}, {processor()}, {len(cores)} cores; "
        + "; ".join(versions.values()),
        f"Medians of {options.rounds} samples of {options.seconds} s (lowest to highest); one core for each proxy"
        + (", the others for wrk and the origin." if len(cores) > 1 else ", SHARED with wrk and the origin: of little worth."),
        "",
        "| scenario | proxy | requests/s | p50 ms | p99 ms | CPU | CPU to the best other |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for scenario in options.scenarios:
        for name in versions:
            lines.append(row(scenario, name, results, versions))
    return "\n".join(lines)


def row(scenario, name, results, names):
    samples = results[(scenario, name)]
    faults = [sample["fault"] for sample in samples if "fault" in sample]
    if faults:
        return f"| {scenario} | {name} | {faults[0]} | | | | |"

    def median(key, of=samples):
        return statistics.median(sample[key] for sample in of)

    cpu = [sample["cpu"] for sample in samples]
    others = [
        median("cpu", results[(scenario, other)])
        for other in names
        if other != name and not any("fault" in sample for sample in results[(scenario, other)])
    ]
    ratio = f"{median('cpu') / min(others):.2f}" if others else ""
    return (
        f"| {scenario} | {name} | {median('rate'):.0f} | {median('p50'):.2f} | {median('p99'):.2f} "
        f"| {median('cpu'):.1f} {unit(scenario)} ({min(cpu):.1f} to {max(cpu):.1f}) | {ratio} |"
    )


def is_bulk(scenario):
    return SCENARIOS[scenario][3] == "GiB"


def unit(scenario):
    return "ms/GiB" if is_bulk(scenario) else "µs/request"


def version(name, program):
    words = {"ringgate": ["version"], "nginx": ["-v"], "haproxy": ["-v"]}[name]
    run = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    first = ((run.stdout or run.stderr).strip().splitlines() or [name])[0]
    found = re.search(r"\d+\.\d+[^\s]*", first)
    return f"{name} {found.group(0) if found else ''}".strip()


def processor():
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        if found:
            return found.group(1)
    return platform.machine()


# Small things.


def find(program):
    return shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def temp_paths(folder, name):
    kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    return " ".join(f"{kind}_temp_path {folder}/{name}-{kind};" for kind in kinds)


if __name__ == "__main__":
    main()
