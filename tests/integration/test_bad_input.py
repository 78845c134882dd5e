"""Broken specifications, busy ports, missing programs, full and read-only disks: clear errors, nothing half-made."""
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, Cluster, ClusterCase, wait_for  # noqa: E402


class Specifications(ClusterCase):
    targets = 1
    target_settings = {"container_engine": "/no/such/engine.sock"}

    def refuse(self, text, *words):
        status, _, answer = self.cluster.request("PUT", "/v1/transforms", text.encode())
        self.assertEqual(status, 400, answer)
        for word in words:
            self.assertIn(word, answer.decode())

    def test_broken_specifications_name_line_and_field(self):
        self.refuse("name: [unclosed\ncmd: cat", "line")
        self.refuse("name: good-name\ncmd: cat\nobj_timeout: 10 parsecs", "line 3", "obj_timeout")
        self.refuse("name: good-name\ncmd:\n  - a: b", "line", "cmd")
        self.refuse("name: good-name", "cmd")
        self.refuse("name: x\ncmd: cat", "name")
        self.refuse("name: good-name\nruntime:\n  image: [alpine]", "line 3", "runtime.image")
        self.refuse("name: good-name\ncommunication: ws://\nruntime: {image: alpine}", "support_direct_put")

    def test_an_image_without_an_engine_says_what_to_do(self):
        detail = self.assert_problem(424, "rejected", self.cluster.add_transform, {"name": "good-name", "runtime": {"image": "alpine"}})
        self.assertIn("no container engine answers at /no/such/engine.sock", detail)
        self.assertIn("start Podman", detail)
        self.assertEqual(self.cluster.get("/v1/transforms"), [])

    def test_unknown_keys_warn(self):
        answer = self.cluster.add_transform({"name": "warned", "cmd": "cat", "obj_timout": "1s"})
        self.assertIn("obj_timeout", " ".join(answer["warnings"]))

    def test_a_missing_program_is_refused_and_not_registered(self):
        status, _, answer = self.cluster.request("PUT", "/v1/transforms", b"name: missing\ncmd: no-such-program-here -x")
        self.assertEqual(status, 424, answer)
        self.assertIn("no-such-program-here", answer.decode())
        self.assertEqual([t["name"] for t in self.cluster.get("/v1/transforms") if t["name"] == "missing"], [])

    def test_the_command_reports_usage_and_absence_by_exit_status(self):
        for arguments, status in ((["nonsense"], 2), (["job", "show", "job-none"], 3), (["etl", "show", "none-such"], 3), (["get", "not-a-uri"], 2),
                                  (["job", "submit", "missing-etl", "ais://a", "ais://b"], 3)):
            done = self.cluster.run(*arguments)
            self.assertEqual(done[0], status, done)
            self.assertTrue(done[2].startswith("millrace"), done)
        done = subprocess.run([BINARY, "--endpoint", "http://127.0.0.1:1", "cluster", "show"], capture_output=True, check=False)
        self.assertEqual(done.returncode, 5)
        self.assertIn(b"millrace dev", done.stderr)


class Nodes(unittest.TestCase):
    def start(self, verb, text):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(text)
            file.flush()
            return subprocess.run([BINARY, verb, "--config", file.name], capture_output=True, timeout=30, check=False)

    def test_configuration_errors_name_line_and_key(self):
        for text, words in (("dir: /tmp/x\nprot: 1\n", ["line 2", "did you mean 'port'"]), ("dir: /tmp/x\nport: many\n", ["line 2",
            "port"]), ("port: 1\n", ["dir"]),
                            ("dir: [", ["line"])):
            done = self.start("proxy", text)
            self.assertEqual(done.returncode, 2, done)
            for word in words:
                self.assertIn(word, done.stderr.decode())

    def test_a_busy_port_says_so(self):
        with tempfile.TemporaryDirectory() as folder, socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            done = self.start("proxy", f"dir: {folder}\nport: {busy.getsockname()[1]}\n")
            self.assertEqual(done.returncode, 1)
            self.assertIn("in use", done.stderr.decode())
            done = self.start("proxy", f"dir: {folder}\nport: 0\ncontrol_port: {busy.getsockname()[1]}\n")
            self.assertEqual(done.returncode, 1)
            self.assertIn("port", done.stderr.decode())

    def test_a_folder_of_another_kind_or_in_a_file_is_refused(self):
        with Cluster(BINARY, targets=1) as cluster:
            cluster.targets[0].stop()
            done = self.start("proxy", f"dir: {cluster.targets[0].dir}\nport: 0\n")
            self.assertEqual(done.returncode, 1)
            self.assertIn("belongs to a target", done.stderr.decode())
            cluster.targets[0].start()
        with tempfile.NamedTemporaryFile() as file:
            done = self.start("proxy", f"dir: {file.name}/sub\nport: 0\n")
            self.assertEqual(done.returncode, 1)
            self.assertIn(file.name, done.stderr.decode())

    def test_a_target_of_another_cluster_is_refused_and_a_sealed_map_takes_no_more(self):
        with Cluster(BINARY, targets=1) as cluster:
            cluster.create_bucket("seal")
            stranger = Cluster(BINARY, targets=2, folder=tempfile.mkdtemp())
            newcomer = stranger.targets[1]
            newcomer.configure({"id": "t9", "proxy": f"file:{cluster.proxy.dir}/control_endpoint"})
            newcomer.start()
            wait_for("the refusal", lambda: "refuses this target" in newcomer.log.read_text())
            self.assertEqual(len(cluster.get("/v1/cluster")["targets"]), 1)
            newcomer.stop()


@unittest.skipUnless(os.geteuid() == 0, "needs root to mount a small file system")
class SmallDisk(unittest.TestCase):
    def setUp(self):
        self.mount = tempfile.mkdtemp()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", self.mount], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.mount], check=False)

    def test_a_full_disk_stalls_the_job_and_space_lets_it_finish(self):
        pathlib.Path(self.mount, "big").mkdir()
        with Cluster(BINARY, targets=1, target_settings={"mountpaths": f"[{self.mount}/big]"}) as cluster:
            cluster.create_bucket("full-src")
            for i in range(4):
                cluster.put("full-src", f"o{i}", os.urandom(5_000_000))
            ballast = pathlib.Path(self.mount, "ballast")
            with self.assertRaises(OSError):
                ballast.write_bytes(b"x" * 40_000_000)
            self.assert_no_space(cluster)
            cluster.add_filter("full-cat", "cat")
            job = cluster.submit("full-cat", "full-src", "full-dst")
            wait_for("the stall", lambda: any(s["state"] == "stalled" and "space" in s["reason"].lower() for s in cluster.job(job)["slices"]))
            self.assertEqual(cluster.job(job)["objects"]["failed"], 0)
            ballast.unlink()
            done = cluster.wait_job(job, seconds=60)
            self.assertEqual((done["state"], done["objects"]["done"]), ("completed", 4))
            for i in range(4):
                self.assertEqual(cluster.read("full-dst", f"o{i}"), cluster.read("full-src", f"o{i}"))

    def assert_no_space(self, cluster):
        status, _, answer = cluster.request("PUT", cluster.object_path("full-src", "too-much"), os.urandom(6_000_000))
        self.assertEqual(status, 507, answer)
        self.assertEqual(sorted(cluster.list("full-src")), [f"o{i}" for i in range(4)])
        self.assertTrue(cluster.is_ready())


if __name__ == "__main__":
    unittest.main()
