"""What malformed YAML most likely means, in words a newcomer can act on."""

from __future__ import annotations

import re

import yaml

from bot.config.mistake import Place


def explain_syntax(error: yaml.MarkedYAMLError, text: str) -> tuple[Place, str, str | None]:
    """The place of a syntax error, what is wrong there, and what to write."""
    mark = error.problem_mark or error.context_mark
    problem, context = error.problem or "", error.context or ""
    if "could not find expected ':'" in problem:
        mark = error.context_mark or mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    opened = error.context_mark.line + 1 if error.context_mark else line + 1
    lines = text.splitlines() or [""]
    while line > 0 and (line >= len(lines) or not lines[line].strip()):
        line, column = line - 1, 0
    message, hint = _explain(problem, context, opened, lines[min(line, len(lines) - 1)])
    return Place(line + 1, column + 1), message, hint


def _explain(problem: str, context: str, opened: int, line: str) -> tuple[str, str | None]:
    if "'\\t'" in problem or line.startswith("\t"):
        return "a tab indents this line", "YAML takes spaces only; use two a level"
    if "scanning an alias" in context:
        return "a text that begins with * must be quoted", 'write it as "*/30 * * * *"'
    if "scanning an anchor" in context:
        return "a text that begins with & must be quoted", 'put it in "quotes"'
    if match := re.search(r"found character '(.)' that cannot start", problem):
        return f"a text that begins with {match[1]} must be quoted", 'put it in "quotes"'
    if "mapping values are not allowed" in problem:
        return (
            'there is a second ": " in this line, or its indentation is wrong',
            "quote the text that holds the colon, or align the key with those above it",
        )
    if "could not find expected ':'" in problem:
        return "this line has no colon", "write key: value"
    if "scanning a quoted scalar" in context or "scanning a double-quoted scalar" in context:
        if "escape" in problem:
            return "a backslash in double quotes begins an escape", "write 'single quotes' around the text"
        return f"the quote opened on line {opened} is not closed", "add the closing quote"
    if "parsing a flow" in context and "${" in line:
        return "a variable between { } or [ ] must be quoted", 'write "${NAME}"'
    if "parsing a flow sequence" in context:
        return (
            f"the list opened with [ on line {opened} is not closed",
            "add the closing ] or a missing comma",
        )
    if "parsing a flow mapping" in context:
        return (
            f"the mapping opened with {{ on line {opened} is not closed",
            "add the closing } or a missing comma",
        )
    if "<block end>" in problem:
        if re.search(r":\s+[{\[]", line):
            return "text follows a closing } or ]", 'a text that begins with { or [ must stand in "quotes"'
        return (
            f"this line does not line up with the block begun on line {opened}",
            "indent it as its neighbours",
        )
    return f"this is not YAML: {problem}", None
