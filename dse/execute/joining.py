"""Join a Ray cluster, or begin one here that nobody else can reach."""

import contextlib
import functools
import logging
import os
import re
import secrets
import signal
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

import ray
import ray._private.ray_constants
import ray._private.utils
from ray.job_config import JobConfig

from dse.errors import DseError, first_line
from dse.execute.imports import import_variables

CONNECT_SECONDS = 5.0
LOOPBACK = "127.0.0.1"


class _Job(JobConfig):
    """A Ray job whose workers do not import from our working folder.

    Ray would put it, and the folder of the script that runs, before all others.
    """

    def _runtime_env_has_working_dir(self) -> bool:
        return True


@contextlib.contextmanager
def joined(address: str | None, workers: int | None) -> Iterator[None]:
    """Join a Ray cluster for a `with` block; without an address, begin one here.

    Args:
        address: host and port of its head, or auto.
        workers: cores of a cluster begun here; None for all of the machine.

    Raises:
        DseError: no cluster answers, this process is in one already, or one begun here
            would be open to others.
    """
    if ray.is_initialized():
        raise DseError(
            "this process is part of a Ray cluster already; leave it (ray.shutdown()), "
            "or take --executor process"
        )
    if address is not None:
        _check(address)
    variables = {"RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    if address is None:
        variables |= _closed_to_others()
    constants = ray._private.ray_constants
    listens = constants.ENABLE_RAY_CLUSTER and address is not None
    with (
        contextlib.ExitStack() as afterwards,
        patch.dict(os.environ, variables),
        # If True, Ray uses the machine's address, not loopback, and binds to all.
        patch.object(constants, "ENABLE_RAY_CLUSTER", listens),
        # The job table shows the command line, which may hold a password, to all.
        patch.object(ray._private.utils, "get_entrypoint_name", lambda: "dse"),
    ):
        afterwards.callback(_read_variables_anew)  # when the variables are restored
        _read_variables_anew()
        try:
            _begin(address, workers)
            yield
        finally:
            ray.shutdown()


def _begin(address: str | None, workers: int | None) -> None:
    terminated = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address or "local",
            num_cpus=workers if address is None else None,
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.CRITICAL,
            job_config=_Job(),
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        place = address or "this machine"
        raise DseError(
            f"no Ray cluster answers at {place}: {first_line(error)}"
        ) from error
    # Ray has replaced the handler.
    signal.signal(signal.SIGTERM, terminated)
    util: Any = ray.util
    if address is None and util.get_node_ip_address() != LOOPBACK:
        raise DseError(
            f"Ray {ray.__version__} would listen to other machines; begin a cluster "
            "yourself and name its --address"
        )


def _closed_to_others() -> Mapping[str, str]:
    """Variables of a cluster begun here, inherited by its processes."""
    return {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray's name for: bind to loopback
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": _token(),
        "RAY_USAGE_STATS_ENABLED": "0",
        **import_variables(),
    }


@functools.cache
def _token() -> str:
    """Secret that keeps other users out of the cluster."""
    return secrets.token_hex(32)


def _read_variables_anew() -> None:
    """Make Ray read its settings and token again, if this version has tokens."""
    core: Any = ray._raylet
    if hasattr(core, "AuthenticationTokenLoader"):
        core.Config.initialize("")
        core.AuthenticationTokenLoader.instance().reset_cache()


def _check(address: str) -> None:
    """Check within seconds that something listens there; Ray would try for a minute."""
    expected = "expected host:port of its head, as 10.0.0.5:6379, or auto"
    if address == "auto":
        return
    host, colon, port = address.rpartition(":")
    if not colon or re.fullmatch("[0-9]{1,5}", port) is None or "/" in host:
        raise DseError(f"address {address!r} is none of a Ray cluster; {expected}")
    try:
        place = host.strip("[]"), int(port)  # brackets: IPv6
        socket.create_connection(place, CONNECT_SECONDS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise DseError(
            f"no Ray cluster answers at {address} ({why}); {expected}"
        ) from error
