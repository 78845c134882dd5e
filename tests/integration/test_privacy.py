"""Nodes keep to their machine, what they write to their own user, and what users tell a transform stays between them."""
import json
import os
import pathlib
import stat
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, Cluster, ClusterCase  # noqa: E402

SECRET = "open-sesame-4711"


class Privacy(ClusterCase):
    targets = 1

    @classmethod
    def setUpClass(cls):
        before = os.umask(0)  # the worst that a caller may have
        cls.addClassCleanup(os.umask, before)
        super().setUpClass()

    def paths(self):
        """With their modes; what goes meanwhile is left out."""
        for node in self.cluster.nodes:
            for path in (node.dir, *node.dir.rglob("*")):
                try:
                    yield path, path.lstat().st_mode
                except FileNotFoundError:
                    continue

    def run_something(self, name):
        self.cluster.create_bucket(name)
        for i, size in enumerate((10, 100_000)):
            self.cluster.put(name, f"o{i}", b"x" * size)
        self.cluster.add_filter(name + "-etl", "umask; cat", env={"SESAME": SECRET})
        self.cluster.wait_job(self.cluster.submit(name + "-etl", name, name + "-out"))

    def test_files_and_folders_are_closed_to_others_whatever_the_umask(self):
        self.run_something("closed")
        # What sandboxes pass lies in a folder that nobody else enters.
        passed = {target.dir / "run" for target in self.cluster.targets}
        open_ones = [f"{path} {stat.filemode(mode)}" for path, mode in self.paths() if not stat.S_ISLNK(mode) and mode & 0o077
                     and not (stat.S_ISDIR(mode) and mode & 0o077 == 0o011 and passed & {pathlib.Path(path), *pathlib.Path(path).parents})]
        self.assertEqual(open_ones, [])
        for folder in passed:
            self.assertEqual(folder.parent.stat().st_mode & 0o077, 0)

    def test_a_program_has_the_umask_of_who_started_the_node(self):
        self.run_something("mask")
        self.assertEqual(self.cluster.read("mask-out", "o0"), b"0000\nxxxxxxxxxx")

    def test_values_of_variables_are_told_to_the_program_alone(self):
        self.run_something("secret")
        for path in ("/v1/transforms/secret-etl", "/v1/transforms", "/v1/etl/secret-etl", "/metrics", "/v1/transforms/secret-etl/logs"):
            self.assertNotIn(SECRET, str(self.cluster.request("GET", path)[2]), path)
        for node in self.cluster.nodes:
            for path in [node.log, *node.dir.rglob("LOG*")]:
                self.assertNotIn(SECRET, path.read_text(errors="replace"), path)
            command_line = pathlib.Path(f"/proc/{node.process.pid}/cmdline").read_text()
            self.assertNotIn(SECRET, command_line)


class BeyondThisMachine(unittest.TestCase):
    """On every address of this machine, which nobody is told of."""

    def test_a_node_does_not_start_unless_it_is_said_to_be_meant(self):
        cluster = Cluster(BINARY, targets=0, proxy_settings={"host": "0.0.0.0", "advertise": "127.0.0.1"})
        self.addCleanup(cluster.close)
        command = [BINARY, "proxy", "--config", str(cluster.proxy.config)]
        for words in ([], ["--insecure"]):
            shown = subprocess.run([*command, "--print-config", *words], capture_output=True, text=True, timeout=60, check=True).stdout
            self.assertIn(f"insecure: {'true' if words else 'false'}", shown)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("whoever reaches that can run commands here, and is not asked who they are", done.stderr)
        self.assertIn("--insecure", done.stderr)
        self.assertFalse(cluster.proxy.dir.exists(), "nothing was made")

    def test_where_it_is_meant_it_says_so_at_every_start_and_to_whoever_asks(self):
        settings = {"host": "0.0.0.0", "advertise": "127.0.0.1", "insecure": "true"}
        with Cluster(BINARY, targets=1, proxy_settings=settings, target_settings=settings) as cluster:
            for node in cluster.nodes:
                self.assertIn("insecure: this " + node.verb + " listens on 0.0.0.0", node.log.read_text())
                health = json.loads(cluster.request("GET", "/health", node=node)[2])
                self.assertIn("is not asked who they are", health["insecure"][0])
            self.assertIn("insecure: the proxy listens on 0.0.0.0", cluster.run("cluster", "show")[1])


if __name__ == "__main__":
    unittest.main()
