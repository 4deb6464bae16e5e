"""A batch on a cluster, through Ray: actors do there what processes do here.

Ray Core and not Ray Data: pixels are read by :mod:`cnncli.images` where they are needed, a name is
all that travels, and what comes back is a small record, in the order of the inputs.
"""

import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from cnncli.errors import DeviceError, UsageError
from cnncli.pipeline import core_count, ordered_map

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

_RETRIES = 3  # of a chunk whose actor or node was lost


def map_on_cluster(
    work: Callable[[Sequence[Item]], list[Outcome]],
    chunks: Iterable[Sequence[Item]],
    address: str,
    cpus_each: float,
    gpus_each: float,
    lost: Callable[[Item], Outcome],
) -> Iterator[list[Outcome]]:
    """Apply `work` to chunks of items on a cluster and yield the results in order.

    As many actors as the cluster has room for get the work once and keep it, with what it loads.
    Each has two chunks: one in hand and one to go on with. Where an actor or its node is lost,
    those that are left get its chunks; the room for another one may be lost with it.

    Parameters
    ----------
    work
        Picklable; importable on every node, which also see the files under the same paths.
    chunks
        Inputs that travel together.
    address
        ``ray`` for a Ray on this machine (or that of ``RAY_ADDRESS``), or ``ray://HOST:PORT``.
    cpus_each, gpus_each
        What an actor takes.
    lost
        Gives the result of an item whose actors all ended before its work was done.

    Yields
    ------
    list of Outcome
        ``work(chunk)`` for each chunk.

    Raises
    ------
    DeviceError
        If there is no Ray, no such cluster, or it has no room for an actor.
    """
    ray = _connected(address)
    try:
        count = _room(ray.cluster_resources(), cpus_each, gpus_each)
        resources = {"num_cpus": cpus_each, "num_gpus": gpus_each}
        kind = ray.remote(**resources)(_Actor)
        shared = ray.put(work)
        actors = [kind.remote([shared], os.getcwd()) for _ in range(count)]  # noqa: PTH109
        turns, own, changing = itertools.count(), threading.local(), threading.Lock()

        def submit(chunk: Sequence[Item]) -> list[Outcome]:
            for _ in range(1 + _RETRIES):
                with changing:
                    if getattr(own, "actor", None) not in actors:  # two threads share an actor
                        actors[:] = actors or [kind.remote([shared], os.getcwd())]  # noqa: PTH109
                        own.actor = actors[next(turns) % len(actors)]
                try:
                    done: list[Outcome] = ray.get(own.actor.run.remote(chunk))
                except ray.exceptions.RayError:
                    with changing:
                        actors[:] = [actor for actor in actors if actor != own.actor]
                else:
                    return done
            return [lost(item) for item in chunk]

        yield from ordered_map(submit, chunks, 2 * count)
    finally:
        ray.shutdown()


class _Actor:
    """Keeps the work, and what it loads."""

    def __init__(self, shared: Sequence[Any], folder: str) -> None:
        import ray

        os.chdir(folder)  # names are relative to where the command was given
        self._work: Callable[[Any], Any] = ray.get(shared[0])

    def run(self, chunk: Sequence[Any]) -> Any:
        """Return the work's results."""
        return self._work(chunk)


def _connected(address: str) -> Any:
    if address != "ray" and not address.startswith("ray://"):
        raise UsageError(f"--on {address!r} is no cluster; give ray or ray://HOST:PORT")
    try:
        import ray
    except ImportError:
        raise DeviceError(f"--on {address} needs Ray; pip install 'cnncli[ray]'") from None
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address != "ray":
        options["address"] = address
    elif "RAY_ADDRESS" not in os.environ:
        options |= {"num_cpus": core_count(), "include_dashboard": False}
    try:
        ray.init(**options)
    except Exception as error:  # of many kinds, by Ray and by gRPC
        reason = " ".join(str(error).split())[:200]
        raise DeviceError(
            f"--on {address}: {reason}; check the address and RAY_AUTH_TOKEN, or try again"
        ) from None
    return ray


def _room(resources: dict[str, float], cpus_each: float, gpus_each: float) -> int:
    """Return how many actors the cluster has room for."""
    rooms = [int(resources.get("CPU", 0) // cpus_each)] if cpus_each else []
    rooms += [int(resources.get("GPU", 0) // gpus_each)] if gpus_each else []
    if not rooms or min(rooms) < 1:
        raise DeviceError(
            f"the cluster has {resources.get('CPU', 0):g} CPUs and {resources.get('GPU', 0):g} "
            f"GPUs, and an actor takes {cpus_each:g} and {gpus_each:g}; lower --cpus-each or "
            "--gpus-each"
        )
    return min(rooms)
