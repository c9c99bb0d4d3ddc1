"""Who takes gzip, by what an `Accept-Encoding` says."""

import pytest

from api.gzip_answers import takes_gzip
from tests.api.doors import AppDoors
from tests.api.test_segments import make


@pytest.mark.parametrize(
    ("header", "takes"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br, gzip;q=0.5", True),
        ("gzip; q=1.0, identity", True),
        ("gzip;q=0", False),
        ("br, gzip ; Q=0.000", False),
        ("gzip;q=x", True),
        ("x-gzip", False),
        ("identity", False),
        ("", False),
    ],
)
def test_gzip_is_taken_unless_it_is_forbidden(header: str, *, takes: bool) -> None:
    assert takes_gzip(header) is takes


@pytest.mark.parametrize("path", ["/openapi.json", "export"])
def test_who_forbids_gzip_gets_plain_answers(app: AppDoors, path: str) -> None:
    if path == "export":
        path = f"/v1/segments/{make(app)['id']}/export"
    for header, packed in (("gzip;q=0", None), ("gzip", "gzip")):
        answer = app.client.get(path, headers={**app.server, "Accept-Encoding": header})
        assert answer.status_code == 200
        assert answer.headers.get("content-encoding") == packed
