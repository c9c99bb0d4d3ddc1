"""The names of the API's modules, known without importing any of them."""

from core.errors import SettingsError

# In the order in which paths are tried: ids of people may hold slashes, so their routes come
# last and take what nobody before wanted.
MODULE_NAMES = (
    "apps",
    "credentials",
    "credential_standing",
    "keys",
    "kill_switches",
    "messages",
    "message_control",
    "message_forecast",
    "message_preview",
    "device_hygiene",
    "registrations",
    "devices",
    "events",
    "receipts",
    "imports",
    "device_lookup",
    "deliveries",
    "dead_letters",
    "stats",
    "attributes",
    "segments",
    "segment_answers",
    "segment_export",
    "segment_watches",
    "suppressions",
    "lists",
    "identity",
    "merges",
    "person_messages",
    "person_events",
    "person_history",
    "person_consents",
    "people",
)

# What the ingest process serves: the doors that write in groups.
INGEST_MODULES = ("events", "receipts", "registrations")


def chosen_modules(text: str) -> list[str]:
    """Return the modules that CARILLON_API_MODULES picks; raise `SettingsError` for others."""
    wanted = {name.strip() for name in text.split(",") if name.strip()}
    unknown = wanted - {*MODULE_NAMES, "all"}
    if unknown or not wanted:
        raise SettingsError(
            f"CARILLON_API_MODULES names {', '.join(sorted(unknown)) or 'nothing'}; "
            f"there are: all, {', '.join(MODULE_NAMES)}."
        )
    return [name for name in MODULE_NAMES if name in wanted or "all" in wanted]
