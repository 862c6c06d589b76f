"""The one error of the set-up: a person reads it, so it says what was got, what was expected and how to mend it."""


class SetupError(Exception):
    """Ends the set-up with its message and no traceback."""
