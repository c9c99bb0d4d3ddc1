"""Bodies written once for many pushes: what differs is spliced in as JSON texts. Pure.

A mould is what the ordinary builder writes for a push whose texts are marks, cut at the marks. So
there is one builder, and a body from a mould is equal to its body byte for byte.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import orjson

from delivery.push import Push

_HTTPS = "https://"
# Nobody can know it, so no content holds it.
_MARK = secrets.token_hex(16)
_MARKED = re.compile(rb'"(?:https://)?%b(\d+);"' % _MARK.encode())

# Of each text: whether there is any, and whether it begins like a link. Builders ask no more.
Traits = tuple[tuple[bool, bool], ...]


@dataclass(frozen=True, slots=True)
class Mould:
    """A body with places for id, token and the texts for the blanks of a notification."""

    frame: bytes
    pick: Callable[[list[bytes]], Any]

    def cast(self, push: Push) -> bytes | None:
        """Return the body of a push, None when one of its texts has no UTF-8."""
        try:
            written = [_dumps(push.id), _dumps(push.token), *map(_dumps, push.texts)]
        except TypeError:
            return None
        body: bytes = self.frame % self.pick(written)
        return body


_dumps = orjson.dumps


def traits(push: Push) -> Traits | None:
    """Return what a mould depends on beside the notification; None is the usual case.

    Usual is that no text is empty and that none is a link.
    """
    texts = push.texts
    if all(texts) and "deep_link" not in push.notification.blanks:
        return None
    return tuple((text != "", text.startswith(_HTTPS)) for text in texts)


def marked(push: Push, found: Traits | None) -> Push:
    """Return a push like `push` with a mark for its id, its token and each text."""
    kinds = ((True, False),) * len(push.notification.blanks) if found is None else found
    texts = [
        (_HTTPS if is_link else "") + _mark(at) if is_given else ""
        for at, (is_given, is_link) in enumerate(kinds, 2)
    ]
    return Push(
        id=_mark(0),
        message_id=push.message_id,
        token=_mark(1),
        kind=push.kind,
        platform=push.platform,
        topic=push.topic,
        notification=push.notification.filled(texts),
        expires_at=push.expires_at,
        collapse_id=push.collapse_id,
        priority=push.priority,
    )


def make_mould(body: bytes) -> Mould:
    """Cut the body of a push from `marked` at its marks; it holds the id at least."""
    pieces = _MARKED.split(body)
    holes = [int(number) for number in pieces[1::2]]
    frame = b"%b".join(piece.replace(b"%", b"%%") for piece in pieces[::2])
    return Mould(frame, itemgetter(*holes))


def _mark(at: int) -> str:
    return f"{_MARK}{at};"
