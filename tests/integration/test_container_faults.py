"""What a container can do wrong: jobs end by themselves with exactly the guilty objects in the ledger, and others notice nothing."""
import os
import pathlib
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import containers  # noqa: E402
from case import SUPPORT, ClusterCase, wait_for  # noqa: E402

# The body of an object says what goes wrong with it; all others come back in upper case.
FAULTY_SERVER = """
import ctypes, http.server, os, socketserver, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def log_message(self, *_): pass
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
    def do_GET(self):
        self.answer(b"Running")
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"exit":
            sys.stderr.write("my last words\\n")
            sys.stderr.flush()
            os._exit(3)
        if body == b"eat":
            eaten = []
            while True: eaten.append(bytearray(b"x") * (16 << 20))
        if body == b"hang": time.sleep(3600)
        if body == b"garbage":
            self.wfile.write(b"\\x00 this is not HTTP\\r\\n\\r\\n")
            self.wfile.flush()
            self.close_connection = True
            return
        if body == b"fault": ctypes.string_at(0)
        if body == b"close":
            self.close_connection = True
            return
        if body == b"cut":
            self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 1000\\r\\n\\r\\nonly this")
            self.close_connection = True
            return
        if body == b"endless":
            self.wfile.write(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
            while self.wfile.write(b"x" * 65536): time.sleep(0.01)
        if body == b"headers":
            self.wfile.write(b"HTTP/1.1 200 OK\\r\\n")
            while self.wfile.write(b"X-More: " + b"x" * 1000 + b"\\r\\n"): pass
        if body == b"logs":
            for _ in range(1024): sys.stderr.write("x" * (1 << 20) + "\\n")
        if body == b"fork":
            for _ in range(100000):
                try:
                    if os.fork() == 0: time.sleep(600)
                except OSError:
                    pass
        self.answer(body.upper())
class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
Server(("0.0.0.0", 8000), Handler).serve_forever()
"""
GOOD = {f"object{i:03}": b"content %d" % i for i in range(120)}


class Faults(ClusterCase):
    @classmethod
    def setUpClass(cls):
        cls.image = containers.image_from("faulty", {"/server.py": FAULTY_SERVER}, ["/usr/bin/python3", "-S", "/server.py"])
        cls.target_settings = {"container_engine": containers.engine()}
        super().setUpClass()
        cls.cluster.add_filter("bystander", "cat")
        cls.cluster.create_bucket("calm")
        for name, content in GOOD.items():
            cls.cluster.put("calm", name, content)

    def job_over(self, fault, count=1, **more):
        """A job over good objects and some that do this, with another beside it; the ledger's rows by name."""
        transform = f"faulty-{fault}"
        self.cluster.add_transform({"name": transform, "obj_timeout": "2s", "init_timeout": "30s", "runtime": {"image": self.image},
                                    "resources": {"limits": {"memory": "96Mi", "cpu": "1"}}, "limits": {"processes": 64}, **more})
        self.cluster.create_bucket(fault)
        guilty = [f"guilty{i}" for i in range(count)]
        for name, content in GOOD.items():
            self.cluster.put(fault, name, content)
        for name in guilty:
            self.cluster.put(fault, name, fault.encode())
        beside = self.cluster.submit("bystander", "calm", f"calm-{fault}")
        job = self.cluster.submit(transform, fault, f"{fault}-out", attempts=2)
        document = self.cluster.wait_job(job, seconds=90)
        for name, content in GOOD.items():
            self.assertEqual(self.cluster.read(f"{fault}-out", name), content.upper())
        other = self.cluster.wait_job(beside)
        self.assertEqual((other["state"], other["objects"]["done"]), ("completed", len(GOOD)))
        rows = {row["object"].rsplit("/", 1)[1]: row for row in self.cluster.errors(job)}
        if rows:
            self.assertEqual((document["state"], sorted(rows)), ("completed_with_errors", guilty))
        else:
            self.assertEqual((document["state"], document["objects"]["done"]), ("completed", len(GOOD) + count))
        status = self.cluster.get(f"/v1/transforms/{transform}")["targets"]
        self.cluster.call("DELETE", f"/v1/transforms/{transform}")
        return rows, status

    def assert_rows(self, rows, kind, code, text):
        self.assertTrue(rows)
        for row in rows.values():
            self.assertEqual((row["class"], row["code"]), (kind, code), row)
            self.assertIn(text, row["message"])

    def test_objects_that_kill_the_server(self):
        rows, status = self.job_over("exit", 3)
        self.assert_rows(rows, "quarantined", "crashed", "exit status 3: my last words")
        self.assertIn("my last words", rows["guilty0"]["stderr"])
        self.assertTrue(any("exit status 3" in t["last_death"] and "my last words" in t["last_death_log"] for t in status), status)

    def test_an_object_that_exhausts_the_memory(self):
        rows, _ = self.job_over("eat")
        self.assert_rows(rows, "quarantined", "crashed", "killed: out of memory (its limit is 96.0 MiB)")

    def test_an_object_that_hangs(self):
        rows, _ = self.job_over("hang")
        self.assert_rows(rows, "failed", "timed_out", "no result within 2s")

    def test_an_answer_that_is_garbage(self):
        rows, _ = self.job_over("garbage")
        self.assert_rows(rows, "failed", "transient", "not an HTTP/1.1 message")

    def test_an_object_that_makes_the_server_fault(self):
        rows, _ = self.job_over("fault")
        self.assert_rows(rows, "quarantined", "crashed", "killed by SIGSEGV")

    def test_answers_that_do_not_come_whole(self):
        self.cluster.add_transform({"name": "faulty-answers", "obj_timeout": "2s", "runtime": {"image": self.image}})
        self.cluster.create_bucket("answers")
        guilty = {"close": ("quarantined", "crashed"), "cut": ("quarantined", "crashed"), "endless": ("failed", "timed_out"),
                  "headers": ("failed", "transient")}
        for name, content in {**GOOD, **{name: name.encode() for name in guilty}}.items():
            self.cluster.put("answers", name, content)
        job = self.cluster.submit("faulty-answers", "answers", "answers-out", attempts=2)
        document = self.cluster.wait_job(job, seconds=180)  # an answer that moves for ever has ten times the object's time
        self.assertEqual({row["object"].rsplit("/", 1)[1]: (row["class"], row["code"]) for row in self.cluster.errors(job)}, guilty)
        self.assertEqual((document["state"], self.cluster.list("answers-out")), ("completed_with_errors", sorted(GOOD)))

    def test_a_gigabyte_of_logs(self):
        rows, _ = self.job_over("logs", obj_timeout="1m")
        self.assertFalse(rows)

    def test_a_hundred_thousand_forks(self):
        rows, _ = self.job_over("fork")
        self.assertLessEqual(len(rows), 1)  # it may come through: what it started is the container's affair

    def test_a_direct_put_that_kills_the_server_is_found_too(self):
        self.cluster.add_transform({"name": "faulty-direct", "runtime": {"image": self.image}, "support_direct_put": True})
        self.cluster.create_bucket("direct")
        for name, content in {**GOOD, "guilty": b"exit"}.items():
            self.cluster.put("direct", name, content)
        document = self.cluster.wait_job(self.cluster.submit("faulty-direct", "direct", "direct-out", prepend="moved/"))
        rows = self.cluster.errors(document["id"])
        self.assertEqual([(r["object"], r["class"]) for r in rows], [("ais://direct/guilty", "quarantined")])
        self.assertEqual(self.cluster.list("direct-out"), sorted(f"moved/{name}" for name in GOOD))

    def test_objects_that_break_a_websocket(self):
        server = (SUPPORT / "ws_server.py").read_text()
        image = containers.image_from("ws-faulty", {"/server.py": server}, ["/usr/bin/python3", "-S", "/server.py"])
        self.cluster.add_transform({"name": "faulty-ws", "communication": "ws://", "support_direct_put": True, "obj_timeout": "2s", "init_timeout": "30s",
                                    "env": {"PORT": "8000"}, "runtime": {"image": image}})
        self.cluster.create_bucket("websocket")
        guilty = {"closes": b"close", "cuts": b"cut", "hangs": b"hang", "refuses": b"text Transform error: not this one"}
        for name, content in {**GOOD, **guilty}.items():
            self.cluster.put("websocket", name, content)
        document = self.cluster.wait_job(self.cluster.submit("faulty-ws", "websocket", "websocket-out", attempts=2), seconds=90)
        rows = {row["object"].rsplit("/", 1)[1]: (row["class"], row["code"]) for row in self.cluster.errors(document["id"])}
        self.assertEqual(rows, {"closes": ("quarantined", "crashed"), "cuts": ("quarantined", "crashed"), "hangs": ("failed", "timed_out"),
                                "refuses": ("failed", "rejected")})
        self.assertEqual(self.cluster.list("websocket-out"), sorted(GOOD))
        for name, content in GOOD.items():
            self.assertEqual(self.cluster.read("websocket-out", name), content.upper())

    def test_a_server_that_is_killed_from_outside_costs_nothing(self):
        self.cluster.add_transform({"name": "faulty-killed", "runtime": {"image": self.image}})
        self.cluster.create_bucket("killed")
        for index in range(600):
            self.cluster.put("killed", f"object{index:03}", b"x" * 2000)
        job = self.cluster.submit("faulty-killed", "killed", "killed-out", num_workers=1)
        wait_for("the job to be on its way", lambda: self.cluster.job(job)["objects"]["done"] > 0)
        killed = [target["pid"] for target in self.cluster.get("/v1/transforms/faulty-killed")["targets"]]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        document = self.cluster.wait_job(job)
        self.assertEqual((document["state"], document["objects"]["done"]), ("completed", 600), self.cluster.errors(job))

    def test_a_server_that_never_comes_back_is_given_up(self):
        flag = self.cluster.folder / "flag"
        flag.touch()
        self.cluster.add_transform({"name": "gone-for-good", "command": ["/usr/bin/python3", "-S", str(SUPPORT / "echo_server.py")],
                                    "env": {"ECHO_FAIL_UNTIL": str(flag)}, "retry": {"restarts": 1}, "init_timeout": "20s"})
        flag.unlink()
        for target in self.cluster.get("/v1/transforms/gone-for-good")["targets"]:
            os.kill(target["pid"], signal.SIGKILL)
        document = self.cluster.wait_job(self.cluster.submit("gone-for-good", "calm", "gone-out"))
        self.assertEqual(document["state"], "failed")
        self.assertIn("etl restart gone-for-good", document["reason"])
        self.assertEqual(self.cluster.get("/v1/transforms/gone-for-good")["state"], "aborted")
        flag.touch()
        self.cluster.call("POST", "/v1/transforms/gone-for-good/restart")
        self.cluster.command(document["id"], "resume")
        document = self.cluster.wait_job(document["id"])
        self.assertEqual((document["state"], document["objects"]["done"]), ("completed", len(GOOD)))

    def test_stop_returns_when_nothing_runs(self):
        self.cluster.add_transform({"name": "stopped-soon", "runtime": {"image": self.image}})
        pids = [target["pid"] for target in self.cluster.get("/v1/transforms/stopped-soon")["targets"]]
        self.assertTrue(all(pids))
        self.cluster.call("POST", "/v1/transforms/stopped-soon/stop")
        self.assertFalse([pid for pid in pids if pathlib.Path(f"/proc/{pid}/cmdline").exists() and pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()])
        self.cluster.call("POST", "/v1/transforms/stopped-soon/start")
        self.assertEqual(self.cluster.read("calm", "object000", "&etl_name=stopped-soon"), b"CONTENT 0")


if __name__ == "__main__":
    unittest.main()
