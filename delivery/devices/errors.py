"""What can be wrong with a claim on a device."""

from core.errors import CarillonError


class DeviceSecretMissingError(CarillonError):
    """The device is registered. Send its secret in the `Carillon-Device-Secret` header.

    An app that has lost the secret registers under a fresh installation id: its token moves
    there by itself.
    """

    code = "device_secret_missing"


class DeviceSecretInvalidError(CarillonError):
    """The device secret is not the one given at registration."""

    code = "device_secret_invalid"


class IdentityMissingError(CarillonError):
    """A client key binds a device only with the `signature` that the app's server made."""

    code = "identity_missing"


class IdentityInvalidError(CarillonError):
    """The identity signature does not fit. Sign `<app id>:<person>` with the identity secret."""

    code = "identity_invalid"
