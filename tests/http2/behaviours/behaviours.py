TRANSPORT_KINDS = ("http2",)
EXPECTED_FAILURES: dict[str, dict[str, str]] = {}
