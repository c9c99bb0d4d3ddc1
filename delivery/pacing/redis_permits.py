"""Permits from Redis: one Lua call for a batch of pushes and all their limits."""

from collections.abc import Sequence
from enum import StrEnum

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from delivery.pacing.gcra import Limit, Wish
from delivery.pacing.standing import Standing

# A worker waits no longer: PostgreSQL gives the permits then.
_TIMEOUT_SECONDS = 0.25
# Marks of the past say nothing; those of the slowest rates reach days ahead.
_KEEP_SECONDS = 60

# KEYS: the epoch, then a mark for each limit. ARGV: epoch, may_set, pushes, horizon, settle, keep;
# then for each limit per_second, burst_seconds, reserved_per_second, share. A mark is a hash of
# `due` and a field for each share, which are Unix seconds, and `rate`. The arithmetic is that of
# gcra.py.
_TAKE = """
local epoch = redis.call('GET', KEYS[1])
local given = tonumber(ARGV[1])
if not epoch and ARGV[2] == '0' then return 'wiped' end
if epoch and tonumber(epoch) > given then return 'older' end
if not epoch or tonumber(epoch) < given then redis.call('SET', KEYS[1], ARGV[1]) end
local pushes, horizon = tonumber(ARGV[3]), tonumber(ARGV[4])
local settle, keep = tonumber(ARGV[5]), tonumber(ARGV[6])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local longest, marks = 0, {}
for i = 2, #KEYS do
    local at = 6 + (i - 2) * 4
    local rate, burst = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
    local share, whose = tonumber(ARGV[at + 3]), ARGV[at + 4]
    local start, reserved = -burst, 0
    if settle > 0 then start = settle end
    local mark = redis.call('HMGET', KEYS[i], 'due', 'rate', whose)
    if mark[1] then
        local owed = tonumber(mark[1]) - now
        if owed > 0 then owed = owed * tonumber(mark[2]) / rate end
        start = math.max(start, owed)
        if mark[3] then reserved = tonumber(mark[3]) - now end
    end
    local wait = math.max(start, 0)
    if wait > 0 and share > 0 and reserved <= 0 then
        wait = 0
        reserved = pushes / share
    end
    longest = math.max(longest, wait)
    marks[i] = {start + pushes / rate, rate, reserved, whose}
end
if longest > horizon then return string.format('%.6f', longest) end
for i = 2, #KEYS do
    local due, rate, reserved = marks[i][1], marks[i][2], marks[i][3]
    redis.call('HSET', KEYS[i], 'due', string.format('%.6f', now + due),
        'rate', string.format('%.9g', rate), marks[i][4], string.format('%.6f', now + reserved))
    redis.call('EXPIRE', KEYS[i], math.ceil(keep + math.max(due, reserved, 0)))
end
return string.format('%.6f', longest)
"""


class Turned(StrEnum):
    """Why Redis gave no answer about permits."""

    WIPED = "wiped"  # it has forgotten all marks
    OLDER = "older"  # another worker has seen a later epoch


class RedisPermits:
    """The marks of all limits in Redis, apart by installation and epoch."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._take = redis.register_script(_TAKE)

    @classmethod
    def open(cls, redis_url: str, prefix: str) -> "RedisPermits":
        """Return permits with a client of their own, which never waits long nor tries again."""
        client = Redis.from_url(
            redis_url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        return cls(client, prefix)

    def close(self) -> None:
        """Close the connections to Redis."""
        self._redis.close()

    def try_out(self) -> None:
        """Raise `RedisError` unless Redis takes what is written.

        One that is full, or a copy that may only be read, answers a PING none the less.
        """
        self._redis.set(f"{self._prefix}pace:trial", "1", ex=_KEEP_SECONDS)

    def take(
        self, standing: Standing, limits: Sequence[Limit], wish: Wish, *, may_begin: bool
    ) -> float | Turned:
        """Return the seconds to wait, as `gcra.grant` does. Raises `RedisError` when it is away.

        With `may_begin` a Redis without any epoch begins with this one.
        """
        start = f"{self._prefix}pace:{{{standing.installation}}}:"
        keys = [start + "epoch", *(f"{start}{standing.epoch}:{limit.scope}" for limit in limits)]
        values: list[float | int | str] = [standing.epoch, int(may_begin), wish.pushes]
        values += [wish.horizon_seconds, wish.settle_seconds, _KEEP_SECONDS]
        for limit in limits:
            values += [limit.per_second, limit.burst_seconds]
            values += [limit.reserved_per_second, limit.share.value]
        found: bytes | str = self._take(keys=keys, args=values)
        answer = found.decode() if isinstance(found, bytes) else found
        return Turned(answer) if answer in list(Turned) else float(answer)
