"""Settings of stages, as a person gives them, become chains of stages."""

import pytest

from dse.arch.graph import Architecture
from dse.errors import DseError
from dse.families.squeezenet import SqueezeNet
from dse.runs.recipe import Recipe
from dse.runs.recorded import Recorded
from dse.runs.records import StudyRecord, point_key
from dse.runs.staged import Staged, with_ancestors
from dse.runs.stages import Code, Densify, Factor, Prune, Quantise
from dse.study.compression import chains_of, compressed, read_settings, scanned
from dse.study.preset import Preset

RECIPE = Recipe(1, 0.1)
RECORD = StudyRecord("fig3b/set-quick", "fig3b", "quick", "set", "f", RECIPE, 2)
PRESET = Preset(width=1, replicates=2, recipe=RECIPE)


def recorded(**values) -> Recorded:
    point = SqueezeNet(base_e=8, incr_e=8, **values)
    network: Architecture = point.network((28, 28, 1), 10)
    key = point_key(point.name, point.values)
    return Recorded(point.name, key, point.fields, point.values, network)


def test_a_stage_is_performed_if_one_of_its_settings_is_given():
    assert chains_of({"density": 0.33, "bits": 6}) == [
        (Prune(0.33), Quantise(6), Code())
    ]
    assert chains_of({"quality": 1.0}) == [(Prune(quality=1.0), Code())]
    assert chains_of({"gap_bits": 5, "density": 0.5}) == [
        (Prune(0.5), Code(gap_bits=5))
    ]
    assert chains_of({"rank_share": 0.5}) == [(Factor(0.5),)]
    assert chains_of({"density": 0.5, "densify_epochs": 2, "bits": 8}) == [
        (Prune(0.5), Densify(2), Quantise(8), Code())
    ]


def test_every_combination_of_several_values_is_a_chain():
    made = chains_of({"density": (0.2, 0.5), "bits": [4, 6]})
    assert [(x[0].density, x[1].bits) for x in made] == [
        (0.2, 4),
        (0.2, 6),
        (0.5, 4),
        (0.5, 6),
    ]
    assert chains_of({"bits": (4, 4)}) == [(Quantise(4), Code())]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, r"nothing says how to compress; give settings, as --density 0\.33"),
        ({"bit": 4}, "there is no setting of a stage 'bit'.*did you mean bits"),
        ({"bits": ()}, "bits has no values"),
        ({"bits": 0}, "bits is 0; expected"),
        ({"bits": 9}, "bits is 9; expected"),
        ({"density": 0}, "density is 0; expected"),
        ({"density": 1.5}, r"density is 1\.5; expected"),
        ({"density": 0.5, "quality": 1.0}, "expected one of them"),
        ({"bits": (1, 2, 3, 4, 5, 6, 7, 8) * 200}, "1,600 combinations of settings"),
    ],
)
def test_settings_that_make_no_chain_are_refused(settings, said):
    with pytest.raises(DseError, match=said):
        chains_of(settings)


def test_settings_are_read_as_they_are_written():
    read = read_settings({"density": "0.2, 0.5", "pruned": "conv1,conv10;all"})
    assert read == {"density": (0.2, 0.5), "pruned": ("conv1,conv10", "all")}
    with pytest.raises(DseError, match="bits is 'six'; expected a whole number"):
        read_settings({"bits": "4,six"})


def test_the_experiment_has_the_networks_as_trained_and_compressed():
    points = [recorded(sr=0.25), recorded(sr=0.5)]
    chains = chains_of({"density": 0.5, "bits": (4, 6)})
    name, made = compressed(RECORD, points, PRESET, chains=chains, whole=True)
    assert name.startswith("fig3b-compressed-")
    assert {series: len(listed) for series, listed in made.series.items()} == {
        "as trained": 2,
        "quantise bits 4": 2,
        "quantise bits 6": 2,
    }
    assert [*made.keyed][:3] == [
        "as trained, SR 0.25",
        "as trained, SR 0.5",
        "quantise bits 4, SR 0.25",
    ]
    # The name says what is done, and not to how many networks of the study.
    assert compressed(RECORD, points[:1], PRESET, chains=chains, whole=True)[0] == name
    assert compressed(RECORD, points[:1], PRESET, chains=chains, whole=False)[0] != name
    others = chains_of({"density": 0.5, "bits": 4})
    assert compressed(RECORD, points, PRESET, chains=others, whole=True)[0] != name


def test_one_network_and_one_chain_go_by_their_settings():
    chains = chains_of({"bits": (4, 6)})
    _, made = compressed(RECORD, [recorded(sr=0.5)], PRESET, chains=chains, whole=False)
    assert [*made.keyed] == [
        "as trained, squeezenet",
        "compressed, bits 4",
        "compressed, bits 6",
    ]
    arm = StudyRecord("a.b c/set-quick", "a.b c", "quick", "set", "f", RECIPE, 2)
    name, _ = compressed(arm, [recorded(sr=0.5)], PRESET, chains=chains, whole=True)
    assert name.startswith("a-b c-compressed-")  # a dot would part an arm


def test_a_scan_prunes_each_layer_alone_and_trains_nothing():
    points = [recorded(sr=0.25), recorded(sr=0.5)]
    name, made = scanned(RECORD, points, PRESET, densities=(0.5, 0.25), whole=True)
    assert name.startswith("fig3b-scanned-")
    scans = made.series["one layer pruned"]
    kernels = points[0].architecture.kernels
    assert len(kernels) == 26
    assert len(scans) == 2 * 2 * 26
    assert {point.stages[0].epochs for point in scans} == {0}
    found = {(x.point, x.stages[0].pruned, x.stages[0].density) for x in scans}
    assert found == {(x, k, d) for x in points for k in kernels for d in (0.5, 0.25)}
    with pytest.raises(DseError, match="density has no values"):
        scanned(RECORD, points, PRESET, densities=(), whole=True)
    begun = Staged(points[0], (Prune(0.5),))
    with pytest.raises(DseError, match="prune follows prune"):
        scanned(RECORD, [begun], PRESET, densities=(0.5,), whole=False)


def test_a_network_with_stages_goes_on_from_them():
    begun = Staged(recorded(sr=0.5), (Prune(0.5),))
    _, made = compressed(
        RECORD, [begun], PRESET, chains=chains_of({"bits": 4}), whole=False
    )
    assert [point.stages for point in made.keyed.values()] == [
        (Prune(0.5),),
        (Prune(0.5), Quantise(4), Code()),
    ]
    with pytest.raises(DseError, match="prune follows prune"):
        compressed(
            RECORD, [begun], PRESET, chains=chains_of({"density": 0.2}), whole=False
        )
    factored = chains_of({"rank_share": 0.5, "bits": 4})
    with pytest.raises(DseError, match="quantise follows factor; it can follow"):
        compressed(RECORD, [recorded()], PRESET, chains=factored, whole=False)


def test_ancestors_come_after_the_points_each_once():
    point = SqueezeNet(sr=0.5)
    pruned = Staged(point, (Prune(0.5),))
    small, large = (Staged(point, (Prune(0.5), Quantise(x))) for x in (4, 6))
    assert with_ancestors([small, large]) == [small, large, point, pruned]
    assert with_ancestors([point, small]) == [point, small, pruned]
    assert with_ancestors([point]) == [point]


def test_a_recorded_network_is_of_its_own_images_and_does_not_change():
    point = recorded(sr=0.5)
    assert point.network((28, 28, 1), 10) is point.architecture
    with pytest.raises(DseError, match="28x28x1 and 10 classes; these have 32x32x3"):
        point.network((32, 32, 3), 10)
    with pytest.raises(DseError, match="sr of a network that is trained cannot be"):
        point.changed({"sr": 0.25})
    assert point.changed({}) is point.scaled(0.5) is point
    point.values.clear()
    assert point.values["sr"] == 0.5
