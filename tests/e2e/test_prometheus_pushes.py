"""Debian's own Prometheus, Alertmanager and amtool tell Tocsin of their alerts."""

import asyncio
import json
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from tests.checks.surroundings import absent, unused_port
from tests.e2e.harness import TOKEN, Json, Story, shown, story

PROMETHEUS = """
global: {{evaluation_interval: 200ms}}
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - api_version: v2
      authorization: {{credentials: {token}}}
      static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
RULES = """
groups:
  - name: shop
    rules:
      - alert: CheckoutSlow
        expr: vector({value}) > 0
        labels: {{severity: critical, service: checkout}}
        annotations:
          summary: Checkout is slow
          description: "It takes {{{{ $value }}}} seconds"
          runbook_url: https://wiki.example.com/checkout
"""
ALERTMANAGER = """
route: {{receiver: tocsin, group_wait: 0s, group_interval: 1s, group_by: [alertname]}}
receivers:
  - name: tocsin
    webhook_configs:
      - url: http://127.0.0.1:{port}/hooks/alertmanager
        send_resolved: true
        http_config: {{basic_auth: {{username: alertmanager, password: {token}}}}}
"""


def program(name: str) -> str:
    """Where it is installed."""
    found = shutil.which(name)
    if found is None:
        package = "prometheus" if name == "prometheus" else "prometheus-alertmanager"
        absent(f"no {name}; apt-get install {package}")
    return str(found)


@contextmanager
def running(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program that ends with the block."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


@asynccontextmanager
async def pushing(tmp_path: Path) -> AsyncIterator[tuple[Story, subprocess.Popen[bytes]]]:
    """A Tocsin by the real time, and a Prometheus whose rule is true."""
    binary = program("prometheus")
    async with story(tmp_path, start=datetime.now(UTC)) as told:
        port = told.tocsin.http.port
        (tmp_path / "prometheus.yml").write_text(PROMETHEUS.format(port=port, token=TOKEN))
        (tmp_path / "rules.yml").write_text(RULES.format(value=4))
        with running(
            binary,
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{unused_port()}",
            "--rules.alert.resend-delay=5s",  # it finds Tocsin after its first try; an alert ends 20 s ahead
        ) as process:
            yield told, process


async def listed(told: Story) -> list[Json]:
    url = f"http://127.0.0.1:{told.tocsin.http.port}/api/v1/alerts"
    async with told.http.get(url, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
        items: list[Json] = (await answer.json())["items"]
        return items


async def reached(told: Story, status: str) -> Json:
    """The one alert once it has this status, by the real time."""
    deadline = perf_counter() + 60
    found: list[Json] = []
    while perf_counter() < deadline:
        found = await listed(told)
        if found and found[0]["status"] == status:
            assert len(found) == 1
            return found[0]
        await asyncio.sleep(0.05)
    raise AssertionError(f"no alert became {status}; there are {found}")


async def test_an_unchanged_prometheus_pushes_and_resolves(tmp_path: Path) -> None:
    async with pushing(tmp_path) as (told, prometheus):
        alert = await reached(told, "active")
        message = await told.alert("Checkout is slow")
        (tmp_path / "rules.yml").write_text(RULES.format(value=-1))
        prometheus.send_signal(signal.SIGHUP)
        await reached(told, "resolved")
        await told.becomes(message, "Resolved: Checkout is slow")

    assert (alert["rule"], alert["severity"], alert["category"]) == (
        "CheckoutSlow",
        "critical",
        "application",
    )
    assert alert["resource"].startswith("checkout #")
    assert alert["fields"] == {"alertname": "CheckoutSlow", "severity": "critical", "service": "checkout"}
    for part in ("It takes 4 seconds", "https://wiki.example.com/checkout", "g0.expr=vector"):
        assert part in shown(message)


async def test_the_alerts_of_a_prometheus_that_falls_silent_expire(tmp_path: Path) -> None:
    async with pushing(tmp_path) as (told, prometheus):
        await reached(told, "active")
        prometheus.kill()
        prometheus.wait(20)
        await told.tocsin.alerting.tick()
        assert (await listed(told))[0]["status"] == "active"
        message = await told.alert("Checkout is slow")
        told.skip(timedelta(seconds=21))
        await told.tocsin.alerting.tick()
        await told.becomes(message, "Expired: Checkout is slow")


async def test_alertmanager_passes_on_what_amtool_gives_it(tmp_path: Path) -> None:
    binary, amtool = program("prometheus-alertmanager"), program("amtool")
    async with story(tmp_path, start=datetime.now(UTC)) as told:
        port, own = told.tocsin.http.port, unused_port()
        (tmp_path / "alertmanager.yml").write_text(ALERTMANAGER.format(port=port, token=TOKEN))
        at = f"--alertmanager.url=http://127.0.0.1:{own}"
        add = [amtool, "alert", "add", "DiskFull", "severity=warning", "instance=web-1", at]
        with running(
            binary,
            f"--config.file={tmp_path}/alertmanager.yml",
            f"--storage.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{own}",
            "--cluster.listen-address=",
        ):
            await done(*add, "--annotation=summary=Disk is full", patience=20)
            alert = await reached(told, "active")
            given = json.loads(await done(amtool, "alert", "query", "-o", "json", at))
            await done(*add, f"--end={datetime.now(UTC).isoformat()}")
            await reached(told, "resolved")

    assert (alert["title"], alert["severity"]) == ("Disk is full", "medium")
    assert alert["resource"] == f"web-1 #{given[0]['fingerprint'][:8]}"


async def test_amtool_can_give_its_alerts_to_tocsin_itself(tmp_path: Path) -> None:
    amtool = program("amtool")
    async with story(tmp_path, start=datetime.now(UTC)) as told:
        at = f"--alertmanager.url=http://any:{TOKEN}@127.0.0.1:{told.tocsin.http.port}"
        await done(amtool, "alert", "add", "DiskFull", "instance=web-1", at)
        alert = await reached(told, "active")

    assert (alert["title"], alert["resource"]) == ("DiskFull", "web-1")


async def done(*command: str, patience: float = 0) -> bytes:
    """What a command prints; tried again for so many seconds while it fails."""
    deadline = perf_counter() + patience
    while True:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        printed, _ = await process.communicate()
        if process.returncode == 0:
            return printed
        assert perf_counter() < deadline, printed.decode()
        await asyncio.sleep(0.1)
