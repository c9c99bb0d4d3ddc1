"""Templates: sandboxed, strict about missing values, bounded."""

import re
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.sandbox import Sandbox
from campaigns.template import RenderError, SkipRecipient, render, syntax_error
from tests.deadlines import within

VALUES = {
    "first_name": "Ada",
    "points": 7,
    "tags": ["a", "b"],
    "at": datetime(2026, 3, 1, tzinfo=UTC),
}


def test_a_value_is_put_in_its_place() -> None:
    assert render("Hello {{ first_name }}, {{ points }} points", VALUES) == "Hello Ada, 7 points"


def test_a_missing_value_is_an_error_and_never_an_empty_hole() -> None:
    with pytest.raises(RenderError, match="'nick' is undefined"):
        render("Hello {{ nick }}", VALUES)


def test_a_default_fills_a_missing_value() -> None:
    assert render("Hello {{ nick | default('you') }}", VALUES) == "Hello you"


def test_a_template_may_skip_a_person_with_a_reason() -> None:
    with pytest.raises(SkipRecipient, match="too few"):
        render("{% if points < 10 %}{{ skip('too few') }}{% endif %}Hello", VALUES)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ first_name.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ self.__dict__ }}",
        "{{ tags.append('c') }}{{ tags.__class__ }}",
        "{{ lipsum() }}",
        "{{ 'x' * 100000 }}",
        "{{ 100000 * tags }}",
        "{{ 9 ** 9 }}",
        "{% for i in range(100000) %}x{% endfor %}",
        "{{ points / 0 }}",
        "{{ points + first_name }}",
        "{{ first_name | int + tags }}",
        "{{ '{:>999999999}'.format(first_name) }}",
        "{% for i in range(900) %}{{ '0123456789' }}{% endfor %}",
        "{{ 'x' | replace('x', 'y' * 900) }}",
        "{{ ('x' * 9).ljust(300000000) }}",
        "{{ 'x'.ljust(300000000) }}",
        "{{ 'x'.encode() }}",
        "{{ '%300000000d' % 1 }}",
        "{{ '{:>300000000}'.format(1) }}",
        f"{{{{ {10**90} * {10**90} }}}}",
        "{{ '\\ud800' }}",
        "{{ 'a\\x00b' }}",
        "{{ person.update({'x': 1}) }}",
    ],
)
def test_what_could_harm_ends_this_person_only(source: str) -> None:
    started = time.thread_time()
    tracemalloc.start()
    try:
        with pytest.raises(RenderError):
            render(source, VALUES)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert time.thread_time() - started < within(0.5)
    assert peak < 10_000_000


@pytest.mark.parametrize(
    "source", ["{{ first_name", "{% if %}", "{{ x | nosuchfilter }}", "{% x %}"]
)
def test_a_broken_template_is_found_before_sending(source: str) -> None:
    assert syntax_error(source)


def test_a_good_template_has_no_syntax_error() -> None:
    assert syntax_error("Hello {{ first_name | upper }}") is None


@given(st.text())
def test_text_without_marks_stays_as_it_is(text: str) -> None:
    if "{{" not in text and "{%" not in text and "{#" not in text:
        assert render(text, {}) == text


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_values_are_never_templates_themselves(value: str) -> None:
    rendered = "{{ 1 + 1 }}" + value

    if len(rendered) <= 8_000:
        assert render("{{ v }}", {"v": rendered}) == rendered


@pytest.mark.parametrize(
    "source",
    [
        "{{ first_name.upper }}",
        "{{ first_name.upper | lower }}",
        "{{ first_name ~ first_name.upper }}",
        "{{ [first_name.upper] }}",
        "{{ first_name.upper == first_name }}",
        "{{ skip }}",
        "{{ tags | map('upper') }}",
        "{{ tags | map('upper') | title }}",
        "{{ [tags | select] | string }}",
        "{{ tags | map('upper') | truncate(20) }}",
    ],
)
def test_what_has_no_text_shows_nobody_its_place_in_memory(source: str) -> None:
    with pytest.raises(RenderError, match=r"`\(\)`|`join` it"):
        render(source, VALUES)


def test_what_is_handed_on_can_be_joined() -> None:
    assert render("{{ tags | map('upper') | sort | join('-') }}", VALUES) == "A-B"
    assert render("{{ tags | reverse | list }}", VALUES) == "['b', 'a']"


def test_the_reason_of_a_skip_is_always_storable() -> None:
    with pytest.raises(SkipRecipient) as wish:
        render("{{ skip('a\\x00b\\ud800') }}", VALUES)

    assert str(wish.value) == "ab?"


def test_ordinary_templates_still_work() -> None:
    values = {**VALUES, "items": [{"name": "tea", "price": 3}, {"name": "jam", "price": 4}]}

    assert render("{% for i in items %}{{ i.name }} {% endfor %}", values) == "tea jam "
    assert render("{{ items | map(attribute='name') | join(', ') }}", values) == "tea, jam"
    assert render("{{ items | sum(attribute='price') * 2 }}", values) == "14"
    assert render("{{ first_name | upper }}{{ '!' if points > 5 else '?' }}", values) == "ADA!"
    assert render("{{ first_name + ' L.' }} {{ points % 4 }}", values) == "Ada L. 3"


def test_the_page_lists_the_filters() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "reference" / "templates.md"
    listed = page.read_text().partition("these filters:")[2].partition("Not available")[0]

    assert set(re.findall(r"`(\w+)`", listed)) == set(Sandbox().filters)
