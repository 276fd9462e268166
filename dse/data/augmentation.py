"""Default augmentation of an image set, without JAX."""

MIRRORED = ("fashion", "cifar", "imagenet", "stl10", "food", "flower", "pets")
"""Parts of the names of sets whose images keep their class when mirrored."""


def mirror_suits(dataset_name: str) -> bool:
    """True if a mirrored image of this set keeps its class.

    An unknown set is not mirrored: a mirrored letter or digit is another class.
    """
    return any(part in dataset_name.lower() for part in MIRRORED)


def crop_padding(height: int, width: int) -> int:
    """Pixels of padding before a random crop: an eighth of the shorter side."""
    return min(height, width) // 8
