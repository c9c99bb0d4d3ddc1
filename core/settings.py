"""Everything that can be set from outside, read once per process from CARILLON_… or `.env`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import SettingsError

# What a lease must have beside its margin.
_SENDING_SECONDS = 2.0
_CLONE = Path(__file__).resolve().parents[1]


class Settings(BaseSettings):
    """The settings of one process; docs/reference/settings.md lists them all."""

    model_config = SettingsConfigDict(
        env_prefix="CARILLON_",
        env_file=_CLONE / ".env",
        frozen=True,
        extra="ignore",
        # An endless ramp never ends, an endless lease is nobody's to take over.
        allow_inf_nan=False,
    )

    environment: Literal["development", "staging", "production"] = "development"
    state_dir: Path = _CLONE / ".carillon"
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    broker_url: SecretStr | None = None
    # Installations that share a server each have their own start of names.
    redis_prefix: str = Field(default="carillon:", max_length=100)
    queue_prefix: str = Field(default="", max_length=100, pattern=r"^[A-Za-z0-9._-]*$")
    secret_keys: SecretStr | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    api_modules: str = "all"
    database_pool_size: int = Field(default=10, ge=1, le=200)
    database_pool_timeout_seconds: float = Field(default=5.0, gt=0)
    max_body_bytes: int = Field(default=4_000_000, ge=1_000)

    fcm_url: str = "https://fcm.googleapis.com"
    apns_production_url: str = "https://api.push.apple.com"
    apns_development_url: str = "https://api.sandbox.push.apple.com"
    # Certificate authentication may need another host, as it does in the sandbox.
    apns_certificate_url: str | None = None
    gateway_ca_file: Path | None = None
    # Secret because it may hold a password.
    gateway_proxy_url: SecretStr | None = None
    gateway_connections: int = Field(default=32, ge=1, le=256)
    transport: Literal["http2", "sdk"] = "http2"
    fcm_quota_per_minute: int = Field(default=600_000, ge=1)
    ramp_seconds: float = Field(default=60.0, ge=0)
    transactional_share: float = Field(default=0.1, gt=0, le=1)
    allow_production_in_staging: bool = False

    chunk_size: int = Field(default=1_000, ge=1, le=1_000)
    window_size: int = Field(default=500, ge=1, le=500)
    in_doubt_limit: int = Field(default=2_000, ge=1)
    lease_seconds: float = Field(default=60.0, gt=0)
    lease_margin_seconds: float = Field(default=5.0, ge=0)
    request_timeout_seconds: float = Field(default=20.0, gt=0)
    retry_floor_seconds: float = Field(default=10.0, gt=0)
    retry_ceiling_seconds: float = Field(default=3_600.0, gt=0)
    max_attempts: int = Field(default=8, ge=1)
    guard_share: float = Field(default=0.5, gt=0, le=1)
    guard_answers: int = Field(default=200, ge=1)
    guard_seconds: float = Field(default=60.0, ge=1)
    idempotency_hours: int = Field(default=24, ge=1)

    ingest_writers: int = Field(default=4, ge=1, le=100)
    ingest_queue_items: int = Field(default=40_000, ge=1)
    ingest_queue_bytes: int = Field(default=64_000_000, ge=1_000)
    ingest_lock_seconds: float = Field(default=5.0, gt=0)
    event_names_limit: int = Field(default=1_000, ge=1)
    event_key_days: int = Field(default=30, ge=1)
    outbox_days: int = Field(default=7, ge=1)

    attribute_names_limit: int = Field(default=1_000, ge=1, le=10_000)
    person_history_days: int = Field(default=400, ge=1)
    merge_undo_hours: int = Field(default=24, ge=1, le=720)
    rule_timeout_seconds: float = Field(default=5.0, ge=0.001, le=600)

    import_max_bytes: int = Field(default=2_000_000_000, ge=1)
    import_slice_lines: int = Field(default=5_000, ge=1, le=50_000)
    import_turn_seconds: float = Field(default=5.0, gt=0)
    import_max_waiting: int = Field(default=20, ge=1)
    import_max_waiting_bytes: int = Field(default=10_000_000_000, ge=1)

    export_max_bytes: int = Field(default=2_000_000_000, ge=1)
    export_max_files: int = Field(default=4, ge=1)
    export_free_bytes: int = Field(default=1_000_000_000, ge=0)
    export_seconds: float = Field(default=900.0, gt=0)

    @model_validator(mode="after")
    def _leases_outlast_their_margin(self) -> Self:
        # With less than a second left no window begins to leave (delivery/engine/sender.py).
        if self.lease_seconds < self.lease_margin_seconds + _SENDING_SECONDS:
            raise ValueError(
                "CARILLON_LEASE_SECONDS must be at least two seconds longer than "
                "CARILLON_LEASE_MARGIN_SECONDS, or no worker ever has time to send"
            )
        return self

    def require_database_url(self) -> str:
        """Return the database URL; raise `SettingsError` when it is not set."""
        return _require(self.database_url, "CARILLON_DATABASE_URL")

    def require_redis_url(self) -> str:
        """Return the Redis URL; raise `SettingsError` when it is not set."""
        return _require(self.redis_url, "CARILLON_REDIS_URL")

    def require_broker_url(self) -> str:
        """Return the broker URL; raise `SettingsError` when it is not set."""
        return _require(self.broker_url, "CARILLON_BROKER_URL")

    def require_secret_keys(self) -> list[str]:
        """Return the encryption keys, newest first; raise `SettingsError` when not set."""
        text = _require(self.secret_keys, "CARILLON_SECRET_KEYS")
        return [key.strip() for key in text.split(",") if key.strip()]


def _require(secret: SecretStr | None, name: str) -> str:
    if secret is None:
        raise SettingsError(f"{name} is not set. Set it, or start with ./carillon up.")
    return secret.get_secret_value()


def read_settings() -> Settings:
    """Read and check the settings; raise `SettingsError` naming each wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"CARILLON_{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}"
            if item["loc"]
            else item["msg"].removeprefix("Value error, ")
            for item in error.errors()
        )
        raise SettingsError(f"Wrong setting: {wrong}") from error
