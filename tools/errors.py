"""The errors of this package, and who can mend each.

Two tool errors only. `ToolRetry`: the policy can mend its call, so the message is written to the policy and says how.
`ToolFailed`: nothing the policy writes would help. Any other exception that leaves a tool is a bug of ours. Both are
LangChain `ToolException`s, so that LangChain's own agents handle them too (`handle_tool_error`).
"""

from langchain_core.tools import ToolException


class ToolError(ToolException):
    """A tool call did not succeed, for a reason that the policy may read."""


class ToolRetry(ToolError):
    """The call was wrong and can be mended: the message says what was got, what is expected and how to mend it."""


class ToolFailed(ToolError):
    """The call was right, the tool could not do it; repeating it does not help."""


class ImageError(ValueError):
    """An image is unreadable, unsupported or inconsistent: the message says got, expected, how to mend it.

    No file name is in the message: names of medical files often hold the name of a person.
    """
