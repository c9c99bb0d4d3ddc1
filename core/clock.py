"""Where the time comes from. Leases and due times use the database's clock, not this one."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present moment as an aware UTC datetime."""
    return datetime.now(UTC)
