"""Make the embedded dataset from the full Fashion-MNIST.

    python -m dse.data.make_embedded FOLDER_OF_FASHION_MNIST_PARQUET

Takes the first 1,000 train and 200 test images of each class, in the set's own order,
and writes them to `dse/data/embedded/fashion_mnist_small/` as Parquet in the Hugging
Face image layout, with PNG bytes unchanged. It takes a few seconds.
"""

import sys
from pathlib import Path

import datasets
import numpy as np

PER_CLASS = {"train": 1_000, "test": 200}
TARGET = Path(__file__).parent / "embedded" / "fashion_mnist_small"


def main(source: str) -> None:
    """Write both splits of the subset, taken from the full set at `source`."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for split, per_class in PER_CLASS.items():
        full = datasets.load_dataset(source, split=split)
        labels = np.asarray(full["label"])
        chosen = np.concatenate(
            [np.flatnonzero(labels == c)[:per_class] for c in np.unique(labels)]
        )
        subset = full.select(np.sort(chosen)).flatten_indices()
        subset.to_parquet(TARGET / f"{split}-00000-of-00001.parquet")


if __name__ == "__main__":
    main(sys.argv[1])
