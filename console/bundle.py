"""What a browser needs to show the sign-in, kept in memory: Streamlit's own files, compressed once.

Streamlit opens each of its eighty files anew for each visitor, never compresses them, and lets the
browser find out about the last twenty only when the first page is there. All else is Streamlit's.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

# The elements of the sign-in that Streamlit's first page does not name: their places in its source.
_ELEMENTS = ("elements/Html/Html.tsx", "widgets/TextInput/TextInput.tsx")
_TYPES = {".css": b"text/css; charset=utf-8", ".js": b"text/javascript; charset=utf-8"}
_LINK = re.compile(r'(?:href|src)="\./(static/[\w./-]+\.(?:js|css))"')
# Their names hold a hash of what is in them.
_FOR_EVER = b"public, immutable, max-age=31536000"
_Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent: plain, and in gzip."""

    plain: bytes
    packed: bytes
    headers: tuple[_Header, ...]


class Bundle:
    """Answers with `files` by their paths out of memory; asks `app` for everything else."""

    def __init__(self, app: ASGIApp, files: Mapping[str, File]) -> None:
        self._app = app
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        is_read = scope["type"] == "http" and scope["method"] == "GET"
        file = self._files.get(scope["path"]) if is_read else None
        if file is None:
            await self._app(scope, receive, send)
            return
        accepted = b",".join(
            value for name, value in scope["headers"] if name == b"accept-encoding"
        )
        packs = b"gzip" in accepted
        body = file.packed if packs else file.plain
        headers = [*file.headers, (b"content-length", str(len(body)).encode())]
        if packs:
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def read_files(folder: Path) -> dict[str, File]:
    """Return the first page of Streamlit's `folder` and what it loads, by path.

    The page names the files of the sign-in's elements, too, so that they are fetched with the
    others. What is not as expected is left to Streamlit.
    """
    page = (folder / "index.html").read_text(encoding="utf-8")
    named = set(_LINK.findall(page))
    more = [name for name in _chunks(folder) if name not in named]
    hints = "".join(f'<link rel="modulepreload" crossorigin href="./{name}">' for name in more)
    whole = page.replace("</head>", f"{hints}</head>", 1).encode()
    first = _file(whole, b"text/html; charset=utf-8", b"no-cache")
    return {"/": first, **{f"/{name}": _read(folder / name) for name in sorted({*named, *more})}}


def _chunks(folder: Path) -> Iterator[str]:
    try:
        manifest: dict[str, dict[str, Any]] = json.loads((folder / "manifest.json").read_bytes())
    except (OSError, ValueError):
        return
    roots = [key for key in manifest if key.endswith(_ELEMENTS)]
    for key in _closure(manifest, roots):
        if (folder / manifest[key]["file"]).is_file():
            yield manifest[key]["file"]


def _closure(manifest: Mapping[str, Mapping[str, Any]], roots: Iterable[str]) -> Iterable[str]:
    seen: dict[str, None] = {}
    waiting = list(roots)
    while waiting:
        key = waiting.pop(0)
        if key not in seen and key in manifest:
            seen[key] = None
            waiting += manifest[key].get("imports", [])
    return seen


def _read(path: Path) -> File:
    return _file(path.read_bytes(), _TYPES[path.suffix], _FOR_EVER)


def _file(plain: bytes, kind: bytes, caching: bytes) -> File:
    headers = (
        (b"content-type", kind),
        (b"cache-control", caching),
        (b"vary", b"accept-encoding"),
        (b"x-content-type-options", b"nosniff"),
    )
    return File(plain, gzip.compress(plain, 6), headers)
