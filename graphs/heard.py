"""The reasoning graph's turns, told to LangChain's callbacks as a chat model's are.

That graph asks its policy for ids, not a chat model for messages. Whoever listens to a run (`stream_mode="messages"`,
`astream_events`, a tracer) hears its turns all the same, token by token where the policy streams. What is sampled and
recorded does not change. Where nobody listens, nothing is done.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.callbacks import AsyncCallbackManager
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult
from langchain_core.runnables import RunnableConfig
from PIL.Image import Image

from agent.chat_model.episode import new_sample
from agent.chat_model.reading import protocol_reader
from agent.chat_model.reply import Reply, whole
from agent.encoder import Encoder
from agent.policies.policy import Completion, Policy, Sampling
from agent.policies.streaming import streamed
from agent.question import Overrides
from agent.turn import Agent

NAME = "policy"


@dataclass(frozen=True)
class Heard:
    """A policy whose turns are told to callbacks."""

    policy: Policy
    encoder: Encoder
    callbacks: AsyncCallbackManager
    asked: str
    """What the listeners are told that it was asked."""

    async def generate(self, token_ids: Sequence[int], images: Sequence[Image], sampling: Sampling) -> Completion:
        """As `Policy.generate`."""
        named: dict[str, Any] = {"name": NAME}
        (run,) = await self.callbacks.on_chat_model_start(named, [[HumanMessage(self.asked)]], name=NAME)
        reply = Reply(new_sample(), self.encoder, protocol_reader())
        chunks: list[AIMessageChunk] = []
        given = 0
        completion: Completion | None = None
        try:
            async for item in streamed(self.policy, token_ids, images, sampling):
                if isinstance(item, Completion):
                    chunks.extend(reply.close(item, item.prompt_tokens or len(token_ids), NAME))
                    completion = item
                else:
                    chunks.extend(reply.feed(item))
                for chunk in chunks[given:]:
                    await run.on_llm_new_token(str(chunk.text), chunk=ChatGenerationChunk(message=chunk))
                given = len(chunks)
        except BaseException as error:
            await run.on_llm_error(error)
            raise
        assert completion is not None  # a stream ends with it
        await run.on_llm_end(LLMResult(generations=[[ChatGeneration(message=whole(chunks))]]))
        return completion


def heard(agent: Agent, overrides: Overrides | None, question: str, config: RunnableConfig) -> Overrides | None:
    """The overrides of a turn, its policy told to whoever listens to the run."""
    callbacks = config.get("callbacks")
    if not isinstance(callbacks, AsyncCallbackManager) or not callbacks.handlers:
        return overrides
    policy = (overrides.policy if overrides else None) or agent.policy
    return replace(overrides or Overrides(), policy=Heard(policy, agent.encoder, callbacks, question))
