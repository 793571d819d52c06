"""YAML with places: what the file says, and where."""

# ruff: noqa: E501  (what is printed is one line)
from __future__ import annotations

from typing import Any

import pytest

from bot.config.document import Document, read_document
from bot.config.mistake import Place


def document(text: str | bytes, **environ: str) -> Document:
    return read_document(text.encode() if isinstance(text, str) else text, "tocsin.yml", environ)


def told(text: str | bytes) -> list[str]:
    return [str(mistake) for mistake in document(text).mistakes]


def test_every_key_and_value_knows_its_place() -> None:
    read = document("a:\n  b: 1\n  c:\n    - x\n    - {y: z}\n")
    assert read.data == {"a": {"b": 1, "c": ["x", {"y": "z"}]}}
    assert read.place(("a", "b"), key=True) == Place(2, 3)
    assert read.place(("a", "b")) == Place(2, 6)
    assert read.place(("a", "c", 1, "y")) == Place(5, 11)
    assert read.place(("a", "nothing"), key=True) == Place(1, 1)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("11:45", "11:45"),
        ("no", "no"),
        ("2026-01-01", "2026-01-01"),
        ("007", "007"),
        ("0x10", "0x10"),
        ("12", 12),
        ("-1.5", -1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ("!!str 12", "12"),
    ],
)
def test_unquoted_texts_mean_what_a_person_expects(text: str, value: Any) -> None:
    assert document(f"key: {text}\n").data == {"key": value}


def test_keys_are_texts() -> None:
    assert document("200: a\ntrue: b\n").data == {"200": "a", "true": "b"}


def test_own_keys_are_dropped_and_serve_as_anchors() -> None:
    read = document("x-base: &base {type: sql, every: 5m}\na:\n  <<: *base\n  every: 1m\n")
    assert read.data == {"a": {"type": "sql", "every": "1m"}}
    assert read.place(("a", "type")).line == 1
    assert read.place(("a", "every")).line == 4


def test_several_mappings_merge_and_the_first_wins() -> None:
    read = document("x-a: &a {p: 1, q: 1}\nx-b: &b {<<: *a, q: 2, r: 2}\nk: {<<: [*b, *a], s: 3}\n")
    assert read.data == {"k": {"p": 1, "q": 2, "r": 2, "s": 3}}


def test_an_alias_repeats_a_value() -> None:
    assert document("a: &x [1, 2]\nb: *x\n").data == {"a": [1, 2], "b": [1, 2]}


def test_windows_line_ends_and_a_byte_order_mark_are_taken() -> None:
    read = document("\ufeffa: 1\r\nb: 2\r\n")
    assert read.data == {"a": 1, "b": 2}
    assert read.place(("b",)).line == 2


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n"])
def test_an_empty_file_says_nothing(text: str) -> None:
    read = document(text)
    assert (read.data, read.mistakes) == (None, [])


@pytest.mark.parametrize(
    ("text", "environ", "value"),
    [
        ("${PORT:-8787}", {}, 8787),
        ("${PORT:-8787}", {"PORT": "90"}, 90),
        ("'${PORT:-8787}'", {}, "8787"),
        ("${PORT:-8787}", {"PORT": ""}, 8787),
        ("${RATIO}", {"RATIO": "1.5"}, 1.5),
        ("${RATIO}", {"RATIO": "1.50"}, "1.50"),
        ("${WORD}", {"WORD": "1e5"}, "1e5"),
        ("${WORD}", {"WORD": "007"}, "007"),
        ("${FLAG}", {"FLAG": "true"}, True),
        ('"${URL:-}"', {}, ""),
        ("http://${HOST:-127.0.0.1}:${PORT:-80}/", {"PORT": "81"}, "http://127.0.0.1:81/"),
        ("${A:-${B:-c}}", {}, "c"),
        ("${A:-${B:-c}}", {"B": "d"}, "d"),
        ("'$'", {}, "$"),
        ("$HOME", {"HOME": "/root"}, "$HOME"),
        ("$$5 and $${A}", {"A": "b"}, "$5 and ${A}"),
        ('"${:,.0f}"', {}, "${:,.0f}"),
        ("${not a name}", {}, "${not a name}"),
        ("${A}", {"A": "${B}"}, "${B}"),
        ("${A}", {"A": "x: [1"}, "x: [1"),
    ],
)
def test_variables_are_filled_in(text: str, environ: dict[str, str], value: Any) -> None:
    read = read_document(f"key: {text}\n".encode(), "tocsin.yml", environ)
    assert (read.data, read.mistakes) == ({"key": value}, [])


def test_variables_in_a_block_of_text_are_filled_in() -> None:
    assert document("a: |\n  one ${X}\n  two\n", X="1").data == {"a": "one 1\ntwo\n"}


def test_a_variable_that_is_not_set_is_named_with_its_path_and_line() -> None:
    assert told("a: 1\nb:\n  - c: ${NOWHERE}\n") == [
        "tocsin.yml:3: b[0].c: the variable NOWHERE is not set; set it, or write ${NOWHERE:-a default}"
    ]


def test_a_variable_that_is_set_to_nothing_is_nothing() -> None:
    read = document("a: '${EMPTY}'\n", EMPTY="")
    assert (read.data, read.mistakes) == ({"a": ""}, [])


def test_variables_in_own_keys_count_only_where_they_are_used() -> None:
    assert told("x-a: &a {url: '${NOWHERE}'}\n") == []
    assert told("x-a: &a {url: '${NOWHERE}'}\nb: *a\n") == [
        "tocsin.yml:1: b.url: the variable NOWHERE is not set; set it, or write ${NOWHERE:-a default}"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\n", "1: the list opened with [ on line 1 is not closed; add the closing ] or a missing comma"),
        ("a: {b: 1\n", "1: the mapping opened with { on line 1 is not closed; add the closing } or a missing comma"),
        ("a:\n\t- b\n", "2: a tab indents this line; YAML takes spaces only; use two a level"),
        ("a: 'x\n", "1: the quote opened on line 1 is not closed; add the closing quote"),
        ("a: @oncall\n", '1: a text that begins with @ must be quoted; put it in "quotes"'),
        ("a: 5\nb: */5 * * * *\n", '2: a text that begins with * must be quoted; write it as "*/30 * * * *"'),
        ("a: &\n", '1: a text that begins with & must be quoted; put it in "quotes"'),
        ("a: *there\n", "1: *there refers to nothing before it; quote it if a plain text is meant"),
        ("a: &x [*x]\n", "1: *x refers to nothing before it; quote it if a plain text is meant"),
        ("a: {t: ${T}}\n", '1: a variable between { } or [ ] must be quoted; write "${NAME}"'),
        ("a: {b} c\n", '1: text follows a closing } or ]; a text that begins with { or [ must stand in "quotes"'),
        ("a:\n  b: 1\n c: 2\n", "3: this line does not line up with the block begun on line 1; indent it as its neighbours"),
        ("a: 1\njust words\nb: 2\n", "2: this line has no colon; write key: value"),
        ('a: "\\q"\n', "1: a backslash in double quotes begins an escape; write 'single quotes' around the text"),
        ('a: "\\UFFFFFFFF"\n', "1: the file holds an escape that is no character"),
        ('a: "\\ud800"\n', "1: the text holds an escape that is no character"),
        ("a: 1\n---\nb: 2\n", '2: a second document begins here; remove the line "---"'),
        ("a: !!python/object/apply:os.system [x]\n",
         "1: the tag !!python/object/apply:os.system has no meaning here; write the plain value"),
        ("a: !secret x\n", "1: the tag !secret has no meaning here; write the plain value"),
        ("? [a]\n: b\n", "1: a key must be a plain word; quote the value if it begins with { or ["),
        ("a:\n  <<: 5\n", "2: << can only take in a mapping, such as *name of an anchored one"),
        ("a: 1\nb: \x07\n", "2: the character U+0007 cannot stand in YAML; remove it"),
        (b"a: 1\nb: \xff\n", "2: this is not UTF-8 text; save the file as UTF-8"),
    ],
)  # fmt: skip
def test_malformed_yaml_is_explained(text: str | bytes, message: str) -> None:
    assert told(text) == [f"tocsin.yml:{message}"]


def test_a_key_written_twice_is_told_with_both_lines() -> None:
    assert told("a: 1\nb: {c: 1, d: 2,\n  c: 3}\na: 4\n") == [
        "tocsin.yml:3: b.c: this key was already written on line 2; keep one of them",
        "tocsin.yml:4: a: this key was already written on line 1; keep one of them",
    ]


_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
)
_MERGE_BOMB = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} {{<<: [{','.join([f'*{chr(97 + i)}'] * 9)}]}}\n" for i in range(9)
)
_TEXT_BOMB = "a: &a '" + "$$" * 50_000 + "'\nb: [" + ",".join(["*a"] * 5_000) + "]\n"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_BOMB, "with its aliases written out the file holds over 50000 values"),
        (_MERGE_BOMB, "with its aliases written out the file holds over 50000 values"),
        (_TEXT_BOMB, "with its aliases written out the file holds over 50000 values"),
        ("[" * 50_000, "this is nested more than 40 levels deep"),
        ("{a: " * 50_000, "this is nested more than 40 levels deep"),
        ("- " * 50_000, "this is nested more than 40 levels deep"),
        (
            "a:\n" + "".join(" " * i + "a:\n" for i in range(1, 400)),
            "this is nested more than 40 levels deep",
        ),
        ("a: 1\n" * 2_000_000, "the file has 10000000 bytes; 524288 is the most that is read"),
        ("&" * 100_000, "a text that begins with & must be quoted"),
    ],
)
def test_hostile_files_are_refused(text: str, message: str) -> None:
    assert message in "\n".join(told(text))
