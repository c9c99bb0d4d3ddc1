"""The common dialect: what it refuses, and that three engines agree on what it takes."""

import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from segments.rules.patterns import LONGEST_TEXT, read_pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "a" * 501,
        "(a",
        "a)",
        "[a",
        "[]",
        "[^]",
        "[z-a]",
        "[a-\\d]",
        "[[:alpha:]]",
        "a**",
        "(a?){101}",
        "(a*b*){100}",
        "x|((a?b?)?c?){80}",
        "a*?",
        "a++",
        "*a",
        "+",
        "?",
        "{2}",
        "a{",
        "a{x}",
        "a{3,2}",
        "a{0}",
        "a{256}",
        "a{1,256}",
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        "(?P<n>a)",
        "(?i)a",
        "(a)\\1",
        "\\bword",
        "\\Aa",
        "a\\Z",
        "\\p{L}",
        "\\x41",
        "\\u0041",
        "a$b",
        "b^a",
        "(^a)",
        "(a$)",
        "a|",
        "|a",
        "(|a)",
        "a||b",
        "\\",
        "\\é",
        "a]b"[:2] + "{",
        "x{1,2}{3}",
        "(a{255}){3}",
        "(" * 21 + "a" + ")" * 21,
        "***:a",
        "(?#x)a",
        "()",
    ],
)
def test_what_is_not_common_to_both_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_pattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "found", "missed"),
    [
        ("b", ["abc", "b"], ["", "a"]),
        ("^b", ["bc"], ["abc"]),
        ("b$", ["ab"], ["abc", "ab\n"]),
        ("^$", [""], ["a", "\n"]),
        ("^", ["", "a"], []),
        ("a|^b|c$", ["xa", "bx", "xc"], ["xb", "cx"]),
        ("^.$", ["a", "\n", "é", "👍"], ["", "ab"]),
        (r"^\d+$", ["123"], ["", "12a", "١٢٣"]),
        (r"^\w+$", ["a_1Z"], ["é", "a-b"]),
        (r"^[\s\S]$", ["a", " "], ["ab"]),
        (r"^[^\s]+$", ["ab"], ["a b"]),
        (r"^[a\]\-^.]+$", ["a]-^."], ["b"]),
        (r"^[à-ï]+$", ["éè"], ["e", "ö"]),
        (r"\.\*\\", [".*\\"], ["a*\\"]),
        ("^(?:ab|c){2,3}$", ["abc", "ccc", "ababab"], ["ab", "cccc"]),
        ("^(a*)*$", ["", "aaa"], ["b"]),
        ("^a{2,}$", ["aa", "aaaa"], ["a"]),
        ("^(a?){3}$", ["", "a", "aaa"], ["aaaa"]),
        ("a-b:c'd%e\"", ["a-b:c'd%e\""], ["ab"]),
    ],
)
def test_patterns_are_found(
    rules_engine: Engine, pattern: str, found: list[str], missed: list[str]
) -> None:
    ours = read_pattern(pattern)

    assert [one for one in found if not ours.matches(one)] == []
    assert [one for one in missed if ours.matches(one)] == []
    with rules_engine.connect() as connection:
        for one in [*found, *missed]:
            values = {"text": one, "pattern": ours.postgresql}
            query = "SELECT CAST(:text AS text) ~ CAST(:pattern AS text)"
            assert connection.scalar(text(query), values) is (one in found)


_ATOMS = st.sampled_from(
    [
        "a",
        "b",
        ".",
        "[ab]",
        "[^a]",
        r"\d",
        r"\W",
        "é",
        r"\.",
        "[a-f]",
        r"[\d\-]",
        " ",
        "👍",
        r"\n",
        "%",
        "'",
    ]
)
_REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{0,2}", "{1,}"])


def _grown(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(st.tuples(parts, _REPEATS), min_size=1, max_size=3).map(
        lambda listed: "".join(part + repeat for part, repeat in listed)
    )
    return st.one_of(several, several).flatmap(
        lambda one: several.map(lambda other: f"(?:{one}|{other})")
    )


_WHOLE = st.builds(
    lambda start, parts, end: f"{start}{parts}{end}",
    st.sampled_from(["", "^"]),
    st.recursive(_ATOMS, _grown, max_leaves=8),
    st.sampled_from(["", "$"]),
)
_TEXTS = st.text(st.sampled_from("ab1 .é👍\n-c'%"), max_size=8)


def _agree(engine: Engine, pattern: str, texts: list[str]) -> None:
    ours = read_pattern(pattern)
    python = re.compile(pattern.replace("$", r"\Z"), re.ASCII | re.DOTALL)
    wanted = [bool(python.search(one)) for one in texts]

    assert [ours.matches(one) for one in texts] == wanted
    with engine.connect() as connection:
        query = "SELECT t ~ CAST(:pattern AS text) FROM unnest(CAST(:texts AS text[])) AS u(t)"
        values = {"texts": texts, "pattern": ours.postgresql}
        assert connection.scalars(text(query), values).all() == wanted


_MANY = st.lists(_TEXTS, min_size=1, max_size=6)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(pattern=_WHOLE, texts=_MANY)
def test_three_engines_find_the_same(rules_engine: Engine, pattern: str, texts: list[str]) -> None:
    _agree(rules_engine, pattern, texts)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@settings(max_examples=20_000, suppress_health_check=[HealthCheck.too_slow])
@given(pattern=_WHOLE, texts=_MANY)
def test_three_engines_find_the_same_at_length(
    rules_engine: Engine, pattern: str, texts: list[str]
) -> None:
    _agree(rules_engine, pattern, texts)


_EVIL = ["^(a+)+$", "^(a|a)*$", "(a|aa)+$", "(.*a){20}$", "^([a-z]+)*$", "^((a*)*)*$"]


@pytest.mark.parametrize(
    "pattern", [*_EVIL, "(a?){100}a{100}$", "(a|b)*a(a|b){200}$", "(.{1,20}){1,20}$"]
)
def test_no_pattern_explodes(rules_engine: Engine, pattern: str) -> None:
    ours = read_pattern(pattern)
    bait = "a" * (LONGEST_TEXT - 1) + "!"
    began = time.process_time()

    assert ours.matches(bait) is bool("{1,20}" in pattern)
    # Exponential or even cubic work would take hours.
    assert time.process_time() - began < 20
    with rules_engine.connect() as connection:
        connection.execute(text("SET statement_timeout = '20s'"))
        values = {"text": bait, "pattern": ours.postgresql}
        query = "SELECT CAST(:text AS text) ~ CAST(:pattern AS text)"
        assert connection.scalar(text(query), values) is bool("{1,20}" in pattern)


def test_a_text_that_is_too_long_is_not_looked_through() -> None:
    assert read_pattern("a").matches("a" * LONGEST_TEXT)
    assert not read_pattern("a").matches("a" * (LONGEST_TEXT + 1))
