"""HEAD, OPTIONS and honest `Allow` headers, in the process and over a real connection."""

import socket

import pytest

from api.main import MODULES
from api.methods import places_of
from tests.api.doors import AppDoors, Doors, problem, settings_for
from tests.api.serving import served


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("/v1/apps", "GET, HEAD, OPTIONS, POST"),
        ("/v1/messages/count", "OPTIONS, POST"),
        ("/v1/messages/msg_1", "GET, HEAD, OPTIONS, PATCH"),
        ("/v1/devices/dev_1", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("/v1/people/ada", "GET, HEAD, OPTIONS, PUT"),
        ("/v1/people/batch", "OPTIONS, POST"),
        ("/v1/people/ada/messages", "GET, HEAD, OPTIONS"),
    ],
)
def test_options_and_a_refusal_list_the_methods_of_a_path(
    doors: Doors, path: str, allowed: str
) -> None:
    options = doors.client.options(path)
    refusal = doors.client.request("TRACE", path)

    assert (options.status_code, options.content) == (204, b"")
    problem(refusal, 405, "method_not_allowed")
    assert options.headers["allow"] == refusal.headers["allow"] == allowed
    assert options.headers["x-request-id"]


def test_a_literal_path_is_never_taken_for_an_id(app: AppDoors) -> None:
    for method in ("GET", "PATCH"):
        answer = app.client.request(method, "/v1/messages/count", headers=app.server)
        problem(answer, 405, "method_not_allowed")


def test_a_person_may_be_called_like_another_path(app: AppDoors) -> None:
    for name in ("batch", "ada/messages"):
        put = app.client.put(f"/v1/people/{name}", headers=app.server, json={})
        assert put.status_code == 201
    assert app.client.get("/v1/people/batch", headers=app.server).json()["external_id"] == "batch"


def test_a_path_nobody_serves_has_no_methods(doors: Doors) -> None:
    problem(doors.client.options("/v2/nothing"), 404, "no_such_route")


def test_head_is_get_without_its_body(app: AppDoors) -> None:
    app.add_person("ada")
    got = app.client.get("/v1/people/ada", headers=app.server)
    head = app.client.head("/v1/people/ada", headers=app.server)

    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "content-type", "etag"):
        assert head.headers[name] == got.headers[name]
    assert app.client.head("/v1/people/nobody", headers=app.server).status_code == 404
    assert app.client.head("/v1/people/ada").status_code == 401


def test_head_leaves_nothing_on_a_real_connection(
    database_url: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = settings_for(database_url, redis_url)
    with served(settings, tmp_path_factory.mktemp("server")) as server:
        host, port = server.http.base_url.host, server.http.base_url.port
        assert port
        with socket.create_connection((host, port), timeout=30) as line:
            line.sendall(
                b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
                b"OPTIONS /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            with line.makefile("rb") as answers:
                text = answers.read().decode()

    head, _, options = text.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 200")
    assert options.startswith("HTTP/1.1 204")


def test_every_template_is_known_once() -> None:
    templates = [place.template for place in places_of(MODULES.values())]

    assert len(templates) == len(set(templates))
    assert "/v1/people/{external_id}" in templates
