"""The authors' published network in other forms, and the speed of the codec.

    python experiments/benchmarks/recoding.py compressed_SqueezeNet.net

Each form is written, read back and compared weight by weight; its bytes are those of
the file. `clustered` gives each kernel's weights new codebooks of 6 bits, by k-means
from an even start, without any training. Streams are compared with their entropy,
tables counted. Speeds are of one thread, in 32-bit floats of all weights a second of
processor time, the median of turns. The result goes to results/benchmarks/, or to the
folder of --output.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from machine import RESULTS, write_result

from dse.compress.container import Coding, read_network, write_network
from dse.compress.gaps import gaps_of
from dse.compress.huffman import Coded
from dse.compress.networks import network_shapes, to_arrays
from dse.compress.octets import Octets
from dse.compress.published import read_published, write_published
from dse.compress.quantise import cluster, nearest
from dse.compress.streams import entropy, read_stream, write_stream
from dse.compress.tensors import Dense, Shared, Tensors
from dse.families import family_called

BITS, GAP_BITS, TURNS = 6, 4, 9
PAPER = {"8 bits": 0.66, "6 bits": 0.47}
"""Megabytes that SqueezeNet's table 2 prints."""
FORMS = {
    "plain": Coding(GAP_BITS, codes=False, gaps=False),
    "Huffman on gaps": Coding(GAP_BITS, codes=False, gaps=True),
    "Huffman on codes": Coding(GAP_BITS, codes=True, gaps=False),
    "Huffman on both": Coding(GAP_BITS, codes=True, gaps=True),
}
Result = dict[str, Any]


def main() -> None:
    """Measure, write the result and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="the published file")
    parser.add_argument("--output", type=Path, default=RESULTS)
    asked = parser.parse_args()
    result = measured(asked.file.read_bytes())
    for name, size in result["bytes"].items():
        print(f"{name}: {size:,} bytes")
    for name, found in result["streams"].items():
        alone = found["codes_alone_over_entropy"]
        print(
            f"{name}: {found['bytes']:,} bytes, {found['over_entropy']:.2%} over their "
            f"entropy ({alone:.2%} without tables)"
        )
    for name, speed in result["megabytes_per_second"].items():
        print(f"{name}: {speed:,} MB/s")
    print(write_result(asked.output, "recoding", result))


def measured(content: bytes) -> Result:
    """Bytes of each form, streams against their entropy, and speeds."""
    architecture = family_called("squeezenet")().published_network()
    shapes = network_shapes(architecture)
    kernels = {layer: shapes[layer]["kernel"] for layer in architecture.kernels}
    read = read_published(content, kernels)
    if write_published(read, kernels) != content:
        raise ValueError("the published file is not written back as it was")
    pixels = {name: Dense(np.ones(3, np.float32)) for name in ("mean", "deviation")}
    published: Tensors = {**read, "input": pixels}
    clustered, error = reclustered(published)
    sizes = {"as published": len(content)}
    for name, coding in FORMS.items():
        sizes[name] = written(published, coding, shapes)
        sizes[f"{BITS} bits, {name}"] = written(clustered, coding, shapes)
    whole = 4 * sum(np.prod(x) for named in shapes.values() for x in named.values())
    return {
        "bytes": dict(sorted(sizes.items(), key=lambda x: x[0].startswith(f"{BITS}"))),
        "paper_megabytes": PAPER,
        "relative_error_of_clustering": error,
        "streams": {
            **streams(published, "8-bit codes", "gaps"),
            **streams(clustered, f"{BITS}-bit codes"),
        },
        "megabytes_per_second": speeds(published, shapes, int(whole)),
    }


def reclustered(tensors: Tensors) -> tuple[Tensors, float]:
    """The network with codebooks of `BITS` bits; the error over the weights' norm."""
    made: dict[str, dict[str, Any]] = {}
    error = norm = 0.0
    for layer, named in tensors.items():
        made[layer] = dict(named)
        kernel = named.get("kernel")
        if isinstance(kernel, Shared):
            kept = kernel.codebook[kernel.codes]
            codebook = cluster(kept, 2**BITS, "linear")
            codes = nearest(kept, codebook)
            made[layer]["kernel"] = Shared(
                kernel.shape, kernel.positions, codes, codebook
            )
            error += float(np.square(codebook[codes] - kept).sum())
            norm += float(np.square(kept).sum())
    return made, (error / norm) ** 0.5


def written(tensors: Tensors, coding: Coding, shapes: Any) -> int:
    """Bytes of a file that was read back and found to hold the same weights."""
    content = write_network(tensors, coding)
    expected, found = to_arrays(tensors), to_arrays(read_network(content, shapes))
    for layer, named in expected.items():
        for name, array in named.items():
            np.testing.assert_array_equal(found[layer][name], array)
    return len(content)


def streams(tensors: Tensors, codes: str, gaps: str = "") -> dict[str, Result]:
    """Bytes of all layers' streams with their tables, over their entropy."""
    kept = [
        named["kernel"]
        for named in tensors.values()
        if isinstance(named.get("kernel"), Shared)
    ]
    of_kind = {codes: ([kernel.codes for kernel in kept], 8)}
    if gaps:
        listed = [gaps_of(kernel.positions, GAP_BITS) for kernel in kept]
        of_kind[gaps] = listed, GAP_BITS
    found = {}
    for name, (listed, bits) in of_kind.items():
        least = sum(entropy(numbers) * len(numbers) / 8 for numbers in listed)
        size = codes_alone = 0
        for numbers in listed:
            content = write_stream(numbers, bits)
            coded = read_stream(Octets(content), len(numbers), bits).coded
            size += len(content)
            codes_alone += len(coded.payload if isinstance(coded, Coded) else coded)
        found[name] = {
            "bytes": size,
            "entropy_bytes": round(least),
            "over_entropy": round(size / least - 1, 5),
            "codes_alone_over_entropy": round(codes_alone / least - 1, 5),
        }
    return found


def speeds(tensors: Tensors, shapes: Any, whole: int) -> Mapping[str, int]:
    """Megabytes of 32-bit weights a second, each form in turn."""
    files = {name: write_network(tensors, coding) for name, coding in FORMS.items()}
    calls: dict[str, Callable[[], Any]] = {}
    for name, coding in FORMS.items():
        calls[f"write, {name}"] = lambda coding=coding: write_network(tensors, coding)
        calls[f"read, {name}"] = lambda name=name: to_arrays(
            read_network(files[name], shapes)
        )
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(TURNS):
        for name, call in calls.items():
            began = time.process_time()  # other processes do not count
            call()
            times[name].append(time.process_time() - began)
    return {
        name: round(whole / 1e6 / statistics.median(listed))
        for name, listed in times.items()
    }


if __name__ == "__main__":
    main()
