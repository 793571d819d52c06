"""The windows that ask something, and those that show something."""

from __future__ import annotations

from bot.domain.run import Run, RunStatus
from bot.domain.severity import Severity
from handlers.slack import raising, silences
from handlers.slack.incidents import close_window, join_window
from handlers.slack.modals import Origin, note_modal, silence_modal
from handlers.slack.run_window import run_view
from tests.domain.findings import NOON
from tests.messages.catalogue.incidents import incident
from tests.messages.catalogue.parts import alert
from tests.messages.kinds import Sample, Window, kind

HERE = Origin(alert_id=41, channel="C0ALERTS")


@kind("window-acknowledge", "*Acknowledge with a note…*", note_modal)
def _acknowledge(s: Sample) -> Window:
    return note_modal("acknowledge", alert(s), HERE)


@kind("window-silence", "*Silence…* of an alert", silence_modal)
def _silence(s: Sample) -> Window:
    return silence_modal(alert(s), HERE)


@kind("window-raise", "`/tocsin alert`", raising.window)
def _raise(_s: Sample) -> Window:
    return raising.window(Severity.HIGH, "C0ALERTS")


@kind("window-silence-anything", "`/tocsin silence`", silences.window)
def _silence_anything(s: Sample) -> Window:
    return silences.window("C0ALERTS", s.text("host")[:1000])


@kind("window-join", "*Join incident…*", join_window)
def _join(s: Sample) -> Window:
    return join_window(alert(s), s.many(2, lambda number: incident(s, number)), "C0ALERTS")


@kind("window-close", "*Close incident…*", close_window)
def _close(s: Sample) -> Window:
    return close_window(incident(s), s.count(1), "C0INC")


@kind("window-run", "A run and what it printed", run_view)
def _run(s: Sample) -> Window:
    run = Run(
        number=812, run_id=s.text("run-812"), job=s.text("parse_orders"), status=RunStatus.ERROR, finished_at=NOON,
        duration_seconds=41.5, exit_code=28,
        fields={f"{s.text('rows')}{number}": s.number(1204) for number in s.many(2, lambda number: number)},
        output=s.text("started\nread 4 files\nno space left on device\n"),
    )  # fmt: skip
    return run_view(run, "C0ALERTS")
