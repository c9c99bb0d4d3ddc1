"""Our own HTTP/2 sender: quick, and exact about what became of every request."""

from delivery.http2.channel import Options
from delivery.http2.pool import Http2Transport

__all__ = ["Http2Transport", "Options"]
