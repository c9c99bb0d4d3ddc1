"""The people and devices of the demo: made up, but always the same."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from delivery.sandbox.tokens import apns_token, fcm_token

_FIRST_NAMES = (
    "Ada", "Amara", "Björn", "Chidi", "Dana", "Elif", "Fatima", "Goran", "Hana", "Inés",
    "Jamal", "Kenji", "Léa", "Mateo", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Søren",
    "Tariq", "Uma", "Víctor", "Wanjiru", "Xiu", "Yara", "Zoë",
)  # fmt: skip
_PLACES = (
    ("en-US", "America/New_York", "US"),
    ("de-DE", "Europe/Berlin", "DE"),
    ("fr-CA", "America/Toronto", "CA"),
    ("ja-JP", "Asia/Tokyo", "JP"),
    ("pt-BR", "America/Sao_Paulo", "BR"),
)
_SEED = 20_260_301
# The share of pushes that phones report as opened, and as arrived at all.
_OPENED, _CONFIRMED = 0.08, 0.7


@dataclass(frozen=True, slots=True)
class Shares:
    """Which share of the devices meets which fate at the gateways."""

    dead: float = 0.03
    malformed: float = 0.01
    throttled: float = 0.01


def people(count: int) -> list[dict[str, Any]]:
    """Return `count` people as `POST /v1/people/batch` takes them."""
    rng = random.Random(_SEED)  # noqa: S311 (the same crowd each time)
    made = []
    for number in range(count):
        locale, time_zone, country = rng.choice(_PLACES)
        made.append(
            {
                "external_id": f"person-{number:05}",
                "attributes": {
                    "first_name": rng.choice(_FIRST_NAMES),
                    "points": rng.randrange(10_000),
                },
                "locale": locale,
                "time_zone": time_zone,
                "country": country,
            }
        )
    return made


def devices(count: int, owners: Sequence[str], shares: Shares) -> list[dict[str, Any]]:
    """Return `count` devices as `POST /v1/devices/batch` takes them; two thirds are Android."""
    fates = _fates(count, shares)
    return [
        _device(number, owners[number % len(owners)], fate) for number, fate in enumerate(fates)
    ]


def _fates(count: int, shares: Shares) -> Iterator[str]:
    rng = random.Random(_SEED + 1)  # noqa: S311
    fates = (
        ["gone"] * round(count * shares.dead)
        + ["malformed"] * round(count * shares.malformed)
        + ["throttled_once"] * round(count * shares.throttled)
    )
    fates += ["accepted"] * (count - len(fates))
    rng.shuffle(fates)
    yield from fates


def _device(number: int, owner: str, fate: str) -> dict[str, Any]:
    common = {"installation_id": f"demo-{number:06}", "person": owner, "permission": "granted"}
    if number % 3:
        return {
            **common,
            "provider": "fcm",
            "kind": "token",
            "token": fcm_token(fate, number),
            "platform": "android",
            "app_version": "4.2.0",
            "os_version": "16",
            "model": "Pixel 10",
        }
    return {
        **common,
        "provider": "apns",
        "kind": "alert",
        "token": apns_token(fate, number),
        "environment": "production",
        "platform": "ios",
        "app_version": "4.2.0",
        "os_version": "26.1",
        "model": "iPhone18,1",
    }


def receipts(deliveries: Sequence[str]) -> list[dict[str, Any]]:
    """Return what phones report of these deliveries, as `POST /v1/receipts` takes it.

    Most say that the push arrived, and some people open it.
    """
    rng = random.Random(_SEED + 2)  # noqa: S311
    made = []
    for delivery in deliveries:
        chance = rng.random()
        if chance < _CONFIRMED:
            milestone = "opened" if chance < _OPENED else "confirmed"
            made.append({"delivery_id": delivery, "milestone": milestone})
    return made
