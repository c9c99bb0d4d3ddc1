"""Tables for the pages, made of answers. Pure pandas: no HTTP, no Streamlit, no clock."""

from collections.abc import Mapping, Sequence

import pandas as pd

from console.answers import Bucket, Change, Delivery, Device, Event, Key, Message, Person, Step
from console.fleet_answers import Credential, CredentialEvent, Hygiene
from console.words import STATES, WATERFALL, plain, why

# The ends of a recipient in the order of the outcome table. Others, should they come, follow.
ENDS = tuple(state for state in STATES if state != "pending")


def message_table(messages: Sequence[Message]) -> pd.DataFrame:
    """Return one row a message: what it is, how many it targets and how they ended."""
    table = _table(
        [
            {
                "Title": message.title or "(no title)",
                "State": message.state,
                "Targeted": message.targeted,
                "Accepted": message.counts.get("accepted", 0),
                "Others": sum(message.counts.values()) - message.counts.get("accepted", 0),
                "Open": message.open,
                "Created": message.created_at,
                "Message": message.id,
            }
            for message in messages
        ],
        ["Title", "State", "Targeted", "Accepted", "Others", "Open", "Created", "Message"],
    )
    table["Targeted"] = table["Targeted"].astype("Int64")
    return _with_times(table, "Created")


def count_table(message: Message) -> pd.DataFrame:
    """Return one row a state and reason, in words, and a last one for those still open."""
    records = []
    for state in [*ENDS, *sorted(message.counts.keys() - set(ENDS))]:
        number, reasons = message.counts.get(state, 0), message.reasons.get(state, {})
        for reason, recipients in sorted(reasons.items(), key=lambda item: -item[1]):
            records.append(_count(state, why(state, reason), recipients))
        rest = number - sum(reasons.values())
        if rest > 0:
            records.append(_count(state, why(state, None), rest))
    if message.open:
        records.append(_count("open", "It has not ended yet.", message.open))
    return _table(records, ["Outcome", "Why", "Recipients"])


def _count(state: str, words: str, recipients: int) -> dict[str, object]:
    return {"Outcome": state, "Why": words, "Recipients": recipients}


def delivery_table(deliveries: Sequence[Delivery]) -> pd.DataFrame:
    """Return one row a recipient of one message: who, what became of it, and why."""
    columns = ["Person", "Outcome", "Why", "Attempt", "At", "Device"]
    records = [
        {
            "Person": one.person or "(nobody)",
            "Outcome": one.state,
            "Why": why(one.state, one.reason, one.gateway),
            "Attempt": one.attempt,
            "At": one.at,
            "Device": one.device,
        }
        for one in deliveries
    ]
    return _with_times(_table(records, columns), "At")


def history_table(entries: Sequence[Delivery]) -> pd.DataFrame:
    """Return one row a message at one device: what became of it, and why."""
    columns = ["Title", "Outcome", "Why", "At", "Device", "Message"]
    records = [
        {
            "Title": one.title or "(no title)",
            "Outcome": one.state,
            "Why": why(one.state, one.reason, one.gateway),
            "At": one.at,
            "Device": one.device or "(none)",
            "Message": one.message,
        }
        for one in entries
    ]
    return _with_times(_table(records, columns), "At")


def step_table(steps: Sequence[Step]) -> pd.DataFrame:
    """Return one row a step of a delivery; where it has no moment of its own, since when."""
    records = [
        {
            "Step": plain(one.step).capitalize(),
            "Why": one.words,
            "At": one.at,
            "Not before": one.since,
        }
        for one in steps
    ]
    table = _table(records, ["Step", "Why", "At", "Not before"])
    return _with_times(_with_times(table, "At"), "Not before")


def change_table(changes: Sequence[Change]) -> pd.DataFrame:
    """Return one row a value of a person that has changed: what it was, and what it became."""
    records = [
        {
            "What": plain(name) if changed is one.fields else name,
            "Before": _value(values["before"]),
            "After": _value(values["after"]),
            "At": one.at,
            "Why": one.cause or "written",
        }
        for one in changes
        for changed in (one.attributes, one.fields)
        for name, values in changed.items()
    ]
    return _with_times(_table(records, ["What", "Before", "After", "At", "Why"]), "At")


def events_table(events: Sequence[Event]) -> pd.DataFrame:
    """Return one row an event of a person: what, when, and with which properties."""
    records = [
        {
            "Event": one.name,
            "At": one.at,
            "Properties": ", ".join(f"{name}: {value}" for name, value in one.properties.items()),
            "Came": one.received_at,
        }
        for one in events
    ]
    table = _table(records, ["Event", "At", "Properties", "Came"])
    return _with_times(_with_times(table, "At"), "Came")


def _value(value: object) -> str:
    return "(nothing)" if value is None else str(value)


def target_table(devices: Sequence[Device]) -> pd.DataFrame:
    """Return one row a target of each device: where pushes go, and whether they may."""
    # A phone shows the first few columns without a swipe.
    records = [
        {
            "Model": device.model or device.platform,
            "Notifications": plain(device.permission),
            "State": target.state,
            "Why": why("gone", target.state_reason) if target.state_reason else "",
            "Gateway": target.provider.upper(),
            "Target": plain(target.kind),
            "Environment": target.environment or "",
            "Platform": device.platform,
            "Registered": target.registered_at,
            "Device": device.id,
        }
        for device in devices
        for target in device.targets
    ]
    columns = ["Model", "Notifications", "State", "Why", "Gateway", "Target", "Environment"]
    table = _table(records, [*columns, "Platform", "Registered", "Device"])
    return _with_times(table, "Registered")


def credential_table(credentials: Sequence[Credential]) -> pd.DataFrame:
    """Return one row a credential: for which gateway and app, and why it is paused if it is."""
    columns = ["Name", "Gateway", "Kind", "For", "State", "Why"]
    records = [
        {
            "Name": one.name,
            "Gateway": one.provider.upper(),
            "Kind": plain(one.kind),
            "For": one.project_id or " ".join(filter(None, (one.topic, one.environment))),
            "State": one.state,
            "Why": one.reason_text or plain(one.reason or "") or one.hold_text or "",
        }
        for one in credentials
    ]
    return _table(records, columns)


def event_table(events: Sequence[CredentialEvent]) -> pd.DataFrame:
    """Return one row an event of a credential: when, what, by whom and why."""
    records = [
        {"Time": one.at, "What": one.kind, "By": one.actor or "itself", "Why": one.words or ""}
        for one in events
    ]
    return _with_times(_table(records, ["Time", "What", "By", "Why"]), "Time")


def hygiene_table(found: Hygiene) -> pd.DataFrame:
    """Return one row a reason for which tokens are suspect or dead."""
    records = [
        {
            "State": state,
            "Tokens": one.tokens,
            "Gateway": " ".join(filter(None, (one.provider.upper(), one.environment))),
            "Why": one.words,
        }
        for state, reasons in (("suspect", found.suspect), ("dead", found.dead))
        for one in reasons
    ]
    return _table(records, ["State", "Tokens", "Gateway", "Why"])


def waterfall_table(steps: Mapping[str, int]) -> pd.DataFrame:
    """Return one row a step from whom a rule means to whom can be reached, and who is lost."""
    before = [*list(steps.values())[:1], *steps.values()]
    records = [
        {"Step": WATERFALL.get(step, plain(step)), "People": left, "Lost": lost - left}
        for (step, left), lost in zip(steps.items(), before, strict=False)
    ]
    return _table(records, ["Step", "People", "Lost"])


def people_table(people: Sequence[Person]) -> pd.DataFrame:
    """Return one row a person, with what is known."""
    records = [
        {
            "Person": one.external_id,
            "Attributes": ", ".join(f"{name}: {value}" for name, value in one.attributes.items()),
            "Locale": one.locale or "",
            "Time zone": one.time_zone or "",
        }
        for one in people
    ]
    return _table(records, ["Person", "Attributes", "Locale", "Time zone"])


def key_table(keys: Sequence[Key]) -> pd.DataFrame:
    """Return one row a key, without its secret."""
    records = [
        {
            "Name": one.name,
            "Kind": one.kind,
            "Begins": one.hint,
            "May": ", ".join(one.scopes) or "register devices",
            "Last used": one.last_used_at,
            "Ends": one.expires_at,
        }
        for one in keys
    ]
    table = _table(records, ["Name", "Kind", "Begins", "May", "Last used", "Ends"])
    return _with_times(_with_times(table, "Last used"), "Ends")


def over_time_table(buckets: Sequence[Bucket], bucket_seconds: int) -> pd.DataFrame:
    """Return one row a bucket and state that came up: its time, and its place on the others."""
    records = [
        {"Begins": bucket.at, "Outcome": state.capitalize(), "Recipients": bucket.counts[state]}
        for bucket in buckets
        for state in ENDS
        if bucket.counts.get(state)
    ]
    table = _with_times(_table(records, ["Begins", "Outcome", "Recipients"]), "Begins")
    table["Recipients"] = table["Recipients"].astype("int64")
    table["Ends"] = table["Begins"] + pd.Timedelta(seconds=bucket_seconds)
    table["Above"] = table.groupby("Begins")["Recipients"].cumsum()
    table["Below"] = table["Above"] - table["Recipients"]
    return table


def _table(records: Sequence[Mapping[str, object]], columns: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(list(records), columns=list(columns))


def _with_times(table: pd.DataFrame, column: str) -> pd.DataFrame:
    table[column] = pd.to_datetime(table[column], utc=True, format="ISO8601", errors="coerce")
    return table
