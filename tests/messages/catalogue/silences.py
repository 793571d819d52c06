"""Silences: made, answered, changed, listed, about to end, over."""

from __future__ import annotations

from dataclasses import replace

from bot.blocks.message import Message
from bot.blocks.silences import (
    render_after,
    render_answer,
    render_changed,
    render_list,
    render_made,
    render_warning,
)
from bot.domain.alert import Status
from bot.domain.coverage import Coverage
from bot.domain.observation import Source, SourceKind
from bot.domain.silence import Silence, Timetable, Window
from tests.domain.findings import HOUR, MINUTE, NOON
from tests.messages.catalogue.parts import ALEX, DAY, LATER, SAM, alerts
from tests.messages.kinds import Sample, kind


def silence(s: Sample, number: int = 3) -> Silence:
    return Silence(
        id=number, match=s.text("check == 'host'"), starts_at=NOON, ends_at=NOON + 2 * HOUR, created_by=ALEX,
        reason=s.text("deployment"),
    )  # fmt: skip


def coverage(s: Sample) -> Coverage:
    sources = s.many(2, lambda number: Source(kind=SourceKind.CHECK, name=f"{s.text('host')}{number}"))
    return Coverage(
        open=tuple(alerts(s, 1)), sources=tuple(sources), total=max(12, len(sources)), critical=True
    )


@kind(
    "silence-made", "Somebody silenced something: what the channel is told", render_made, says=("deployment",)
)
def _made(s: Sample) -> Message:
    return render_made(silence(s), coverage(s))


@kind("silence-answer", "What who made it is answered", render_answer, says=("Silence #3",))
def _answer(s: Sample) -> Message:
    return render_answer(silence(s), coverage(s))


@kind(
    "silence-everything",
    "The same where nothing would be told any more",
    render_answer,
    says=("Nothing at all",),
)
def _everything(s: Sample) -> Message:
    return render_answer(silence(s), replace(coverage(s), total=max(2, len(coverage(s).sources)), sources=tuple(
        Source(kind=SourceKind.CHECK, name=f"{s.text('host')}{number}")
        for number in range(max(2, len(coverage(s).sources)))
    )))  # fmt: skip


@kind("silence-extended", "Somebody extended it", render_changed, says=("extended silence #3",))
def _extended(s: Sample) -> Message:
    return render_changed(silence(s), SAM)


@kind("silence-ended", "Somebody ended it", render_changed, says=("ended silence #3",))
def _ended(s: Sample) -> Message:
    return render_changed(replace(silence(s), ended_at=LATER, ended_by=SAM), SAM)


@kind(
    "silences",
    "`/tocsin silences`: what holds, what comes",
    render_list,
    says=("2 active", "deployment", "Nightly"),
)
def _list(s: Sample) -> Message:
    timetable = Timetable(name=s.text("Nightly maintenance"), match="true", reason=s.text("backups"))
    window = Window(starts_at=NOON + DAY, ends_at=NOON + DAY + HOUR)
    coming = s.many(1, lambda _: (timetable, window))
    return render_list(s.many(2, lambda number: silence(s, number)), coming, "tocsin")


@kind("silence-warning", "It ends soon and something under it is still broken", render_warning,
      says=("ends in 15 min", "CPU at 97%"))  # fmt: skip
def _warning(s: Sample) -> Message:
    return render_warning(silence(s), alerts(s, 2), NOON + 2 * HOUR - 15 * MINUTE)


@kind("silence-after", "What it kept quiet, once it is over", render_after, says=("has ended", "CPU at 97%"))
def _after(s: Sample) -> Message:
    found = alerts(s, 3)
    over = [replace(each, status=Status.RESOLVED, closed_at=LATER) for each in found[1:]]
    return render_after(silence(s), [*found[:1], *over], NOON + 2 * HOUR)
