"""Teaches the base to see: lessons in, a checkpoint out. Deterministic for a seed and a number of threads.

AdamW with warm-up and cosine decay on next-token cross-entropy of the turn, plus half the cross-entropy of the dense
cell labels. Lessons are drawn by a worker process while the model learns, so no lesson is ever seen twice.
"""

import argparse
import hashlib
import itertools
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, IterableDataset
from tqdm import tqdm

from agent.chat.families.medvista import MedVista
from agent.chat.loading import family_in
from agent.encoder import Encoder
from agent.prompt import system_prompt
from rl.tasks.demonstrator import LOOK, SEEN
from rl.tasks.phantoms.expert import MEASURE
from rl.tasks.phantoms.image import TYPES
from rl.tasks.phantoms.questions import QUESTIONS
from rl.toy.lessons import CALL_MEASURE, CALL_ZOOM, CALL_ZOOM_BOTH, CALL_ZOOM_ONE, NOTHING, Lesson, Lessons, Teacher
from rl.toy.model import build_model, build_processor
from rl.toy.tokenizer import build_tokenizer

IGNORED = -100


@dataclass(frozen=True)
class Plan:
    """How long and how fast the base learns."""

    steps: int = 4000
    phantoms: int = 3
    """Of each sort (one lesion, two lesions; or smear, nuclei) a step; ten lessons for one of each."""
    learning_rate: float = 1.8e-3
    warmup_steps: int = 100
    dense_weight: float = 0.5
    seed: int = 0
    start: str | None = None
    """A checkpoint of the same architecture and tokenizer to go on from; its lessons need another seed."""


def pieces(tool_section: str) -> list[str]:
    """The agent's fixed pieces of text, each one token of the embedded policy."""
    lines = itertools.chain(system_prompt("").split("\n"), system_prompt(tool_section).split("\n"))
    call = '<tool_call>{{"name": "{}", "arguments": {{"image": '
    form = [
        "<think>",
        "</think>",
        "<answer>",
        "</answer>",
        LOOK,
        MEASURE,
        SEEN,
        "Image ",
        ": ",
        ", ",
        "]}}</tool_call>",
    ]
    form += [call.format("zoom_in"), call.format("measure_distance"), ', "box": [', ', "start": [', '], "end": [']
    return [*lines, *form]


def corpus() -> list[str]:
    """Text whose words the tokenizer should know."""
    words = [*QUESTIONS.values(), CALL_ZOOM, CALL_ZOOM_BOTH, *CALL_ZOOM_ONE, CALL_MEASURE, NOTHING, " ".join(TYPES)]
    said = [
        "upper left upper right lower left lower right",
        "<answer>upper",
        "<answer>lower",
        "yes",
        "no",
        " mm lesion",
    ]
    observed = ["Closer view of image 1.", "Distance: ", "system user assistant", "did not run", "could not be read"]
    return [*words, *[f" {name}" for name in TYPES], *TYPES, *said, *observed] * 20


class Steps(IterableDataset[dict[str, Any]]):
    """Training batches, one a step; step k depends on the seed and k alone."""

    def __init__(self, teacher: Lessons, encoder: Encoder, plan: Plan) -> None:
        self.teacher, self.encoder, self.plan = teacher, encoder, plan

    def __iter__(self) -> Iterator[dict[str, Any]]:
        torch.set_num_threads(1)
        for step in range(self.plan.steps):
            rng = np.random.default_rng([self.plan.seed, 20, step])
            yield collate(self.teacher.step(rng, self.plan.phantoms), self.encoder)


def collate(lessons: list[Lesson], encoder: Encoder) -> dict[str, Any]:
    """A right-padded batch: ids, labels of the turns, dense labels at image tokens, pixels and grids."""
    rows: list[tuple[list[int], list[int], list[int]]] = []
    unique = {id(view.image): view.image for lesson in lessons for each in lesson for view in each.views}
    looked = {key: encoder.grid(image) for key, image in unique.items()}
    seen = encoder.mm_inputs(list(unique.values()))
    shown = [id(view.image) for lesson in lessons for each in lesson for view in each.views]
    for lesson in lessons:
        ids: list[int] = []
        labels: list[int] = []
        dense: list[int] = []
        for each in lesson:
            prompt, spans = encoder.encode(each.prompt, [looked[id(view.image)] for view in each.views])
            prompt += encoder.encode(each.given)[0]
            target, _ = encoder.encode(each.target)
            cells = [IGNORED] * (len(prompt) + len(target))
            for span, view in zip(spans, each.views, strict=True):
                assert len(view.cells) == span.length, f"{len(view.cells)} words for {span.length} image tokens"
                words = [encoder.encode(word)[0][0] if word else IGNORED for word in view.cells]
                cells[span.start : span.start + span.length] = words
            ids += prompt + target
            labels += [IGNORED] * len(prompt) + target
            dense += cells
        rows.append((ids, labels, dense))
    longest = max(len(ids) for ids, _, _ in rows)

    def padded(column: int, filler: int) -> torch.Tensor:
        return torch.tensor([list(row[column]) + [filler] * (longest - len(row[column])) for row in rows])

    pad = encoder.tokenizer.pad_token_id
    return {
        "input_ids": padded(0, pad),
        "attention_mask": torch.tensor([[1] * len(row[0]) + [0] * (longest - len(row[0])) for row in rows]),
        "labels": padded(1, IGNORED),
        "dense": padded(2, IGNORED),
        "pixel_values": seen["pixel_values"],
        "unique_grid_thw": seen["image_grid_thw"],
        "image_grid_thw": torch.tensor([looked[key] for key in shown]),
        "shown": [list(looked).index(key) for key in shown],
    }


def look_once(model: Any, batch: dict[str, Any]) -> None:
    """Lets the model see each picture of a batch once, however many lessons show it."""
    towers: Any = cast(Any, type(model.model)).get_image_features

    def features(pixel_values: torch.Tensor, image_grid_thw: torch.Tensor, **options: Any) -> Any:
        seen: Any = towers(model.model, pixel_values, batch["unique_grid_thw"], **options)
        sizes = [len(tokens) for tokens in seen.pooler_output]
        layers = [torch.split(layer, sizes) for layer in seen.deepstack_features]
        seen.pooler_output = [seen.pooler_output[picture] for picture in batch["shown"]]
        seen.deepstack_features = [torch.cat([layer[picture] for picture in batch["shown"]]) for layer in layers]
        return seen

    model.model.get_image_features = features


def weights_hash(folder: str | None) -> str | None:
    """SHA-256 of a checkpoint's weights: says what was gone on from wherever it lay."""
    return None if folder is None else hashlib.sha256((Path(folder) / "model.safetensors").read_bytes()).hexdigest()


def begun(folder: Path, encoder: Encoder) -> dict[str, torch.Tensor]:
    """The weights in `folder`, in float32. Raises ValueError where its tokenizer is another one."""
    from transformers import AutoModelForImageTextToText

    before = family_in(folder).tokenizer.get_vocab()
    if before != encoder.tokenizer.get_vocab():
        raise ValueError(f"Got {folder} with another tokenizer; the pieces of the agent's text changed: teach anew.")
    return cast(Any, AutoModelForImageTextToText).from_pretrained(folder, dtype=torch.float32).state_dict()


def losses(model: Any, batch: dict[str, Any], image_pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(turn loss, dense loss): mean cross-entropies; only labelled positions pass the output head."""
    look_once(model, batch)
    hidden = model.model(
        input_ids=batch["input_ids"],
        attention_mask=batch["attention_mask"],
        pixel_values=batch["pixel_values"],
        image_grid_thw=batch["image_grid_thw"],
        mm_token_type_ids=(batch["input_ids"] == image_pad).int(),
        use_cache=False,
    ).last_hidden_state
    turn, dense = batch["labels"][:, 1:] != IGNORED, batch["dense"] != IGNORED
    turn_loss = cross_entropy(model.lm_head(hidden[:, :-1][turn]), batch["labels"][:, 1:][turn])
    dense_loss = cross_entropy(model.lm_head(hidden[dense]), batch["dense"][dense])
    return turn_loss, dense_loss


def teach(out: Path, teacher: Lessons, encoder: Encoder, plan: Plan) -> None:
    """Trains a base and writes its checkpoint (weights, tokenizer, image processor, losses) to `out`."""
    cast(Any, torch).manual_seed(plan.seed)
    model = build_model(encoder.tokenizer, plan.seed)
    if plan.start is not None:
        model.load_state_dict(begun(Path(plan.start), encoder))
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.98))

    def factor(step: int) -> float:
        if step < plan.warmup_steps:
            return (step + 1) / plan.warmup_steps
        through = (step - plan.warmup_steps) / max(1, plan.steps - plan.warmup_steps)
        return 0.02 + 0.98 * (1 + math.cos(math.pi * through)) / 2

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    batches = DataLoader(Steps(teacher, encoder, plan), batch_size=None, num_workers=1, prefetch_factor=4)
    history: list[tuple[int, float, float]] = []
    bar = tqdm(batches, total=plan.steps, desc="base", unit="step", mininterval=2)
    started = time.time()
    for step, batch in enumerate(bar):
        with torch.autocast("cpu", torch.bfloat16):
            turn_loss, dense_loss = losses(model, batch, encoder.image_pad)
        cast(Any, turn_loss + plan.dense_weight * dense_loss).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        cast(Any, optimizer).step()
        schedule.step()
        optimizer.zero_grad()
        history.append((step, turn_loss.item(), dense_loss.item()))
        if step % 50 == 49:
            recent = np.mean(history[-50:], axis=0)
            bar.write(f"step {step + 1} turn {recent[1]:.4f} dense {recent[2]:.4f} seconds {time.time() - started:.0f}")
        if step % 500 == 499 or step + 1 == plan.steps:
            save(model, encoder.processor, out)
    (out / "teaching.json").write_text(
        json.dumps(
            {
                "plan": {**plan.__dict__, "start": weights_hash(plan.start)},
                "losses": history[:: max(1, plan.steps // 400)],
            }
        )
    )


def save(model: Any, processor: Any, out: Path) -> None:
    """Writes the checkpoint in bfloat16, the precision in which OpenRLHF trains and vLLM serves it."""
    out.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.to(torch.bfloat16) for name, tensor in model.state_dict().items()}
    model.config.dtype = "bfloat16"
    model.save_pretrained(out, state_dict=state)
    processor.save_pretrained(out)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Teach the embedded base policy to see.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=Plan.steps)
    parser.add_argument("--phantoms", type=int, default=Plan.phantoms)
    parser.add_argument("--learning-rate", type=float, default=Plan.learning_rate)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--start", help="a checkpoint to go on from, instead of fresh weights; give another seed")
    parser.add_argument(
        "--cells", type=Path, metavar="ROOT", help="lessons on real microscopy (rl/toy/cell_lessons.py)"
    )
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    from rl.rollout.run_parts import embedded_tools

    plan = Plan(
        steps=args.steps,
        phantoms=args.phantoms,
        learning_rate=args.learning_rate,
        seed=args.seed,
        start=args.start,
    )
    section = embedded_tools().prompt_section()
    encoder = MedVista(build_processor(build_tokenizer(corpus(), pieces(section))))
    if args.cells is None:
        teach(args.out, Teacher(section), encoder, plan)
    else:
        from rl.toy.cell_lessons import CellTeacher

        teach(args.out, CellTeacher(section, encoder, args.cells), encoder, plan)


if __name__ == "__main__":
    main()
