"""Streamlit's files out of memory: the same bytes, fewer of them on the way, and no others."""

import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.responses import PlainTextResponse
from streamlit import file_util

from console.bundle import Bundle, read_files

STATIC = Path(file_util.get_static_dir())


@pytest.fixture(scope="module")
def http() -> TestClient:
    return TestClient(Bundle(PlainTextResponse("Streamlit's own"), read_files(STATIC)))


def named(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="\.(/static/[^"]+\.(?:js|css))"', page)


@pytest.mark.parametrize("accepts", ["gzip, br", "identity"])
def test_every_file_of_the_first_page_is_the_one_on_disk(http: TestClient, accepts: str) -> None:
    page = http.get("/", headers={"Accept-Encoding": accepts})

    answers = {
        path: http.get(path, headers={"Accept-Encoding": accepts}) for path in named(page.text)
    }

    assert len(answers) > 50
    assert all(one.content == (STATIC / path[1:]).read_bytes() for path, one in answers.items())
    packed = {one.headers.get("content-encoding") for one in (page, *answers.values())}
    assert packed == ({"gzip"} if "gzip" in accepts else {None})
    assert {one.headers["cache-control"] for one in answers.values()} == {
        "public, immutable, max-age=31536000"
    }
    assert page.headers["cache-control"] == "no-cache"


def test_what_is_sent_is_a_third_of_what_it_was(http: TestClient) -> None:
    page = http.get("/").text

    sent = sum(int(http.get(path).headers["content-length"]) for path in named(page))

    assert sent < sum((STATIC / path[1:]).stat().st_size for path in named(page)) / 3


def test_the_first_page_names_what_the_sign_in_shows(http: TestClient) -> None:
    own = named((STATIC / "index.html").read_text())

    more = [path for path in named(http.get("/").text) if path not in own]

    for element in ("TextInput", "Html", "purify"):
        assert any(path.startswith(f"/static/js/{element}.") for path in more), element


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/compose"),
        ("GET", "/_stcore/health"),
        ("GET", "/static/../../config.py"),
        ("POST", "/"),
    ],
)
def test_everything_else_is_left_to_streamlit(http: TestClient, method: str, path: str) -> None:
    assert http.request(method, path).text == "Streamlit's own"


@pytest.mark.parametrize(
    "manifest", [None, "no json", "{}", '{"a/elements/Html/Html.tsx": {"file": "b"}}']
)
def test_a_manifest_of_another_shape_names_nothing_more(
    tmp_path: Path, manifest: str | None
) -> None:
    page = "<head></head>"
    (tmp_path / "index.html").write_text(page)
    if manifest is not None:
        (tmp_path / "manifest.json").write_text(manifest)

    files = read_files(tmp_path)

    assert {path: file.plain for path, file in files.items()} == {"/": page.encode()}
