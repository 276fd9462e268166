"""The same networks in PyTorch, in the form that its users write and train."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from dse.arch.graph import INPUT, Architecture
from dse.arch.layers import (
    Add,
    Concat,
    Convolution,
    Dense,
    Dropout,
    GlobalAverage,
    Relu,
    Subsample,
)
from dse.arch.norms import BatchNorm, LocalResponseNorm
from dse.arch.pools import AveragePool, MaxPool, Pool
from dse.runs.recipe import Recipe


class TorchNetwork(nn.Module):
    """A module that executes the part of an architecture's graph that predicts.

    Batch norms take the statistics of the whole batch, as PyTorch does.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture.predictor
        self.learnt = nn.ModuleDict()
        for layer in self.architecture.layers:
            shape = architecture.shapes[layer.inputs[0]]
            if isinstance(layer, BatchNorm):
                norm = nn.BatchNorm2d(shape[2], layer.epsilon, 1 - layer.momentum)
                nn.init.constant_(norm.weight, layer.scale)
                self.learnt[_key(layer.name)] = norm
                continue
            if isinstance(layer, Convolution):
                made: nn.Conv2d | nn.Linear = nn.Conv2d(
                    shape[2],
                    layer.filters,
                    layer.kernel,
                    layer.stride,
                    layer.padding,
                    groups=layer.groups,
                    bias=layer.bias is not None,
                )
            elif isinstance(layer, Dense):
                made = nn.Linear(math.prod(shape), layer.units)
            else:
                continue
            nn.init.kaiming_normal_(made.weight)
            if layer.bias is not None:
                nn.init.constant_(made.bias, layer.bias)
            self.learnt[_key(layer.name)] = made

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute class scores of NCHW images."""
        outputs = {INPUT: images}
        for layer in self.architecture.layers:
            inputs = [outputs[name] for name in layer.inputs]
            outputs[layer.name] = self._run(layer, inputs)
        return outputs[self.architecture.layers[-1].name].flatten(1)

    def _run(self, layer: object, inputs: list[torch.Tensor]) -> torch.Tensor:
        x = inputs[0]
        match layer:
            case Convolution(name=name):
                return self.learnt[_key(name)](x)
            case Dense(name=name):
                return self.learnt[_key(name)](x.flatten(1))[:, :, None, None]
            case BatchNorm(name=name):
                return self.learnt[_key(name)](x)
            case LocalResponseNorm(size=size, alpha=alpha, beta=beta, k=k):
                return F.local_response_norm(x, size, alpha * size, beta, k)
            case MaxPool(window=window, stride=stride):
                around = _around(layer, x)
                x = F.pad(x, around, value=float("-inf")) if any(around) else x
                return F.max_pool2d(x, window, stride)
            case AveragePool(window=window, stride=stride):
                around = _around(layer, x)
                if not any(around):
                    return F.avg_pool2d(x, window, stride)
                counted = F.avg_pool2d(
                    F.pad(torch.ones_like(x[:1, :1]), around), window, stride
                )
                return F.avg_pool2d(F.pad(x, around), window, stride) / counted
            case Subsample(channels=channels, stride=stride):
                kept = x[:, :, ::stride, ::stride]
                return F.pad(kept, (0, 0, 0, 0, 0, channels - kept.shape[1]))
            case Relu():
                return F.relu(x)
            case Concat():
                return torch.cat(inputs, 1)
            case Add():
                return sum(inputs[1:], start=x)
            case Dropout(rate=rate):
                return F.dropout(x, rate, self.training)
            case GlobalAverage():
                return x.mean((2, 3), keepdim=True)
            case _:
                raise TypeError(f"no PyTorch form of {layer!r}")


def _around(layer: Pool, x: torch.Tensor) -> tuple[int, int, int, int]:
    """Padding of a pool, in the order of `F.pad`: columns, then rows."""
    (top, bottom), (left, right) = (layer.padding(extent) for extent in x.shape[2:])
    return left, right, top, bottom


def _key(name: str) -> str:
    return name.replace("/", "_")


class TorchTraining:
    """SGD with the recipe's settings, on random images in memory.

    Args:
        architecture: the network.
        recipe: batch size, rates and clipping; its augmentation is left out.
        compiled: True for `torch.compile`.
        bfloat16: True for autocast.
        device: `cpu` or `cuda`.
        images: number of images.
    """

    def __init__(
        self,
        architecture: Architecture,
        recipe: Recipe,
        *,
        compiled: bool,
        bfloat16: bool,
        device: str,
        images: int,
    ) -> None:
        height, width, channels = architecture.input_shape
        layout = torch.channels_last
        network = TorchNetwork(architecture).to(device, memory_format=layout)
        self._parameters = list(network.parameters())
        self._forward = torch.compile(network) if compiled else network
        self._optimiser = torch.optim.SGD(
            self._parameters,
            lr=recipe.peak_learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
        )
        shape = (images, channels, height, width)
        pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
        self._pixels = pixels.to(device, memory_format=layout)
        self._labels = torch.randint(0, 10, (images,)).to(device)
        self._recipe, self._device, self._bfloat16 = recipe, device, bfloat16

    def epoch(self) -> int:
        """Train an epoch; return the number of images seen."""
        batch = self._recipe.batch_size
        order = torch.randperm(len(self._labels), device=self._device)
        steps = len(order) // batch
        for step in range(steps):
            self._step(order[step * batch : (step + 1) * batch])
        if self._device == "cuda":
            torch.cuda.synchronize()
        return steps * batch

    def _step(self, chosen: torch.Tensor) -> None:
        images = (self._pixels[chosen].float() - 72.9) / 90.0
        images = images.to(memory_format=torch.channels_last)
        with torch.autocast(self._device, torch.bfloat16, enabled=self._bfloat16):
            scores = self._forward(images)
        loss = F.cross_entropy(scores.float(), self._labels[chosen])
        self._optimiser.zero_grad()
        loss.backward()
        if self._recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self._parameters, self._recipe.clip_norm)
        self._optimiser.step()
