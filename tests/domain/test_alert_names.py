"""What conditions over an alert may ask."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.alert import Alert
from bot.domain.alert_names import names_of
from bot.domain.condition import Outcome, compile_condition
from bot.domain.observation import Source, SourceKind
from bot.domain.severity import Severity
from tests.domain.findings import NOON, firing

BACKEND = replace(
    firing(),
    source=Source(kind=SourceKind.CHECK, name="backend"),
    severity=Severity.CRITICAL,
    category="availability",
    tags=("web",),
    fields={"status_code": 503, "severity": "what the service calls it", "error_codes": ["A", "B"]},
)
NIGHTLY = replace(
    BACKEND, source=Source(kind=SourceKind.JOB, name="nightly"), fields={"status": "ERROR", "exit_code": 1}
)


@pytest.mark.parametrize(
    ("condition", "of_check", "of_job"),
    [
        ("severity == 'critical'", True, True),
        ("priority == 'P1' && category == 'availability'", True, True),
        ("check == 'backend'", True, False),
        ("check != 'backend'", False, True),
        ("job in ['nightly', 'weekly']", False, True),
        ("'web' in tags", True, True),
        ("status_code >= 500", True, None),
        ("fields.status_code == 503", True, None),
        ("error_code == 'A'", True, None),
        ("status == 'ERROR'", False, True),
        ("status == 'active'", True, False),
        ("count > 0 && reopened == 0", True, True),
    ],
)
def test_a_condition_sees_the_alert_and_what_its_source_reported(
    condition: str, of_check: bool | None, of_job: bool | None
) -> None:
    outcomes = {True: Outcome.TRUE, False: Outcome.FALSE, None: Outcome.NOT_APPLICABLE}
    for found, expected in ((BACKEND, of_check), (NIGHTLY, of_job)):
        alert = Alert(firing=found, opened_at=NOON, last_seen=NOON)
        assert compile_condition(condition).evaluate(names_of(alert)) is outcomes[expected]
