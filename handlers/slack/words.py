"""The words of `/tocsin`: one list that dispatch, typo suggestions, help and the usage hint are made from."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEARTBEAT = "heartbeat_check"
_SURE, _LIKELY = 0.75, 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What to write after a word, and what it gives."""

    gives: str
    rest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A first word. `aloud`: also answered in a conversation. `acts`: it changes something, so no typo does it.

    `command`: it has a slash command of its own as well, `/tocsin-status`. `hinted`: part of Slack's usage hint.
    """

    name: str
    examples: tuple[Example, ...] = ()
    also: tuple[str, ...] = ()
    aloud: bool = True
    acts: bool = False
    command: bool = False
    hinted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, from where, and with which trigger to open a window."""

    user: str
    team: str | None
    channel: str
    trigger: str

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Asker:
        """From a command's payload, from an interaction's, or from an event's."""
        user, team, channel = body.get("user") or {}, body.get("team") or {}, body.get("channel") or {}
        if isinstance(user, str):  # an event
            return cls(
                user=user,
                team=body.get("user_team") or body.get("team") or None,
                channel=str(channel or ""),
                trigger="",
            )
        return cls(
            user=str(body.get("user_id") or user.get("id") or ""),
            team=body.get("team_id") or user.get("team_id") or team.get("id"),
            channel=str(body.get("channel_id") or channel.get("id") or ""),
            trigger=str(body.get("trigger_id") or ""),
        )

    @property
    def body(self) -> dict[str, Any]:
        """As permissions ask for it."""
        return {"user": {"id": self.user, "team_id": self.team}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked after a word. `aloud`: in a conversation, where everybody reads the answer."""

    text: str
    asker: Asker
    aloud: bool = False


WORDS = (
    Word(name="status", command=True, examples=(
        Example(gives="how everything stands"),
        Example(rest="parse_orders", gives="how one job or check stands and went lately; `#12` for an alert"),
    )),
    Word(name="logs", command=True, also=("log", "runs"), examples=(
        Example(gives="the newest runs"),
        Example(rest="parse_orders failed 24h 20", gives="a job's failed runs of 24 hours, 20 of them"),
        Example(rest='yesterday "disk full"', gives="the runs of a day that said something"),
    )),
    Word(name="alerts", examples=(Example(gives="what is open"),)),
    Word(name="why", examples=(
        Example(rest="#12", gives="why an alert called somebody, or kept silent, and what comes next"),
    )),
    Word(name="oncall", also=("on-call",), examples=(Example(gives="who is on call, and who follows when"),)),
    Word(name="silence", also=("mute",), aloud=False, acts=True, examples=(
        Example(rest="backend 2h deploying", gives="let nobody be told of something for a time"),
    )),
    Word(name="silences", examples=(Example(gives="what is silenced, by whom, why and until when"),)),
    Word(name="incident", acts=True, examples=(
        Example(rest="list", gives="the incidents"),
        Example(rest="report 3", gives="an incident's report as a file"),
    )),
    Word(name="incidents", hinted=False),
    Word(name="alert", also=("raise",), aloud=False, acts=True, examples=(
        Example(rest="P2 checkout is slow", gives="raise an alert by hand"),
    )),
    Word(name="patterns", also=("pattern",), examples=(
        Example(rest="30d", gives="when and about what alerts came"),
    )),
    Word(name="thresholds", also=("threshold",), examples=(
        Example(gives="which limits the last 30 days speak for"),
    )),
    Word(name="set", aloud=False, acts=True, examples=(
        Example(rest="host.cpu_percent 90 because …", gives="change a setting while I run; `unset` takes it back"),
    )),
    Word(name="unset", aloud=False, acts=True, hinted=False),
    Word(name="overrides", also=("override",), aloud=False, examples=(
        Example(gives="what is changed, by whom and why; `overrides yaml` to put it into the file"),
    )),
    Word(name="report", also=("reports",), examples=(
        Example(rest="sla 2026-10", gives="what was reached of the objectives in a month; also `health`, `digest`"),
    )),
    Word(name="drill", aloud=False, acts=True, examples=(
        Example(rest="P1", gives="send a marked test alert everywhere such alerts go, and see what arrives"),
    )),
    Word(name="audit", aloud=False, examples=(
        Example(rest="#12 7d", gives="who did what: to an alert, by a person (`@alex`), or at all"),
    )),
    Word(name="help", also=("?", "-h", "--help"), hinted=False),
    Word(name=HEARTBEAT, also=("heartbeat",), hinted=False),
)  # fmt: skip


def word_named(text: str, words: Sequence[Word] = WORDS) -> Word | None:
    """The word itself, in any case."""
    wanted = text.lower()
    return next((word for word in words if wanted == word.name or wanted in word.also), None)


def word_meant(text: str, words: Sequence[Word] = WORDS) -> tuple[Word, bool] | None:
    """The word that is spelled most like this, and whether nothing else can be meant; None for nonsense."""
    by_name = {name: word for word in words for name in (word.name, *word.also)}
    near = difflib.get_close_matches(text.lower()[:40], by_name, n=2, cutoff=_LIKELY)
    if not near:
        return None
    ratios = [difflib.SequenceMatcher(None, text.lower()[:40], name).ratio() for name in near]
    word = by_name[near[0]]
    rival = len(near) > 1 and by_name[near[1]] is not word and ratios[0] - ratios[1] < 0.1
    return word, ratios[0] >= _SURE and not rival and not word.acts


def usage_hint(words: Sequence[Word] = WORDS) -> str:
    """What Slack shows beside the command while it is typed."""
    return " | ".join([word.name for word in words if word.hinted] + ["help"])


def help_lines(prefix: str, words: Sequence[Word] = WORDS) -> list[str]:
    """Every word in examples."""
    return [
        f"`/{prefix}{'-' if word.command else ' '}{word.name}{' ' if example.rest else ''}{example.rest}` "
        f"{example.gives}"
        for word in words
        for example in word.examples
    ] + [f"`{HEARTBEAT}` in any channel I am in: whether all is well"]
