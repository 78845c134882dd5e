"""Jobs that copy and jobs that delete, targets killed in their middle; and buckets that get another name."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, Cluster, ClusterCase, Problem, wait_for  # noqa: E402

LARGE = 300_000  # more than a small object: a file


def content_of(name):
    return f"content of {name}\n".encode() * (LARGE // 20 if name.endswith("0.bin") else 1)


class Copying:
    """What both test classes do with self.cluster."""
    def fill(self, bucket, names):
        self.cluster.create_bucket(bucket)
        for name in names:
            self.cluster.put(bucket, name, content_of(name))

    def submit(self, operation, source, destination=None, **more):
        body = {"operation": operation, "source": f"ais://{source}", **more}
        if destination:
            body["destination"] = f"ais://{destination}"
        return self.cluster.call("POST", "/v1/jobs", body)["id"]

    def ends(self, operation, source, destination=None, **more):
        return self.cluster.wait_job(self.submit(operation, source, destination, **more))

    def move(self, old, new):
        code, _, answer = self.cluster.request("POST", f"/v1/buckets/{old}?bck_to=ais%2F%40%23%2F{new}%2F", b'{"action":"move-bck"}')
        self.assertEqual(code, 200, answer)

    def head(self, bucket, name):
        status, headers, _ = self.cluster.request("HEAD", self.cluster.object_path(bucket, name))
        self.assertEqual(status, 200)
        return headers


class CopyJobs(Copying, ClusterCase):
    def test_a_copy_keeps_content_and_checksum_and_says_where_it_is_from(self):
        names = [f"d{i % 3}/o{i:02d}.bin" for i in range(40)] + ["ends with 100% ? # ä"]
        self.fill("same-src", names)
        document = self.ends("copy", "same-src", "same-dst", kind="copy-bck")
        self.assertEqual((document["state"], document["operation"], document["transform"], document["kind"]), ("completed", "copy", "", "copy-bck"))
        self.assertEqual((document["objects"]["done"], document["bytes"]["moved"]), (len(names), 0))
        self.assertEqual(document["bytes"]["out"], sum(len(content_of(n)) for n in names))
        self.assertEqual(self.cluster.list("same-dst"), sorted(names))
        for name in names:
            self.assertEqual(self.cluster.read("same-dst", name, "&verify=true"), content_of(name))
            self.assertEqual(self.head("same-dst", name)["Ais-Checksum-Value"], self.head("same-src", name)["Ais-Checksum-Value"])
            self.assertTrue(self.head("same-dst", name)["Millrace-Source"].startswith("ais://same-src/"))

    def test_a_copy_that_shares_a_file_is_its_own_object(self):
        names = [f"o{i}0.bin" for i in range(6)]
        self.fill("shared-src", names)
        self.assertEqual(self.ends("copy", "shared-src", "shared-dst")["state"], "completed")
        files = [f for t in self.cluster.targets for f in t.dir.glob("objects/shared-dst/**/*.bin")]
        self.assertEqual([f.stat().st_nlink for f in files], [2] * len(names))
        for name in names[:3]:
            self.cluster.put("shared-src", name, b"another")
        self.ends("delete", "shared-src", objects=names[3:5])
        self.cluster.call("DELETE", "/v1/buckets/shared-src", {"action": "destroy-bck"})
        for name in names:
            self.assertEqual(self.cluster.read("shared-dst", name, "&verify=true"), content_of(name))
        wait_for("the files of the source to go", lambda: all(f.stat().st_nlink == 1 for f in files))

    def test_other_names_go_to_their_owners(self):
        names = [f"o{i}.bin" for i in range(60)]
        self.fill("named-src", names)
        document = self.ends("copy", "named-src", "named-dst", prepend="old/", ext={"bin": "dat"})
        self.assertEqual(document["state"], "completed")
        self.assertGreater(document["bytes"]["moved"], 0)
        self.assertEqual(self.cluster.list("named-dst"), sorted("old/" + n[:-3] + "dat" for n in names))
        for name in names:
            self.assertEqual(self.cluster.read("named-dst", "old/" + name[:-3] + "dat"), content_of(name))

    def test_selections_and_policies_are_those_of_transforms(self):
        names = [f"s/{i:03d}" for i in range(20)] + ["other"]
        self.fill("sel-src", names)
        for key, value, expected in (("prefix", "s/01", names[10:20]), ("objects", ["other", "s/003"], ["other", "s/003"]),
                                     ("template", "s/{005..009..2}", ["s/005", "s/007", "s/009"])):
            self.assertEqual(self.ends("copy", "sel-src", f"sel-{key}", **{key: value})["state"], "completed")
            self.assertEqual(self.cluster.list(f"sel-{key}"), expected)
        self.assertEqual(self.ends("copy", "sel-src", "sel-prefix", overwrite="changed")["objects"]["skipped"], 10)
        self.assertEqual(self.ends("copy", "sel-src", "sel-prefix", overwrite="never")["objects"]["skipped"], 21)
        missing = self.ends("copy", "sel-src", "sel-objects", objects=["gone", "other"])
        self.assertEqual((missing["state"], missing["objects"]["failed"]), ("completed_with_errors", 1))
        dry = self.ends("copy", "sel-src", "sel-nowhere", dry_run="run")
        self.assertEqual((dry["objects"]["done"], dry["bytes"]["out"]), (21, dry["bytes"]["in"]))
        self.assert_problem(404, "not_found", self.cluster.get, "/v1/buckets/sel-nowhere")

    def test_a_damaged_object_fails_and_a_retry_copies_the_mended_one(self):
        self.fill("hurt-src", ["a", "b.0.bin"])
        files = [f for t in self.cluster.targets for f in t.dir.glob("objects/hurt-src/**/b.0.bin")]
        with open(files[0], "r+b") as file:
            file.write(b"X")
        document = self.ends("copy", "hurt-src", "hurt-dst")
        self.assertEqual((document["state"], document["objects"]["done"], document["objects"]["failed"]), ("completed_with_errors", 1, 1))
        self.assertEqual([r["code"] for r in self.cluster.errors(document["id"])], ["corrupt"])
        self.assertEqual(self.cluster.list("hurt-dst"), ["a"])
        self.cluster.put("hurt-src", "b.0.bin", content_of("b.0.bin"))
        self.cluster.command(document["id"], "retry")
        self.assertEqual(self.cluster.wait_job(document["id"])["state"], "completed")
        self.assertEqual(self.cluster.read("hurt-dst", "b.0.bin"), content_of("b.0.bin"))

    def test_deleting_by_prefix_list_and_template(self):
        names = [f"{group}/{i:03d}" for group in "abc" for i in range(10)] + ["last.0.bin"]
        self.fill("del", names)
        dry = self.ends("delete", "del", dry_run="run")
        self.assertEqual((dry["objects"]["done"], dry["destination"], dry["operation"]), (31, "", "delete"))
        self.assertEqual(dry["bytes"]["in"], sum(len(content_of(n)) for n in names))
        self.assertEqual(self.cluster.list("del"), sorted(names))
        listed = self.ends("delete", "del", objects=["a/001", "a/001", "nobody"])
        self.assertEqual((listed["state"], listed["objects"]["done"], listed["objects"]["skipped"], listed["objects"]["total"]), ("completed", 1, 1, 2))
        self.assertEqual(self.ends("delete", "del", template="b/{000..004}")["objects"]["done"], 5)
        self.assertEqual(self.ends("delete", "del", prefix="c/")["objects"]["done"], 10)
        left = [n for n in names if n != "a/001" and n[0] != "c" and not "b/000" <= n <= "b/004"]
        self.assertEqual(self.cluster.list("del"), sorted(left))
        self.assertEqual(self.ends("delete", "del")["objects"]["done"], len(left))
        self.assertEqual(self.cluster.list("del"), [])
        self.assertEqual(self.ends("delete", "del")["objects"]["total"], 0)

    def test_lists_of_tens_of_thousands_of_names(self):
        names = [f"n{i:05d}" for i in range(50)]
        self.fill("long", names)
        document = self.ends("delete", "long", objects=[f"n{i:05d}" for i in range(40_000)])
        self.assertEqual((document["objects"]["done"], document["objects"]["skipped"]), (50, 39_950))

    def test_requests_say_what_they_cannot_have(self):
        self.fill("req", ["a"])
        copy = {"operation": "copy", "source": "ais://req", "destination": "ais://req-dst"}
        delete = {"operation": "delete", "source": "ais://req"}
        for body, word in (({**copy, "operation": "move"}, "operation"), ({**copy, "transform": "to-upper"}, "transform"),
                           ({**copy, "destination": "ais://req"}, "destination"), ({**copy, "destination": "ais://req", "prepend": "x/"}, "destination"),
                           ({**delete, "destination": "ais://req-dst"}, "destination"), ({**delete, "prepend": "x"}, "prepend"),
                           ({**delete, "kind": "k" * 65}, "kind"), ({**delete, "color": "red"}, "color")):
            self.assertIn(word, self.assert_problem(400, "invalid_argument", self.cluster.call, "POST", "/v1/jobs", body))
        self.assert_problem(404, "not_found", self.cluster.call, "POST", "/v1/jobs", {**delete, "source": "ais://nobody"})

    def test_a_bucket_in_use_keeps_its_name(self):
        self.fill("used", ["a", "b"])
        gate = self.cluster.folder / "used-gate"
        self.cluster.add_filter("used-wait", f"while ! test -e {gate}; do sleep 0.02; done; cat", obj_timeout="60s")
        job = self.cluster.submit("used-wait", "used", "used-dst")
        self.cluster.wait_job(job, ("running",))
        for bucket in ("used", "used-dst"):
            detail = self.assert_problem(409, "conflict", self.cluster.call, "POST", f"/v1/buckets/{bucket}?bck_to=free", {"action": "move-bck"})
            self.assertIn(job, detail)
        gate.touch()
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed")
        self.move("used-dst", "free")
        self.assertEqual(self.cluster.list("free"), ["a", "b"])

    def test_the_command_copies_deletes_and_renames(self):
        self.fill("cli", ["a/1", "a/2", "b"])
        status, out, err = self.cluster.run("cp", "ais://cli/a/", "ais://cli-dst", "--prepend", "x-")
        self.assertEqual((status, self.cluster.list("cli-dst")), (0, ["x-a/1", "x-a/2"]), err)
        self.assertEqual(self.cluster.run("rm", "-r", "ais://cli/a/")[0], 0)
        self.assertEqual(self.cluster.list("cli"), ["b"])
        self.assertEqual(self.cluster.run("bucket", "mv", "ais://cli-dst", "ais://cli-moved")[0], 0)
        self.assertEqual(self.cluster.list("cli-moved"), ["x-a/1", "x-a/2"])


class Interrupted(Copying, unittest.TestCase):
    """Each with a cluster of its own, whose nodes die."""
    def setUp(self):
        self.cluster = Cluster(BINARY, target_settings={"checkpoint_objects_max": 50, "checkpoint_interval": "50ms"})
        self.addCleanup(self.cluster.close)
        self.cluster.start()

    def interrupt(self, job, fault):
        """Kills one target with SIGKILL in the middle of the job, and starts it again."""
        victim = self.cluster.targets[1]
        wait_for("the victim to die of " + fault, lambda: not victim.alive())
        victim.wait_end()
        self.assertNotIn(self.cluster.job(job)["state"], Cluster.TERMINAL)
        victim.start()
        document = self.cluster.wait_job(job)
        # Its slice may have ended before the proxy heard where it listens now.
        wait_for("its new address", lambda: victim.endpoint() in [t["endpoint"].removeprefix("http://") for t in self.cluster.get("/v1/cluster")["targets"]])
        return document

    def restart_with(self, fault):
        self.cluster.targets[1].stop()
        self.cluster.targets[1].start(fault)
        self.cluster.wait_ready()

    def test_a_copy_goes_on_after_a_target_was_killed(self):
        names = [f"o{i:04d}.bin" for i in range(600)]
        self.fill("src", names)
        self.restart_with("store.before_index:90:kill")
        job = self.submit("copy", "src", "dst", prepend="copy/")
        document = self.interrupt(job, "a fault while it copies")
        self.assertEqual((document["state"], document["objects"]["done"], document["objects"]["total"]), ("completed", 600, 600))
        self.assertEqual(self.cluster.list("dst"), ["copy/" + n for n in names])
        for name in names:
            self.assertEqual(self.cluster.read("dst", "copy/" + name, "&verify=true"), content_of(name))

    def test_a_delete_goes_on_after_a_target_was_killed(self):
        self.fill("src", [f"gone/o{i:04d}.bin" for i in range(600)] + ["stays"])
        self.restart_with("slice.before_checkpoint:2:kill")  # the first one has the survey, before anything is removed
        document = self.interrupt(self.submit("delete", "src", prefix="gone/"), "a fault while it deletes")
        counts = document["objects"]
        self.assertEqual((document["state"], counts["total"], counts["failed"]), ("completed", 600, 0))
        self.assertEqual(counts["done"] + counts["skipped"], 600)
        self.assertTrue(0 < counts["skipped"] < 300, counts)  # removed before the kill and not checkpointed: some of what that target has
        self.assertEqual(self.cluster.list("src"), ["stays"])

    def test_a_bucket_gets_another_name_everywhere_also_where_a_target_was_away(self):
        names = [f"o{i}.bin" for i in range(30)]
        self.fill("one", names)
        self.fill("two", ["only"])
        away = self.cluster.targets[2]
        away.stop()
        for old, new in (("one", "swap"), ("two", "one"), ("swap", "two")):
            self.move(old, new)
        self.assert_problem_of_move("two", "one", 409)
        self.assert_problem_of_move("nobody", "three", 404)
        away.start()
        self.cluster.wait_ready()
        wait_for("the name to be known", lambda: self.cluster.list("two") == sorted(names))
        for node in self.cluster.nodes:
            node.kill()
        self.cluster.start()
        self.assertEqual((self.cluster.list("one"), self.cluster.list("two")), (["only"], sorted(names)))
        for name in names:
            self.assertEqual(self.cluster.read("two", name, "&verify=true"), content_of(name))
        self.move("two", "three")
        self.fill("two", ["fresh"])  # the name is free: another bucket
        self.cluster.call("DELETE", "/v1/buckets/three", {"action": "destroy-bck"})
        self.assertEqual(self.cluster.list("two"), ["fresh"])

    def test_a_bucket_that_was_renamed_and_destroyed_while_a_target_was_away_does_not_come_back(self):
        self.fill("one", [f"o{i}" for i in range(30)])
        away = self.cluster.targets[2]
        away.stop()
        self.move("one", "two")
        self.cluster.call("DELETE", "/v1/buckets/two", {"action": "destroy-bck"})
        self.cluster.create_bucket("two")
        self.cluster.create_bucket("one")
        away.start()
        self.cluster.wait_ready()
        for bucket in ("one", "two"):
            wait_for(f"{bucket} to be empty", lambda name=bucket: self.is_empty(name))
            self.cluster.put(bucket, "x", b"new")

    def is_empty(self, bucket):
        try:
            return self.cluster.list(bucket) == []
        except Problem as problem:
            self.assertEqual(problem.status, 503, problem.body)  # a target has yet to hear of the bucket
            return False

    def assert_problem_of_move(self, old, new, status):
        code, _, _ = self.cluster.request("POST", f"/v1/buckets/{old}?bck_to={new}", b'{"action":"move-bck"}')
        self.assertEqual(code, status)


if __name__ == "__main__":
    unittest.main()
