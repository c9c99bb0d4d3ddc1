"""The one base of our errors: each class names a fact of the business and tells the cure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One thing wrong with one place of a payload; `pointer` is a JSON pointer (RFC 6901)."""

    pointer: str
    code: str
    message: str


class CarillonError(Exception):
    """Something went wrong."""

    code = "error"

    def __init__(self, detail: str = "", *, fields: tuple[FieldError, ...] = ()) -> None:
        self.detail = detail or " ".join((type(self).__doc__ or "").split())
        self.fields = fields
        super().__init__(self.detail)


class NotFoundError(CarillonError):
    """There is no such thing in this app. Check the id and the app the key belongs to."""

    code = "not_found"


class InvalidPayloadError(CarillonError):
    """The payload is not acceptable. Each entry of `errors` points at what is wrong."""

    code = "invalid_payload"


class ConflictError(CarillonError):
    """The request does not fit the present state. Read the resource again."""

    code = "conflict"


class SettingsError(CarillonError):
    """A setting is missing or wrong. See docs/reference/settings.md."""

    code = "settings"


class UnavailableError(CarillonError):
    """A server this needs does not answer. Try again in a moment."""

    code = "unavailable"
