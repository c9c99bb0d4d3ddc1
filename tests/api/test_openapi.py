"""The description of the API is whole: examples that hold, problems, a way to authorize."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from api.main import MODULES, assemble
from core.errors import SettingsError
from tests.api.doors import Doors, open_doors, settings_for

_DESCRIPTION = assemble().openapi()
_METHODS = ("get", "post", "put", "patch", "delete")


def _routes() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in _DESCRIPTION["paths"].items():
        for method in _METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def _validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": _DESCRIPTION["components"]})


def _resolve(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = _DESCRIPTION["components"]["schemas"][name] if name else schema
    return found


def _body_examples(route: dict[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    content = route["requestBody"]["content"]["application/json"]
    listed = [one["value"] for one in content.get("examples", {}).values()]
    return content["schema"], listed or _resolve(content["schema"]).get("examples", [])


_WITH_BODY = [
    (name, route)
    for name, route in _routes()
    if "application/json" in route.get("requestBody", {}).get("content", {})
]
_ANSWERS = [
    (f"{name} {status}", answer)
    for name, route in _routes()
    for status, answer in route["responses"].items()
    if status < "300" and status != "204" and "text/csv" not in answer["content"]
]


def _named(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {"argvalues": [pair[1] for pair in pairs], "ids": [pair[0] for pair in pairs]}


@pytest.mark.parametrize("route", **_named(_WITH_BODY))
def test_every_body_has_an_example_that_fits(route: dict[str, Any]) -> None:
    schema, examples = _body_examples(route)

    assert examples
    for example in examples:
        _validator(schema).validate(example)


@pytest.mark.parametrize("answer", **_named(_ANSWERS))
def test_every_good_answer_has_an_example_that_fits(answer: dict[str, Any]) -> None:
    content = answer["content"]["application/json"]
    examples = [content["example"]] if "example" in content else []
    examples += [one["value"] for one in content.get("examples", {}).values()]

    assert examples
    for example in examples:
        _validator(content["schema"]).validate(example)


@pytest.mark.parametrize("route", **_named(list(_routes())))
def test_every_route_says_what_it_does_and_what_can_go_wrong(route: dict[str, Any]) -> None:
    assert route["description"]
    assert route["tags"]
    if route["tags"] == ["Health"]:
        return
    assert {"401", "403", "422", "503"} <= route["responses"].keys()
    assert route["security"] == [{"key": []}]
    for status, answer in route["responses"].items():
        if status >= "400":
            assert list(answer["content"]) == ["application/problem+json"]


def test_the_description_is_served(doors: Doors) -> None:
    assert doors.client.get("/openapi.json").json() == _DESCRIPTION
    assert _DESCRIPTION["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_pages_need_nothing_from_elsewhere(doors: Doors, path: str) -> None:
    page = doors.client.get(path)

    assert page.status_code == 200
    assert "//" not in page.text.replace("// ", "")
    assets = [
        part.partition('"')[0] for part in page.text.split('"') if part.startswith("/docs/assets/")
    ]
    assert assets
    for asset in assets:
        assert doors.client.get(asset).status_code == 200, asset


def test_a_process_mounts_the_chosen_modules_only(database_url: str, redis_url: str) -> None:
    settings = settings_for(database_url, redis_url, api_modules="people, keys")
    with open_doors(settings) as doors:
        paths = doors.client.get("/openapi.json").json()["paths"]

    prefixes = {"/".join(path.split("/")[:3]) for path in paths}
    assert prefixes == {"/healthz", "/readyz", "/v1/people", "/v1/apps"}


@pytest.mark.parametrize("modules", ["", "people,nonsense"])
def test_an_unknown_module_stops_the_start_and_names_the_known_ones(modules: str) -> None:
    with pytest.raises(SettingsError, match=", ".join(MODULES)):
        assemble(modules)
