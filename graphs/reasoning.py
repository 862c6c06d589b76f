"""The reasoning graph: reason -> select_tool -> execute -> integrate -> (reason | answer). The one loop that looks.

The state machine that a user invokes and that training samples from: the same compiled graph. It runs on a chat model
(ours, or any other of LangChain), tools and any LangGraph checkpointer; its state is messages that hold ids of images,
never images. Other graphs call it in their nodes, with an `opening` of their own.

Nothing that a policy writes can raise: a turn that cannot be read becomes a correction, a bad call what its result
says, a full context or too many turns an outcome. What does raise is a lost policy (PolicyError), so that a
checkpointer can resume, and a question that fills the context by itself (ContextTooSmall).
"""

from collections.abc import Awaitable, Sequence
from typing import Any, Literal, Protocol

from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Command

from agent.answer import Answer
from agent.chat.base import ImageChatModel
from agent.chat.guided_decoding import described
from agent.chat.images import MessageImages
from agent.chat.provider.model import with_images
from agent.chat.reply import FAULT
from agent.chat.tools import images_shown, run_calls, spent_in, tool_message, toolbox_of
from agent.limits import Limits
from agent.policies.served import ContextFull
from agent.prompt import correction
from agent.question import ContextTooSmall, Question, question_of
from graphs.parts import progress
from graphs.parts.state import (
    Checkpointer,
    Graph,
    Update,
    answer_of,
    correction_message,
    is_faulty,
    question_message,
    turns_in,
)
from tools.calls import ToolCall
from tools.images.store import ImageStore
from tools.toolbox import Toolbox


class ReadingInput(Question, total=False):
    """What the graph is invoked with by other graphs."""

    opening: list[AnyMessage]
    """Messages that the conversation begins with in place of the question's own: other words, or turns before."""


class Reasoning(Answer):
    """What the graph carries, and a LangGraph checkpoint holds."""

    opening: list[AnyMessage]
    begun: Question
    """The question that `messages` are about, and all images in them: a thread that is asked otherwise begins anew."""
    messages: list[AnyMessage]
    """The conversation: what the model was shown, and what it said."""
    most: int
    """Turns that it may have in all."""
    found: list[AnyMessage]
    """What execute found; integrate adds it to the conversation."""


def factory(
    model: BaseChatModel,
    tools: Sequence[BaseTool] | Toolbox,
    *,
    store: ImageStore | None = None,
    turns: int = Limits.turns,
    checkpointer: Checkpointer = None,
) -> Graph:
    """The graph on a chat model and tools, or a Toolbox that has wrappers or limits of its own.

    The chat model is ours or any other of LangChain, whose images lie in `store` then (agent/chat/provider/model.py).
    `turns` is how often the policy may speak; its other limits are the model's. Invoke it with
    `{"images": [store.put(image)], "question": "..."}`; it returns `answer`, `evidence`, `outcome` and `transcript`.
    """
    return _built(with_images(model, store), tools, turns, Question).compile(checkpointer=checkpointer)


def _built(model: ImageChatModel, tools: Sequence[BaseTool] | Toolbox, turns: int, taken: type[Question]) -> Any:
    """The five nodes and their edges, a StateGraph; `taken` is the schema of the input."""
    toolbox, pictures = toolbox_of(tools), MessageImages(model.image_store)
    armed: Runnable[LanguageModelInput, AIMessage] = model
    if toolbox.tools:
        armed = model.bind_tools([described(tool) for tool in toolbox.tools])

    async def reason(state: Reasoning, runtime: Runtime[None]) -> Update:
        """Asks the model for one turn."""
        update = {} if _goes_on(state) else _beginning(state, turns, pictures)
        messages: list[AnyMessage] = update.get("messages") or state["messages"]
        try:
            said = await armed.ainvoke(messages)
        except ContextFull as full:
            if update and not state.get("opening"):  # the question's own beginning, and nothing else
                raise ContextTooSmall(full) from full
            return {**update, "outcome": "context_full"}
        progress.report_turn(said.response_metadata.get("versions", ()), runtime.stream_writer)
        return {**update, "messages": [*messages, said], "turns": turns_in(messages) + 1}

    async def select_tool(state: Reasoning) -> Command[Literal["execute", "integrate", "answer"]]:
        """Reads the turn: calls are run, an answer closes the episode, what could not be read is corrected."""
        if state["outcome"]:
            return Command(goto="answer")
        turn = _last_turn(state)
        if is_faulty(turn):
            return Command(goto="integrate")
        return Command(goto="execute" if turn.tool_calls else "answer")

    async def execute(state: Reasoning, runtime: Runtime[None]) -> Update:
        """Runs the calls in parallel; each with its deadline, a failure costing that call alone."""
        messages, asked_for = state["messages"], _last_turn(state).tool_calls
        calls = [ToolCall(name=call["name"], arguments=call["args"]) for call in asked_for]
        images, spent = state["images"], spent_in(messages, toolbox.names)
        ran = await run_calls(toolbox, calls, images, model.image_store, spent, why_not_shown=model.why_not_shown)
        answers = [tool_message(result, str(call["id"])) for result, call in zip(ran, asked_for, strict=True)]
        progress.report_calls([answer.artifact for answer in answers], runtime.stream_writer)
        return {"found": answers}

    async def integrate(state: Reasoning) -> Command[Literal["reason", "answer"]]:
        """Adds what was found, or what was wrong, to the conversation; back to the policy, if it may speak again."""
        messages, turn = state["messages"], _last_turn(state)
        told = [correction_message(correction(turn.response_metadata[FAULT]))] if is_faulty(turn) else state["found"]
        update: Update = {"messages": [*messages, *told]}
        if new := images_shown(told, pictures):
            images = [*state["images"], *new]
            update |= {"images": images, "begun": {**state["begun"], "images": images}}
        if turns_in(messages) < state["most"]:
            return Command(goto="reason", update=update)
        return Command(goto="answer", update={**update, "outcome": "too_many_turns"})

    async def answer(state: Reasoning) -> Update:
        """Closes the episode: the answer and what it rests on, an abstention, or why there is none."""
        return {**answer_of(state["begun"], state["messages"], pictures, state["outcome"])}

    graph: Any = StateGraph(Reasoning, input_schema=taken)
    for node in (reason, select_tool, execute, integrate, answer):
        graph.add_node(node)
    graph.add_edge(START, "reason")
    graph.add_edge("reason", "select_tool")
    graph.add_edge("execute", "integrate")
    graph.add_edge("answer", END)
    return graph


class Read(Protocol):
    """A question's conversation, from its opening (none: the question's own) to its end."""

    def __call__(self, question: Question, opening: Sequence[AnyMessage] = ()) -> Awaitable[Reasoning]:
        """The final state."""
        ...


def reader(model: ImageChatModel, tools: Sequence[BaseTool] | Toolbox, turns: int) -> Read:
    """The graph as something that other graphs await in their nodes, where LangGraph runs it as a subgraph."""
    graph: Any = _built(model, tools, turns, ReadingInput).compile()

    async def read(question: Question, opening: Sequence[AnyMessage] = ()) -> Reasoning:
        return await graph.ainvoke(ReadingInput(**question_of(question), opening=list(opening)))

    return read


def _last_turn(state: Reasoning) -> AIMessage:
    said = state["messages"][-1]
    assert isinstance(said, AIMessage)
    return said


def _goes_on(state: Reasoning) -> bool:
    """Whether the state is that of an episode in progress.

    A checkpointer's thread may hold an older episode when a new question is put to it, or half of one when the same is
    put again, its images those of the beginning; these must not be continued.
    """
    if "begun" not in state or state["outcome"] is not None or state.get("opening"):
        return False
    begun = state["begun"]
    same = state["question"] == begun["question"] and state["images"] == begun["images"]
    return same and not isinstance(state["messages"][-1], AIMessage)


def _beginning(state: Reasoning, turns: int, pictures: MessageImages) -> Update:
    """The state before the first turn. Raises QuestionError."""
    question = question_of(state)
    messages = list(state.get("opening") or [question_message(question["images"], question["question"])])
    images = images_shown(messages, pictures)
    return {
        "opening": [],
        "begun": {**question, "images": images},
        "messages": messages,
        "images": images,
        "most": turns_in(messages) + turns,
        "answer": None,
        "evidence": [],
        "outcome": None,
    }
