"""How an episode ends, whatever its graph does: the one boundary at which what a graph raises becomes an outcome.

What a policy writes ends its own episode, and is scored as an episode without an answer. A bug of the graph ends it
too, but says nothing about the policy: it is logged with its traceback, and nobody may score it
(rl/rewards/compose.py). A lost policy, a prompt that the server counted differently and a question that cannot be shown
are the caller's: they are raised.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from langchain_core.exceptions import OutputParserException
from langgraph.errors import GraphRecursionError

from agent.answer import Outcome
from agent.chat.record.ledger import LedgerError
from agent.encoder import EncodingError
from agent.policies.policy import PolicyError
from agent.policies.served import ContextFull
from agent.question import ContextTooSmall
from graphs.app import error_summary
from rl.trajectories.finished_episode import BUG, OUT_OF_TIME, UNREADABLE

RAISED = (PolicyError, LedgerError, EncodingError, ContextTooSmall)

_log = logging.getLogger(__name__)


@dataclass
class Ending:
    """How an episode ended."""

    outcome: Outcome | None = None
    """None: the graph came to its own end."""
    bug: str = ""
    """What the graph's bug was, and where."""


@asynccontextmanager
async def ending(deadline_s: float | None, graph: str) -> AsyncGenerator[Ending, None]:
    """Around the run of a graph (`graph` is its name): what ends it before its time is in the Ending, not raised."""
    end = Ending()
    deadline = asyncio.timeout(deadline_s)
    try:
        async with deadline:
            yield end
    except GraphRecursionError:
        end.outcome = "too_many_turns"
    except ContextFull:
        end.outcome = "context_full"
    except OutputParserException:
        end.outcome = UNREADABLE
    except RAISED:
        raise
    except Exception as error:
        if isinstance(error, TimeoutError) and deadline.expired():
            end.outcome = OUT_OF_TIME
            return
        _log.exception("the graph %s has a bug", graph)
        end.outcome, end.bug = BUG, error_summary.summary_of(error)
