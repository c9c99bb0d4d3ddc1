"""The demo's outcome as a table and the addresses to go on with."""

from api.demo.story import Result
from api.services.platform import Platform

_MEANING = {
    "accepted": "the gateway took it",
    "gone": "the app was removed: the token is retired",
    "rejected": "refused for good, with the gateway's reason",
    "expired": "its time ran out first",
    "unknown": "sent, but no answer came",
    "suppressed": "not sent, for a reason of ours",
}


def table(result: Result) -> str:
    """Return the outcome table: every recipient stands in exactly one line."""
    lines = [
        f"  {state:<11}{count:>7}   {_MEANING[state]}" for state, count in result.counts.items()
    ]
    total = sum(result.counts.values())
    verdict = "exact" if result.is_exact() else "NOT EXACT"
    pace = (
        f"  {result.pushes_per_second:.0f} pushes/s in the first pass, "
        f"{result.seconds:.1f} s with all retries."
    )
    return "\n".join(
        [
            "",
            f"A campaign to {result.people} people with {result.devices} devices:",
            *lines,
            f"  {'targeted':<11}{result.targeted:>7}   = {total} ended",
            f"  The gateways say they accepted {result.gateway_accepted}: {verdict}.",
            pace,
            f"  Beside it one push to one person took {result.transactional_ms:.0f} ms.",
            "",
        ]
    )


def addresses(platform: Platform, key: str) -> str:
    """Return where to go on."""
    return (
        f"API      {platform.api_url}/docs   (press Authorize and paste the key)\n"
        f"Ingest   {platform.ingest_url}   (events, receipts, registrations and heartbeats)\n"
        f"Console  {platform.console_url}\n"
        f"Key      {key}\n"
        "Ctrl-C stops everything."
    )
