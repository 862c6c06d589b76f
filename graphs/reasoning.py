"""The reasoning graph: reason -> select_tool -> execute -> integrate -> (reason | answer).

The state machine that a user invokes and that training samples from: the same compiled graph. It takes a policy and
tools, and any LangGraph checkpointer; its state holds ids of images, never images.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, Literal, TypeVar

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from agent.encoder import Encoder
from agent.limits import Limits
from agent.policies.policy import Policy, Sampling
from agent.question import Overrides, Question, asked
from agent.turn import Agent, EpisodeState, Update
from graphs import progress
from graphs.heard import heard
from tools.images.store import ImageStore
from tools.toolbox import Toolbox

ReasoningGraph = CompiledStateGraph[EpisodeState, Overrides, Question, EpisodeState]
Result = TypeVar("Result")
Checkpointer = BaseCheckpointSaver[Any] | bool | None


def after_selection(state: EpisodeState) -> Literal["execute", "integrate", "answer"]:
    """Calls are run, an answer closes the episode, a turn that could not be read is corrected."""
    if state["pending"]:
        return "execute"
    return "integrate" if state["correction"] else "answer"


def after_integration(state: EpisodeState) -> Literal["reason", "answer"]:
    """Back to the policy, unless the episode has ended without an answer."""
    return "answer" if state["outcome"] else "reason"


def at_once(step: Callable[[EpisodeState], Result]) -> Callable[[EpisodeState], Awaitable[Result]]:
    """A short step as a coroutine: LangGraph would send a plain function to a thread, which takes longer than it."""

    @wraps(step)
    async def run(state: EpisodeState) -> Result:
        return step(state)

    return run


def compile_reasoning(agent: Agent, checkpointer: Checkpointer = None) -> ReasoningGraph:
    """The graph over an agent's nodes."""

    async def reason(state: EpisodeState, runtime: Runtime[Overrides], config: RunnableConfig) -> Update:
        update = await agent.reason(state, heard(agent, runtime.context, asked(state)["question"], config))
        progress.spoke(update["ledger"]["sampled"][-1][3], runtime.stream_writer)
        return update

    async def execute(state: EpisodeState, runtime: Runtime[Overrides]) -> Update:
        update = await agent.execute(state)
        progress.looked(update["results"], runtime.stream_writer)
        return update

    graph: Any = StateGraph(EpisodeState, context_schema=Overrides, input_schema=Question)
    graph.add_node("reason", reason)
    graph.add_node("select_tool", at_once(agent.select_tool))
    graph.add_node("execute", execute)
    graph.add_node("integrate", at_once(agent.integrate))
    graph.add_node("answer", at_once(agent.answer))
    graph.add_edge(START, "reason")
    graph.add_edge("reason", "select_tool")
    graph.add_conditional_edges("select_tool", at_once(after_selection), ["execute", "integrate", "answer"])
    graph.add_edge("execute", "integrate")
    graph.add_conditional_edges("integrate", at_once(after_integration), ["reason", "answer"])
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=checkpointer)


def build(
    policy: Policy,
    tools: Sequence[BaseTool] | Toolbox,
    *,
    encoder: Encoder,
    store: ImageStore,
    limits: Limits | None = None,
    sampling: Sampling | None = None,
    checkpointer: Checkpointer = None,
) -> ReasoningGraph:
    """The reasoning graph for a policy and tools, or a Toolbox that has wrappers or limits of its own.

    `encoder` belongs to the policy's checkpoint, `store` holds the images. Invoke it with
    `{"images": [store.put(image)], "question": "..."}`; it returns `answer`, `evidence`, `outcome` and `transcript`.
    """
    agent = Agent(
        policy=policy,
        encoder=encoder,
        toolbox=tools if isinstance(tools, Toolbox) else Toolbox(tools),
        store=store,
        limits=limits or Limits(),
        sampling=sampling or Sampling(temperature=0.0),
    )
    return compile_reasoning(agent, checkpointer)


def recursion_limit(limits: Limits) -> dict[str, Any]:
    """LangGraph's own step limit set so that an episode's turn limit is what ends it."""
    return {"recursion_limit": 4 * limits.turns + 8}
