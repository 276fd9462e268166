"""Early or late downsampling at equal numbers of parameters (section 3.1).

    dse reproduce downsampling

The paper's third strategy is to downsample late, so that convolutions see large feature
maps. It rests on He & Sun (2014), who find late pools more accurate. Here the places of
three max pools move from the front of the network to its end. The number of parameters
stays the same, the work per image does not, so the figure shows accuracy against
multiply-accumulates. `1,4,8` is SqueezeNet 1.0 and `1,3,5` is SqueezeNet 1.1.
"""

from dse import PRESETS, Beats, Experiment, GainsLittle, SqueezeNet

EXPERIMENT = Experiment(
    title="Places of the pools (section 3.1, strategy 3)",
    anchor=SqueezeNet(sr=0.5),
    varied="pools",
    values=("1,2,3", "1,3,5", "1,4,8", "3,6,9", "5,7,9"),
    shows="macs",
    presets=PRESETS,
    # The margin is a point of accuracy, as in Figure 3's studies.
    claims=(
        Beats(
            "delayed downsampling leads to higher accuracy",
            "3.1",
            better="5,7,9",
            worse="1,2,3",
        ),
        Beats(
            "so does SqueezeNet's own over the earliest",
            "3.1",
            better="1,4,8",
            worse="1,2,3",
        ),
        GainsLittle(
            "version 1.1's earlier pools sacrifice no accuracy",
            "release notes of 1.1",
            start="1,3,5",
            end="1,4,8",
            margin=0.01,
        ),
    ),
)
