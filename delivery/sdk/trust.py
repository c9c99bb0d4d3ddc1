"""Whom a client trusts, whom it shows itself as, and which errors mean that one side does not."""

import ssl
import tempfile
from pathlib import Path

from delivery.transport import Ambiguous, Endpoint, NotProcessed


def context_for(endpoint: Endpoint, ca_file: Path | None) -> ssl.SSLContext:
    """Return a context for the connections of one client; `ca_file` replaces the system's store.

    Raises `OSError` or `ssl.SSLError` (one of its kinds) for files and certificates that are none.
    """
    context = ssl.create_default_context(cafile=ca_file)
    if endpoint.certificate and endpoint.private_key:
        # OpenSSL reads a chain from a file only; the folder is ours alone and gone at once.
        with tempfile.TemporaryDirectory() as folder:
            chain = Path(folder, "client.pem")
            chain.write_text(f"{endpoint.certificate}\n{endpoint.private_key}")
            context.load_cert_chain(chain)
    return context


def failure(error: BaseException, *, written: bool, connected: bool) -> NotProcessed | Ambiguous:
    """Classify a request that ended in an error instead of an answer."""
    words = str(error) or type(error).__name__
    if _is_about_trust(error):
        return NotProcessed("certificate", words)
    if written:
        return Ambiguous(words)
    return NotProcessed("unsent" if connected else "connect", words)


def _is_about_trust(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLError):
            reason = error.reason or ""
            return "CERTIFICATE" in reason or "UNKNOWN_CA" in reason
        error = error.__cause__ or error.__context__
    return False
