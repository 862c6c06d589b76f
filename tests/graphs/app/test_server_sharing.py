"""Locks between real processes: one looks at a time, and a user is one until it ends, however it ends."""

import os
import subprocess
import sys
import threading
from pathlib import Path

from agent.serving.server_record import ServerRecord
from graphs.app.server_sharing import has_other_users, one_at_a_time, use

ROOT = Path(__file__).parents[3]
SERVER = ServerRecord.model_construct(pid=12345)
USES = """
import sys
from pathlib import Path
from agent.serving.server_record import ServerRecord
from graphs.app.server_sharing import one_at_a_time, use

with one_at_a_time(Path(sys.argv[1]), lambda: None):
    use(Path(sys.argv[1]), ServerRecord.model_construct(pid=12345))
print("uses", flush=True)
sys.stdin.read()
"""


def another_user(folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", USES, str(folder)]
    process = subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == "uses\n"
    return process


def test_a_user_is_one_until_it_ends(tmp_path: Path) -> None:
    assert not has_other_users(tmp_path, SERVER)
    use(tmp_path, SERVER)
    assert not has_other_users(tmp_path, SERVER)
    other = another_user(tmp_path)
    assert has_other_users(tmp_path, SERVER)
    assert not has_other_users(tmp_path, SERVER.model_copy(update={"pid": 54321}))
    other.kill()
    other.communicate()
    assert not has_other_users(tmp_path, SERVER)


def test_the_users_of_an_earlier_server_are_forgotten(tmp_path: Path) -> None:
    use(tmp_path, SERVER)
    use(tmp_path, SERVER.model_copy(update={"pid": 54321}))
    assert [path.name for path in tmp_path.glob("*.users")] == ["server-54321.users"]
    other = another_user(tmp_path)
    assert has_other_users(tmp_path, SERVER)
    other.communicate("")
    assert not has_other_users(tmp_path, SERVER)


def test_who_comes_second_is_told_and_waits(tmp_path: Path) -> None:
    entered, waits, order = threading.Event(), threading.Event(), list[str]()

    def second() -> None:
        with one_at_a_time(tmp_path, waits.set):
            order.append("second")

    def first() -> None:
        with one_at_a_time(tmp_path, lambda: order.append("waited")):
            entered.set()
            waits.wait(60)
            order.append("first")

    threads = [threading.Thread(target=target) for target in (first, second)]
    threads[0].start()
    assert entered.wait(60)
    threads[1].start()
    for thread in threads:
        thread.join(60)
    assert order == ["first", "second"]
