"""Damaged stores, sources and disks, on real nodes: what was durable is there or its absence is named, and nobody takes damage for good."""
import http.client
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, SUPPORT, ClusterCase  # noqa: E402
from cluster import Cluster, Problem, tail, wait_for  # noqa: E402

EXIT_STORE = 74


def flip(file, at):
    with open(file, "r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)[0]
        stream.seek(at)
        stream.write(bytes([byte ^ 1]))


def newest_log(node):
    return max((node.dir / "state").glob("*.log"), key=lambda file: file.stat().st_size)


class DamagedStore(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster(BINARY, targets=1, target_settings={"sync_puts": "true"})
        self.addCleanup(self.cluster.close)
        self.cluster.start()
        self.cluster.create_bucket("kept")
        for i in range(50):
            self.cluster.put("kept", f"o{i}", f"content {i}".encode() * 20)

    def refuses(self, node, *names):
        node.start()
        self.assertEqual(node.wait_end(), 1, tail(node.log))
        for name in (*names, "--accept-loss"):
            self.assertIn(name, tail(node.log, 4))

    def test_a_target_with_a_damaged_log_names_it_and_goes_on_at_a_loss_when_told_to(self):
        target = self.cluster.targets[0]
        for how in (target.kill, target.stop):
            how()
            log = newest_log(target)
            before = log.read_bytes()
            flip(log, log.stat().st_size // 2)
            self.refuses(target, log.name)
            log.write_bytes(before)
            target.start()
            self.cluster.wait_ready()
            self.assertEqual(len(self.cluster.list("kept")), 50)
            for i in range(50):
                self.cluster.put("kept", f"o{i}", f"content {i}".encode() * 20)
        target.kill()
        log = newest_log(target)
        flip(log, log.stat().st_size // 2)
        self.refuses(target, log.name)
        with open(target.log, "ab") as log_file:
            target.process = subprocess.Popen([BINARY, "target", "--config", str(target.config), "--accept-loss"], stdout=log_file, stderr=log_file)
        self.cluster.wait_ready()
        self.assertIn("loss accepted", target.log.read_text())
        self.assertEqual(len(self.cluster.list("kept")), 50, "those before are there, and the overwritten ones as they were")
        self.cluster.put("kept", "after", b"x")
        self.assertEqual(len(list((target.dir / "state").glob("lost-*/" + log.name))), 1)

    def test_a_proxy_with_a_damaged_log_names_it(self):
        proxy = self.cluster.proxy
        proxy.kill()
        log = newest_log(proxy)
        flip(log, log.stat().st_size // 2)
        self.refuses(proxy, log.name)

    def test_a_store_without_its_beginning_is_not_a_new_one(self):
        target = self.cluster.targets[0]
        target.stop()
        (target.dir / "state/CURRENT").unlink()
        target.start()
        self.assertEqual(target.wait_end(), 1)
        self.assertIn("CURRENT", tail(target.log, 3))


class DamagedSource(ClusterCase):
    """A byte of a stored file is another: jobs, inline requests and plain reads notice."""
    targets = 1
    sizes = {"small": 40_000, "large": 3_000_000}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.create_bucket("hurt")
        cls.cluster.add_filter("reads-all", "cat")
        cls.cluster.add_filter("reads-start", "head -c 100")
        cls.cluster.add_transform({"name": "by-path", "file_paths": True, "command": ["python3", str(SUPPORT / "echo_server.py")], "init_timeout": "60s"})
        for name, size in cls.sizes.items():
            content = os.urandom(size)
            cls.cluster.put("hurt", name, content)
            cls.cluster.put("hurt", name + "-whole", content)
            file = next(cls.cluster.targets[0].dir.glob(f"objects/hurt/**/{name}"))
            flip(file, size // 2)

    def test_a_job_publishes_nothing_of_it(self):
        for transform in ("reads-all", "reads-start", "by-path"):
            with self.subTest(transform):
                document = self.cluster.wait_job(self.cluster.submit(transform, "hurt", f"to-{transform}"))
                self.assertEqual((document["state"], document["objects"]["done"], document["objects"]["failed"]), ("completed_with_errors", 2, 2))
                self.assertEqual({row["code"] for row in self.cluster.errors(document["id"])}, {"corrupt"})
                self.assertEqual(self.cluster.list(f"to-{transform}"), ["large-whole", "small-whole"])

    def test_an_inline_result_is_an_error_or_ends_in_the_middle(self):
        for transform in ("reads-all", "reads-start", "by-path"):
            for name in self.sizes:
                with self.subTest(transform=transform, name=name):
                    with self.assertRaises((Problem, http.client.IncompleteRead, ConnectionError)) as caught:
                        self.cluster.read("hurt", name, f"&etl_name={transform}")
                    if isinstance(caught.exception, Problem):
                        self.assertEqual(caught.exception.document["code"], "corrupt")
                    whole = self.cluster.read("hurt", name + "-whole", f"&etl_name={transform}")
                    self.assertEqual(len(whole), {"reads-all": self.sizes[name], "reads-start": 100, "by-path": 0}[transform])

    def test_a_plain_read_is_an_error_or_ends_in_the_middle(self):
        with self.assertRaises(Problem) as caught:
            self.cluster.read("hurt", "small")
        self.assertEqual(caught.exception.document["code"], "corrupt")
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            self.cluster.read("hurt", "large")
        self.assertEqual(len(self.cluster.read("hurt", "large-whole")), self.sizes["large"])


class BrokenDisk(unittest.TestCase):
    def cluster_of(self, **settings):
        cluster = Cluster(BINARY, targets=1, **settings)
        self.addCleanup(cluster.close)
        return cluster

    def unready(self, cluster, node):
        status, _, body = cluster.request("GET", "/health", node=node)
        return body.decode() if status == 503 else ""

    def test_a_node_that_cannot_make_things_durable_says_so_and_ends(self):
        cluster = self.cluster_of(target_settings={"sync_puts": "true"})
        trouble_of = {node.name: cluster.folder / f"trouble-{node.name}" for node in cluster.nodes}

        def start(node):
            node.start(environment={"LD_PRELOAD": os.environ["MILLRACE_FAILING_SYNC"], "MILLRACE_TEST_FAIL_SYNC": str(trouble_of[node.name])})

        for node in cluster.nodes:
            start(node)
        cluster.wait_ready()
        cluster.create_bucket("kept")
        # A change that failed may be found after the start, so the next one is another.
        for node, change in ((cluster.proxy, cluster.create_bucket), (cluster.targets[0], lambda name: cluster.put("kept", name, b"x"))):
            trouble_of[node.name].touch()
            with self.assertRaises(Problem):
                change("lost")
            self.assertIn("restarted", wait_for(f"{node.name} to be not ready", lambda: self.unready(cluster, node)))
            self.assertEqual(node.wait_end(60), EXIT_STORE, tail(node.log))
            trouble_of[node.name].unlink()
            start(node)
            cluster.wait_ready()
            wait_for("changes to be taken again", lambda: self.succeeds(lambda: change("again")))

    @staticmethod
    def succeeds(change):
        try:
            change()
        except (Problem, OSError):
            return False
        return True

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to mount a small file system")
    def test_a_node_without_room_waits_for_it_and_one_that_runs_goes_on(self):
        disk = pathlib.Path(tempfile.mkdtemp(prefix="millrace-disk-"))
        self.addCleanup(shutil.rmtree, disk, ignore_errors=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128m", "tmpfs", str(disk)], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", str(disk)], check=False)
        cluster = Cluster(BINARY, targets=1, folder=disk)
        self.addCleanup(cluster.close)
        cluster.start()
        cluster.create_bucket("kept")
        target = cluster.targets[0]
        ballast = disk / "ballast"
        self.fill(ballast)
        for node in cluster.nodes:
            self.assertIn("no space", wait_for(f"{node.name} to say that its disk is full", lambda: self.unready(cluster, node)))
        ballast.unlink()
        cluster.wait_ready()
        self.assertEqual(target.process.poll(), None, "without a restart")
        cluster.put("kept", "a", b"x")
        target.kill()
        self.fill(ballast, leave=1 << 20)
        target.start()
        wait_for("the target to say what it waits for", lambda: "waits for room" in target.log.read_text())
        self.assertIsNone(target.process.poll())
        ballast.unlink()
        cluster.wait_ready()
        self.assertEqual(cluster.read("kept", "a"), b"x")
        target.kill()
        self.fill(ballast)
        target.start()
        wait_for("the target to wait again", lambda: target.log.read_text().count("waits for room") == 2)
        target.process.send_signal(signal.SIGTERM)
        self.assertEqual(target.wait_end(), 0)
        ballast.unlink(missing_ok=True)

    @staticmethod
    def fill(file, leave=0):
        free = os.statvfs(file.parent)
        try:
            with open(file, "wb", buffering=0) as stream:
                stream.write(b"x" * max(0, free.f_bavail * free.f_frsize - leave))
        except OSError:
            pass  # it is full, of what nodes have written meanwhile


if __name__ == "__main__":
    unittest.main()
