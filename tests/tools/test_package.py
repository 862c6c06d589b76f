"""`import tools` is cheap, and everything it promises is there."""

import subprocess
import sys

import tools


def test_no_heavy_library_is_imported_by_any_tool() -> None:
    program = (
        "import sys, tools; light = len(sys.modules)\n"
        "assert not {'numpy', 'pydantic', 'langchain_core'} & set(sys.modules)\n"
        "from tools import Toolbox, load_tools; load_tools()\n"
        "heavy = {'torch', 'vllm', 'ray', 'transformers', 'openrlhf', 'deepspeed', 'SimpleITK', 'skimage', 'pydicom',"
        "'nibabel', 'onnxruntime', 'rapidocr', 'cv2', 'scipy'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout == "[]\n"


def test_every_public_name_is_there() -> None:
    for name in tools.__all__:
        assert getattr(tools, name).__name__ == name or name in ("Box", "Point")
    assert not hasattr(tools, "nothing_of_this_name")
