"""A trained network that classifies images of raw pixels."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8
from numpy.typing import ArrayLike

from dse.arch.graph import Architecture
from dse.errors import DseError
from dse.models.network import Network, Weights


class TrainedModel:
    """A network with its weights, its class names and its pixel normalisation.

    Attributes:
        network: the `nnx` module; it takes normalised images.
        class_names: one for each score.
        takes: height, width and channels of the images that it classifies; a network
            that was trained on crops sees their centre.
    """

    def __init__(
        self,
        architecture: Architecture,
        class_names: tuple[str, ...],
        weights: Weights,
        side: int | None = None,
    ) -> None:
        """Load the weights into a network.

        Args:
            architecture: the network.
            class_names: one for each score.
            weights: its parameters, and under `input` the normalisation of pixels.
            side: side of the square that images were resized to before cropping; None
                if the network sees the whole image.
        """
        shape = architecture.input_shape
        self.takes = shape if side is None else (side, side, shape[2])
        self.class_names = class_names
        self._mean = jnp.asarray(weights["input"]["mean"])
        self._deviation = jnp.asarray(weights["input"]["deviation"])
        self.network = Network(architecture.predictor, weights)

    def probabilities(self, pixels: ArrayLike) -> Float[np.ndarray, "n classes"]:
        """Compute class probabilities of images.

        Args:
            pixels: uint8 from 0 to 255, images x height x width x channels. Other types
                are refused: pixels scaled to 1 or normalised would give confident,
                wrong answers.

        Raises:
            DseError: the pixels have another type, shape or image size.
        """
        images = self._checked(pixels)
        rows, columns, _ = self.network.architecture.input_shape
        top, left = (self.takes[0] - rows) // 2, (self.takes[1] - columns) // 2
        seen = images[:, top : top + rows, left : left + columns]
        normalised = (jnp.asarray(seen, jnp.float32) - self._mean) / self._deviation
        return np.asarray(jax.nn.softmax(self.network(normalised), axis=-1))

    def _checked(self, pixels: ArrayLike) -> UInt8[np.ndarray, "n h w c"]:
        try:
            images = np.asarray(pixels)
        except (ValueError, TypeError) as error:
            raise DseError(
                f"pixels are no array ({error}); expected uint8 of {self._shape}"
            ) from error
        if images.dtype != np.uint8:
            raise DseError(
                f"pixels are {images.dtype}; expected uint8 from 0 to 255, as an image "
                "file has them: turn shares of 1 into them by "
                "(255 * x).round().astype('uint8'), and do not normalise them"
            )
        if images.shape == self.takes:
            raise DseError(
                f"pixels are of one image, {_sizes(images.shape)}; expected "
                f"{self._shape}: probabilities(image[None]) makes it one of one"
            )
        if images.ndim != 4:
            raise DseError(
                f"pixels are of shape {images.shape}; expected {self._shape}"
            )
        if not len(images):
            raise DseError("there is no image among the pixels; expected one or more")
        if images.shape[1:] != self.takes:
            raise DseError(
                f"images are {_sizes(images.shape[1:])} (height, width, channels); "
                f"this network takes {_sizes(self.takes)}: resize them"
            )
        return images

    @property
    def _shape(self) -> str:
        """Description of the expected shape of pixels."""
        return f"images x {_sizes(self.takes)} (height, width, channels)"


def _sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
