"""AIStore's command line `ais`: the requests that it sends for a command, against a cluster.

The facts are in ais_command.json: of each command its requests, and of each request what AIStore 5.0 answered: the status, the shape of the
document (members and what kind of value each has), the type of an error. What differs on purpose is in DIFFERENT, and in aistore/AISTORE.md.
"""
import io
import json
import pathlib
import re
import sys
import tarfile
import time
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import ClusterCase, wait_for  # noqa: E402

FACTS = json.loads((pathlib.Path(__file__).parent / "ais_command.json").read_text())
SHAPES = FACTS["shapes"]
TEXTS = {"digits": r"\d+", "duration": r"(\d+h)?(\d+m)?(\d+(\.\d+)?(s|ms))?", "size": r"\d+(\.\d+)?([KMGT]i)?B", "time": r"\d{4}-\d\d-\d\dT[\d:.]+Z",
         "text": r"[\s\S]*", "id": r"[A-Za-z][A-Za-z0-9_-]{7,30}"}
KINDS = {"bool": bool, "number": (int, float), "null": type(None)}
# (command, method): the status here. A property that cannot be had is refused; a bucket that has nothing to wait for is renamed at once; transforms
# are built in.
DIFFERENT = {("ais bucket props set ais://one versioning.enabled=false", "PATCH"): 400, ("ais bucket props set ais://one checksum.type=md5", "PATCH"): 400,
             ("ais create ais://two --props mirror.enabled=true mirror.copies=2", "POST"): 400,
             ("ais bucket mv ais://four ais://five --wait", "POST"): 200, ("ais etl show", "GET"): 200}
NEVER = "0001-01-01T00:00:00Z"
NOT_HERE = {"verifying_key"}  # nodes do not sign what they say


class Command(ClusterCase):
    def ask(self, method, path, send=None, headers=None, body=None):
        """(status, headers, content) of what the command gets in the end: it follows redirects."""
        content = json.dumps(send).encode() if send is not None else body
        status, answer, text = self.cluster.request(method, path, content, {"Accept": "application/msgpack", **(headers or {})})
        redirected = status in (301, 307)
        if redirected:
            target = urllib.parse.urlsplit(answer["Location"])
            node = next(node for node in self.cluster.targets if node.endpoint() == target.netloc)
            status, answer, text = self.cluster.request(method, f"{target.path}?{target.query}", content, headers, node=node)
        return redirected, status, answer, text

    def check(self, shape, value, where):
        if isinstance(shape, str) and shape in SHAPES:
            shape = SHAPES[shape]
        if isinstance(shape, dict):
            self.assertIsInstance(value, dict, where)
            for name, part in shape.items():
                if name == "*":
                    for key, each in value.items():
                        self.check(part, each, f"{where}.{key}")
                elif name not in NOT_HERE:
                    self.assertIn(name, value, where)
                    self.check(part, value[name], f"{where}.{name}")
        elif isinstance(shape, list):
            self.assertIsInstance(value, list, where)
            for each in value if shape else ():
                self.check(shape[0], each, f"{where}[]")
        elif shape in TEXTS:
            self.assertIsInstance(value, str, where)
            self.assertRegex(value, rf"\A{TEXTS[shape]}\Z", where)
        else:
            self.assertIsInstance(value, KINDS[shape], where)
            self.assertEqual(isinstance(value, bool), shape == "bool", where)


class Recorded(Command):
    """Every command that was recorded, in its order: later ones are about what earlier ones made."""
    def test_every_request_is_answered_as_aistore_answers(self):
        self.id = ""
        for fact in FACTS["commands"]:
            with self.subTest(command=fact["command"]):
                for request in fact["requests"]:
                    for kind in request.get("kinds", [None]):
                        self.replay(fact["command"], request, kind)
            if fact["command"].startswith("ais create ais://two"):
                self.cluster.create_bucket("two")

    def replay(self, command, request, kind):
        method, path = request["ask"].split(" ", 1)
        send = json.loads(json.dumps(request.get("send")).replace('"ID"', json.dumps(self.id)).replace('"KIND"', json.dumps(kind)))
        path = path.replace("TARGET", "t1")
        body = b"x" * 3000 if request.get("body") else None
        redirected, status, headers, text = self.ask(method, path, send, body=body)
        where = f"{command}: {method} {path} {send}"
        expected = DIFFERENT.get((command, method), request["status"])
        if request.get("redirect"):
            folder = path.split("?")[0].endswith("/")  # of which the proxy knows already that there is no such object
            self.assertEqual(redirected, not folder, where)
            self.assertIn(status, (404,) if folder else (200, 202), (where, text))
            return
        self.assertEqual(status, expected, (where, text))
        if "tcode" in request and expected >= 400:
            error = json.loads(headers["Hdr-Error"] if method == "HEAD" else text)
            self.check({"message": "text", "method": "text", "url_path": "text", "remote_addr": "text", "caller": "text", "node": "text", "status": "number"},
                       error, where)
            self.assertEqual((error["tcode"], error["method"], headers["Content-Type"]), (request["tcode"], method, "application/json"), where)
            self.assertRegex(error["node"], r"^[pt]\[.+\]$")
        for name, shape in request.get("header", {}).items():
            self.check(shape, json.loads(headers[name]), f"{where} {name}")
        shape = request.get("shape")
        if shape == "list":
            self.assertEqual(headers["Content-Type"], "application/msgpack", where)
        elif shape == "id":
            self.id = text.decode()
            self.check("id", self.id, where)
        elif shape is not None and expected < 400:
            self.check(shape, json.loads(text), where)
        if shape == "qryxstats" and command.endswith(" --wait"):
            wait_for(f"the end of {command}", lambda: all(
                job["end-time"] != NEVER for jobs in json.loads(self.ask(method, path, send)[3]).values() for job in jobs))


class Unrecorded(Command):
    """What the command asks of single nodes, and what it does with the answers."""
    NODE = {"snode": {"daemon_id": "text", "daemon_type": "text"}, "tracker": {"*": {"v": "digits"}},
            "capacity": {"Mountpaths": {"*": {"used": "digits", "avail": "digits", "pct_used": "number", "disks": ["text"]}}, "total_used": "digits",
                         "total_avail": "digits", "pct_max": "number", "pct_avg": "number", "pct_min": "number", "cs_err": "text"}}
    SYSTEM = {"mem_used": "number", "mem_avail": "number", "pct_mem_used": "number", "pct_cpu_used": "number", "cpu_util": "number",
              "load_avg": {"One": "number", "Five": "number", "Fifteen": "number"}, "mem": {"Total": "number", "ActualFree": "number"},
              "proc": {"CPU": {"Percent": "number"}, "Mem": {"Resident": "number"}}}
    STATUS = {**NODE, "status": "text", "ais_version": "text", "smap_version": "digits", "sys_info": SYSTEM,
              "Cluster": {"smap": {"version": "digits", "uuid": "text"}, "bmd": {"version": "digits"}, "flags": "number"}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxy_id = cls.cluster.get("/v1/cluster")["proxy_id"]

    def node(self, node, what, expected=200, **more):
        query = urllib.parse.urlencode({"what": what, **more})
        _, status, headers, text = self.ask("GET", f"/v1/reverse/daemon?{query}", headers={"Ais-Node-Id": node})
        self.assertEqual(status, expected, (node, what, text))
        return headers, text

    def show(self, node, what, expected=200):
        return json.loads(self.node(node, what, expected)[1])

    def test_show_cluster_shows_nodes_that_are_well(self):
        for node in (self.proxy_id, "t1", "t2", "t3"):
            status = self.show(node, "node_status")
            self.check(self.STATUS, status, node)
            self.assertEqual((status["status"], status["Cluster"]["flags"], status["snode"]["daemon_id"]), ("online", 6, node))
            self.assertGreaterEqual(tuple(map(int, status["ais_version"].split("."))), (4, 5))
            self.assertGreater(status["sys_info"]["mem_avail"], 0)
            self.assertGreater(status["sys_info"]["proc"]["Mem"]["Resident"], 0)
            self.assertGreater(int(status["tracker"]["up.ns.time"]["v"]), 0)
        self.assertGreater(int(self.show("t1", "node_status")["capacity"]["total_avail"]), 0)
        self.show("t9", "node_status", 404)

    def test_show_performance_counts_what_clients_do(self):
        self.cluster.create_bucket("counted")
        kinds = self.show("t1", "metrics")
        self.assertEqual((kinds["get.n"], kinds["get.size"], kinds["put.bps"], kinds["get.ns.total"]), ("counter", "size", "bw", "total"))
        before = self.sums()
        for i in range(5):
            self.cluster.put("counted", f"o{i}", b"12345678")
        for i in range(3):
            self.cluster.read("counted", f"o{i}")
        self.cluster.request("GET", self.cluster.object_path("counted", "absent"))
        after = self.sums()
        for name, more in (("put.n", 5), ("put.size", 40), ("get.n", 3), ("get.size", 24), ("err.get.n", 1)):
            self.assertEqual(after[name] - before[name], more, name)
        self.assertLessEqual(set(after), set(kinds))

    def sums(self):
        sums = {}
        for target in ("t1", "t2", "t3"):
            for name, value in self.show(target, "node_stats")["tracker"].items():
                sums[name] = sums.get(name, 0) + int(value["v"])
        return sums

    def test_show_storage_names_folders_and_what_is_left(self):
        for target in ("t1", "t2", "t3"):
            paths = self.show(target, "mountpaths")
            self.check({"available": ["text"], "waiting_dd": [], "disabled": []}, paths, target)
            disks = self.show(target, "disk")
            self.check({**self.NODE["capacity"], "AllDiskStats": {"*": {name: "number" for name in ("RBps", "Ravg", "WBps", "Wavg", "Util")}}}, disks, target)
            self.assertEqual(sorted(disks["Mountpaths"]), sorted(paths["available"]))
        self.show(self.proxy_id, "mountpaths", 400)

    def test_the_whole_cluster_at_once(self):
        ask = lambda what: json.loads(self.ask("GET", f"/v1/cluster?what={what}")[3])  # noqa: E731
        self.check({"proxy": {"*": self.SYSTEM}, "target": {"*": {**self.SYSTEM, "fs_used": "digits", "fs_capacity": "digits", "pct_fs_used": "number"}}},
                   ask("sysinfo"), "sysinfo")
        stats = ask("node_stats")
        self.check({"proxy": self.NODE, "target": {"*": self.NODE}}, stats, "stats")
        self.assertEqual(sorted(stats["target"]), ["t1", "t2", "t3"])
        self.assertEqual(ask("backends"), [])
        self.assertEqual(self.ask("GET", "/v1/cluster?what=target_ips")[3], b"127.0.0.1,127.0.0.1,127.0.0.1")
        _, status, headers, _ = self.ask("GET", "/v1/health")
        self.assertEqual(status, 200)
        for name in ("Ais-Cluster-Uptime", "Ais-Node-Uptime"):
            self.assertGreater(int(headers[name]), 0)

    def test_show_config_of_a_node_and_what_may_be_set(self):
        config = self.show("t2", "config")
        self.check("cluster_config", config, "config")
        self.check({"host_net": {"hostname": "text", "port": "digits"}, "fspaths": {"*": "text"}, "log_dir": "text"}, config, "config")
        put = lambda path, send=None, node="": self.ask("PUT", path, send, {"Ais-Node-Id": node} if node else None)[1::2]  # noqa: E731
        self.assertEqual(put("/v1/cluster/set-config?log.level=3")[0], 200)
        self.assertEqual(put("/v1/reverse/daemon/set-config?log.level=3&transient=true", node="t1")[0], 200)
        self.assertEqual(put("/v1/cluster", {"action": "reset-config"})[0], 200)
        for answer in (put("/v1/cluster/set-config?log.level=5"), put("/v1/reverse/daemon/set-config?log.level=5", node="t1"),
                       put("/v1/cluster", {"action": "set-config", "value": {"mirror": {"enabled": True}}})):
            self.assertEqual(answer[0], 400, answer)
            self.assertIn(b"docs/CONFIGURATION.md", answer[1])
        self.assertIn(b"no property 'nonsense'", put("/v1/cluster/set-config?nonsense=1")[1])

    def test_a_target_that_is_asked_itself_answers_for_itself(self):
        status, headers, _ = self.cluster.request("GET", "/v1/daemon?what=node_status", node=self.cluster.targets[1])
        self.assertEqual(status, 307)
        target = urllib.parse.urlsplit(headers["Location"])
        _, _, text = self.cluster.request("GET", f"{target.path}?{target.query}")
        self.assertEqual(json.loads(text)["snode"]["daemon_id"], "t2")

    def test_logs(self):
        for node in (self.proxy_id, "t1"):
            text = self.node(node, "log", severity="info")[1].decode()
            self.assertIn("started", text)
            self.assertTrue(all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in text.splitlines()), text)
            self.assertNotIn(" info ", self.node(node, "log", severity="error")[1].decode())
            rest = self.node(node, "log", severity="info", offset=str(len(text.encode())))[1].decode()
            self.assertNotIn(text.splitlines()[0], rest)
            headers, archive = self.node(node, "log", severity="info", all="true")
            self.assertEqual(headers["Content-Type"], "application/gzip")
            with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as files:
                self.assertTrue(files.extractfile(f"{node}.log").read().decode().startswith(text.splitlines()[0]))
        self.node("t1", "log", 400, severity="loud")
        self.node("t9", "log", 404)

    def query(self, **more):
        _, status, _, text = self.ask("GET", "/v1/cluster?what=qryxstats", {"show_active": True, "bck": {"name": ""}, "id": "", "kind": "", **more})
        return status, json.loads(text)

    def test_a_job_that_has_just_ended_is_still_seen_and_is_idle(self):
        self.cluster.create_bucket("jobs")
        self.cluster.put("jobs", "a", b"a")
        model = {"name": "jobs-to", "provider": "ais", "namespace": {"uuid": "", "name": ""}}
        message = {"action": "copy-listrange", "name": "", "value": {"tobck": model, "objnames": ["a"]}}
        job = self.ask("POST", "/v1/buckets/jobs?provider=ais", message)[3].decode()
        wait_for(f"the end of {job}", lambda: self.cluster.job(job)["state"] == "completed")
        for _ in range(2):  # as often as the command wants to see it idle
            status, snaps = self.query(id=job, kind="copy-listrange")
            self.assertEqual(status, 200, snaps)
            for of_target in snaps.values():
                self.assertEqual([(s["id"], s["is_idle"], s["aborted"]) for s in of_target], [(job, True, False)])
        self.assertEqual(self.query(kind="copy-listrange", bck={"name": "jobs", "provider": "ais"})[1]["t1"][0]["id"], job)
        self.assertEqual(self.query(kind="copy-listrange", bck={"name": "other", "provider": "ais"})[1], {"t1": [], "t2": [], "t3": []})
        self.assertEqual(self.query(kind="nonsense")[0], 404)
        self.assertEqual(self.query(id="nosuch123")[0], 404)

    def test_what_has_nothing_to_do_may_be_started_and_is_over(self):
        put = lambda action, **value: self.ask("PUT", "/v1/cluster", {"action": action, "name": "", "value": value})[1::2]  # noqa: E731
        for kind in ("lru", "rebalance", "resilver", "cleanup-store"):
            status, job = put("start", kind=kind)
            self.assertEqual(status, 200, job)
            self.check("id", job.decode(), kind)
            _, status, _, text = self.ask("GET", "/v1/cluster?what=status", {"id": job.decode(), "kind": kind})
            self.assertEqual(status, 200, text)
            self.assertGreater(json.loads(text)["end_time"], time.time_ns() - 600 * 10**9)
            ids = {target: [snap["id"] for snap in snaps] for target, snaps in self.query(id=job.decode())[1].items()}
            self.assertEqual(ids, dict.fromkeys(("t1", "t2", "t3"), [job.decode()]))
        self.assertEqual(put("start", kind="etl-bck")[0], 400)
        self.assertEqual(put("stop", id="nosuch123")[0], 200, "it does not run")
        self.assertEqual(put("stop")[0], 400)

    def test_stop_of_the_jobs_of_a_bucket_stops_no_others(self):
        self.cluster.add_filter("slow-one", "sleep 1; cat", concurrency={"max": 1})
        jobs = {}
        for bucket in ("stop-a", "stop-b"):
            self.cluster.create_bucket(bucket)
            for i in range(20):
                self.cluster.put(bucket, f"o{i}", b"x")
            message = {"action": "etl-bck", "value": {"id": "slow-one"}}
            jobs[bucket] = self.ask("POST", f"/v1/buckets/{bucket}?bck_to=ais%2F%40%23%2F{bucket}-to%2F", message)[3].decode()
        value = {"id": "", "kind": "etl-bck", "bck": {"name": "stop-a", "provider": "ais"}}
        self.assertEqual(self.ask("PUT", "/v1/cluster", {"action": "stop", "value": value})[1], 200)
        self.assertEqual(self.cluster.job(jobs["stop-a"])["state"], "cancelled")
        self.assertNotEqual(self.cluster.job(jobs["stop-b"])["state"], "cancelled")
        self.cluster.command(jobs["stop-b"], "cancel")

    def test_an_object_gets_another_name_on_whatever_target(self):
        self.cluster.create_bucket("names")
        for i in range(9):  # some change their target
            self.cluster.put("names", f"old{i}", f"content {i}".encode(), {"Millrace-Custom-Md": "k1=v1&k2=v2"})
            _, status, _, text = self.ask("POST", f"/v1/objects/names/old{i}", {"action": "rename-obj", "name": f"dir/new{i}"})
            self.assertEqual(status, 200, text)
            self.assertEqual(self.cluster.read("names", f"dir/new{i}"), f"content {i}".encode())
            self.assertEqual(self.ask("HEAD", f"/v1/objects/names/old{i}")[1], 404)
        _, status, headers, _ = self.ask("HEAD", "/v1/objects/names/dir/new0?props=custom,size")
        self.assertEqual((status, headers.get_all("Ais-Custom-Md"), headers["Ais-Version"]), (200, ["k1=v1", "k2=v2"], None))
        self.assertEqual(self.ask("HEAD", "/v1/objects/names/dir/new0?props=nonsense")[1], 400)
        self.assertEqual(self.ask("POST", "/v1/objects/names/absent", {"action": "rename-obj", "name": "x"})[1], 404)
        self.assertEqual(self.ask("POST", "/v1/objects/names/absent", {"action": "check-lock"})[1], 404)
        self.assertEqual(self.ask("POST", "/v1/objects/names/dir/new0", {"action": "rename-obj", "name": ""})[1], 400)
        self.assertEqual(self.cluster.list("names"), [f"dir/new{i}" for i in range(9)])

    def test_lists_in_aistores_json(self):
        self.cluster.create_bucket("listed")
        self.cluster.put("listed", "a", b"12345", {"Millrace-Custom-Md": "k1=v1"})
        value = {"props": "name,size,atime,custom", "time_format": "2006"}
        _, _, text = self.cluster.request("GET", "/v1/buckets/listed", json.dumps({"action": "list", "value": value}).encode())
        entry = json.loads(text)["entries"][0]
        self.assertEqual(entry, {"name": "a", "size": "5", "flags": 64, "custom-md": "[k1:v1]", "atime": time.strftime("%Y", time.gmtime())})
        _, _, text = self.cluster.request("GET", "/v1/buckets", json.dumps({"action": "list", "name": "listed"}).encode())
        self.assertEqual([bucket["name"] for bucket in json.loads(text)], ["listed"])


if __name__ == "__main__":
    unittest.main()
