"""The transport on libcurl: many requests at once over few HTTP/2 connections."""

from bench.peers.curl.transport import CurlTransport

__all__ = ["CurlTransport"]
