"""What is paused, cancelled or stopped ends at once, and nothing of it appears later; places go to jobs that can use them."""
import os
import pathlib
import signal
import socket
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import ClusterCase, wait_for  # noqa: E402

SERVER = pathlib.Path(__file__).resolve().parents[1] / "support/echo_server.py"


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Over(ClusterCase):
    target_settings = {"running_slices_max": 1, "fork_server": "false"}  # without trials of filters

    def fill(self, bucket, count):
        self.cluster.create_bucket(bucket)
        for i in range(count):
            self.cluster.put(bucket, f"o{i:03d}", f"content {i}\n".encode())

    def add_gated(self, name, **more):
        """A filter whose runs note their process, and wait for a gate."""
        runs, gate = self.cluster.folder / f"{name}-runs", self.cluster.folder / f"{name}-gate"
        runs.mkdir()
        self.cluster.add_filter(name, f"cat > /dev/null; touch {runs}/$$; while ! test -e {gate}; do sleep 0.02; done; echo {name}", obj_timeout="2h", **more)
        return runs, gate

    def pids(self, runs):
        return [int(path.name) for path in runs.iterdir() if alive(path.name)]

    def rests(self, job, state):
        return all(s["state"] in (state, "finished") for s in self.cluster.job(job)["slices"])

    def test_a_paused_job_s_filters_are_gone_and_its_attempts_do_not_count(self):
        self.fill("pause-src", 12)
        runs, gate = self.add_gated("pause-gated")
        job = self.cluster.submit("pause-gated", "pause-src", "pause-dst", attempts=1)
        wait_for("filters to run", lambda: len(self.pids(runs)) >= 3)
        for verb, state in (("pause", "paused"), ("cancel", "stopped")):
            self.cluster.command(job, verb)
            wait_for(f"slices to be {state}", lambda: self.rests(job, state), 20)
            self.assertEqual(self.pids(runs), [])
            self.cluster.command(job, "resume")
            wait_for("filters to run again", lambda: len(self.pids(runs)) >= 3)
        gate.touch()
        document = self.cluster.wait_job(job)
        self.assertEqual((document["state"], document["objects"]["done"], document["objects"]["failed"]), ("completed", 12, 0), self.cluster.errors(job))
        self.assertEqual(document["attempts"], 12)

    def test_nothing_of_a_cancelled_job_overwrites_a_later_one_s_results(self):
        self.fill("over-src", 30)
        runs, gate = self.add_gated("over-gated")
        first = self.cluster.submit("over-gated", "over-src", "over-dst")
        wait_for("filters to run", lambda: len(self.pids(runs)) >= 3)
        self.cluster.command(first, "cancel")
        self.cluster.add_filter("over-later", "tr a-z A-Z")
        second = self.cluster.wait_job(self.cluster.submit("over-later", "over-src", "over-dst"))
        self.assertEqual((second["state"], second["objects"]["done"]), ("completed", 30))
        gate.touch()
        wait_for("the first to rest", lambda: self.rests(first, "stopped"), 20)
        for i in range(30):
            self.assertEqual(self.cluster.read("over-dst", f"o{i:03d}"), f"CONTENT {i}\n".encode())

    def test_a_stopped_transform_gives_its_place_away(self):
        self.fill("place-src", 12)
        runs, gate = self.add_gated("place-gated")
        waiting = self.cluster.submit("place-gated", "place-src", "place-dst", attempts=1)
        wait_for("filters to run", lambda: len(self.pids(runs)) >= 3)
        self.cluster.call("POST", "/v1/transforms/place-gated/stop")
        self.assertEqual(self.pids(runs), [])
        self.assertEqual(self.cluster.wait_job(self.copy("place-src", "place-copy"))["state"], "completed")
        gate.touch()
        self.cluster.call("POST", "/v1/transforms/place-gated/start")
        document = self.cluster.wait_job(waiting)
        self.assertEqual((document["state"], document["objects"]["done"]), ("completed", 12), self.cluster.errors(waiting))

    def test_a_stopped_transform_does_not_wait_for_a_reader_that_takes_nothing(self):
        self.cluster.create_bucket("inline-src")
        self.cluster.put("inline-src", "x", bytes(60_000_000))
        self.cluster.add_filter("inline-filter", "cat", obj_timeout="2h")
        self.cluster.add_transform({"name": "inline-server", "command": ["python3", str(SERVER)], "init_timeout": "30s", "obj_timeout": "2h"})
        _, headers, _ = self.cluster.request("HEAD", "/v1/objects/inline-src/x")
        owner = next(t for t in self.cluster.targets if t.endpoint() in headers["Location"])
        host, port = owner.endpoint().split(":")
        for transform in ("inline-filter", "inline-server"):
            with self.subTest(transform), socket.create_connection((host, int(port)), timeout=60) as reader:
                reader.sendall(f"GET /v1/objects/inline-src/x?etl_name={transform} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                self.assertTrue(reader.recv(1000).startswith(b"HTTP/1.1 200"))
                self.cluster.call("POST", f"/v1/transforms/{transform}/stop")
                standing = self.cluster.get(f"/v1/transforms/{transform}")["targets"]
                self.assertEqual({target["state"] for target in standing}, {"stopped"}, standing)

    def test_a_target_stops_in_order_while_another_takes_nothing_from_it(self):
        silent, stopping = self.cluster.targets[1], self.cluster.targets[0]
        self.cluster.create_bucket("silent-src")
        runs, gate = self.cluster.folder / "silent-runs", self.cluster.folder / "silent-gate"
        runs.mkdir()
        command = f"head -c 20000000 /dev/zero; touch {runs}/$$; while ! test -e {gate}; do sleep 0.02; done; cat"
        moved = [name for name in map(str, range(1000)) if self.owner(name) is stopping and self.owner("moved-" + name) is silent][:4]
        for name in moved:
            self.cluster.put("silent-src", name, b"the end of " + name.encode())
        self.cluster.add_filter("silent-filter", command, obj_timeout="2h")
        job = self.cluster.submit("silent-filter", "silent-src", "silent-dst", prepend="moved-")
        wait_for("outputs to be on their way", lambda: self.pids(runs))
        silent.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            self.assertEqual(stopping.stop(), 0)
            self.assertLess(time.monotonic() - began, 30)  # not for the time of its objects
            self.assertEqual(self.pids(runs), [])
        finally:
            silent.process.send_signal(signal.SIGCONT)
        gate.touch()
        stopping.start()
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed")
        for name in moved:
            self.assertTrue(self.cluster.read("silent-dst", "moved-" + name).endswith(b"the end of " + name.encode()))

    def owner(self, name):
        _, headers, _ = self.cluster.request("HEAD", f"/v1/objects/silent-src/{name}")
        return next(t for t in self.cluster.targets if t.endpoint() in headers["Location"])

    def copy(self, source, destination):
        body = {"operation": "copy", "source": f"ais://{source}", "destination": f"ais://{destination}"}
        return self.cluster.call("POST", "/v1/jobs", body)["id"]


if __name__ == "__main__":
    unittest.main()
