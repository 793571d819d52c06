"""What may be written after `/tocsin silence`, and what it is read as."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from handlers.slack.asking import NotUnderstood
from handlers.slack.silence_words import parse_silence

NOW = datetime(2026, 11, 20, 17, 30, tzinfo=UTC)  # 18:30 in Berlin
BERLIN = ZoneInfo("Europe/Berlin")
KNOWN = {
    "check": ["backend", "db main", "web"],
    "job": ["nightly", "web"],
    "resource": ["backend", "web-1", "web-2", "it's"],
    "rule": ["host.cpu"],
    "category": ["database"],
}


@pytest.mark.parametrize(
    ("text", "match", "minutes", "reason"),
    [
        ("backend 2h deploying the fix", "check == 'backend'", 120, "deploying the fix"),
        ("BACK 90m", "check == 'backend'", 90, None),
        ("backend for 2h", "check == 'backend'", 120, None),
        ("backend until 20:00 the move", "check == 'backend'", 90, "the move"),
        ("backend until 18:00", "check == 'backend'", 23 * 60 + 30, None),  # tomorrow
        ("backend until 2026-11-20T19:00", "check == 'backend'", 30, None),
        ("backend", "check == 'backend'", None, None),
        ("db main 1h", "check == 'db main'", 60, None),
        ("nightly 1h", "job == 'nightly'", 60, None),
        ("web 1h", "name == 'web'", 60, None),  # a check and a job
        ("job:web 1h", "job == 'web'", 60, None),
        ("it's 1h", r"resource == 'it\'s'", 60, None),
        ("host.cpu 1h", "rule == 'host.cpu'", 60, None),
        ("category:database 1h", "category == 'database'", 60, None),
        ("resource:web-* 1h", "resource.startsWith('web-')", 60, None),
        (
            "web* 1h",
            "check.startsWith('web') || job.startsWith('web') || resource.startsWith('web')",
            60,
            None,
        ),
        ("\"severity == 'low'\" 30m tuning", "severity == 'low'", 30, "tuning"),
        ("“severity == ‘low’” 30m tuning", "severity == 'low'", 30, "tuning"),
        ("`cpu &gt; 90.0 &amp;&amp; severity == 'low'` 30m", "cpu > 90.0 && severity == 'low'", 30, None),
        ("severity == 'low' 30m tuning", "severity == 'low'", 30, "tuning"),
        ("everything 10m", "true", 10, None),
    ],
)
def test_what_how_long_and_why_are_read(
    text: str, match: str, minutes: int | None, reason: str | None
) -> None:
    wanted = parse_silence(text, KNOWN, NOW, BERLIN)
    length = None if wanted.ends_at is None else wanted.ends_at - NOW
    expected = None if minutes is None else timedelta(minutes=minutes)
    assert (wanted.match, length, wanted.reason) == (match, expected, reason)


@pytest.mark.parametrize(
    ("text", "said", "choices"),
    [
        (
            "web- 1h",
            "could be `web-1` or `web-2`",
            ("silence resource:web-1 1h", "silence resource:web-2 1h"),
        ),
        ("bakend 1h fix", "Did you mean `backend`?", ("silence check:backend 1h fix",)),
        ("db maim 1h", "Did you mean `db main`?", ('silence "check:db main" 1h',)),
        ("cpu > 1 + 'a' ( 1h", "is not a condition", ()),
        ("backend until", "Until when?", ()),
        ("backend until 2020-01-01T00:00", "over already", ()),
        ("backend 99999d", "366 days at most", ()),
        ("job:backend 1h", "Nothing is named 'backend'", ()),
        ("", "Say what to silence", ()),
    ],
)
def test_what_cannot_be_read_is_asked_back(text: str, said: str, choices: tuple[str, ...]) -> None:
    with pytest.raises(NotUnderstood) as caught:
        parse_silence(text, KNOWN, NOW, BERLIN)
    assert said in str(caught.value)
    assert caught.value.choices == choices
    for choice in choices:
        assert parse_silence(choice.removeprefix("silence "), KNOWN, NOW, BERLIN).ends_at is not None
