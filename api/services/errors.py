"""What can go wrong while servers and processes are started on this machine."""

from core.errors import CarillonError


class AlreadyRunningError(CarillonError):
    """Carillon is already running in this state folder. Stop it first, or use another folder."""

    code = "already_running"


class BinariesMissingError(CarillonError):
    """The database wheels are missing. Remove .venv and start ./carillon again."""

    code = "binaries_missing"


class NoAccountError(CarillonError):
    """PostgreSQL refuses to run as root and no other account can be used. Run as a user."""

    code = "no_account"


class FolderError(CarillonError):
    """A folder can not be used as it is."""

    code = "folder"


class StartError(CarillonError):
    """A server or process did not come up. Its log tells why."""

    code = "start"
