"""Settings for commands typed beside a running `./carillon up`: its servers, its keys."""

from pydantic import SecretStr

from api.services.pair import urls_of_running
from api.services.platform import secret_keys
from core.settings import Settings


def complete(settings: Settings) -> Settings:
    """Return `settings` with what is not set taken from the state folder.

    Addresses come from the embedded pair that runs in it, if one does; keys from its key file.
    """
    found: dict[str, SecretStr] = {}
    urls = urls_of_running(settings.state_dir)
    if urls is not None and settings.database_url is None:
        found["database_url"] = SecretStr(urls.database_url)
    if urls is not None and settings.redis_url is None:
        found["redis_url"] = SecretStr(urls.redis_url)
    if urls is not None and settings.broker_url is None:
        found["broker_url"] = SecretStr(urls.broker_url)
    if settings.secret_keys is None and settings.state_dir.is_dir():
        found["secret_keys"] = SecretStr(secret_keys(settings.state_dir))
    return settings.model_copy(update=found)
