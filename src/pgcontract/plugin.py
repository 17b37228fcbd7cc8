"""The pytest plugin: options, fixtures, and contracts as tests.

Light on purpose, since pytest loads it in every run: nothing heavy is imported before a test needs it.

A test that asks for ``promise`` is run once for every promise and direction of the configured systems' contracts, or of
some kinds: ``@pytest.mark.promises("check", "unique")``. Where no test asks for it, the contracts are collected by
themselves, so that ``[tool.pgcontract] systems = […]`` is all that a project needs.

For tests of a project's own there are ``database``, ``committed_database``, ``rows`` and ``worlds``. What they are of
and how they are set up is said by fixtures to be defined anew in a conftest.py: ``pgcontract_system``,
``configure_connection`` and ``row_overrides``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from pgcontract.database import Database, Transaction
    from pgcontract.ephemeral import ServerChoice
    from pgcontract.harness import Case, Harness, Mutated
    from pgcontract.server import Server
    from pgcontract.strategies import Configure, Overrides, Rows, Strategies, Worlds
    from pgcontract.workbench import Workbench

Result = TypeVar("Result")

SERVER = pytest.StashKey["Server"]()
HARNESS = pytest.StashKey["Harness"]()
WORKBENCHES = pytest.StashKey["dict[Path, Workbench]"]()
SERVER_OF_THE_RUN = "pgcontract_server_of_the_run"
EXIT_ENVIRONMENT = 2
CONTRACT = "contract"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of a run."""
    group = parser.getgroup("pgcontract", "PostgreSQL schemas under contract")
    group.addoption("--pg", type=int, metavar="MAJOR", help="PostgreSQL's major version")
    group.addoption("--pg-bin", metavar="FOLDER", help="the folder that holds postgres and initdb")
    group.addoption("--dsn", metavar="DSN", help="a server of yours, on which databases are created and dropped")
    group.addoption("--contract-examples", type=int, default=25, metavar="N", help="drawn examples a direction")
    group.addoption("--contract-mutants", action="store_true", help="would the proofs notice? a test a promise")
    group.addoption("--contract-seed", type=int, default=0, metavar="N", help="draws other examples")


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker; give a report of JUnit's names that people read."""
    if config.getoption("xmlpath", None) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_ReadableNames(config))
    config.addinivalue_line("markers", "promises(*kinds): the kinds of promises that a `promise` test is run for")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The server's version, where a schema is under contract."""
    systems = _systems(config)
    if not systems:
        return []
    named = ", ".join(path.name for path in systems)
    return [f"pgcontract: {named} on {_told(_version, config)}"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that asks for ``promise`` once a promise and direction."""
    if "promise" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("promises")
    kinds = marker.args if marker else ()
    found = [c for c in _told(_cases, metafunc.config) if not kinds or c.promise.kind in kinds]
    metafunc.parametrize("promise", found, ids=str, indirect=True)


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Collect the contracts by themselves where no test asks for them and no path was given."""
    if _paths_given(config):
        return
    asked = any("promise" in getattr(item, "fixturenames", ()) for item in items)
    for path in _systems(config):
        contract = _contract_file(session, path)
        items += [] if asked else contract.promised()
        items += contract.mutated()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ContractFile | None:
    """Collect a contract whose file was named on the command line."""
    if file_path.suffix != ".toml" or not _paths_given(parent.config):
        return None
    found = (_contract_file(parent, path) for path in _systems(parent.config))
    return next((contract for contract in found if contract.path == file_path), None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Drop the clones, then stop the server."""
    stash = session.config.stash
    if HARNESS in stash:
        stash[HARNESS].close()
        del stash[HARNESS]
    for workbench in stash.get(WORKBENCHES, {}).values():
        workbench.close()
    if SERVER in stash:
        stash[SERVER].stop()
        del stash[SERVER]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """One server a run: xdist's controller starts it, and its workers are told where it is."""
    if _systems(node.config):
        node.workerinput[SERVER_OF_THE_RUN] = _told(_server, node.config).address.dsn()


class _ReadableNames:
    """In JUnit's XML a promise is called by its id and direction, in a class that its system and kind name."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        from _pytest.junitxml import xml_key  # noqa: PLC0415 - what `record_xml_attribute` uses, for workers' tests, too

        given = dict(report.user_properties)
        xml = self._config.stash.get(xml_key, None)
        if xml is None or "promise" not in given or f"::{CONTRACT}[" not in report.nodeid:
            return
        reporter = xml.node_reporter(report)
        reporter.add_attribute("classname", f"{given['system']}.{given['kind']}")
        reporter.add_attribute("name", f"{given['promise']} {given['direction']}")


class Promised:
    """What a test holds: one direction of one promise."""

    def __init__(self, case: Case, config: pytest.Config) -> None:
        self.case = case
        self._config = config

    def prove(self) -> None:
        """Prove it, or fail with the smallest counterexample as SQL.

        A promise that the system's baseline lists is expected to fail. A lost server ends the whole run: hundreds of
        failures would say no more.
        """
        __tracebackhide__ = True
        from pgcontract.harness import BrokenPromise, UnprovenPromise  # noqa: PLC0415 - only where one is proven

        try:
            _told(lambda config: _harness(config).prove(self.case), self._config)
        except (BrokenPromise, UnprovenPromise) as failure:
            known = failure
            reason = _told(lambda _: self.case.known(known), self._config)
            if reason is None:
                raise
            pytest.xfail(reason)

    @property
    def properties(self) -> list[tuple[str, object]]:
        """What reports for programs say of it."""
        case = self.case
        named = {"system": case.system.name, "kind": case.promise.kind, "promise": case.id}
        return [*named.items(), ("direction", str(case.direction))]


@pytest.fixture
def promise(request: pytest.FixtureRequest) -> Promised:
    """One direction of one promise of a configured system's contract; prove it with ``promise.prove()``."""
    promised = Promised(request.param, request.config)
    request.node.user_properties += promised.properties
    return promised


@pytest.fixture(scope="session")
def pgcontract_server(request: pytest.FixtureRequest) -> Server:
    """The run's PostgreSQL server, started for its first user and stopped after the last.

    It has what pytest-postgresql asks of a server: ``factories.postgresql_noproc(depends_on="pgcontract_server")``.
    """
    return _told(_server, request.config)


@pytest.fixture(scope="session")
def pgcontract_system(request: pytest.FixtureRequest) -> Path:
    """The path, from pytest's root, of the system that tests work with; to be defined anew where there are several."""
    return _told(_only_system, request.config)


@pytest.fixture(scope="session")
def configure_connection() -> Configure | None:
    """What is called with each new connection; to be defined anew, as ``rows.register`` for a schema's own types."""
    return None


@pytest.fixture(scope="session")
def row_overrides() -> Overrides:
    """Values or strategies for ``rows`` and ``worlds`` by ``table.column`` or ``table``; to be defined anew."""
    return {}


@pytest.fixture
def database(
    request: pytest.FixtureRequest, pgcontract_system: Path, configure_connection: Configure | None
) -> Iterator[Transaction]:
    """The system's database in a transaction, which is undone when the test ends."""
    with _open(request, pgcontract_system, lambda bench: bench.transaction(configure_connection)) as transaction:
        yield transaction


@pytest.fixture
def committed_database(
    request: pytest.FixtureRequest, pgcontract_system: Path, configure_connection: Configure | None
) -> Iterator[Database]:
    """A pool on a database of the test's own, for what must be committed; it is dropped when the test ends."""
    with _open(request, pgcontract_system, lambda bench: bench.database(configure_connection)) as database:
        yield database


@pytest.fixture(scope="module")
def row_strategies(
    request: pytest.FixtureRequest,
    pgcontract_system: Path,
    configure_connection: Configure | None,
    row_overrides: Overrides,
) -> Iterator[Strategies]:
    """What ``rows`` and ``worlds`` are made by."""
    made = _open(request, pgcontract_system, lambda bench: bench.strategies(row_overrides, configure_connection))
    with made as strategies:
        yield strategies


@pytest.fixture(scope="module")
def rows(row_strategies: Strategies) -> Rows:
    """Rows of the system's tables: ``rows("products")`` is a strategy, ``rows.minimal("products")`` a row."""
    return row_strategies.rows


@pytest.fixture(scope="module")
def worlds(row_strategies: Strategies) -> Worlds:
    """Rows with their parents: ``worlds.minimal("messages").insert(database)`` inserts them all."""
    return row_strategies.worlds


class ContractFile(pytest.File):
    """A system's contract as a collection of cases."""

    def __init__(self, *, system: Path, **rest: Any) -> None:
        super().__init__(**rest)
        self._system = system

    def collect(self) -> list[pytest.Item]:
        """One item a promise and direction, and one for a promise's mutants where they are asked for."""
        return [*self.promised(), *self.mutated()]

    def promised(self) -> list[pytest.Item]:
        """One item a promise and direction."""
        from pgcontract.harness import cases  # noqa: PLC0415 - only where a contract is collected

        found = _told(lambda _: cases(self._system), self.config)
        return [ContractItem.from_parent(self, name=f"{CONTRACT}[{case}]", case=case) for case in found]

    def mutated(self) -> list[pytest.Item]:
        """One item for all mutants of a promise, where ``--contract-mutants`` asks for them."""
        if not self.config.getoption("--contract-mutants"):
            return []
        from pgcontract.harness import mutated  # noqa: PLC0415

        found = _told(lambda _: mutated(self._system), self.config)
        return [MutantsItem.from_parent(self, name=f"mutants[{one}]", mutated=one) for one in found]


class _Item(pytest.Item):
    """A test that no function stands for."""

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Tell the counterexample, not our frames."""
        return str(excinfo.value) if excinfo.errisinstance(AssertionError) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the promise stands."""
        return self.path, None, self.name


class ContractItem(_Item):
    """One direction of one promise."""

    def __init__(self, *, case: Case, **rest: Any) -> None:
        super().__init__(**rest)
        self._promised = Promised(case, self.config)
        self.user_properties += self._promised.properties

    def runtest(self) -> None:
        """Prove it."""
        self._promised.prove()


class MutantsItem(_Item):
    """All mutants of one promise: proofs must notice each."""

    def __init__(self, *, mutated: Mutated, **rest: Any) -> None:
        super().__init__(**rest)
        self._mutated = mutated

    def runtest(self) -> None:
        """Judge them."""
        _told(lambda config: _harness(config).mutate(self._mutated), self.config)


def _told(make: Callable[[pytest.Config], Result], config: pytest.Config) -> Result:
    """Call it; a user's mistake or a lost server ends the run with one message, not with a traceback a test."""
    from pgcontract.errors import PgContractError  # noqa: PLC0415 - pytest loads this module in every run

    try:
        return make(config)
    except PgContractError as error:
        pytest.exit(f"pgcontract: {error}", returncode=EXIT_ENVIRONMENT)


def _systems(config: pytest.Config) -> Sequence[Path]:
    """The folders of the systems that pyproject.toml or pgcontract.toml names."""
    if any(config.rootpath.joinpath(name).exists() for name in ("pyproject.toml", "pgcontract.toml")):
        from pgcontract.system import configured  # noqa: PLC0415

        return _told(lambda _: configured(config.rootpath), config)
    return []


def _paths_given(config: pytest.Config) -> bool:
    return config.args_source is pytest.Config.ArgsSource.ARGS


def _contract_file(parent: pytest.Collector, path: Path) -> ContractFile:
    from pgcontract.system import System  # noqa: PLC0415

    contract = _told(lambda _: System.load(path).contract, parent.config)
    file: ContractFile = ContractFile.from_parent(parent, path=contract, system=path)
    return file


def _cases(config: pytest.Config) -> list[Case]:
    from pgcontract.harness import cases  # noqa: PLC0415

    return [case for path in _systems(config) for case in cases(path)]


def _choice(config: pytest.Config) -> ServerChoice:
    from pgcontract.ephemeral import ServerChoice  # noqa: PLC0415

    pg_bin = config.getoption("--pg-bin")
    workerinput = getattr(config, "workerinput", {})
    return ServerChoice(
        config.getoption("--pg"),
        dsn=config.getoption("--dsn"),
        pg_bin=Path(pg_bin) if pg_bin else None,
        running=workerinput.get(SERVER_OF_THE_RUN),
    )


def _server(config: pytest.Config) -> Server:
    """The run's server, with the first system's template in it."""
    if SERVER not in config.stash:
        from pgcontract.ephemeral import open_server  # noqa: PLC0415
        from pgcontract.system import System  # noqa: PLC0415

        systems = _systems(config)
        config.stash[SERVER] = open_server(_choice(config), System.load(systems[0]) if systems else None)
    return config.stash[SERVER]


def _harness(config: pytest.Config) -> Harness:
    if HARNESS not in config.stash:
        from pgcontract.harness import Harness  # noqa: PLC0415

        options = config.getoption("--contract-examples"), config.getoption("--contract-seed")
        config.stash[HARNESS] = Harness(_server(config), _choice(config), *options)
    return config.stash[HARNESS]


def _only_system(config: pytest.Config) -> Path:
    from pgcontract.errors import UsageError  # noqa: PLC0415

    systems = _systems(config)
    if len(systems) == 1:
        return systems[0]
    raise UsageError(
        "Which system's database a test is to have is not known",
        where=str(config.rootpath / "pyproject.toml"),
        seen=", ".join(path.name for path in systems) or "no systems in [tool.pgcontract]",
        remedy="define the fixture pgcontract_system in a conftest.py: the path of one",
    )


@contextmanager
def _open(
    request: pytest.FixtureRequest, system: Path, make: Callable[[Workbench], AbstractContextManager[Result]]
) -> Iterator[Result]:
    """What a system's workbench makes, for as long as a fixture."""
    with ExitStack() as stack:
        yield _told(lambda config: stack.enter_context(make(_workbench(config, system))), request.config)


def _workbench(config: pytest.Config, system: Path) -> Workbench:
    opened = config.stash.setdefault(WORKBENCHES, {})
    path = config.rootpath / system
    if path not in opened:
        from pgcontract.system import System  # noqa: PLC0415
        from pgcontract.workbench import Workbench  # noqa: PLC0415

        opened[path] = Workbench(System.load(path), _server(config), _choice(config))
    return opened[path]


def _version(config: pytest.Config) -> str:
    """The server's version, without starting one."""
    from pgcontract.ephemeral import version  # noqa: PLC0415

    return version(_choice(config))
