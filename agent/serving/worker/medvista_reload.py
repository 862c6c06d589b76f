"""What a reload of weights needs inside a vLLM worker, which vLLM 0.29 does not do (`--worker-extension-cls`).

On a CPU the output layer is packed into another layout when a model is loaded. Where it shares its weights with the
embedding, a checkpoint holds the embedding alone, so a reload never reaches the packed copy: the model would go on
speaking through the old output layer. `repack_output_layer` packs it anew.

vLLM 0.29 reloads in place, layer by layer: it lays each layer's tensors aside, buffers what comes for the layer, and
copies it over when the layer is complete. When a tensor does not fit, it stops in the middle and keeps the buffers: the
next reload, even of the right weights, meets the bad tensor again. `abandon_reload` forgets the buffers and puts the
layers' own tensors back. Layers that were complete by then hold new values: a reload of the old weights must follow.

A key-value block is not cleared when it is freed, and attention reads whole blocks: what it masks it multiplies by
zero, and zero times NaN is NaN. So weights that computed NaN would go on failing requests after they are gone, block by
block, until each was written full. `zero_caches` ends that.
"""

from typing import Any

import torch
from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead
from vllm.model_executor.model_loader.reload import layerwise


class ReloadRecovery:
    """Mixed into vLLM's worker class, so that `/collective_rpc` finds the method."""

    model_runner: Any

    def repack_output_layer(self) -> int:
        """Pack output layers from their present weights; returns how many there are. On a GPU this changes nothing."""
        heads = [layer for layer in self.model_runner.get_model().modules() if isinstance(layer, ParallelLMHead)]
        for head in heads:
            head.quant_method.process_weights_after_loading(head)
        return len(heads)

    def zero_caches(self) -> int:
        """Fill all key-value blocks with zeros and forget encoded images; returns the number of tensors filled."""
        filled = 0
        with torch.inference_mode():  # the only mode that may write both kinds of tensor, made inside it and outside
            for cache in self.model_runner.kv_caches:
                for tensor in (
                    (cache,) if isinstance(cache, torch.Tensor) else cache
                ):  # some kinds of layer keep several
                    tensor.zero_()
                    filled += 1
        self.model_runner.reset_encoder_cache()
        return filled

    def abandon_reload(self) -> int:
        """End a reload that broke off, if there is one. Returns the number of layers it had not finished."""
        unfinished = 0
        for layer in self.model_runner.get_model().modules():
            info = layerwise.get_layerwise_info(layer)
            if info.can_load():
                unfinished += 1
                if info.kernel_tensors is not None:
                    layerwise._place_kernel_tensors(layer, info)  # pyright: ignore[reportPrivateUsage]
                info.reset()
        layerwise.LOADING_LAYERS.clear()
        return unfinished
