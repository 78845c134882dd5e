"""Downloads that break off and go on, with the tools that people use: curl, wget, requests, httpx, Go and Node. Whatever became of the object
meanwhile, no file has bytes of two contents in it."""
import contextlib
import os
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import containers  # noqa: E402
from case import SUPPORT, ClusterCase  # noqa: E402

DEBIAN_PYTHON = "/usr/bin/python3"
OLD = random.Random(1).randbytes(1_500_000)
NEW = random.Random(2).randbytes(1_200_000)
CUT = 500_000
# Another content in each run: lines that say which it was.
OTHER_EACH_TIME = """cat > /dev/null; awk -v run="$(od -An -N8 -tx8 /dev/urandom)" 'BEGIN { for (i = 0; i < 90000; ++i) print run }'"""


class Cut:
    """Stands between a client and a node. Breaks off the first answer that is longer than CUT, once the callback has returned; then it only
    passes on. `statuses` are those of the answers."""

    def __init__(self, node, when_cut=lambda: None):
        host, port = node.endpoint().split(":")
        self.behind, self.when_cut = (host, int(port)), when_cut
        self.lock = threading.Lock()
        self.is_over, self.statuses = False, []
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self.listening.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listening.accept()[0]
                node = socket.create_connection(self.behind)
                threading.Thread(target=self.pass_on, args=(client, node), daemon=True).start()
                threading.Thread(target=self.answer, args=(node, client), daemon=True).start()

    def pass_on(self, client, node):
        with contextlib.suppress(OSError):
            while piece := client.recv(1 << 16):
                node.sendall(piece)
            node.shutdown(socket.SHUT_WR)

    def answer(self, node, client):
        passed = 0
        with contextlib.suppress(OSError):
            while piece := node.recv(1 << 16):
                if piece.startswith(b"HTTP/1.1 "):
                    self.statuses.append(int(piece[9:12]))
                client.sendall(piece)
                passed += len(piece)
                if passed > CUT and self.cuts_now():
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, as when a node dies
                    break
        for plug in (client, node):
            with contextlib.suppress(OSError):
                plug.shutdown(socket.SHUT_RD)  # whoever waits for more stops
            plug.close()

    def cuts_now(self):
        with self.lock:
            cuts, self.is_over = not self.is_over, True
        if cuts:
            self.when_cut()
        return cuts


class Resume(ClusterCase):
    targets = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.create_bucket("b")
        cls.cluster.add_filter("other-each-time", OTHER_EACH_TIME)
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-resume-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)

    def setUp(self):
        self.file = self.folder / self.id().rsplit(".", 1)[-1]
        self.cluster.put("b", "x", OLD)

    def replace(self):
        self.cluster.put("b", "x", NEW)

    def tag(self):
        return self.cluster.request("HEAD", self.cluster.object_path("b", "x"))[1]["ETag"]

    @contextlib.contextmanager
    def cut(self, when_cut=lambda: None, query=""):
        self.file.unlink(missing_ok=True)
        cut = Cut(self.cluster.targets[0], when_cut)
        cut.url = f"http://{cut.endpoint}/v1/objects/b/x{query}"
        try:
            yield cut
        finally:
            cut.close()

    def run_tool(self, *command, env=None):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, errors="replace", timeout=120, check=False,
                              env={**os.environ, **(env or {})})
        return done.returncode, done.stdout + done.stderr

    def assert_beginning(self, whole):
        kept = self.file.read_bytes()
        self.assertGreater(len(kept), 0)
        self.assertLess(len(kept), len(whole))
        self.assertEqual(kept, whole[:len(kept)])

    def assert_of_one_run(self):
        lines = self.file.read_bytes().split(b"\n")
        self.assertEqual(len(set(lines[:-1])), 1)
        self.assertTrue(lines[0].startswith(lines[-1]))

    def careful_client(self, *command):
        """One that knows entity tags: it has all of the old content, or all of the new one."""
        with self.cut() as cut:
            self.assertEqual(self.run_tool(*command, cut.url, self.file), (0, ""))
            self.assertEqual(cut.statuses, [200, 206])
        self.assertEqual(self.file.read_bytes(), OLD)
        with self.cut(self.replace) as cut:
            self.assertEqual(self.run_tool(*command, cut.url, self.file), (0, ""))
            self.assertEqual(cut.statuses, [200, 200])
        self.assertEqual(self.file.read_bytes(), NEW)
        with self.cut(query="?etl_name=other-each-time") as cut:
            self.assertEqual(self.run_tool(*command, cut.url, self.file), (0, ""))
            self.assertEqual(cut.statuses, [200, 200])
        self.assert_of_one_run()

    def test_requests(self):
        if self.run_tool(DEBIAN_PYTHON, "-c", "import requests")[0] != 0:
            self.skipTest("the package requests is not here")
        self.careful_client(DEBIAN_PYTHON, SUPPORT / "resume_client.py", "requests")

    def test_httpx(self):
        python = containers.aistore_venv() / "bin/python"
        if self.run_tool(python, "-c", "import httpx")[0] != 0:
            self.skipTest("the package httpx is not here")
        self.careful_client(python, SUPPORT / "resume_client.py", "httpx")

    @unittest.skipUnless(shutil.which("node"), "node is not here")
    def test_node(self):
        if self.run_tool("node", "-e", "process.exit(typeof fetch === 'function' ? 0 : 1)")[0] != 0:
            self.skipTest("this node has no fetch()")
        self.careful_client("node", SUPPORT / "resume_client.mjs")

    @unittest.skipUnless(shutil.which("go"), "go is not here")
    def test_go(self):
        built = self.folder / "resume_client"
        offline = {"GOTOOLCHAIN": "local", "GOPROXY": "off", "GOFLAGS": "-mod=mod", "GOCACHE": str(self.folder / "go-cache")}
        done = subprocess.run(["go", "build", "-o", built, SUPPORT / "resume_client.go"], capture_output=True, text=True, timeout=600, check=False,
                              env={**os.environ, **offline})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.careful_client(built)

    @unittest.skipUnless(shutil.which("curl"), "curl is not here")
    def test_curl(self):
        curl = ("curl", "--silent", "--output", self.file)
        broke_off, cannot_go_on = (18, 56), 33
        with self.cut() as cut:
            if_same = ("--header", f"If-Range: {self.tag()}")
            self.assertIn(self.run_tool(*curl, cut.url)[0], broke_off)
            self.assertEqual(self.run_tool(*curl, "--continue-at", "-", *if_same, cut.url), (0, ""))
            self.assertEqual(cut.statuses, [200, 206])
        self.assertEqual(self.file.read_bytes(), OLD)
        with self.cut(self.replace) as cut:
            if_same = ("--header", f"If-Range: {self.tag()}")
            self.assertIn(self.run_tool(*curl, cut.url)[0], broke_off)
            self.assertEqual(self.run_tool(*curl, "--continue-at", "-", *if_same, cut.url)[0], cannot_go_on)
        self.assert_beginning(OLD)
        with self.cut(query="?etl_name=other-each-time") as cut:
            self.assertIn(self.run_tool(*curl, cut.url)[0], broke_off)
            kept = self.file.read_bytes()
            self.assertEqual(self.run_tool(*curl, "--continue-at", "-", cut.url)[0], cannot_go_on, "nor is it told that it has all")
            self.assertEqual(cut.statuses, [200, 400])
        self.assertEqual(self.file.read_bytes(), kept)

    # It goes on by itself, and takes an answer with everything for the rest: so it is told to want this content or none.
    @unittest.skipUnless(shutil.which("wget"), "wget is not here")
    def test_wget(self):
        wget = ("wget", "--quiet", "--tries=3", "--waitretry=0", "--output-document", self.file)
        refused = 8
        with self.cut() as cut:
            self.assertEqual(self.run_tool(*wget, f"--header=If-Match: {self.tag()}", cut.url), (0, ""))
            self.assertEqual(cut.statuses, [200, 206])
        self.assertEqual(self.file.read_bytes(), OLD)
        with self.cut(self.replace) as cut:
            self.assertEqual(self.run_tool(*wget, f"--header=If-Match: {self.tag()}", cut.url)[0], refused)
            self.assertEqual(cut.statuses, [200, 412])
        self.assert_beginning(OLD)
        with self.cut(query="?etl_name=other-each-time") as cut:
            self.assertEqual(self.run_tool(*wget, cut.url)[0], refused, "nor is it told that it has all")
            self.assertEqual(cut.statuses, [200, 400])
        self.assert_of_one_run()


if __name__ == "__main__":
    unittest.main()
