"""The work that a PKCS#12 file asks for is known before it is opened."""

import contextlib
import time

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidPayloadError
from delivery.providers.certificate import unpack
from delivery.providers.certificate_trial import try_open
from delivery.providers.checks import check_p12
from delivery.providers.pkcs12_rounds import LIMIT, TooManyRoundsError, check_rounds
from tests.deadlines import within
from tests.delivery.providers.pkcs12_files import (
    PASSWORD,
    check_of,
    cut_in_pieces,
    file_of,
    make_file,
    make_huge_file,
    nested,
    pbes2,
    pbkdf2,
    pbmac1_of,
    plain_safe,
    scrypt,
    sealed_safe,
    shrouded_key,
)

SCHEMES = list(pkcs12.PBES)
ORDINARY = make_file(2_048)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_file_of_many_rounds_is_refused_at_once_and_in_words(scheme: pkcs12.PBES) -> None:
    file = make_huge_file(scheme)
    started = time.process_time()

    with pytest.raises(InvalidPayloadError) as error:
        check_p12(file, PASSWORD)

    assert time.process_time() - started < within(0.2)
    assert [field.pointer for field in error.value.fields] == ["/p12"]
    assert "8,388,607 rounds" in error.value.fields[0].message


def test_workers_refuse_a_stored_file_of_many_rounds() -> None:
    started = time.process_time()

    with pytest.raises(TooManyRoundsError):
        unpack(make_huge_file(), PASSWORD)

    assert time.process_time() - started < within(0.2)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_file_of_ordinary_rounds_is_read(scheme: pkcs12.PBES) -> None:
    assert check_p12(make_file(20_000, scheme), PASSWORD).topics == ("com.example.shop",)


def test_a_file_at_the_limit_is_read() -> None:
    assert check_p12(make_file(LIMIT), PASSWORD).topics == ("com.example.shop",)


def test_a_file_in_pieces_is_read_and_counted() -> None:
    assert check_p12(cut_in_pieces(ORDINARY), PASSWORD).topics == ("com.example.shop",)
    with pytest.raises(TooManyRoundsError):
        check_rounds(cut_in_pieces(make_huge_file()))


@pytest.mark.parametrize(
    "file",
    [
        file_of(plain_safe(), check=check_of(LIMIT + 1)),
        file_of(plain_safe(), check=pbmac1_of(LIMIT + 1)),
        file_of(plain_safe(shrouded_key(pbes2(pbkdf2(LIMIT + 1))))),
        file_of(plain_safe(shrouded_key(pbes2(scrypt(16_384, 8, 8))))),
        file_of(plain_safe(nested(nested(shrouded_key(pbes2(pbkdf2(2**31))))))),
        file_of(plain_safe(*[shrouded_key(pbes2(pbkdf2(LIMIT)))] * 4)),
    ],
    ids=["check", "pbmac1", "pbkdf2", "scrypt", "nested", "many"],
)
def test_every_place_for_rounds_is_counted(file: bytes) -> None:
    with pytest.raises(TooManyRoundsError):
        check_rounds(file)


def test_as_many_rounds_as_are_allowed_pass() -> None:
    check_rounds(file_of(plain_safe(shrouded_key(pbes2(pbkdf2(LIMIT)))), check=check_of(LIMIT)))


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\x30\x80",
        b"\x3f\x81\x01\x00",
        b"\x30\x80" * 10_000,
        b"\x24\x80" * 100 + b"\0\0" * 100,
        file_of(plain_safe(), check=check_of(0)),
        file_of(plain_safe(shrouded_key(pbes2(check_of(1))))),
        file_of(plain_safe(shrouded_key(check_of(1)))),
        ORDINARY[:-1],
    ],
)
def test_what_is_no_such_file_is_refused(file: bytes) -> None:
    with pytest.raises(ValueError, match=r".") as error:
        check_rounds(file)

    assert not isinstance(error.value, TooManyRoundsError)


@settings(max_examples=200)
@given(st.integers(0, len(ORDINARY) - 1), st.binary(min_size=1, max_size=4))
def test_any_file_is_counted_or_refused(place: int, change: bytes) -> None:
    file = ORDINARY[:place] + change + ORDINARY[place + len(change) :]

    with contextlib.suppress(ValueError):
        check_rounds(file)


@pytest.mark.timeout(60)
def test_rounds_that_are_hidden_by_encryption_end_with_their_processor_time() -> None:
    hidden = sealed_safe(shrouded_key(pbes2(pbkdf2(2_000_000_000))))
    file = file_of(hidden)
    check_rounds(file)
    started = time.process_time()

    with pytest.raises(TooManyRoundsError):
        try_open(file, PASSWORD)

    assert time.process_time() - started < within(0.5)
