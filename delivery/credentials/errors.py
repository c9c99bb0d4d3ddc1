"""What can be wrong with resuming a credential."""

from core.errors import ConflictError


class CredentialRefusedError(ConflictError):
    """The gateway still refuses the credential. Mend the cause, or resume it with `force`."""

    code = "credential_still_refused"
