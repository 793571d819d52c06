"""One open alert explains another: what is held, by which, and what is never held."""

from dataclasses import replace

from bot.domain.alert import Alert, Refusal, fire, release
from bot.domain.condition import compile_condition
from bot.domain.decision import Memory, evaluate
from bot.domain.inhibition import Inhibition, explaining, reference
from bot.domain.severity import Severity
from tests.domain.findings import MINUTE, NOON, all_of, check, firing, rule


def inhibition(when: str, hold: str, *equal: str) -> Inhibition:
    return Inhibition(when=compile_condition(when), hold=compile_condition(hold), equal=equal)


def alert(number: int, *, category: str, resource: str = "eu", severity: Severity = Severity.HIGH) -> Alert:
    found = firing(
        severity, rule=f"rule {number}", category=category, resource=resource, title=f"title {number}"
    )
    return replace(fire(found, NOON).alert, id=number)


BY_DATABASE = inhibition(
    "category == 'database' && severity == 'critical'", "category == 'application'", "resource"
)
DATABASE = alert(1, category="database", severity=Severity.CRITICAL)
APPLICATION = alert(2, category="application")


def test_an_open_alert_explains_those_that_share_what_must_be_equal() -> None:
    elsewhere = alert(3, category="application", resource="us")

    assert explaining(APPLICATION, [BY_DATABASE], [APPLICATION, DATABASE]) == DATABASE
    assert explaining(elsewhere, [BY_DATABASE], [APPLICATION, DATABASE]) is None
    assert explaining(DATABASE, [BY_DATABASE], [APPLICATION, DATABASE]) is None


def test_a_name_that_one_of_them_lacks_is_not_equal() -> None:
    by_cluster = inhibition("category == 'database'", "category == 'application'", "cluster")

    assert explaining(APPLICATION, [by_cluster], [DATABASE]) is None


def test_nothing_explains_itself_and_of_two_that_explain_each_other_one_is_told() -> None:
    everything = inhibition("true", "true")
    held = replace(DATABASE, firing=replace(DATABASE.firing, held_by=reference(APPLICATION)))

    assert explaining(DATABASE, [everything], [DATABASE]) is None
    assert explaining(APPLICATION, [everything], [APPLICATION, held]) is None


def test_a_condition_that_cannot_be_calculated_holds_nothing() -> None:
    assert explaining(APPLICATION, [inhibition("title > 5.0", "true")], [DATABASE]) is None
    assert explaining(APPLICATION, [inhibition("true", "nothing.like.it == 1.0")], [DATABASE]) is None


def test_a_new_alert_is_held_from_its_first_moment_and_spoken_of_again_when_its_cause_is_gone() -> None:
    rules = all_of(rule("load > 5.0", category="application"))
    seen = check({"load": 9.0}, resource="eu")
    memory = Memory(inhibitions=(BY_DATABASE,), open_alerts=(DATABASE,))

    (begun,) = evaluate(rules, seen, memory).changes
    assert begun.alert.firing.held_by == "#1 title 1"

    later = replace(seen, at=NOON + MINUTE)
    open_now = {begun.alert.fingerprint: begun.alert}
    (still,) = evaluate(rules, later, replace(memory, open=open_now)).changes
    assert (still.alert.firing.held_by, still.urgent) == ("#1 title 1", False)

    (freed,) = evaluate(rules, later, replace(memory, open=open_now, open_alerts=())).changes
    assert (freed.alert.firing.held_by, freed.urgent) == (None, True)


def test_only_what_is_held_is_released() -> None:
    held = replace(APPLICATION, firing=replace(APPLICATION.firing, held_by="#1 title 1"))

    change = release(held, NOON)
    assert not isinstance(change, Refusal)
    assert [event.kind.value for event in change.events] == ["released"]
    assert change.alert.firing.held_by is None
    assert isinstance(release(APPLICATION, NOON), Refusal)
