"""How each person can be reached, kept by triggers: devices, and what was said about push."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, PrimaryKeyConstraint, Table, text

from core.database import metadata

# Of people who have, or once had, a device with a target, or who said something about push. Alive
# is a device with a target that is not retired. See docs/why/reach.md.
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
    # What the person said about push; null where nothing was said, and the app's default counts.
    Column("push", Boolean),
    PrimaryKeyConstraint("app_id", "person_id"),
)
