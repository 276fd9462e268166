"""Table 1: SqueezeNet's modules, their dimensions and their parameters.

    dse reproduce table1

The table needs no training: it is computed at the paper's settings and compared with
the printed counts, to which it is equal. The preset then trains that network at its own
width, as in the first cell of Figure 3(a) and Table 3. `quick` takes under a minute on
two cores.
"""

from dse import PRESETS, Experiment, SqueezeNet

EXPERIMENT = Experiment(
    title="SqueezeNet (section 3.3)",
    anchor=SqueezeNet(),
    shows="layers",
    presets=PRESETS,
)
