"""The prometheus check against a real Prometheus that scrapes a real exporter."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiohttp import web
from pydantic import ValidationError

from checks.options import CheckContext
from checks.prometheus import Options
from checks.result import State
from tests.checks.surroundings import absent, everything_said, found, surroundings, unused_port

pytestmark = pytest.mark.asyncio(loop_scope="module")

METRICS = """
# TYPE shop_orders_total counter
shop_orders_total{shop="north",lane="1"} 12
shop_orders_total{shop="south",lane="1"} 30
# TYPE shop_temperature gauge
shop_temperature{value="odd"} 21.5
shop_nothing NaN
"""
CONFIG = """
global: {{scrape_interval: 200ms}}
scrape_configs: [{{job_name: shop, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
"""


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[int]:
    """A web server that answers everything the same way; gives its port."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@pytest_asyncio.fixture(loop_scope="module")
async def context() -> AsyncIterator[CheckContext]:
    async with surroundings() as context:
        yield context


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The address of a Prometheus that has scraped the exporter."""
    binary = shutil.which("prometheus")
    if binary is None:
        absent("no prometheus; apt-get install prometheus")
    folder = tmp_path_factory.mktemp("prometheus")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text=METRICS)

    async with serving(metrics) as exporter:
        port = unused_port()
        (folder / "prometheus.yml").write_text(CONFIG.format(port=exporter))
        process = start(str(binary), folder, port)
        try:
            await scraped(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, 20)


def start(binary: str, folder: Path, port: int) -> subprocess.Popen[bytes]:
    arguments = [
        binary,
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


async def scraped(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = perf_counter() + 60
    async with httpx.AsyncClient(trust_env=False) as client:
        while process.poll() is None and perf_counter() < deadline:
            try:
                answer = await client.get(f"{url}/api/v1/query", params={"query": "shop_temperature"})
                if answer.json()["data"]["result"]:
                    return
            except (httpx.HTTPError, ValueError, KeyError):
                pass
            await asyncio.sleep(0.1)
    pytest.fail(f"Prometheus did not scrape; exit code {process.poll()}")


async def test_a_query_without_labels_gives_a_value(url: str, context: CheckContext) -> None:
    result = await found("prometheus", context, url=url, query="sum(shop_orders_total)")
    assert result.state is State.OK
    assert result.fields["value"] == 42.0
    assert result.summary == "42"
    assert result.parts == ()
    assert result.fields["up"] == 1
    assert float(str(result.fields["response_time_ms"])) > 0


async def test_a_number_is_a_value(url: str, context: CheckContext) -> None:
    assert (await found("prometheus", context, url=url + "/", query="2 * 3.5")).fields["value"] == 7.0


async def test_each_series_is_a_part_named_by_its_labels(url: str, context: CheckContext) -> None:
    result = await found("prometheus", context, url=url, query="sum by (shop, lane) (shop_orders_total)")
    assert result.state is State.OK
    assert {part.resource: part.fields["value"] for part in result.parts} == {
        "lane=1,shop=north": 12.0,
        "lane=1,shop=south": 30.0,
    }
    assert result.parts[0].fields["shop"] in ("north", "south")
    assert "value" not in result.fields
    assert result.fields["series"] == 2


async def test_one_series_with_labels_is_a_part_like_any_other(url: str, context: CheckContext) -> None:
    result = await found(
        "prometheus", context, url=url, query='sum by (shop) (shop_orders_total{shop="north"})'
    )
    assert [part.resource for part in result.parts] == ["north"]
    assert "value" not in result.fields


async def test_a_label_can_name_the_parts(url: str, context: CheckContext) -> None:
    result = await found("prometheus", context, url=url, query="shop_orders_total", resource_label="shop")
    assert sorted(str(part.resource) for part in result.parts) == ["north", "south"]
    assert result.parts[0].fields["metric"] == "shop_orders_total"


async def test_a_label_cannot_take_the_place_of_the_value(url: str, context: CheckContext) -> None:
    part = (await found("prometheus", context, url=url, query="shop_temperature")).parts[0]
    assert (part.fields["value"], part.fields["label_value"]) == (21.5, "odd")


async def test_what_is_no_number_has_no_value(url: str, context: CheckContext) -> None:
    result = await found("prometheus", context, url=url, query="sum(shop_nothing)")
    assert result.fields["value"] is None
    assert result.summary == "no number"


async def test_no_series_is_an_answer(url: str, context: CheckContext) -> None:
    result = await found("prometheus", context, url=url, query="up == 7")
    assert result.state is State.OK
    assert result.summary == "no series"
    assert result.fields["series"] == 0


async def test_more_series_than_the_limit_are_counted(url: str, context: CheckContext) -> None:
    result = await found("prometheus", context, url=url, query="shop_orders_total", series_limit=1)
    assert len(result.parts) == 1
    assert result.fields["series"] == 2
    assert result.summary.endswith("; 1 series over the limit are not told")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sum(", "parse error"),
        ("up[5m]", "ranges"),
        ("shop_orders_total + on () shop_orders_total", "many-to-many"),
    ],
)
async def test_a_wrong_query_is_unknown_and_says_why(
    url: str, context: CheckContext, query: str, said: str
) -> None:
    result = await found("prometheus", context, url=url, query=query)
    assert result.state is State.UNKNOWN
    assert said in result.summary
    assert result.diagnostics[0].text == query


async def test_a_long_query_is_no_problem(url: str, context: CheckContext) -> None:
    result = await found("prometheus", context, url=url, query="1" + " + 1" * 5000)
    assert result.fields["value"] == 5001.0


async def test_an_unreachable_server_is_critical_without_its_password(context: CheckContext) -> None:
    port = unused_port()
    result = await found("prometheus", context, url=f"http://ops:hunter2-secret@127.0.0.1:{port}", query="up")
    assert result.state is State.CRITICAL
    assert result.summary == f"Prometheus at 127.0.0.1:{port} is unreachable: Connection refused"
    assert result.fields == {"up": 0}
    assert "hunter2" not in everything_said(result)


@pytest.mark.parametrize(
    ("status", "body", "state", "said"),
    [
        (200, "<html>a login page</html>", State.UNKNOWN, "no answer of Prometheus"),
        (200, "[" * 100_000, State.UNKNOWN, "no answer of Prometheus"),
        (401, "no", State.UNKNOWN, "status 401"),
        (
            503,
            '{"status": "error", "error": "query timed out"}',
            State.CRITICAL,
            "the server fails: query timed out",
        ),
        (502, "Bad gateway", State.CRITICAL, "status 502"),
        (
            200,
            '{"status": "success", "data": {"resultType": "vector", "result": null}}',
            State.UNKNOWN,
            "no answer of",
        ),
        (200, "x" * 9_000_000, State.UNKNOWN, "over 8 MB"),
    ],
)
async def test_answers_that_are_none_are_told(
    context: CheckContext, status: int, body: str, state: State, said: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    async with serving(answer) as port:
        result = await found("prometheus", context, url=f"http://127.0.0.1:{port}", query="up")
    assert result.state is state
    assert said in result.summary


async def test_headers_and_credentials_reach_the_server(context: CheckContext) -> None:
    heard: list[Mapping[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(request.headers)
        return web.json_response({"status": "success", "data": {"resultType": "scalar", "result": [0, "1"]}})

    async with serving(answer) as port:
        url = f"http://ops:pw@127.0.0.1:{port}/prefix"
        await found("prometheus", context, url=url, query="1", headers={"X-Scope-OrgID": "team"})
    assert heard[0]["X-Scope-OrgID"] == "team"
    assert heard[0]["Authorization"].startswith("Basic ")


async def test_a_silent_server_can_be_given_up_and_is_critical(context: CheckContext) -> None:
    asked_enough = asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        await asked_enough.wait()
        return web.Response()

    async with serving(answer) as port:
        check = Options.model_validate({"url": f"http://127.0.0.1:{port}", "query": "up"}).build(context)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await check.run()
        asked_enough.set()
    assert check.timed_out(0.1).state is State.CRITICAL


@pytest.mark.parametrize(
    "setting", [{"url": "ftp://h"}, {"url": "h:9090"}, {"query": ""}, {"series_limit": 0}]
)
async def test_settings_that_make_no_sense_are_mistakes(setting: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"url": "http://h:9090", "query": "up"} | setting)
