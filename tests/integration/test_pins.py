"""Jobs keep to the buckets, transforms and objects that they were submitted with."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import ClusterCase, wait_for  # noqa: E402

NAMES = [f"{i:03d}" for i in range(60)]


class Pins(ClusterCase):
    targets = 2

    def fill(self, bucket, names=NAMES):
        self.cluster.create_bucket(bucket)
        for name in names:
            self.cluster.put(bucket, name, f"{name}\n".encode())

    def gated(self, name, mark):
        """A transform that marks each result, and stops after some objects until its gate is opened."""
        gate = self.cluster.folder / f"{name}-gate"
        command = f"case $MILLRACE_OBJECT in *[2-9]?) while ! test -e {gate}; do sleep 0.02; done;; esac; sed s/^/{mark}/"
        self.cluster.add_filter(name, command, obj_timeout="60s")
        return gate

    def cut_off(self, job, gate, least=5):
        """Cancels the job when some of it is done."""
        wait_for("some objects", lambda: self.cluster.job(job)["objects"]["done"] >= least)
        self.cluster.command(job, "cancel")
        gate.touch()
        wait_for("its slices to stop", lambda: all(s["state"] == "stopped" for s in self.cluster.job(job)["slices"]))
        return self.cluster.job(job)["objects"]["done"]

    def destroy(self, bucket):
        self.cluster.call("DELETE", f"/v1/buckets/{bucket}", {"action": "destroy-bck"})

    def move(self, old, new):
        code, _, answer = self.cluster.request("POST", f"/v1/buckets/{old}?bck_to=ais%2F%40%23%2F{new}%2F", b'{"action":"move-bck"}')
        self.assertEqual(code, 200, answer)

    def test_another_destination_is_refused_or_taken_for_the_rest(self):
        self.fill("dst-src")
        gate = self.gated("dst-mark", "A:")
        for change in ("destroy", "move"):
            gate.unlink(missing_ok=True)
            job = self.cluster.submit("dst-mark", "dst-src", "dst-dst", num_workers=1)
            done = self.cut_off(job, gate)
            self.destroy("dst-dst") if change == "destroy" else self.move("dst-dst", "dst-kept")
            self.assertIn("ais://dst-dst", self.assert_problem(409, "conflict", self.cluster.command, job, "resume"))
            self.cluster.create_bucket("dst-dst")
            for verb in ("resume", "retry"):
                self.assertIn("--with-current", self.assert_problem(409, "conflict", self.cluster.command, job, verb))
            status, _, said = self.cluster.run("job", "resume", job)
            self.assertNotEqual(status, 0)
            self.assertIn("ais://dst-dst", said)
            status, _, said = self.cluster.run("job", "resume", job, "--with-current")
            self.assertEqual(status, 0, said)
            document = self.cluster.wait_job(job)
            self.assertEqual((document["state"], document["objects"]["done"]), ("completed", len(NAMES)))
            self.assertEqual(len(self.cluster.list("dst-dst")), len(NAMES) - done)
            uids = [(p["from_epoch"], p["destination_uid"]) for p in document["pins"]]
            self.assertEqual([epoch for epoch, _ in uids], [1, 2])
            self.assertNotEqual(uids[0][1], uids[1][1])
            self.assertIn(uids[0][1], self.cluster.run("job", "report", job)[1])
            self.destroy("dst-dst")

    def test_another_transform_is_refused_or_taken_for_the_rest(self):
        self.fill("etl-src")
        gate = self.gated("etl-mark", "A:")
        job = self.cluster.submit("etl-mark", "etl-src", "etl-dst", num_workers=1)
        done = self.cut_off(job, gate)
        self.cluster.call("DELETE", "/v1/transforms/etl-mark")
        self.assertIn("not registered", self.assert_problem(409, "conflict", self.cluster.command, job, "resume"))
        self.cluster.add_filter("etl-mark", "sed s/^/B:/")
        self.assertIn("digest", self.assert_problem(409, "conflict", self.cluster.command, job, "resume"))
        self.cluster.call("POST", f"/v1/jobs/{job}/resume?with_current=true")
        document = self.cluster.wait_job(job)
        self.assertEqual(document["state"], "completed")
        marks = [self.cluster.read("etl-dst", n)[:1] for n in NAMES]
        self.assertEqual((marks.count(b"A"), marks.count(b"B")), (done, len(NAMES) - done))
        digests = [p["transforms"][0]["digest"] for p in document["pins"]]
        self.assertEqual(len(set(digests)), 2)

    def test_a_retry_is_not_put_into_another_bucket(self):
        self.fill("re-src", NAMES[:10])
        self.cluster.add_filter("re-fail", "case $MILLRACE_OBJECT in *3) exit 1;; esac; cat")
        job = self.cluster.submit("re-fail", "re-src", "re-dst")
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed_with_errors")
        self.destroy("re-dst")
        self.cluster.create_bucket("re-dst")
        self.assert_problem(409, "conflict", self.cluster.command, job, "retry")
        self.assertEqual(self.cluster.list("re-dst"), [])
        self.destroy("re-src")
        self.fill("re-src", NAMES[:10])
        self.cluster.call("DELETE", "/v1/transforms/re-fail")
        self.cluster.add_filter("re-fail", "case $MILLRACE_OBJECT in *3) exit 1;; esac; cat")
        detail = self.assert_problem(409, "conflict", self.cluster.call, "POST", f"/v1/jobs/{job}/retry?with_current=true")
        self.assertIn("submit a new job", detail)
        self.assertEqual(self.cluster.job(job)["state"], "completed_with_errors")

    def test_what_is_stored_after_the_submit_is_not_part_of_any_selection(self):
        names = [f"o{i:02d}" for i in range(12)]
        self.fill("late-src", names)
        gate = self.cluster.folder / "late-gate"
        self.cluster.add_filter("late-cat", f"while ! test -e {gate}; do sleep 0.02; done; cat", obj_timeout="60s")
        jobs = {key: self.cluster.submit("late-cat", "late-src", f"late-{key}", num_workers=1, **selection) for key, selection in
                (("all", {}), ("prefix", {"prefix": "o"}), ("template", {"template": "o{00..11}"}), ("objects", {"objects": [*names, "never", "later"]}))}
        self.cluster.put("late-src", "later", b"later")
        for name in names[6:]:
            self.assertEqual(self.cluster.request("DELETE", self.cluster.object_path("late-src", name))[0], 200)
            self.cluster.put("late-src", name, b"again")
        self.cluster.put("late-src", names[5], b"overwritten")
        gate.touch()
        for key, job in jobs.items():
            document = self.cluster.wait_job(job)
            made = self.cluster.list(f"late-{key}")
            self.assertEqual(len(made), document["objects"]["done"], key)
            for name in made:  # an object that was being read when it went was part of the job
                self.assertNotEqual(self.cluster.read(f"late-{key}", name), b"again", (key, name))
            self.assertNotIn("later", made)
            self.assertLessEqual(set(names[:6]), set(made), key)
            if key == "objects":
                codes = {r["object"]: r["code"] for r in self.cluster.errors(job)}
                self.assertEqual((codes["ais://late-src/never"], codes["ais://late-src/later"]), ("not_found", "not_found"))
        again = self.cluster.call("POST", f"/v1/jobs/{jobs['objects']}/retry")
        self.assertEqual(self.cluster.wait_job(again["id"])["state"], "completed_with_errors")
        self.assertNotIn("later", self.cluster.list("late-objects"))


if __name__ == "__main__":
    unittest.main()
