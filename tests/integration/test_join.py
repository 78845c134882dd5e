"""Nodes come into a cluster whose control plane is protected: by an invitation that is good once, and out of it again."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY  # noqa: E402
from cluster import Cluster, Problem, wait_for  # noqa: E402


class Joining(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-join-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.cluster = Cluster(BINARY, targets=3, folder=self.folder, proxy_settings={"secure_control": "true"})
        self.addCleanup(self.cluster.close)
        self.cluster.proxy.start()
        wait_for("the proxy", self.cluster.proxy.endpoint)
        for target in self.cluster.targets:
            target.configure({"id": target.name})  # where the proxy is, it learns by joining

    def tearDown(self):
        if any(error for _, error in getattr(self._outcome, "errors", []) or []) or getattr(self._outcome.result, "failures", None):
            self.cluster.print_logs()

    def client(self, *words):
        env = {k: v for k, v in os.environ.items() if not k.startswith("MILLRACE_")}
        return subprocess.run([BINARY, "--endpoint", "http://" + self.cluster.proxy.endpoint(), *words], env=env, capture_output=True, text=True, timeout=60)

    def invite(self, ttl="1h"):
        made = self.client("cluster", "invite", "--ttl", ttl)
        self.assertEqual(made.returncode, 0, made.stderr)
        self.assertEqual(made.stdout.count("\n"), 1, "one line to run")
        assignment, rest = made.stdout.split(" ", 1)
        self.assertEqual(rest.strip(), "millrace target --dir DIR")
        return assignment.removeprefix("MILLRACE_JOIN=")

    def keys(self):
        shown = self.client("cluster", "show")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        return shown.stdout

    def online(self):
        document = json.loads(self.client("cluster", "show", "-o", "json").stdout)
        return sorted(target["id"] for target in document["targets"] if target["online"])

    def start_invited(self, target):
        target.start(environment={"MILLRACE_JOIN": self.invite()})

    def test_three_targets_join_work_and_come_back_without_an_invitation(self):
        for target in self.cluster.targets:
            self.start_invited(target)
        wait_for("all targets", lambda: self.online() == ["t1", "t2", "t3"])
        for target in self.cluster.targets:
            public = (target.dir / "node_key.pub").read_text().strip()
            self.assertEqual(len(public), 40)
            for private in ("node_key", "proxy_access"):
                self.assertEqual((target.dir / private).stat().st_mode & 0o777, 0o600, private)
            self.assertNotIn((target.dir / "node_key").read_text().strip(), target.log.read_text(), "a secret key in a log")
        self.assertIn("t2", self.keys())
        self.assertEqual(self.client("bucket", "create", "ais://a").returncode, 0)
        source = self.folder / "files"
        source.mkdir()
        for number in range(20):
            (source / f"o{number}").write_text(f"object {number}\n")
        self.assertEqual(self.client("put", str(source), "ais://a").returncode, 0)

        for node in self.cluster.nodes:
            node.stop()
        for node in self.cluster.nodes:
            node.start()
        wait_for("all targets again", lambda: self.cluster.proxy.endpoint() and self.online() == ["t1", "t2", "t3"])
        copied = self.client("cp", "ais://a", "ais://b")
        self.assertEqual(copied.returncode, 0, copied.stderr + copied.stdout)
        self.assertEqual(self.client("get", "ais://b/o7", "-o", "-").stdout, "object 7\n")

    def test_an_invitation_is_good_once_and_until_it_expires(self):
        first, second, third = self.cluster.targets
        code = self.invite()
        first.start(environment={"MILLRACE_JOIN": code})
        wait_for("the first target", lambda: self.online() == ["t1"])
        second.start(environment={"MILLRACE_JOIN": code})
        self.assertNotEqual(second.wait_end(), 0)
        self.assertIn("not good any more", second.log.read_text())
        self.assertIn("was used already, by node t1", self.cluster.proxy.log.read_text())

        third.start(environment={"MILLRACE_JOIN": self.invite("1ms")})
        self.assertNotEqual(third.wait_end(), 0)
        self.assertIn("has expired", self.cluster.proxy.log.read_text())
        self.assertNotIn(code, self.cluster.proxy.log.read_text() + first.log.read_text() + second.log.read_text(), "a secret in a log")

        first.stop()
        first.start(environment={"MILLRACE_JOIN": code})  # as a unit file that was not changed would
        wait_for("the first target again", lambda: self.online() == ["t1"])

    def test_a_target_without_an_invitation_is_not_let_in(self):
        plain, _, _ = self.cluster.targets
        plain.configure({"id": "t1", "proxy": f"file:{self.cluster.proxy.dir}/control_endpoint"})
        plain.start()
        wait_for("it to say why", lambda: "secure_control: true" in plain.log.read_text())
        self.assertEqual(self.online(), [])

    def test_a_target_whose_key_was_taken_off_is_out_until_it_is_invited_again(self):
        first, second, _ = self.cluster.targets
        for target in (first, second):
            self.start_invited(target)
        wait_for("both targets", lambda: self.online() == ["t1", "t2"])
        revoked = self.client("cluster", "revoke", "t1")
        self.assertEqual(revoked.returncode, 0, revoked.stderr)
        wait_for("it to be out", lambda: self.online() == ["t2"])
        wait_for("it to say why", lambda: "does not allow this node's key" in first.log.read_text())
        self.assertEqual(self.client("cluster", "revoke", "t1").returncode, 3, "it is gone already")
        first.stop()
        self.start_invited(first)
        wait_for("it to be back", lambda: self.online() == ["t1", "t2"])


class WithoutProtection(unittest.TestCase):
    def test_there_is_nothing_to_invite_to(self):
        with Cluster(BINARY, targets=1) as cluster:
            with self.assertRaises(Problem) as caught:
                cluster.call("POST", "/v1/cluster/invitations", {})
            self.assertEqual(caught.exception.status, 409)
            self.assertIn("secure_control: true", caught.exception.document["detail"])


if __name__ == "__main__":
    unittest.main()
