"""The command as people meet it: its own examples, a cluster of which only the proxy is in reach, a proxy that restarts, odd files and texts."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, SUPPORT, Cluster, ClusterCase, wait_for  # noqa: E402


class Folder:
    """A working folder, and the command run in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-cli-")
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name)

    def shell(self, line, *before, timeout=120):
        env = {**os.environ, "MILLRACE_ENDPOINT": f"http://{self.cluster.proxy.endpoint()}", "HOME": str(self.work),
               "PATH": f"{self.work}/bin:{pathlib.Path(BINARY).parent}:{os.environ['PATH']}"}
        return subprocess.run([*before, "bash", "-c", line], env=env, cwd=self.work, capture_output=True, text=True, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL)

    def expect(self, line, *before, status=0):
        done = self.shell(line, *before)
        self.assertEqual(done.returncode, status, f"{line}: {done.stdout}{done.stderr}")
        return done


def examples(*command):
    """The examples of a command's help, and of those below it."""
    text = subprocess.run([BINARY, *command, "--help"], capture_output=True, text=True, check=True).stdout
    found = [line.strip() for line in text.split("\n\n", 1)[0].splitlines()[1:]]
    below = re.search(r"(?ms)^(?:Subcommands|SUBCOMMANDS):\n(.*?)(?:\n\n|\Z)", text)
    for line in below.group(1).splitlines() if below else []:
        if name := re.match(r"  (\S+)", line):
            found += examples(*command, name.group(1))
    return found


class Examples(Folder, ClusterCase):
    """Each is run as it stands, where what it names is there."""
    targets = 2
    TRANSFORMS = {"squeeze": "cat", "to-wav16": "cat"}
    # Servers, programs that are not there, commands without an end, and what waits for somebody.
    LEFT_OUT = re.compile(r"^millrace dev|\| play|^source <\(|-f spec\.yaml --name squeeze2|logs .* -f|cluster (accept|invite|revoke)"
                          r"|^millrace bench .*(duration|count|rate)")

    def prepare(self):
        for job in self.cluster.get("/v1/jobs"):
            if job["state"] not in Cluster.TERMINAL:
                self.cluster.end_job(job["id"])
        there = self.buckets()
        for bucket in ("clips", "photos", "backup", "load"):
            if bucket not in there:
                self.cluster.create_bucket(bucket)
            for name in ("a/x.flac", "2024/y.flac"):
                self.cluster.put(bucket, name, b"some sound")
        states = {transform["name"]: transform["state"] for transform in self.cluster.get("/v1/transforms")}
        for name, command in self.TRANSFORMS.items():
            if name not in states:
                self.cluster.add_filter(name, command)
            elif states[name] == "stopped":
                self.cluster.call("POST", f"/v1/transforms/{name}/start")

    def buckets(self):
        return [bucket["name"] for bucket in self.cluster.get("/v1/buckets")]

    def clear(self, example):
        """Removes what the example makes."""
        if re.search("bucket (create|mv)", example):
            made = re.findall(r"ais://(\w+)", example)[-1]
            if made in self.buckets():
                self.cluster.call("DELETE", f"/v1/buckets/{made}", {"action": "destroy-bck"})
        if "etl init" in example:
            self.cluster.call("DELETE", "/v1/transforms/squeeze")
        if made := re.search(r"(auth|ca) init \./(\w+)", example):
            shutil.rmtree(self.work / made.group(2), ignore_errors=True)
        if "ca issue" in example:
            for file in (self.work / "ca").glob("proxy.*"):
                file.unlink()

    def job(self, example):
        """One in the state that the example is about."""
        begun = re.search("job (pause|cancel|resume) ", example)
        transform = "slow-one" if begun else "fails-always" if "job retry" in example else "squeeze"
        job = self.cluster.submit(transform, "clips", "jobs-of-examples")
        self.cluster.wait_job(job, ("running",) if begun else Cluster.TERMINAL)
        if begun and begun.group(1) == "resume":
            self.cluster.command(job, "pause")
        return job

    def test_examples_run_as_they_stand(self):
        for name in ("clips/a", "photos", "bin", ".zfunc", ".config/fish/completions"):
            (self.work / name).mkdir(parents=True)
        for name in ("clip.flac", "clips/one.flac", "clips/a/two.flac", "photos/three.jpeg"):
            (self.work / name).write_text("some sound")
        (self.work / "names.txt").write_text("a/x.flac\n")
        (self.work / "squeeze.yaml").write_text("name: squeeze\ncmd: cat\n")
        self.expect("millrace auth init keys")
        self.expect("millrace auth issue --key keys/signing.pem --subject me --grant admin | tee my.token > stolen.token")
        (self.work / ".config/millrace").mkdir(parents=True)
        (self.work / ".config/millrace/config.yaml").write_text(f"token_file: {self.work}/my.token\n")
        self.cluster.add_filter("slow-one", "sleep 1h", obj_timeout="2h")
        self.cluster.add_filter("fails-always", "false")
        ran = 0
        for example in examples():
            if self.LEFT_OUT.search(example):
                continue
            with self.subTest(example):
                self.prepare()
                self.clear(example)
                line = example.replace("job-7k2m0q9xw4", self.job(example)) if "job-7k2m0q9xw4" in example else example
                self.expect(line)
                ran += 1
        self.assertGreater(ran, 50)


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("unshare") and shutil.which("ip"), "a network namespace needs root, unshare and ip")
class OnlyTheProxyIsInReach(Folder, ClusterCase):
    targets = 2

    def from_afar(self, line, status=0):
        port = self.cluster.proxy.endpoint().rsplit(":", 1)[1]
        return self.expect(line, sys.executable, SUPPORT / "only_proxy.py", port, status=status)

    def test_everything_goes_through_it_and_it_is_said_once(self):
        self.cluster.create_bucket("afar")
        self.cluster.add_filter("afar-cat", "cat")
        (self.work / "in").mkdir()
        for i in range(40):
            (self.work / "in" / f"f{i}").write_bytes(bytes([i]) * 10_000 * i)
        put = self.from_afar("millrace put in ais://afar")
        self.assertEqual(put.stderr.count("cannot be reached from here"), 1, put.stderr)
        self.assertEqual(self.cluster.read("afar", "f39"), bytes([39]) * 390_000)
        for line in ("millrace get ais://afar/f39 -o -", "millrace get ais://afar/f39 --etl afar-cat -o -"):
            got = self.from_afar(f"{line} | cmp - in/f39")
            self.assertEqual(got.stderr.count("cannot be reached from here"), 1, got.stderr)
        self.from_afar("printf more | millrace put - ais://afar/more; millrace head ais://afar/more; millrace rm ais://afar/more")
        self.from_afar("millrace bench get ais://afar --count 100; millrace bench inline ais://afar --etl afar-cat --count 20")
        self.from_afar("millrace cp ais://afar ais://afar2")
        self.assertEqual(len(self.cluster.list("afar2")), 40)

    def test_a_target_that_is_down_is_no_slow_way(self):
        self.cluster.create_bucket("down")
        self.cluster.put("down", "x", b"x")
        for target in self.cluster.targets:
            target.stop()
        try:
            got = self.from_afar("millrace get ais://down/x -o -", status=5)
            self.assertNotIn("from here", got.stderr)
        finally:
            self.cluster.start()


class AProxyRestarts(Folder, unittest.TestCase):
    def test_whoever_waits_for_a_job_goes_on_waiting(self):
        with Cluster(BINARY, targets=1) as self.cluster:
            for name in ("src", "dst"):
                self.cluster.create_bucket(name)
            self.cluster.put("src", "x", b"x")
            gate = self.work / "gate"
            self.cluster.add_filter("gated-one", f"cat; until test -e {gate}; do sleep 0.02; done", obj_timeout="2h", sandbox="off")
            job = self.cluster.submit("gated-one", "src", "dst")
            self.cluster.wait_job(job, ("running",))
            endpoint = self.cluster.proxy.endpoint()
            waiting = subprocess.Popen([BINARY, "--endpoint", f"http://{endpoint}", "job", "wait", job, "--json"], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            self.cluster.proxy.kill()
            self.assertIn("lost", waiting.stderr.readline())
            late = subprocess.Popen([BINARY, "--endpoint", f"http://{endpoint}", "job", "wait", job], stderr=subprocess.PIPE, text=True)
            self.assertIn("trying to reach it again", late.stderr.readline())
            self.cluster.proxy.start()
            wait_for("the proxy to be back", lambda: self.cluster.proxy.endpoint() == endpoint)
            gate.touch()
            out, err = waiting.communicate(timeout=60)
            self.assertEqual((waiting.returncode, json.loads(out)["state"]), (0, "completed"), err)
            self.assertNotIn("lost", err)
            self.assertIn("completed", late.communicate(timeout=60)[1])
            self.assertEqual(late.returncode, 0)


class Specifications(Folder, ClusterCase):
    targets = 1

    def test_json_goes_in_as_python_writes_it_and_comes_out_again(self):
        self.cluster.create_bucket("smiles")
        self.cluster.put("smiles", "x", b"x")
        spec = {"name": "smile-one", "cmd": "printf '%s' '\U0001F600 \\ud83d'; printf \"$SMILE\"", "env": {"SMILE": "\U0001D11E\u00e9"}}
        (self.work / "spec.json").write_text(json.dumps(spec))
        self.assertIn("\\ud83d\\ude00", (self.work / "spec.json").read_text())
        self.expect("millrace etl init -f spec.json && millrace etl show smile-one -o json > shown.json")
        shown = json.loads((self.work / "shown.json").read_text())["spec"]
        self.assertEqual((shown["cmd"], shown["env"]), (spec["cmd"], {"SMILE": "***"}), "values may be secrets")
        (self.work / "again.json").write_text(json.dumps(shown, indent="\t"))
        self.assertIn("stands for one that is not shown", self.expect("millrace etl init -f again.json --name smile-two", status=2).stderr)
        (self.work / "again.json").write_text(json.dumps({**shown, "env": spec["env"]}, indent="\t"))
        self.expect("millrace etl init -f again.json --name smile-two")
        for name in ("smile-one", "smile-two"):
            self.assertEqual(self.expect(f"millrace get ais://smiles/x --etl {name} -o -").stdout, "\U0001F600 \\ud83d\U0001D11E\u00e9")
        self.expect("millrace etl rm -f spec.json")
        self.assertEqual(self.cluster.add_transform({**shown, "env": spec["env"], "name": "smile-six"})["name"], "smile-six")


class OddFiles(Folder, ClusterCase):
    targets = 1

    def test_what_is_no_plain_file_is_written_into_and_read(self):
        self.cluster.create_bucket("odd")
        self.cluster.put("odd", "o", b"hello\n")
        self.expect("mkfifo pipe; (cat pipe > from-pipe) & millrace get ais://odd/o -o pipe && wait && test -p pipe && grep -qx hello from-pipe")
        self.assertEqual(self.expect("millrace get ais://odd/o -o /dev/stdout").stdout, "hello\n")
        handed = self.expect("exec 5> five; echo before >&5; millrace get ais://odd/o -o /dev/fd/5; cat five")
        self.assertEqual(handed.stdout.splitlines()[-2:], ["before", "hello"])
        self.expect("echo old > real; ln -s real link; chmod 600 real; millrace get ais://odd/o -o link && test -L link && grep -qx hello real")
        self.assertEqual((self.work / "real").stat().st_mode & 0o777, 0o600)
        self.expect("millrace put <(printf handed) ais://odd/handed; printf named > pipe & millrace put pipe ais://odd/named; wait")
        self.assertEqual((self.cluster.read("odd", "handed"), self.cluster.read("odd", "named")), (b"handed", b"named"))
        self.expect("millrace put /proc/version ais://odd/version")
        self.assertEqual(self.cluster.read("odd", "version"), pathlib.Path("/proc/version").read_bytes())

    def test_a_file_that_grows_is_not_stored(self):
        self.cluster.create_bucket("grows")
        log = self.work / "log"
        log.write_bytes(b"x" * (8 << 20))
        ended = threading.Event()

        def grow():
            with open(log, "ab") as out:
                while not ended.is_set():
                    out.write(b"more")
                    out.flush()

        writer = threading.Thread(target=grow)
        writer.start()
        try:
            put = self.expect("millrace put log ais://grows/log", status=6)
        finally:
            ended.set()
            writer.join()
        self.assertIn("log changed while it was read", put.stderr)
        self.assertEqual(self.cluster.list("grows"), [])


if __name__ == "__main__":
    unittest.main()
