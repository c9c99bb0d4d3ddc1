"""What can be wrong with a whole import; a bad line is never an error but a row."""

from core.errors import CarillonError, InvalidPayloadError


class UnreadableFileError(InvalidPayloadError):
    """The file can not be imported. The detail says what is wrong with it, and at which line."""

    code = "unreadable_file"


class InvalidMappingError(InvalidPayloadError):
    """The columns of the file do not fit what is imported. Map them with `map`."""

    code = "invalid_mapping"


class UnwritableFileError(CarillonError):
    """The bad lines can not be written to the file of `--errors`."""

    code = "unwritable_file"


class ImportTakenOverError(CarillonError):
    """The same import was started again elsewhere and goes on there."""

    code = "import_taken_over"
