"""Small folders in the layouts of the benchmarks' authors, with made-up questions about noise.

Each function writes one layout into an empty folder. Every set holds two questions on one picture, and a picture that
is there twice under two names, in different official splits.
"""

import csv
import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

OPTIONS = ("Pneumonia", "Edema", "Fracture", "Normal")


def picture(number: int) -> bytes:
    """A PNG of 40 x 30 pixels of noise."""
    file = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 256, (30, 40), dtype=np.uint8)
    Image.fromarray(pixels).save(file, format="png")
    return file.getvalue()


def put(path: Path, number: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(number))


def dump(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def vqa_rad(folder: Path) -> None:
    rows: list[dict[str, Any]] = []
    for number in range(12):
        name = f"synpic{number}.jpg"
        put(folder / "VQA_RAD Image Folder" / name, 0 if number == 1 else number)
        for question, answer, kind in (("Is there a mass?", "Yes", "CLOSED "), ("Where is it?", "left lung", "OPEN")):
            phrase = "test_freeform" if number % 2 else "freeform"
            row = {"qid": str(len(rows)), "phrase_type": phrase, "image_name": name, "question": question}
            rows.append({**row, "answer": answer, "answer_type": kind, "question_type": "PRES"})
    dump(folder / "VQA_RAD Dataset Public.json", rows)


def slake(folder: Path) -> None:
    qid = 0
    for split, numbers in (("train", range(8)), ("validate", (8, 9)), ("test", (10, 11))):
        rows: list[dict[str, Any]] = []
        for number in numbers:
            place = folder / "imgs" / f"xmlab{number}"
            put(place / "source.jpg", 0 if number == 10 else number)
            dump(place / "detection.json", [{"Liver": [5, 6, 10, 12]}, {"Spleen": [20, 5, 8, 8]}])
            for language, question, answer, kind in (
                ("en", "Is the liver enlarged?", "No", "CLOSED"),
                ("en", "Which organ is on the right?", "Spleen", "OPEN"),
                ("zh", "肝脏大吗?", "不", "CLOSED"),
            ):
                qid += 1
                row = {"img_id": number, "img_name": f"xmlab{number}/source.jpg", "question": question}
                rows.append({**row, "answer": answer, "q_lang": language, "answer_type": kind, "qid": qid})
        dump(folder / f"{split}.json", rows)


def path_vqa(folder: Path) -> None:
    for split, numbers in (("train", range(8)), ("val", (8, 9)), ("test", (10, 11))):
        rows: list[dict[str, str]] = []
        for number in numbers:
            put(folder / "images" / split / f"{split}_{number:04}.jpg", 0 if number == 10 else number)
            rows.append({"image": f"{split}_{number:04}", "question": "Is necrosis present?", "answer": "yes"})
            rows.append({"image": f"{split}_{number:04}", "question": "What is shown?", "answer": "liver tissue"})
        (folder / "qas" / split).mkdir(parents=True)
        (folder / "qas" / split / f"{split}_qa.pkl").write_bytes(pickle.dumps(rows))


def pmc_vqa(folder: Path) -> None:
    columns = ["Figure_path", "Question", "Answer", *(f"Choice {letter}" for letter in "ABCD"), "Answer_label"]
    for name, numbers in (("train.csv", range(9)), ("test_clean.csv", (9, 10, 11))):
        with (folder / name).open("w", newline="") as file:
            lines = csv.DictWriter(file, columns)
            lines.writeheader()
            for number in numbers:
                put(folder / "images" / f"PMC{number}.jpg", 0 if number == 10 else number)
                for label in "AB":
                    choices = {
                        f"Choice {letter}": f" {letter}:{text} " for letter, text in zip("ABCD", OPTIONS, strict=True)
                    }
                    asked = {"Figure_path": f"PMC{number}.jpg", "Question": "What is shown, in figure a?"}
                    lines.writerow({**asked, "Answer": OPTIONS["AB".index(label)], **choices, "Answer_label": label})


def omnimedvqa(folder: Path) -> None:
    for file, numbers in (("Chest CT Scan.json", range(6)), ("Retina.json", range(6, 12))):
        rows: list[dict[str, str]] = []
        for number in numbers:
            put(folder / "Images" / f"{number}.png", 0 if number == 10 else number)
            for kind in ("Disease Diagnosis", "Modality Recognition"):
                options = {f"option_{letter}": text for letter, text in zip("ABCD", OPTIONS, strict=True)}
                if number == 3:
                    del options["option_C"], options["option_D"]
                asked = {
                    "question_id": f"{file[0]}{number}{kind[0]}",
                    "question_type": kind,
                    "question": "What is this?",
                }
                asked |= {
                    "gt_answer": "Edema",
                    "image_path": f"Images/{number}.png",
                    "modality_type": file.split(".")[0],
                }
                rows.append({**asked, **options})
        dump(folder / "QA_information" / "Open-access" / file, rows)


def medxpertqa(folder: Path) -> None:
    texts = dict(zip("ABCDE", (*OPTIONS, "Gout"), strict=True))
    for split, numbers in (("dev", (0, 1)), ("test", range(2, 12))):
        (folder / "MM").mkdir(exist_ok=True)
        lines: list[str] = []
        for number in numbers:
            names = [f"MM-{number}-a.jpeg", f"MM-{number}-b.jpeg"]
            put(folder / "images" / names[0], 0 if number == 10 else number)
            put(folder / "images" / names[1], 100 + number // 2)  # shared by two questions
            listed = [{"letter": letter, "content": text} for letter, text in texts.items()]
            question = "A man coughs.\nAnswer Choices: (A) Pneumonia (B) Edema"
            row = {"id": f"MM-{number}", "question": question, "options": listed if number % 2 else texts, "label": "E"}
            lines.append(json.dumps({**row, "images": names, "question_type": "Reasoning"}))
        (folder / "MM" / f"{split}.jsonl").write_text("\n".join(lines))


def mmmu_medical(folder: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    for subject in ("Basic_Medical_Science", "Pharmacy"):
        (folder / subject).mkdir()
        for split, numbers in (("dev", (0, 1)), ("validation", range(2, 10)), ("test", (10, 11))):
            rows: list[dict[str, Any]] = []
            for number in numbers:
                shown = picture(0 if number == 9 else number if subject == "Pharmacy" else 50 + number)
                choice = {"options": str(list(OPTIONS)), "answer": "B", "question_type": "multiple-choice"}
                open_one = {"options": "[]", "answer": "7", "question_type": "open"}
                row = {"id": f"{split}_{subject}_{number}", "question": "See <image 2>. What is it?"}
                row |= {
                    **(choice if number % 3 else open_one),
                    "image_1": None,
                    "image_2": {"bytes": shown, "path": "x.png"},
                }
                rows.append({**row, "answer": "?"} if split == "test" else row)
            file = folder / subject / f"{split}-00000-of-00001.parquet"
            parquet.write_table(pa.Table.from_pylist(rows), file)


def as_parquet(folder: Path, splits: dict[str, tuple[int, ...]]) -> None:
    """The form of the hub: image, question, answer, in data/."""
    import pyarrow as pa
    from pyarrow import parquet

    (folder / "data").mkdir(parents=True)
    meta = {"info": {"features": {"image": {"_type": "Image"}}}}
    for split, numbers in splits.items():
        rows = [
            {"image": {"bytes": picture(number), "path": None}, "question": "Is it?", "answer": "yes"}
            for number in numbers
        ]
        table = pa.Table.from_pylist(rows)
        features = {name: {"dtype": "string", "_type": "Value"} for name in ("question", "answer")}
        info = {"info": {"features": {**meta["info"]["features"], **features}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
        parquet.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "vqa_rad": vqa_rad,
    "slake": slake,
    "path_vqa": path_vqa,
    "pmc_vqa": pmc_vqa,
    "omnimedvqa": omnimedvqa,
    "medxpertqa": medxpertqa,
    "mmmu_medical": mmmu_medical,
}
