"""What results depend on is stated, and set over what a user's environment says."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from dse.errors import DseError
from dse.execute import environment
from dse.families.squeezenet import SqueezeNet
from dse.models.network import initial_weights
from dse.models.trained import TrainedModel
from dse.runs.settings import ignored, without_ignored
from dse.train.process import check_jax

AROUND = {
    "HOME": "/home/me",
    "JAX_ENABLE_X64": "1",
    "JAX_DEBUG_NANS": "0",
    "JAX_A_SETTING_TO_COME": "yes",
    "JAX_PLATFORMS": "cpu",
    "JAX_COMPILATION_CACHE_DIR": "/tmp/programs",
    "XLA_FLAGS": "--xla_dump_to=/tmp/x --xla_cpu_enable_fast_math=true",
    "NVIDIA_TF32_OVERRIDE": "1",
}


def test_what_changes_results_is_left_out_and_the_rest_stays():
    assert without_ignored(AROUND) == {
        "HOME": "/home/me",
        "JAX_PLATFORMS": "cpu",
        "JAX_COMPILATION_CACHE_DIR": "/tmp/programs",
        "XLA_FLAGS": "--xla_dump_to=/tmp/x",
    }
    # What only says what holds anyway (no checks for NaN) needs no word.
    assert ignored(AROUND) == {
        "JAX_ENABLE_X64": "32-bit floats",
        "JAX_A_SETTING_TO_COME": "JAX's own default",
        "XLA_FLAGS": "XLA's own defaults",
        "NVIDIA_TF32_OVERRIDE": "the precision that JAX asks for",
    }


@pytest.mark.parametrize(
    ("name", "news", "none"),
    [
        ("JAX_ENABLE_X64", ("1", "true", "maybe"), ("0", "False", "")),
        ("JAX_THREEFRY_PARTITIONABLE", ("0", "false"), ("1", "True")),
        ("JAX_DEFAULT_PRNG_IMPL", ("rbg",), ("threefry2x32",)),
        ("JAX_NUM_CPU_DEVICES", ("2",), ("-1",)),
    ],
)
def test_a_value_that_holds_anyway_is_no_news(name, news, none):
    assert [bool(ignored({name: value})) for value in news] == [True] * len(news)
    assert [bool(ignored({name: value})) for value in none] == [False] * len(none)


@pytest.mark.parametrize(
    ("flags", "kept"),
    [
        ("--xla_dump_to=/tmp/x", "--xla_dump_to=/tmp/x"),
        ("--xla_gpu_deterministic_ops=true", "--xla_gpu_deterministic_ops=true"),
        ("--xla_gpu_deterministic_ops=false", None),
        ("--xla_force_host_platform_device_count=4", None),
        ("/a/file/of/flags", None),
        ("--nonsense --xla_dump_hlo_as_text", "--xla_dump_hlo_as_text"),
    ],
)
def test_of_xla_s_flags_the_harmless_ones_are_kept(flags, kept):
    assert without_ignored({"XLA_FLAGS": flags}).get("XLA_FLAGS") == kept


def test_it_is_said_once(monkeypatch, capsys):
    environment._say.cache_clear()
    for _ in range(2):
        environment.say_what_is_ignored({"NPROC": "4", **AROUND}, threads=True)
    said = capsys.readouterr().err.splitlines()
    assert (
        "dse: JAX_ENABLE_X64=1 is set; dse trains with 32-bit floats, so it is ignored "
        "here"
    ) in said
    assert any("NPROC=4 is set; dse trains with one thread a worker" in x for x in said)
    assert len(said) == 5
    environment.say_what_is_ignored({"NPROC": "8"}, threads=False)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jax_enable_x64", True),
        ("jax_default_prng_impl", "rbg"),
        ("jax_numpy_rank_promotion", "raise"),
        ("jax_debug_nans", True),
        ("jax_disable_jit", True),
        ("jax_threefry_partitionable", False),
        ("jax_default_matmul_precision", "bfloat16"),
        ("jax_transfer_guard", "disallow"),
        ("jax_random_seed_offset", 5),
    ],
)
def test_a_process_that_computes_otherwise_is_refused(name, value):
    check_jax()
    before = getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        with pytest.raises(DseError, match=f"{name} is {value!r} in this process"):
            check_jax()
    finally:
        jax.config.update(name, before)
    check_jax()


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("jax.config.update('jax_enable_x64', True)", "jax_enable_x64 is True in this"),
        ("jax.devices()", "took NPROC= where dse trains with NPROC=1"),
        ("import os; os.environ |= ONE; jax.devices()", "none"),
    ],
)
def test_serial_training_in_a_process_of_another_set_up(first, said):
    """A process of its own: what JAX has read it does not read again."""
    script = (
        f"ONE = {environment.ONE_THREAD}\nimport jax; {first}\n"
        "import numpy as np\n"
        "from dse.data.dataset import Dataset, Images\n"
        "from dse.errors import DseError\n"
        "from dse.execute.executors import SerialExecutor\n"
        "pixels = np.zeros((8, 28, 28, 1), 'uint8')\n"
        "part = Images(pixels, np.arange(8, dtype='int32') % 2)\n"
        "try:\n"
        "    SerialExecutor(Dataset('x', 'x', ('a', 'b'), part, part))\n"
        "    print('none')\n"
        "except DseError as error:\n"
        "    print(error)\n"
    )
    around = {k: v for k, v in os.environ.items() if k not in ("NPROC", "PJRT_NPROC")}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=around
    )
    assert said in done.stdout, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("jax_enable_x64", True),
        ("jax_numpy_dtype_promotion", "strict"),
        ("jax_default_prng_impl", "rbg"),
        ("jax_debug_nans", True),
    ],
)
def test_a_model_answers_the_same_in_anybodys_program(name, value):
    architecture = SqueezeNet(8, 8, sr=0.5).architecture((28, 28, 1), 4)
    weights = initial_weights(architecture, jax.random.key(0))
    weights["input"] = {
        "mean": np.full(1, 100, np.float32),
        "deviation": np.full(1, 50, np.float32),
    }
    pixels = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1), dtype=np.uint8)

    def answers():
        return TrainedModel(architecture, tuple("abcd"), weights).probabilities(pixels)

    expected, before = answers(), getattr(jax.config, name)
    jax.config.update(name, value)
    try:
        np.testing.assert_array_equal(answers(), expected)
    finally:
        jax.config.update(name, before)
