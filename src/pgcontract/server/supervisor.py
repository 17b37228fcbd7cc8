"""A small process between a run and its server: it ends the server and removes its folder when the run is gone.

Run as a script, `python -I -S supervisor.py CONTROL LOCK PARENT LOCKFILE FOLDER…`, with little imported, because every
run waits for it. It is the parent of PostgreSQL. A run is gone when its end of the control socket is closed, or, since
a forked child of the run may hold a copy of that end, when this process has got another parent.

Messages on the control socket: 4 bytes of length, then fields divided by NUL.
  to here: run|start, log, uid, gid, program, arguments… · halt · quit (uid and gid empty: stay who we are)
  from here: started, pid · ended, exit code
"""

import os
import select
import sys
import time

SIGINT, SIGQUIT, SIGKILL, SIGTERM = 2, 3, 9, 15  # the signal module costs 6 ms; these are POSIX's numbers
PR_SET_PDEATHSIG = 1
# how long the server may take to end by itself before it is killed; well within ten seconds with the removal
PATIENCE = 4.0


class Supervisor:
    """The server process, if any, and what to do when either side ends."""

    def __init__(self, control: int, parent: int) -> None:
        self.control = control
        self.parent = parent
        self.child = 0
        self.awaiting = False  # whether somebody waits for the child's end

    def loop(self) -> None:
        """Serve commands until the run says so or is gone."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        while True:
            ready = poll.poll(2 if self.awaiting else 200)
            if self.child:
                self.reap()
            if ready:
                fields = self.receive()
                if fields is None or fields[0] == b"quit":
                    return
                self.obey(fields)
            elif os.getppid() != self.parent:
                return

    def obey(self, fields: list[bytes]) -> None:
        """Start a program, or stop the one that runs."""
        if fields[0] == b"halt":
            if self.child:
                self.awaiting = True
                os.kill(self.child, SIGINT)
            return
        self.awaiting = fields[0] == b"run"
        self.child = spawn(fields[1], fields[2], fields[3], fields[4:])
        self.send(b"started", str(self.child).encode())

    def reap(self) -> None:
        """Tell the run when the child has ended."""
        pid, status = os.waitpid(self.child, os.WNOHANG)
        if pid:
            self.child = 0
            self.awaiting = False
            self.send(b"ended", str(os.waitstatus_to_exitcode(status)).encode())

    def receive(self) -> "list[bytes] | None":
        """Read one message; None when the other side is gone."""
        head = self.exactly(4)
        body = self.exactly(int.from_bytes(head, "big")) if head else b""
        return body.split(b"\0") if body else None

    def exactly(self, size: int) -> bytes:
        """Read so many bytes, or none at all."""
        read = b""
        while len(read) < size:
            try:
                part = os.read(self.control, size - len(read))
            except OSError:
                part = b""
            if not part:
                return b""
            read += part
        return read

    def send(self, *fields: bytes) -> None:
        """Write one message; a run that is gone is noticed when reading."""
        body = b"\0".join(fields)
        try:
            os.write(self.control, len(body).to_bytes(4, "big") + body)
        except OSError:
            return

    def end(self) -> None:
        """Make the child end: at once, for its data is not needed; killed if it takes too long."""
        if not self.child:
            return
        give_up = time.monotonic() + PATIENCE
        os.kill(self.child, SIGQUIT)
        while os.waitpid(self.child, os.WNOHANG)[0] == 0:
            if time.monotonic() > give_up:
                os.kill(self.child, SIGKILL)
                os.waitpid(self.child, 0)
                break
            time.sleep(0.002)
        self.child = 0


def spawn(log: bytes, uid: bytes, gid: bytes, argv: "list[bytes]") -> int:
    """Start a program as another user if asked, which dies with this process where the system can do that."""
    try:
        import ctypes  # noqa: PLC0415 - not every Python has it, and then only the kernel's part is missing

        prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    except (ImportError, AttributeError, OSError):
        prctl = None
    me = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        if uid:
            os.setgroups([])
            os.setgid(int(gid))
            os.setuid(int(uid))
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, SIGQUIT)
        if os.getppid() != me:
            os._exit(127)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.execv(argv[0], argv)  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"{os.fsdecode(argv[0])}: {error.strerror}\n".encode())
    os._exit(127)


def remove(folders: "list[str]") -> None:
    """Remove folders; a killed server's last processes may still write into them for a moment."""
    import shutil  # noqa: PLC0415 - not needed while a run waits for its server

    give_up = time.monotonic() + PATIENCE
    for folder in folders:
        while os.path.lexists(folder):
            shutil.rmtree(folder, ignore_errors=True)
            if time.monotonic() > give_up:
                break
            if os.path.lexists(folder):
                time.sleep(0.01)


def main(arguments: "list[str]") -> None:
    """Serve one run from its beginning to its end."""
    control, lock, parent, lock_file, *folders = arguments
    for descriptor in (int(control), int(lock)):
        os.set_inheritable(descriptor, False)  # a server that outlives us must not keep them open
    os.chdir("/")
    supervisor = Supervisor(int(control), int(parent))
    try:
        supervisor.loop()
    finally:
        supervisor.end()
        remove(folders)
        if not any(map(os.path.lexists, folders)):
            os.unlink(lock_file)  # noqa: PTH108 - last: what is left without it nobody would ever sweep; no pathlib here


if __name__ == "__main__":
    main(sys.argv[1:])
