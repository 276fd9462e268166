"""SqueezeNet on ImageNet by the paper's own protocol: 57.5 % top-1, 80.3 % top-5.

    dse plan imagenet
    dse reproduce imagenet --dataset path/to/imagenet --test-folder val

The folder has `train/` and `val/` with a folder of images per class, or Parquet files
in the Hugging Face image layout. As usual, results are of `val`, whose labels are
known. Images are resized to 256x256. Training sees a random crop of 227 without mirror,
minus the mean. Batches have 512 images (in parts if memory is short), over 170,000
steps. The rate falls linearly from 0.04; momentum 0.9, decay 0.0002, dropout 0.5,
Xavier initialisation. A run that is killed goes on from its last checkpoint.
Departures: a hundredth of train is kept for validation; a JPEG is decoded at the
smallest scale with 256 pixels; a GPU computes in bfloat16 with float32 parameters.

`dse reproduce fig3a --preset imagenet --dataset path/to/imagenet --test-folder val` is
section 5.2 with the same protocol, and so on.

Not measured: it has not been run to its end here.
"""

from dse import PRESETS, Experiment, SqueezeNet

EXPERIMENT = Experiment(
    title="SqueezeNet on ImageNet (section 3.3)",
    anchor=SqueezeNet(),
    presets={"imagenet": PRESETS["imagenet"]},
)
