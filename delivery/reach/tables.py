"""How many devices each person can be reached on, kept by triggers of `device` and `target`."""

from sqlalchemy import BigInteger, Column, Integer, PrimaryKeyConstraint, Table, text

from core.database import metadata

# Of people who have, or once had, a device with a target. Alive is a device with a target that is
# not retired. See docs/why/reach.md.
person_reach = Table(
    "person_reach",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("person_id", BigInteger, nullable=False),
    # Devices that are alive by any kind of target.
    Column("devices", Integer, nullable=False, server_default=text("0")),
    # Devices that are alive by a kind that takes a push, and on which nobody said no to it; and
    # how many of them are of the most common platforms.
    Column("permitted", Integer, nullable=False, server_default=text("0")),
    Column("android", Integer, nullable=False, server_default=text("0")),
    Column("ios", Integer, nullable=False, server_default=text("0")),
    Column("web", Integer, nullable=False, server_default=text("0")),
    # Devices that are alive by such a kind, and on which somebody said no.
    Column("silent", Integer, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("app_id", "person_id"),
)
