"""AIStore's paths without its SDK: listings over several targets, summaries, jobs as its clients wait for them, transforms."""
import base64
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import ClusterCase, wait_for  # noqa: E402

NO_RECURSION, NO_FOLDERS, NOT_CACHED, DIFF = 1 << 11, 1 << 13, 1 << 9, 1 << 12
FOLDER = 1 << 8  # of an entry


class AisCase(ClusterCase):
    def ask(self, method, path, message=None, expected=200):
        """(headers, text) of a request with a JSON body, as AIStore's clients send it."""
        body = None if message is None else json.dumps(message).encode()
        status, headers, answer = self.cluster.request(method, path, body, {"Content-Type": "application/json"})
        self.assertEqual(status, expected, (path, message, answer))
        return headers, answer.decode()

    def act(self, method, bucket, action, value=None, expected=200, query=""):
        return self.ask(method, f"/v1/buckets/{bucket}?provider=ais{query}", {"action": action, "name": "", "value": value}, expected)[1]

    def list(self, bucket, page_size, **more):
        """Every entry, a page at a time; no page in the middle is empty."""
        entries, token = [], ""
        while True:
            value = {"prefix": "", "pagesize": page_size, "continuation_token": token, "flags": "0", **more}
            page = json.loads(self.act("GET", bucket, "list", value))
            entries += page["entries"]
            token = page["continuation_token"]
            if not token:
                return entries
            self.assertTrue(page["entries"], "a page in the middle is empty")

    def status(self, job, expected=200):
        return self.ask("GET", "/v1/cluster?what=status", {"ID": job, "Kind": "", "DaemonID": "", "Bck": None}, expected)[1]

    def wait(self, job):
        return wait_for(f"the end of {job}", lambda: (lambda seen: seen if seen["end_time"] else None)(json.loads(self.status(job))))

    def transform(self, source, destination, name, **more):
        value = {"id": name, "request_timeout": "5m", "pipeline": None, "prefix": "", "prepend": "", "dry_run": False, "force": False, **more}
        return self.act("POST", source, "etl-bck", value, query=f"&bck_to=ais%2F%40%23%2F{destination}%2F")


class Buckets(AisCase):
    NAMES = ["a", "d-a", "d/sub/x", "d/x", "d0", "ü ?#%/1", "ü ?#%/2"] + [f"n{i}/{j}" for i in range(20) for j in range(5)]

    def setUp(self):
        if not any(bucket["name"] == "names" for bucket in self.cluster.get("/v1/buckets")):
            self.cluster.create_bucket("names")
            for name in self.NAMES:
                self.cluster.put("names", name, name.encode())

    def test_pages_of_any_size_hold_every_name_once(self):
        for size in (1, 7, 0):
            self.assertEqual([e["name"] for e in self.list("names", size)], sorted(self.NAMES, key=str.encode))
        self.assertEqual([e["name"] for e in self.list("names", 2, start_after="n9/3")], ["n9/4", "ü ?#%/1", "ü ?#%/2"])
        for flag, name in ((NOT_CACHED, "NOT_CACHED"), (DIFF, "DIFF")):
            self.assertIn(name, self.act("GET", "names", "list", {"flags": str(flag)}, 400))

    def test_folders_that_lie_on_several_targets_are_one_entry(self):
        folders = [f"n{i}/" for i in range(20)] + ["d/", "ü ?#%/"]
        for size in (1, 3, 0):
            found = self.list("names", size, flags=str(NO_RECURSION))
            self.assertEqual([e["name"] for e in found], sorted(folders + ["a", "d-a", "d0"], key=str.encode))
            self.assertEqual(sorted(e["name"] for e in found if e["flags"] & FOLDER), sorted(folders))
            self.assertEqual(self.list("names", size, flags=str(NO_RECURSION | NO_FOLDERS)), found)
            inside = [e["name"] for e in self.list("names", size, flags=str(NO_RECURSION), prefix="d")]
            self.assertEqual(inside, ["d-a", "d/sub/", "d/x", "d0"], "the prefix is a folder's name: what is in it")

    def test_a_target_can_be_listed_alone(self):
        parts = [[e["name"] for e in self.list("names", 10, target=target)] for target in ("t1", "t2", "t3")]
        self.assertEqual(sorted(sum(parts, [])), sorted(self.NAMES))
        self.act("GET", "names", "list", {"target": "t9"}, 404)

    def test_buckets_are_listed_all_or_the_one_that_is_named(self):
        for name, expected in (("names", ["names"]), ("nowhere", []), ("nam", [])):
            answer = self.ask("GET", "/v1/buckets?provider=ais&presence=2", {"action": "list", "name": name, "value": None})[1]
            self.assertEqual([bucket["name"] for bucket in json.loads(answer)], expected)
        self.assertIn("names", [bucket["name"] for bucket in json.loads(self.ask("GET", "/v1/buckets")[1])])

    def test_a_summary_is_asked_for_twice_and_the_prefix_once(self):
        first = self.act("GET", "names", "summary-bck", {"uuid": "", "prefix": "d/", "cached": True, "present": True}, 202)
        summary = json.loads(self.act("GET", "names", "summary-bck", {"uuid": first, "prefix": ""}))[0]
        self.assertEqual(summary["ObjCount"]["obj_count_present"], "2")
        headers, _ = self.ask("HEAD", "/v1/buckets/names/d/?provider=ais&presence=0&bsumm_remote=True", expected=202)
        self.assertIn("provider", json.loads(headers["Ais-Bucket-Props"]))
        headers, _ = self.ask("HEAD", f"/v1/buckets/names?provider=ais&bsumm_remote=True&uuid={headers['Ais-Xaction-Id']}")
        self.assertEqual(json.loads(headers["Ais-Bucket-Summ"])["TotalSize"]["size_all_present_objs"], str(len("d/sub/xd/x")))
        self.act("GET", "nowhere", "summary-bck", {"uuid": ""}, 404)

    def test_what_is_not_there_is_refused_rather_than_left_out(self):
        self.act("POST", "names", "archive", {}, 400)
        self.act("GET", "names", "show-inventory", None, 400)
        self.act("DELETE", "names", "evict-listrange", {"objnames": ["a"]}, 400)
        self.ask("GET", "/v1/buckets/names?provider=aws", {"action": "list", "value": {}}, 404)
        self.assertIn('aws://names', self.ask("GET", "/v1/objects/names/a?provider=aws", expected=404)[1])
        self.ask("DELETE", "/v1/objects/names/a?provider=aws", expected=404)
        self.assertEqual(self.ask("GET", "/v1/buckets?provider=aws", {"action": "list", "value": None})[1], "[]")
        self.act("PUT", "names", "create-bck", expected=405)
        self.assertIn("..", self.act("POST", "na..mes", "create-bck", expected=400))
        self.ask("PUT", "/v1/cluster", {"action": "start", "value": {"Kind": "ec-encode"}}, 400)
        self.ask("GET", "/v1/cluster?what=nonsense", expected=400)
        self.ask("GET", "/v1/daemon?what=nonsense", expected=400)


class Cluster(AisCase):
    def test_the_map_names_every_target_and_where_the_proxy_was_reached(self):
        smap = json.loads(self.ask("GET", "/v1/daemon?what=smap")[1])
        self.assertEqual(sorted(smap["tmap"]), ["t1", "t2", "t3"])
        self.assertEqual(smap["proxy_si"]["public_net"]["direct_url"], f"http://{self.cluster.proxy.endpoint()}")
        for node in self.cluster.targets:
            self.assertEqual(smap["tmap"][node.name]["public_net"]["direct_url"], f"http://{node.endpoint()}")
        self.ask("GET", "/v1/health?prr=true")
        status, _, answer = self.cluster.request("GET", "/v1/reverse/daemon?what=node_status", headers={"Ais-Node-Id": "t1"})
        self.assertEqual((status, json.loads(answer)["status"]), (200, "online"))


class Jobs(AisCase):
    def fill(self, bucket, objects=30):
        self.cluster.create_bucket(bucket)
        for i in range(objects):
            self.cluster.put(bucket, f"o{i:02}", b"x")

    def test_a_job_is_waited_for_and_known_after_every_node_was_killed(self):
        self.fill("src")
        self.cluster.add_filter("up-cased", "tr a-z A-Z")
        job = self.transform("src", "made-by-it", "up-cased")
        end = self.wait(job)
        self.assertEqual((end["err"], end["aborted"], end["kind"]), ("", False, "etl-bck"))
        self.assertEqual(self.cluster.read("made-by-it", "o07"), b"X")
        for node in self.cluster.nodes:
            node.kill()
        self.cluster.start()
        self.assertEqual(json.loads(self.status(job)), end)
        snaps = json.loads(self.ask("GET", "/v1/cluster?what=qryxstats", {"ID": job})[1])
        self.assertEqual(sum(int(snap[0]["stats"]["loc-objs"]) for snap in snaps.values()), 30)
        self.assertTrue(all(snap[0]["is_idle"] for snap in snaps.values()))
        self.status("job-unknown", 404)
        self.status("", 400)
        self.ask("GET", "/v1/cluster?what=qryxstats", {"ID": "job-unknown"}, 404)

    def test_failures_are_counted_and_every_one_is_listed(self):
        self.fill("bad-src")
        self.cluster.add_filter("no-good", "exit 3")
        job = self.transform("bad-src", "bad-dst", "no-good", coer=True)
        self.assertTrue(self.wait(job)["err"].startswith("30 objects failed"), job)
        view = json.loads(self.ask("GET", f"/v1/etl/no-good?uuid={job}")[1])
        self.assertEqual(view["init_msg"]["communication"], "hpush://")
        self.assertEqual(sorted(e["obj_name"] for e in view["obj_errors"]), [f"ais://bad-src/o{i:02}" for i in range(30)])
        aborted = self.wait(self.transform("bad-src", "bad-dst", "no-good"))
        self.assertTrue(aborted["aborted"] and aborted["err"], aborted)

    def test_stopping_ends_a_job_and_deleting_a_transform_ends_its_jobs(self):
        self.fill("slow-src", 60)
        self.cluster.add_filter("too-slow", "sleep 1; cat")
        job = self.transform("slow-src", "slow-dst", "too-slow")
        self.assertIn(f"etl-bck[{job}]", json.loads(self.ask("GET", "/v1/cluster?what=running_all", {"kind": "", "node": ""})[1]))
        self.ask("PUT", "/v1/cluster", {"action": "stop", "value": {"ID": job, "Kind": ""}})
        self.assertTrue(self.wait(job)["aborted"])
        other = self.transform("slow-src", "slow-dst", "too-slow")
        self.ask("DELETE", "/v1/etl/too-slow")
        self.assertTrue(self.wait(other)["aborted"])
        self.assertIn("etl job too-slow does not exist", self.ask("GET", "/v1/etl/too-slow", expected=404)[1])
        self.assertIn("etl job too-slow does not exist", self.ask("DELETE", "/v1/etl/too-slow", expected=404)[1])

    def test_a_renamed_bucket_has_a_job_that_is_over(self):
        self.fill("old-name", 3)
        job = self.act("POST", "old-name", "move-bck", None, query="&bck_to=ais%2F%40%23%2Fnew-name%2F")
        self.assertEqual(self.wait(job)["kind"], "move-bck")
        self.assertEqual(len(self.list("new-name", 0)), 3)


class Transforms(AisCase):
    def test_a_transform_lives_through_its_stages(self):
        spec = {"name": "stages", "cmd": "cat"}
        self.assertEqual(self.ask("PUT", "/v1/etl", spec)[1], "etl-stages")
        self.assertIn("etl job stages already exists", self.ask("PUT", "/v1/etl", spec, 409)[1])
        stage = lambda: {row["id"]: row["stage"] for row in json.loads(self.ask("GET", "/v1/etl")[1])}["stages"]  # noqa: E731
        self.assertEqual(stage(), "Running")
        self.ask("POST", "/v1/etl/stages/stop")
        self.assertEqual(stage(), "Aborted")
        self.ask("POST", "/v1/etl/stages/start")
        self.assertEqual(stage(), "Running")
        self.assertEqual([row["health_status"] for row in json.loads(self.ask("GET", "/v1/etl/stages/health")[1])], ["Running"] * 3)
        logs = json.loads(self.ask("GET", "/v1/etl/stages/logs/t2")[1])
        self.assertEqual([(row["target_id"], base64.b64decode(row["logs"])) for row in logs], [("t2", b"")])
        self.ask("GET", "/v1/etl/stages/logs/t9", expected=404)
        self.ask("DELETE", "/v1/etl/stages")

    def test_one_that_cannot_start_leaves_its_name_free(self):
        answer = self.ask("PUT", "/v1/etl", {"name": "missing", "cmd": "no-such-program-here"}, 400)[1]
        self.assertIn("no-such-program-here", answer)
        self.assertEqual(self.ask("PUT", "/v1/etl", {"name": "missing", "cmd": "cat"})[1], "etl-missing")
        self.ask("DELETE", "/v1/etl/missing")


if __name__ == "__main__":
    unittest.main()
