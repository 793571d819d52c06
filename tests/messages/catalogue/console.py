"""App Home, details, why, audit, results, groups, and settings changed at run time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from bot.blocks.alert_detail import render_detail
from bot.blocks.audit import render_audit
from bot.blocks.group import render_group, render_joined, render_together
from bot.blocks.home import render_home
from bot.blocks.message import Message, outside
from bot.blocks.overrides import (
    render_history,
    render_overrides,
    render_reverted,
    render_set,
    render_undone,
    render_yaml,
)
from bot.blocks.results import render_results
from bot.blocks.why import render_why
from bot.domain.alert import EventKind, Status
from bot.domain.audit import Deed, Via
from bot.domain.grouping import GroupState, Tally, standing_of
from bot.domain.oncall import Duty
from bot.domain.override import Override
from bot.domain.rule import Rule, Threshold
from bot.domain.why import Why
from bot.reports.alert_detail import AlertDetail
from bot.reports.home import HomeState
from checks.result import State
from handlers.slack import overriding
from handlers.slack.modals import Origin, details_modal, why_modal
from tests.domain.findings import HOUR, MINUTE, NOON, check
from tests.messages.catalogue.parts import ALEX, LATER, SAM, alert, diagnostics, event, overview
from tests.messages.catalogue.silences import silence
from tests.messages.kinds import Sample, Window, kind

HERE = Origin(alert_id=41, channel="C0ALERTS")


@kind("home", "App Home: how everything stands, with buttons", render_home)
def _home(s: Sample) -> Window:
    state = HomeState(
        overview=overview(s),
        silences=s.many(1, lambda number: silence(s, number)),
        duties={s.text("primary"): Duty(who=s.text("ethan"), until=LATER, then=s.text("nadia"))},
        coming=s.many(1, lambda _: (s.text("Morning check-in"), LATER + HOUR)),
    )
    return {"type": "home", "blocks": render_home(state, "tocsin")}


def _detail(s: Sample) -> AlertDetail:
    others = [replace(each, note=s.text("restarted it")) for each in s.many(2, lambda n: alert(s, n))[:5]]
    return AlertDetail(
        alert=alert(s, diagnostics=diagnostics(s)), at=LATER, before=others, times_before=s.count(8),
        events=s.many(3, lambda number: event(s, tuple(EventKind)[number % len(EventKind)], "on it")),
        elsewhere=others, times_elsewhere=s.count(2),
    )  # fmt: skip


@kind(
    "details",
    "`/tocsin status 41`: everything about an alert",
    render_detail,
    says=("P1 critical", "CPU at 97%", "Timeline"),
)
def _details(s: Sample) -> Message:
    return render_detail(_detail(s))


@kind("window-details", "*Details* of an alert", details_modal)
def _window_details(s: Sample) -> Window:
    return details_modal(_detail(s), HERE)


def _why(s: Sample) -> Why:
    question = Threshold(field=s.text("cpu_percent").strip() or "x", limit=s.number(80.0), bounded=True)
    rule = Rule(name=s.text("cpu_hot"), question=question, title="hot", failures=3)
    return Why(
        alert=alert(s),
        now=LATER,
        rule=rule,
        events=s.many(2, lambda _: event(s, EventKind.ACKNOWLEDGED, "on it")),
    )


@kind(
    "why", "`/tocsin why 41`: why an alert called somebody or kept silent", render_why, says=("CPU at 97%",)
)
def _render_why(s: Sample) -> Message:
    return render_why(_why(s))


@kind("window-why", "*Why* of an alert", why_modal)
def _window_why(s: Sample) -> Window:
    return why_modal(_why(s), HERE)


@kind("audit", "`/tocsin audit`: who did what", render_audit, says=("Audit", "CPU at 97%"))
def _audit(s: Sample) -> Message:
    deeds = s.many(2, lambda number: Deed(
        who=(ALEX, SAM)[number % 2], at=NOON, act="acknowledged", via=Via.SLACK, subject=s.text("CPU at 97%"),
        alert_id=41,        before=s.text("active"), after=s.text("acknowledged"), note=s.text("looking"),
    ))[:40]  # fmt: skip
    return render_audit(deeds, max(len(deeds), s.count(12)), "everything", None)


@kind("results", "`/tocsin-logs host`: a check's last results", render_results, says=("host",))
def _results(s: Sample) -> Message:
    found = s.many(10, lambda number: check(
        {"cpu_percent": s.number(97.0)}, at=NOON - number * MINUTE, state=tuple(State)[number % 5],
        name=s.text("host"), summary=s.text("cpu_percent 97"),
    ))[:20]  # fmt: skip
    return render_results(s.text("host"), found, LATER)


@kind("group", "Many alerts at once, in one message that follows them", render_group,
      says=("3 alerts at once", "CPU at 97%", "Disk 91% full"), large=True)  # fmt: skip
def _group(s: Sample) -> Message:
    members = s.many(3, lambda number: alert(s, number)) or [alert(s)]
    members = [*members[:-1], replace(members[-1], status=Status.RESOLVED, closed_at=LATER)]
    counted = sorted(Counter((each.severity, standing_of(each, LATER)) for each in members).items())
    tallies = tuple(Tally(severity=each[0], standing=each[1], count=count) for each, count in counted)
    state = GroupState(
        id=3, urgent=False, tallies=tallies, first=tuple(members[:100]), began_at=NOON, ended_at=None
    )
    return render_group(state, LATER, "<!subteam^S0ONCALL>")


@kind("group-joined", "One more joined the list", render_joined, says=("CPU at 97%",))
def _joined(s: Sample) -> Message:
    return render_joined(alert(s), max(1, s.count(3)), "<!subteam^S0ONCALL>")


@kind("group-together", "Several of the list escalate at once", render_together, says=("CPU at 97%",))
def _together(s: Sample) -> Message:
    return render_together(alert(s), {"escalated": max(1, s.count(3))}, "<!subteam^S0ONCALL>")


def _override(s: Sample, number: int = 7) -> Override:
    return Override(
        id=number, path=f"checks.{s.text('host')}.thresholds.cpu_percent", value=s.text("90"), in_file=True,
        file_value=s.text("80"), by=ALEX, at=NOON, reason=s.text("the importer runs hot today"),
    )  # fmt: skip


def _back(s: Sample) -> Override:
    return replace(_override(s), reverted_at=LATER, reverted_by=SAM)


@kind("setting-set", "Somebody changed a setting at run time", render_set, says=("cpu_percent", "90"))
def _set(s: Sample) -> Message:
    return render_set(_override(s), (True, s.text("80")), s.many(0, lambda _: s.text("nothing uses it")))


@kind("setting-reverted", "It is as the file says again", render_reverted, says=("cpu_percent",))
def _reverted(s: Sample) -> Message:
    return render_reverted(_back(s))


@kind(
    "setting-undone",
    "The message of the change, once it was taken back",
    render_undone,
    says=("took it back",),
)
def _undone(s: Sample) -> Message:
    return render_undone(_back(s))


@kind(
    "settings",
    "`/tocsin settings`: what differs from the file",
    render_overrides,
    says=("1 changed at run time",),
)
def _settings(s: Sample) -> Message:
    found = s.many(1, lambda number: _override(s, number))
    return render_overrides(found, {}, lambda each: (each.in_file, each.file_value), "tocsin")


@kind("settings-history", "The same with what was taken back", render_history, says=("cpu_percent",))
def _history(s: Sample) -> Message:
    return render_history(s.many(2, lambda number: _override(s, number)))


@kind("settings-yaml", "The same as lines for the file", render_yaml, says=("cpu_percent",))
def _yaml(s: Sample) -> Message:
    return render_yaml(s.text("checks:\n  host:\n    thresholds: {cpu_percent: 90}\n"))


@kind("window-setting", "`/tocsin set`", overriding.window)
def _window(s: Sample) -> Window:
    path = f"checks.{s.text('host')}.severity"[:200]
    return overriding.window(
        path, "C0ALERTS", outside(s.text("`checks.host` is 80 now"), 300), s.text("high")[:200]
    )
