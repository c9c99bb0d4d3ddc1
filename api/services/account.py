"""Which account the servers run under: ours, or an unprivileged one when we are root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from api.services.errors import NoAccountError


@dataclass(frozen=True, slots=True)
class Account:
    """An account that root hands its servers to; supplementary groups are dropped."""

    user_id: int
    group_id: int


def choose_account(data: Path) -> Account | None:
    """Return the account for servers over the folder `data`; None means our own.

    As root it is the owner of data that exists, else `nobody`.
    """
    if os.geteuid() != 0:
        return None
    if data.is_dir() and (owner := data.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return _checked(Account(65534, 65534))
    return _checked(Account(entry.pw_uid, entry.pw_gid))


def can(account: Account, *arguments: str | Path) -> bool:
    """Tell whether a program runs and succeeds as `account`: the only sure test of access."""
    try:
        finished = run_as(account, arguments)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return finished.returncode == 0


def run_as(
    account: Account | None, arguments: tuple[str | Path, ...], *, limit_seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a short program as `account` from the root folder and return its output."""
    return subprocess.run(  # noqa: S603 - our own programs, no shell.
        [str(argument) for argument in arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=limit_seconds,
        check=False,
        cwd="/",
        env=SERVER_ENVIRONMENT,
        user=None if account is None else account.user_id,
        group=None if account is None else account.group_id,
        extra_groups=None if account is None else [],
    )


# Servers get nothing of the caller's environment: its PG… and LD_… variables would change them.
SERVER_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _checked(account: Account) -> Account:
    if not can(account, "/bin/sh", "-c", "exit 0"):
        raise NoAccountError
    return account
