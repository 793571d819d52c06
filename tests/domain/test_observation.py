"""What rules see, and what is kept: fields that follow from others, and nothing a database refuses."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.observation import (
    Observation,
    Source,
    SourceKind,
    clean,
    clean_text,
    cleaned,
    complete,
    variables,
)
from bot.domain.run import Run, RunStatus, cleaned_run, observation_of, summary
from checks.result import Diagnostic, State
from tests.domain.findings import HOUR, NOON, check, job
from tests.properties import quick


def test_rules_see_who_reported_what_about_what() -> None:
    assert variables(check({"cpu": 92}, resource="web-1", state=State.WARNING)) == {
        "state": "warning",
        "resource": "web-1",
        "check": "host",
        "cpu": 92,
        "previous": {},
        "baseline": {},
        "change": {},
    }
    assert variables(job({"job_name": "its own"}))["job"] == "parse"
    assert variables(job({"job_name": "its own"}))["job_name"] == "its own"
    assert variables(job())["job_name"] == "parse"


def test_no_field_can_pretend_to_be_another_source() -> None:
    assert variables(job({"job": "pms_write", "previous": {"x": 1}}))["job"] == "parse"
    assert variables(job({"previous": {"x": 1}}))["previous"] == {}


def test_the_observation_before_is_at_hand_with_what_follows_from_it() -> None:
    names = variables(check({"rows": 5}), {"rows": 10, "pct_invalid": 12, "error_codes": ["A", "B"]})
    assert names["previous"] == {
        "rows": 10, "pct_invalid": 12, "pct_valid": 88, "error_codes": ["A", "B"], "error_code": "A",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "more"),
    [
        ({"error_codes": ["CSV_INVALID", "X"]}, {"error_code": "CSV_INVALID"}),
        ({"error_codes": []}, {}),
        ({"error_codes": "CSV_INVALID"}, {}),
        ({"error_codes": ["A"], "error_code": "B"}, {}),
        ({"pct_invalid": 12.5}, {"pct_valid": 87.5}),
        ({"pct_invalid": True}, {}),
        ({"pct_invalid": 12.5, "pct_valid": 80}, {}),
    ],
)
def test_fields_that_follow_from_others_need_not_be_sent(
    fields: dict[str, Any], more: dict[str, Any]
) -> None:
    assert complete(fields) == {**fields, **more}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
        (2**63 - 1, 2**63 - 1),
        (2**64, float(2**64)),
        (-(2**70), float(-(2**70))),
        (10**400, None),
        (10**5000, None),
        (True, True),
        ("a\0b", "ab"),
        ("\ud800x", "?x"),
        ("x" * 9000, "x" * 8000),
        ((1, 2), [1, 2]),
        ({1: "one"}, {"1": "one"}),
        ({"a\0": float("nan")}, {"a": None}),
        (list(range(500)), list(range(200))),
        (NOON, "2026-11-20 12:00:00+00:00"),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_a_value_is_kept_as_every_database_can_keep_it(value: Any, kept: Any) -> None:
    assert clean(value) == kept


def test_what_is_nested_without_end_is_kept_as_far_as_anybody_reads() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert json.dumps(clean({"a": deep})).count("[") == 7
    assert clean({"a": {"b": [{"c": 1}]}}) == {"a": {"b": [{"c": 1}]}}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.characters(categories=["Cs"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@quick
@given(value=JUNK)
def test_whatever_was_found_what_is_kept_is_plain_json_and_stays_as_it_is(value: Any) -> None:
    kept = clean(value)
    text = json.dumps(kept, allow_nan=False, ensure_ascii=False)
    assert "\\u0000" not in text
    text.encode()
    assert clean(kept) == kept


@quick
@given(text=st.text(st.characters() | st.characters(categories=["Cs"]), max_size=30))
def test_text_is_kept_without_what_no_database_takes(text: str) -> None:
    kept = clean_text(text)
    kept.encode()
    assert "\0" not in kept
    assert clean_text(kept) == kept


def test_an_observation_is_cleaned_in_all_its_parts() -> None:
    dirty = Observation(
        source=Source(kind=SourceKind.JOB, name="na\0me" + "x" * 300),
        resource="\0",
        state=State.OK,
        at=NOON,
        summary="a\0b",
        fields={"n\0": float("nan")},
        diagnostics=(Diagnostic(title="t\0" * 200, text="\ud800" + "x" * 40_000),),
    )
    kept = cleaned(dirty)
    assert (len(kept.source.name), kept.source.name[:4]) == (200, "name")
    assert (kept.resource, kept.summary, kept.fields) == ("-", "ab", {"n": None})
    assert (len(kept.diagnostics[0].title), len(kept.diagnostics[0].text)) == (200, 8000)


def run(**parts: Any) -> Run:
    return Run(**{"job": "parse", "status": RunStatus.SUCCESS, "finished_at": NOON, **parts})


def test_a_run_is_seen_with_how_it_ended() -> None:
    seen = observation_of(
        run(status=RunStatus.ERROR, exit_code=3, duration_seconds=12.5, fields={"rows": 7, "status": "odd"}),
        NOON,
    )
    assert seen.fields == {"rows": 7, "status": "ERROR", "exit_code": 3, "duration_seconds": 12.5}
    assert (seen.state, seen.resource, seen.source.name) == (State.CRITICAL, "parse", "parse")
    assert observation_of(run(), NOON).state is State.OK
    assert observation_of(run(status=RunStatus.TIMEOUT), NOON).state is State.CRITICAL


def test_a_run_counts_from_when_it_ended_but_never_from_the_future() -> None:
    assert observation_of(run(finished_at=NOON - HOUR), NOON).at == NOON - HOUR
    assert observation_of(run(finished_at=NOON + timedelta(minutes=3)), NOON).at == NOON


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"duration_seconds": 12.34567}, "SUCCESS in 12.35 s"),
        ({"status": RunStatus.ERROR, "exit_code": 3, "duration_seconds": 2}, "ERROR (exit code 3) in 2 s"),
        ({"status": RunStatus.ERROR, "fields": {"error": "disk full"}}, "ERROR: disk full"),
        ({"status": RunStatus.ERROR, "fields": {"error_codes": ["A", "B"]}}, "ERROR: A, B"),
        ({"status": RunStatus.TIMEOUT, "exit_code": 124}, "TIMEOUT (exit code 124)"),
        ({"exit_code": 0}, "SUCCESS"),
    ],
)
def test_a_run_says_in_a_line_how_it_ended(parts: dict[str, Any], said: str) -> None:
    assert summary(run(**parts)) == said


def test_what_a_run_printed_travels_with_it_apart_from_its_fields() -> None:
    kept = cleaned_run(
        run(
            status=RunStatus.ERROR,
            fields={"stack_trace": "Traceback…", "output": "", "stderr": 3, "log": "line", "rows": 1},
        )
    )
    assert kept.fields == {"stderr": 3, "rows": 1}
    assert kept.output == "== log ==\nline\n\n== stack_trace ==\nTraceback…"
    (shown,) = observation_of(kept, NOON).diagnostics
    assert (shown.title, shown.text) == ("output", kept.output)


def test_of_long_output_the_end_is_kept_and_its_last_lines_are_shown() -> None:
    printed = "".join(f"line {number} é\n" for number in range(20_000))
    kept = cleaned_run(run(fields={"output_tail": printed, "stderr": "\n"}))
    assert len(kept.output.encode()) <= 64 * 1024
    assert printed.endswith(kept.output)
    (shown,) = observation_of(kept, NOON).diagnostics
    assert len(shown.text) <= 1200
    assert shown.text.startswith("…\nline ")
    assert shown.text.endswith("line 19999 é")


def test_a_run_is_kept_as_every_database_can_keep_it() -> None:
    kept = cleaned_run(
        run(
            job="pa\0rse",
            run_id="1\0",
            level="E" * 40,
            duration_seconds=float("inf"),
            fields={"x\0": float("nan")},
        )
    )
    assert (kept.job, kept.run_id, len(kept.level), kept.duration_seconds) == ("parse", "1", 16, None)
    assert kept.fields == {"x": None}
