"""One fault as data, and the place in which it is tried."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeAlias

from attrs import field, frozen

from sweepstake.queue.verify import verify
from tests.kit.history import CLOCK_ERROR, check_history
from tests.kit.stack import ServerProcess, store_of
from tests.kit.stores import open_store

__all__ = ["DIRECT", "SERVED", "Fault", "Figures", "Place", "open_place"]

#: The stores that clients may use directly, and those behind a server.
DIRECT: Final = ("sqlite", "postgres")
SERVED: Final = ("http-sqlite", "http-postgres")

#: What a run saw, in words: `{"jobs": 300, "longest wait (s)": 1.25}`.
Figures: TypeAlias = Mapping[str, float]


@frozen(kw_only=True)
class Place:
    """A new store, alone or behind a server, for one run of one fault.

    Attributes:
        kind: one of `tests.kit.stack.KINDS`.
        url: where clients find the queue.
        store: the URL of the store itself.
        folder: for anything else.
        new_database: makes an empty PostgreSQL database and returns its URL.
        server: the server's process; None if clients use the store directly.
        judged: the stores whose history is judged afterwards; a fault that uses others changes the list.
    """

    kind: str
    url: str
    store: str
    folder: Path
    new_database: Callable[[], str]
    server: ServerProcess | None = None
    judged: list[str] = field(factory=list)

    def machine(self) -> dict[str, str]:
        """Return the variables by which workers have a home of their own, and a folder for what their jobs leave."""
        configuration = self.folder / "config.toml"
        configuration.touch()
        variables = {"SWEEPSTAKE_STATE": str(self.folder / "state"), "SWEEPSTAKE_CONFIG": str(configuration)}
        if self.kind == "postgres":  # a file has a folder beside it, and servers keep what their clients send
            variables["SWEEPSTAKE_FILES"] = str(self.folder / "files")
        return variables


@frozen(kw_only=True)
class Fault:
    """Something that is broken, and the promise that must hold.

    Attributes:
        number: as in `F1`.
        words: what is broken, for people.
        holds: what must hold.
        run: does it at a size, and returns what it saw.
        unit: what the size counts, as in `jobs`.
        small: the size in the normal run of the tests.
        full: the size that proves it.
        small_kinds: where the small size runs.
        full_kinds: where the full size runs.
        clock_error: seconds by which the clocks of those who wrote into a store may disagree.
        podman: whether it runs containers; where they cannot run it is skipped, and in CI it fails.
        slurm: whether it starts a Slurm, likewise.
    """

    number: str
    words: str
    holds: str
    run: Callable[[Place, int], Figures]
    unit: str
    small: int
    full: int
    small_kinds: Sequence[str] = DIRECT
    full_kinds: Sequence[str] = DIRECT
    clock_error: float = CLOCK_ERROR
    podman: bool = False
    slurm: bool = False

    def prove(self, place: Place, size: int) -> Figures:
        """Try it, then judge the history that it left behind.

        Raises:
            AssertionError: the promise broke.
        """
        figures = self.run(place, size)
        for store in place.judged:
            check_history(store, clock_error=self.clock_error)
            _verify(store, self.clock_error)
        return figures


def _verify(url: str, clock_error: float) -> None:
    """Let the package's own `verify` judge as well; both must agree that nothing is wrong."""
    with closing(open_store(url)) as store:
        verification = verify(store.ledger, clock_error=clock_error)
    assert not verification.found, f"`sweepstake verify` finds: {verification.violations[:5]}"


@contextmanager
def open_place(kind: str, folder: Path, new_database: Callable[[], str]) -> Iterator[Place]:
    """Make a new store in `folder`, or a new database, with a server over it if the kind says so."""
    store = store_of(kind, folder, new_database)
    if kind in DIRECT:
        yield Place(kind=kind, url=store, store=store, folder=folder, new_database=new_database, judged=[store])
        return
    options = [] if kind.endswith("sqlite") else ["--files", str(folder / "files")]
    with ServerProcess(store, folder, *options) as server:
        yield Place(
            kind=kind,
            url=server.url,
            store=store,
            folder=folder,
            new_database=new_database,
            server=server,
            judged=[store],
        )
