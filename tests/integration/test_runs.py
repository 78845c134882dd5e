"""Runs of filters in a real cluster: a folder, a process tree and a session of their own, from the first to the last of them."""
import hashlib
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, ClusterCase  # noqa: E402
from cluster import Cluster, wait_for  # noqa: E402


def processes(word):
    """Of a sleeping filter, by the number that it sleeps for."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes() == b"sleep\0" + word.encode() + b"\0":
                found.append(int(entry.parent.name))
        except OSError:
            pass
    return found


class Runs(ClusterCase):
    def test_scratch_files_of_one_name_do_not_meet(self):
        self.cluster.create_bucket("scratch")
        bodies = {f"{i:03d}": os.urandom(3000) for i in range(60)}
        for name, body in bodies.items():
            self.cluster.put("scratch", name, body)
        self.cluster.add_filter("two-pass", "cat > in.bin; mkdir -p $TMPDIR/a/b; sha256sum < in.bin > a/b/sum; sleep 0.05; cat a/b/sum in.bin",
                                concurrency={"min": 8, "max": 8})
        job = self.cluster.submit("two-pass", "scratch", "scratched")
        self.assertEqual(self.cluster.wait_job(job)["objects"]["done"], len(bodies))
        for name, body in bodies.items():
            self.assertEqual(self.cluster.read("scratched", name), hashlib.sha256(body).hexdigest().encode() + b"  -\n" + body)
        # A trial of the filter may outlive the job, and its files are of the same names.
        wait_for("the scratch files to go", lambda: not [file for node in self.cluster.targets for _, _, files in os.walk(node.dir) for file in files
                                                         if file in ("in.bin", "sum")])

    def test_a_filter_that_spoils_its_folder_hurts_no_other_run(self):
        self.cluster.create_bucket("spoil")
        for i in range(12):
            self.cluster.put("spoil", f"{i:02d}", b"x")
        self.cluster.add_filter("spoiler", 'case $MILLRACE_OBJECT in *0) rmdir "$TMPDIR";; *1) chmod 0 .;; *2) mv "$TMPDIR" "$TMPDIR.gone";; *3) seq 3000 | '
                                           'xargs mkdir;; *4) rmdir "$TMPDIR"; ln -s / "$TMPDIR";; *) echo here > file && ls -A | wc -l;; esac',
                                concurrency={"min": 4, "max": 4}, sandbox="off")  # which would keep it from half of that
        job = self.cluster.submit("spoiler", "spoil", "spoiled")
        self.assertEqual(self.cluster.wait_job(job)["objects"]["done"], 12)
        for i in (5, 6, 7, 8, 9):
            self.assertEqual(self.cluster.read("spoiled", f"{i:02d}"), b"1\n")

    def test_what_a_run_started_is_gone_when_the_filter_is(self):
        self.cluster.create_bucket("left")
        for i in range(3):
            self.cluster.put("left", f"{i}", b"x")
        nap = f"1000.{os.getpid()}1"
        self.cluster.add_filter("leaver", f"timeout 1001 sleep {nap} & setsid sleep {nap} & (setsid -f env -i /bin/sh -c 'exec sleep {nap}'); "
                                          "[ -z \"$MILLRACE_OBJECT\" ] || wait", obj_timeout="1s")
        job = self.cluster.submit("leaver", "left", "left-over", attempts=1)
        self.assertEqual(self.cluster.wait_job(job)["objects"]["failed"], 3)
        wait_for("the processes to end", lambda: not processes(nap), 10)

    def test_cancel_ends_daemons(self):
        self.cluster.create_bucket("cancel")
        self.cluster.put("cancel", "x", b"x")
        nap = f"1000.{os.getpid()}2"
        self.cluster.add_filter("daemons", f"[ -z \"$MILLRACE_OBJECT\" ] && exec cat; setsid -f sleep {nap} > /dev/null 2>&1; sleep {nap}", obj_timeout="300s")
        job = self.cluster.submit("daemons", "cancel", "cancelled")
        wait_for("both processes", lambda: len(processes(nap)) == 2)
        self.cluster.command(job, "cancel")
        self.cluster.wait_job(job)
        self.cluster.call("DELETE", "/v1/transforms/daemons")
        wait_for("the processes to end", lambda: not processes(nap), 20)


class KilledTarget(unittest.TestCase):
    def test_its_next_start_ends_what_its_runs_had_started_and_removes_their_folders(self):
        with Cluster(BINARY, targets=1) as cluster:
            cluster.create_bucket("src")
            cluster.put("src", "x", b"x")
            nap = f"1000.{os.getpid()}3"
            cluster.add_filter("daemons", f"[ -z \"$MILLRACE_OBJECT\" ] && exec cat; mktemp left-XXXXXXXXXX; "
                                          f"setsid -f sleep {nap} > /dev/null 2>&1; sleep {nap}",
                               obj_timeout="300s")
            cluster.submit("daemons", "src", "dst")
            wait_for("both processes", lambda: len(processes(nap)) == 2)
            target = cluster.targets[0]
            target.kill()
            orphans = set(processes(nap))
            self.assertTrue(orphans)
            left = [path.name for path in target.dir.rglob("left-*")]
            self.assertTrue(left)
            target.start()
            wait_for("the orphans to end", lambda: not orphans & set(processes(nap)))
            wait_for("the object's next run", lambda: len(processes(nap)) == 2)
            for name in left:
                self.assertEqual(list(target.dir.rglob(name)), [])


class InATerminal(unittest.TestCase):
    def test_a_filter_cannot_open_it(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-pty-")
        self.addCleanup(folder.cleanup)
        ours, theirs = pty.openpty()
        dev = subprocess.Popen([BINARY, "dev", "--targets", "1", "--dir", folder.name + "/data", "--port", "0"], stdin=theirs, stdout=theirs, stderr=theirs,
                               start_new_session=True, preexec_fn=lambda: __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0))
        os.close(theirs)
        said = bytearray()

        def listen():
            try:
                while chunk := os.read(ours, 4096):
                    said.extend(chunk)
            except OSError:
                pass

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        try:
            wait_for("the endpoint", lambda: re.search(rb"https?://[\w.]+:\d+", said))
            endpoint = re.search(rb"https?://[\w.]+:\d+", said).group(0).decode()
            run = lambda *words: subprocess.run([BINARY, *words], env={**os.environ, "MILLRACE_ENDPOINT": endpoint}, capture_output=True, text=True,
                                                stdin=subprocess.DEVNULL, timeout=60)
            wait_for("the cluster", lambda: run("bucket", "create", "ais://src").returncode == 0)
            (pathlib.Path(folder.name) / "x").write_text("x")
            wait_for("the object", lambda: run("put", folder.name + "/x", "ais://src/x").returncode == 0)
            for sandbox, refusal in (("on", "Permission denied"), ("off", "No such device")):
                specification = pathlib.Path(folder.name) / f"{sandbox}.yaml"
                specification.write_text(f"name: ask-tty-{sandbox}\ncmd: \"sh -c '(: > /dev/tty) 2>&1; :'\"\nsandbox: {sandbox}\n")
                self.assertEqual(run("etl", "init", "-f", str(specification)).returncode, 0)
                wait_for("the result", lambda: refusal in run("get", "ais://src/x", "--etl", f"ask-tty-{sandbox}", "-o", "-").stdout)
        finally:
            dev.send_signal(signal.SIGTERM)
            dev.wait(30)
            os.close(ours)
            listener.join(10)


if __name__ == "__main__":
    unittest.main()
