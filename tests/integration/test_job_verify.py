"""What a finished job's results are held against: they are there, its own, and whole."""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import ClusterCase  # noqa: E402

NAMES = [f"part{i % 3}/object{i:02}" for i in range(30)]


class Verify(ClusterCase):
    def setUp(self):
        self.cluster.create_bucket(self.bucket("src"))
        for name in NAMES:
            self.cluster.put(self.bucket("src"), name, name.encode() * 2000)  # above what is kept in the database
        self.cluster.add_filter(self.bucket("upper"), "tr a-z A-Z")

    def bucket(self, what):
        return f"{what}-{self._testMethodName.replace('_', '-')}"[:32].strip("-")

    def run_job(self, **more):
        job = self.cluster.submit(self.bucket("upper"), self.bucket("src"), self.bucket("dst"), **more)
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed")
        return job

    def verify(self, job, *flags):
        """(exit status, {output: problem}, the last line)"""
        status, out, error = self.cluster.run("job", "verify", job, "-o", "json", *flags)
        rows = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(rows[-1]["kind"], "end", (status, out, error))
        return status, {row["output"] or row["object"]: row["problem"] for row in rows[:-1]}, rows[-1]

    def test_results_that_are_all_there(self):
        for more in ({}, {"prepend": "moved/"}):  # the second kind lies on other targets
            job = self.run_job(**more)
            for flags in ([], ["--contents"]):
                status, problems, end = self.verify(job, *flags)
                self.assertEqual((status, problems, end["checked"], end["complete"]), (0, {}, len(NAMES), True))

    def test_what_is_missing_replaced_or_damaged(self):
        for prepend in ("", "moved/"):
            job = self.run_job(prepend=prepend)
            outputs = [prepend + name for name in NAMES]
            there = self.bucket("dst")
            self.cluster.request("DELETE", self.cluster.object_path(there, outputs[0]))
            self.cluster.put(there, outputs[1], b"somebody else's")
            damaged = [file for target in self.cluster.targets for file in (target.dir / "objects" / there).rglob(pathlib.Path(outputs[2]).name)]
            damaged = [file for file in damaged if file.read_bytes() == outputs[2].removeprefix(prepend).upper().encode() * 2000]
            self.assertTrue(damaged)
            for file in damaged:
                content = bytearray(file.read_bytes())
                content[len(content) // 2] ^= 1
                file.write_bytes(content)
            expected = {f"ais://{there}/{outputs[0]}": "missing", f"ais://{there}/{outputs[1]}": "replaced"}
            status, problems, end = self.verify(job)
            self.assertEqual((status, problems, end["problems"]), (1, expected, 2))
            status, problems, end = self.verify(job, "--contents")
            self.assertEqual((status, problems), (1, expected | {f"ais://{there}/{outputs[2]}": "damaged"}))
            text = self.cluster.run("job", "verify", job)[1]
            self.assertIn(f"missing  ais://{there}/{outputs[0]}", text)
            self.assertIn(f"{len(NAMES)} results looked at, 2 not as they should be", text)
            self.cluster.call("DELETE", f"/v1/buckets/{there}", {"action": "destroy-bck"})

    def test_results_whose_sources_are_gone_are_counted_apart(self):
        job = self.run_job()
        for name in NAMES[:4]:
            self.cluster.request("DELETE", self.cluster.object_path(self.bucket("src"), name))
        status, problems, end = self.verify(job)
        self.assertEqual((status, problems, end["checked"], end["unseen"]), (0, {}, len(NAMES) - 4, 4))
        self.assertIn("4 results were not looked at", self.cluster.run("job", "verify", job)[2])

    def test_failed_objects_have_no_results_to_look_at(self):
        self.cluster.put(self.bucket("src"), "refused", b"refused")
        self.cluster.add_filter(self.bucket("picky"), 'case $MILLRACE_OBJECT in refused) exit 3;; esac; tr a-z A-Z')
        job = self.cluster.submit(self.bucket("picky"), self.bucket("src"), self.bucket("dst"))
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed_with_errors")
        status, problems, end = self.verify(job)
        self.assertEqual((status, problems, end["checked"]), (0, {}, len(NAMES)))

    def test_results_that_were_there_before_are_counted_apart(self):
        self.cluster.create_bucket(self.bucket("dst"))
        self.cluster.put(self.bucket("dst"), NAMES[0], b"from before")
        job = self.run_job(overwrite="never")
        status, problems, end = self.verify(job)
        self.assertEqual((status, problems, end["kept"]), (0, {}, 1))

    def test_a_deletion_that_somebody_undid(self):
        job = self.cluster.call("POST", "/v1/jobs", {"operation": "delete", "source": f"ais://{self.bucket('src')}", "prefix": "part0/"})["id"]
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed")
        self.assertEqual(self.verify(job)[:2], (0, {}))
        self.cluster.put(self.bucket("src"), NAMES[0], b"another object")  # is not one of those that the job took away
        self.assertEqual(self.verify(job)[:2], (0, {}))

    def test_jobs_without_results_to_look_at_say_so(self):
        job = self.cluster.submit(self.bucket("upper"), self.bucket("src"), self.bucket("dst"), dry_run="plan")
        self.cluster.wait_job(job)
        status, _, error = self.cluster.run("job", "verify", job)
        self.assertEqual(status, 2)
        self.assertIn("dry run", error)
        self.assertIn("does not exist", self.cluster.run("job", "verify", "job-nobody")[2])


if __name__ == "__main__":
    unittest.main()
