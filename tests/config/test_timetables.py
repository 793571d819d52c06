"""The silences of the file as the domain reads them, and the alerts that the rules could raise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.config.rulebook import rulebook
from bot.config.timetables import samples_of, timetables_of
from bot.domain.alert_names import names_of
from bot.domain.silence import Silence, Window
from tests.config.reading import read

SYSTEM = Path(__file__).parents[2] / "examples" / "myhibachi.yml"


def test_the_nightly_silence_of_myhibachi_holds_from_three_for_two_hours_in_its_zone() -> None:
    settings = read(SYSTEM.read_text(encoding="utf-8"), TOCSIN_TOKEN="a-long-token")
    (nightly,) = timetables_of(settings)
    three = datetime(2026, 11, 20, 3, 30, tzinfo=settings.timezone).astimezone(UTC)
    window = nightly.window_at(three)
    assert window is not None
    assert window.starts_at.astimezone(settings.timezone).hour == 3
    assert window.ends_at - window.starts_at == timedelta(hours=2)
    silence = Silence(match=nightly.match, starts_at=window.starts_at, ends_at=window.ends_at)
    samples = samples_of(settings, rulebook(settings))
    quiet = {sample.firing.category for sample in samples if silence.covers(sample)}
    assert quiet == {"database"}
    assert {sample.firing.category for sample in samples} > quiet


def test_a_silence_once_and_one_at_times_of_day_are_read() -> None:
    once, daily = timetables_of(
        read(
            "silences:\n"
            "  - {name: Once, match: 'true', from: 2026-07-01 22:00, for: 90m}\n"
            "  - {name: Daily, match: 'true', at: ['06:00', '22:00'], for: 30m, timezone: Asia/Kolkata}\n"
        )
    )
    begin = datetime(2026, 7, 1, 22, tzinfo=UTC)
    assert once.once == Window(starts_at=begin, ends_at=begin + timedelta(minutes=90))
    coming = daily.next_window(begin)
    assert coming is not None
    assert coming.starts_at == datetime(2026, 7, 2, 0, 30, tzinfo=UTC)


def test_every_check_and_job_has_its_samples_at_the_severities_its_rules_have() -> None:
    settings = read("checks: {host: {type: system}}\njobs: {parse: {every: 1h}}\n")
    samples = samples_of(settings, rulebook(settings))
    assert {str(sample.firing.source) for sample in samples} == {"check:host", "job:parse"}
    assert all(names_of(sample)["severity"] for sample in samples)
