"""What this version does not act on is said."""

from __future__ import annotations

from bot.config import not_yet
from tests.config.reading import read


def test_a_section_without_effect_is_named_with_its_line_and_what_happens_instead() -> None:
    settings = read("name: Shop\nmetrics:\n  measurements: {runs: {from: a}}\njobs: {a: {every: 1h}}\n")
    assert [str(warning) for warning in not_yet(settings)] == [
        "tocsin.yml:2: metrics: this version does not act on it yet; nothing is sent"
    ]


def test_a_file_of_what_works_is_not_warned_about() -> None:
    text = "checks: {host: {type: system}}\njobs: {a: {every: 1h}}\nrun_logs: [{path: a}]\ndigest: {at: '08:00'}\n"
    assert not_yet(read(text)) == ()
