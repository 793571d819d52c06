"""Every kind of message there is. A new kind is one `@kind(...)` in the module of its subject.

After adding one: `python -m tests.messages --write`, look at what it wrote, and commit both.
"""

from tests.messages.catalogue import alerts, answers, console, incidents, reports, silences, windows
from tests.messages.kinds import CATALOGUE

__all__ = ["CATALOGUE", "alerts", "answers", "console", "incidents", "reports", "silences", "windows"]
