"""Apply the one service of a fleet in this very process, and be killed on the way. A script.

Arguments: the fleet file, and at which event of the file system to die. Without the latter,
prints all events, one a line, as `sys.audit` has them.
"""

import os
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from stampede import fleet, gitenv, rendering, work
from stampede.orders import Options, Order

EVENTS = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "shutil.copyfile"}


def main(file: Path, fatal: int | None) -> None:
    whole = fleet.read(file)
    (service,) = whole.services
    gitenv.settle()
    with TemporaryDirectory() as shelf:
        os.environ["COPIER_CACHE_DIR"] = f"{shelf}/copier"
        rendering.adopt_environment()
        release = work.prepare(whole.source, [service.version], Path(shelf))[service.version]
        assert not isinstance(release, str), release
        order = Order(service, release, whole.defaults, whole.places, Options(lock=False))
        events: list[str] = []

        def die(event: str, arguments: tuple[object, ...]) -> None:
            within = arguments and str(arguments[0]).startswith(str(service.path.parent))
            if event in EVENTS and within:
                events.append(f"{event} {arguments[0]}")
                if len(events) == fatal:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(die)
        outcome = work.apply(order, Path(shelf))
        assert outcome.applied, outcome
        sys.stdout.write("\n".join(events))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else None)
