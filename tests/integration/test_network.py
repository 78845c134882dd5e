"""A cluster on a network, with everything on: who gets in, by which way, and what nodes say whose clock is wrong."""
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY  # noqa: E402
from cluster import Problem, wait_for  # noqa: E402
from network import NetworkCase  # noqa: E402

WRONG_CLOCK = os.environ.get("MILLRACE_WRONG_CLOCK", str(pathlib.Path(BINARY).parent / "tests/integration/libwrong_clock.so"))


class OnANetwork(NetworkCase):
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

    def restart(self, node, **environment):
        node.stop()
        node.start(environment=environment)
        self.cluster.wait_online()

    def refusals(self, names):
        """What reads of these are refused with, by way of the proxy."""
        said = set()
        for name in names:
            try:
                self.cluster.read("clocks", name)
            except Problem as problem:
                said.add(problem.document["detail"])
        return "\n".join(said)

    def test_a_clock_that_is_a_day_off_is_refused_and_said(self):
        self.cluster.create_bucket("clocks")
        names = [f"o{i}" for i in range(20)]
        for name in names:
            self.cluster.put("clocks", name, b"x")
        target = self.cluster.targets[1]
        self.addCleanup(self.restart, target)
        for days, shown, refused, token in ((-1, "behind", "does not believe this side's certificate", "begins at"),
                                            (1, "ahead of", "is out of time", "expired at")):
            with self.subTest(days=days):
                self.restart(target, LD_PRELOAD=WRONG_CLOCK, WRONG_CLOCK=str(days * 86400))
                wait_for("its refusals", lambda: refused in self.refusals(names))
                status, _, body = self.cluster.request("GET", "/v1/objects/clocks/o1", node=target)
                self.assertEqual(status, 401)
                self.assertRegex(body.decode(), f"{token} 2[^ ]* .it is 2.* by the clock of this node")
                problem = f"the clock of target t2 is about 24h {shown} the proxy's"
                wait_for("the clock to be called wrong", lambda: problem in self.cluster.run("cluster", "show")[1])
        self.assertIn("its certificate begins later than now by the clock of this machine", target.log.read_text())
        self.restart(target)
        wait_for("it to be believed", lambda: self.refusals(names) == "")
        self.assertNotIn("clock", self.cluster.run("cluster", "show")[1])

    def test_an_invitation_lets_in_one(self):
        thief = self.another("thief", "10.77.0.10")
        thief.start(environment={"MILLRACE_JOIN": self.used_code})
        self.assertNotEqual(thief.wait_end(), 0)
        self.assertIn("cannot join", thief.log.read_text())
        self.assertNotIn("thief", self.cluster.run("cluster", "show")[1])


if __name__ == "__main__":
    unittest.main()
