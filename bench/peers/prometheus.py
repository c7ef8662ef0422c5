"""A real Prometheus on this machine, with the same rules over the same connectors: how long its rule group takes.

It scrapes one target on loopback whose values stand still, and evaluates its group at a fixed pace. What it says of
itself (`prometheus_rule_group_last_duration_seconds`, `process_resident_memory_bytes`) is the figure.
"""

import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

import httpx

from bench.measuring import Stopwatch
from bench.sections import AbsentError
from bench.sizes import Size
from bench.world import PLUGS, Fleet, Watch, alerts, place_of, watches

_SAMPLE = re.compile(r"^(\w+)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)
_GROUP = "prometheus_rule_group_last_"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of the group: when it began, how long it took, the process's CPU time until then, its memory."""

    at: float
    seconds: float
    cpu: float
    megabytes: float


def exposition(fleet: Fleet) -> str:
    """The connectors as two series each: one with the status as a label, so that its index serves it, and the power."""
    status, power = [], []
    for number in range(fleet.connectors):
        charger = number // PLUGS
        labels = f'charger="{charger}",connector="{charger}.{number % PLUGS}",location="{place_of(number)}"'
        said = "Faulted" if fleet.is_faulted(number) else "Available"
        status.append(f'ev_connector_status{{{labels},status="{said}"}} 1')
        power.append(f"ev_connector_power_kw{{{labels}}} {fleet.power}")
    heads = ("# TYPE ev_connector_status gauge", "# TYPE ev_connector_power_kw gauge")
    return "\n".join([heads[0], *status, heads[1], *power, ""])


def rule_file(fleet: Fleet, count: int) -> str:
    """The same rules as a rule file of Prometheus, in one group."""
    rules = [
        {"alert": watch.name, "expr": expression(watch), "for": "30s", "labels": {"severity": "warning"}}
        for watch in watches(fleet.connectors, count)
    ]
    return json.dumps({"groups": [{"name": "ev", "rules": rules}]})  # JSON is YAML


def expression(watch: Watch) -> str:
    """What a rule asks, in PromQL."""
    place = "" if watch.place is None else f'location="{watch.place}"'
    faulted = ",".join(filter(None, ('status="Faulted"', place)))
    power = f" and ignoring(status) ev_connector_power_kw{{{place}}} < 1000" if watch.reads_power else ""
    return f"ev_connector_status{{{faulted}}} == 1{power}"


def measure(watch: Stopwatch, folder: Path, size: Size) -> None:
    """Note the group's evaluations once all alerts stand, and the memory after them."""
    program = shutil.which("prometheus")
    if program is None:
        raise AbsentError("prometheus is not installed (Debian's package: prometheus)")
    fleet = Fleet(size.connectors)
    with target(exposition(fleet)) as port, running(program, folder, fleet, size, port) as address:
        wanted, known = alerts(fleet, size.rules), None
        with httpx.Client(base_url=address, timeout=30) as client:
            _wait_for_alerts(client, wanted, watch)
            for evaluation in islice(_evaluations(client, watch), size.laps + 1):
                if known is not None:  # the first one seen may have begun the alerts
                    watch.note("prometheus group", evaluation.seconds, cpu=evaluation.cpu - known.cpu)
                    watch.note("prometheus memory", evaluation.megabytes, "MB")
                known = evaluation


@contextmanager
def target(body: str) -> Iterator[int]:
    """A target that answers every scrape with this text; gives its port."""
    told = body.encode()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.send_header("content-length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def running(program: str, folder: Path, fleet: Fleet, size: Size, scraped: int) -> Iterator[str]:
    """Prometheus with the rules and the target; gives its address, and ends it after the block."""
    config = {
        "global": {
            "scrape_interval": "15s",
            "scrape_timeout": "15s",
            "evaluation_interval": f"{size.group_seconds}s",
        },
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "ev", "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    (folder / "rules.yml").write_text(rule_file(fleet, size.rules), encoding="utf-8")
    address = f"127.0.0.1:{_free_port()}"
    command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={address}"]
    with (folder / "log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        try:
            yield f"http://{address}"
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


def _wait_for_alerts(client: httpx.Client, wanted: int, watch: Stopwatch) -> None:
    """Wait until as many alerts stand as our rules have."""
    standing = 0
    while watch.has_time():
        time.sleep(0.5)
        try:
            answer = client.get("/api/v1/query", params={"query": "count(ALERTS)"}).json()
        except httpx.TransportError:
            continue  # it starts
        result = answer.get("data", {}).get("result") or [{"value": [0, "0"]}]
        standing = int(result[0]["value"][1])
        if standing == wanted:
            return
    raise AbsentError(f"Prometheus has {standing} alerts after its time, where {wanted} must stand")


def _evaluations(client: httpx.Client, watch: Stopwatch) -> Iterator[Evaluation]:
    """Each evaluation that ends from now on."""
    seen = 0.0
    while watch.has_time(1.5):
        found = dict(_SAMPLE.findall(client.get("/metrics").text))
        at = float(found.get(f"{_GROUP}evaluation_timestamp_seconds", 0))
        if at > seen:
            seen = at
            cpu, memory = float(found["process_cpu_seconds_total"]), float(found["process_resident_memory_bytes"])
            yield Evaluation(at, float(found[f"{_GROUP}duration_seconds"]), cpu, memory / 2**20)
        time.sleep(0.5)
