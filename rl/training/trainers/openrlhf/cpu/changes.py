"""What OpenRLHF 0.11.2 needs changed to run without CUDA: one function a module. See README.md beside this file."""

from datetime import timedelta
from functools import wraps
from typing import Any

TIMEOUT = timedelta(seconds=300)


class _CpuDevice(str):
    """Stands for `torch.cuda.current_device()`: a device name that also formats as a device index ("cuda:{device}")."""

    __slots__ = ()

    def __format__(self, specification: str) -> str:
        return "0"


def without_cuda(_: Any) -> None:
    """torch.cuda's calls become the CPU, or nothing; meshes on "cuda" are made on "cpu"."""
    import torch
    import torch.distributed.device_mesh as meshes

    def no_call() -> Any:
        def nothing(*_: Any, **__: Any) -> None:
            """Each its own: torch's compiler refuses one function under several names."""

        return nothing

    torch.cuda.current_device = lambda: _CpuDevice("cpu")
    for name in ("set_device", "synchronize", "empty_cache", "current_stream"):
        setattr(torch.cuda, name, no_call())
    make_mesh = meshes.init_device_mesh

    @wraps(make_mesh)
    def on_cpu(device_type: str, *arguments: Any, **options: Any) -> Any:
        return make_mesh("cpu" if device_type == "cuda" else device_type, *arguments, **options)

    meshes.init_device_mesh = on_cpu
    distributed: Any = torch.distributed
    distributed.init_device_mesh = on_cpu


class _GlooGroup:
    """What OpenRLHF uses of a PyNcclCommunicator: broadcast."""

    def __init__(self, group: Any) -> None:
        self.group = group

    def broadcast(self, tensor: Any, src: int, stream: Any = None) -> None:
        import torch.distributed as distributed

        options = distributed.BroadcastOptions()
        options.rootRank, options.rootTensor = src, 0
        self.group.broadcast([tensor.contiguous()], options).wait()


def weights_over_gloo(module: Any) -> None:
    """The group that carries weights from the trainer to vLLM."""
    import torch

    distributed: Any = torch.distributed

    def connect(address: str, port: int, rank: int, world: int, device: Any) -> _GlooGroup:
        store = distributed.TCPStore(address, port, world, is_master=rank == 0, timeout=TIMEOUT)
        return _GlooGroup(distributed.ProcessGroupGloo(store, rank, world, TIMEOUT))

    def barrier() -> None:
        distributed.barrier()

    module.stateless_init_process_group = connect
    module.torch_dist_barrier_and_cuda_sync = barrier


def weights_into_cpu_memory(module: Any) -> None:
    """vLLM's side of a weight update, which allocates on "cuda"."""

    def update_weight(self: Any, name: str, dtype: Any, shape: Any, empty_cache: bool = False) -> None:
        import torch

        if dtype != self.model_config.dtype:
            raise TypeError(f"Got {name} as {dtype}, expected the engine's {self.model_config.dtype}.")
        weight = torch.empty(shape, dtype=dtype)
        self._model_update_group.broadcast(weight, src=0)
        self.model_runner.model.load_weights(weights=[(name, weight)])

    module.WorkerWrap.update_weight = update_weight


def float32_model(module: Any) -> None:
    """The trainer's weights."""
    import torch

    def always_float32(param_dtype: str) -> torch.dtype:
        return torch.float32

    module.convert_to_torch_dtype = always_float32


def float32_deepspeed(module: Any) -> None:
    """DeepSpeed's configuration: neither bf16 nor fp16."""
    for name in ("get_train_ds_config", "get_eval_ds_config"):
        made = getattr(module, name)

        def configure(*arguments: Any, _made: Any = made, **options: Any) -> Any:
            return _made(*arguments, **{**options, "param_dtype": "fp32"})

        setattr(module, name, configure)


def float32_engine(module: Any) -> None:
    """The rollout engine."""
    engine_arguments = module.vllm.AsyncEngineArgs

    def in_float32(*arguments: Any, **options: Any) -> Any:
        return engine_arguments(*arguments, **{**options, "dtype": "float32"})

    module.vllm.AsyncEngineArgs = in_float32


def plain_matrix_products(module: Any) -> None:
    """vLLM's CPU kernels repack a layer's weights and put a bare parameter in their place, which cannot be updated."""
    from torch.nn.functional import linear

    def use_torch(layer: Any, remove_weight: bool) -> None:
        layer.cpu_linear = linear

    module.dispatch_cpu_unquantized_gemm = use_torch


CHANGES = {
    "vllm.model_executor.layers.utils": plain_matrix_products,
    "openrlhf": without_cuda,
    "openrlhf.utils.distributed_util": weights_over_gloo,
    "openrlhf.trainer.ray.vllm_worker_wrap": weights_into_cpu_memory,
    "openrlhf.utils.utils": float32_model,
    "openrlhf.utils.deepspeed.deepspeed_utils": float32_deepspeed,
    "openrlhf.trainer.ray.vllm_engine": float32_engine,
}
