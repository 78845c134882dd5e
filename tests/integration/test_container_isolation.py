"""What a container can reach: its target's door for it, and nothing else. And nothing of it outlives its target."""
import http.client
import json
import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import containers  # noqa: E402
from case import ClusterCase, wait_for  # noqa: E402

# Runs the Python expressions that objects consist of, and answers what came of each, or why it could not be.
PRISONER = """
import ctypes, http.server, json, os, pathlib, socket, socketserver, urllib.error, urllib.parse, urllib.request
kept = []
libc = ctypes.CDLL(None, use_errno=True)
target = os.environ["AIS_TARGET_URL"]
def connect(host, port):
    socket.create_connection((host, port), timeout=3).close()
    return "connected"
def keep(connection):
    kept.append(connection)
    return len(kept)
def abstract(verb):
    connection = socket.socket(socket.AF_UNIX)
    getattr(connection, verb)("\\0millrace")
    if verb == "bind": connection.listen()
    return keep(connection)
def call(result):
    return "done" if result == 0 else os.strerror(ctypes.get_errno())
def ask(url, data=None, method="GET"):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, method=method), timeout=5) as reply:
            return reply.read().decode()
    except urllib.error.HTTPError as refusal:
        return f"{refusal.code}"
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(b"asked for " + self.path.encode())
    def do_PUT(self):
        code = self.rfile.read(int(self.headers["Content-Length"])).decode()
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        path = urllib.parse.unquote(query["etl_fqn"][0]) if "etl_fqn" in query else ""
        if path: code = pathlib.Path(path).read_text()
        try:
            result = eval(code, {**globals(), "path": path})
        except Exception as error:
            result = f"{type(error).__name__}: {error}"
        self.answer(json.dumps(result).encode())
class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
Server(("0.0.0.0", int(os.environ.get("PORT", "8000"))), Handler).serve_forever()
"""


class Isolation(ClusterCase):
    targets = 1

    @classmethod
    def setUpClass(cls):
        cls.image = containers.image_from("prisoner", {"/server.py": PRISONER}, ["/usr/bin/python3", "-S", "/server.py"])
        cls.target_settings = {"container_engine": containers.engine()}
        super().setUpClass()
        cls.cluster.create_bucket("cell")
        cls.cluster.add_transform({"name": "prisoner", "runtime": {"image": cls.image}})
        cls.cluster.add_transform({"name": "prisoner-files", "file_paths": True, "runtime": {"image": cls.image}})

    def run_inside(self, expression, transform="prisoner", padding=0):
        self.cluster.put("cell", "expression.py", expression.encode() + b" " * padding)
        return json.loads(self.cluster.read("cell", "expression.py", f"&etl_name={transform}"))

    def assert_refused(self, answer, *reasons):
        self.assertTrue(any(reason in str(answer) for reason in reasons), answer)

    def test_the_network_of_the_host(self):
        for node in self.cluster.nodes:
            host, port = node.endpoint().split(":")
            self.assert_refused(self.run_inside(f"connect({host!r}, {port})"), "refused")
        self.assert_refused(self.run_inside("connect('192.0.2.1', 80)"), "unreachable")
        self.assertEqual(self.run_inside("[name for _, name in socket.if_nameindex()]"), ["lo"])

    def test_a_network_that_was_asked_for(self):
        self.cluster.add_transform({"name": "on-a-bridge", "network": "bridge", "runtime": {"image": self.image}})
        self.assertGreater(self.run_inside("len(socket.if_nameindex())", "on-a-bridge"), 1)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.cluster.add_transform({"name": "on-the-host", "network": "host", "communication": "hpull://", "port": port,
                                    "runtime": {"image": self.image, "env": [{"name": "PORT", "value": str(port)}]}})
        # Where clients can reach the server of a pulling transform, they are sent there.
        self.cluster.put("cell", "some thing", b"x")
        status, headers, _ = self.cluster.request("GET", "/v1/objects/cell/some%20thing?etl_name=on-the-host&etl_args=a%26b", node=self.cluster.targets[0])
        self.assertEqual((status, headers["Location"]), (307, f"http://127.0.0.1:{port}/ais%2F@%23%2Fcell%2Fsome%20thing?etl_args=a%26b"))
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", headers["Location"].split(str(port), 1)[1])
        self.assertEqual(connection.getresponse().read(), b"asked for /ais%2F@%23%2Fcell%2Fsome%20thing?etl_args=a%26b")
        connection.close()
        for name in ("on-a-bridge", "on-the-host"):
            self.cluster.call("DELETE", f"/v1/transforms/{name}")

    def test_the_other_container(self):
        # Each has port 8000 for itself, and answers there only to its target.
        self.assertEqual(self.run_inside("abstract('bind')", "prisoner-files"), 1)
        self.assert_refused(self.run_inside("abstract('connect')"), "refused")
        mine = self.run_inside("os.stat('/proc/self/ns/net').st_ino")
        self.assertNotEqual(mine, self.run_inside("os.stat('/proc/self/ns/net').st_ino", "prisoner-files"))
        self.assertNotEqual(mine, pathlib.Path("/proc/self/ns/net").stat().st_ino)

    def test_the_files_of_the_store(self):
        folder = self.cluster.targets[0].dir
        self.assert_refused(self.run_inside(f"os.listdir({str(folder)!r})"), "FileNotFoundError")
        # Of a transform that is given paths: what it was given, to read; and no more of the target than objects.
        for padding in (0, 200_000):  # in the database, and a file of its own
            self.assert_refused(self.run_inside("open(path, 'a')", "prisoner-files", padding), "Read-only", "PermissionError")
            self.assert_refused(self.run_inside("os.unlink(path)", "prisoner-files", padding), "Read-only", "PermissionError")
        self.assert_refused(self.run_inside(f"os.listdir({str(folder / 'state')!r})", "prisoner-files"), "FileNotFoundError")
        self.assert_refused(self.run_inside(f"open({str(folder / 'objects/planted')!r}, 'w')", "prisoner-files"), "Read-only", "PermissionError")

    def test_its_own_root(self):
        self.assert_refused(self.run_inside("open('/planted', 'w')"), "Read-only", "PermissionError")
        self.assertEqual(self.run_inside("open('/tmp/mine', 'w').write('allowed')"), 7)
        filled = "[open(f'/tmp/{i}', 'wb').write(b'x' * (1 << 20)) for i in range(100)]"
        self.assert_refused(self.run_inside(filled), "No space left")

    def test_the_processes_of_the_host(self):
        pids = self.run_inside("[int(name) for name in os.listdir('/proc') if name.isdigit()]")
        self.assertIn(1, pids)
        self.assertLess(max(pids), 100)
        self.assert_refused(self.run_inside("os.kill(-1, 0) or os.getpid()"), "1", "No such process")
        self.assertNotIn("millrace", self.run_inside("open('/proc/1/cmdline').read()"))

    def test_what_it_is_told(self):
        known = {"AIS_TARGET_URL", "direct_put", "DIRECT_PUT", "HOME", "HOSTNAME", "PATH", "TERM", "container"}
        self.assertLessEqual(set(self.run_inside("list(os.environ)")), known)
        self.assertEqual(self.run_inside("os.environ['HOME'], os.environ['direct_put']"), ["/tmp", "false"])

    def test_the_devices_and_the_kernel(self):
        harmless = {"core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero", "console"}
        self.assertLessEqual(set(self.run_inside("os.listdir('/dev')")), harmless)
        mounts = [line.split() for line in self.run_inside("open('/proc/mounts').read()").splitlines()]
        kernel = {place: options.split(",") for _, place, kind, options, *_ in mounts if kind in ("sysfs", "cgroup", "cgroup2") or place == "/proc/sys"}
        self.assertIn("/proc/sys", kernel)
        self.assertEqual([place for place, options in kernel.items() if "ro" not in options], [])

    def test_privileges(self):
        status = dict(line.split(":\t", 1) for line in self.run_inside("open('/proc/self/status').read()").splitlines() if ":\t" in line)
        self.assertEqual((status["CapEff"], status["CapBnd"], status["NoNewPrivs"], status["Seccomp"]), ("0" * 16, "0" * 16, "1", "2"))
        self.assertNotEqual(self.run_inside("os.getuid()"), 0)
        self.assert_refused(self.run_inside("os.setuid(0)"), "not permitted")
        self.assert_refused(self.run_inside("call(libc.mount(b'none', b'/tmp', b'tmpfs', 0, None))"), "not permitted")
        self.assert_refused(self.run_inside("call(libc.unshare(0x40000000))"), "not permitted")
        self.assert_refused(self.run_inside("call(libc.prctl(47, 2, 21, 0, 0))"), "not permitted")  # an ambient CAP_SYS_ADMIN
        self.assert_refused(self.run_inside("os.chroot('/tmp')"), "not permitted")
        self.assert_refused(self.run_inside("call(libc.setns(os.open('/proc/1/ns/net', os.O_RDONLY), 0))"), "not permitted", "done")
        self.assert_refused(self.run_inside("os.mknod('/tmp/disk', 0o60600, os.makedev(8, 0))"), "not permitted")

    def test_the_door_of_its_target(self):
        self.cluster.put("cell", "a b", b"through the door")
        uname = "ais%2F@%23%2Fcell%2Fa%20b"
        self.assertEqual(self.run_inside(f"ask(target + '/{uname}')"), "through the door")
        self.assertEqual(self.run_inside("ask(target + '/ais%2F@%23%2Fcell%2Fnone')"), "404")
        self.assertEqual(self.run_inside("ask(target + '/nonsense')"), "400")
        self.assertEqual(self.run_inside(f"ask(target[:-1] + '/{uname}')"), "400", "a wrong secret")
        self.assertEqual(self.run_inside(f"ask(target.replace('prisoner', 'prisoner-files') + '/{uname}')"), "400", "the secret of another")
        self.assertEqual(self.run_inside(f"ask(target.replace('prisoner', 'somebody') + '/{uname}')"), "404")
        self.assertEqual(self.run_inside(f"ask(target + '/{uname}', b'planted', 'PUT')"), "403", "a put for which nothing was given out")
        self.assertEqual(self.run_inside(f"ask(target + '/{uname}?owt=3&uuid=guessed', b'planted', 'PUT')"), "409")
        self.assertEqual(self.run_inside(f"ask(target + '/{uname}', method='DELETE')"), "405")
        self.assertEqual(self.run_inside("ask(target[:target.index('/v1')] + '/v1/objects/cell/x')"), "404", "the API of the target")
        self.assertEqual(self.run_inside("ask(target[:target.index('/v1')] + '/metrics')"), "404")
        self.assertEqual(self.cluster.read("cell", "a b"), b"through the door")

    def setUp(self):
        # A target that another test has started anew may still be starting its containers.
        wait_for("the transforms to run", lambda: all(t["state"] == "running" for t in self.cluster.get("/v1/transforms")))

    def test_a_crowd_at_the_door(self):
        self.cluster.put("cell", "a b", b"through the door")
        port = self.run_inside("urllib.parse.urlsplit(target).port")
        self.assertEqual(self.run_inside(f"[keep(socket.create_connection(('127.0.0.1', {port}))) for _ in range(900)][-1]"), 900)
        self.assertEqual(self.run_inside("1 + 1", "prisoner-files"), 2)
        self.assertEqual(self.run_inside("ask(target + '/ais%2F@%23%2Fcell%2Fa%20b')"), "through the door")
        self.assertEqual(self.run_inside("[kept.pop().close() for _ in range(900)][-1]"), None)

    def test_nothing_outlives_a_target(self):
        target = self.cluster.targets[0]
        owner = f"org.millrace.owner=t1:{target.dir}"

        def owned():
            return containers.podman("ps", "--all", "--quiet", "--filter", f"label={owner}").split()
        before = owned()
        self.assertEqual(len(before), 2)
        target.kill()
        self.assertEqual(owned(), before)  # an engine's containers go on without whoever asked for them
        self.cluster.call("DELETE", "/v1/transforms/prisoner-files")
        target.start()
        self.cluster.wait_ready()
        wait_for("the other one to come back by itself", lambda: self.cluster.get("/v1/transforms/prisoner")["state"] == "running")
        self.assertEqual(self.run_inside("1 + 1"), 2)
        wait_for("the removed one to be gone too", lambda: len(owned()) == 1)
        self.assertNotIn(owned()[0], before)
        self.cluster.add_transform({"name": "prisoner-files", "file_paths": True, "runtime": {"image": self.image}})
        target.stop()
        self.assertEqual(owned(), [])
        target.start()
        self.cluster.wait_ready()


if __name__ == "__main__":
    unittest.main()
