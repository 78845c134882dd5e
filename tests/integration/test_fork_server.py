"""Filters whose program is loaded once: chosen by themselves, seen in `etl show`, gone with their target, and switched off."""
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, Cluster, ClusterCase, wait_for  # noqa: E402

SLOW_TO_LOAD = os.environ.get("MILLRACE_BEFORE_MAIN", str(pathlib.Path(BINARY).parent / "tests/unit/runtime/before_main"))
LOADS_SLOWLY = {"BEFORE_MAIN": "slow"}


def processes_of(program):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "exe") == program:
                found.append(int(entry.name))
        except OSError:
            pass
    return found


class ForkServer(ClusterCase):
    targets = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        os.chmod(folder.name, 0o755)
        cls.program = f"{folder.name}/filter"  # a copy: only processes of this test run it
        subprocess.run(["cp", SLOW_TO_LOAD, cls.program], check=True)
        cls.cluster.create_bucket("src")
        for number in range(100):
            cls.cluster.put("src", f"o{number}", f"content {number}".encode())

    def start_of(self, name, cluster=None):
        return (cluster or self.cluster).get(f"/v1/transforms/{name}")["targets"][0]["start"]

    def run_job(self, name, destination):
        job = self.cluster.wait_job(self.cluster.submit(name, "src", destination))
        self.assertEqual((job["state"], job["objects"]["done"]), ("completed", 100))
        for number in range(100):
            self.assertEqual(self.cluster.read(destination, f"o{number}"), f"content {number}".encode())

    def test_a_program_that_loads_slowly_is_forked_until_its_target_ends(self):
        self.cluster.add_filter("slow-to-load", self.program, env=LOADS_SLOWLY)
        wait_for("the trial", lambda: self.start_of("slow-to-load") == "forked")
        self.run_job("slow-to-load", "dst")
        self.assertIn("forked", self.cluster.run("etl", "show", "slow-to-load")[1])
        loaded = processes_of(self.program)
        self.assertTrue(loaded)
        for pid in loaded:
            os.kill(pid, signal.SIGKILL)
        self.run_job("slow-to-load", "dst-again")
        self.assertEqual(self.start_of("slow-to-load"), "forked")
        self.assertTrue(processes_of(self.program))
        target = self.cluster.targets[0]
        target.kill()
        wait_for("the loaded programs to die", lambda: not processes_of(self.program))
        target.start()
        self.cluster.wait_ready()

    def test_it_can_be_switched_off(self):
        config = self.cluster.targets[0].config
        shown = subprocess.run([BINARY, "target", "--config", config, "--print-config", "--no-fork-server"], capture_output=True, check=True)
        self.assertIn(b"fork_server: false", shown.stdout)
        with Cluster(BINARY, targets=1, target_settings={"fork_server": "false"}) as cluster:
            cluster.add_filter("slow-to-load", self.program, env=LOADS_SLOWLY)
            cluster.create_bucket("one")
            cluster.put("one", "o", b"x")
            self.assertEqual(cluster.wait_job(cluster.submit("slow-to-load", "one", "two"))["state"], "completed")
            self.assertEqual(self.start_of("slow-to-load", cluster), "spawned")


if __name__ == "__main__":
    unittest.main()
