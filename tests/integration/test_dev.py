"""millrace dev: one cluster for a folder, which nobody else disturbs."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, wait_for  # noqa: E402


class Dev(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-dev-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name) / "data"
        self.command = [BINARY, "dev", "--targets", "1", "--dir", str(self.folder), "--port", "0"]

    def start(self):
        dev = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(dev.stdout.close)
        self.addCleanup(self.stop, dev)
        said = dev.stdout.readline()
        self.endpoint = re.search(r"https?://\S+", said).group(0)
        return dev, [int(re.search(r"pid (\d+)", dev.stdout.readline()).group(1)) for _ in range(2)]

    @staticmethod
    def stop(dev):
        if dev.poll() is None:
            dev.send_signal(signal.SIGTERM)
            dev.wait(60)

    def files(self):
        """All that a second start could touch; logs and stores of the cluster that runs go on by themselves."""
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(self.folder.rglob("*"))
                if path.is_file() and (path.parent == self.folder and path.suffix != ".log" or path.name in ("endpoint", "control_endpoint", "port"))}

    def assert_refused(self, *words):
        before = self.files()
        self.assertIn(self.folder / "proxy/endpoint", before)
        done = subprocess.run(self.command[:-1] + ["8099"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 2, done)
        for word in (str(self.folder), *words):
            self.assertIn(word, done.stderr)
        self.assertEqual(self.files(), before)
        shown = subprocess.run([BINARY, "--endpoint", self.endpoint, "cluster", "show"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(shown.returncode, 0, shown)
        self.assertIn("online", shown.stdout)

    def test_a_second_start_touches_nothing(self):
        dev, _ = self.start()
        self.assert_refused(f"(pid {dev.pid})", "goes on undisturbed")

    def test_a_port_in_use_is_said_at_once(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.command[-1] = str(taken.getsockname()[1])
            dev = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            self.addCleanup(dev.stderr.close)
            self.assertIn("proxy ended", dev.stderr.readline())
            self.assertEqual(dev.wait(60), 1)

    def test_a_target_without_the_address_of_a_proxy_says_so_and_ends(self):
        self.folder.mkdir()
        config = self.folder / "t.yaml"
        config.write_text(f"dir: {self.folder}/t\nproxy: file:{self.folder}/none\n")
        target = subprocess.Popen([BINARY, "target", "--config", str(config)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True)
        self.addCleanup(target.stdout.close)
        self.addCleanup(target.kill)
        for line in target.stdout:
            if "no address of a proxy yet" in line:
                break
        else:
            self.fail("it said nothing")
        target.terminate()
        self.assertEqual(target.wait(30), 0)

    def test_an_executable_that_was_replaced_is_started_again(self):
        copy = self.folder.with_name("copy")
        shutil.copy(BINARY, copy)
        self.command[0] = str(copy)
        self.command.append("--supervise")
        dev, (proxy, target) = self.start()
        shutil.copy(BINARY, self.folder.with_name("new"))
        self.folder.with_name("new").rename(copy)
        os.kill(target, signal.SIGKILL)

        def is_back():
            children = set(map(int, pathlib.Path(f"/proc/{dev.pid}/task/{dev.pid}/children").read_text().split()))
            return len(children) == 2 and proxy in children and target not in children

        wait_for("the target to be back", is_back)

    def test_nodes_that_outlive_it_are_not_disturbed_either(self):
        dev, nodes = self.start()
        dev.kill()
        dev.wait(30)
        self.assert_refused(f"kill {nodes[0]}")
        for pid in nodes:
            os.kill(pid, signal.SIGTERM)
        for pid in nodes:
            wait_for("the node to end", lambda pid=pid: not pathlib.Path(f"/proc/{pid}/stat").exists()
                     or pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z")
        self.start()


if __name__ == "__main__":
    unittest.main()
