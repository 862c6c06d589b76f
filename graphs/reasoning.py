"""The reasoning graph: reason -> select_tool -> execute -> integrate -> (reason | answer). The one loop that looks.

The state machine that a user invokes and that training samples from: the same compiled graph. It runs on a chat model
(ours, or any other of LangChain), tools and any LangGraph checkpointer; its state is messages that hold ids of images,
never images. Other graphs call it in their nodes, with an `opening` of their own.

Nothing that a policy writes can raise: a turn that cannot be read becomes a correction, a bad call what its result
says, a full context or too many turns an outcome. What does raise is a lost policy (PolicyError), so that a
checkpointer can resume, and a question that fills the context by itself (ContextTooSmall).
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any, Literal, Protocol, TypeVar

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agent.answer import Answered
from agent.chat_model.base import ImageChatModel
from agent.chat_model.guiding import described
from agent.chat_model.pictures import Pictures
from agent.chat_model.provider import with_images
from agent.chat_model.reply import FAULT
from agent.chat_model.tools import images_shown, run_calls, spent_in, tool_message, toolbox_of
from agent.limits import Limits
from agent.policies.served import ContextFull
from agent.prompt import correction
from agent.question import ContextTooSmall, Question, asked
from graphs import progress
from graphs.state import Checkpointer, Graph, Update, ended, note, shown, spoken
from tools.calls import ToolCall
from tools.images.store import ImageStore
from tools.toolbox import Toolbox

Result = TypeVar("Result")


class Begun(Question, total=False):
    """What the graph is invoked with by other graphs."""

    opening: list[AnyMessage]
    """Messages that the conversation begins with in place of the question's own: other words, or turns before."""


class Reasoning(Answered):
    """What the graph carries, and a LangGraph checkpoint holds."""

    opening: list[AnyMessage]
    begun: Question
    """What the conversation in `messages` was begun with: a thread that is asked something else begins anew."""
    messages: list[AnyMessage]
    """The conversation: what the model was shown, and what it said."""
    most: int
    """Turns that it may have in all."""
    correction: str
    """What was wrong with a turn that could not be read; integrate tells the policy."""
    found: list[AnyMessage]
    """What execute found; integrate adds it to the conversation."""


def after_selection(state: Reasoning) -> Literal["execute", "integrate", "answer"]:
    """Calls are run, an answer closes the episode, a turn that could not be read is corrected."""
    if state["outcome"]:
        return "answer"
    if state["correction"]:
        return "integrate"
    return "execute" if _last_turn(state).tool_calls else "answer"


def after_integration(state: Reasoning) -> Literal["reason", "answer"]:
    """Back to the policy, unless the episode has ended without an answer."""
    return "answer" if state["outcome"] else "reason"


def factory(
    model: BaseChatModel,
    tools: Sequence[BaseTool] | Toolbox,
    *,
    store: ImageStore | None = None,
    turns: int = Limits.turns,
    checkpointer: Checkpointer = None,
) -> Graph:
    """The graph on a chat model and tools, or a Toolbox that has wrappers or limits of its own.

    The chat model is ours or any other of LangChain, whose images lie in `store` then (agent/chat_model/provider.py).
    `turns` is how often the policy may speak; its other limits are the model's. Invoke it with
    `{"images": [store.put(image)], "question": "..."}`; it returns `answer`, `evidence`, `outcome` and `transcript`.
    """
    return _built(with_images(model, store), tools, turns, Question).compile(checkpointer=checkpointer)


def _built(model: ImageChatModel, tools: Sequence[BaseTool] | Toolbox, turns: int, taken: type[Question]) -> Any:
    """The five nodes and their edges, a StateGraph; `taken` is the schema of the input."""
    toolbox, pictures = toolbox_of(tools), Pictures(model.image_store)
    armed: Runnable[LanguageModelInput, AIMessage] = model
    if toolbox.tools:
        armed = model.bind_tools([described(tool) for tool in toolbox.tools])

    async def reason(state: Reasoning, runtime: Runtime[None]) -> Update:
        """Asks the model for one turn."""
        update = {} if _goes_on(state, pictures) else _beginning(state, turns, pictures)
        messages: list[AnyMessage] = update.get("messages") or state["messages"]
        try:
            said = await armed.ainvoke(messages)
        except ContextFull as full:
            if update and not state.get("opening"):  # the question's own beginning, and nothing else
                raise ContextTooSmall(full) from full
            return {**update, "outcome": "context_full"}
        progress.spoke(said.response_metadata.get("versions", ()), runtime.stream_writer)
        return {**update, "messages": [*messages, said], "turns": spoken(messages) + 1}

    def select_tool(state: Reasoning) -> Update:
        """Reads the turn: whether it says what cannot be read. Its calls, or its answer, stand in the message."""
        return {"correction": "" if state["outcome"] else _last_turn(state).response_metadata.get(FAULT, "")}

    async def execute(state: Reasoning, runtime: Runtime[None]) -> Update:
        """Runs the calls in parallel; each with its deadline, a failure costing that call alone."""
        messages, asked_for = state["messages"], _last_turn(state).tool_calls
        calls = [ToolCall(name=call["name"], arguments=call["args"]) for call in asked_for]
        images, spent = state["images"], spent_in(messages, toolbox.names)
        ran = await run_calls(toolbox, calls, images, model.image_store, spent, why_not_shown=model.why_not_shown)
        answers = [tool_message(result, str(call["id"])) for result, call in zip(ran, asked_for, strict=True)]
        progress.looked([answer.artifact for answer in answers], runtime.stream_writer)
        return {"found": answers}

    def integrate(state: Reasoning) -> Update:
        """Adds what was found, or what was wrong, to the conversation."""
        told = [note(correction(state["correction"]))] if state["correction"] else state["found"]
        full = spoken(state["messages"]) >= state["most"]
        return {
            "messages": [*state["messages"], *told],
            "images": [*state["images"], *images_shown(told, pictures)],
            "found": [],
            "outcome": "too_many_turns" if full else None,
        }

    def answer(state: Reasoning) -> Update:
        """Closes the episode: the answer and what it rests on, an abstention, or why there is none."""
        return {**ended(state["begun"], state["messages"], model.image_store, state["outcome"])}

    graph: Any = StateGraph(Reasoning, input_schema=taken)
    graph.add_node("reason", reason)
    graph.add_node("select_tool", at_once(select_tool))
    graph.add_node("execute", execute)
    graph.add_node("integrate", at_once(integrate))
    graph.add_node("answer", at_once(answer))
    graph.add_edge(START, "reason")
    graph.add_edge("reason", "select_tool")
    graph.add_conditional_edges("select_tool", at_once(after_selection), ["execute", "integrate", "answer"])
    graph.add_edge("execute", "integrate")
    graph.add_conditional_edges("integrate", at_once(after_integration), ["reason", "answer"])
    graph.add_edge("answer", END)
    return graph


class Read(Protocol):
    """A question's conversation, from its opening (none: the question's own) to its end."""

    def __call__(self, question: Question, opening: Sequence[AnyMessage] = ()) -> Awaitable[Reasoning]:
        """The final state."""
        ...


def reader(model: ImageChatModel, tools: Sequence[BaseTool] | Toolbox, turns: int) -> Read:
    """The graph as something that other graphs await in their nodes, where LangGraph runs it as a subgraph."""
    graph: Any = _built(model, tools, turns, Begun).compile()

    async def read(question: Question, opening: Sequence[AnyMessage] = ()) -> Reasoning:
        return await graph.ainvoke(Begun(**asked(question), opening=list(opening)))

    return read


def at_once(step: Callable[[Reasoning], Result]) -> Callable[[Reasoning], Awaitable[Result]]:
    """A short step as a coroutine: LangGraph would send a plain function to a thread, which takes longer than it."""

    @wraps(step)
    async def run(state: Reasoning) -> Result:
        return step(state)

    return run


def _last_turn(state: Reasoning) -> AIMessage:
    said = state["messages"][-1]
    assert isinstance(said, AIMessage)
    return said


def _goes_on(state: Reasoning, pictures: Pictures) -> bool:
    """Whether the state is that of an episode in progress.

    A checkpointer's thread may hold an older episode when a new question is put to it, or half of one when the same is
    put again, its images those of the beginning; these must not be continued.
    """
    if "begun" not in state or state["outcome"] is not None or state.get("opening"):
        return False
    messages = state["messages"]
    same = state["question"] == state["begun"]["question"] and state["images"] == images_shown(messages, pictures)
    return same and not isinstance(messages[-1], AIMessage)


def _beginning(state: Reasoning, turns: int, pictures: Pictures) -> Update:
    """The state before the first turn. Raises QuestionError."""
    question = asked(state)
    messages = list(state.get("opening") or [shown(question["images"], question["question"])])
    return {
        "opening": [],
        "begun": question,
        "messages": messages,
        "images": images_shown(messages, pictures),
        "most": spoken(messages) + turns,
        "answer": None,
        "evidence": [],
        "outcome": None,
    }
