"""Whether a Redis answers, gives a lock and takes it back, and holds keys older than they may be."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from checks._key_ages import NAMES_OF_TIMES, Ages, instant_among, instant_in
from checks._reasons import system_reason
from checks._secrets import masked, secrets_of
from checks.options import CheckContext, CheckOptions, Duration, format_duration
from checks.result import CheckResult, Diagnostic, State, Value

if TYPE_CHECKING:
    from redis.asyncio import Redis

_CONNECT_SECONDS = 10.0
_LOCK_MS = 10_000  # a lock this check could not release frees itself
_LOCK_TRIES, _LOCK_PAUSE = 5, 0.05  # another replica holds the probe's lock for a few milliseconds
_BATCH = 500
_MOST_SCANS = 2000
_LONGEST_VALUE = 4096
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) else return 0 end"


def _check_url(url: SecretStr) -> SecretStr:
    try:
        parts = urlsplit(url.get_secret_value().strip())
        fits = parts.scheme in ("redis", "rediss", "unix") and (parts.port or True)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            "this is not a Redis URL; write one such as redis://host:6379/0, rediss:// or unix://"
        )
    return url


class Options(CheckOptions):
    """A Redis that must answer; with `lock` or `keys`, more that must hold."""

    url: Annotated[SecretStr, AfterValidator(_check_url)] = Field(
        description="redis://, rediss:// or unix:// URL; the password is never shown"
    )
    lock: str | None = Field(
        None, min_length=1, description="Take a lock under this key and release it, as the application does"
    )
    keys: str | None = Field(
        None, min_length=1, description='Keys whose age counts, such as "lock:cleanup:*"'
    )
    max_age: Duration | None = Field(
        None,
        description="A key older than this is critical. Its age is from the time its value tells (epoch, "
        "ISO 8601, or JSON or a hash with acquired_at, created_at, …), else from when it was last used",
    )
    key_limit: int = Field(10_000, ge=1, le=1_000_000, description="Look at no more keys than this")

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.max_age is not None and self.keys is None:
            raise ValueError('max_age needs keys, such as keys: "lock:*"')
        return self

    def field_names(self) -> frozenset[str]:
        names = {"up", "ping_time_ms", "connect_time_ms"}
        names |= {"lock_time_ms"} if self.lock else set()
        names |= {"count", "keys", "key", "oldest_age_hours"} if self.keys else set()
        return frozenset(names)

    def build(self, context: CheckContext) -> RedisCheck:
        return RedisCheck(self, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    """What a look at the keys found: their ages in hours, the oldest first."""

    total: int
    complete: bool
    ages: list[tuple[float, str]]
    unknown: int


class RedisCheck:
    """Makes a new connection each run and asks it everything."""

    def __init__(self, options: Options, context: CheckContext) -> None:
        self._options, self._context = options, context
        self._url = options.url.get_secret_value().strip()
        self._ages = Ages()

    async def run(self) -> CheckResult:
        try:
            import redis.asyncio as driver
            from redis.exceptions import RedisError
        except ModuleNotFoundError:
            return CheckResult(
                state=State.UNKNOWN,
                summary="the check cannot run: the driver redis is not installed",
                remedy="install tocsin[redis]",
            )
        client = _client(driver, self._url)
        try:
            return await self._ask(client)
        except (RedisError, OSError, TimeoutError) as error:
            return self._failed(error)
        finally:
            await client.aclose()

    def timed_out(self, seconds: float) -> CheckResult:
        """The result when the caller's deadline passed first."""
        summary = f"{self._place} gave no answer within {seconds:g} s"
        return CheckResult(state=State.CRITICAL, summary=summary, fields={"up": 0})

    @property
    def _place(self) -> str:
        parts = urlsplit(self._url)
        return f"Redis at {parts.hostname or parts.path or 'localhost'}" + (
            f":{parts.port}" if parts.port else ""
        )

    async def _ask(self, client: Redis) -> CheckResult:
        began = perf_counter()
        await client.ping()  # connects first
        fields: dict[str, Value] = {"up": 1, "connect_time_ms": _since(began)}
        began = perf_counter()
        await client.ping()
        fields["ping_time_ms"] = _since(began)
        said = [f"answers in {fields['ping_time_ms']:g} ms"]
        if self._options.lock:
            began = perf_counter()
            if fault := await self._lock(client, self._options.lock):
                return CheckResult(state=State.CRITICAL, summary=fault, fields=fields)
            fields["lock_time_ms"] = _since(began)
            said.append(f"lock taken and released in {fields['lock_time_ms']:g} ms")
        if self._options.keys:
            keys = await self._look_at_keys(client, self._options.keys)
            return self._judge_keys(keys, fields, said)
        return CheckResult(state=State.OK, summary=", ".join(said), fields=fields)

    async def _lock(self, client: Redis, key: str) -> str | None:
        """Take a lock and give it back; what went wrong, or None."""
        owner = secrets.token_hex(16)
        for tried in range(_LOCK_TRIES):
            if await client.set(key, owner, nx=True, px=_LOCK_MS):
                break
            if tried == _LOCK_TRIES - 1:
                left = await client.pttl(key)
                when = f"for another {left / 1000:.0f} s" if left >= 0 else "and never expires"
                return f"the lock {key} is held by somebody else {when}"
            await asyncio.sleep(_LOCK_PAUSE)
        released = await client.eval(_RELEASE, 1, key, owner)
        return None if released == 1 else f"the lock {key} was lost before it was released"

    async def _look_at_keys(self, client: Redis, pattern: str) -> _Keys:
        now = self._context.clock()
        keys, complete = await _scan(client, pattern, self._options.key_limit)
        dated: list[tuple[float, str]] = []
        unknown = 0
        for start in range(0, len(keys), _BATCH):
            for key, since in await self._date(client, keys[start : start + _BATCH], now):
                if since is None:
                    unknown += 1
                else:
                    dated.append(
                        ((now - since) / timedelta(hours=1), key.decode("utf-8", "backslashreplace"))
                    )
        self._ages.forget_others(set(keys))
        return _Keys(total=len(keys), complete=complete, ages=sorted(dated, reverse=True), unknown=unknown)

    async def _date(
        self, client: Redis, keys: list[bytes], now: datetime
    ) -> list[tuple[bytes, datetime | None]]:
        """Since when each key is there; None when nothing tells. Keys that vanish meanwhile are left out."""
        idles = await _each(client, [("OBJECT", "IDLETIME", key) for key in keys])
        found = [
            (key, timedelta(seconds=idle) if isinstance(idle, int) else None)
            for key, idle in zip(keys, idles, strict=True)
            if idle is not None and not (isinstance(idle, Exception) and "no such key" in str(idle))
        ]
        unread = [key for key, idle in found if idle is None or self._ages.needs_reading(key, idle, now)]
        told = dict(zip(unread, await self._instants(client, unread, now), strict=True))
        out: list[tuple[bytes, datetime | None]] = []
        for key, idle in found:
            if idle is None:  # a server that counts uses rather than idle time
                out.append((key, told[key]))
                continue
            if key in told:
                self._ages.learn(key, told[key], idle, now)
            out.append((key, self._ages.since(key)))
        return out

    async def _instants(self, client: Redis, keys: list[bytes], now: datetime) -> list[datetime | None]:
        kinds = await _each(client, [("TYPE", key) for key in keys])
        asked = [
            ("HMGET", key, *NAMES_OF_TIMES) if kind == b"hash" else ("GETRANGE", key, 0, _LONGEST_VALUE)
            for key, kind in zip(keys, kinds, strict=True)
        ]
        values = await _each(client, asked)
        return [_instant(value, now) for value in values]

    def _judge_keys(self, keys: _Keys, fields: dict[str, Value], said: list[str]) -> CheckResult:
        limit = self._options.max_age
        old = [item for item in keys.ages if limit and item[0] > limit / timedelta(hours=1)]
        oldest = keys.ages[0] if keys.ages else None
        fields |= {
            "keys": keys.total,
            "count": len(old) if limit else keys.total,
            "key": oldest[1] if oldest else None,
            "oldest_age_hours": round(oldest[0], 4) if oldest else None,
        }
        what = f"{keys.total:,} key{'s' if keys.total != 1 else ''} {self._options.keys}"
        bounded = "" if keys.complete else " seen, there are more"
        undated = f", {keys.unknown:,} of unknown age" if keys.unknown else ""
        if old and limit and oldest:
            age, over = _age(oldest[0]), format_duration(limit)
            several = f", and {len(old) - 1:,} more over {over}" if len(old) > 1 else ""
            summary = f"{oldest[1]} is {age} old, over {over}{several}"
        else:
            said.append(what + bounded + undated)
            summary = ", ".join(said)
        lines = [f"{_age(hours)}  {key}" for hours, key in (old or keys.ages)[:20]]
        return CheckResult(
            state=State.CRITICAL if old else State.OK,
            summary=summary,
            fields=fields,
            diagnostics=(Diagnostic(title="Oldest keys", text="\n".join(lines)),) if lines else (),
            remedy="if nothing runs under it, delete the key" if old else None,
        )

    def _failed(self, error: Exception) -> CheckResult:
        known = secrets_of(self._url, {})
        reason = masked(_reason(error), known)
        if _is_the_askers_fault(error):
            summary = f"the check cannot run: {self._place} says {reason}"
            return CheckResult(state=State.UNKNOWN, summary=summary, fields={"up": 1})
        return CheckResult(state=State.CRITICAL, summary=f"{self._place} fails: {reason}", fields={"up": 0})


def _client(driver: Any, url: str) -> Redis:
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    client: Redis = driver.Redis.from_url(
        url,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=_CONNECT_SECONDS,
        max_connections=1,
        retry=Retry(NoBackoff(), 0),
        client_name="tocsin",
    )
    return client


async def _scan(client: Redis, pattern: str, limit: int) -> tuple[list[bytes], bool]:
    """Up to `limit` keys, and whether those are all."""
    keys: dict[bytes, None] = {}  # a scan may give a key twice
    cursor = 0
    for _ in range(_MOST_SCANS):
        cursor, some = await client.scan(cursor, match=pattern, count=1000)
        keys |= {key: None for key in some if isinstance(key, bytes)}
        if len(keys) > limit:
            return list(keys)[:limit], False
        if cursor == 0:
            return list(keys), True
    return list(keys), False


async def _each(client: Redis, commands: list[tuple[Any, ...]]) -> list[Any]:
    """The answers to many commands at once; an error is an answer too."""
    if not commands:
        return []
    async with client.pipeline(transaction=False) as pipeline:
        for command in commands:
            pipeline.execute_command(*command)
        return list(await pipeline.execute(raise_on_error=False))


def _instant(value: Any, now: datetime) -> datetime | None:
    if isinstance(value, bytes):
        return instant_in(value, now)
    if isinstance(value, list):
        texts = {
            name: item.decode("utf-8", "replace")
            for name, item in zip(NAMES_OF_TIMES, value, strict=True)
            if item
        }
        return instant_among(texts)
    return None


def _is_the_askers_fault(error: Exception) -> bool:
    """A right that is lacking, a command or a kind of value that does not fit: the server itself is well."""
    from redis.exceptions import NoPermissionError, ResponseError

    unfit = isinstance(error, ResponseError) and str(error).lower().startswith(
        ("unknown command", "wrongtype")
    )
    return unfit or isinstance(error, NoPermissionError)


def _reason(error: BaseException) -> str:
    """One line of what went wrong."""
    return system_reason(error) or (str(error).splitlines() or [type(error).__name__])[0][:300]


def _since(began: float) -> float:
    return round((perf_counter() - began) * 1000, 2)


def _age(hours: float) -> str:
    return format_duration(timedelta(minutes=max(0, round(hours * 60)))).replace("0s", "under 1m")
