"""Nodes on addresses of their own, with everything on: tokens, https, keys on the control port. Each has a network namespace, as has the client."""
import ctypes
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, wait_for  # noqa: E402
from certificates import Authority  # noqa: E402
from cluster import Cluster  # noqa: E402
from tokens import Keys  # noqa: E402

CLONE_NEWNET = 0x40000000


def ip(*words):
    subprocess.run(["ip", *words], check=True, timeout=60)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("ip"), "network namespaces with addresses need root and ip")
class OnANetwork(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.spaces = []
        cls.addClassCleanup(cls.remove_spaces)
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise unittest.SkipTest(f"no network namespace: {os.strerror(ctypes.get_errno())}")
        ip("link", "set", "lo", "up")
        ip("link", "add", "hub", "type", "bridge")
        ip("addr", "add", "10.77.0.254/24", "dev", "hub")
        ip("link", "set", "hub", "up")
        cls.authority, cls.keys = Authority(BINARY), Keys(BINARY)
        cls.addClassCleanup(shutil.rmtree, cls.authority.folder)
        cls.addClassCleanup(shutil.rmtree, cls.keys.folder)
        cls.cluster = Cluster(BINARY, targets=2, proxy_settings={"secure_control": "true"})
        cls.cluster.authority = cls.authority.certificate
        cls.cluster.token = cls.keys.issue("admin", subject="root")
        cls.addClassCleanup(cls.cluster.close)
        for number, node in enumerate(cls.cluster.nodes, 1):
            cls.place(node, f"10.77.0.{number}")
        cls.cluster.proxy.start()
        wait_for("the proxy to listen", cls.cluster.proxy.endpoint)
        for target in cls.cluster.targets:
            cls.used_code = cls.invitation()
            target.start(environment={"MILLRACE_JOIN": cls.used_code})
        cls.cluster.wait_ready()

    @classmethod
    def remove_spaces(cls):
        for space in cls.spaces:
            ip("netns", "del", space)

    @classmethod
    def place(cls, node, address):
        """A namespace of the node's own, a cable to the hub, and everything that it needs in its configuration."""
        space = f"millrace-{os.getpid()}-{node.name}"
        ip("netns", "add", space)
        cls.spaces.append(space)
        ip("link", "add", f"to-{node.name}", "type", "veth", "peer", "name", "eth0", "netns", space)
        ip("link", "set", f"to-{node.name}", "master", "hub", "up")
        for words in (["addr", "add", f"{address}/24", "dev", "eth0"], ["link", "set", "eth0", "up"], ["link", "set", "lo", "up"]):
            ip("-n", space, *words)
        node.prefix = ["ip", "netns", "exec", space]
        settings = {"host": "0.0.0.0", "advertise": address, "auth_key": cls.keys.public, **cls.authority.issue(node.name, address)}
        text = "".join(line + "\n" for line in node.config.read_text().splitlines() if not line.startswith("proxy:"))
        node.config.write_text(text + "".join(f"{key}: {value}\n" for key, value in settings.items()))

    @classmethod
    def invitation(cls):
        status, out, said = cls.cluster.run("cluster", "invite", "-o", "json")
        assert status == 0, said
        return json.loads(out)["code"]

    def curl(self, *words):
        command = ["curl", "-sS", "--max-time", "60", "--cacert", str(self.authority.certificate), *words]
        return subprocess.run(command, capture_output=True, timeout=120, check=False)

    def test_objects_and_jobs_go_from_node_to_node(self):
        self.cluster.create_bucket("far-in")
        for i in range(30):
            self.cluster.put("far-in", f"o{i}", b"content %d" % i)
        self.cluster.add_filter("far-upper", "tr a-z A-Z")
        job = self.cluster.submit("far-upper", "far-in", "far-out", prepend="moved/")
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed")
        bearer = ["-L", "-H", f"Authorization: Bearer {self.cluster.token}"]
        self.assertEqual(self.curl(*bearer, f"{self.cluster.url}/v1/objects/far-out/moved/o7").stdout, b"CONTENT 7")
        self.assertEqual(self.cluster.run("get", "ais://far-out/moved/o29", "-o", "-"), (0, "CONTENT 29", ""))

    def test_nobody_gets_in_without_a_token_or_by_plain_http(self):
        for node in self.cluster.nodes:
            self.assertIn(b"401", self.curl("-i", f"https://{node.endpoint()}/metrics").stdout.splitlines()[0])
            self.assertIn(b"speaks https", self.curl(f"http://{node.endpoint()}/health").stdout)

    def test_nothing_is_called_insecure(self):
        status, out, said = self.cluster.run("cluster", "show")
        self.assertEqual(status, 0, said)
        self.assertNotIn("insecure", out)
        for node in self.cluster.nodes:
            self.assertNotIn("insecure", node.log.read_text())

    def test_an_invitation_lets_in_one(self):
        thief = type(self.cluster.proxy)(BINARY, "target", "thief", self.cluster.folder, {"id": "thief"})
        self.place(thief, "10.77.0.10")
        thief.start(environment={"MILLRACE_JOIN": self.used_code})
        self.assertNotEqual(thief.wait_end(), 0)
        self.assertIn("cannot join", thief.log.read_text())
        self.assertNotIn("thief", self.cluster.run("cluster", "show")[1])


if __name__ == "__main__":
    unittest.main()
