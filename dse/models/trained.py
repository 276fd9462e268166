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
    """

    def __init__(
        self,
        architecture: Architecture,
        class_names: tuple[str, ...],
        weights: Weights,
    ) -> None:
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
        expected = self.network.architecture.input_shape
        if pixels.shape[1:] != expected:
            given, taken = (
                "x".join(map(str, shape)) for shape in (pixels.shape[1:], expected)
            )
            raise DseError(
                f"images are {given} (height, width, channels); this network takes "
                f"{taken}: resize them"
            )
        images = (jnp.asarray(pixels, jnp.float32) - self._mean) / self._deviation
        return np.asarray(jax.nn.softmax(self.network(images), axis=-1))
