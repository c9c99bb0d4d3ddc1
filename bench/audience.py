"""Whom a benchmark sends to: credentials of the sandbox's, and people with a device each."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.platform import Site
from delivery.sandbox.client import ControlClient
from delivery.sandbox.credentials import make_apns_key, make_service_account
from delivery.sandbox.tokens import apns_token, fcm_token

_PROJECT, _TOPIC = "bench-project", "com.example.bench"
_NAMES = ("Ada", "Björn", "Chidi", "Elif", "Fatima", "Hana", "Inés", "Jamal", "Léa", "Zoë")
_PEOPLE = ("external_id", "first_name", "points", "serial")
_DEVICES = (
    *("installation_id", "person", "platform", "provider", "kind"),
    *("environment", "token", "permission"),
)
_ANDROID = ("android", "fcm", "token", "")
_IOS = ("ios", "apns", "alert", "production")
# Personal: each recipient's differs from all others.
CONTENT = {
    "title": "Hello {{ first_name }}",
    "body": "{{ first_name }}, you have {{ points }} points: number {{ serial }} of our list.",
    "deep_link": "app://offers",
}


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many people, called `name` and a number, with one device each.

    Every third device is an iPhone unless `fcm_only`. Tokens are numbered from `first` on.
    """

    name: str
    count: int
    first: int = 0
    fcm_only: bool = False


def add_credentials(bench: Site, quota_per_minute: int) -> None:
    """Give the app a credential of each gateway, with this quota."""
    account = make_service_account(_PROJECT, bench.sandbox.token_uri)
    key = make_apns_key()
    with ControlClient(bench.sandbox) as control:
        control.register_service_account(account)
        control.register_apns_key(key, _TOPIC)
    path = f"/v1/apps/{bench.app_id}/credentials"
    common = {"quota_per_minute": quota_per_minute}
    bench.call(
        "POST", path,
        {"kind": "service_account", "name": "FCM", "service_account": account, **common},
    )  # fmt: skip
    bench.call(
        "POST", path,
        {"kind": "token", "name": "APNs", "p8": key.p8, "key_id": key.key_id,
         "team_id": key.team_id, "topic": _TOPIC, "environment": "production", **common},
    )  # fmt: skip


def load(bench: Site, crowd: Crowd) -> None:
    """Import a crowd, people and devices."""
    people, devices = bench.folder / "people.csv", bench.folder / "devices.csv"
    _write(people, _PEOPLE, _people(crowd))
    _write(devices, _DEVICES, _devices(crowd))
    bench.load("people", people)
    bench.load("devices", devices)


def _write(path: Path, columns: tuple[str, ...], lines: Iterator[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(lines)


def _people(crowd: Crowd) -> Iterator[tuple[object, ...]]:
    for number in range(crowd.count):
        name = _NAMES[number % len(_NAMES)]
        yield f"{crowd.name}{number}", name, number * 7 % 10_000, number


def _devices(crowd: Crowd) -> Iterator[tuple[object, ...]]:
    for number in range(crowd.count):
        serial, owner = crowd.first + number, f"{crowd.name}{number}"
        if number % 3 or crowd.fcm_only:
            kind, token = _ANDROID, fcm_token("accepted", serial)
        else:
            kind, token = _IOS, apns_token("accepted", serial)
        yield f"bench-{crowd.name}{number:07}", owner, *kind, token, "granted"
