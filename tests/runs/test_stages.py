"""Stages: what may follow what, their JSON, and a cell's identity and parent."""

import json
from dataclasses import replace

import pytest

from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.files import short_digest
from dse.runs.cell import NUMERICS_VERSION, Cell
from dse.runs.recipe import Recipe
from dse.runs.stages import (
    STAGES,
    Code,
    Densify,
    Factor,
    Prune,
    Quantise,
    check_stages,
    stage_of,
)

CELL = Cell(
    SqueezeNet(8, 8).network((28, 28, 1), 4),
    Recipe(1, 0.1, crop_padding=0, mirror=False),
    "set",
    "fingerprint",
    ("a", "b", "c", "d"),
)


@pytest.mark.parametrize(
    "stage",
    [
        Prune(),
        Prune(density=0.5, prune_rounds=2, pruned="conv1,fire2/squeeze1x1"),
        Prune(quality=1.5),
        Densify(),
        Factor(0.1),
        Quantise(6, bits_dense=5),
        Quantise(codebook="grid", quantise_epochs=0),
        Code("gaps", 5),
    ],
)
def test_a_stage_comes_back_from_its_json(stage):
    assert stage_of(json.loads(json.dumps(stage.to_json()))) == stage


def test_a_stage_s_training():
    assert (Prune().epochs, Prune().rate) == (3, 0.1)
    assert (Quantise(quantise_epochs=2).epochs, Quantise().rate) == (2, 0.01)
    assert (Code().epochs, Factor().epochs) == (0, 0)


def test_a_third_is_kept_where_nothing_is_said():
    assert Prune().density == 0.33
    assert Prune(quality=1.0).density is None


def test_the_names_of_layers_have_one_form():
    assert Prune(pruned="conv10, conv1,conv10").pruned == "conv1,conv10"
    with pytest.raises(
        DseError, match="layers are 'conv1,,'; expected names with comm"
    ):
        Prune(pruned="conv1,,")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Prune(density=0.0), "density is 0.0; expected a number above 0"),
        (
            lambda: Prune(density=1.5),
            "density is 1.5; expected a number above 0, up to 1",
        ),
        (lambda: Prune(0.5, 1.0), "density is 0.5 and quality 1; expected one of them"),
        (
            lambda: Prune(prune_rounds=4),
            "prune_rounds is 4, prune_epochs 3; expected an",
        ),
        (lambda: Quantise(0), "bits is 0; expected a whole number from 1 to 8"),
        (lambda: Quantise(9), "bits is 9; expected a whole number from 1 to 8"),
        (
            lambda: Quantise(codebook="grid"),
            "codebook is grid, with bits 8 and quantise",
        ),
        (
            lambda: Code(gap_bits=1),
            "gap_bits is 1; expected a whole number from 2 to 8",
        ),
        (lambda: stage_of({}), "there is no stage 'None'; expected some of prune"),
        (lambda: stage_of({"stage": "prun"}), r"'prun'.*did you mean prune\?"),
        (lambda: stage_of({"stage": "prune", "x": 1}), "prune has no 'x'"),
    ],
)
def test_what_is_no_stage_is_refused(make, said):
    with pytest.raises(DseError, match=said):
        make()


@pytest.mark.parametrize(
    ("stages", "said"),
    [
        ([Prune(), Quantise(), Code()], None),
        ([Prune(), Densify(), Quantise()], None),
        ([Prune(), Densify(), Prune()], "prune follows densify; it can follow a train"),
        ([Factor()], None),
        (
            [Quantise(), Prune()],
            "prune follows quantise; it can follow a training",
        ),
        (
            [Code()],
            "code follows a training; it can follow prune or densify or quantise",
        ),
        ([Prune(), Code(), Code()], "code follows code"),
        ([Densify()], "densify follows a training; it can follow prune"),
    ],
)
def test_what_can_follow_what(stages, said):
    if said is None:
        check_stages(stages)
        return
    with pytest.raises(DseError, match=said):
        check_stages(stages)
    with pytest.raises(DseError, match=said):
        replace(CELL, stages=tuple(stages))


def test_no_stages_leave_the_identity_as_it_was():
    before = {
        "architecture": CELL.architecture.id,
        "recipe": CELL.recipe.to_json(),
        "dataset": "fingerprint",
        "numerics_version": NUMERICS_VERSION,
    }
    assert CELL.id == short_digest(json.dumps(before, sort_keys=True), 16)


def test_stages_are_part_of_the_identity_and_the_parent_has_one_less():
    both = replace(CELL, stages=(Prune(), Quantise()))
    assert both.parent == replace(CELL, stages=(Prune(),))
    assert both.parent.parent == CELL
    assert CELL.parent is None
    others = [
        CELL,
        both,
        replace(CELL, stages=(Prune(),)),
        replace(CELL, stages=(Prune(0.5),)),
        replace(CELL, stages=(Prune(), Quantise(6))),
    ]
    assert len({cell.id for cell in others}) == len(others)


def test_no_two_stages_have_a_field_of_the_same_name():
    """They are columns of one table."""
    names = [name for kind in STAGES.values() for name in kind.fields]
    assert len(names) == len(set(names))
