"""What can go wrong with what many requests write together."""

from core.errors import CarillonError, UnavailableError


class BusyError(UnavailableError):
    """More waits to be written than may. Nothing of this was stored: send it again in a second."""

    code = "busy"


class OutcomeUnknownError(UnavailableError):
    """The database did not say whether it was done. Send it again, with the same `Idempotency-Key`.

    Then it is done once. Events are known by their uuids: what was stored is answered `duplicate`.
    """

    code = "outcome_unknown"


class NoConsentError(CarillonError):
    """The person does not allow analytics: the event was not stored."""

    code = "no_consent"
