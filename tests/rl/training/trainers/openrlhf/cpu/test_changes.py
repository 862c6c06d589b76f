"""Each change does to a module what the README beside it says; and OpenRLHF and vLLM still have what is changed."""

import ast
import importlib.util
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.distributed.device_mesh as meshes

from agent.serving import confined
from agent.serving.server_command import CPU_ADAPTATION as SERVING_ADAPTATION
from rl.training.trainers.openrlhf.command import CPU_ADAPTATION
from rl.training.trainers.openrlhf.cpu import changes

CHANGED_NAMES = {
    "vllm.model_executor.layers.utils": ("dispatch_cpu_unquantized_gemm",),
    "openrlhf": (),
    "openrlhf.utils.distributed_util": ("stateless_init_process_group", "torch_dist_barrier_and_cuda_sync"),
    "openrlhf.trainer.ray.vllm_worker_wrap": ("WorkerWrap", "update_weight"),
    "openrlhf.utils.utils": ("convert_to_torch_dtype",),
    "openrlhf.utils.deepspeed.deepspeed_utils": ("get_train_ds_config", "get_eval_ds_config"),
    "openrlhf.trainer.ray.vllm_engine": ("vllm",),
}


@pytest.mark.parametrize("name", changes.CHANGES)
def test_the_installed_version_has_what_is_changed(name: str) -> None:
    spec = importlib.util.find_spec(name.partition(".")[0])
    assert spec is not None and spec.origin is not None
    file = Path(spec.origin).parent.joinpath(*name.split(".")[1:])
    tree = ast.parse((file / "__init__.py" if file.is_dir() else file.with_suffix(".py")).read_text())
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert set(CHANGED_NAMES[name]) <= defined | imported


@pytest.fixture
def without_cuda(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The change made to this process's torch until the test ends; the list notes what meshes are asked for."""
    asked: list[tuple[Any, ...]] = []
    for name in ("current_device", "set_device", "synchronize", "empty_cache", "current_stream"):
        monkeypatch.setattr(torch.cuda, name, getattr(torch.cuda, name))
    monkeypatch.setattr(meshes, "init_device_mesh", lambda *arguments, **options: asked.append((*arguments, options)))
    monkeypatch.setattr(torch.distributed, "init_device_mesh", None, raising=False)
    changes.without_cuda(None)
    return asked


@pytest.mark.usefixtures("without_cuda")
def test_the_current_device_is_the_cpu_however_it_is_written() -> None:
    device = torch.cuda.current_device()
    assert torch.empty(2, device=device).device == torch.device("cpu")
    assert torch.zeros(1).to(device).device.type == "cpu"
    assert f"cuda:{device}" == "cuda:0"


@pytest.mark.usefixtures("without_cuda")
def test_what_only_cuda_needs_does_nothing() -> None:
    assert torch.cuda.set_device(3) is None
    assert torch.cuda.synchronize() is None
    assert torch.cuda.empty_cache() is None
    assert torch.cuda.current_stream(device=0) is None
    assert torch.cuda.synchronize is not torch.cuda.empty_cache  # torch's compiler refuses one under two names


def test_meshes_asked_for_on_cuda_are_made_on_the_cpu(without_cuda: list[tuple[Any, ...]]) -> None:
    made: Any = torch.distributed.init_device_mesh
    assert made is meshes.init_device_mesh
    made("cuda", (1, 1), mesh_dim_names=("a", "b"))
    made("cpu", (2,))
    assert without_cuda == [("cpu", (1, 1), {"mesh_dim_names": ("a", "b")}), ("cpu", (2,), {})]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_weights_travel_over_gloo() -> None:
    module: Any = SimpleNamespace()
    changes.weights_over_gloo(module)
    port, sent = free_port(), torch.arange(6.0).reshape(2, 3).T  # not contiguous

    def trainer() -> None:
        module.stateless_init_process_group("127.0.0.1", port, 0, 2, "cuda").broadcast(sent, src=0, stream=None)

    def engine() -> torch.Tensor:
        received = torch.zeros(3, 2)
        module.stateless_init_process_group("127.0.0.1", port, 1, 2, "cuda").broadcast(received, src=0)
        return received

    with ThreadPoolExecutor(2) as both:
        sending, receiving = both.submit(trainer), both.submit(engine)
        sending.result(timeout=60)
        assert torch.equal(receiving.result(timeout=60), sent)


def test_an_engine_takes_a_weight_into_cpu_memory() -> None:
    module: Any = SimpleNamespace(WorkerWrap=type("WorkerWrap", (), {}))
    changes.weights_into_cpu_memory(module)
    loaded: list[tuple[str, torch.Tensor]] = []
    worker = module.WorkerWrap()
    worker.model_config = SimpleNamespace(dtype=torch.float32)
    worker._model_update_group = SimpleNamespace(broadcast=lambda tensor, src: tensor.fill_(src + 7.0))
    worker.model_runner = SimpleNamespace(model=SimpleNamespace(load_weights=lambda weights: loaded.extend(weights)))
    worker.update_weight("lm_head", torch.float32, (2, 3))
    ((name, weight),) = loaded
    assert name == "lm_head" and torch.equal(weight, torch.full((2, 3), 7.0))
    with pytest.raises(TypeError, match=r"Got norm as torch.bfloat16, expected the engine's torch.float32"):
        worker.update_weight("norm", torch.bfloat16, (3,))


def test_the_trainer_and_deepspeed_use_float32_whatever_they_are_told() -> None:
    def configured(offload: bool, stage: int = 2, param_dtype: str = "bf16") -> tuple[bool, int, str]:
        return offload, stage, param_dtype

    model: Any = SimpleNamespace(convert_to_torch_dtype=None)
    deepspeed: Any = SimpleNamespace(get_train_ds_config=configured, get_eval_ds_config=configured)
    changes.float32_model(model)
    changes.float32_deepspeed(deepspeed)
    assert model.convert_to_torch_dtype("bf16") is torch.float32
    assert deepspeed.get_train_ds_config(True, stage=3, param_dtype="bf16") == (True, 3, "fp32")
    assert deepspeed.get_eval_ds_config(offload=False) == (False, 2, "fp32")


def test_the_rollout_engine_uses_float32() -> None:
    module: Any = SimpleNamespace(vllm=SimpleNamespace(AsyncEngineArgs=lambda *given, **options: (given, options)))
    changes.float32_engine(module)
    made = module.vllm.AsyncEngineArgs("a", model="policy", dtype="bfloat16")
    assert made == (("a",), {"model": "policy", "dtype": "float32"})


def test_the_rollout_engine_keeps_its_weights_where_they_can_be_updated() -> None:
    module: Any = SimpleNamespace(dispatch_cpu_unquantized_gemm=None)
    changes.plain_matrix_products(module)
    layer: Any = SimpleNamespace(weight=torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    kept = layer.weight
    module.dispatch_cpu_unquantized_gemm(layer, remove_weight=True)
    assert layer.weight is kept
    product = layer.cpu_linear(torch.tensor([[10.0, 1.0]]), layer.weight, torch.tensor([0.5, 0.0]))
    assert product.tolist() == [[12.5, 34.0]]  # 10 * 1 + 1 * 2 + 0.5 and 10 * 3 + 1 * 4


def run_behind_the_adaptation(code: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(CPU_ADAPTATION), str(SERVING_ADAPTATION), str(confined.FOLDER)]),
    }
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("flash_attn", "needs_a_gpu"),
        ("flash_attn.bert_padding", "index_first_axis"),
        ("flash_attn.bert_padding", "pad_input"),
        ("flash_attn.bert_padding", "unpad_input"),
        ("flash_attn.utils.distributed", "all_gather"),
    ],
)
def test_flash_attention_can_be_imported_and_not_called(module: str, name: str) -> None:
    done = run_behind_the_adaptation(f"from {module} import {name}; {name}(1, dim=2)")
    assert done.returncode == 1
    assert "RuntimeError: flash_attn was called without a GPU: turn --ds.packing_samples" in done.stderr


def test_a_process_behind_the_adaptation_watches_for_every_change() -> None:
    done = run_behind_the_adaptation(
        "import sys; watcher = sys.meta_path[0]; print(sorted(watcher.changes)); print('torch' in sys.modules)"
    )
    assert done.stdout.splitlines() == [str(sorted(changes.CHANGES)), "False"], done.stderr


@pytest.mark.slow
def test_an_unmodified_openrlhf_is_changed_where_it_is_imported() -> None:
    done = run_behind_the_adaptation(
        "import openrlhf.utils.utils as utils, torch; print(utils.convert_to_torch_dtype('bf16'));"
        "print(torch.empty(1, device=torch.cuda.current_device()).device)"
    )
    assert done.stdout.splitlines()[-2:] == ["torch.float32", "cpu"], done.stderr
