"""`python -m rl.trajectories check|seal|export PATH`: episodes read back, checked, and chosen for warm-up.

Exit status: 0 all sound, 1 something was refused or damaged, 2 it could not be read at all. Research use only, not a
medical device.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from tqdm import tqdm

from agent.chat.loading import family_in
from agent.encoder import Encoder, EncodingError
from rl.trajectories.audit import Audit, audit
from rl.trajectories.export import Choice, choose
from rl.trajectories.folders import BASE, IMAGES, TRAJECTORIES, FolderError, open_folders
from rl.trajectories.shards import ShardError
from rl.trajectories.store import TrajectoryStore
from tools.errors import ImageError
from tools.images.store import ImageStore
from tools.private_files import WriteError, private_folder, write_private

UNSOUND, REFUSED = 1, 2
DEFAULT = Choice()


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m rl.trajectories", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="read every episode back and check it as training would")
    checking.add_argument("--checkpoint", type=Path, help=f"whose encoder wrote the ids (default: PATH/{BASE})")
    checking.add_argument("--json", action="store_true", help="print the findings as JSON")
    sealing = commands.add_parser("seal", help="make Parquet shards of what writers that are gone left unsealed")
    exporting = commands.add_parser("export", help="choose episodes for warm-up, and copy them and their images")
    exporting.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    exporting.add_argument("--stage", action="append", help="a stage to take from (default: all; may be repeated)")
    exporting.add_argument("--least-reward", type=float, metavar="R", help="leave out episodes that earned less")
    exporting.add_argument("--wrong-too", action="store_true", help="also wrong answers (default: right ones only)")
    exporting.add_argument("--per-task", type=int, default=DEFAULT.per_task, help="default: %(default)s")
    exporting.add_argument("--per-kind", type=int, help="default: as many as the rarest kind has")
    exporting.add_argument("--seed", type=int, default=DEFAULT.seed, help="default: %(default)s")
    for command in (checking, sealing, exporting):
        command.add_argument("path", type=Path, metavar="PATH", help="a run, an evaluation, or a folder of shards")
        command.add_argument("--images", type=Path, help="default: images/ beside the trajectories")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    asked = parse(argv)
    try:
        if asked.command == "check":
            return check(asked)
        return seal(asked) if asked.command == "seal" else export(asked)
    except (FolderError, EncodingError, ShardError, ImageError, WriteError) as error:
        print(f"error: {error}", file=sys.stderr)
        return REFUSED


def check(asked: argparse.Namespace) -> int:
    """Checks every stage."""
    folders = open_folders(asked.path, asked.images, asked.checkpoint)
    if folders.base is None:
        raise FolderError(f"Got {asked.path} without {BASE} above it; name the checkpoint by --checkpoint.")
    encoder, images = family_in(folders.base), ImageStore(folders.images)
    found = [_audited(store, images, encoder) for store in folders.stores()]
    if asked.json:
        print(json.dumps([each.to_plain() for each in found], indent=2))
    else:
        for each in found:
            print(_told(each))
    return 0 if all(each.sound for each in found) else UNSOUND


def _audited(store: TrajectoryStore, images: ImageStore, encoder: Encoder) -> Audit:
    with tqdm(total=store.count(), desc=f"check {store.folder.name}", unit="episode", leave=False) as bar:
        last = Audit(store.folder.name)
        for last in audit(store, images, encoder):
            bar.update(last.episodes - int(bar.n))
        return last


def _told(found: Audit) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(found.by_kind.items()))
    lines = [
        f"{found.stage}: {found.episodes} episodes ({kinds}) in {found.shards} shards and {found.journals} journals; "
        f"{found.refused} refused, {found.imitation_only} for imitation only, {found.damaged} shards damaged"
    ]
    return "\n".join([*lines, *(f"  {fault}" for fault in found.faults)])


def seal(asked: argparse.Namespace) -> int:
    """Seals every stage."""
    for store in open_folders(asked.path, asked.images).stores():
        store.seal()
        print(f"{store.folder.name}: {store.count()} episodes in {len(store.files())} files")
    return 0


def export(asked: argparse.Namespace) -> int:
    """Copies the chosen episodes and their images."""
    folders = open_folders(asked.path, asked.images)
    stores = [store for store in folders.stores() if not asked.stage or store.folder.name in asked.stage]
    if not stores:
        known = ", ".join(stage.name for stage in folders.stages)
        raise FolderError(f"Got --stage {' '.join(asked.stage)}, expected some of: {known}.")
    if (asked.out / TRAJECTORIES).exists():
        raise FolderError(f"Got --out {asked.out}, which holds trajectories already; choose another folder.")
    choice = Choice(asked.least_reward, not asked.wrong_too, asked.per_task, asked.per_kind, asked.seed)
    chosen = choose(chain.from_iterable(stores), choice)
    source = ImageStore(folders.images)
    with TrajectoryStore(asked.out / TRAJECTORIES) as out:
        for trajectory in tqdm(chosen.taken, desc="export", unit="episode"):
            for image in trajectory.images:
                copy_image(image, source, asked.out / IMAGES)
            out.add(trajectory)
    kinds = Counter(str(each.task["kind"]) for each in chosen.taken)
    print(
        f"{chosen.read} episodes: {len(chosen.taken)} taken ({', '.join(f'{k} {n}' for k, n in sorted(kinds.items()))})"
        f", {chosen.rejected} rejected, {chosen.doubles} doubles, {chosen.surplus} more than needed\n{asked.out}"
    )
    return 0


def copy_image(image: str, source: ImageStore, folder: Path) -> None:
    """Copies an image's files as they are, the small JSON file last: it says that the other is whole."""
    path = source.path(image)
    target = folder / path.relative_to(source.folder)
    if not target.with_suffix(".json").exists():
        private_folder(target.parent)
        for each in (path, path.with_suffix(".json")):
            write_private(target.with_suffix(each.suffix), each.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
