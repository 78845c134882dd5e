"""AIStore's own web servers in containers, unmodified, in every way of talking to them: all outputs are right.

Prints a line for each combination.
"""
import base64
import hashlib
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import containers  # noqa: E402
from case import SUPPORT, ClusterCase, wait_for  # noqa: E402

OBJECTS = {f"part{i % 3}/clip {i:02}.txt": b"some words %d " % i * (1 + i) for i in range(15)}
OBJECTS |= {"part0/an ü?#%.bin": bytes(range(256)) * 8, "part1/empty": b"", "part2/large.bin": bytes(range(256)) * 800}

# A server that tells what it was sent, and answers in old ways when asked to. It knows nothing of direct puts.
PLAIN_SERVER = """
import http.server, json, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        self.answer(b"Running")
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"chunked":
            self.protocol_version = "HTTP/1.1"
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(b"5\\r\\nfirst\\r\\n6\\r\\nsecond\\r\\n0\\r\\n\\r\\n")
        elif body == b"close":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"until the end")
        else:
            self.answer(json.dumps({"path": self.path, "headers": dict(self.headers), "bytes": len(body)}).encode())
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
Server(("0.0.0.0", 8000), Handler).serve_forever()
"""

# Every answer is the name of the program.
MARKING_SERVER = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(b"MARK")))
        self.end_headers()
        self.wfile.write(b"MARK")
    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""


def transform_of(kind, seed=0):
    if kind == "echo":
        return lambda data: data
    if kind == "md5":
        return lambda data: hashlib.md5(data).hexdigest().encode()
    import xxhash  # of the virtual environment that the image was made from
    return lambda data: xxhash.xxh64(data, seed=seed).hexdigest().encode()


class Containers(ClusterCase):
    @classmethod
    def setUpClass(cls):
        cls.image = containers.aistore_image()
        site = next(containers.aistore_venv().glob("lib/python3*/site-packages"))
        sys.path.append(str(site))
        cls.plain = containers.image_from("plain", {"/server.py": PLAIN_SERVER}, ["/usr/bin/python3", "-S", "/server.py"])
        cls.target_settings = {"container_engine": containers.engine()}
        super().setUpClass()
        cls.cluster.create_bucket("src")
        for name, content in OBJECTS.items():
            cls.cluster.put("src", name, content)

    def add_server(self, server, kind, communication, workers=1, **more):
        name = f"{kind}-{server}-{communication[:-3]}"
        self.cluster.add_transform({"name": name, "communication": communication, "init_timeout": "2m", "obj_timeout": "30s", **more, "runtime": {
            "image": self.image, "command": ["/usr/bin/python3", "/code/serve.py", "--server", server, "--transform", kind, "--workers", str(workers)]}})
        return name

    def run_job(self, transform, expected, **more):
        """A job that keeps names, and one whose outputs belong to other targets."""
        for rename in ({}, {"prepend": "moved/to "}):
            destination = f"dst-{self.number}"
            type(self).number += 1
            document = self.cluster.wait_job(self.cluster.submit(transform, "src", destination, **rename, **more))
            self.assertEqual((document["state"], document["objects"]["done"]), ("completed", len(OBJECTS)), self.cluster.errors(document["id"]))
            for name, content in OBJECTS.items():
                self.assertEqual(self.cluster.read(destination, rename.get("prepend", "") + name), expected(content), name)
            if rename:
                self.assertGreater(document["bytes"]["moved"], 0)

    number = 0

    def check(self, server, kind, communication, direct_put, file_paths):
        with self.subTest(server=server, kind=kind, communication=communication, direct_put=direct_put, file_paths=file_paths):
            transform = self.add_server(server, kind, communication, support_direct_put=direct_put, file_paths=file_paths)
            seed = 7 if kind == "hash" else 0
            args = {"args": str(seed)} if seed else {}
            query = f"&etl_name={transform}" + (f"&etl_args={seed}" if seed else "")
            expected = transform_of(kind, seed)
            for name, content in OBJECTS.items():
                self.assertEqual(self.cluster.read("src", name, query), expected(content), name)
            self.run_job(transform, expected, **args)
            self.cluster.call("DELETE", f"/v1/transforms/{transform}")
            print(f"pass  {server:8} {kind:5} {communication:9} {'paths' if file_paths else 'body':6} "
                  f"{'direct put' if direct_put else 'reply':11} inline, job", flush=True)

    def test_the_servers_of_aistore(self):
        for server in ("fastapi", "flask", "http"):
            for communication in ("hpush://", "hpull://", *(["ws://"] if server == "fastapi" else [])):
                for direct_put in (True,) if communication == "ws://" else (False, True):
                    for file_paths in (False, True):
                        kind = "hash" if file_paths and direct_put else "md5" if file_paths else "echo"
                        self.check(server, kind, communication, direct_put, file_paths)

    def test_a_chain_passes_results_on(self):
        md5 = self.add_server("fastapi", "md5", "hpush://", workers=2)
        pull = self.add_server("http", "echo", "hpull://")
        self.cluster.add_filter("upper-case", "tr a-z A-Z")
        self.cluster.add_transform({"name": "upper-server", "command": ["/usr/bin/python3", "-S", str(SUPPORT / "echo_server.py")]})

        def expected(data):
            return hashlib.md5(data).hexdigest().encode().upper()
        # The container's result is upper-cased by a server, by a filter, and by both.
        for further in ([md5, "upper-case"], [md5, "upper-server", "upper-case"]):
            for name, content in OBJECTS.items():
                self.assertEqual(self.cluster.read("src", name, f"&etl_name={pull}&etl_pipeline={','.join(further)}"), expected(content))
            self.run_job(pull, expected, pipeline=further)
        self.cluster.add_filter("says-no", "echo no >&2; exit 3")
        document = self.cluster.wait_job(self.cluster.submit("upper-case", "src", "dst-chain", pipeline=["says-no"]))
        self.assertEqual(document["objects"]["failed"], len(OBJECTS))
        self.assertIn("transform 'says-no': exit status 3: no", self.cluster.errors(document["id"])[0]["message"])
        self.assert_problem(404, "not_found", self.cluster.submit, "upper-case", "src", "dst-chain", pipeline=["no-such-one"])
        for name in (md5, pull, "upper-server"):
            self.cluster.call("DELETE", f"/v1/transforms/{name}")

    def test_a_server_that_knows_nothing_of_direct_puts(self):
        self.cluster.add_transform({"name": "plain-server", "runtime": {"image": self.plain}, "support_direct_put": True})
        self.cluster.create_bucket("plain")
        for name in ("one", "chunked", "close"):
            self.cluster.put("plain", name, name.encode())
        document = self.cluster.wait_job(self.cluster.submit("plain-server", "plain", "plain-out", prepend="moved/"))
        self.assertEqual(document["state"], "completed", self.cluster.errors(document["id"]))
        self.assertEqual(self.cluster.read("plain-out", "moved/chunked"), b"firstsecond")
        self.assertEqual(self.cluster.read("plain-out", "moved/close"), b"until the end")
        seen = json.loads(self.cluster.read("plain-out", "moved/one"))
        self.assertEqual((seen["path"], seen["headers"]["Content-Length"], seen["bytes"]), ("/plain/one", "3", 3))

    def test_every_request_says_how_long_it_is(self):
        # The frameworks read Content-Length only: also of what an earlier stage made, and of more than is kept in memory.
        self.cluster.add_transform({"name": "plain-length", "runtime": {"image": self.plain}})
        self.cluster.add_filter("passes-on", "cat")
        self.cluster.create_bucket("sizes")
        for size in (0, 1, 65_536, 65_537, 3_000_000):
            self.cluster.put("sizes", f"a {size}", bytes(size))
            for chain in ("plain-length", "passes-on&etl_pipeline=plain-length"):
                seen = json.loads(self.cluster.read("sizes", f"a {size}", f"&etl_name={chain}"))
                self.assertEqual((seen["path"], seen["bytes"]), (f"/sizes/a%20{size}", size))
                self.assertEqual((seen["headers"]["Content-Length"], seen["headers"].get("Transfer-Encoding")), (str(size), None))
        self.cluster.call("DELETE", "/v1/transforms/plain-length")

    def test_a_pod_specification(self):
        pod = f"""
apiVersion: v1
kind: Pod
metadata:
  name: plain-pod
  annotations: {{communication_type: "hpush://", wait_timeout: 1m}}
spec:
  containers:
    - name: server
      image: {self.plain}
      ports: [{{name: default, containerPort: 8000}}]
      command: ["/usr/bin/python3", "-S", "/server.py"]
      readinessProbe: {{httpGet: {{path: /health, port: default}}}}
"""
        message = {"name": "plain-pod", "communication": "hpush://", "spec": base64.b64encode(pod.encode()).decode()}
        self.cluster.add_transform(message)
        self.assertEqual(json.loads(self.cluster.read("src", "part1/empty", "&etl_name=plain-pod"))["bytes"], 0)

    def test_a_tag_that_is_moved_never_mixes_two_programs(self):
        tag = containers.PREFIX + "moving"
        versions = [containers.image_from(f"moving-{mark}", {"/server.py": MARKING_SERVER.replace("MARK", mark)},
                                          ["/usr/bin/python3", "-S", "/server.py"]) for mark in ("one", "two")]
        containers.podman("tag", versions[0], tag)
        self.cluster.add_transform({"name": "moving-tag", "pull": "never", "retry": {"restarts": 1}, "runtime": {"image": tag}})
        before = self.cluster.get("/v1/transforms/moving-tag")
        self.assertEqual({row["image"] for row in before["targets"]}, {before["image"]})
        self.cluster.create_bucket("marked")
        for i in range(12):
            self.cluster.put("marked", f"o{i}", b"x")
        containers.podman("tag", versions[1], tag)
        # One target starts anew and finds the other program under the name.
        target = self.cluster.targets[0]
        target.stop()
        target.start()

        def refused():
            rows = self.cluster.get("/v1/transforms/moving-tag")["targets"]
            return next((row["reason"] for row in rows if row["target"] == target.name and "--new-version" in row["reason"]), None)
        said = wait_for("the target to refuse the moved tag", refused)
        self.assertIn(before["image"], said)
        job = self.cluster.submit("moving-tag", "marked", "marked-out")
        document = self.cluster.wait_job(job, states=("failed", "completed", "completed_with_errors"))
        self.assertEqual(document["state"], "failed", "a target that cannot run the program gives up")
        self.assertIn("--new-version", document["reason"])
        results = {self.cluster.read("marked-out", name) for name in self.cluster.list("marked-out")}
        self.assertLessEqual(results, {b"one"})
        # The new one everywhere, by name: another digest, so the old job does not go on with it unasked.
        self.cluster.call("POST", "/v1/transforms/moving-tag/restart?new_version")
        after = self.cluster.get("/v1/transforms/moving-tag")
        self.assertEqual((after["spec"]["version"], after["state"]), ("2", "running"))
        self.assertNotEqual((after["digest"], after["image"]), (before["digest"], before["image"]))
        document = self.cluster.wait_job(self.cluster.submit("moving-tag", "marked", "marked-anew"))
        self.assertEqual(document["state"], "completed")
        self.assertEqual({self.cluster.read("marked-anew", f"o{i}") for i in range(12)}, {b"two"})
        self.assert_problem(409, "conflict", self.cluster.command, job, "resume")
        self.cluster.call("DELETE", "/v1/transforms/moving-tag")

    def test_what_cannot_start_says_why(self):
        never = {"name": "not-there", "pull": "never", "runtime": {"image": "localhost/no-such-image"}}
        self.assertIn("pull: never", self.assert_problem(424, "rejected", self.cluster.add_transform, never))
        broken = {"name": "not-a-program", "runtime": {"image": self.plain, "command": ["/no/such/program"]}}
        self.assertIn("/no/such/program", self.assert_problem(424, "rejected", self.cluster.add_transform, broken))
        silent = {"name": "never-ready", "init_timeout": "2s", "runtime": {"image": self.plain, "command": ["/bin/sh", "-c", "echo warming up; sleep 100"]}}
        said = self.assert_problem(424, "rejected", self.cluster.add_transform, silent)
        self.assertIn("not ready within 2s", said)
        self.assertIn("warming up", said)


if __name__ == "__main__":
    unittest.main()
