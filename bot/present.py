"""The settings and the rules as they hold now: the file's, with what was changed at run time. The one place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.config.override_paths import PathUnknown, parse_parts
from bot.config.override_yaml import as_yaml, file_value, shown
from bot.config.overriding import Setting, applied
from bot.config.rulebook import Rulebook, rulebook
from bot.config.settings import Settings
from bot.domain.alert import Alert
from bot.domain.inhibition import Inhibition
from bot.domain.jobs import Terms
from bot.domain.observation import Source, SourceKind
from bot.domain.override import Override, about, concerns
from bot.domain.rule import RuleGroup


@dataclass(slots=True, kw_only=True, eq=False)
class Present:
    """Asked by everything that judges or shows; replaced as a whole, so that nobody sees half of a change."""

    file: Settings
    settings: Settings
    rules: Rulebook
    overrides: tuple[Override, ...] = ()
    """Those set and not reverted, in their order."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Why some of them have no effect, by path: the file is another by now."""

    @classmethod
    def of(cls, settings: Settings) -> Present:
        """The file's settings as they are."""
        return cls(file=settings, settings=settings, rules=rulebook(settings))

    def hold(self, overrides: Sequence[Override]) -> None:
        """Let these changes hold, and none else. One that does not fit the file has no effect; never raises."""
        self.become(self.prepared(overrides))

    def prepared(self, overrides: Sequence[Override]) -> Present:
        """How it would be with these changes: a tenth of a second's work, which may be done in a thread."""
        found, refused = self._read(overrides)
        outcome = applied(self.file, [setting for setting, _ in found])
        return Present(
            file=self.file,
            settings=outcome.settings,
            rules=rulebook(outcome.settings),
            overrides=tuple(overrides),
            refused={**refused, **outcome.refused},
        )

    def become(self, other: Present) -> None:
        """Take over what was prepared, all of it at one moment."""
        self.settings, self.rules = other.settings, other.rules
        self.overrides, self.refused = other.overrides, other.refused

    @staticmethod
    def _read(overrides: Sequence[Override]) -> tuple[list[tuple[Setting, Override]], dict[str, str]]:
        found, refused = [], {}
        for each in overrides:
            try:
                found.append((Setting(parts=parse_parts(each.path), value=each.value), each))
            except PathUnknown as error:
                refused[each.path] = str(error)
        return found, refused

    def in_force(self) -> list[tuple[Setting, Override]]:
        """The changes that have effect."""
        return self._read([each for each in self.overrides if each.path not in self.refused])[0]

    def of_alert(self, alert: Alert) -> list[Override]:
        """What was changed of the rule that an alert is of."""
        return [each for setting, each in self.in_force() if concerns(setting.parts, alert)]

    def of_source(self, source: Source) -> list[Override]:
        """What was changed of a check or a job."""
        return [each for setting, each in self.in_force() if about(setting.parts, source)]

    def is_asked(self, source: Source, rule: str) -> bool:
        """Whether a rule is asked of a source's observations, and the source is observed at all."""
        if source.kind is SourceKind.CHECK and source.name not in self.rules.of_checks:
            return False
        groups = [*self.groups_for(source), *self.groups_for(source, watch=True)]
        return any(each.name == rule for group in groups for each in group.rules)

    # As a rulebook ----------------------------------------------------------------------------------------

    @property
    def inhibitions(self) -> tuple[Inhibition, ...]:
        """Which open alerts explain which others."""
        return self.rules.inhibitions

    @property
    def terms(self) -> Mapping[str, Terms]:
        """What is expected of the jobs of the file."""
        return self.rules.terms

    @property
    def other_terms(self) -> Terms:
        """What is expected of any other job."""
        return self.rules.other_terms

    def groups_for(self, source: Source, *, watch: bool = False) -> tuple[RuleGroup, ...]:
        """The rules for a source; the same tuple every time until something changes."""
        return self.rules.groups_for(source, watch=watch)

    def terms_of(self, job: str) -> Terms:
        """What is expected of a job, in the file or not."""
        return self.rules.terms_of(job)


def describe_overrides(present: Present, *, as_fragment: bool = False) -> str:
    """What is changed, one a line with what the file says; or as YAML to put into the file."""
    if as_fragment:
        return as_yaml(present.file, [setting for setting, _ in present.in_force()])
    lines = [_described(present, each) for each in present.overrides]
    return "\n".join(lines) or "nothing is changed at run time; everything is as the file says"


def _described(present: Present, each: Override) -> str:
    value = "nothing" if each.value is None else shown(each.value)
    line = f"#{each.id} {each.path} = {value}"
    try:
        there, said = file_value(present.file, parse_parts(each.path))
        line += f"  (the file says {shown(said)})" if there else "  (the file does not say)"
    except PathUnknown:
        pass
    line += f"  {each.at:%Y-%m-%d %H:%M} UTC by {each.by}" + (f": {each.reason}" if each.reason else "")
    why = present.refused.get(each.path)
    return f"{line}\n   without effect: {why}" if why else line
