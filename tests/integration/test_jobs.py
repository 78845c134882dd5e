"""Jobs from submit to report: selection, renaming, failures, retry, policies, commands."""
import gzip
import json
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import SUPPORT, ClusterCase, wait_for  # noqa: E402


class Jobs(ClusterCase):
    def fill(self, bucket, names):
        self.cluster.create_bucket(bucket)
        for name in names:
            self.cluster.put(bucket, name, f"content of {name}\n".encode())

    def test_an_extension_map_renames_and_moves_no_bytes(self):
        names = [f"d{i % 3}/clip{i}.txt" for i in range(60)] + [".hidden.txt", "d/.x.txt", "noext"]
        self.fill("ext-src", names)
        self.cluster.add_filter("ext-gzip", "gzip -n")
        before = self.cluster.metric("millrace_moved_bytes_total")
        job = self.cluster.submit("ext-gzip", "ext-src", "ext-dst", ext={"txt": "gz"})
        document = self.cluster.wait_job(job)
        self.assertEqual((document["state"], document["objects"]["done"], document["bytes"]["moved"]), ("completed", len(names), 0))
        self.assertEqual(self.cluster.metric("millrace_moved_bytes_total"), before)
        expected = sorted(n[:-3] + "gz" if n.endswith(".txt") else n for n in names)
        self.assertEqual(self.cluster.list("ext-dst"), expected)
        for name in names:
            output = name[:-3] + "gz" if name.endswith(".txt") else name
            self.assertEqual(gzip.decompress(self.cluster.read("ext-dst", output)), f"content of {name}\n".encode())

    def test_prepend_moves_outputs_to_their_owners_durably(self):
        names = [f"o{i}" for i in range(80)]
        self.fill("pre-src", names)
        self.cluster.add_filter("pre-upper", "tr a-z A-Z")
        job = self.cluster.submit("pre-upper", "pre-src", "pre-dst", prepend="out/")
        document = self.cluster.wait_job(job)
        self.assertEqual(document["state"], "completed")
        self.assertGreater(document["bytes"]["moved"], 0)
        self.assertEqual(self.cluster.list("pre-dst"), sorted("out/" + n for n in names))
        for name in names:
            self.assertEqual(self.cluster.read("pre-dst", "out/" + name), f"CONTENT OF {name.upper()}\n".encode())

    def test_colliding_names_are_refused_before_anything_runs(self):
        self.fill("col-src", ["a/x.jpg", "a/x.jpeg", "b.png"])
        self.cluster.add_filter("col-cat", "cat")
        job = self.cluster.submit("col-cat", "col-src", "col-dst", ext={"jpg": "png", "jpeg": "png"})
        document = self.cluster.wait_job(job)
        self.assertEqual(document["state"], "failed")
        self.assertIn("'a/x.jpeg' and 'a/x.jpg' would both become 'a/x.png'", document["reason"])
        self.assertEqual(self.cluster.list("col-dst"), [])

    def test_extensions_in_any_case_put_on_and_taken_off(self):
        self.fill("case-src", ["IMG_1.JPG", "a.Jpg", "b.jpg", "c.jpeg", "notes"])
        self.cluster.add_filter("case-cat", "cat")
        document = self.cluster.wait_job(self.cluster.submit("case-cat", "case-src", "case-dst", ext={"jpg": "png"}, ext_any_case=True))
        self.assertEqual((document["state"], document["objects"]["unmapped"]), ("completed", 2))
        self.assertEqual(self.cluster.list("case-dst"), ["IMG_1.png", "a.png", "b.png", "c.jpeg", "notes"])
        plan = self.cluster.wait_job(self.cluster.submit("case-cat", "case-src", "case-plan", ext={"jpg": "png"}, dry_run="plan"))
        self.assertEqual(plan["objects"]["unmapped"], 4)
        status, _, err = self.cluster.run("job", "wait", plan["id"])
        self.assertEqual(status, 0)
        self.assertIn("4 of 5 names have none of the old extensions", err)
        self.assertEqual(self.cluster.wait_job(self.cluster.submit("case-cat", "case-src", "case-gz", ext={"": "gz"}))["state"], "completed")
        self.assertEqual(self.cluster.wait_job(self.cluster.submit("case-cat", "case-gz", "case-back", ext={"gz": ""}))["state"], "completed")
        self.assertEqual(self.cluster.list("case-back"), self.cluster.list("case-src"))

    def test_names_that_differ_in_case_only_collide(self):
        self.fill("twice-src", ["x.JPG", "x.jpG", "y.jpg"])
        self.cluster.add_filter("twice-cat", "cat")
        for selection in ({}, {"objects": ["x.JPG", "x.jpG", "y.jpg"]}):
            job = self.cluster.submit("twice-cat", "twice-src", "twice-dst", ext={"jpg": "png"}, ext_any_case=True, **selection)
            document = self.cluster.wait_job(job)
            self.assertEqual(document["state"], "failed")
            self.assertIn("'x.JPG' and 'x.jpG' would both become 'x.png'", document["reason"])
        self.assertEqual(self.cluster.list("twice-dst"), [])

    def test_results_with_nothing_in_them_are_counted_or_refused(self):
        self.fill("void-src", ["a", "b", "c"])
        self.cluster.put("void-src", "empty", b"")
        self.cluster.add_filter("void-it", "case $MILLRACE_OBJECT in a) cat > /dev/null;; *) cat;; esac")
        document = self.cluster.wait_job(self.cluster.submit("void-it", "void-src", "void-dst"))
        self.assertEqual((document["state"], document["objects"]["done"], document["objects"]["near_empty"]), ("completed", 4, 1))
        status, _, err = self.cluster.run("job", "wait", document["id"])
        self.assertEqual(status, 0)
        self.assertIn("1 result is empty", err)
        kept = self.cluster.wait_job(self.cluster.submit("void-it", "void-src", "void-kept", empty_output="keep"))
        self.assertEqual(kept["objects"]["near_empty"], 0)
        strict = self.cluster.wait_job(self.cluster.submit("void-it", "void-src", "void-strict", empty_output="fail"))
        self.assertEqual((strict["objects"]["done"], strict["objects"]["failed"]), (3, 1))
        self.assertIn("has 0 bytes, of an object of", self.cluster.errors(strict["id"])[0]["message"])
        self.assertEqual(self.cluster.list("void-strict"), ["b", "c", "empty"])

    def test_a_filter_may_ask_for_another_try(self):
        names = [f"n{i:02d}" for i in range(20)]
        self.fill("busy-src", names)
        seen = self.cluster.folder / "busy-seen"
        seen.mkdir()
        self.cluster.add_filter("busy-once", f"mkdir {seen}/$MILLRACE_OBJECT 2>/dev/null && {{ echo busy >&2; exit 75; }}; cat")
        document = self.cluster.wait_job(self.cluster.submit("busy-once", "busy-src", "busy-dst"))
        self.assertEqual((document["state"], document["objects"]["done"], document["attempts"]), ("completed", 20, 40))

    def test_loud_failures_come_in_pages_that_end(self):
        names = [f"n{i:03d}" for i in range(15)]
        self.fill("loud-src", names)
        self.cluster.add_transform({"name": "loud-one", "cmd": "head -c 1000000 /dev/zero | tr '\\0' '\\1' >&2; exit 3", "stderr_max": "1MiB"})
        job = self.cluster.submit("loud-one", "loud-src", "loud-dst")
        self.assertEqual(self.cluster.wait_job(job)["objects"]["failed"], 15)
        status, out, err = self.cluster.run("job", "errors", job, "-o", "json")
        self.assertEqual(status, 0, err)
        self.assertEqual(sorted(row["object"] for row in json.loads(out)), [f"ais://loud-src/{n}" for n in names])
        self.assertEqual(err, "")

    def test_the_guilty_are_in_the_ledger_and_a_retry_touches_only_them(self):
        names = [f"item{i:03d}" for i in range(100)]
        self.fill("bad-src", names)
        guilty = [n for n in names if n.endswith("7")]
        flag = self.cluster.folder / "repaired"
        runs = self.cluster.folder / "bad-runs"
        self.cluster.add_filter("bad-some",
            f"echo $MILLRACE_OBJECT >> {runs}; case $MILLRACE_OBJECT in *7) test -e {flag} || {{ echo no sevens >&2; exit 3; }};; esac; cat")
        job = self.cluster.submit("bad-some", "bad-src", "bad-dst")
        document = self.cluster.wait_job(job)
        self.assertEqual((document["state"], document["objects"]["done"], document["objects"]["failed"]), ("completed_with_errors", 90, 10))
        rows = self.cluster.errors(job)
        self.assertEqual(sorted(r["object"] for r in rows), [f"ais://bad-src/{n}" for n in guilty])
        self.assertTrue(all(r["class"] == "failed" and r["code"] == "rejected" and "no sevens" in r["stderr"] and "3" in r["message"] for r in rows), rows[:1])
        status, out, err = self.cluster.run("job", "wait", job)
        self.assertEqual(status, 1)
        self.assertIn(f"millrace job retry {job}", err.strip().splitlines()[-1])
        flag.touch()
        runs.unlink()
        self.cluster.command(job, "retry")
        document = self.cluster.wait_job(job)
        self.assertEqual((document["state"], document["objects"]["done"], document["objects"]["failed"]), ("completed", 100, 0))
        self.assertEqual(sorted(runs.read_text().split()), guilty)
        self.assertEqual(self.cluster.errors(job), [])

    def test_a_server_that_aborts_loses_only_the_object_that_kills_it(self):
        names = [f"n{i:03d}" for i in range(120)]
        self.fill("kill-src", names)
        for name in ("n033", "n077"):
            self.cluster.put("kill-src", name, b"die")
        self.cluster.add_transform({"name": "kill-server", "command": ["python3", str(SUPPORT / "echo_server.py")], "init_timeout": "30s"})
        document = self.cluster.wait_job(self.cluster.submit("kill-server", "kill-src", "kill-dst"))
        rows = self.cluster.errors(document["id"])
        self.assertEqual(document["state"], "completed_with_errors", document)
        self.assertEqual(sorted((r["object"], r["class"], r["code"]) for r in rows),
                         [("ais://kill-src/n033", "quarantined", "crashed"), ("ais://kill-src/n077", "quarantined", "crashed")])
        self.assertEqual(self.cluster.list("kill-dst"), [n for n in names if n not in ("n033", "n077")])

    def test_selections_take_what_they_say(self):
        names = [f"s/{i:03d}.dat" for i in range(30)] + ["other"]
        self.fill("sel-src", names)
        self.cluster.add_filter("sel-cat", "cat")
        for key, value, expected in (("prefix", "s/01", names[10:20]), ("objects", ["s/003.dat", "other", "s/003.dat"], ["other", "s/003.dat"]),
                                     ("template", "s/{005..009..2}.dat", ["s/005.dat", "s/007.dat", "s/009.dat"])):
            job = self.cluster.submit("sel-cat", "sel-src", f"sel-{key}", **{key: value})
            self.assertEqual(self.cluster.wait_job(job)["state"], "completed")
            self.assertEqual(self.cluster.list(f"sel-{key}"), expected)
        document = self.cluster.wait_job(self.cluster.submit("sel-cat", "sel-src", "sel-missing", objects=["other", "gone"]))
        self.assertEqual((document["state"], document["objects"]["done"], document["objects"]["failed"]), ("completed_with_errors", 1, 1))
        self.assertEqual([r["code"] for r in self.cluster.errors(document["id"])], ["not_found"])

    def test_a_long_list_comes_in_parts(self):
        there = [f"there{i}" for i in range(9)]
        self.fill("long-src", there)
        names = there + [f"{'away/' * 30}{i:06d}" for i in range(40_000)]  # some 6 MB, also of each target's share more than a message
        job = self.cluster.submit("", "long-src", "long-dst", operation="copy", objects=names, dry_run="plan")
        planned = self.cluster.wait_job(job)
        self.assertEqual((planned["state"], planned["objects"]["total"]), ("completed", len(names)), planned)
        self.assertEqual(planned["bytes"]["total"], sum(len(f"content of {name}\n") for name in there))
        self.assertEqual({s["objects"]["total"] > 0 for s in planned["slices"]}, {True})

    def test_a_list_that_is_too_long_is_refused(self):
        too_long = [f"{'x' * 1000}{i:06d}" for i in range(140_000)]
        detail = self.assert_problem(400, "invalid_argument", self.cluster.submit, "", "any", "other", operation="copy", objects=too_long)
        self.assertIn("128 MiB", detail)

    def test_overwrite_policies(self):
        self.fill("over-src", ["a", "b"])
        self.cluster.add_filter("over-cat", "cat")
        first = self.cluster.wait_job(self.cluster.submit("over-cat", "over-src", "over-dst"))
        self.assertEqual(first["objects"]["done"], 2)
        self.assertEqual(self.cluster.wait_job(self.cluster.submit("over-cat", "over-src", "over-dst", overwrite="never"))["objects"]["skipped"], 2)
        self.cluster.put("over-src", "b", b"new")
        changed = self.cluster.wait_job(self.cluster.submit("over-cat", "over-src", "over-dst", overwrite="changed"))["objects"]
        self.assertEqual((changed["done"], changed["skipped"]), (1, 1))
        self.assertEqual(self.cluster.read("over-dst", "b"), b"new")

    def test_dry_runs_write_nothing(self):
        self.fill("dry-src", ["a", "b", "c"])
        self.cluster.add_filter("dry-fail", "case $MILLRACE_OBJECT in b) exit 1;; esac; cat")
        document = self.cluster.wait_job(self.cluster.submit("dry-fail", "dry-src", "dry-dst", dry_run="plan"))
        self.assertEqual((document["state"], document["objects"]["total"], document["attempts"]), ("completed", 3, 0))
        document = self.cluster.wait_job(self.cluster.submit("dry-fail", "dry-src", "dry-dst", dry_run="run"))
        self.assertEqual((document["state"], document["objects"]["done"], document["objects"]["failed"]), ("completed_with_errors", 2, 1))
        self.assert_problem(404, "not_found", self.cluster.get, "/v1/buckets/dry-dst")

    def test_abort_policies_fail_the_job_and_resume_goes_on(self):
        self.fill("abort-src", [f"{i:03d}" for i in range(60)])
        flag = self.cluster.folder / "abort-repaired"
        self.cluster.add_filter("abort-all", f"test -e {flag} && cat")
        document = self.cluster.wait_job(self.cluster.submit("abort-all", "abort-src", "abort-dst", on_error="abort-after:5"))
        self.assertEqual(document["state"], "failed")
        self.assertIn("objects failed", document["reason"])
        flag.touch()
        self.cluster.command(document["id"], "retry")
        document = self.cluster.wait_job(document["id"])
        self.assertEqual((document["state"], document["objects"]["done"]), ("completed", 60))

    def test_pause_resume_cancel(self):
        self.fill("slow-src", [f"{i:03d}" for i in range(40)])
        gate = self.cluster.folder / "gate"
        self.cluster.add_filter("slow-cat", f"while ! test -e {gate}; do sleep 0.02; done; cat", obj_timeout="60s")
        job = self.cluster.submit("slow-cat", "slow-src", "slow-dst", num_workers=2)
        self.cluster.wait_job(job, ("running",))
        self.cluster.command(job, "pause")
        gate.touch()
        wait_for("slices to pause", lambda: all(s["state"] in ("paused", "finished") for s in self.cluster.job(job)["slices"]))
        paused = self.cluster.job(job)
        self.assertEqual(paused["state"], "paused")
        self.assertLess(paused["objects"]["done"], 40)
        self.cluster.command(job, "resume")
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed")
        self.assert_problem(409, "conflict", self.cluster.command, job, "cancel")

    def test_an_idempotency_key_submits_once(self):
        self.fill("idem-src", ["a"])
        self.cluster.add_filter("idem-cat", "cat")
        body = {"transform": "idem-cat", "source": "ais://idem-src", "destination": "ais://idem-dst"}
        first = self.cluster.call("POST", "/v1/jobs", body, {"Idempotency-Key": "k1"})["id"]
        self.assertEqual(self.cluster.call("POST", "/v1/jobs", body, {"Idempotency-Key": "k1"})["id"], first)
        self.assert_problem(409, "conflict", self.cluster.call, "POST", "/v1/jobs", {**body, "prefix": "z"}, {"Idempotency-Key": "k1"})

    def test_bad_requests_say_which_field(self):
        self.fill("req-src", ["a"])
        self.cluster.add_filter("req-cat", "cat")
        good = {"transform": "req-cat", "source": "ais://req-src", "destination": "ais://req-dst"}
        for change, word in (({"trnsform": "x"}, "did you mean 'transform'"), ({"attempts": 0}, "attempts"), ({"on_error": "explode"}, "on_error"),
                             ({"ext": {"a/b": "c"}}, "ext"), ({"object_timeout": "10 parsecs"}, "object_timeout"),
                                 ({"destination": "ais://req-src"}, "destination"),
                             ({"prefix": "a", "objects": ["a"]}, "prefix"), ({"source": "req src"}, "source")):
            detail = self.assert_problem(400, "invalid_argument", self.cluster.call, "POST", "/v1/jobs", {**good, **change})
            self.assertIn(word, detail)
        self.assert_problem(404, "not_found", self.cluster.call, "POST", "/v1/jobs", {**good, "transform": "no-such-one"})
        self.assert_problem(404, "not_found", self.cluster.call, "POST", "/v1/jobs", {**good, "source": "ais://no-such"})

    def test_a_removed_job_is_forgotten_and_its_outputs_stay(self):
        self.fill("rm-src", ["a"])
        self.cluster.add_filter("rm-cat-1", "cat")
        job = self.cluster.submit("rm-cat-1", "rm-src", "rm-dst")
        self.cluster.wait_job(job)
        self.cluster.call("DELETE", f"/v1/jobs/{job}")
        self.assert_problem(404, "not_found", self.cluster.job, job)
        self.assertEqual(self.cluster.list("rm-dst"), ["a"])

    def test_objects_created_after_submit_are_not_part_of_the_job(self):
        self.fill("fix-src", [f"m{i}" for i in range(10)])
        gate = self.cluster.folder / "fix-gate"
        self.cluster.add_filter("fix-cat", f"while ! test -e {gate}; do sleep 0.02; done; cat", obj_timeout="60s")
        job = self.cluster.submit("fix-cat", "fix-src", "fix-dst")
        self.cluster.wait_job(job, ("running",))
        for i in range(20):
            self.cluster.put("fix-src", f"z-late{i}", b"late")
        gate.touch()
        document = self.cluster.wait_job(job)
        self.assertEqual((document["objects"]["total"], document["objects"]["done"]), (10, 10))
        self.assertEqual(self.cluster.list("fix-dst"), [f"m{i}" for i in range(10)])

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to mount a small file system")
    def test_a_full_spool_is_no_object_s_fault(self):
        self.cluster.create_bucket("spooled", small_object_max=65_536)
        for i in range(12):
            self.cluster.put("spooled", f"o{i}", b"x" * 40_000)  # small enough to lie in the database, so its file is made for the transform
        self.cluster.add_transform({"name": "reads-files", "file_paths": True, "command": ["python3", str(SUPPORT / "echo_server.py")], "init_timeout": "30s"})
        folders = [str(target.dir / "spool") for target in self.cluster.targets]
        for folder in folders:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder], check=True)
            self.addCleanup(subprocess.run, ["umount", folder], check=False, stderr=subprocess.DEVNULL)
        job = self.cluster.submit("reads-files", "spooled", "spooled-out")
        wait_for("the job to stall", lambda: any(s["state"] == "stalled" and "space" in s["reason"] for s in self.cluster.job(job)["slices"]))
        self.assertEqual(self.cluster.job(job)["objects"]["failed"], 0)
        for folder in folders:
            subprocess.run(["umount", folder], check=True)
        document = self.cluster.wait_job(job)
        self.assertEqual((document["state"], document["objects"]["done"]), ("completed", 12), self.cluster.errors(job))


if __name__ == "__main__":
    unittest.main()
