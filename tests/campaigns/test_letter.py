"""Letters give every recipient what rendering for that recipient alone gives."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import letter as letters
from campaigns.facts import Layout, find_uses
from campaigns.letter import Book
from campaigns.simple import compile_simple
from campaigns.template import parse_template
from delivery.engine.ports import Skipped
from tests.campaigns.recipients import Someone, rendered, written

SIMPLE = [
    "Hello {{ name }}",
    "{{ person.name }}, {{ person['points'] }} %s {{ person.locale }}",
    "{{ name | default('you') }}{# a note #}\n",
    "{{ name | d('you', true) | upper | trim }} & {{ points | int }}",
    "{{ name | lower | capitalize | replace('a', 'bb') }}{{ price | round(2) }}",
    "{{ tags | join(', ') }} {{ tags | length }} {{ name | title | truncate(5, true, '…') }}",
    "{{ device.platform }} {{ person.country | default('?', boolean=true) }}",
    "{{ person.external_id }}{{ device.locale }}",
]
NOT_SIMPLE = [
    "{% if points > 3 %}many{% else %}few{% endif %}",
    "{{ 'VIP' if person.vip else name }}",
    "{% for tag in tags %}{{ loop.index }}{{ tag }} {% endfor %}",
    "{% for person in tags %}{{ person.name }}{{ person }}{% endfor %}",
    "{{ person }}",
    "{{ person.items() | list | length }}{{ device }}",
    "{{ person.get('name', 'x') }}{{ name.upper() }}",
    "{{ [person, device] | map(attribute='locale') | join }}",
    "{{ points + 1 }}{{ name ~ points }}{{ price * 2 }}",
    "{{ skip(name) }}",
    "{{ skip }}{{ range }}{{ loop }}",
    "{{ tags[0] }}{{ nested.a.b }}{{ nested['a'] }}",
    "{{ name | escape }}{{ nested }}{{ tags | first }}",
    "{{ name | default(points) }}{{ person['\\x00'] }}",
    "{{ (name, points) | join('-') }}{{ name is defined }}",
    "{{ broken",
    "{{ name | nosuchfilter }}",
]
NAMES = ["name", "points", "price", "tags", "nested", "vip", "locale", "skip", "ﬁ", "fi", "items"]
FILTERS = [
    "upper", "lower", "capitalize", "title", "trim", "trim('a')", "string", "int", "int(3)",
    "float", "round", "round(2)", "round(1, 'floor')", "length", "count", "default", "d('%s')",
    "default('x', true)", "default(none)", "default(default_value='y')", "replace('a', 'xyz')",
    "replace('', 'x')", "truncate", "truncate(5)", "truncate(9, true, '')", "join", "join(', ')",
    "first", "escape", "abs", "replace('a')", "truncate('5')", "truncate(1)", "d(7)", "sum",
    "int(base=2)", "int(none)", "round(precision=3)", "round(-1)", "round(true)", "default(1.5)",
    "default(true)", "d([])", "truncate(3, leeway=0)", "truncate(true)", "truncate(300)",
    "trim('')", "trim(none)", "replace('a', 'b', 1)", "replace(old='a', new='%')", "join(d='%')",
    "join(none)", "reverse", "unique", "list", "sort",
]  # fmt: skip

literals = st.one_of(
    st.sampled_from([" ", "%s", "%%", "\n", "{", "é🎉", "\0", "\ud800", "&amp;"]),
    st.text(st.characters(exclude_characters="{"), max_size=5),
)
paths = st.sampled_from(
    [
        *NAMES,
        *(f"person.{name}" for name in NAMES),
        *(f"person['{name}']" for name in NAMES),
        *("device.platform", "device.locale", "device.x", "self", "nested.a"),
        *("person.external_id", "person.country", "person.time_zone", "person.copy"),
    ]
)
holes = st.builds(
    lambda path, filters: "{{ " + " | ".join([path, *filters]) + " }}",
    paths,
    st.lists(st.sampled_from(FILTERS), max_size=3),
)
sources = st.one_of(
    st.lists(st.one_of(literals, holes, holes), min_size=1, max_size=5).map("".join),
    st.sampled_from(SIMPLE + NOT_SIMPLE),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**20, -(2**63), 2**63 - 1, 2**63, 10**400, 0.1, 1e300, 1e16, -0.0]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(
        [
            *("<b>&amp;</b>", "{{ name }}", "ß", "ŉ", "İ", "a\u2028b", "\ud800", "\0", '"\\'),
            *("x" * 256, "y" * 9_000, "z" * 70_000, "a b-c_d", "dž9ǆ", "ada17", "%d"),
            *("12", " 7 ", "1e3", "0x1f", "True", ""),
        ]
    ),
)
values = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.dictionaries(st.sampled_from(["a", "b", "name"]), scalars, max_size=2),
)
people = st.builds(
    Someone,
    attributes=st.none() | st.dictionaries(st.sampled_from(NAMES), values),
    locale=st.sampled_from([None, "", "de", "nb-NO"]),
    country=st.sampled_from([None, "NO"]),
    device_locale=st.sampled_from([None, "fr"]),
    platform=st.sampled_from(["ios", "android", "web", "windows", "ipados"]),
)


@st.composite
def contents(draw: st.DrawFn) -> dict[str, Any]:
    """Content with some templates in it, and with overrides for iOS now and then."""
    content: dict[str, Any] = {name: draw(sources) for name in ("title", "deep_link")}
    content["body"] = draw(st.none() | sources)
    content["data"] = draw(st.dictionaries(st.sampled_from(["a", "title"]), sources))
    content["extra"], content["badge"] = {"thread-id": "t"}, 3
    content["ios"] = draw(st.none() | st.fixed_dictionaries({"title": sources}))
    return content


@given(contents(), st.lists(people, min_size=1, max_size=4))
def test_everybody_gets_what_they_would_get_alone(
    content: dict[str, Any], recipients: list[Someone]
) -> None:
    book = Book(content)
    # Twice: the second time much is known already.
    for someone in recipients * 2:
        assert written(book, someone) == rendered(content, someone)


@given(sources, people)
def test_a_simple_template_gives_the_text_of_jinja(source: str, someone: Someone) -> None:
    assert written(Book({"title": source}), someone) == rendered({"title": source}, someone)


def _compiled(source: str) -> Any:
    tree = parse_template(source)
    assert tree is not None
    return compile_simple(tree, Layout.of([find_uses(tree)]), 8_192)


@pytest.mark.parametrize("source", SIMPLE)
def test_common_templates_do_without_jinja(source: str) -> None:
    someone = Someone(
        {"name": "Ada", "points": 7, "price": 1.255, "tags": ["a", "b"]}, "en", "NO", "de", "ios"
    )
    book = Book({"title": source})
    simple = _compiled(source)
    (facts,) = someone.facts(book.layout).values()

    text = simple.render((*facts, "en", None, "ios", "de"))

    assert text is not None
    assert text == rendered({"title": source}, someone)[0]  # type: ignore[index]


@pytest.mark.parametrize("source", NOT_SIMPLE[:-2])
def test_everything_else_is_left_to_jinja(source: str) -> None:
    assert _compiled(source) is None


def test_texts_of_one_recipient_share_one_budget() -> None:
    costly = "{% for i in range(900) %}{% if i > 9999 %}{{ name }}{% endif %}{% endfor %}."
    content = {"title": costly, "data": {str(number): costly for number in range(9)}}
    someone = Someone({"name": "Ada"})
    book = Book(content)

    made = [written(book, someone), written(book, someone)]

    assert not isinstance(written(Book({"title": costly}), someone), Skipped)
    assert isinstance(made[0], Skipped)
    assert "too much work" in made[0].words
    assert made == [rendered(content, someone)] * 2


def test_many_simple_texts_pay_as_they_do_in_jinja() -> None:
    few = {"data": {str(number): "{{ name | upper | lower | trim }}" for number in range(20)}}
    many = {"data": {str(number): "{{ name | upper | lower | trim }}" for number in range(800)}}
    someone = Someone({"name": "x" * 200})

    assert written(Book(few), someone) == rendered(few, someone)
    assert written(Book(many), someone) == rendered(many, someone)


@given(st.lists(st.text(max_size=50), max_size=30))
def test_what_is_kept_is_bounded(names: list[str]) -> None:
    book = Book({"title": "{{ name ~ 'x' }}", "body": "{{ long ~ name }}"})
    for name in names:
        written(book, Someone({"name": name, "long": "y" * 1_000}))
    for text in book.letter("ios")._texts:
        kept = text._kept
        assert sum(len(done.text) for done in kept.values()) <= letters._MOST_CHARACTERS
