"""Times: whose slowness counts, what limits an object, what a node that restarts keeps, connections that go silent."""
import os
import pathlib
import re
import socket
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, Cluster, ClusterCase, wait_for  # noqa: E402
from cluster import Node  # noqa: E402

PACED = "python3 -c 'import sys, time\nfor line in sys.stdin.buffer:\n    sys.stdout.buffer.write(line); sys.stdout.buffer.flush(); time.sleep(0.2)'"


class ObjectTimes(ClusterCase):
    targets = 2

    def one_object(self, transform, body, command, **more):
        """The job's document, and its rows, for one object through a filter."""
        self.cluster.create_bucket(transform)
        self.cluster.put(transform, "o", body)
        self.cluster.add_filter(transform, command, **more)
        job = self.cluster.submit(transform, transform, transform + "-out", attempts=1)
        return self.cluster.wait_job(job), self.cluster.errors(job)

    def test_what_moves_is_not_late(self):
        body = b"".join(b"line %d\n" % i for i in range(30))  # six seconds, 0.2 s without a byte
        document, rows = self.one_object("paced-lines", body, PACED, obj_timeout="3s")
        self.assertEqual((document["state"], rows), ("completed", []))
        self.assertEqual(self.cluster.read("paced-lines-out", "o"), body)

    def test_what_was_taken_may_be_thought_about_in_silence(self):
        body = os.urandom(8 << 20)  # eight seconds more
        document, rows = self.one_object("thinks", body, "cat > kept; sleep 3; cat kept", obj_timeout="500ms")
        self.assertEqual((document["state"], rows), ("completed", []))
        self.assertEqual(self.cluster.read("thinks-out", "o"), body)

    def test_a_limit_names_itself_and_how_far_it_got(self):
        document, rows = self.one_object("hangs-long", b"x" * 2048, "cat > /dev/null; sleep 600", obj_timeout="300ms")
        self.assertEqual((document["state"], rows[0]["code"]), ("completed_with_errors", "timed_out"))
        self.assertRegex(rows[0]["message"], r"no result within 30\dms, after 2\.0 KiB in and 0 B out; obj_timeout .*--object-timeout")

    def test_what_comes_to_no_end_is_cut(self):
        document, rows = self.one_object("endless", b"x", "while :; do echo y; sleep 0.05; done", obj_timeout="300ms")
        self.assertEqual((document["state"], rows[0]["code"]), ("completed_with_errors", "timed_out"))


class Ports(unittest.TestCase):
    def test_a_node_that_restarts_keeps_its_ports(self):
        with Cluster(BINARY, targets=1) as cluster:
            target = cluster.targets[0]
            before = [n.endpoint() for n in cluster.nodes], (cluster.proxy.dir / "control_endpoint").read_text()
            for node in cluster.nodes:
                node.kill()
                node.start()
                wait_for("the cluster", cluster.is_ready)
            self.assertEqual(([n.endpoint() for n in cluster.nodes], (cluster.proxy.dir / "control_endpoint").read_text()), before)

            host, port = target.endpoint().split(":")
            target.kill()
            with socket.socket() as taken:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                taken.bind((host, int(port)))
                taken.listen()
                target.start()
                wait_for("the cluster", cluster.is_ready)
                self.assertNotEqual(target.endpoint(), f"{host}:{port}")
            self.assertIn("port of the last time is taken", target.log.read_text())


class Relay:
    """Passes TCP connections on, and can make those that there are swallow everything without closing."""

    def __init__(self, to):
        self.to, self.open, self.muted = to, [], set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                one, _ = self.listener.accept()
                other = socket.create_connection(self.to)
            except OSError:
                return
            self.open += [one, other]
            for pair in ((one, other), (other, one)):
                threading.Thread(target=self.pump, args=pair, daemon=True).start()

    def pump(self, one, other):
        try:
            while data := one.recv(65536):
                if one not in self.muted:
                    other.sendall(data)
            if one not in self.muted:
                other.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def mute(self):
        self.muted.update(self.open)

    def close(self):
        self.listener.close()


class SilentConnections(unittest.TestCase):
    def test_a_target_whose_connection_goes_silent_comes_back_by_itself(self):
        with Cluster(BINARY, targets=1) as cluster:
            host, port = re.search(r"tcp://(.*):(\d+)", (cluster.proxy.dir / "control_endpoint").read_text()).groups()
            relay = Relay((host, int(port)))
            self.addCleanup(relay.close)
            behind = Node(cluster.binary, "target", "t2", cluster.folder, {"id": "t2", "proxy": f"tcp://127.0.0.1:{relay.port}"})
            cluster.targets.append(behind)
            cluster.start()
            cluster.create_bucket("silent")
            for i in range(40):
                cluster.put("silent", f"o{i}", b"x")
            gate = cluster.folder / "gate"
            cluster.add_filter("silent-cat", f"while ! test -e {gate}; do sleep 0.05; done; cat", obj_timeout="5m")
            job = cluster.submit("silent-cat", "silent", "silent-out")
            cluster.wait_job(job, ("running",))

            def online():
                return {t["id"]: t["online"] for t in cluster.get("/v1/cluster")["targets"]}["t2"]

            relay.mute()
            wait_for("the silence to be noticed", lambda: not online())
            wait_for("the target to be back", online)
            gate.touch()
            document = cluster.wait_job(job)
            self.assertEqual((document["state"], document["objects"]["done"]), ("completed", 40))


if __name__ == "__main__":
    unittest.main()
