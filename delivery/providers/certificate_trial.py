"""Opens a PKCS#12 file in a process of its own, with a limit of processor time.

What is encrypted within a file can hold further work that nobody sees before opening it, and
opening holds up every other thread. The process ends after its time, whatever the file holds.
"""

import base64
import json
import os
import resource
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from delivery.providers.certificate import CertificateFacts, unpack
from delivery.providers.pkcs12_rounds import TooManyRoundsError, check_rounds

_CPU_SECONDS = 3
# A busy machine gives processor time late.
_TIMEOUT_SECONDS = 30.0
_REFUSED = 3
_ROOT = Path(__file__).resolve().parents[2]


def try_open(p12: bytes, password: str) -> CertificateFacts:
    """Return what the certificate of a PKCS#12 file says of itself.

    Raises `TooManyRoundsError` when opening takes too long, `ValueError` when it does not open.
    """
    check_rounds(p12)
    order = json.dumps({"p12": base64.b64encode(p12).decode(), "password": password})
    try:
        done = subprocess.run(  # noqa: S603 (our own module)
            [sys.executable, "-P", "-m", __name__],
            input=order.encode(),
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TooManyRoundsError("Opening it takes too long.") from None
    if done.returncode < 0:
        raise TooManyRoundsError("Opening it takes too long.")
    if done.returncode == _REFUSED:
        raise ValueError(done.stdout.decode())
    done.check_returncode()
    facts = json.loads(done.stdout)
    return CertificateFacts(
        tuple(facts["topics"]),
        tuple(facts["environments"]),
        datetime.fromisoformat(facts["expires_at"]),
    )


def main() -> int:
    """Open what stands on the input; say its facts, or why it does not open."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    order = json.load(sys.stdin)
    try:
        facts = unpack(base64.b64decode(order["p12"]), order["password"])[1]
    except ValueError as error:
        sys.stdout.write(str(error))
        return _REFUSED
    said = {
        "topics": facts.topics,
        "environments": facts.environments,
        "expires_at": facts.expires_at.isoformat(),
    }
    sys.stdout.write(json.dumps(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
