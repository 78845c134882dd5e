"""Crashes at every named fault point: the node is killed there, started again, and the job must end as if nothing had been."""
import hashlib
import http.client
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, Cluster, Failed, Problem, wait_for  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
POINTS = [line for line in (HERE / "fault_points.txt").read_text().split("\n") if line and not line.startswith("#")]
POINTS = os.environ["MILLRACE_FAULT_POINTS"].split(",") if "MILLRACE_FAULT_POINTS" in os.environ else POINTS  # to try one
OBJECTS = 60
LARGE = 100_000  # beyond the threshold: these are files


def content(index, version):
    return (hashlib.sha256(f"{index}/{version}".encode()).digest() * (LARGE // 32 + 1))[: LARGE if index % 2 else 200]


def name(index):
    return f"d{index % 4}/object{index:03d}"


class FaultPoints(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BINARY, targets=2, target_settings={"checkpoint_interval": "20ms", "window_objects_max": 16})
        self.addCleanup(self.cluster.close)
        self.cluster.start()
        self.cluster.create_bucket("src")
        for index in range(OBJECTS):
            self.cluster.put("src", name(index), content(index, 0))
        self.cluster.add_filter("identity", "cat")
        # Outputs of an earlier job, so that this one overwrites.
        self.assertEqual(self.cluster.wait_job(self.cluster.submit("identity", "src", "dst"))["state"], "completed")
        self.version = 0

    def new_contents(self):
        """Other contents than ever before, so that an output of an earlier job cannot pass for this one's."""
        self.version += 1
        for index in range(OBJECTS):
            self.cluster.put("src", name(index), content(index, self.version))

    def restart(self, node, fault=None):
        if node.process is not None:
            node.kill()
        node.start(fault=fault)

    def check_everything(self, job):
        document = self.cluster.wait_job(job)
        counts = document["objects"]
        self.assertEqual((document["state"], counts["done"], counts["total"], counts["failed"]), ("completed", OBJECTS, OBJECTS, 0), document)
        self.cluster.wait_ready()
        self.assertEqual(self.cluster.list("dst"), sorted(name(i) for i in range(OBJECTS)))
        for index in range(OBJECTS):
            self.assertEqual(self.cluster.read("dst", name(index), "&verify=true"), content(index, self.version))
        # Nothing is left over: as many files as large objects, once replaced ones were removed.
        for target in self.cluster.targets:
            target.stop()
            target.start()
        self.cluster.wait_ready()
        wait_for("replaced files to be gone", lambda: self.files() == OBJECTS, 30)

    def files(self):
        """Large objects of src and dst that lie on disk."""
        return sum(1 for t in self.cluster.targets for p in t.dir.rglob("*") if p.is_file() and p.stat().st_size == LARGE)

    def test_every_point_is_survived(self):
        for point in POINTS:
            for count in (1, 7):
                with self.subTest(point=point, count=count):
                    self.new_contents()
                    self.survive(point, count)

    def survive(self, point, count):
        node = self.cluster.proxy if point.startswith("metadata.") else self.cluster.targets[0]
        known = {job["id"] for job in self.cluster.get("/v1/jobs")}
        self.restart(node, f"{point}:{count}:kill")
        job = self.submit_somehow(node)
        self.wait_for_end(node, job)
        self.restart(node)  # disarmed, whether it died or came through
        self.cluster.wait_ready()
        if job is None:  # no answer: either it was written down, or it never was
            fresh = [document["id"] for document in self.cluster.get("/v1/jobs") if document["id"] not in known]
            job = fresh[0] if fresh else self.cluster.submit("identity", "src", "dst")
        self.check_everything(job)

    def submit_somehow(self, node):
        """The job, or None when the node died before the answer."""
        def ready_or_dead():
            try:
                return not node.alive() or self.cluster.is_ready()
            except Failed:  # it died while it was asked
                return not node.alive()
        try:
            wait_for("the cluster or the crash", ready_or_dead)
            return self.cluster.submit("identity", "src", "dst")
        except (OSError, http.client.HTTPException, Problem):
            return None

    def wait_for_end(self, node, job):
        def over():
            if not node.alive():
                return True
            try:
                return job is not None and self.cluster.job(job)["state"] == "completed"
            except (OSError, http.client.HTTPException, Problem):
                return False
        wait_for("the crash, or the end of the job", over)

    def test_an_error_at_a_write_stalls_and_heals(self):
        for point in ("kv.before_write", "slice.before_checkpoint", "store.before_rename", "store.before_index", "slice.before_order"):
            for action in ("no_space", "io"):
                with self.subTest(point=point, action=action):
                    self.new_contents()
                    target = self.cluster.targets[0]
                    self.restart(target, f"{point}:20:{action}")
                    self.cluster.wait_ready()
                    job = self.cluster.submit("identity", "src", "dst")
                    wait_for("the end or a stall", lambda: self.cluster.job(job)["state"] == "completed" or
                             any(s["state"] in ("stalled", "unknown", "preparing") for s in self.cluster.job(job)["slices"]))
                    self.assertEqual(self.cluster.job(job)["objects"]["failed"], 0)
                    self.restart(target)
                    self.cluster.wait_ready()
                    self.check_everything(job)


if __name__ == "__main__":
    unittest.main()
