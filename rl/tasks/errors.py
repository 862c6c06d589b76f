"""What can be wrong with a task set, as seen by who wants to load it."""


class TaskFileError(ValueError):
    """A task set that cannot be loaded; names the file or set, what was got, what is expected, how to mend it."""


class MissingData(TaskFileError):
    """The files of a task set are not there; names them and where their authors publish them."""


class NoSuchSplit(TaskFileError):
    """The authors of a benchmark did not publish this split."""
