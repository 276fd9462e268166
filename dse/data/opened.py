"""Open a set for random access, and summarise the headers of its images."""

import hashlib
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dse.data import pixelcache
from dse.data.atrandom import Joined, records_at_random
from dse.data.contents import pixels_as_before, seen_in
from dse.data.folders import open_source
from dse.data.identity import Identity, identify, moment_of, size
from dse.data.layout import Named
from dse.data.load import folder_of
from dse.data.memory import TEST_SHARE, Watch
from dse.data.names import as_text
from dse.data.pixels import DECODING_VERSION, look
from dse.data.source import Source
from dse.data.traits import Traits
from dse.errors import DseError

if TYPE_CHECKING:
    from dse.data.hub import HubNames

THREADS = 16
LOOKED_AT_ONCE = 256
"""Number of headers that a thread reads in one batch."""


@dataclass(frozen=True)
class Opened:
    """A set with random access to its images.

    Attributes:
        source: the set as it was found.
        identity: identity of its files, by name and size.
        records: the images of its parts, one part after the other.
        moment: digest that changes, on this machine, when one of its files does.
        names: fingerprints of a set of the hub.
    """

    source: Source
    identity: Identity
    records: Joined
    moment: str
    names: "HubNames | None" = None


def open_at_random(place: str, named: Named) -> Opened:
    """Open the set in a folder or on the hub.

    Raises:
        DseError: it cannot be opened, or holds no images with labels.
    """
    folder = folder_of(place)
    if folder is None:
        from dse.data.hub import hub_source

        source, names = hub_source(place, named)
        identity = Identity(names.now)
        return Opened(source, identity, records_at_random(source, ""), names.now, names)
    source = open_source(folder, as_text(place), named)
    identity = identify(source, TEST_SHARE, size)
    text = f"{socket.gethostname()} {identity.key} {moment_of(source)}"
    moment = hashlib.sha256(text.encode()).hexdigest()
    return Opened(source, identity, records_at_random(source, moment), moment)


@lru_cache(maxsize=1)
def records_of(place: str, named: Named, key: str, host: str, moment: str) -> Joined:
    """Open a set's images, once per process.

    Args:
        place: the folder or hub id.
        named: columns and folders named by the user.
        key: its identity when the command began.
        host: the machine that the command began on; another has its own files.
        moment: `Opened.moment` on that machine.

    Raises:
        DseError: the set has changed since the command began.
    """
    opened = open_at_random(place, named)
    here = socket.gethostname() == host
    if opened.identity.key != key or (here and opened.moment != moment):
        raise DseError(
            f"dataset {place} is not what it was when the command began; leave its "
            "files alone, then repeat the command"
        )
    return opened.records


def headers(opened: Opened, side: int, watch: Watch) -> tuple[dict[str, Any], bool]:
    """Summarise the headers of all images.

    The result is kept in the cache folder until a file changes.

    Args:
        opened: the set.
        side: side of the square that images are resized to.
        watch: called with the numbers of headers read and of all headers.

    Returns:
        Fields of `dse.data.contents.Contents`, and True if version 1 of decoding gave
        the same pixels.

    Raises:
        DseError: a header shows that an image cannot be decoded.
    """
    source, records = opened.source, opened.records
    key = f"headers-{DECODING_VERSION}-{side}-{opened.moment}"
    kept = pixelcache.read(key)
    if kept is None:
        traits = _looked_at(records, source.called, side, watch)
        summary = {"seen": seen_in(traits), "as_before": pixels_as_before(traits)}
        kept = pixelcache.Kept({}, summary)
        pixelcache.write(key, kept)
    seen = kept.told["seen"]
    return {**seen, "sixteen_bits": tuple(seen["sixteen_bits"])}, kept.told["as_before"]


def _looked_at(records: Joined, called: str, side: int, watch: Watch) -> list[Traits]:
    def look_at(first: int) -> list[Traits]:
        last = min(first + LOOKED_AT_ONCE, len(records))
        return [_look(records, index, called, side) for index in range(first, last)]

    traits: list[Traits] = []
    with ThreadPoolExecutor(THREADS, "headers") as pool:
        for some in pool.map(look_at, range(0, len(records), LOOKED_AT_ONCE)):
            traits += some
            watch(len(traits), len(records))
    return traits


def _look(records: Joined, index: int, called: str, side: int) -> Traits:
    with records.opened(index) as (file, place, extension):
        return look(file, f"dataset {called}: {place}", extension, side)
