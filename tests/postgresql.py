"""A PostgreSQL server of the tests' own, and a new database for each of them."""

import itertools
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

USER, PASSWORD = "keeper", "open-sesame-42"
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/bin")
"""Where a server's programs lie that are not on the path."""

CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = '{folder}'
port = {port}
fsync = off
full_page_writes = off
shared_buffers = 16MB
max_connections = 40
"""


@dataclass
class Server:
    """A server that can be stopped and started again, its data on disk.

    `fsync` is off, yet what was committed outlasts `stop("immediate")`: the server
    is gone then, the operating system is not.
    """

    programs: Path
    folder: Path
    account: str | None
    port: int
    user: str = USER
    password: str = PASSWORD

    def url(self, database="postgres", password=PASSWORD, user=USER):
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self):
        self._run("pg_ctl", "start", "-w", "-t", "60", "-l", self.folder / "log")

    def stop(self, mode="immediate"):
        self._run("pg_ctl", "stop", "-w", "-t", "60", "-m", mode)

    def restart(self):
        self.stop()
        self.start()

    def is_up(self):
        return not self._call("pg_ctl", "status").returncode

    def connect(self, database="postgres"):
        return psycopg.connect(self.url(database), autocommit=True)

    def create(self):
        """Make the server's files, which belong to its account."""
        secret = self.folder / "secret"
        secret.write_text(PASSWORD)
        if self.account is not None:
            shutil.chown(self.folder, self.account)
            shutil.chown(secret, self.account)
        self._run(
            *("initdb", "--auth", "scram-sha-256", "--username", USER),
            *("--pwfile", secret, "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        )
        text = CONFIGURATION.format(folder=self.folder, port=self.port)
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.write(text)

    def _run(self, program, *words):
        done = self._call(program, *words)
        assert done.returncode == 0, f"{program}: {done.stdout}\n{self.log()}"

    def _call(self, program, *words):
        # Its output goes to a file, since the server that it leaves would hold a pipe.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [self.programs / program, "-D", self.folder / "data", *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                user=self.account,
                group=self.account and pwd.getpwnam(self.account).pw_gid,
                extra_groups=self.account and [],
                env={"PATH": os.defpath, "LC_ALL": "C"},
            )
            output.seek(0)
            done.stdout = output.read()
        return done

    def log(self):
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""


def find_programs():
    """The folder of `initdb` and its like; None where PostgreSQL is not installed."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    for pattern in PLACES:
        for folder in sorted(Path("/").glob(pattern[1:]), reverse=True):
            if (folder / "initdb").exists():
                return folder
    return None


def find_account():
    """An account for the server, which refuses to run as root."""
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    return pytest.skip(
        "PostgreSQL refuses to run as root, and there is no other account"
    )


def free_port():
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="session")
def postgresql():
    """A server on this machine."""
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL's programs (initdb, pg_ctl) are not installed")
    account = find_account() if os.geteuid() == 0 else None
    # Not pytest's own folder, which another account cannot enter.
    folder = Path(tempfile.mkdtemp(prefix="dse-postgresql-"))
    server = Server(programs, folder, account, free_port())
    try:
        server.create()
        server.start()
        yield server
        if server.is_up():
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_numbers = itertools.count()


@pytest.fixture
def database(postgresql):
    """The URL of an empty database of the test's own, on a server that is up.

    What the test leaves open is closed after it: psycopg warns of what is not.
    """
    opened = []

    def remember(connection, _):
        opened.append(connection)

    name = f"runs_{next(_numbers)}"
    if not postgresql.is_up():
        postgresql.start()
    with closing(postgresql.connect()) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    event.listen(Pool, "connect", remember)
    yield postgresql.url(name)
    event.remove(Pool, "connect", remember)
    for connection in opened:
        connection.close()
    if not postgresql.is_up():
        postgresql.start()
    with closing(postgresql.connect()) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
