"""Errors that people see: what was found, where, what was expected, and what to do."""


class LabError(Exception):
    """Something that labctl was asked to do did not work.

    message says what happened and where, remedy what to do about it. The program ends with exit_status.
    """

    exit_status = 1

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return self.message if self.remedy is None else f"{self.message}\n{self.remedy}"


class BadInput(LabError):  # noqa: N818 (it is the input that is bad)
    """What was asked for cannot be, and nothing was changed."""

    exit_status = 2
