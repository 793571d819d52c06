"""The group check: members of several kinds run at once and told as one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from bot.config.probing import common_keys
from checks.deadline import run_within
from checks.env import Options as EnvOptions
from checks.group import Member, Options, combine
from checks.options import COMMON_KEYS, CheckContext
from checks.result import CheckResult, State
from tests.checks.surroundings import everything_said, found, surroundings, unused_port


@pytest.fixture
async def context() -> AsyncIterator[CheckContext]:
    async with surroundings() as context:
        yield context


@pytest.fixture
def database(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "app.db") as connection:
        connection.execute("CREATE TABLE audit_log (actor, action)")
    return f"sqlite:///{tmp_path}/app.db"


def exiting(code: int, said: str = "said so", after: float = 0) -> dict[str, Any]:
    """A member that gives a state."""
    return {"type": "command", "command": ["sh", "-c", f"sleep {after}; echo {said}; exit {code}"]}


async def test_members_are_told_a_line_each_with_their_latency(context: CheckContext, database: str) -> None:
    checks = {
        "database": {"type": "sql", "url": database, "query": "SELECT 1 AS answer"},
        "audit_table": {
            "type": "sql_schema",
            "url": database,
            "tables": {"audit_log": ["actor", "timestamp"]},
        },
        "plugin": exiting(1, "slow"),
    }
    result = await found("group", context, checks=checks)
    assert result.state is State.CRITICAL
    assert result.summary == (
        "1 failed, 1 warned, 1 passed; audit_table: 1 missing: column audit_log.timestamp; also plugin"
    )
    assert {name: result.fields[name] for name in ("passed", "warned", "failed")} == {
        "passed": 1,
        "warned": 1,
        "failed": 1,
    }
    lines = result.diagnostics[0].text.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["PASS", "database"],
        ["FAIL", "audit_table"],
        ["WARN", "plugin"],
    ]
    assert all(" ms  " in line for line in lines)
    assert [part.resource for part in result.parts] == ["database", "audit_table", "plugin"]
    assert result.parts[0].fields["answer"] == 1
    assert result.remedy == "audit_table: run the application's migrations"


async def test_all_that_pass_are_told_in_a_word(context: CheckContext) -> None:
    result = await found("group", context, checks={"a": exiting(0), "b": exiting(0)})
    assert (result.state, result.summary) == (State.OK, "all 2 passed")


@pytest.mark.parametrize(
    ("codes", "state"),
    [((0, 3), State.UNKNOWN), ((3, 1), State.WARNING), ((3, 1, 2), State.CRITICAL), ((0, 0), State.OK)],
)
async def test_the_worst_member_decides_and_what_could_not_run_only_when_nothing_is_worse(
    context: CheckContext, codes: tuple[int, ...], state: State
) -> None:
    checks = {f"member{number}": exiting(code) for number, code in enumerate(codes)}
    result = await found("group", context, checks=checks)
    assert result.state is state
    assert result.fields["warned"] == sum(code in (1, 3) for code in codes)


async def test_members_run_at_once(context: CheckContext) -> None:
    began = perf_counter()
    await found("group", context, checks={f"m{number}": exiting(0, after=0.5) for number in range(6)})
    assert perf_counter() - began < 2.5


async def test_a_member_that_takes_too_long_does_not_hold_up_the_rest(context: CheckContext) -> None:
    checks = {"slow": exiting(0, after=30) | {"timeout": "200ms"}, "fast": exiting(0)}
    result = await found("group", context, checks=checks)
    assert result.state is State.UNKNOWN
    assert result.parts[0].summary == "sh did not end within 0.2 s and was stopped"
    assert result.parts[1].state is State.OK
    limited = await found("group", context, checks={"slow": exiting(0, after=30)}, member_timeout="200ms")
    assert limited.state is State.UNKNOWN


async def test_a_group_given_up_gives_up_its_members(context: CheckContext) -> None:
    check = Options.model_validate({"checks": {"slow": exiting(0, after=30)}}).build(context)
    began = perf_counter()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await check.run()
    assert perf_counter() - began < 15


async def test_a_group_out_of_time_reports_the_members_that_ended(context: CheckContext) -> None:
    checks = {"fast": exiting(0), "slow": exiting(0, after=30)}
    check = Options.model_validate({"checks": checks, "member_timeout": "20s"}).build(context)
    result = await run_within(check, timedelta(seconds=1.5))
    assert result.state is State.UNKNOWN
    assert [(part.resource, part.state) for part in result.parts] == [
        ("fast", State.OK),
        ("slow", State.UNKNOWN),
    ]
    assert result.parts[1].summary == "not finished when the group's 1.5 s were over"


async def test_a_member_that_breaks_is_unknown_and_alone(context: CheckContext) -> None:
    class Broken(EnvOptions):
        def build(self, context: CheckContext) -> Any:
            class Check:
                async def run(self) -> CheckResult:
                    raise ZeroDivisionError("by nothing")

            return Check()

    broken = Member(kind="env", options=Broken.model_validate({"required": {"PATH": "nonempty"}}))
    result = await found("group", context, checks={"broken": broken, "fine": exiting(0)})
    assert result.state is State.UNKNOWN
    assert result.parts[0].summary == "the check itself failed: ZeroDivisionError: by nothing"
    assert result.parts[1].state is State.OK


async def test_the_team_s_readiness_check_is_one_report(context: CheckContext, database: str) -> None:
    port = unused_port()
    text = f"""
        database:    {{type: sql, url: "{database}", query: SELECT 1 AS up}}
        redis:       {{type: redis, url: "redis://:hunter2-secret@127.0.0.1:{port}/0", lock: "tocsin:probe"}}
        blob_api:    {{type: http, url: "http://127.0.0.1:{port}/", headers: {{Authorization: "Bearer hunter2-secr"}}}}
        indexes:     {{type: sql_schema, url: "{database}", indexes: [idx_quiz_responses_created_at]}}
        audit_table: {{type: sql_schema, url: "{database}", tables: {{audit_log: [actor, action]}}}}
        environment: {{type: env, required: {{TOCSIN_TEST_UNSET: token}}}}
        zombie_locks: {{type: redis, url: "redis://127.0.0.1:{port}/0", keys: "lock:*", max_age: 2h, severity: medium}}
    """
    options = Options.model_validate({"checks": yaml.safe_load(text)})
    assert options.checks["zombie_locks"].common == {"severity": "medium"}
    result = await options.build(context).run()
    assert result.state is State.CRITICAL
    assert (result.fields["passed"], result.fields["failed"]) == (2, 5)
    assert len(result.diagnostics[0].text.splitlines()) == 7
    assert "hunter2" not in everything_said(result) + repr(options)


async def test_members_judged_further_are_combined_anew(context: CheckContext) -> None:
    result = await found("group", context, checks={"a": exiting(0), "b": exiting(0)})
    judged = [replace(result.parts[0], state=State.CRITICAL, summary="over its threshold"), result.parts[1]]
    again = combine(judged, duration_ms=5)
    assert again.state is State.CRITICAL
    assert again.summary == "1 failed, 1 passed; a: over its threshold"


async def test_groups_may_stand_in_groups(context: CheckContext) -> None:
    inner = {"type": "group", "checks": {"deep": exiting(2, "deep down")}}
    result = await found("group", context, checks={"inner": inner})
    assert result.state is State.CRITICAL
    assert "deep down" in result.summary


def test_a_mistake_in_a_member_has_its_place() -> None:
    checks = {"a": {"type": "env", "required": {"A": "nonsense"}}, "b": {"type": "env", "requird": {}}}
    with pytest.raises(ValidationError) as error:
        Options.model_validate({"checks": checks})
    places = {details["loc"] for details in error.value.errors()}
    assert ("checks", "a", "required", "A") in places
    assert ("checks", "b", "requird") in places


@pytest.mark.parametrize("checks", [{}, {"a": "http"}, {"a": {"url": "x"}}, {"a": {"type": "options"}}])
def test_settings_that_make_no_sense_are_mistakes(checks: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"checks": checks})


def test_keys_common_to_all_checks_are_those_of_the_configuration() -> None:
    assert set(common_keys()) == COMMON_KEYS
