"""Previews: what each platform shows, and what is wrong with it."""

from datetime import UTC, datetime
from typing import Any

from campaigns.preview import Preview, preview
from segments.people.person import Person

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADA = Person(1, "ada", {"first_name": "Ada"}, "en-GB", None, None, NOW, NOW)


def on(platform: str, content: dict[str, Any], person: Person | None = ADA) -> Preview:
    return next(one for one in preview(content, person, NOW) if one.platform == platform)


def test_each_platform_shows_its_own_text() -> None:
    content = {"title": "Hello {{ first_name }}", "ios": {"title": "Hi {{ first_name }}"}}

    shown = {one.platform: one.notification for one in preview(content, ADA, NOW)}

    assert {name: found.title for name, found in shown.items() if found} == {
        "ios": "Hi Ada",
        "android": "Hello Ada",
        "web": "Hello Ada",
    }


def test_every_gateway_that_reaches_the_platform_weighs_it() -> None:
    ios, android = on("ios", {"title": "é"}), on("android", {"title": "é"})

    assert [weight.gateway for weight in ios.weights] == ["apns", "fcm"]
    assert [weight.gateway for weight in android.weights] == ["fcm"]
    assert android.weights[0].bytes == ios.weights[1].bytes
    assert (
        on("android", {"title": "éa"}).weights[0].bytes
        == on("android", {"title": "é"}).weights[0].bytes + 1
    )


def test_all_faults_are_named_where_they_stand() -> None:
    content = {
        "title": "{{ nickname }}",
        "body": "{{ points }}",
        "data": {"a/b": "{{ 1 // 0 }}"},
        "ios": {"body": "{% if %}"},
    }

    faults = {platform: on(platform, content).faults for platform in ("ios", "android")}

    assert {fault.pointer for fault in faults["ios"]} == {
        "/content/title", "/content/ios/body", "/content/data/a~1b",
    }  # fmt: skip
    assert {fault.pointer for fault in faults["android"]} == {
        "/content/title", "/content/body", "/content/data/a~1b",
    }  # fmt: skip
    assert all(fault.code == "render_error" and fault.message for fault in faults["ios"])


def test_without_a_person_there_is_nothing_to_fill_in() -> None:
    assert on("web", {"title": "{{ first_name }}"}, None).faults
    assert not on("web", {"title": "{{ first_name | default('you') }}"}, None).faults


def test_what_passes_a_limit_is_shown_with_its_size() -> None:
    found = on("android", {"title": "x" * 4_097})

    assert found.notification
    assert [(fault.pointer, fault.code) for fault in found.faults] == [("/content", "too_long")]
    assert found.weights[0].bytes > found.weights[0].limit_bytes


def test_a_template_that_skips_the_person_says_why() -> None:
    found = on("ios", {"title": "{{ skip('no points') }}"})

    assert (found.skipped, found.notification, found.faults) == ("no points", None, ())


def test_what_a_gateway_would_never_take_is_a_fault() -> None:
    found = on("ios", {"title": "{{ title }}"}, Person(1, "a", {"title": "\ud800"}, None, None,
                                                       None, NOW, NOW))  # fmt: skip

    assert [fault.pointer for fault in found.faults] == ["/content/title"]
