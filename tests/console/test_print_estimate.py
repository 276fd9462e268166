"""What `dse plan` prints of its cells."""

from dse.console.tables import print_estimate
from dse.families.nin import Nin
from dse.families.squeezenet import SqueezeNet
from dse.families.vgg import Vgg
from dse.study.estimate import CellEstimate, Estimate, Speed


def printed(capsys, *points):
    cells = tuple(CellEstimate("", point, 1000, 2000, 3e6, 4.0) for point in points)
    print_estimate(Estimate(cells, 2, 100, "set", Speed(1e-9, 1e-9, 1.0, 1, "hand")))
    return capsys.readouterr().out


def test_cells_of_several_families_say_which_they_are(capsys):
    told = printed(capsys, Nin(width=0.25), Vgg(depth=11, width=0.25))
    assert "nin width 0.25" in told
    assert "vgg depth 11, width 0.25" in told


def test_cells_of_one_family_do_not(capsys):
    told = printed(capsys, SqueezeNet(sr=0.5), SqueezeNet(sr=0.25))
    assert "squeezenet" not in told
    assert "SR 0.25" in told
