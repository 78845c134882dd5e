"""A cluster that asks everybody who they are."""
import json
import pathlib
import shutil
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, Cluster, wait_for  # noqa: E402
from tokens import GuardedCase, Keys, guarded_cluster  # noqa: E402


class Guarded(GuardedCase):
    def as_(self, token, method, path, document=None, node=None):
        body = None if document is None else json.dumps(document).encode()
        headers = {"Authorization": f"Bearer {token}"} if token else {"Authorization": ""}
        return self.cluster.request(method, path, body, headers, node=node)

    def run_as(self, token, *arguments, stdin=None):
        mine, self.cluster.token = self.cluster.token, token
        try:
            return self.cluster.run(*arguments, stdin=stdin)
        finally:
            self.cluster.token = mine

    def test_a_user_of_the_command_works_with_a_token_and_not_without(self):
        alice = self.keys.issue("write:alice-*", "run:alice-*")
        for words in (["bucket", "create", "ais://alice-in"], ["put", "-", "ais://alice-in/a"], ["get", "ais://alice-in/a", "-o", "-"],
                      ["ls", "ais://alice-in"], ["cp", "ais://alice-in", "ais://alice-out", "--wait"], ["job", "ls"], ["cluster", "show"]):
            status, _, said = self.run_as(None, *words, stdin=b"hello")
            self.assertEqual(status, 6, (words, said))
            self.assertIn("MILLRACE_TOKEN", said, words)
            status, out, said = self.run_as(alice, *words, stdin=b"hello")
            self.assertEqual(status, 0, (words, said))
        self.assertEqual(self.run_as(alice, "get", "ais://alice-out/a", "-o", "-")[1], "hello")

    def test_what_is_not_granted_is_refused_and_said(self):
        for bucket in ("bob-in", "carol-in"):
            self.cluster.create_bucket(bucket)
            self.cluster.put(bucket, "a", b"secret")
        carol = self.keys.issue("write:carol-*", "run:carol-*", subject="carol")
        for words, lacks in ((["get", "ais://bob-in/a", "-o", "-"], "carol may not read bucket bob-in"),
                             (["put", "-", "ais://bob-in/b"], "carol may not write bucket bob-in"),
                             (["rm", "ais://bob-in/a"], "carol may not write bucket bob-in"),
                             (["ls", "ais://bob-in"], "carol may not read bucket bob-in"),
                             (["bucket", "rm", "ais://bob-in"], "carol may not write bucket bob-in"),
                             (["cp", "ais://bob-in", "ais://carol-out"], "carol may not run bucket bob-in"),
                             (["cp", "ais://carol-in", "ais://bob-out"], "carol may not write bucket bob-out"),
                             (["etl", "init", "--name", "carols-own", "--cmd", "cat"], "carol may not command"),
                             (["auth", "revoke", "t-1"], "carol may not admin"),
                             (["cluster", "accept", "t1"], "carol may not admin")):
            status, out, said = self.run_as(carol, *words, stdin=b"x")
            self.assertEqual((status, out), (6, ""), (words, said))
            self.assertIn(lacks, said, words)
        self.assertEqual(self.cluster.read("bob-in", "a"), b"secret")

    def test_lists_leave_out_what_is_not_granted(self):
        for bucket in ("dave-in", "erin-in"):
            self.cluster.create_bucket(bucket)
            self.cluster.put(bucket, "a", b"x")
        job = self.cluster.call("POST", "/v1/jobs", {"operation": "copy", "source": "ais://dave-in", "destination": "ais://dave-out"})["id"]
        self.cluster.wait_job(job)
        erin = self.keys.issue("read:erin-*", subject="erin")
        self.assertEqual(self.run_as(erin, "bucket", "ls")[1].split(), ["ais://erin-in"])
        self.assertNotIn(job, self.run_as(erin, "job", "ls")[1])
        for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/errors", f"/v1/jobs/{job}/report"):
            self.assertEqual(self.as_(erin, "GET", path)[0], 403, path)
        for verb in ("cancel", "resume", "pause", "retry"):
            self.assertEqual(self.as_(self.keys.issue("run:erin-*"), "POST", f"/v1/jobs/{job}/{verb}")[0], 403, verb)
        self.assertEqual(self.as_(self.keys.issue("read:dave-out"), "GET", f"/v1/jobs/{job}")[0], 200)

    def test_a_redirect_lets_in_without_the_token_and_no_further(self):
        self.cluster.create_bucket("redirected")
        self.cluster.put("redirected", "a", b"content")
        status, headers, _ = self.cluster.request("GET", "/v1/objects/redirected/a")
        self.assertEqual(status, 301)
        self.assertNotIn(self.cluster.token, headers["Location"])
        rest = headers["Location"].split("//", 1)[1]
        host, path = rest[:rest.index("/")], rest[rest.index("/"):]
        node = next(t for t in self.cluster.targets if t.endpoint() == host)
        self.assertEqual(self.as_(None, "GET", path, node=node)[::2], (200, b"content"))
        self.assertEqual(self.as_(None, "GET", path.replace("/a?", "/b?"), node=node)[0], 401)
        self.assertEqual(self.as_(None, "DELETE", path, node=node)[0], 401)
        for other in self.cluster.targets:
            if other is not node:
                self.assertEqual(self.as_(None, "GET", path, node=other)[0], 401)
        url = f"http://{self.cluster.proxy.endpoint()}/v1/objects/redirected/a"
        done = subprocess.run(["curl", "-sSL", "-H", f"Authorization: Bearer {self.cluster.token}", url], capture_output=True, timeout=60, check=True)
        self.assertEqual(done.stdout, b"content")

    def test_a_revoked_token_is_refused_by_every_node_at_once_and_after_a_restart(self):
        self.cluster.create_bucket("revoking")
        self.cluster.put("revoking", "a", b"x")
        stolen = self.keys.issue("read:revoking", subject="mallory")
        nodes = self.cluster.nodes
        self.assertEqual([self.as_(stolen, "GET", "/v1/objects/revoking/a", node=n)[0] in (200, 301) for n in nodes], [True] * 4)
        status, _, said = self.cluster.run("auth", "revoke", "--file", "-", stdin=stolen.encode())
        self.assertEqual(status, 0, said)
        refused = [self.as_(stolen, "GET", "/v1/objects/revoking/a", node=n) for n in nodes]
        self.assertEqual([r[0] for r in refused], [401] * 4)
        self.assertTrue(all(b"was revoked" in r[2] for r in refused), refused)
        self.assertIn("t-", self.cluster.run("auth", "show", "--revoked")[1])
        for node in nodes:
            node.kill()
        self.cluster.start()
        self.assertEqual([self.as_(stolen, "GET", "/v1/objects/revoking/a", node=n)[0] for n in nodes], [401] * 4)

    def test_results_that_belong_elsewhere_arrive(self):
        self.cluster.create_bucket("moving")
        for i in range(60):
            self.cluster.put("moving", f"o{i}.txt", b"x" * (i * 3000))
        # The key of placement is the name without its extension: a prefix moves it.
        request = {"operation": "copy", "source": "ais://moving", "destination": "ais://moved", "prepend": "elsewhere/"}
        job = self.cluster.call("POST", "/v1/jobs", request)["id"]
        document = self.cluster.wait_job(job)
        self.assertEqual(document["state"], "completed", document)
        self.assertEqual(len(self.cluster.list("moved")), 60)
        self.assertEqual(self.cluster.read("moved", "elsewhere/o59.txt"), b"x" * 59 * 3000)
        status, out, said = self.cluster.run("job", "verify", job)
        self.assertEqual(status, 0, out + said)

    def test_changes_are_written_down_with_who_made_them(self):
        alice = self.keys.issue("write:noted", subject="the-noted-alice")
        self.assertEqual(self.as_(alice, "POST", "/v1/buckets/noted", {"action": "create-bck"})[0], 200)
        self.assertEqual(self.run_as(alice, "put", "-", "ais://noted/a", stdin=b"x")[0], 0)
        self.assertEqual(self.as_(alice, "POST", "/v1/buckets/not-hers", {"action": "create-bck"})[0], 403)
        files = [node.dir / "audit.log" for node in self.cluster.nodes]
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        mine = [(l["method"], l["path"], l["what"], l["status"]) for l in lines if l["who"] == "the-noted-alice"]
        self.assertIn(("POST", "/v1/buckets/noted", "create-bck", 200), mine)
        self.assertIn(("PUT", "/v1/objects/noted/a", "", 200), mine)
        self.assertTrue(all(l["from"].startswith("127.0.0.1:") for l in lines))
        for file in files:
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
            self.assertNotIn(alice, file.read_text())
        for node in self.cluster.nodes:
            self.assertNotIn(alice, node.log.read_text())


class AtTheStart(unittest.TestCase):
    def test_with_tokens_a_node_listens_beyond_this_machine(self):
        keys = Keys(BINARY)
        self.addCleanup(shutil.rmtree, keys.folder)
        cluster = guarded_cluster(BINARY, keys, targets=1, host="0.0.0.0", advertise="127.0.0.1")
        self.addCleanup(cluster.close)
        cluster.start()
        self.assertNotIn("not asked who they are", cluster.run("cluster", "show")[1])
        self.assertEqual(cluster.request("GET", "/v1/jobs", headers={"Authorization": ""})[0], 401)

    def test_a_target_that_asks_nobody_does_not_join_a_cluster_that_does(self):
        keys = Keys(BINARY)
        self.addCleanup(shutil.rmtree, keys.folder)
        cluster = guarded_cluster(BINARY, keys, targets=2)
        self.addCleanup(cluster.close)
        odd = cluster.targets.pop()
        odd.configure({"id": odd.name, "proxy": f"file:{cluster.proxy.dir}/control_endpoint"})
        cluster.start()
        odd.start()
        self.addCleanup(odd.stop)
        wait_for("it to be refused", lambda: "auth_key" in cluster.run("cluster", "show")[1])

    def test_a_key_is_exchanged_without_a_restart(self):
        old, new = Keys(BINARY), Keys(BINARY)
        self.addCleanup(shutil.rmtree, old.folder)
        self.addCleanup(shutil.rmtree, new.folder)
        cluster = guarded_cluster(BINARY, old, targets=1)
        self.addCleanup(cluster.close)
        cluster.start()
        both = old.public.read_text() + new.public.read_text()
        fresh = {"Authorization": "Bearer " + new.issue("admin")}
        stale = {"Authorization": "Bearer " + old.issue("admin")}
        self.assertEqual(cluster.request("GET", "/v1/jobs", headers=fresh)[0], 401)
        old.public.write_text(both)
        for node in cluster.nodes:
            path = "/v1/jobs" if node is cluster.proxy else "/metrics"
            wait_for("the new key to be believed", lambda: cluster.request("GET", path, headers=fresh, node=node)[0] == 200)
            self.assertEqual(cluster.request("GET", path, headers=stale, node=node)[0], 200)
        old.public.write_text(new.public.read_text())
        for node in cluster.nodes:
            path = "/v1/jobs" if node is cluster.proxy else "/metrics"
            wait_for("the old key to be forgotten", lambda: cluster.request("GET", path, headers=stale, node=node)[0] == 401)

    def test_a_key_that_is_none_is_said(self):
        cluster = Cluster(BINARY, targets=0, proxy_settings={"auth_key": "/nowhere/auth.pem"})
        self.addCleanup(cluster.close)
        done = subprocess.run([BINARY, "proxy", "--config", str(cluster.proxy.config)], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nowhere/auth.pem", done.stderr)


if __name__ == "__main__":
    unittest.main()
