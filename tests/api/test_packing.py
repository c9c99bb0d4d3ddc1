"""Packed bodies: gzip both ways, with a limit that a bomb can not pass."""

import gzip
import itertools
import zlib

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import BodyTooLargeError
from api.packing import Unpacker
from tests.api.doors import AppDoors, Doors, problem

_GZIP = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
_BODY = b'{"people": [{"external_id": "ada"}]}'


def _post(app: AppDoors, body: bytes, **headers: str) -> httpx2.Response:
    return app.client.post(
        "/v1/people/batch", headers={**app.server, **_GZIP, **headers}, content=body
    )


def test_a_packed_body_is_read(app: AppDoors) -> None:
    assert _post(app, gzip.compress(_BODY)).json()["succeeded"] == 1


def test_a_packed_repetition_is_the_same_request(app: AppDoors) -> None:
    key = {"Idempotency-Key": "one"}
    plain = app.client.post(
        "/v1/people/batch",
        headers={**app.server, "Content-Type": "application/json", **key},
        content=_BODY,
    )

    packed = _post(app, gzip.compress(_BODY), **key)

    assert packed.content == plain.content
    assert packed.headers["idempotent-replay"] == "true"


@pytest.mark.parametrize(
    "body",
    [b"not gzip", gzip.compress(_BODY)[:-3], gzip.compress(_BODY) + b"more", zlib.compress(_BODY)],
    ids=["plain", "cut", "longer", "zlib"],
)
def test_what_is_no_gzip_is_refused(app: AppDoors, body: bytes) -> None:
    assert "gzip" in problem(_post(app, body), 400, "bad_request")["detail"]


def test_a_bomb_is_refused_by_what_it_unpacks_to(doors: Doors, app: AppDoors) -> None:
    limit = doors.services.settings.max_body_bytes
    bomb = gzip.compress(b" " * (limit * 20))
    assert len(bomb) < limit / 20

    assert str(limit) in problem(_post(app, bomb), 413, "body_too_large")["detail"]


def test_a_bomb_never_becomes_larger_than_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    unpacker = Unpacker(1_000)

    with pytest.raises(BodyTooLargeError):
        unpacker.feed(bomb)
    assert unpacker.unpacked <= 1_001


@given(data=st.binary(max_size=500), cuts=st.lists(st.integers(0, 600), max_size=5))
def test_the_pieces_make_the_whole(data: bytes, cuts: list[int]) -> None:
    packed = gzip.compress(data)
    edges = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    unpacker = Unpacker(500)

    pieces = [unpacker.feed(packed[start:end]) for start, end in itertools.pairwise(edges)]
    unpacker.end()

    assert b"".join(pieces) == data


def test_a_large_answer_is_packed_for_who_takes_it(app: AppDoors) -> None:
    app.add_person("ada", attributes={"note": "hello " * 500})

    def read(encoding: str) -> httpx2.Response:
        headers = {**app.server, "Accept-Encoding": encoding}
        return app.client.get("/v1/people/ada", headers=headers)

    packed, plain = read("gzip"), read("identity")
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert packed.headers["etag"] == plain.headers["etag"]
    assert int(packed.headers["content-length"]) < len(plain.content) / 10
    assert "accept-encoding" in packed.headers["vary"].lower()


def test_a_small_answer_is_left_as_it_is(app: AppDoors) -> None:
    answer = app.client.get("/healthz", headers={"Accept-Encoding": "gzip"})

    assert "content-encoding" not in answer.headers
