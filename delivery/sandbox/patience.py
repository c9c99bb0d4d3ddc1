"""How long a gateway bears a sender of bad requests: it slows down, then it hangs up."""

from dataclasses import replace

from delivery.sandbox.answer import Reply
from delivery.sandbox.connections import Connection
from delivery.sandbox.gateway import Gateway, fcm_answer, reason_answer
from delivery.sandbox.outcomes import OUTCOMES

# How bad a client error is, by its label; those not named count once. Apple says that it weighs
# errors, and that 410 weighs nothing; the numbers are ours.
_WEIGHTS = {"BadDeviceToken": 5, "Unregistered": 0, "ExpiredToken": 0, "UNREGISTERED": 0}


def lose_patience(gateway: Gateway, connection: Connection, reply: Reply) -> Reply:
    """Count what a connection asked badly; return its answer as it gets it now.

    Beyond the patience of the profile answers are slow; beyond twice of it nothing is taken any
    more, and a server that can hang up does so.
    """
    limit = gateway.profile.patience
    if limit is None:
        return reply
    answer = reply.answer
    if 400 <= answer.status < 500 and answer.status != 429:
        connection.errors += _WEIGHTS.get(answer.label, 1)
    if connection.errors <= limit:
        return reply
    return replace(reply, delay_seconds=reply.delay_seconds + gateway.profile.slow_seconds)


def has_lost_patience(gateway: Gateway, connection: Connection) -> bool:
    """Tell whether nothing is taken from this connection any more."""
    limit = gateway.profile.patience
    return limit is not None and connection.errors > 2 * limit


def hung_up(gateway: Gateway, provider: str) -> Reply:
    """Answer what comes over a connection that is given up."""
    if provider == "apns":
        return Reply(reason_answer("Shutdown", (), gateway.now()), hangs_up=True)
    return Reply(fcm_answer(OUTCOMES["unavailable"], ()), hangs_up=True)
