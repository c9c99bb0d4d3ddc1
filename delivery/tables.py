"""The tables of delivery: apps' credentials, devices, messages, chunks and counts."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from core.database import metadata

_MOMENT = DateTime(timezone=True)

app = Table(
    "app",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("public_id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    # Signs which person a device belongs to; sealed under CARILLON_SECRET_KEYS.
    Column("identity_secret", LargeBinary, nullable=False),
    # Its share of the workers beside other apps.
    Column("weight", Integer, nullable=False, server_default=text("1")),
    # What holds for people who have said neither yes nor no.
    Column("push_by_default", Boolean, nullable=False, server_default=text("true")),
    Column("analytics_by_default", Boolean, nullable=False, server_default=text("true")),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
)

credential = Table(
    "credential",
    metadata,
    Column("app_id", BigInteger, ForeignKey("app.id"), nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("public_id", Text, nullable=False, unique=True),
    Column("provider", Text, nullable=False),  # fcm, apns
    Column("kind", Text, nullable=False),  # service_account, token, certificate
    Column("name", Text, nullable=False),
    Column("environment", Text),  # apns: production, development
    Column("topic", Text),  # apns: the bundle id
    Column("project_id", Text),  # fcm
    Column("sealed", LargeBinary, nullable=False),  # JSON, see delivery/credential.py
    Column("state", Text, nullable=False, server_default="active"),  # active, paused, retired
    Column("reason", Text),
    Column("reason_text", Text),
    Column("frozen_until", _MOMENT),
    Column("quota_per_minute", Integer),
    Column("learned_share", Double),  # of the quota, after a 429
    Column("learned_at", _MOMENT),
    # While it is paused: since when, and when it is tried again for the how many-th time.
    Column("paused_at", _MOMENT),
    Column("probe_at", _MOMENT),
    Column("probes", Integer, nullable=False, server_default=text("0")),
    # Platforms of the project whose own service refuses it; they wait until then.
    Column("held_platforms", ARRAY(Text)),
    Column("hold_reason", Text),
    Column("hold_text", Text),
    Column("held_until", _MOMENT),
    Column("holds", Integer, nullable=False, server_default=text("0")),
    # Until then whoever resumed it answers for what the gateway says of tokens.
    Column("guard_rests_until", _MOMENT),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "id"),
    Index("credential_probe_idx", "probe_at", postgresql_where=text("state = 'paused'")),
)

device = Table(
    "device",
    metadata,
    Column("app_id", BigInteger, ForeignKey("app.id"), nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("public_id", Text, nullable=False, unique=True),
    Column("installation_id", Text, nullable=False),
    Column("person_id", BigInteger),
    Column("platform", Text, nullable=False),
    Column("app_version", Text),
    Column("os_version", Text),
    Column("model", Text),
    Column("locale", Text),
    Column("time_zone", Text),
    Column("permission", Text, nullable=False, server_default="unknown"),
    Column("last_seen_at", _MOMENT),
    Column("secret_hash", LargeBinary),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "id"),
    Index("device_installation_idx", "app_id", "installation_id", unique=True),
    Index(
        "device_person_idx",
        "app_id",
        "person_id",
        postgresql_where=text("person_id IS NOT NULL"),
    ),
)

target = Table(
    "target",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("device_id", BigInteger, nullable=False),
    Column("provider", Text, nullable=False),
    Column("kind", Text, nullable=False),  # alert, voip, live_activity, token, fid
    Column("token", Text, nullable=False),
    Column("token_hash", LargeBinary, nullable=False),
    Column("environment", Text),
    Column("topic", Text),
    Column("state", Text, nullable=False, server_default="active"),  # active, suspect, retired
    Column("state_reason", Text),
    Column("suspect_credential_id", BigInteger),  # with which it was refused
    Column("registered_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("app_id", "id"),
    ForeignKeyConstraint(
        ["app_id", "device_id"], ["device.app_id", "device.id"], ondelete="CASCADE"
    ),
    Index("target_token_idx", "app_id", "provider", "token_hash", unique=True),
    Index("target_device_idx", "app_id", "device_id", "provider", "kind", unique=True),
    # Holds all that hygiene counts by: then most of the table needs no look.
    Index(
        "target_ended_idx",
        "app_id",
        "state",
        "suspect_credential_id",
        "provider",
        "environment",
        "state_reason",
        postgresql_where=text("state <> 'active'"),
    ),
    # Which devices are alive, read from the index alone.
    Index(
        "target_live_idx",
        "app_id",
        "device_id",
        "provider",
        postgresql_where=text("state <> 'retired'"),
    ),
)

message = Table(
    "message",
    metadata,
    Column("app_id", BigInteger, ForeignKey("app.id"), nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("public_id", Text, nullable=False, unique=True),
    Column("day", Date),  # the ledger's partition key, set when the audience is cut
    Column("lane", Text, nullable=False),
    Column("type", Text, nullable=False, server_default="push"),
    Column("state", Text, nullable=False),  # see delivery/states.py
    Column("policy", Text, nullable=False),  # at_most_once, at_least_once
    Column("content", JSONB, nullable=False),
    Column("audience", JSONB, nullable=False),
    Column("ttl_seconds", Integer, nullable=False),
    Column("collapse_id", Text),
    Column("priority", Text, nullable=False, server_default="high"),  # high, normal
    Column("rate_per_second", Double),
    Column("weight", Integer, nullable=False, server_default=text("1")),
    Column("send_at", _MOMENT, nullable=False),
    Column("expires_at", _MOMENT),  # the hard end: min(TTL, 24 h) after the cut
    Column("targeted", BigInteger),
    Column("failed_reason", Text),
    Column("is_test", Boolean, nullable=False, server_default=text("false")),
    Column("replay_of", Text, ForeignKey("message.public_id")),
    Column("created_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("updated_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("started_at", _MOMENT),
    Column("first_pass_at", _MOMENT),
    Column("finished_at", _MOMENT),
    PrimaryKeyConstraint("app_id", "id"),
    Index(
        "message_due_idx",
        "send_at",
        postgresql_where=text("state = 'scheduled'"),
    ),
    Index(
        "message_live_idx",
        "state",
        postgresql_where=text("state IN ('running', 'paused', 'cancelled')"),
    ),
    Index("message_recent_idx", "app_id", "created_at"),
    Index("message_replay_idx", "replay_of", postgresql_where=text("replay_of IS NOT NULL")),
    # Which newer ones there are with the same collapse id.
    Index(
        "message_collapse_idx",
        "app_id",
        "collapse_id",
        "id",
        postgresql_where=text("collapse_id IS NOT NULL"),
    ),
    # From the id of a delivery to its message: `message_tag` of core/ids.py.
    Index(
        "message_delivery_idx",
        "app_id",
        text("substr(encode(sha256(public_id::bytea), 'hex'), 1, 15)"),
    ),
)

chunk = Table(
    "chunk",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("credential_id", BigInteger, nullable=False),
    Column("lane", Text, nullable=False),
    Column("priority", Integer, nullable=False, server_default=text("0")),
    Column("due_at", _MOMENT, nullable=False, server_default=func.now()),
    Column("attempt", Integer, nullable=False, server_default=text("1")),
    Column("first_attempt_at", _MOMENT),
    Column("wait_reason", Text),  # why the recipients of a retry wait, for people to read
    # Parallel arrays: position i is the recipient (person_ids[i], device_ids[i]).
    Column("device_ids", ARRAY(BigInteger), nullable=False),
    Column("person_ids", ARRAY(BigInteger), nullable=False),
    # Positions below `intended` may have left; those of them without an end are in `open`.
    Column("intended", Integer, nullable=False, server_default=text("0")),
    Column("open", ARRAY(Integer), nullable=False, server_default=text("'{}'")),
    Column("remaining", Integer, nullable=False),
    Column("cursor", BigInteger, nullable=False, server_default=text("0")),
    Column("fence", BigInteger, nullable=False, server_default=text("0")),
    Column("lease_until", _MOMENT),
    Column("lease_owner", Text),
    PrimaryKeyConstraint("app_id", "id"),
    ForeignKeyConstraint(["app_id", "message_id"], ["message.app_id", "message.id"]),
    Index("chunk_due_idx", "lane", text("priority DESC"), "due_at"),
    Index("chunk_message_idx", "app_id", "message_id"),
    # One for each lane: a look for a share of one must never go through the other's.
    Index(
        "chunk_share_idx",
        "app_id",
        "message_id",
        "credential_id",
        "due_at",
        postgresql_where=text("lane = 'campaign'"),
    ),
    Index(
        "chunk_app_due_idx",
        "app_id",
        "credential_id",
        "due_at",
        postgresql_where=text("lane = 'transactional'"),
    ),
)

message_count = Table(
    "message_count",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("recipients", BigInteger, nullable=False),
    PrimaryKeyConstraint("app_id", "message_id", "state", "reason"),
)

# One row per recorded window, or group of receipts (then `state` is a milestone), rolled up into
# message_count each second: no hot counter row.
message_delta = Table(
    "message_delta",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("app_id", BigInteger, nullable=False),
    Column("message_id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("recipients", BigInteger, nullable=False),
    Column("at", _MOMENT, nullable=False, server_default=func.clock_timestamp()),
    Index("message_delta_message_idx", "app_id", "message_id"),
)

# What ended when, and what was reported, in steps of ten seconds, without what was sent as a test.
delivery_bucket = Table(
    "delivery_bucket",
    metadata,
    Column("app_id", BigInteger, nullable=False),
    Column("at", _MOMENT, nullable=False),
    Column("state", Text, nullable=False),
    Column("recipients", BigInteger, nullable=False),
    PrimaryKeyConstraint("app_id", "at", "state"),
    Index("delivery_bucket_at_idx", "at"),
)
