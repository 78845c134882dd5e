"""Folders that are restored from older copies, empty, or started twice: noticed, named, and accepted when the newest is lost."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, Cluster, Problem, wait_for  # noqa: E402
from cluster import Node  # noqa: E402

OBJECTS = 90


class Copies(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BINARY, targets=2)
        self.addCleanup(self.cluster.close)
        self.cluster.start()
        self.cluster.create_bucket("in")
        for number in range(OBJECTS):
            self.cluster.put("in", f"o{number:03d}", b"content %d" % number)
        self.cluster.add_filter("slow-cat", "sleep 0.05; cat")

    def tearDown(self):
        if any(error for _, error in getattr(self._outcome, "errors", []) or []) or getattr(self._outcome.result, "failures", None):
            self.cluster.print_logs()

    # ---- helpers

    def snapshot(self, node):
        node.stop()
        shutil.copytree(node.dir, str(node.dir) + ".old")
        node.start()
        self.cluster.wait_ready()

    def restore(self, node):
        shutil.rmtree(node.dir)
        shutil.move(str(node.dir) + ".old", node.dir)

    def problems(self):
        return self.cluster.get("/v1/cluster")["problems"]

    def health(self, node=None):
        try:
            status, _, body = self.cluster.request("GET", "/health", node=node)
        except (OSError, http.client.HTTPException, AttributeError):
            return 0, {}
        return status, json.loads(body)

    def list_once_known(self, bucket):
        """A target that was accepted just now may not know the bucket yet."""
        def names():
            try:
                return [self.cluster.list(bucket)]
            except Problem as problem:
                if problem.status != 503:
                    raise
                return None
        return wait_for(f"bucket {bucket} to be known everywhere", names)[0]

    def wait_for_problem(self, *words):
        return wait_for(f"a problem with {words}", lambda: next((p for p in self.problems() if all(w in p for w in words)), None))

    def start_job(self, at_least, destination="out"):
        job = self.cluster.submit("slow-cat", "in", destination, num_workers=2)
        wait_for("some progress", lambda: self.cluster.job(job)["objects"]["done"] >= at_least)
        return job

    # ---- targets

    def test_a_target_from_an_older_copy_waits_and_goes_on_once_accepted(self):
        target = self.cluster.targets[0]
        self.snapshot(target)
        job = self.start_job(20)
        target.kill()
        self.restore(target)
        target.start()
        problem = self.wait_for_problem("t1", "older copy")
        self.assertIn("millrace cluster accept t1", problem)
        self.assertIn(problem, self.health()[1]["problems"])
        status, document = wait_for("the target's own health", lambda: (h := self.health(target))[0] == 503 and "older copy" in h[1]["reason"] and h)
        shown = self.cluster.run("cluster", "show")[1]
        self.assertIn("older copy", shown)
        self.assertEqual(self.cluster.job(job)["state"], "running")
        status, out, err = self.cluster.run("cluster", "accept", "t1")
        self.assertEqual((status, err), (0, ""), out)
        self.cluster.wait_ready()
        ended = self.cluster.wait_job(job)
        self.assertEqual((ended["state"], ended["reason"], ended["objects"]["done"]), ("completed", "", OBJECTS))
        self.assertEqual(len(self.cluster.list("out")), OBJECTS)
        self.assertEqual(self.problems(), [])
        target.kill()
        target.start()
        self.cluster.wait_ready()

    def test_a_copy_of_the_running_folder_is_noticed_too(self):
        target = self.cluster.targets[0]
        self.cluster.add_filter("slower-cat", "sleep 0.3; cat")
        job = self.cluster.submit("slower-cat", "in", "out", num_workers=1)
        wait_for("some progress", lambda: self.cluster.job(job)["objects"]["done"] >= 2)
        # RocksDB's files are only appended to, so what was copied while the process is stopped is what a file system's snapshot holds.
        os.kill(target.process.pid, signal.SIGSTOP)
        shutil.copytree(target.dir, str(target.dir) + ".old")
        os.kill(target.process.pid, signal.SIGCONT)
        def done_here():
            return next(part["objects"]["done"] for part in self.cluster.job(job)["slices"] if part["target"] == target.name)
        for _ in range(2):  # of what comes before the second checkpoint a heartbeat has told
            before = done_here()
            wait_for("more progress", lambda: done_here() > before)
        target.kill()
        self.restore(target)
        target.start()
        self.wait_for_problem("t1", "older copy")
        self.assertEqual(self.cluster.run("cluster", "accept", "t1")[0], 0)
        ended = self.cluster.wait_job(job)
        self.assertEqual((ended["state"], ended["reason"], ended["objects"]["done"]), ("completed", "", OBJECTS))

    def test_an_empty_folder_under_the_id_of_a_member_is_named_and_what_is_missing_is_counted(self):
        target = self.cluster.targets[0]
        job = self.start_job(10)
        total = self.cluster.job(job)["objects"]["total"]
        target.kill()
        shutil.rmtree(target.dir)
        target.start()
        self.wait_for_problem("t1", "another folder")
        self.assertEqual(self.cluster.run("cluster", "accept", "t1")[0], 0)
        ended = self.cluster.wait_job(job)
        self.assertEqual(total, OBJECTS)
        self.assertEqual(ended["state"], "completed_with_errors")
        self.assertIn("not there any more", ended["reason"])
        self.cluster.wait_ready()
        self.cluster.create_bucket("later")

    def test_a_completed_job_whose_results_are_gone_says_so_and_is_resumed(self):
        target = self.cluster.targets[0]
        self.snapshot(target)
        job = self.cluster.submit("slow-cat", "in", "out")
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed")
        target.stop()
        self.restore(target)
        target.start()
        self.wait_for_problem("t1", "older copy")
        self.assertEqual(self.cluster.run("cluster", "accept", "t1")[0], 0)
        failed = wait_for("the job to say so", lambda: (j := self.cluster.job(job))["state"] == "failed" and j)
        self.assertIn("resume", failed["reason"])
        self.cluster.wait_ready()
        self.assertLess(len(self.list_once_known("out")), OBJECTS)
        self.cluster.command(job, "resume")
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed")
        self.assertEqual(len(self.cluster.list("out")), OBJECTS)

    def test_the_newest_folder_brought_back_needs_no_word(self):
        target = self.cluster.targets[0]
        self.snapshot(target)
        job = self.start_job(10)
        target.kill()
        newest = str(target.dir) + ".newest"
        shutil.move(target.dir, newest)
        shutil.move(str(target.dir) + ".old", target.dir)
        target.start()
        self.wait_for_problem("t1", "older copy")
        with self.assertRaises(Problem):
            for number in range(20):  # half of them belong there
                self.cluster.put("in", f"new{number}", b"x")
        target.stop()
        shutil.rmtree(target.dir)
        shutil.move(newest, target.dir)
        target.start()
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed")
        wait_for("no problems", lambda: self.problems() == [])

    def test_of_two_targets_with_one_identity_the_first_stays(self):
        target = self.cluster.targets[0]
        shutil.copytree(target.dir, self.cluster.folder / "twin")
        twin = Node(self.cluster.binary, "target", "twin", self.cluster.folder, {"id": "t1", "proxy": f"file:{self.cluster.proxy.dir}/control_endpoint"})
        twin.start()
        self.addCleanup(twin.kill)
        self.wait_for_problem("t1")
        job = self.cluster.submit("slow-cat", "in", "out")
        ended = self.cluster.wait_job(job)
        self.assertEqual((ended["state"], ended["objects"]["done"]), ("completed", OBJECTS))
        endpoint = next(t["endpoint"] for t in self.cluster.get("/v1/cluster")["targets"] if t["id"] == "t1")
        self.assertEqual(endpoint, f"http://{target.endpoint()}")
        self.assertEqual(wait_for("the twin to be refused", lambda: self.health(twin)[0]), 503)

    def test_a_target_of_another_cluster_is_named(self):
        other = Cluster(BINARY, targets=1)
        self.addCleanup(other.close)
        other.start()
        other.targets[0].stop()
        settings = {"id": "t1", "proxy": f"file:{self.cluster.proxy.dir}/control_endpoint"}
        self.cluster.targets[0].stop()
        other.targets[0].configure(settings)
        other.targets[0].start()
        self.wait_for_problem("belongs to cluster")

    # ---- the proxy

    def test_a_proxy_from_an_older_copy_says_so_and_leads_once_accepted(self):
        self.snapshot(self.cluster.proxy)
        self.cluster.create_bucket("newer")
        self.cluster.put("newer", "o", b"kept")
        job = self.start_job(10)
        self.cluster.proxy.kill()
        self.restore(self.cluster.proxy)
        self.cluster.proxy.start()
        wait_for("the proxy to say so", lambda: (h := self.health())[0] == 503 and "older copy" in h[1].get("reason", ""))
        proxy_id = self.cluster.get("/v1/cluster")["proxy_id"]
        with self.assertRaises(Problem) as refused:
            self.cluster.create_bucket("refused")
        self.assertIn(f"millrace cluster accept {proxy_id}", refused.exception.document["detail"])
        status, out, err = self.cluster.run("cluster", "accept", proxy_id)
        self.assertEqual((status, err), (0, ""), out)
        self.cluster.wait_ready()
        self.assertEqual(self.cluster.read("newer", "o"), b"kept")
        self.cluster.create_bucket("after")
        self.cluster.put("after", "o", b"x")
        self.assert_gone(job)
        again = self.cluster.submit("slow-cat", "in", "again")
        self.assertEqual(self.cluster.wait_job(again)["objects"]["done"], OBJECTS)
        self.cluster.proxy.kill()
        self.cluster.proxy.start()
        self.cluster.wait_ready()

    def assert_gone(self, job):
        with self.assertRaises(Problem) as gone:
            self.cluster.job(job)
        self.assertEqual(gone.exception.status, 404)
        wait_for("targets to forget the job", lambda: all(t["running_slices"] == 0 for t in self.cluster.get("/v1/cluster")["targets"]))

    def test_a_job_that_both_know_goes_on_after_the_proxy_was_accepted(self):
        job = self.start_job(5)
        self.cluster.command(job, "pause")
        self.snapshot(self.cluster.proxy)
        self.cluster.command(job, "resume")
        self.cluster.command(job, "cancel")
        self.cluster.proxy.kill()
        self.restore(self.cluster.proxy)
        self.cluster.proxy.start()
        wait_for("the proxy to say so", lambda: self.health()[0] == 503 and "older copy" in self.health()[1].get("reason", ""))
        self.assertEqual(self.cluster.run("cluster", "accept", "proxy")[0], 0)
        self.cluster.wait_ready()
        self.assertEqual(self.cluster.job(job)["state"], "paused", "as it was in the copy")
        self.cluster.command(job, "resume")
        ended = self.cluster.wait_job(job)
        self.assertEqual((ended["state"], ended["objects"]["done"]), ("completed", OBJECTS))


class Catalog(unittest.TestCase):
    def test_limits_are_those_of_the_targets(self):
        with Cluster(BINARY, targets=2) as cluster:
            with self.assertRaises(Problem) as refused:
                cluster.create_bucket("huge", small_object_max=8 << 20)
            self.assertEqual(refused.exception.status, 400)
            cluster.create_bucket("large", small_object_max=4 << 20)
            cluster.put("large", "o", b"x")
            self.assertEqual(cluster.read("large", "o"), b"x")

    def test_old_jobs_are_removed_together(self):
        with Cluster(BINARY, targets=1) as cluster:
            cluster.create_bucket("in")
            job = cluster.call("POST", "/v1/jobs", {"operation": "copy", "source": "ais://in", "destination": "ais://out"})["id"]
            cluster.wait_job(job)
            self.assertEqual(cluster.run("job", "rm", "--older-than", "7d")[:2], (0, "removed 0 jobs; their outputs stay\n"))
            self.assertEqual(cluster.run("job", "rm", "--older-than", "0")[:2], (0, "removed 1 jobs; their outputs stay\n"))
            self.assertEqual(cluster.get("/v1/jobs"), [])


if __name__ == "__main__":
    unittest.main()
