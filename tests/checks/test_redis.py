"""The redis check against a real Redis."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from redis.asyncio import Redis

from checks.options import CheckContext
from checks.redis import Options
from checks.result import State
from tests.checks.surroundings import (
    SetClock,
    build,
    everything_said,
    found,
    require_service,
    surroundings,
    unused_port,
)

URL = "redis://127.0.0.1:6379/15"


@pytest.fixture
def clock() -> SetClock:
    return SetClock(datetime.now(UTC))


@pytest.fixture
async def context(clock: SetClock) -> AsyncIterator[CheckContext]:
    async with surroundings(clock) as context:
        yield context


@pytest.fixture
def prefix() -> str:
    """What all keys of one test begin with."""
    return f"tocsin-test-{secrets.token_hex(4)}"


@pytest.fixture
async def server(prefix: str) -> AsyncIterator[Redis]:
    """Another client of the same server; it takes the test's keys away again."""
    require_service(URL, "Redis")
    client = Redis.from_url(URL)
    yield client
    if keys := [key async for key in client.scan_iter(f"{prefix}*")]:
        await client.delete(*keys)
    await client.aclose()


async def store(server: Redis, key: str, value: str, idle: timedelta = timedelta()) -> None:
    """A key that was last used so long ago."""
    await server.set(key, value)
    content = await server.dump(key)
    assert content is not None
    await server.restore(key, 0, content, replace=True, idletime=int(idle.total_seconds()))


async def test_a_server_that_answers_is_ok(server: Redis, context: CheckContext) -> None:
    result = await found("redis", context, url=URL)
    assert result.state is State.OK
    assert result.fields["up"] == 1
    assert 0 < float(str(result.fields["ping_time_ms"])) < 1000
    assert result.summary.startswith("answers in ")


async def test_a_lock_is_taken_and_released(server: Redis, context: CheckContext, prefix: str) -> None:
    result = await found("redis", context, url=URL, lock=f"{prefix}:probe")
    assert result.state is State.OK
    assert float(str(result.fields["lock_time_ms"])) > 0
    assert not await server.exists(f"{prefix}:probe")


async def test_replicas_that_probe_the_same_lock_at_once_all_succeed(
    server: Redis, context: CheckContext, prefix: str
) -> None:
    checks = [build("redis", context, {"url": URL, "lock": f"{prefix}:probe"}) for _ in range(4)]
    results = await asyncio.gather(*(check.run() for check in checks))
    assert [result.state for result in results] == [State.OK] * 4


async def test_a_lock_that_somebody_keeps_is_critical_and_stays_theirs(
    server: Redis, context: CheckContext, prefix: str
) -> None:
    await server.set(f"{prefix}:probe", "theirs", ex=60)
    result = await found("redis", context, url=URL, lock=f"{prefix}:probe")
    assert result.state is State.CRITICAL
    assert result.summary == f"the lock {prefix}:probe is held by somebody else for another 60 s"
    assert await server.get(f"{prefix}:probe") == b"theirs"


@pytest.mark.parametrize(
    "value",
    [
        "{epoch:.0f}", "{epoch:.3f}", "{ms:.0f}", "{iso}", '"{iso}"',
        '{{"acquired_at": "{iso}", "host": "w1"}}',
        '{{"pid": 7, "timestamp": {epoch}}}', '{{"created_at": "{epoch}"}}',
    ],
)  # fmt: skip
async def test_a_lock_s_age_is_from_the_time_it_holds(
    server: Redis, context: CheckContext, clock: SetClock, prefix: str, value: str
) -> None:
    taken = clock.now - timedelta(hours=3)
    text = value.format(epoch=taken.timestamp(), ms=taken.timestamp() * 1000, iso=taken.isoformat())
    await server.set(f"{prefix}:lock:pdfs", text)
    result = await found("redis", context, url=URL, keys=f"{prefix}:lock:*", max_age="2h")
    assert result.state is State.CRITICAL
    assert result.fields["key"] == f"{prefix}:lock:pdfs"
    assert result.fields["oldest_age_hours"] == pytest.approx(3, abs=0.01)
    assert result.fields["count"] == 1
    assert result.summary == f"{prefix}:lock:pdfs is 3h old, over 2h"


async def test_a_hash_tells_its_time_too(
    server: Redis, context: CheckContext, clock: SetClock, prefix: str
) -> None:
    before = (clock.now - timedelta(hours=5)).isoformat()
    await server.hset(f"{prefix}:lock", mapping={"owner": "w1", "locked_at": before})
    result = await found("redis", context, url=URL, keys=f"{prefix}:*", max_age="2h")
    assert result.fields["oldest_age_hours"] == pytest.approx(5, abs=0.01)


async def test_the_oldest_of_many_keys_is_the_one_told(
    server: Redis, context: CheckContext, clock: SetClock, prefix: str
) -> None:
    for hours in (1, 7, 3, 0):
        await server.set(f"{prefix}:lock:{hours}", str((clock.now - timedelta(hours=hours)).timestamp()))
    result = await found("redis", context, url=URL, keys=f"{prefix}:lock:*", max_age="2h")
    assert result.fields["key"] == f"{prefix}:lock:7"
    assert (result.fields["count"], result.fields["keys"]) == (2, 4)
    assert result.summary == f"{prefix}:lock:7 is 7h old, over 2h, and 1 more over 2h"
    assert result.diagnostics[0].text.splitlines()[0] == f"7h  {prefix}:lock:7"


async def test_without_a_time_the_age_is_from_the_last_use_and_looking_is_no_use(
    server: Redis, context: CheckContext, clock: SetClock, prefix: str
) -> None:
    await store(server, f"{prefix}:lock", "worker-7", idle=timedelta(hours=1))
    check = build("redis", context, {"url": URL, "keys": f"{prefix}:*", "max_age": "2h"})
    first = await check.run()
    assert first.state is State.OK
    assert first.fields["oldest_age_hours"] == pytest.approx(1, abs=0.01)
    clock.advance(hours=1.5)
    await store_idle(server, f"{prefix}:lock", timedelta(hours=1.5))
    second = await check.run()
    assert second.state is State.CRITICAL
    assert second.fields["oldest_age_hours"] == pytest.approx(2.5, abs=0.01)


async def test_a_lock_taken_anew_is_young_again(
    server: Redis, context: CheckContext, clock: SetClock, prefix: str
) -> None:
    await store(
        server, f"{prefix}:lock", str((clock.now - timedelta(hours=3)).timestamp()), idle=timedelta(hours=3)
    )
    check = build("redis", context, {"url": URL, "keys": f"{prefix}:*", "max_age": "2h"})
    assert (await check.run()).state is State.CRITICAL
    clock.advance(hours=1)
    await server.set(f"{prefix}:lock", str(clock.now.timestamp()))
    assert (await check.run()).state is State.OK


async def store_idle(server: Redis, key: str, idle: timedelta) -> None:
    content = await server.dump(key)
    assert content is not None
    await server.restore(key, 0, content, replace=True, idletime=int(idle.total_seconds()))


async def test_only_so_many_keys_are_looked_at(server: Redis, context: CheckContext, prefix: str) -> None:
    await server.mset({f"{prefix}:{number}": "x" for number in range(1200)})
    result = await found("redis", context, url=URL, keys=f"{prefix}:*", key_limit=1000)
    assert result.fields["keys"] == 1000
    assert "there are more" in result.summary
    assert (await found("redis", context, url=URL, keys=f"{prefix}:*")).fields["keys"] == 1200


async def test_no_key_is_fine(server: Redis, context: CheckContext, prefix: str) -> None:
    result = await found("redis", context, url=URL, keys=f"{prefix}:*", max_age="2h")
    assert result.state is State.OK
    assert (result.fields["count"], result.fields["key"]) == (0, None)


@pytest.mark.parametrize("kind", ["list", "zset", "stream", "binary"])
async def test_keys_of_other_kinds_have_the_age_of_their_last_use(
    server: Redis, context: CheckContext, prefix: str, kind: str
) -> None:
    key = f"{prefix}:odd"
    stores: dict[str, Any] = {
        "list": lambda: server.rpush(key, "a"),
        "zset": lambda: server.zadd(key, {"a": 1}),
        "stream": lambda: server.xadd(key, {"a": "b"}),
        "binary": lambda: server.set(key, b"\xff\x00"),
    }
    await stores[kind]()
    result = await found("redis", context, url=URL, keys=f"{prefix}:*", max_age="2h")
    assert result.state is State.OK
    assert result.fields["oldest_age_hours"] == pytest.approx(0, abs=0.01)


async def test_an_unreachable_server_is_critical_without_its_password(context: CheckContext) -> None:
    port = unused_port()
    result = await found("redis", context, url=f"redis://:hunter2-secret@127.0.0.1:{port}/0")
    assert result.state is State.CRITICAL
    assert result.fields == {"up": 0}
    assert result.summary == f"Redis at 127.0.0.1:{port} fails: Connection refused"
    assert "hunter2" not in everything_said(result)


async def test_a_refused_password_is_critical_and_not_shown(server: Redis, context: CheckContext) -> None:
    result = await found("redis", context, url=URL.replace("redis://", "redis://nobody:hunter2-secret@"))
    assert result.state is State.CRITICAL
    assert "invalid username-password pair" in result.summary
    assert "hunter2" not in everything_said(result)


async def test_a_right_the_check_lacks_is_unknown(server: Redis, context: CheckContext, prefix: str) -> None:
    await server.acl_setuser(prefix, enabled=True, passwords=["+hunter2-secret"], categories=["+@connection"])
    try:
        url = URL.replace("redis://", f"redis://{prefix}:hunter2-secret@").replace("/15", "/0")
        result = await found("redis", context, url=url, lock=f"{prefix}:probe")
        assert result.state is State.UNKNOWN
        assert "no permissions" in result.summary.lower()
    finally:
        await server.acl_deluser(prefix)


async def test_a_silent_server_can_be_given_up_and_is_critical(context: CheckContext) -> None:
    silent = await asyncio.start_server(lambda _, writer: asyncio.sleep(0), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    check = Options.model_validate({"url": f"redis://127.0.0.1:{port}"}).build(context)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await check.run()
    silent.close()
    assert check.timed_out(0.1).summary == f"Redis at 127.0.0.1:{port} gave no answer within 0.1 s"
    assert check.timed_out(0.1).state is State.CRITICAL


def test_a_password_is_in_no_text_of_the_settings() -> None:
    options = Options.model_validate({"url": "redis://:hunter2-secret@h:6379/0"})
    assert "hunter2" not in repr(options) + options.model_dump_json()


@pytest.mark.parametrize("setting", [{"url": "http://h"}, {"url": ""}, {"max_age": "2h"}, {"key_limit": 0}])
def test_settings_that_make_no_sense_are_mistakes(setting: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"url": URL} | setting)
