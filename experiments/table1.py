"""Table 1: SqueezeNet's modules, their dimensions and their parameters.

    dse reproduce table1

The table itself needs no training: it is computed at the paper's settings and set
against the printed counts, which it meets exactly. The preset then trains that network
at its own width, the cell that Figure 3(a) and Table 3 begin with; `quick` takes under
a minute on two cores.
"""

from dse import PRESETS, Experiment, SqueezeNet

EXPERIMENT = Experiment(
    title="SqueezeNet (section 3.3)",
    anchor=SqueezeNet(),
    shows="layers",
    presets=PRESETS,
)
