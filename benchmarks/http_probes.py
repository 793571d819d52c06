"""CPU of an HTTP probe, scheduled, judged and stored, beside Prometheus with blackbox_exporter.

    python -m benchmarks.http_probes [--targets 200] [--seconds 20]

Both probe the same local server, every target each second; first one, then the other, on the same machine.
Counted is the CPU time of their processes alone, by probes that the server saw answered, after a warm-up.
Tocsin runs its own scheduler, checks, rules and SQLite with the outbox, in a process of its own. Exits with 1
when a probe of Tocsin costs more than half of one of theirs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import psutil
from aiohttp import web

from bot.announcing import Announcer
from bot.config import parse
from bot.config.rulebook import rulebook
from bot.domain.clock import system_clock
from bot.monitoring import Monitoring
from bot.probe import probes_of
from bot.scheduler import Scheduler
from storage.database import Database
from storage.schema import upgrade

AIM = 0.5
WARM_UP = 5.0
_BODY = b'{"status": "ok", "version": "1.4.2"}'
_PROMETHEUS = ("prometheus", "prometheus-blackbox-exporter")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """CPU spent on a number of probes."""

    cpu_ms: float
    probes: int
    resident_mb: float

    @property
    def each_ms(self) -> float:
        return self.cpu_ms / max(self.probes, 1)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _serve(port: int, count: Synchronized[int]) -> None:
    async def answer(request: web.Request) -> web.Response:
        count.value += 1
        return web.Response(body=_BODY, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{target}", answer)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


def tocsin_config(port: int, targets: int) -> str:
    """Every target as a check with a threshold, so that rules are judged too."""
    lines = [
        f"  target_{number}: {{type: http, url: 'http://127.0.0.1:{port}/{number}', every: 1s, "
        "thresholds: {response_time_ms: {P2: 5000}}}"
        for number in range(targets)
    ]
    return "\n".join(["checks:", *lines])


async def watch(config: str, folder: str) -> None:
    """Tocsin without Slack: until it is killed."""
    settings = parse(config.encode(), "tocsin.yml", {}, tokens_needed=False)
    database = Database(f"sqlite:///{folder}/tocsin.db")
    await upgrade(database)
    monitoring = Monitoring(
        database=database,
        rulebook=rulebook(settings),
        announcer=Announcer(database=database, channel="#alerts"),
        clock=system_clock,
        wake=lambda: None,
    )
    async with probes_of(settings, system_clock) as probes:

        async def report(_name: str, _observations: object) -> None:
            """Nothing is reported here."""

        scheduler = Scheduler(monitoring=monitoring, clock=system_clock, report=report)
        scheduler.add_probes(probes)
        writer = monitoring.start()
        scheduler.start()
        await writer


def prometheus_config(port: int, exporter: int, targets: int) -> str:
    """The exporter asked about every target, as its README says."""
    listed = [f"http://127.0.0.1:{port}/{number}" for number in range(targets)]
    moves = [
        {"source_labels": ["__address__"], "target_label": "__param_target"},
        {"source_labels": ["__param_target"], "target_label": "instance"},
        {"target_label": "__address__", "replacement": f"127.0.0.1:{exporter}"},
    ]
    job = {
        "job_name": "blackbox",
        "metrics_path": "/probe",
        "params": {"module": ["http_2xx"]},
        "static_configs": [{"targets": listed}],
        "relabel_configs": moves,
    }
    rule = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    return json.dumps({"global": rule, "rule_files": ["rules.yml"], "scrape_configs": [job]})


_RULES = {"groups": [{"name": "targets", "rules": [
    {"alert": "Down", "expr": "probe_success == 0"},
    {"alert": "Slow", "expr": "probe_duration_seconds > 5"},
]}]}  # fmt: skip


@contextmanager
def _started(command: Sequence[str]) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def tocsin(port: int, targets: int, folder: str) -> Iterator[list[int]]:
    config = Path(folder, "tocsin.yml")
    config.write_text(tocsin_config(port, targets), encoding="utf-8")
    with _started([sys.executable, "-m", "benchmarks.http_probes", "--watch", str(config)]) as pid:
        yield [pid]


@contextmanager
def prometheus(port: int, targets: int, folder: str) -> Iterator[list[int]]:
    exporter, own = _free_port(), _free_port()
    module = {"prober": "http", "timeout": "5s", "http": {"preferred_ip_protocol": "ip4"}}
    files = {
        "blackbox.yml": json.dumps({"modules": {"http_2xx": module}}),
        "rules.yml": json.dumps(_RULES),
        "prometheus.yml": prometheus_config(port, exporter, targets),
    }
    for name, text in files.items():
        Path(folder, name).write_text(text, encoding="utf-8")
    with ExitStack() as stack:
        blackbox = [_PROMETHEUS[1], f"--config.file={folder}/blackbox.yml"]
        main_ = [_PROMETHEUS[0], f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/db"]
        yield [
            stack.enter_context(_started([*blackbox, f"--web.listen-address=127.0.0.1:{exporter}"])),
            stack.enter_context(_started([*main_, f"--web.listen-address=127.0.0.1:{own}"])),
        ]


def _cpu_seconds(processes: Sequence[psutil.Process]) -> float:
    spent = [each.cpu_times() for process in processes for each in [process, *process.children(True)]]
    return sum(each.user + each.system for each in spent)


def measure(pids: Sequence[int], count: Synchronized[int], seconds: float) -> Cost:
    """What some processes spend on the probes the server sees, once all of them are at work."""
    seen = count.value
    deadline = time.monotonic() + 60
    while count.value == seen and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(WARM_UP)
    processes = [psutil.Process(pid) for pid in pids]
    cpu, seen = _cpu_seconds(processes), count.value
    time.sleep(seconds)
    spent, probes = _cpu_seconds(processes) - cpu, count.value - seen
    resident = sum(process.memory_info().rss for process in processes) / 1e6
    return Cost(cpu_ms=1000 * spent, probes=probes, resident_mb=resident)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--watch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.watch:
        asyncio.run(watch(options.watch.read_text(encoding="utf-8"), str(options.watch.parent)))
        return
    compared = {"Tocsin": tocsin}
    if all(shutil.which(name) for name in _PROMETHEUS):
        compared["Prometheus + blackbox_exporter"] = prometheus
    else:
        print(f"Prometheus is not measured: {' and '.join(_PROMETHEUS)} are not both installed")
    spawning = multiprocessing.get_context("spawn")
    port, count = _free_port(), spawning.Value("q", 0)
    server = spawning.Process(target=_serve, args=(port, count), daemon=True)
    server.start()
    costs = {}
    try:
        for name, start in compared.items():
            with tempfile.TemporaryDirectory() as folder, start(port, options.targets, folder) as pids:
                cost = costs[name] = measure(pids, count, options.seconds)
            print(
                f"{name:32} {cost.each_ms:6.3f} ms CPU a probe, {cost.probes / options.seconds:6.1f} probes/s, "
                f"{cost.resident_mb:4.0f} MB",
                flush=True,
            )
    finally:
        server.terminate()
        server.join()
    if len(costs) == 2:
        ratio = costs["Tocsin"].each_ms / costs["Prometheus + blackbox_exporter"].each_ms
        print(f"Tocsin's share of theirs: {ratio:.2f} (aim: below {AIM})")
        raise SystemExit(0 if ratio < AIM else 1)


if __name__ == "__main__":
    main()
