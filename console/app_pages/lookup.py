"""Look up: one person, or one device, and why they got something or nothing."""

from collections.abc import Sequence

import streamlit as st

from console import session
from console.answers import Delivery, Device, Person
from console.errors import ApiRefusedError
from console.frames import history_table, target_table
from console.markdown import literal
from console.parts.person_part import show_changes, show_consents, show_events, show_names
from console.parts.table import choose_row, show_table
from console.parts.trace import show_trace
from console.session import Frame
from console.words import why

_PERSON, _DEVICE, _DELIVERY = "A person", "A device or token", "A delivery"
_LABELS = {
    _PERSON: "External id",
    _DEVICE: "Device id or token",
    _DELIVERY: "Delivery id, apns-id or notification tag",
}
_NOUNS = {_PERSON: "person", _DEVICE: "device", _DELIVERY: "delivery"}
_ROWS = 100


def show(frame: Frame) -> None:
    """Show the page."""
    st.title("Look up")
    kind = st.radio("Look for", list(_LABELS), horizontal=True)
    wanted = st.text_input(_LABELS[kind]).strip()
    if not wanted:
        st.caption("See which devices there are, what was sent to them, and what became of it.")
        return
    with session.plain_words():
        try:
            {_PERSON: _person, _DEVICE: _device, _DELIVERY: _delivery}[kind](frame, wanted)
        except ApiRefusedError as error:
            if error.status != 404:
                raise
            words = f"This app has no such {_NOUNS[kind]}. Check the id, and the app you work in."
            st.warning(words)


def _person(frame: Frame, external_id: str) -> None:
    person = frame.client.read_person(external_id)
    st.subheader(literal(person.external_id))
    _facts(person)
    show_names(frame.client, person.external_id)
    show_consents(frame.client, person.external_id)
    devices = frame.client.list_devices(external_id).data
    _devices(devices)
    _history(frame, frame.client.list_person_messages(external_id, _ROWS).data)
    show_events(frame.client, person.external_id)
    show_changes(frame.client, person.external_id)


def _facts(person: Person) -> None:
    facts = {"locale": person.locale, "time zone": person.time_zone, **person.attributes}
    known = [f"{name}: {value}" for name, value in facts.items() if value is not None]
    st.text(" · ".join(known) if known else "Nothing else is known.")


def _device(frame: Frame, wanted: str) -> None:
    client = frame.client
    device = client.read_device(wanted) if wanted.startswith("dev_") else client.find_device(wanted)
    owner = literal(device.person) if device.person else "nobody: it is anonymous"
    st.subheader(literal(device.model or device.platform))
    st.caption(f"{literal(device.id)} belongs to {owner}")
    _devices([device])
    _history(frame, client.list_device_messages(device.id, _ROWS).data)


def _delivery(frame: Frame, delivery_id: str) -> None:
    show_trace(frame.client, delivery_id)


def _devices(devices: Sequence[Device]) -> None:
    st.subheader("Devices")
    if not devices:
        st.warning("There is no device, so nothing can be sent.")
        return
    for device in devices:
        if device.permission == "denied":
            st.warning(f"Notifications are switched off on {literal(device.id)}.")
    show_table(target_table(devices))


def _history(frame: Frame, entries: Sequence[Delivery]) -> None:
    st.subheader("Messages")
    if not entries:
        st.info("Nothing was sent here yet.")
        return
    _say("The newest", entries[0])
    missed = [one for one in entries[1:] if one.state not in {"accepted", "pending"}]
    if missed:
        _say("Before that, the last that did not arrive", missed[0])
    st.caption("Choose a row to see what happened, step by step.")
    row = choose_row(history_table(entries), "history")
    chosen = entries[row].id if row is not None and row < len(entries) else None
    if chosen:
        show_trace(frame.client, chosen)


def _say(which: str, one: Delivery) -> None:
    sentence = literal(why(one.state, one.reason, one.gateway))
    st.markdown(f"{which}, **{literal(one.title or '(no title)')}**: {sentence}")
