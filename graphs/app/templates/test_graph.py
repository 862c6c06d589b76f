"""new_graph: what it asks the policy, and what it answers."""

import asyncio
from pathlib import Path

import numpy as np

from agent.chat.loading import family_in
from agent.policies.scripted import ScriptedPolicy
from agent.protocol import Turn
from graphs.app.chat_model import chat_model
from graphs.app.default_checkpoint import embedded
from graphs.app.loading import find_graph
from tools.images.image import MedicalImage
from tools.images.store import ImageStore


def test_it_answers_what_the_policy_says_last(tmp_path: Path) -> None:
    family, store = family_in(embedded()), ImageStore(tmp_path)
    policy = ScriptedPolicy([Turn("At once.", answer="solid"), Turn("Doubt.", answer="cystic")], family)
    graph = find_graph("new_graph").compiled(chat_model(policy, family, store), ())
    image = store.put(MedicalImage(np.zeros((64, 64), np.uint8)))
    done = asyncio.run(graph.ainvoke({"images": [image], "question": "What is it?"}))
    assert (done["answer"], done["outcome"], done["turns"]) == ("cystic", "answered", 2)
