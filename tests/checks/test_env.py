"""The env check: what is wrong is named, what is set is never shown."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError

from checks.env import EnvCheck, Options, is_well_formed
from checks.options import CheckContext
from checks.result import State
from tests.checks.surroundings import everything_said, found, surroundings

REQUIRED = {"DATABASE_URL": "url", "REDIS_URL": "url", "BLOB_TOKEN": "token"}


@pytest.fixture
async def context() -> AsyncIterator[CheckContext]:
    async with surroundings() as context:
        yield context


async def test_variables_that_are_set_and_well_formed_are_ok() -> None:
    environ = {
        "DATABASE_URL": "sqlite:///app.db",
        "REDIS_URL": "redis://h:6379/0",
        "BLOB_TOKEN": "s3cr3t-t0ken",
    }
    result = await EnvCheck(REQUIRED, environ).run()
    assert result.state is State.OK
    assert result.summary == "all 3 variables are set and well formed"
    assert result.fields == {"variables": 3, "missing": 0, "malformed": 0}


async def test_what_is_missing_or_malformed_is_named_without_its_value() -> None:
    environ = {"DATABASE_URL": "  ", "REDIS_URL": "hunter2 secret"}
    result = await EnvCheck(REQUIRED, environ).run()
    assert result.state is State.CRITICAL
    assert result.summary == (
        "DATABASE_URL is not set; BLOB_TOKEN is not set; REDIS_URL is not a URL such as https://host/path"
    )
    assert result.fields == {"variables": 3, "missing": 2, "malformed": 1}
    assert "hunter2" not in everything_said(result)


async def test_the_environment_is_taken_when_the_check_is_built(
    context: CheckContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_TEST_NUMBER", "12")
    check = Options.model_validate({"required": {"TOCSIN_TEST_NUMBER": "int"}}).build(context)
    monkeypatch.setenv("TOCSIN_TEST_NUMBER", "twelve")
    assert (await check.run()).state is State.OK
    assert (await found("env", context, required={"TOCSIN_TEST_NUMBER": "int"})).state is State.CRITICAL


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("url", ["https://a.example/x?y=1", "redis://:pw@h:1/0", "sqlite:///a.db"],
                ["a.example", "https://", "http://h:x/", "http://a b"]),
        ("token", ["xoxb-1234-abcd", "12345678"],
                  ["short", "with a space in it", "changeme", "<your token>", "${BLOB_TOKEN}", "xxxxxxxxxx"]),
        ("int", ["12", "-3"], ["1.5", "twelve", "0x10"]),
        ("email", ["a@b.example"], ["a@b", "a b@c.example", "@b.example"]),
        ("path", ["/var/lib/x", "a.db"], ["a\nb", "<path>"]),
        ("json", ['{"a": 1}', "3"], ["{a: 1}", "[" * 100_000]),
        ("nonempty", ["x"], []),
        ("regex:srv-[0-9]+", ["srv-12"], ["srv-12x", "x"]),
    ],
)  # fmt: skip
def test_each_format_takes_what_it_should(form: str, good: list[str], bad: list[str]) -> None:
    assert [value for value in good if not is_well_formed(value, form)] == []
    assert [value for value in bad if is_well_formed(value, form)] == []


@pytest.mark.parametrize("required", [{}, {"A": "number"}, {"A": "regex:("}])
def test_settings_that_make_no_sense_are_mistakes(required: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate({"required": required})
