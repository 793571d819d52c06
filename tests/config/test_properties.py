"""Whatever a file holds, it is settings or a list of mistakes."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.config import ConfigInvalid, Mistake, Settings, parse, warnings
from bot.config.document import read_document
from bot.config.probing import CheckSettings, JobSettings
from checks.kinds import kinds, options_of
from tests.config.reading import TOKENS

_KEYS = sorted(
    {info.alias or name for name, info in Settings.model_fields.items()}
    | {info.alias or name for name, info in CheckSettings.model_fields.items()}
    | {info.alias or name for name, info in JobSettings.model_fields.items()}
    | {name for kind in kinds() for name in options_of(kind).model_fields}
    | {
        "to",
        "match",
        "after",
        "steps",
        "items",
        "sections",
        "field",
        "url",
        "when",
        "command",
        "request",
        "sla",
    }
    | {
        "below",
        "P1",
        "P2",
        "warning",
        "name",
        "label",
        "from",
        "until",
        "for",
        "<<",
        "x-a",
        "defaults",
        "host",
    }
)
_WORDS = [
    *_KEYS, *kinds(), "slack", "@oncall", "U0ANN", "5m", "0s", "07:30", "0 6 * * *", "95%", "50% of baseline",
    "x > 1", "2 * x > 1", "true", "share of 'a'", ">= 99%", "a.b", "#alerts", "http://127.0.0.1/", "{x}", "{:.1f}",
    "${HOME}", "${NOWHERE}", "${API_KEY:-abcdef}", "", "critical", "2026-01-01", "\x85\u2028", "999999999999w",
]  # fmt: skip
_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(_WORDS),
    st.text(max_size=20),
    st.dates(),
)
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(_KEYS), st.text(max_size=5)), inner, max_size=5),
    ),
    max_leaves=20,
)
_files = st.dictionaries(st.sampled_from(list(Settings.model_fields)), _values, max_size=6)
_quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def load_or_refuse(content: bytes) -> None:
    found = settings_or_mistakes(content)
    if isinstance(found, Settings):
        warnings(found)
        repr(found)
        found.public()
        return
    assert found
    assert min(mistake.line for mistake in found) >= 1
    assert all(str(mistake).isprintable() for mistake in found)


def settings_or_mistakes(content: bytes) -> Settings | tuple[Mistake, ...]:
    try:
        return parse(content, "tocsin.yml", TOKENS)
    except ConfigInvalid as error:
        return error.mistakes


@_quick
@given(_files)
def test_any_values_are_settings_or_mistakes(data: dict[str, Any]) -> None:
    load_or_refuse(yaml.safe_dump(data, allow_unicode=True).encode())


@_quick
@given(_values, st.sampled_from(list(kinds())))
def test_any_values_in_a_check_are_settings_or_mistakes(value: Any, kind: str) -> None:
    keys = value if isinstance(value, dict) else {"condition": value}
    load_or_refuse(yaml.safe_dump({"checks": {"a": {**keys, "type": kind}}}, allow_unicode=True).encode())


@_quick
@given(st.text(alphabet=st.sampled_from(list("ab:- \n\t[]{},&*!|>'\"%@`#?$<.x\\u0\x07é\ufeff")), max_size=60))
def test_any_text_is_a_document_or_a_mistake(text: str) -> None:
    read_document(text.encode(), "tocsin.yml", {})
    load_or_refuse(text.encode())


@_quick
@given(st.binary(max_size=60))
def test_any_bytes_are_a_document_or_a_mistake(content: bytes) -> None:
    load_or_refuse(content)


@_quick
@given(st.text(alphabet=st.sampled_from(list("ab.1 ()[]{}!=<>&|?:+-*/%'\",\\")), max_size=30))
def test_any_condition_is_taken_or_refused(source: str) -> None:
    content = yaml.safe_dump({"alerts": [{"name": "a", "condition": source}]}, allow_unicode=True)
    load_or_refuse(content.encode())
