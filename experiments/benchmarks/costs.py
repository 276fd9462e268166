"""Speed of the closed form of costs, in architectures per second on one core.

python experiments/benchmarks/costs.py
"""

import time

import numpy as np

from dse.families.squeezenet import SqueezeNet

POINTS = 2_000_000
ROUNDS = 7


def main() -> None:
    """Compute the costs of random points of the paper's space, and print the rates."""
    generator = np.random.default_rng(0)
    base_e, incr_e = 8 * generator.integers(1, 65, (2, POINTS))
    freq = generator.integers(1, 5, POINTS)
    sr, pct_3x3 = generator.random((2, POINTS))
    points = {
        "base_e": base_e,
        "incr_e": incr_e,
        "freq": freq,
        "sr": sr,
        "pct_3x3": pct_3x3,
    }
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        SqueezeNet.costs(points, (227, 227, 3), 1000)
        seconds.append(time.perf_counter() - began)
    rates = sorted(POINTS / 1e6 / each for each in seconds)
    print(
        f"{rates[len(rates) // 2]:.1f} million architectures a second "
        f"(median of {ROUNDS}; {rates[0]:.1f} to {rates[-1]:.1f})"
    )


if __name__ == "__main__":
    main()
