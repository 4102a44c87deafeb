"""Worker processes: long-lived, so that imports and compiled templates serve many services.

Copier changes the working directory and has a cache that parallel copies must not share, so they
are processes, each with a cache of its own. This module imports nothing of Copier's: the command
line starts without waiting for it.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stampede import gitenv
from stampede.errors import Finding, StampedeError
from stampede.orders import Order
from stampede.outcomes import Outcome, State
from stampede.releases import Release

WORK = "stampede.work"
ENDED = "a worker process ended (killed, or out of memory); apply again to finish"
Progress = Callable[[str], None]


class Crew:
    """The worker processes of one run."""

    def __init__(self, executor: ProcessPoolExecutor, shelf: Path) -> None:
        self._executor = executor
        self._shelf = shelf

    def prepare(self, source: str, versions: Sequence[str]) -> dict[str, Release | str]:
        """Bring the template here, and return the release that each version means, or why none."""
        found: dict[str, Release | str] = self._ask("prepare", source, list(versions), self._shelf)
        return found

    def unknown_defaults(
        self, defaults: Mapping[str, Any], places: Mapping[str, str], used: list[Release]
    ) -> list[Finding]:
        """Tell which defaults are no question in any of the releases."""
        found: list[Finding] = self._ask("unknown_defaults", defaults, places, used)
        return found

    def each(self, function: str, orders: Sequence[Order], progress: Progress) -> list[Outcome]:
        """Do something about every service, and return what came of it in the fleet's order.

        One that fails does not stop the others. When interrupted, those that have begun end first.
        """
        futures: dict[Future[Outcome], Order] = {}
        try:
            for order in orders:
                futures[self._executor.submit(_call, function, order, self._shelf)] = order
            for future in as_completed(futures):
                progress(futures[future].service.label)
        except BrokenProcessPool:
            pass  # Each service says so below.
        except KeyboardInterrupt:
            self._executor.shutdown(cancel_futures=True)
            raise
        outcomes = [_outcome(future, order) for future, order in futures.items()]
        return outcomes + [_ended(order) for order in orders[len(outcomes) :]]

    def _ask(self, function: str, *arguments: object) -> Any:  # noqa: ANN401 - as `work` says.
        try:
            return self._executor.submit(_call, function, *arguments).result()
        except BrokenProcessPool as error:
            raise StampedeError(ENDED) from error


def _outcome(future: Future[Outcome], order: Order) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:
        return _ended(order)


def _ended(order: Order) -> Outcome:
    service = order.service
    target = order.release.commit
    return Outcome(service.label, service.name, State.FAILED, target=target, message=ENDED)


@contextmanager
def crew(jobs: int) -> Iterator[Crew]:
    """Start at most *jobs* worker processes, and end them with the block."""
    # Not forked from here: this process has threads, and no need of what the workers import.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([WORK])
    with (
        TemporaryDirectory(prefix="stampede.", ignore_cleanup_errors=True) as shelf,
        ProcessPoolExecutor(jobs, context, _settle, (Path(shelf),)) as executor,
    ):
        yield Crew(executor, Path(shelf))


def _call(function: str, *arguments: object) -> Any:  # noqa: ANN401 - as `work` says.
    return getattr(import_module(WORK), function)(*arguments)


def _settle(shelf: Path) -> None:
    """Make this process a worker."""
    os.setsid()  # Ctrl-C is the command's to handle: a worker ends what it has begun.
    os.dup2(2, 1)  # The output is the command's alone; what a template's task says is an aside.
    os.environ["COPIER_CACHE_DIR"] = str(shelf / f"copier.{os.getpid()}")
    gitenv.settle()
    import_module("stampede.rendering").adopt_environment()
    import_module("stampede.compiled").share_compiled_templates()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End at once when the command is killed, so that nobody writes while the next one reads."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
