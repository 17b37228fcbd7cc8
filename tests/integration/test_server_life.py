"""A server lives as long as the run that started it, wherever it runs and as whoever, and leaves nothing."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest

from pgcontract.errors import PgContractError, ServerError, UsageError
from pgcontract.server import Binaries, Server, Template, attach, frozen, places, privileges, start
from pgcontract.server.settings import configuration
from tests.integration.fix_server import PEOPLE, SAY_AND_WAIT, START, Hold, eventually, people

pytestmark = pytest.mark.thorough

ROOT = os.geteuid() == 0


def gone(folder: str) -> bool:
    """Whether neither a folder nor a server in it is left."""
    return not Path(folder).exists() and not servers_in(folder)


def servers_in(folder: str) -> list[int]:
    """The processes that were started with this folder in their command."""
    listed = subprocess.run(
        ["ps", "-ww", "-A", "-o", "pid=", "-o", "args="], capture_output=True, text=True, check=True
    ).stdout
    return [int(line.split()[0]) for line in listed.splitlines() if folder in line and "postgres" in line]


def alive(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_end_of_a_with_leaves_nothing(test_binaries: Binaries) -> None:
    """Server and folder are gone when ``stop`` returns; a second stop is nothing."""
    with start(test_binaries) as server:
        assert server.is_running()
        assert servers_in(server.host)
    assert gone(server.host)
    assert not server.is_running()
    server.stop()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_a_killed_run_takes_its_server_and_folder_with_it(hold: Hold, number: signal.Signals) -> None:
    """Within ten seconds, whatever signal ended the run."""
    holder = hold(START + SAY_AND_WAIT)
    assert servers_in(holder.said)
    holder.process.send_signal(number)
    holder.process.wait()
    assert eventually(lambda: gone(holder.said), within=10)


def test_a_forked_child_does_not_keep_a_killed_runs_server_alive(hold: Hold) -> None:
    """A child that was forked (not executed) holds a copy of every open file, and lives on; the server does not."""
    code = """
child = os.fork()
if child == 0:
    sys.stdin.read()
    os._exit(0)
print(server.address.host, child, flush=True)
sys.stdin.read()
"""
    holder = hold(START + code)
    folder, child = holder.said.split()
    holder.process.kill()
    holder.process.wait()
    assert eventually(lambda: gone(folder), within=10)
    os.kill(int(child), signal.SIGKILL)  # it was still there to be killed


def test_a_forked_childs_ordinary_end_does_not_end_its_parents_server(hold: Hold) -> None:
    """Multiprocessing's workers end all the time."""
    code = """
import multiprocessing, psycopg
worker = multiprocessing.get_context("fork").Process(target=print, args=("done",), kwargs={"file": sys.stderr})
worker.start()
worker.join()
if os.fork() == 0:
    sys.exit(0)
os.wait()
psycopg.connect(server.address.dsn()).close()
"""
    holder = hold(START + code + SAY_AND_WAIT)
    assert servers_in(holder.said)


@pytest.mark.thorough
def test_a_killed_supervisors_server_ends_and_the_next_start_sweeps(
    hold: Hold, test_binaries: Binaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever kills run and supervisor leaves a folder that nobody holds: the next start removes it."""
    # runs in a folder of their own, where no other test's start sweeps first
    monkeypatch.setattr(places, "memory_folder", lambda: None)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    elsewhere = "from pgcontract.server import places\nplaces.memory_folder = lambda: None\n"
    say = "print(server._run.folder, server._run._process.pid, flush=True)\nsys.stdin.read()"
    holder = hold(elsewhere + START + say, TMPDIR=str(tmp_path))
    folder, supervisor = holder.said.split()
    os.kill(int(supervisor), signal.SIGSTOP)  # so that it cannot tidy up before it is killed, too
    holder.process.kill()
    holder.process.wait()
    os.kill(int(supervisor), signal.SIGKILL)
    assert eventually(lambda: not alive(int(supervisor)), within=10)
    assert Path(folder).exists()
    with start(test_binaries) as server:
        assert gone(folder)
        assert server.is_running()


def test_the_next_start_leaves_a_living_run_alone(hold: Hold, test_binaries: Binaries) -> None:
    """Sweeping never touches a folder whose supervisor lives."""
    holder = hold(START + SAY_AND_WAIT)
    with start(test_binaries):
        assert servers_in(holder.said)


def test_a_server_that_dies_is_one_clear_error(test_binaries: Binaries) -> None:
    """Whoever uses it next is told that it has gone, with the end of its log, and its folder still goes."""
    with start(test_binaries, template=PEOPLE) as server:
        template = server.template(PEOPLE)
        server.clone(template)
        os.kill(int((Path(server.host) / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
        assert eventually(lambda: not server.is_running(), within=10)
        with pytest.raises(ServerError, match="has gone") as caught:
            server.clone(template)
        assert "database system" in (caught.value.seen or "")
        with pytest.raises(ServerError, match="has gone"):
            server.check()
    assert gone(server.host)


def test_a_server_that_does_not_start_shows_its_log(test_binaries: Binaries, cache_with_bare_cluster: Path) -> None:
    """The reason stands in the error, and nothing is left."""
    with start(test_binaries):
        pass
    frozen_cluster = next((cache_with_bare_cluster / "clusters").glob("bare-*.cluster"))
    whole = frozen_cluster.read_bytes()
    frozen_cluster.write_bytes(whole.replace(b"max_connections = '100'", b"max_connections = 'lot'"))
    with pytest.raises(ServerError, match="did not start") as caught:
        start(test_binaries)
    assert "max_connections" in (caught.value.seen or "")
    assert not Path(caught.value.where or "").exists()


def test_a_template_is_made_for_the_first_run_only(test_binaries: Binaries, cache_with_bare_cluster: Path) -> None:
    """The cluster with the template in it is made once, and comes from the cache ever after."""
    cached = cache_with_bare_cluster / "clusters"
    with start(test_binaries, template=PEOPLE) as server, server.clone(server.template(PEOPLE)) as clone:
        psycopg.connect(clone.dsn).close()
    kept = {path.name: path.stat().st_ino for path in cached.glob("*.cluster")}
    assert {name.split("-")[0] for name in kept} == {"bare", "template"}

    def never(_dsn: str) -> None:
        raise AssertionError("the template was made again")

    again = Template(PEOPLE.key, never)
    with start(test_binaries, template=again) as server, server.clone(server.template(again)) as clone:
        with psycopg.connect(clone.dsn) as connection:
            assert connection.execute("SELECT count(*) FROM people").fetchone() == (0,)
            assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)
        connection.close()
    assert {path.name: path.stat().st_ino for path in cached.glob("*.cluster")} == kept


@pytest.mark.thorough
def test_a_damaged_cluster_is_made_anew_and_a_half_written_one_never_seen(
    test_binaries: Binaries, cache_with_bare_cluster: Path
) -> None:
    """A file cut short is noticed before anything is made of it; what a killed writer left has no cluster's name."""
    with start(test_binaries):
        pass
    cluster = next((cache_with_bare_cluster / "clusters").glob("bare-*.cluster"))
    whole = cluster.read_bytes()
    for damaged in (whole[:-1], whole[:100], b"", b"x" * 1000):
        cluster.write_bytes(damaged)
        with pytest.raises(frozen.Damaged):
            frozen.thaw(cluster, cache_with_bare_cluster / "never", owner=None, can_start=lambda: None)
    assert not (cache_with_bare_cluster / "never").exists()
    cluster.with_name(f".{cluster.name}.1234").write_bytes(whole[:1000])
    with start(test_binaries) as server:
        assert server.is_running()
    assert cluster.stat().st_size == len(whole)


def test_a_template_that_fails_at_start_leaves_no_cluster(
    test_binaries: Binaries, cache_with_bare_cluster: Path
) -> None:
    """Its exception passes, the server is gone, and the cache has the bare cluster only."""

    def broken(dsn: str) -> None:
        people(dsn)
        raise LookupError("third")

    with pytest.raises(LookupError, match="third"):
        start(test_binaries, template=Template("tests: broken at start", broken))
    assert [path.name.split("-")[0] for path in (cache_with_bare_cluster / "clusters").glob("*.cluster")] == ["bare"]


def test_the_cache_stays_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The templates used longest ago go; bare clusters are counted for themselves."""
    monkeypatch.setenv("PGCONTRACT_CACHE", str(tmp_path))
    data = tmp_path / "data"
    (data / "pg_wal").mkdir(parents=True)
    frozen.store("bare-1", data)
    for number in range(frozen.KEPT + 3):
        frozen.store(f"template-{number}", data)
        os.utime(tmp_path / "clusters" / f"template-{number}.cluster", (number, number))
        if number == 5:
            assert frozen.find("template-0")  # noted as used just now
    names = {path.stem for path in (tmp_path / "clusters").glob("*.cluster")}
    assert len(names) == frozen.KEPT + 1
    assert {"bare-1", "template-0", f"template-{frozen.KEPT + 2}"} <= names


def test_a_cache_that_cannot_be_written_does_not_stop_a_run(
    test_binaries: Binaries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The server starts all the same, as slowly as the first time, and says why."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("PGCONTRACT_CACHE", str(tmp_path / "file" / "cache"))
    with start(test_binaries) as server:
        assert server.is_running()
    assert "could not be cached" in caplog.text


def test_a_full_disk_is_an_error_that_says_where(test_binaries: Binaries, hold: Hold) -> None:
    """What cannot be written is named with its folder, and the run's folder is gone."""
    code = """
import resource, signal
from pgcontract.errors import ServerError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    start(find_binaries(None, pg_bin=Path(sys.argv[1])))
except ServerError as error:
    print(str(error).replace("\\n", " "), flush=True)
"""
    with start(test_binaries):  # so that there is a cluster to restore
        pass
    said = hold(START + code).said
    assert "data cannot be written" in said
    folder = re.search(r"where: (\S+)/data", said)
    assert folder
    assert gone(folder[1])


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["with space, comma and ü", "long" * 30], ids=["odd", "long"])
def test_any_folder_will_do(
    name: str, tmp_path: Path, test_binaries: Binaries, cache_with_bare_cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cache and temporary files under an odd or long path: the socket lies elsewhere, and goes with the run."""
    folder = tmp_path / name
    folder.mkdir()
    cache_with_bare_cluster.rename(folder / "cache")
    monkeypatch.setenv("PGCONTRACT_CACHE", str(folder / "cache"))
    monkeypatch.setattr(places, "memory_folder", lambda: None)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    for _ in range(2):
        with start(test_binaries) as server:
            psycopg.connect(server.address.dsn()).close()
            assert not server.host.startswith(str(folder))
            assert list(folder.rglob("postmaster.pid"))
        assert not Path(server.host).exists()
        assert not list(folder.glob("pgcontract-*/*"))


def test_data_lie_where_they_are_wanted(
    test_binaries: Binaries, cache_with_bare_cluster: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk with room, say; what cannot be used is told, and nothing else is taken in its place."""
    assert cache_with_bare_cluster.exists()
    monkeypatch.setenv("PGCONTRACT_DATA", str(tmp_path))
    with start(test_binaries) as server:
        psycopg.connect(server.address.dsn()).close()
        assert list(tmp_path.glob("pgcontract-*/*/data/postmaster.pid"))
    assert not list(tmp_path.glob("pgcontract-*/*"))
    monkeypatch.setenv("PGCONTRACT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ServerError, match="cannot be used") as caught:
        start(test_binaries)
    assert str(tmp_path / "nowhere") in str(caught.value)


def test_somebody_elses_folder_is_not_used(tmp_path: Path) -> None:
    """A name in a shared folder that others may write to, or that is a link, is not taken for ours."""
    folder = tmp_path / f"pgcontract-{os.geteuid()}"
    folder.symlink_to(tmp_path)
    assert places.private_folder(tmp_path) is None
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o777)
    assert places.private_folder(tmp_path) is None


def test_the_server_is_as_its_settings_say(people_server: Server) -> None:
    """What answers, plans and measurements depend on is the same on every major version and build."""
    wanted = dict(line.split(" = ") for line in configuration(people_server.major).splitlines())
    with psycopg.connect(people_server.address.dsn()) as connection:
        rows = connection.execute(
            "SELECT name, source FROM pg_settings WHERE lower(name) = ANY(%s) AND name <> 'unix_socket_directories'",
            [list(wanted)],
        ).fetchall()
        assert len(rows) == len(wanted)
        assert {source for _, source in rows} == {"configuration file"}
        facts = connection.execute(
            "SELECT current_setting('server_encoding'), current_setting('data_checksums'),"
            " current_setting('TimeZone'), datcollate, datctype, lower('É'), 'a' < 'B', 'é' < 'z',"
            " ARRAY(SELECT x FROM unnest(ARRAY['ä', 'b', 'A', '_', 'a', 'Z']) AS x ORDER BY x ASC)"
            " FROM pg_database WHERE datname = 'template0'"
        ).fetchone()
    assert facts is not None
    assert facts[:5] == ("UTF8", "on", "UTC", "C.UTF-8", "C.UTF-8")
    assert facts[5:] == ("é", False, False, ["A", "Z", "_", "a", "b", "ä"])


def test_only_we_can_reach_the_socket(people_server: Server) -> None:
    """There is no other address than a socket in a folder that only its owner may enter."""
    with psycopg.connect(people_server.address.dsn()) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    seen = Path(people_server.host).stat()
    assert seen.st_mode & 0o777 == 0o700
    assert seen.st_uid == os.geteuid()


# root's ways, each of which only root has; an ordinary user's way is what every other test takes there
ROOTS_WAYS = ["namespace", "another user", "no root at all"] if ROOT else ["no root at all"]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")  # the child only connects
@pytest.mark.parametrize("way", ROOTS_WAYS)
def test_root_and_others(way: str, test_binaries: Binaries, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root the server runs in a user namespace, else as another user whom we tell apart."""
    if way == "no root at all":
        # root becomes somebody else for the whole process; the namespace keeps an interpreter in root's home readable
        prefix = ("unshare", "--user", "--map-user=65534", "--map-group=65534", "--") if ROOT else ()
        with tempfile.TemporaryDirectory() as folder:
            said = hold(
                START + "print(os.geteuid(), server._run.is_running(), server.address.host, flush=True)",
                prefix=prefix,
                PGCONTRACT_CACHE=folder,
                TMPDIR=folder,
            ).said
        assert said.split()[:2] != ["0", "True"]
        assert said.split()[1] == "True"
        return
    reachable = Path(tempfile.mkdtemp(dir="/var/tmp"))
    reachable.chmod(0o755)
    if way == "another user":
        found = shutil.which
        monkeypatch.setattr(shutil, "which", lambda name: None if name == "unshare" else found(name))
        monkeypatch.setattr(privileges, "PROGRAMS", reachable / "programs")
    try:
        with start(test_binaries, template=PEOPLE) as server, server.clone(server.template(PEOPLE)) as clone:
            psycopg.connect(clone.dsn).close()
            [user] = subprocess.run(
                ["ps", "-o", "user=", "-p", str(servers_in(f"{server.host}/data")[0])],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            assert (user == "root") == (way == "namespace")
            if way == "another user":
                # that user's other programs reach the folder, and are not let in
                seen = Path(server.host).stat()
                pid = os.fork()
                if pid == 0:
                    os.setgroups([])
                    os.setgid(seen.st_gid)
                    os.setuid(seen.st_uid)
                    try:
                        psycopg.connect(server.address.dsn())
                    except psycopg.OperationalError as error:
                        os._exit(7 if "Peer authentication failed" in str(error) else 1)
                    os._exit(0)
                assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert gone(server.host)
    finally:
        shutil.rmtree(reachable)


def test_a_user_s_server_that_cannot_be_used_is_refused(people_server: Server) -> None:
    """It must answer, let databases be made, and the DSN must be one; no message shows a password."""
    with psycopg.connect(people_server.address.dsn(), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS refused_role")
        connection.execute("CREATE ROLE refused_role LOGIN PASSWORD 'secret-1'")
    where = people_server.address
    for dsn, error, words in (
        ("postgresql://someone:secret-1@127.0.0.1:1/x", ServerError, "does not let us in"),
        ("host=x secret-1", UsageError, "not a connection string"),
        (f"host={where.host} user=refused_role password=secret-1 dbname=postgres", ServerError, "may not create"),
        (f"host={where.host} user=postgres password=secret-1 dbname=nosuch", ServerError, "does not let us in"),
    ):
        with pytest.raises(PgContractError, match=words) as caught:
            attach(dsn)
        assert type(caught.value) is error
        assert "secret-1" not in str(caught.value)


def test_a_user_s_server_is_left_running(people_server: Server) -> None:
    """``stop`` ends our connection to it and nothing else; further parameters of the DSN are kept."""
    with attach(people_server.address.dsn() + "&application_name=ours") as server:
        assert (server.major, server.version) == (people_server.major, people_server.version)
        with server.clone(server.template(PEOPLE)) as clone, psycopg.connect(clone.dsn) as connection:
            assert connection.execute("SHOW application_name").fetchone() == ("ours",)
            connection.close()
    assert people_server.is_running()
