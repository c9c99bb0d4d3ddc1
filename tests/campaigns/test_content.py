"""Content: overrides by platform, pointers to broken templates, rendering."""

import pytest

from campaigns.content import find_problems, for_platform, render_content
from campaigns.template import RenderError

CONTENT = {
    "title": "Hello {{ first_name }}",
    "body": "Body",
    "data": {"a": "1", "b": "{{ points }}"},
    "ios": {"subtitle": "Only here", "data": {"b": "2"}, "extra": {"thread-id": "t"}},
    "android": {"title": "Hi {{ first_name }}"},
}
VALUES = {"first_name": "Ada", "points": 7}


def test_a_platform_overrides_only_what_it_names() -> None:
    ios = render_content(for_platform(CONTENT, "ios"), VALUES)
    android = render_content(for_platform(CONTENT, "android"), VALUES)

    assert (ios.title, ios.subtitle, ios.data) == ("Hello Ada", "Only here", {"a": "1", "b": "2"})
    assert ios.extra == {"thread-id": "t"}
    assert (android.title, android.subtitle, android.data["b"]) == ("Hi Ada", None, "7")


def test_an_unknown_platform_gets_the_common_content() -> None:
    assert render_content(for_platform(CONTENT, "windows"), VALUES).title == "Hello Ada"


def test_broken_templates_are_named_by_pointer() -> None:
    broken = {"title": "{{", "data": {"a/b": "{%"}, "web": {"body": "{{ x"}, "body": "fine"}

    problems = find_problems(broken)

    assert [problem.pointer for problem in problems] == [
        "/content/title", "/content/data/a~1b", "/content/web/body",
    ]  # fmt: skip


def test_a_missing_value_names_the_field_it_was_for() -> None:
    with pytest.raises(RenderError, match=r"^data\.b: "):
        render_content(for_platform(CONTENT, "web"), {"first_name": "Ada"})
