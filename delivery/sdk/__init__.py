"""The vendors' and the community's own senders behind the contract of a transport."""

from delivery.sdk.transport import SdkTransport

__all__ = ["SdkTransport"]
