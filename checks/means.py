"""Ways to reach out that checks have and remedies use as well."""

from __future__ import annotations

from checks._exchange import Answer, NoAnswerError, exchange
from checks._execution import Execution, execute
from checks._secrets import masked, secrets_of
from checks.client import ProbeClient, Progress, probe_client
from checks.command import passed_on

__all__ = [
    "Answer",
    "Execution",
    "NoAnswerError",
    "ProbeClient",
    "Progress",
    "exchange",
    "execute",
    "masked",
    "passed_on",
    "probe_client",
    "secrets_of",
]
