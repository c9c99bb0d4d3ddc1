"""What happens in the demo: credentials, a crowd, a campaign to all and one push to one person."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from api.demo import crowd
from api.demo.client import DemoClient, DemoError
from delivery.sandbox.client import Address, ControlClient
from delivery.sandbox.credentials import make_apns_key, make_service_account

PROJECT = "carillon-demo"
TOPIC = "com.example.carillon"
_LIMIT_SECONDS = 120.0
_SLOWEST_PER_SECOND = 100
_STATES = ("accepted", "gone", "rejected", "expired", "unknown", "suppressed")

CAMPAIGN = {
    "to": {"all": True},
    "lane": "campaign",
    "content": {
        "title": "{{ first_name }}, your points are waiting",
        "body": "You have {{ points }} points. Spend them before Sunday!",
        "deep_link": "demo://points",
        "data": {"campaign": "points"},
        "ios": {"subtitle": "Corner shop"},
    },
}
# Of imported people only what their file says is known.
IMPORTED_CAMPAIGN = {
    **CAMPAIGN,
    "content": {
        "title": "We have missed you",
        "body": "Hello {{ first_name | default('there') }}, have a look at what is new!",
        "deep_link": "demo://new",
        "data": {"campaign": "new"},
        "ios": {"subtitle": "Corner shop"},
    },
}
TRANSACTIONAL = {
    "lane": "transactional",
    "content": {
        "title": "Your order is on its way",
        "body": "Hello {{ first_name | default('there') }}, it arrives today.",
    },
}


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the demo plays; how many people take part, or the file they stand in; devices."""

    client: DemoClient
    sandbox: Address
    people: int | Path
    devices: int | None
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part: the ids of the people, and how many devices they have."""

    owners: list[str]
    devices: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of the campaign, in the words of `demo --once --json`."""

    people: int
    devices: int
    targeted: int
    counts: dict[str, int]
    gateway_accepted: int
    seconds: float
    pushes_per_second: float
    transactional_ms: float

    def is_exact(self) -> bool:
        """Tell whether every recipient has an end, and the gateways agree with the ledger."""
        adds_up = self.targeted == sum(self.counts.values())
        return adds_up and self.counts["accepted"] == self.gateway_accepted

    def to_json(self) -> dict[str, Any]:
        """Return the flat object of the JSON line."""
        return {
            "people": self.people,
            "devices": self.devices,
            "targeted": self.targeted,
            **self.counts,
            "gateway_accepted": self.gateway_accepted,
            "seconds": round(self.seconds, 2),
            "pushes_per_second": round(self.pushes_per_second, 1),
            "transactional_ms": round(self.transactional_ms, 1),
        }


def prepare(stage: Stage) -> Cast:
    """Upload throw-away credentials, people and devices."""
    account = make_service_account(PROJECT, stage.sandbox.token_uri)
    key = make_apns_key()
    with ControlClient(stage.sandbox) as control:
        control.register_service_account(account)
        control.register_apns_key(key, TOPIC)
    client = stage.client
    client.add_credential(
        {"kind": "service_account", "name": "Demo FCM",
         "service_account": account}
    )  # fmt: skip
    client.add_credential(
        {"kind": "token", "name": "Demo APNs", "p8": key.p8,
         "key_id": key.key_id, "team_id": key.team_id, "topic": TOPIC,
         "environment": "production"}
    )  # fmt: skip
    owners = _add_people(stage)
    count = stage.devices if stage.devices is not None else len(owners) * 3 // 2
    client.add_devices(crowd.devices(count, owners, crowd.Shares()))
    stage.say(f"{len(owners)} people with {count} devices are registered.")
    return Cast(owners, count)


def _add_people(stage: Stage) -> list[str]:
    if isinstance(stage.people, Path):
        done = stage.client.import_people(stage.people, _LIMIT_SECONDS)
        stage.say(f"{done['records']} lines are imported, {done['failed']} of them were bad.")
        return stage.client.people_ids()
    people = crowd.people(stage.people)
    stage.client.add_people(people)
    return [person["external_id"] for person in people]


def play(stage: Stage, cast: Cast) -> Result:
    """Send the campaign and the transactional push, wait for both ends, ask the gateways."""
    client = stage.client
    campaign = client.send(CAMPAIGN if isinstance(stage.people, int) else IMPORTED_CAMPAIGN)
    stage.say(f"The campaign {campaign['id']} is on its way.")
    milliseconds = _transactional(stage, cast.owners[-1])
    ended = _watch(stage, campaign["id"], _LIMIT_SECONDS + cast.devices / _SLOWEST_PER_SECOND)
    with ControlClient(stage.sandbox) as control:
        pairs = set(control.accepted())
    accepted = len(pairs) - _others(client, ended)
    client.report(crowd.receipts(sorted(delivery for _, delivery in pairs)))
    seconds = _between(ended["created_at"], ended["finished_at"])
    first_pass = _between(ended["started_at"], ended["first_pass_at"])
    return Result(
        people=len(cast.owners),
        devices=cast.devices,
        targeted=ended["targeted"],
        counts={state: ended["counts"][state] for state in _STATES},
        gateway_accepted=accepted,
        seconds=seconds,
        pushes_per_second=ended["targeted"] / max(first_pass, 0.001),
        transactional_ms=milliseconds,
    )


def _transactional(stage: Stage, person: str) -> float:
    before = time.perf_counter()
    sent = stage.client.send({**TRANSACTIONAL, "to": {"people": [person]}})
    stage.client.wait_for_end(sent["id"], _LIMIT_SECONDS, pause=0.005)
    return (time.perf_counter() - before) * 1000


def _watch(stage: Stage, message_id: str, limit_seconds: float) -> dict[str, Any]:
    deadline, said = time.monotonic() + limit_seconds, ""
    while time.monotonic() < deadline:
        message = stage.client.read(message_id)
        line = progress_line(message)
        if line != said:
            stage.say(line)
            said = line
        if message["finished_at"] is not None:
            return message
        time.sleep(0.25)
    raise DemoError(f"The campaign did not end within {limit_seconds:g} s: {said}")


def progress_line(message: dict[str, Any]) -> str:
    """Return where a message stands, in one line."""
    if message["targeted"] is None:
        return "The audience is being cut."
    done = sum(message["counts"].values())
    parts = [f"{count} {state}" for state, count in message["counts"].items() if count]
    waits = [
        f"{waiting['recipients']} wait ({waiting['reason']})" for waiting in message["waiting"]
    ]
    return ", ".join([f"{done} of {message['targeted']} ended", *parts, *waits])


def _others(client: DemoClient, campaign: dict[str, Any]) -> int:
    """Return what was accepted beside: the transactional push, once per device."""
    return sum(
        int(message["counts"]["accepted"])
        for message in client.messages()
        if message["id"] != campaign["id"]
    )


def _between(start: str, end: str) -> float:
    moments = [datetime.fromisoformat(moment) for moment in (start, end)]
    return (moments[1] - moments[0]).total_seconds()


def sandbox_settings(address: Address) -> dict[str, str]:
    """Return the settings that point the workers at the sandbox."""
    return {
        "CARILLON_FCM_URL": address.url,
        "CARILLON_APNS_PRODUCTION_URL": address.url,
        "CARILLON_APNS_DEVELOPMENT_URL": address.url,
        "CARILLON_APNS_CERTIFICATE_URL": address.mtls_url,
        "CARILLON_GATEWAY_CA_FILE": str(Path(address.ca)),
    }
