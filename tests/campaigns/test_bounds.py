"""Templates stay small and quick, whatever they are composed of."""

import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from campaigns.bounds import OneEffort
from campaigns.content import find_problems, render_content
from campaigns.filters import FILTERS, TESTS
from campaigns.template import RenderError, SkipRecipient, render, syntax_error

_SECONDS, _TRIES = 0.5, 3
_BYTES = 25_000_000


def _deep() -> Any:
    nest: Any = []
    for _ in range(300):
        nest = [nest]
    return nest


VALUES: dict[str, Any] = {
    "name": "Ada",
    "points": 7,
    "big": "z" * 60_000,
    "wide": "🔔" * 15_000,
    "numbers": list(range(9_000)),
    "items": [{"name": f"n{i}", "price": i, "tags": ["a", "b"]} for i in range(700)],
    "deep": _deep(),
    "person": {"name": "Ada", "update": "mine"},
    "at": datetime(2026, 3, 1, tzinfo=UTC),
}


def _quickest(work: Callable[[], object]) -> float:
    """Return the processor's seconds that the work needs; neighbours only ever make it slower."""
    seconds = []
    for _ in range(_TRIES):
        started = time.thread_time()
        work()
        seconds.append(time.thread_time() - started)
        if seconds[-1] < _SECONDS:
            break
    return min(seconds)


def hold_bounds(source: str) -> str | None:
    """Render within time and memory; return the text, None when it ended in an error."""
    found: list[str | None] = []
    assert _quickest(lambda: found.append(_rendered(source))) < _SECONDS
    tracemalloc.start()
    try:
        _rendered(source)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < _BYTES
    return found[-1]


def _rendered(source: str) -> str | None:
    try:
        return render(source, VALUES)
    except (RenderError, SkipRecipient):
        return None


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "source",
    [
        "{{ '{0:>999999999}'.format(1) }}",
        "{{ '{0:>999999999}'['format'](1) }}",
        "{{ '{a:>999999999}'.format_map({'a': 1}) }}",
        "{{ ['{0:>999999999}']|map('format', 1)|list }}",
        "{{ '%0999999999d'|format(1) }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ '%0999999999d' is odd }}",
        "{{ '%0999999999d' is divisibleby(1) }}",
        "{{ ['%0999999999d']|select('even')|list }}",
        "{{ points.to_bytes(999999999) }}",
        "{{ at.strftime('%0999999999d') }}",
        "{{ 1|round(-999999999) }}",
        "{{ 1|round(999999999, 'ceil') }}",
        "{{ 2 ** 999999999 }}",
        "{{ 'x' * 999999999 }}",
        "{{ [1] * 999999999 }}",
        "{{ 'x'|center(999999999) }}",
        "{{ 'a\\nb'|indent(999999999) }}",
        "{{ [1]|batch(999999999, 'x')|list }}",
        "{{ 'http://a'|urlize }}",
        "{{ 'a b'|wordwrap(1, wrapstring=big) }}",
        "{{ 'x'.ljust(999999999) }}{{ 'x'.zfill(999999999) }}",
        "{{ 'x'.join(numbers) }}{{ 'x'.translate({}) }}",
        "{{ big|replace('z', big) }}",
        "{{ range(100)|join(range(1000)|join('" + "y" * 3_000 + "')) }}",
        "{{ numbers|map(attribute='q', default=big)|join }}",
        "{{ numbers|map(attribute='q', default=items)|list|string }}",
        "{{ numbers|map(attribute='q', default=items)|list }}",
        "{{ {}[[1]|map(attribute='q', default=items)|list] }}",
        "{{ [1]|map((" + "big," * 900 + ")) }}",
        "{{ items|map('list')|sum(start=[]) }}",
        "{{ " + "~".join(["big"] * 900) + " }}",
        "{{ " + "+".join(["numbers"] * 300) + " }}",
        "{{ numbers|sort(attribute='" + "a," * 1_000 + "') }}",
        "{{ numbers|map('string')|sort(attribute='" + "0," * 1_000 + "') }}",
        "{% for i in numbers %}{{ " + "+".join(["1"] * 90) + " }}{% endfor %}",
        "{% for i in numbers %}{% if " + " and ".join(["items == items"] * 90) + " %}{% endif %}"
        "{% endfor %}",
        "{% for i in range(1000) %}{% if numbers[1:] == numbers[:-1] %}{% endif %}{% endfor %}",
        "{% for i in range(1000) %}{{ wide|upper|lower|length }}{% endfor %}",
        "{% filter length %}{% for i in range(1000) %}" + "x" * 3_000 + "{% endfor %}"
        "{% endfilter %}",
        "{% autoescape true %}{{ big }}{% endautoescape %}",
        "{% for c in big %}{% endfor %}" * 100,
        "{{ big.split('z')|length }}" * 100,
        "{{ big.strip('" + "b" * 1_100 + "z') }}",
        "{{ big[::-1][::-1] }}" * 100,
        "{% for i in range(1000) %}{% if "
        + "numbers[1:] or " * 200
        + "1 %}{% endif %}{% endfor %}",
        "{{ 1[2:3] }}",
        "{{ big|replace('z', 'f')|int(0, 16) }}",
        "{{ '" + "9" * 4_000 + "'|int * 10 }}",
        "{{ " + "9" * 4_090 + " + 1 }}",
        "{{ skip(" + "+".join(["big"] * 300) + ") }}",
        "{{ range(*numbers) }}",
        "{{ range(1, 10 ** 9) }}",
    ],
)
def test_what_blows_up_elsewhere_is_refused_before_it_is_built(source: str) -> None:
    assert hold_bounds(source) is None


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ big|truncate(12, true) }}", "zzzzzzzzz..."),
        ("{{ wide|length }}", "15000"),
        ("{{ items|length }} {{ items|sum(attribute='price') }}", "700 244650"),
        ("{{ items|map(attribute='name')|first }}", "n0"),
        ("{{ (items|sort(attribute='price', reverse=true)|first).name }}", "n699"),
        ("{{ items|selectattr('price', '>', 697)|map(attribute='name')|join(' ') }}", "n698 n699"),
        ("{{ name[1:] }} {{ name[::-1] }} {{ items[-1:][0].name }}", "da adA n699"),
        ("{% for i in items[:3] %}{{ loop.index }}{{ '' if loop.last else ',' }}{% endfor %}",
         "1,2,3"),
        ("{% for i in items if i.price == 5 %}{{ i.name }}{% else %}none{% endfor %}", "n5"),
        ("{% for k, v in person.items() %}{{ k }}={{ v }};{% endfor %}", "name=Ada;update=mine;"),
        ("{{ person.update }} {{ person['name'] }} {{ person.get('nick', '-') }}", "mine Ada -"),
        ("{{ 1 < points <= 7 and 'Ada' in name }} {{ points is odd }}", "True True"),
        ("{{ name ~ ' has ' ~ points }}", "Ada has 7"),
        ("{{ [1, 2] + [3] }} {{ points / 2 }} {{ -points // 2 }}", "[1, 2, 3] 3.5 -4"),
        ("{{ 41.666|round(2) }} {{ at.year }} {{ at.isoformat() }}",
         "41.67 2026 2026-03-01T00:00:00+00:00"),
        ("{{ ' Ada'.strip().upper().startswith('A') }} {{ name|e }}", "True Ada"),
        ("{{ nick is defined }} {{ name|replace('A', 'a') }}", "False ada"),
        ("{% for i in [1] %}{{ 'é'|upper }}{{ name.count('a', 0) }}{% endfor %}", "É1"),
    ],
)  # fmt: skip
def test_what_templates_are_for_fits_the_bounds(source: str, text: str) -> None:
    assert hold_bounds(source) == text


_NAMES = st.sampled_from([*VALUES, "i", "nick"])
_LITERALS = st.sampled_from(
    ["1", "-1", "999999999", "0.5", "'z'", "''", "'%0999999999d'", "'{0:>999999999}'", "'a,0.a'",
     "true", "none", "[]", "{}", "range(1000)", "'" + "y" * 200 + "'", "9" * 150]
)  # fmt: skip
_BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "and", "or"]
_METHODS = ["upper", "split", "strip", "format", "count", "find", "items", "values", "get", "index"]


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    filters, tests = sorted(FILTERS), sorted(TESTS.keys() - {"==", "!=", ">", ">=", "<", "<="})
    few = st.lists(inner, max_size=2).map(", ".join)
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(_BINARY), inner),
        st.builds("({})|{}".format, inner, st.sampled_from(filters)),
        st.builds("({})|{}({})".format, inner, st.sampled_from(filters), few),
        st.builds("({})|map('{}', {})|list".format, inner, st.sampled_from(filters), inner),
        st.builds("({})|map(attribute='q', default={})|list".format, inner, inner),
        st.builds("({})|select('{}')|list".format, inner, st.sampled_from(tests)),
        st.builds("({}) is {}({})".format, inner, st.sampled_from(tests), inner),
        st.builds("({}).{}({})".format, inner, st.sampled_from(_METHODS), few),
        st.builds("({})[{}:{}]".format, inner, inner, inner),
        st.builds("({})[{}]".format, inner, inner),
        st.builds("[{0}, {0}, {0}, {1}]".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
    )


EXPRESSIONS = st.recursive(st.one_of(_NAMES, _LITERALS), _grown, max_leaves=12)
SOURCES = st.one_of(
    st.builds("{{{{ {} }}}}".format, EXPRESSIONS),
    st.builds("{{% for i in {} %}}{{{{ {} }}}}{{% endfor %}}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds(
        "{{% for i in {} if {} %}}{{% if {} %}}x{{% endif %}}{{% endfor %}}".format,
        EXPRESSIONS, EXPRESSIONS, EXPRESSIONS,
    ),
)  # fmt: skip


@pytest.mark.timeout(150)
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(SOURCES)
@example("{{ (range(1000)|join('" + "y" * 60 + "'))|replace('y', big) }}")
def test_no_composition_of_what_is_allowed_leaves_the_bounds(source: str) -> None:
    hold_bounds(source)


def test_all_texts_of_a_notification_share_one_budget() -> None:
    text = "{% for i in range(1000) %}{% if i > i and i > i and i > i %}{% endif %}{% endfor %}"
    content: dict[str, Any] = {"extra": {}, "data": {str(index): text for index in range(100)}}
    render(text, VALUES)

    def work() -> None:
        with pytest.raises(RenderError, match="too much work"):
            render_content(content, VALUES)

    assert _quickest(work) < _SECONDS


def test_a_budget_ends_with_its_outermost_use() -> None:
    text = "{% for i in range(1000) %}{% if i > i and i > i and i > i %}{% endif %}{% endfor %}"

    def render_often() -> None:
        with OneEffort():
            for _ in range(10):
                render(text, VALUES)

    with pytest.raises(RenderError, match="too much work"):
        render_often()
    assert render(text + "x", VALUES) == "x"


def test_more_templates_than_any_payload_holds_are_refused_before_they_are_read() -> None:
    data = {str(i): "{{ a" + ".b" * 2_000 + " }}" for i in range(100)}

    found = find_problems({"data": data})

    assert [(fault.pointer, fault.code) for fault in found] == [("/content", "too_long")]
    assert _quickest(lambda: find_problems({"data": data})) < _SECONDS


@pytest.mark.parametrize(
    "source",
    ["{{ " + "9" * 5_000 + " }}", "{{ f(*a) }}", "{{ x }}" + " " * 20_000, "{% set a = 1 %}",
     "{% autoescape true %}{% endautoescape %}", "{% filter upper %}{% endfilter %}"],
)  # fmt: skip
def test_what_can_not_be_read_is_said_before_sending(source: str) -> None:
    assert syntax_error(source)
