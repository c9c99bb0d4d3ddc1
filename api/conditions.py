"""Request headers that any route may take, as dependencies that put them into the description."""

from typing import Annotated

from fastapi import Depends, Header
from pydantic import WithJsonSchema

_Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Do this once: a repetition within 24 h gets the first answer again.",
    ),
    # The door itself refuses others, with a code of their own.
    WithJsonSchema({"type": "string", "pattern": "^[!-~]([ -~]{0,253}[!-~])?$"}),
]
_Match = Annotated[
    str | None,
    Header(alias="If-Match", description="Do it only if the `ETag` is still this one, else 412."),
    WithJsonSchema({"type": "string"}),
]
_NoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", description="Answer 304 if the `ETag` is still this one."),
    WithJsonSchema({"type": "string"}),
]


async def _take_key(_key: _Key = None) -> None:
    """Document the header."""


async def _take_match(_match: _Match = None) -> None:
    """Document the header."""


async def _take_none_match(_match: _NoneMatch = None) -> None:
    """Document the header."""


ONCE = Depends(_take_key)
IF_MATCH = Depends(_take_match)
IF_NONE_MATCH = Depends(_take_none_match)
