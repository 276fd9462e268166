"""Perform the last stage of a cell: before its training, and after it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod

import numpy as np
from jaxtyping import Bool

from dse.arch.layers import Dense as DenseLayer
from dse.compress.container import Coding, read_network, write_network
from dse.compress.lowrank import factored, rank_within
from dse.compress.networks import of_arrays, shapes_of, to_arrays
from dse.compress.prune import above_deviation, density_after, largest
from dse.compress.quantise import cluster, nearest, on_grid
from dse.compress.tensors import Dense, Linear, Shared, Sparse, Tensor, Tensors
from dse.errors import DseError
from dse.runs.cell import Cell
from dse.runs.events import Done, Event
from dse.runs.stages import Code, Densify, Factor, Prune, Quantise
from dse.runs.weights import Weights
from dse.train.members import Beginning
from dse.train.trainers import CellTrainer

PLAIN = Coding(codes=False, gaps=False)
"""How networks are written before the stage that gives them Huffman codes."""


@dataclass(frozen=True)
class Work:
    """A stage of one replicate.

    Attributes:
        beginning: what its training begins from.
        finish: gives the weights after the training their form.
        coding: how the file is written.
    """

    beginning: Beginning
    finish: Callable[[Weights], Tensors]
    coding: Coding = PLAIN


def perform(
    trainer: CellTrainer,
    cell: Cell,
    replicates: Sequence[int],
    parents: Mapping[int, Tensors],
) -> Iterator[Event]:
    """Perform the last stage of `cell`, with the training that belongs to it.

    Args:
        trainer: the trainer of the cell's dataset.
        cell: a cell with stages.
        replicates: their numbers.
        parents: the network of each replicate's parent.

    Yields:
        The events of the training; a result holds the network's file too, which was
        read back and found to be what was scored.

    Raises:
        DseError: the stage cannot be performed.
    """
    works = {number: work_on(cell, parents[number]) for number in replicates}
    beginnings = {number: work.beginning for number, work in works.items()}
    for event in trainer.train(cell, replicates, beginnings):
        if isinstance(event, Done):
            work = works[event.replicate]
            content = write_network(work.finish(event.weights), work.coding)
            weights = _read_back(content, event.weights)
            size = len(content)
            event = replace(event, weights=weights, network=content, size=size)
        yield event


def work_on(cell: Cell, parent: Tensors) -> Work:
    """Prepare the last stage of a cell.

    Raises:
        DseError: nothing would be left of a layer.
    """
    weights = to_arrays(parent)
    match cell.stages[-1]:
        case Prune() as stage:
            return _pruning(cell, stage, weights)
        case Densify():
            return Work(Beginning(weights), of_arrays)
        case Factor() as stage:
            return _factoring(cell, stage, weights)
        case Quantise() as stage:
            return _quantising(cell, stage, weights)
        case Code() as stage:
            coding = Coding(
                stage.gap_bits,
                codes=stage.huffman in ("both", "codes"),
                gaps=stage.huffman in ("both", "gaps"),
            )
            return Work(Beginning(weights), lambda _: parent, coding)
        case stage:
            raise DseError(f"no stage is performed by {type(stage).__name__}")


def _pruning(cell: Cell, stage: Prune, weights: Weights) -> Work:
    rounds, layers = stage.prune_rounds, cell.sparse_layers

    def pruned(round_: int, parameters: Weights) -> Weights:
        density = stage.density and density_after(round_, rounds, stage.density)

        def mask(layer: str) -> Bool[np.ndarray, "..."]:
            kernel = np.asarray(parameters[layer]["kernel"])
            if density:
                return largest(kernel, density)
            return above_deviation(kernel, (stage.quality or 0.0) * round_ / rounds)

        return _with_kernels(
            parameters,
            {x: parameters[x]["kernel"] * _mask_of(mask, x) for x in layers},
        )

    def revise(epoch: int, parameters: Weights) -> Weights:
        """Prune again before the first epoch of each further round."""
        begun = [1 + round_ * stage.epochs // rounds for round_ in range(rounds)]
        if epoch not in begun[1:]:
            return parameters
        return pruned(begun.index(epoch) + 1, parameters)

    def finish(trained: Weights) -> Tensors:
        kernels = {x: _sparse(np.asarray(trained[x]["kernel"])) for x in layers}
        return _with_tensors(trained, kernels)

    return Work(Beginning(pruned(1, weights), revise=revise), finish)


def _mask_of(
    mask: Callable[[str], Bool[np.ndarray, "..."]], layer: str
) -> Bool[np.ndarray, "..."]:
    try:
        return mask(layer)
    except DseError as error:
        raise DseError(f"{layer} cannot be pruned: {error}") from error


def _sparse(kernel: np.ndarray) -> Tensor:
    positions = np.flatnonzero(kernel)
    if positions.size == kernel.size:
        return Dense(kernel)  # smaller without gaps
    return Sparse(kernel.shape, positions, kernel.reshape(-1)[positions])


def _factoring(cell: Cell, stage: Factor, weights: Weights) -> Work:
    products = {}
    for layer in cell.architecture.kernels:
        kernel = weights[layer]["kernel"]
        if rank := rank_within(kernel.shape, stage.rank_share):
            products[layer] = factored(kernel, rank)
    changed = _with_kernels(weights, {x: p.array() for x, p in products.items()})
    return Work(Beginning(changed), partial(_with_tensors, kernels=products))


def _quantising(cell: Cell, stage: Quantise, weights: Weights) -> Work:
    """Each kernel gets a codebook; biases and batch norms stay 32-bit floats."""
    sparse = set(cell.sparse_layers)
    dense = {x.name for x in cell.architecture.layers if isinstance(x, DenseLayer)}
    tensors: dict[str, Shared | Linear] = {}
    for layer in cell.architecture.kernels:
        kernel = np.asarray(weights[layer]["kernel"], np.float32)
        flat = kernel.reshape(-1)
        positions = np.flatnonzero(flat) if layer in sparse else np.arange(flat.size)
        kept = flat[positions]
        if stage.codebook == "grid":
            tensors[layer] = Linear(kernel.shape, positions, *on_grid(kept))
            continue
        bits = stage.bits_dense or stage.bits if layer in dense else stage.bits
        codebook = cluster(kept, 2**bits, stage.codebook, cell.recipe.seed)
        codes = nearest(kept, codebook)
        tensors[layer] = Shared(kernel.shape, positions, codes, codebook)

    def finish(trained: Weights) -> Tensors:
        kernels = {
            layer: _retrained(tensor, np.asarray(trained[layer]["kernel"]))
            for layer, tensor in tensors.items()
        }
        return _with_tensors(trained, kernels)

    changed = _with_kernels(weights, {x: t.array() for x, t in tensors.items()})
    groups = _groups(cell, tensors) if cell.shares_weights else None
    return Work(Beginning(changed, groups), finish)


def _retrained(tensor: Shared | Linear, kernel: np.ndarray) -> Tensor:
    """The same codes with the values that the weights have now."""
    if isinstance(tensor, Linear):
        return tensor
    codebook = tensor.codebook.copy()
    codebook[tensor.codes] = kernel.reshape(-1)[tensor.positions]
    return Shared(tensor.shape, tensor.positions, tensor.codes, codebook)


def _groups(cell: Cell, tensors: Mapping[str, Shared | Linear]) -> np.ndarray:
    """Number of the group of each parameter, in the order of JAX's leaves.

    A parameter that shares no value is a group of its own.
    """
    found, number = [], 0
    learnt = cell.architecture.parameters
    for layer in sorted(learnt):
        for name in sorted(learnt[layer]):
            size = prod(learnt[layer][name].shape)
            own = np.arange(number, number + size)
            if name == "kernel" and layer in tensors:
                tensor = tensors[layer]
                own[tensor.positions] = number + tensor.codes.astype(np.int64)
                # A pruned weight may have had a number below those of the codebook:
                # it stays 0, whatever the others of its group do.
                pruned = np.ones(size, bool)
                pruned[tensor.positions] = False
                own[pruned] = number + size - 1
            found.append(own)
            number += size
    return np.concatenate(found).astype(np.int32)


def _with_kernels(weights: Weights, kernels: Mapping[str, np.ndarray]) -> Weights:
    return {
        layer: {**named, "kernel": kernels[layer]} if layer in kernels else named
        for layer, named in weights.items()
    }


def _with_tensors(weights: Weights, kernels: Mapping[str, Tensor]) -> Tensors:
    return {
        layer: {**named, "kernel": kernels[layer]} if layer in kernels else named
        for layer, named in of_arrays(weights).items()
    }


def _read_back(content: bytes, weights: Weights) -> Weights:
    """Read a file that should hold the weights that were scored.

    Their hash is of what is read: a pruned weight may have been a negative zero.

    Raises:
        DseError: it does not.
    """
    read = to_arrays(read_network(content, shapes_of(weights)))
    for layer, named in weights.items():
        for name, array in named.items():
            if not np.array_equal(read[layer][name], array):
                raise DseError(f"{layer}/{name} is not what was scored once written")
    return read
