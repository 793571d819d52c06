"""What loads and is probably not meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from bot.config.history_rules import unusual_fields
from bot.config.mistake import Mistake, Path
from bot.config.probing import CheckSettings
from bot.config.scalars import FieldRef
from bot.config.settings import Settings
from bot.config.suggest import near_or_choices
from bot.domain.condition import compile_condition
from bot.domain.forecast import accumulates
from bot.domain.severity import Severity, parse_severity

# What rules see of every observation, whatever its kind.
_COMMON = (
    "check job name source type resource status state severity category tags time summary error duration_ms "
    "previous baseline change"
)
COMMON_FIELDS = frozenset(_COMMON.split())
_OF_FIELDS = ("previous", "baseline", "change")


def warnings(settings: Settings) -> tuple[Mistake, ...]:
    """Everything worth a second look, in the order of the file."""
    found = [
        *_unknown_fields(settings),
        *_unreachable(settings),
        *_switched_off(settings),
        *_never_late(settings),
        *_too_patient(settings),
        *_unknown_sources(settings),
        *_unused_escalations(settings),
        *_open_door(settings),
        *_nothing_unusual(settings),
        *_nothing_ahead(settings),
        *_routing(settings),
        *_without_cursor(settings),
    ]
    return tuple(sorted(set(found), key=lambda found: (found.line, found.column, found.path)))


def all_checks(settings: Settings) -> Iterator[tuple[Path, CheckSettings]]:
    """Every check with its path, members of groups after their group."""

    def below(path: Path, check: CheckSettings) -> Iterator[tuple[Path, CheckSettings]]:
        yield path, check
        for name, member in check.checks.items():
            yield from below((*path, "checks", name), member)

    for name, check in settings.checks.items():
        yield from below(("checks", name), check)


def _unknown_fields(settings: Settings) -> Iterator[Mistake]:
    for path, check in all_checks(settings):
        fields = check.options.field_names()
        if fields is None:
            continue
        for place, name in _used_fields(path, check):
            if name not in fields | COMMON_FIELDS:
                message = f"a check of type {check.type} has no field {name}, so this never applies"
                yield settings.document.mistake(place, message, near_or_choices(name, fields))


def _used_fields(path: Path, check: CheckSettings) -> Iterator[tuple[Path, str]]:
    sources: list[tuple[Path, str]] = [((*path, "states", word), text) for word, text in check.states.items()]
    if check.condition is not None:
        sources.append(((*path, "condition"), check.condition))
    for place, source in sources:
        for name in sorted(compile_condition(source).variables):
            yield place, name
        for name in sorted(set(re.findall(rf"\b(?:{'|'.join(_OF_FIELDS)})\.([A-Za-z_]\w*)", source))):
            yield place, name
    for name in check.thresholds:
        yield (*path, "thresholds", name), name
    for name in check.anomaly if isinstance(check.anomaly, tuple) else ():
        yield (*path, "anomaly"), name


def _nothing_unusual(settings: Settings) -> Iterator[Mistake]:
    for path, check in all_checks(settings):
        if check.anomaly is True and not unusual_fields(check):
            message = "nobody knows which of its fields to watch, so nothing is ever unusual"
            yield settings.document.mistake((*path, "anomaly"), message, "name them, such as [orders]")


def _nothing_ahead(settings: Settings) -> Iterator[Mistake]:
    for path, check in all_checks(settings):
        if check.forecast is not None and not any(map(accumulates, check.thresholds)):
            message = "none of its fields has a threshold and fills up, so nothing is foretold"
            yield settings.document.mistake(
                (*path, "forecast"), message, "write one such as disk_percent: 85"
            )
    for name, job in settings.jobs.items():
        if job.forecast is not None and job.budget is None:
            message = "without a budget nothing is foretold"
            yield settings.document.mistake(("jobs", name, "forecast"), message, "set budget")


def _unreachable(settings: Settings) -> Iterator[Mistake]:
    rules = [(rule.condition, rule.continue_) for rule in settings.alerts]
    routes = [(route.match or "true", route.continue_) for route in settings.routes]
    for key, what, entries in (("alerts", "rule", rules), ("routes", "route", routes)):
        final: dict[str, int] = {}
        for index, (condition, goes_on) in enumerate(entries):
            earlier = final.get("true", final.get(condition))
            if earlier is not None:
                line = settings.document.place((key, earlier)).line
                message = f"this {what} is never reached: the one on line {line} takes everything it would"
                yield settings.document.mistake(
                    (key, index), message, "move it up, or give the other continue: true"
                )
            elif not goes_on:
                final[condition] = index


def _switched_off(settings: Settings) -> Iterator[Mistake]:
    for name, destination in settings.destinations.items():
        if not destination.enabled:
            path = ("destinations", name, destination.kind)
            yield settings.document.mistake(path, "the address is empty, so nothing is sent there")
    influxdb = settings.metrics.influxdb
    if influxdb is not None and not influxdb.url:
        yield settings.document.mistake(
            ("metrics", "influxdb", "url"), "the address is empty, so nothing is sent there"
        )


def _never_late(settings: Settings) -> Iterator[Mistake]:
    for name, job in settings.jobs.items():
        if job.schedule is None and job.every is None:
            message = "without schedule or every nobody is told when it does not start"
            yield settings.document.mistake(
                ("jobs", name), message, 'write one such as schedule: "0 6 * * *"'
            )


def _too_patient(settings: Settings) -> Iterator[Mistake]:
    for path, check in all_checks(settings):
        if check.every is not None and check.timeout > check.every:
            yield settings.document.mistake(
                (*path, "timeout"),
                "it may take longer than the time between two runs",
                "shorten it",
            )
    for name, job in settings.jobs.items():
        if job.timeout is not None and job.budget is not None and job.budget > job.timeout:
            yield settings.document.mistake(
                ("jobs", name, "budget"), "it is killed before its budget is used", "shorten it"
            )


def _unknown_sources(settings: Settings) -> Iterator[Mistake]:
    known = {str(path[-1]) for path, _ in all_checks(settings)} | set(settings.jobs)
    for path, source in _sources(settings):
        if source not in known:
            message = f'no check or job is named "{source}"'
            yield settings.document.mistake(path, message, near_or_choices(source, known))


def _sources(settings: Settings) -> Iterator[tuple[Path, str]]:
    for path, reference in _field_refs(settings):
        yield path, reference.source
    for name, measurement in settings.metrics.measurements.items():
        yield ("metrics", "measurements", name, "from"), measurement.from_


def _field_refs(settings: Settings) -> Iterator[tuple[Path, FieldRef]]:
    for index, line in enumerate(settings.status.fields):
        yield ("status", "fields", index, "field"), line.field
    if settings.digest is not None:
        for number, section in enumerate(settings.digest.sections):
            for index, item in enumerate(section.items):
                yield ("digest", "sections", number, "items", index, "field"), item.field
        for index, chart in enumerate(settings.digest.charts):
            yield ("digest", "charts", index, "field"), chart.field
    if settings.reports.sla is not None:
        for index, objective in enumerate(settings.reports.sla.objectives):
            yield ("reports", "sla", "objectives", index, "field"), objective.field
    for index, panel in enumerate(settings.dashboard.panels):
        if panel.field is not None:
            yield ("dashboard", "panels", index, "field"), panel.field


def _unused_escalations(settings: Settings) -> Iterator[Mistake]:
    used = {route.escalation for route in settings.routes}
    for name in settings.escalation:
        if name not in used:
            yield settings.document.mistake(
                ("escalation", name), "no route leads here", f"add escalation: {name} to a route"
            )


def _open_door(settings: Settings) -> Iterator[Mistake]:
    if settings.http.token is None and not _is_loopback(settings.http.bind.host):
        message = "other machines can reach it, and without a token the API answers nobody"
        yield settings.document.mistake(("http", "bind"), message, "set http.token")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_SEVERITY_TEXT = re.compile(r"""\bseverity\s*(?:==|!=)\s*(["'])(.*?)\1""")
_SEVERITY_WORDS = tuple(severity.word for severity in Severity)


def _routing(settings: Settings) -> Iterator[Mistake]:
    """Routes that lead nowhere, and conditions over an alert that no severity can meet."""
    conditions: list[tuple[Path, str]] = []
    for index, route in enumerate(settings.routes):
        conditions.append((("routes", index, "match"), route.match or ""))
        if "digest" in route.to and settings.digest is None:
            yield settings.document.mistake(
                ("routes", index, "to"), "no digest is posted", 'add digest: {at: "09:00"}'
            )
    conditions += [(("silences", index, "match"), each.match) for index, each in enumerate(settings.silences)]
    conditions += [(("remedies", name, "when"), each.when) for name, each in settings.remedies.items()]
    for path, condition in conditions:
        for _, word in _SEVERITY_TEXT.findall(condition):
            if word not in _SEVERITY_WORDS:
                yield settings.document.mistake(
                    path, f"no alert has the severity {word!r} here", _severity_hint(word)
                )


def _severity_hint(word: str) -> str:
    try:
        return f"write '{parse_severity(word).word}'"
    except ValueError:
        return f"write one of {', '.join(_SEVERITY_WORDS)}"


def _without_cursor(settings: Settings) -> Iterator[Mistake]:
    for number, log in enumerate(settings.run_logs):
        if log.query is not None and not re.search(r":cursor\b", log.query):
            yield settings.document.mistake(
                ("run_logs", number, "query"),
                "the query does not say :cursor, so it gives the same rows each time",
                "write WHERE id > :cursor ORDER BY id",
            )
