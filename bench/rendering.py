"""What it takes to prepare a push: from the recipients that were read to the request on the wire.

``python -m bench.rendering``. One thread, no database and no network: CPU time of this process per
push, of windows of 500 recipients whose people were read as JSON texts. Every person has another
name and other points, so no personal text is met twice, except in the case `complex_repeated`.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import median
from types import MappingProxyType
from typing import Any

import orjson

from bench.errors import BenchError
from bench.numbers import whole_number
from campaigns.facts import Facts
from campaigns.letter import Book
from campaigns.preparer import write_all
from delivery.chunks.chunk import MessageFacts
from delivery.engine.opener import push_to
from delivery.engine.ports import Recipient, Skipped
from delivery.providers import apns_payload, fcm_payload
from delivery.push import Encoded, Push, Unsendable
from delivery.sandbox.tokens import apns_token, fcm_token

WINDOW = 500
_CONTENTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "nothing_personal": {
            "title": "Your order is on its way",
            "body": "Open the app to follow it.",
            "deep_link": "https://shop.example.com/orders",
        },
        "one_variable": {
            "title": "Hello {{ first_name }}",
            "body": "Your order is on its way. Open the app to follow it.",
            "deep_link": "https://shop.example.com/orders",
        },
        "three_variables": {
            "title": "Hello {{ first_name | default('you') | title }}",
            "body": "You have {{ points | int }} points in {{ person.city | default('town') }}.",
            "deep_link": "https://shop.example.com/points",
        },
        "complex": {
            "title": "{% if points > 100 %}Well done{% else %}Hello{% endif %} {{ first_name }}",
            "body": "{% for tag in tags %}{{ loop.index }}. {{ tag }} {% endfor %}{{ points * 2 }}",
            "deep_link": "https://shop.example.com/points",
        },
    }
)
REPEATED = "complex_repeated"
CASES = {**_CONTENTS, REPEATED: _CONTENTS["complex"]}
# With as many different people, as in texts about a city or a tier: most texts are met again.
_DIFFERENT = 50
_NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
_CITIES = ("Oslo", "Bergen", "Tromsø", "Stavanger")

Encode = Callable[[Push], Encoded | Unsendable]


@dataclass(frozen=True, slots=True)
class _Shape:
    """A gateway: how its pushes are encoded, and what its recipients look like."""

    platform: str
    kind: str
    token: Callable[[str, int], str]
    encode: Encode


_SHAPES: Mapping[str, _Shape] = MappingProxyType(
    {
        "apns": _Shape(
            "ios", "alert", apns_token, lambda push: apns_payload.encode(push, "com.example.app")
        ),
        "fcm": _Shape(
            "android", "token", fcm_token, lambda push: fcm_payload.encode(push, "shop-1", _NOW)
        ),
    }
)


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="bench rendering", description=__doc__)
    parser.add_argument("--pushes", type=whole_number, default=20_000, help="per case and round")
    parser.add_argument("--rounds", type=whole_number, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(arguments)
    try:
        result = measure(args.pushes, args.rounds)
    except BenchError as error:
        sys.stderr.write(f"bench rendering: {error}\n")
        return 1
    if args.json:
        print(orjson.dumps(result).decode())
        return 0
    for name, found in result["cpu_us_per_push"].items():
        print(
            f"{name:<18}" + "".join(f"{shape:>8}{cost:>7.2f} us" for shape, cost in found.items())
        )
    return 0


def measure(pushes: int, rounds: int) -> dict[str, Any]:
    """Return the CPU microseconds per push of each content in each shape: the median round."""
    return {
        "cpu_us_per_push": {
            name: {
                shape: round(_cost(name, _SHAPES[shape], pushes, rounds), 2) for shape in _SHAPES
            }
            for name in CASES
        },
        "pushes": pushes,
        "rounds": rounds,
        "window": WINDOW,
    }


def _cost(name: str, shape: _Shape, pushes: int, rounds: int) -> float:
    book, message = Book(CASES[name]), _message(CASES[name])
    different = _DIFFERENT if name == REPEATED else pushes * rounds + WINDOW
    _prepare(book, message, shape, *_window(book, shape, 0, different))
    costs = []
    for turn in range(rounds):
        firsts = range(1 + turn * pushes, 1 + (turn + 1) * pushes, WINDOW)
        taken = 0.0
        for first in firsts:
            recipients, people = _window(book, shape, first, different)
            started = time.process_time()
            _prepare(book, message, shape, recipients, people)
            taken += time.process_time() - started
        costs.append(taken / (len(firsts) * WINDOW) * 1e6)
    return median(costs)


def _prepare(
    book: Book,
    message: MessageFacts,
    shape: _Shape,
    recipients: Sequence[Recipient],
    people: Mapping[int, Facts],
) -> None:
    """Do what an engine does between reading a window and sending it."""
    encode, encoded = shape.encode, []
    for recipient, made in zip(recipients, write_all(book, recipients, people), strict=True):
        if isinstance(made, Skipped):
            raise BenchError(made.words)
        encoded.append(encode(push_to(message, recipient, made)))
    refused = [made for made in encoded if isinstance(made, Unsendable)]
    if refused:
        raise BenchError(refused[0].words)


def _message(content: Mapping[str, Any]) -> MessageFacts:
    return MessageFacts(
        app_id=1,
        id=1,
        public_id="msg_4k7d2x5q6w3e4r5t6y7u2a3s4d",
        day=date(2026, 1, 1),
        policy="at_most_once",
        content=content,
        collapse_id=None,
        priority="high",
        rate_per_second=None,
        lane="campaign",
        weight=1,
        expires_at=_NOW + timedelta(days=1),
        kept_until=_NOW + timedelta(days=1),
    )


def _window(
    book: Book, shape: _Shape, first: int, different: int
) -> tuple[Sequence[Recipient], Mapping[int, Facts]]:
    ids = range(first, first + WINDOW)
    recipients = [
        Recipient(
            position=at,
            device_id=number,
            person_id=number,
            platform=shape.platform,
            locale="en",
            time_zone=None,
            target_id=number,
            token=shape.token("accepted", number),
            kind=shape.kind,
            topic=None,
        )
        for at, number in enumerate(ids)
    ]
    return recipients, {number: _facts(book, number, number % different) for number in ids}


def _facts(book: Book, person_id: int, number: int) -> Facts:
    attributes: dict[str, Any] = {
        "first_name": f"ada{number}",
        "points": number,
        "city": _CITIES[number % len(_CITIES)],
        "tags": ["tea", "jam"],
    }
    values = [attributes.get(name) for name in book.layout.names]
    texts = [None if value is None else orjson.dumps(value).decode() for value in values]
    return (person_id, None, f"person-{person_id}", "en", None, "NO", *texts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
