"""Reading a text as if it were tocsin.yml."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from bot.config import ConfigInvalid, Settings, parse

TOKENS = {"SLACK_BOT_TOKEN": "xoxb-17-abcdefgh", "SLACK_APP_TOKEN": "xapp-17-abcdefgh"}


def read(text: str | bytes, **environ: str) -> Settings:
    """The settings of a text, with the tokens in the environment."""
    content = text.encode() if isinstance(text, str) else text
    return parse(content, "tocsin.yml", {**TOKENS, **environ})


def mistakes(text: str | bytes, environ: Mapping[str, str] = TOKENS) -> list[str]:
    """What is printed for a text that cannot be used."""
    content = text.encode() if isinstance(text, str) else text
    with pytest.raises(ConfigInvalid) as caught:
        parse(content, "tocsin.yml", environ)
    assert str(caught.value).splitlines() == [str(mistake) for mistake in caught.value.mistakes]
    return [str(mistake) for mistake in caught.value.mistakes]
