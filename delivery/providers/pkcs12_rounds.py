"""How much work it is to open a PKCS#12 file, read without opening it; pure.

Whoever makes a file chooses how often its password is hashed: https://www.rfc-editor.org/rfc/rfc7292
(the file, and its own schemes), rfc8018 (PBES1, PBES2, PBKDF2), rfc7914 (scrypt), rfc9579 (PBMAC1).
"""

from collections.abc import Iterator

from delivery.providers.ber import Value, read

LIMIT = 1_000_000
# A certificate, its key and the check of both: each has a count of its own.
_TOTAL_LIMIT = 3 * LIMIT
_DEPTH = 8

_PKCS = bytes.fromhex("2a864886f70d01")
_DATA, _ENCRYPTED_DATA = _PKCS + b"\x07\x01", _PKCS + b"\x07\x06"
_BAGS = _PKCS + b"\x0c\x0a\x01"
_SHROUDED_KEY, _NESTED = _BAGS + b"\x02", _BAGS + b"\x06"
_PBES2, _PBMAC1, _PBKDF2 = _PKCS + b"\x05\x0d", _PKCS + b"\x05\x0e", _PKCS + b"\x05\x0c"
_SCRYPT = bytes.fromhex("2b06010401da47040b")
_PBES1 = tuple(_PKCS + b"\x05" + bytes([number]) for number in (1, 3, 4, 6, 10, 11))
_PKCS12_SCHEMES = _PKCS + b"\x0c\x01"


class TooManyRoundsError(ValueError):
    """The argument says, for people, that opening a file would take too long."""


def check_rounds(p12: bytes) -> None:
    """Raise `TooManyRoundsError` above the limit, `ValueError` for what is no PKCS#12 file."""
    counts = list(_of_file(read(p12)))
    if max(counts, default=0) > LIMIT or sum(counts) > _TOTAL_LIMIT:
        raise TooManyRoundsError(
            f"Opening it takes {max(counts):,} rounds of its password, {sum(counts):,} in all; "
            f"{LIMIT:,} for each part are allowed. Export it again with fewer iterations."
        )
    if min(counts, default=1) < 1:
        raise ValueError("less than one round")


def _of_file(file: Value) -> Iterator[int]:
    _, safes, *check = file.sequence()
    for safe in read(_data(safes)).sequence():
        kind, content = safe.sequence()
        if kind.content == _ENCRYPTED_DATA:
            _, encrypted, *_ = content.inner().sequence()
            yield _of_scheme(encrypted.sequence()[1])
        else:
            yield from _of_bags(read(_data(safe)), _DEPTH)
    for one in check:
        yield from _of_check(one)


def _data(content_info: Value) -> bytes:
    kind, content = content_info.sequence()
    if kind.content != _DATA:
        raise ValueError("a kind of content that is not supported")
    return content.inner().octets()


def _of_bags(bags: Value, depth: int) -> Iterator[int]:
    if depth == 0:
        raise ValueError("bags in bags in bags")
    for bag in bags.sequence():
        kind, content, *_ = bag.sequence()
        if kind.content == _SHROUDED_KEY:
            yield _of_scheme(content.inner().sequence()[0])
        elif kind.content == _NESTED:
            yield from _of_bags(content.inner(), depth - 1)


def _of_check(check: Value) -> Iterator[int]:
    digest, _, *count = check.sequence()
    algorithm = digest.sequence()[0].sequence()
    if algorithm[0].content == _PBMAC1:
        yield _of_derivation(algorithm[1].sequence()[0])
    yield count[0].integer() if count else 1


def _of_scheme(algorithm: Value) -> int:
    kind, parameters = algorithm.sequence()
    if kind.content == _PBES2:
        return _of_derivation(parameters.sequence()[0])
    if kind.content in _PBES1 or kind.content[:-1] == _PKCS12_SCHEMES:
        return parameters.sequence()[1].integer()
    raise ValueError("an encryption that is not supported")


def _of_derivation(algorithm: Value) -> int:
    kind, parameters = algorithm.sequence()
    if kind.content == _PBKDF2:
        return parameters.sequence()[1].integer()
    if kind.content == _SCRYPT:
        cost, block, parallel = (value.integer() for value in parameters.sequence()[1:4])
        return cost * block * parallel
    raise ValueError("a way from password to key that is not supported")
