"""What this version does not act on is said."""

from __future__ import annotations

from bot.config import not_yet
from tests.config.reading import read


def test_a_section_without_effect_is_named_with_its_line_and_what_happens_instead() -> None:
    settings = read("name: Shop\ndestinations:\n  email: {url: 'mailtos://a:b@example.com'}\n")
    assert [str(warning) for warning in not_yet(settings)] == [
        "tocsin.yml:2: destinations: this version does not act on it yet; "
        "what routes send to them alone is told in Slack instead"
    ]


def test_a_file_of_what_works_is_not_warned_about() -> None:
    text = "checks: {host: {type: system}}\njobs: {a: {every: 1h}}\nrun_logs: [{path: a}]\ndigest: {at: '08:00'}\n"
    assert not_yet(read(text)) == ()
