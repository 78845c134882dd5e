"""Nodes on addresses of their own, with everything on: tokens, https, keys on the control port. Each has a network namespace, as has the test."""
import ctypes
import json
import os
import shutil
import subprocess
import unittest

from case import BINARY
from certificates import Authority
from cluster import Cluster, Node, wait_for
from tokens import Keys

CLONE_NEWNET = 0x40000000


def ip(*words):
    subprocess.run(["ip", *words], check=True, timeout=60)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("ip"), "network namespaces with addresses need root and ip")
class NetworkCase(unittest.TestCase):
    """One such cluster, a proxy and two targets, for all tests of the class."""
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
    def another(cls, name, address):
        """A target that is not in, nor started."""
        node = Node(BINARY, "target", name, cls.cluster.folder, {"id": name})
        cls.place(node, address)
        return node

    @classmethod
    def invitation(cls):
        status, out, said = cls.cluster.run("cluster", "invite", "-o", "json")
        assert status == 0, said
        return json.loads(out)["code"]
