"""SqueezeNet on ImageNet by the paper's own protocol: 57.5 % top-1, 80.3 % top-5.

    dse plan imagenet
    dse reproduce imagenet --dataset path/to/imagenet --test-folder val

The folder has `train/` and `val/` with a folder of images per class, or Parquet files
in the Hugging Face image layout; results are of `val`, as usual, whose labels are
known. Images are brought to 256x256; training sees a random crop of 227 and no mirror,
with the mean subtracted; batches of 512 (in parts where the memory asks), 170,000
steps, the rate falling linearly from 0.04, momentum 0.9, decay 0.0002, dropout 0.5,
Xavier's initialisation. A run that is killed goes on from its last checkpoint.
Departures: a hundredth of train is kept for validation; a JPEG is decoded at the least
scale that has 256 pixels; a GPU computes in bfloat16 over float32 parameters.

`dse reproduce fig3a --preset imagenet --dataset path/to/imagenet --test-folder val` is
section 5.2 by the same protocol, and so on.

Not measured: it has not been run to its end here.
"""

from dse import PRESETS, Experiment, SqueezeNet

EXPERIMENT = Experiment(
    title="SqueezeNet on ImageNet (section 3.3)",
    anchor=SqueezeNet(),
    presets={"imagenet": PRESETS["imagenet"]},
)
