"""From the first word of what was asked to who answers it, forgiving what is misspelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bot.blocks.message import Message, noted, outside
from handlers.slack.answering import Answering
from handlers.slack.audit_desk import AuditDesk
from handlers.slack.incidents import IncidentDesk
from handlers.slack.occasions import OccasionDesk
from handlers.slack.overriding import SettingsDesk
from handlers.slack.people import LOOK, People
from handlers.slack.raising import Raiser
from handlers.slack.silences import SilenceDesk
from handlers.slack.words import HEARTBEAT, WORDS, Asker, Question, Word, word_meant, word_named

Handler = Callable[[Question], Awaitable[Message | None]]
"""Answers a question; None when a window was opened instead."""


def handlers_of(
    answering: Answering,
    silences: SilenceDesk,
    incidents: IncidentDesk,
    settings: SettingsDesk,
    raiser: Raiser,
    audits: AuditDesk,
    occasions: OccasionDesk,
) -> dict[str, Handler]:
    """Who answers each word."""

    async def status(question: Question) -> Message:
        return await answering.status(question.text)

    async def logs(question: Question) -> Message:
        return await answering.logs(question.text)

    async def alerts(_question: Question) -> Message:
        return await answering.alerts()

    async def why(question: Question) -> Message:
        return await answering.why(question.text)

    async def oncall(_question: Question) -> Message:
        return answering.oncall()

    async def set_(question: Question) -> Message:
        return await settings.command("set", question.text, question.asker)

    async def unset(question: Question) -> Message:
        return await settings.command("unset", question.text, question.asker)

    async def overrides(question: Question) -> Message:
        return await settings.command("overrides", question.text, question.asker)

    async def patterns(question: Question) -> Message:
        return await answering.patterns(question.text)

    async def thresholds(question: Question) -> Message:
        return await answering.thresholds(question.text)

    async def report(question: Question) -> Message:
        return await answering.report(question.text)

    async def silences_listed(_question: Question) -> Message:
        return await silences.list()

    async def help_(_question: Question) -> Message:
        return answering.help()

    async def heartbeat(_question: Question) -> Message:
        return await answering.heartbeat()

    return {
        "status": status,
        "logs": logs,
        "alerts": alerts,
        "why": why,
        "oncall": oncall,
        "patterns": patterns,
        "thresholds": thresholds,
        "silence": silences.command,
        "silences": silences_listed,
        "incident": incidents.command,
        "incidents": incidents.command,
        "set": set_,
        "unset": unset,
        "overrides": overrides,
        "alert": raiser.command,
        "audit": audits.answer,
        "report": report,
        "drill": occasions.drill,
        "help": help_,
        HEARTBEAT: heartbeat,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """Every word has a handler: ValueError when one is missing or too many."""

    handlers: Mapping[str, Handler]
    answering: Answering
    people: People
    prefix: str

    def __post_init__(self) -> None:
        if wrong := {word.name for word in WORDS} ^ set(self.handlers):
            raise ValueError(f"words without a handler, or handlers without a word: {sorted(wrong)}")

    async def answer(self, word: str, text: str, asker: Asker, *, aloud: bool = False) -> Message | None:
        """The answer to `word` (empty: the first of `text`). Raises DatabaseError."""
        if no := await self.people.refusal(LOOK, asker.body):
            return Message(text=f":lock: {no}")
        if not word:
            word, _, text = text.strip().partition(" ")
        word = word.strip("`") or "status"
        known = word_named(word)
        if known is not None:
            return await self._ask(known, Question(text=text.strip(), asker=asker, aloud=aloud))
        return await self._guess(word, text.strip(), asker, aloud=aloud)

    async def _ask(self, word: Word, question: Question) -> Message | None:
        if question.aloud and not word.aloud:
            return self.answering.help(f"Ask with the command: `/{self.prefix} {word.name}`.")
        return await self.handlers[word.name](question)

    async def _guess(self, written: str, text: str, asker: Asker, *, aloud: bool) -> Message | None:
        """What was meant, if that is plain; else what may have been meant, as buttons."""
        shown = outside(written, 60)
        meant = word_meant(written)
        if meant is not None and meant[1]:
            word = meant[0]
            answer = await self._ask(word, Question(text=text, asker=asker, aloud=aloud))
            note = f":pencil2: You wrote `{shown}`; this is `{word.name}`."
            return None if answer is None else noted(note, answer)
        choices = [f"{meant[0].name} {text}".strip()] if meant is not None else []
        choices += await self.answering.named(f"{written} {text}".strip())
        near = f" Did you mean `{meant[0].name}`?" if meant is not None else ""
        return self.answering.help(f"I do not know `{shown}`.{near}", choices)
