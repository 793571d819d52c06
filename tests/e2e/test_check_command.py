"""`tocsin check`: every state as a person and a script read it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_command_line import tocsin

OK = "type: env, required: {PATH: nonempty}"
WARNING = "type: command, command: [sh, -c, 'echo nearly full; exit 1']"
CRITICAL = "type: env, required: {TOCSIN_TEST_UNSET: nonempty}"
UNKNOWN = "type: sql, url: 'oracle://db.example.org/x', query: SELECT 1"


def check(folder: Path, *arguments: str, **checks: str) -> tuple[int, str]:
    file = folder / "tocsin.yml"
    file.write_text("checks:\n" + "".join(f"  {name}: {{{keys}}}\n" for name, keys in checks.items()))
    return tocsin("check", "-c", str(file), *arguments)


def found(folder: Path, **checks: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(check(folder, "--json", **checks)[1])
    return items


@pytest.mark.parametrize(
    ("checks", "code"),
    [
        ({"a": OK}, 0),
        ({"a": OK, "b": WARNING}, 1),
        ({"a": WARNING, "b": UNKNOWN}, 3),
        ({"a": WARNING, "b": UNKNOWN, "c": CRITICAL}, 2),
    ],
)
def test_the_worst_state_is_the_exit_code(tmp_path: Path, checks: dict[str, str], code: int) -> None:
    assert check(tmp_path, **checks)[0] == code


def test_json_is_a_list_of_results_and_nothing_else(tmp_path: Path) -> None:
    items = found(tmp_path, a=OK, b=WARNING)
    assert [set(item) for item in items] == [{"name", "status", "summary", "fields", "duration_ms"}] * 2
    assert [(item["name"], item["status"], item["summary"]) for item in items] == [
        ("a", "ok", "the variable is set and well formed"),
        ("b", "warning", "nearly full"),
    ]
    assert items[0]["duration_ms"] >= 0


def test_what_cannot_run_is_unknown_with_the_remedy(tmp_path: Path) -> None:
    (item,) = found(tmp_path, b=UNKNOWN)
    assert item["status"] == "unknown"
    assert "is not installed; install " in item["summary"]


def test_what_is_not_due_is_shown_as_pending_and_is_no_fault(tmp_path: Path) -> None:
    start = datetime.now(UTC) + timedelta(hours=2)
    window = f"{start:%H:%M}-{start + timedelta(hours=1):%H:%M}"
    keys = f"type: file, path: /nowhere/today.csv, between: '{window}'"
    assert found(tmp_path, later=keys)[0]["status"] == "pending"
    code, output = check(tmp_path, later=keys)
    assert code == 0
    assert output.splitlines()[1].split()[:2] == ["later", "pending"]
    assert f"not asked outside {window}" in output


def test_the_table_names_each_check_and_each_member_of_a_group(tmp_path: Path) -> None:
    code, output = check(tmp_path, ready=f"type: group, checks: {{path: {{{OK}}}, token: {{{CRITICAL}}}}}")
    assert code == 2
    lines = [line.rstrip() for line in output.splitlines()]
    assert lines[0].split() == ["Check", "State", "Took", "What", "it", "found"]
    assert lines[1].startswith("ready    critical")
    assert [line.split()[:2] for line in lines if line.startswith("  ") and line.strip()][:1] == [
        ["path", "ok"]
    ]
    assert any(line.startswith("  token  critical") for line in lines)


def test_only_the_named_checks_are_run(tmp_path: Path) -> None:
    assert check(tmp_path, "a", a=OK, b=CRITICAL)[0] == 0


def test_a_name_that_is_none_is_told_with_the_one_that_is_near(tmp_path: Path) -> None:
    code, output = check(tmp_path, "shopp", shop=OK)
    assert code == 2
    assert 'there is no check "shopp"; did you mean "shop"?' in output


def test_a_file_without_checks_says_so(tmp_path: Path) -> None:
    file = tmp_path / "tocsin.yml"
    file.write_text("jobs: {parse: {every: 1h}}\n")
    code, output = tocsin("check", "-c", str(file))
    assert code == 0
    assert output == f"{file}: there are no checks to run; jobs are heard of when they report\n"
    assert tocsin("check", "-c", str(file), "--json") == (0, "[]\n")
