"""A trained network, ready for images as they come."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from dse.arch.graph import Architecture
from dse.errors import DseError
from dse.models.network import Network, Weights


class TrainedModel:
    """A network with its weights, its class names and its pixel normalisation.

    Attributes:
        network: the `nnx` module; it takes normalised images.
        class_names: one for each score.
        takes: rows, columns and channels of the images that it classifies; a network
            that was trained on crops sees their centre.
    """

    def __init__(
        self,
        architecture: Architecture,
        class_names: tuple[str, ...],
        weights: Weights,
        side: int | None = None,
    ) -> None:
        """See the class.

        Args:
            architecture: the network.
            class_names: one for each score.
            weights: its parameters, and under `input` the pixels' normalisation.
            side: of the square that images were brought to before they were cropped;
                None where the network sees the whole of an image.
        """
        shape = architecture.input_shape
        self.takes = shape if side is None else (side, side, shape[2])
        self.class_names = class_names
        self._mean = jnp.asarray(weights["input"]["mean"])
        self._deviation = jnp.asarray(weights["input"]["deviation"])
        self.network = Network(architecture, weights)

    def probabilities(
        self, pixels: UInt8[np.ndarray, "n h w c"]
    ) -> Float[np.ndarray, "n classes"]:
        """Class probabilities of images with pixel values 0..255.

        Raises:
            DseError: the images are not of the size that it was trained on.
        """
        if pixels.shape[1:] != self.takes:
            given, taken = (
                "x".join(map(str, shape)) for shape in (pixels.shape[1:], self.takes)
            )
            raise DseError(
                f"images are {given} (height, width, channels); this network takes "
                f"{taken}: resize them"
            )
        rows, columns, _ = self.network.architecture.input_shape
        top, left = (self.takes[0] - rows) // 2, (self.takes[1] - columns) // 2
        seen = pixels[:, top : top + rows, left : left + columns]
        images = (jnp.asarray(seen, jnp.float32) - self._mean) / self._deviation
        return np.asarray(jax.nn.softmax(self.network(images), axis=-1))
