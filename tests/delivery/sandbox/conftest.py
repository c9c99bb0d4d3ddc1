"""The running sandbox, for every test of this folder."""

from tests.fixtures.sandbox import sandbox, sandbox_process

__all__ = ["sandbox", "sandbox_process"]
