"""Figure 3(a): how narrow may the squeeze layers be? SR from 0.125 to 1 at 50 % 3x3.

    dse reproduce fig3a

`quick` (base_e = incr_e = 16, 3 epochs on the embedded images, 2 replicates) takes a
few minutes on two cores; `full` is the paper's width with 5 replicates, for a GPU.
Expect accuracy to rise with SR and to level off at 0.75.
"""

from dse.arch.squeezenet import Metaparameters
from dse.study.experiment import Experiment
from dse.study.presets import PRESETS

EXPERIMENT = Experiment(
    title="Squeeze ratio (section 5.2)",
    anchor=Metaparameters(pct_3x3=0.5),
    varied="sr",
    values=(0.125, 0.25, 0.5, 0.75, 1.0),
    published="figure 3(a)",
    presets=PRESETS,
)
