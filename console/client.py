"""The API as the console sees it: typed calls over HTTP. Knows no page and no table."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import httpx

from console.answers import (
    App,
    Bucket,
    Change,
    Consent,
    Count,
    Delivery,
    Device,
    Event,
    Forecast,
    Key,
    KillSwitch,
    Message,
    Page,
    Person,
    Shown,
    Trace,
    checked,
    read,
    read_device,
    read_forecast,
    read_message,
    read_page,
    read_trace,
)
from console.fleet_answers import Credential, CredentialEvent, Hygiene, read_hygiene
from console.line import Access, Line, path_to
from console.segment_client import SegmentClient

# Counting a million people takes its time; everything else answers at once or is in trouble.
_COUNT_SECONDS = 30.0
_WHOM = ("to", "exclude")
PLATFORMS = ("ios", "android", "web")
Json = Mapping[str, Any]


class Client:
    """One person's view of the API. Every call raises `ApiError`. Give `transport` in tests."""

    def __init__(
        self, api_url: str, access: Access, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._line = Line(api_url, access, transport)
        self.segments = SegmentClient(self._line)

    def list_messages(self, limit: int = 50, cursor: str | None = None) -> Page[Message]:
        """Return the newest messages first."""
        answer = self._line.get("/v1/messages", limit=limit, cursor=cursor)
        return read_page(answer, read_message)

    def read_message(self, message_id: str) -> Message:
        """Return one message."""
        return read_message(self._line.get(path_to("messages", message_id)))

    def control(self, message_id: str, action: str) -> Message:
        """Pause, resume or cancel a message; return it as it is then."""
        return read_message(self._line.post(path_to("messages", message_id, action)))

    def change_rate(self, message_id: str, rate_per_second: float | None) -> Message:
        """Send a message at most so quickly from now on; None lifts the limit."""
        body = {"rate_per_second": rate_per_second}
        return read_message(self._line.patch(path_to("messages", message_id), body))

    def list_deliveries(
        self, message_id: str, state: str | None, limit: int, cursor: str | None = None
    ) -> Page[Delivery]:
        """Return what became of the recipients that have ended."""
        path = path_to("messages", message_id, "deliveries")
        answer = self._line.get(path, state=state, limit=limit, cursor=cursor)
        return read_page(answer, lambda one: read(Delivery, one))

    def send(self, message: Json, once: str) -> Message:
        """Send a message; the same `once` again sends nothing more."""
        return read_message(self._line.post("/v1/messages", message, once=once))

    def count(self, whom: Json) -> Count:
        """Count whom a message would target if it were sent now; `whom` may leave some out."""
        path = "/v1/messages/count"
        body = {name: whom[name] for name in _WHOM if name in whom}
        answer = self._line.post(path, body, timeout_seconds=_COUNT_SECONDS)
        return read(Count, answer)

    def forecast(self, message: Json) -> Forecast:
        """Return how long a message would take; its content does not matter."""
        asked = (*_WHOM, "lane", "ttl_seconds", "rate_per_second", "send_at")
        body = {name: message[name] for name in asked if name in message}
        path = "/v1/messages/forecast"
        return read_forecast(self._line.post(path, body, timeout_seconds=_COUNT_SECONDS))

    def preview(self, content: Json, person: str | None) -> Mapping[str, Shown]:
        """Render content for one person; return what each platform shows."""
        whom: Json = {"person": person} if person else {"attributes": {}}
        body = {"content": content, **whom}
        answer = self._line.post("/v1/messages/preview", body)
        return checked(lambda: {name: read(Shown, answer[name]) for name in PLATFORMS})

    def read_deliveries_over_time(self, minutes: int, bucket_seconds: int) -> Sequence[Bucket]:
        """Return what ended when, oldest first; empty buckets are left out."""
        path = "/v1/stats/deliveries"
        answer = self._line.get(path, minutes=minutes, bucket_seconds=bucket_seconds)
        return checked(lambda: [read(Bucket, one) for one in answer["data"]])

    def list_people(self, limit: int) -> Page[Person]:
        """Return people in the order they were made."""
        answer = self._line.get("/v1/people", limit=limit)
        return read_page(answer, lambda one: read(Person, one))

    def read_person(self, external_id: str) -> Person:
        """Return one person."""
        return read(Person, self._line.get(path_to("people", external_id)))

    def list_aliases(self, external_id: str) -> Sequence[str]:
        """Return the other names of a person."""
        answer = self._line.get(path_to("people", external_id, "aliases"))
        return checked(lambda: [str(one) for one in answer["aliases"]])

    def list_changes(self, external_id: str, limit: int) -> Page[Change]:
        """Return how a person has changed, newest first."""
        answer = self._line.get(path_to("people", external_id, "history"), limit=limit)
        return read_page(answer, lambda one: read(Change, one))

    def list_events(self, external_id: str, limit: int) -> Sequence[Event]:
        """Return what a person did, newest first."""
        answer = self._line.get(path_to("people", external_id, "events"), limit=limit)
        return read_page(answer, lambda one: read(Event, one)).data

    def list_consents(self, external_id: str) -> Sequence[Consent]:
        """Return what a person agrees to now."""
        answer = self._line.get(path_to("people", external_id, "consents"))
        return checked(lambda: [read(Consent, one) for one in answer["present"]])

    def list_person_messages(self, external_id: str, limit: int) -> Page[Delivery]:
        """Return what one person was sent, newest first."""
        path = path_to("people", external_id, "messages")
        return read_page(self._line.get(path, limit=limit), lambda one: read(Delivery, one))

    def list_device_messages(self, device_id: str, limit: int) -> Page[Delivery]:
        """Return what one device was sent, newest first."""
        path = path_to("devices", device_id, "messages")
        return read_page(self._line.get(path, limit=limit), lambda one: read(Delivery, one))

    def read_trace(self, delivery_id: str) -> Trace:
        """Return what happened to one delivery."""
        return read_trace(self._line.get(path_to("deliveries", delivery_id, "trace")))

    def list_devices(self, person: str) -> Page[Device]:
        """Return the devices of one person."""
        return read_page(self._line.get("/v1/devices", person=person), read_device)

    def read_device(self, device_id: str) -> Device:
        """Return one device."""
        return read_device(self._line.get(path_to("devices", device_id)))

    def find_device(self, token: str) -> Device:
        """Return the device that holds a token."""
        return read_device(self._line.post("/v1/devices/lookup", {"token": token}))

    def list_apps(self) -> Page[App]:
        """Return the apps this key reaches."""
        return read_page(self._line.get("/v1/apps", limit=200), lambda one: read(App, one))

    def list_credentials(self, app_id: str) -> Page[Credential]:
        """Return the credentials of an app."""
        answer = self._line.get(path_to("apps", app_id, "credentials"), limit=200)
        return read_page(answer, lambda one: read(Credential, one))

    def add_credential(self, app_id: str, credential: Json, once: str) -> Credential:
        """Add a credential."""
        path = path_to("apps", app_id, "credentials")
        return read(Credential, self._line.post(path, credential, once=once))

    def resume_credential(self, app_id: str, credential_id: str, **wish: bool) -> Credential:
        """Let a paused credential send again; the gateway is asked first, unless `force`."""
        path = path_to("apps", app_id, "credentials", credential_id, "resume")
        return read(Credential, self._line.post(path, wish))

    def list_credential_events(
        self, app_id: str, credential_id: str, limit: int
    ) -> Sequence[CredentialEvent]:
        """Return what happened to a credential, newest first."""
        path = path_to("apps", app_id, "credentials", credential_id, "history")
        answer = self._line.get(path, limit=limit)
        return read_page(answer, lambda one: read(CredentialEvent, one)).data

    def read_hygiene(self) -> Hygiene:
        """Return which of the app's tokens live, and why the others do not."""
        return read_hygiene(self._line.get("/v1/devices/hygiene"))

    def retire_credential(self, app_id: str, credential_id: str) -> None:
        """Send nothing with a credential any more."""
        self._line.delete(path_to("apps", app_id, "credentials", credential_id))

    def read_kill_switch(self, *level: str) -> KillSwitch:
        """Return the switch of an app, of its credential (both ids), or of everybody (none)."""
        return read(KillSwitch, self._line.get(_switch(level)))

    def stop(self, reason: str, *level: str) -> KillSwitch:
        """Let nothing leave any more at this level."""
        return read(KillSwitch, self._line.put(_switch(level), {"reason": reason}))

    def release(self, *level: str) -> None:
        """Let this level send again."""
        self._line.delete(_switch(level))

    def list_keys(self, app_id: str) -> Page[Key]:
        """Return the keys of an app."""
        answer = self._line.get(path_to("apps", app_id, "keys"), limit=200)
        return read_page(answer, lambda one: read(Key, one))

    def add_key(self, app_id: str, key: Json, once: str) -> Key:
        """Make a key; its secret is in the answer, this once."""
        return read(Key, self._line.post(path_to("apps", app_id, "keys"), key, once=once))

    def rotate_key(self, app_id: str, key_id: str, overlap_seconds: int, once: str) -> Key:
        """Make a key's successor, with its secret; the old one lives on for the overlap."""
        path = path_to("apps", app_id, "keys", key_id, "rotate")
        return read(Key, self._line.post(path, {"overlap_seconds": overlap_seconds}, once=once))

    def revoke_key(self, app_id: str, key_id: str) -> None:
        """End a key at once."""
        self._line.delete(path_to("apps", app_id, "keys", key_id))


def _switch(level: Sequence[str]) -> str:
    kinds = ("apps", "credentials")
    return path_to(*chain.from_iterable(zip(kinds, level, strict=False)), "kill-switch")
