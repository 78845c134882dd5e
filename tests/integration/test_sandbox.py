"""Commands in their sandbox: what hostile ones try is refused, on this kernel and as on an older one, and ordinary ones do not notice it."""
import contextlib
import itertools
import json
import os
import pathlib
import shlex
import shutil
import socket
import sys
import tempfile
import unittest

SUPPORT = pathlib.Path(__file__).resolve().parents[1] / "support"
sys.path.insert(0, str(SUPPORT))
from case import BINARY, ClusterCase  # noqa: E402
from cluster import Cluster, Problem, wait_for  # noqa: E402

ZOO = (SUPPORT / "hostile_filter.py").read_text()
PYTHON = "/usr/bin/python3"
BEFORE_MAIN = os.environ.get("MILLRACE_BEFORE_MAIN", str(pathlib.Path(BINARY).parent / "tests/unit/runtime/before_main"))
IS_ROOT = os.geteuid() == 0
# Landlock's numbers of what it can do; the second is Debian 12's kernel.
OLD_KERNEL = {"MILLRACE_LANDLOCK_ABI": "2"}


class OldKernelCluster(Cluster):
    def start(self):
        self.proxy.start()
        for target in self.targets:
            target.start(environment=OLD_KERNEL)
        self.wait_ready()


def sandbox_of(cluster, transform):
    return cluster.get(f"/v1/transforms/{transform}")["targets"][0]


def sleeper(nap):
    """The process id of `sleep NAP`, or None."""
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes() == b"sleep\0" + nap.encode() + b"\0":
                return int(entry.parent.name)
        except OSError:
            pass
    return None


def spawned(_stack, cluster, sandbox):
    cluster.add_filter("hostile", [PYTHON, "-c", ZOO], sandbox=sandbox)


def forked(stack, cluster, sandbox):
    """Of a program that is loaded once; the hostile one takes its place in the fork."""
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    os.chmod(folder, 0o755)
    program = shutil.copy(BEFORE_MAIN, folder)
    cluster.add_filter("hostile", program, sandbox=sandbox, env={"BEFORE_MAIN": "slow", "BECOME": f'exec {PYTHON} -c "$ZOO"', "ZOO": ZOO})
    cluster.call("POST", "/v1/transforms/hostile/start")
    wait_for("the trial", lambda: sandbox_of(cluster, "hostile").get("start") == "forked")


def server(_stack, cluster, sandbox):
    cluster.add_transform({"name": "hostile", "command": [PYTHON, "-c", ZOO, "serve"], "sandbox": sandbox, "init_timeout": "30s"})


class Zoo:
    """What one run of everything hostile could do, in a cluster of one target."""
    LARGE = 3_456_789  # too large for the database
    MARK = f"millrace-hostile-{os.getpid()}"
    NUMBERS = itertools.count(100)

    def __init__(self, cluster, register=spawned, sandbox="on"):
        self.cluster = cluster
        with contextlib.ExitStack() as stack:
            self.outcomes = self.run(stack, register, sandbox)

    def run(self, stack, register, sandbox):
        cluster = self.cluster
        target = cluster.targets[0]
        for bucket in ("secret", "hostile", "sleeping"):
            cluster.create_bucket(bucket)
        cluster.put("secret", "object", bytes(self.LARGE))
        objects = [path for path in target.dir.rglob("*") if path.is_file() and path.stat().st_size == self.LARGE]
        assert objects, "the object does not lie in a file"
        readable = stack.enter_context(tempfile.NamedTemporaryFile(dir="/tmp"))
        os.chmod(readable.name, 0o666)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        abstract.bind("\0" + self.MARK)
        abstract.listen()
        nap = f"1000.{os.getpid()}{next(self.NUMBERS)}"  # no other run has it, nor one that is ending
        cluster.add_filter("sleeper", f'[ -z "$MILLRACE_OBJECT" ] && exec cat; exec sleep {nap}', obj_timeout="300s")
        cluster.put("sleeping", "x", b"x")
        job = cluster.submit("sleeper", "sleeping", "slept")
        stack.callback(cluster.end_job, job)
        other = wait_for("another run", lambda: sleeper(nap))
        register(stack, cluster, sandbox)
        cluster.put("hostile", "x", json.dumps({"object": str(objects[0]), "database": str(target.dir / "state/CURRENT"), "folder": str(target.dir),
                                                "readable": readable.name, "mark": self.MARK, "port": listener.getsockname()[1],
                                                "abstract": self.MARK, "target": target.process.pid, "other": other}).encode())
        outcomes = json.loads(cluster.read("hostile", "x", "&etl_name=hostile"))
        assert sleeper(nap) == other, "the other run has ended meanwhile"
        self.status = outcomes.pop("status")
        listener.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            listener.accept()[0].close()
            outcomes["reach a listener of this test"] = "done"
        return outcomes

    def done(self):
        return sorted(name for name, how in self.outcomes.items() if how == "done")


@unittest.skipUnless(IS_ROOT, "users of their own need a target that runs as root")
class Hostile(unittest.TestCase):
    def test_nothing_hostile_is_done(self):
        with Cluster(BINARY, targets=1) as cluster:
            zoo = Zoo(cluster)
            self.assertEqual(zoo.done(), [], zoo.outcomes)
            self.assertEqual({zoo.status["CapEff"], zoo.status["CapPrm"]}, {"0000000000000000"})
            self.assertEqual((zoo.status["NoNewPrivs"], zoo.status["Seccomp"]), ("1", "2"))
            self.assertNotIn("0", zoo.status["Uid"].split("\t"))
            standing = sandbox_of(cluster, "hostile")
            self.assertRegex(standing["sandbox"], "^landlock [0-9]+, seccomp, own uid, no network$")
            shown = cluster.run("etl", "show", "hostile")[1]
            self.assertIn(f"sandbox on t1: {standing['sandbox']}", shown)

    def test_nor_on_an_older_kernel(self):
        with OldKernelCluster(BINARY, targets=1) as cluster:
            zoo = Zoo(cluster)
            self.assertEqual(zoo.done(), [], zoo.outcomes)
            standing = sandbox_of(cluster, "hostile")
            self.assertEqual(standing["sandbox"], "landlock 2, seccomp, own uid, no network")
            self.assertIn("runs that are forked of one program may signal each other", standing["sandbox_lacks"])

    def test_nor_by_one_that_is_forked_or_serves(self):
        for make, register in ((Cluster, forked), (Cluster, server), (OldKernelCluster, forked), (OldKernelCluster, server)):
            with self.subTest(kernel=make.__name__, runs=register.__name__), make(BINARY, targets=1) as cluster:
                zoo = Zoo(cluster, register)
                self.assertEqual(zoo.done(), [], zoo.outcomes)
                self.assertEqual((zoo.status["NoNewPrivs"], zoo.status["CapEff"]), ("1", "0000000000000000"))
                self.assertNotEqual(zoo.status["Seccomp"], "0")

    def test_the_attempts_are_real(self):
        for register in (spawned, forked, server):
            with self.subTest(register.__name__), Cluster(BINARY, targets=1) as cluster:
                self.attempts_are_real(cluster, register)

    def attempts_are_real(self, cluster, register):
        done = Zoo(cluster, register, sandbox="off").done()
        for attempt in ("read an object of another bucket", "read the database", "read /etc/shadow", "write into /tmp", "connect to the loopback",
                        "connect to an abstract socket", "signal the target", "signal another run", "trace another run",
                        "read the memory of the target", "mount", "make a network namespace", "become root",
                        "change the root", "ask how the clock is steered"):
            self.assertIn(attempt, done)
        self.assertEqual(sandbox_of(cluster, "hostile")["sandbox"], "off")


@unittest.skipUnless(IS_ROOT and shutil.which("setpriv"), "needs root, to become somebody else")
class WithoutRoot(unittest.TestCase):
    NOBODY = 65534

    def test_what_is_left_keeps_objects_and_the_network_closed(self):
        folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-nobody-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        os.chown(folder, self.NOBODY, self.NOBODY)
        start = folder / "millrace"
        start.write_text(f'#!/bin/sh\nexec setpriv --reuid={self.NOBODY} --regid={self.NOBODY} --clear-groups {BINARY} "$@"\n')
        start.chmod(0o755)
        with Cluster(start, targets=1, folder=folder) as cluster:
            zoo = Zoo(cluster)
            self.assertEqual(zoo.done(), [], zoo.outcomes)
            standing = sandbox_of(cluster, "hostile")
            self.assertRegex(standing["sandbox"], "^landlock [0-9]+, seccomp, no network$")
            self.assertIn("own uid (the target is not root)", standing["sandbox_lacks"])


class Bounds(ClusterCase):
    targets = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.create_bucket("in")
        cls.cluster.put("in", "x", b"x")

    def refusal(self, name, command, **more):
        self.cluster.add_filter(name, command, **more)
        with self.assertRaises(Problem) as caught:
            self.cluster.read("in", "x", f"&etl_name={name}")
        return caught.exception.document["detail"]

    @unittest.skipUnless(IS_ROOT, "counts the processes of a user of its own")
    def test_processes_are_bounded(self):
        script = ("import os, sys\n"
                  "sys.stdin.read()\nr, w = os.pipe()\nn = 0\n"
                  "try:\n"
                  "    while n < 200:\n"
                  "        if os.fork() == 0: os.close(w); os.read(r, 1); os._exit(0)\n"
                  "        n += 1\n"
                  "except BlockingIOError: pass\n"
                  "os.close(w); print(n)\n")
        self.cluster.add_filter("forks-on", [PYTHON, "-c", script], limits={"processes": 20})
        self.assertEqual(int(self.cluster.read("in", "x", "&etl_name=forks-on")), 19)

    def test_a_file_is_bounded(self):
        text = self.refusal("one-file", "dd if=/dev/zero of=file bs=1M count=9 2>&1 >/dev/null >&2", sandbox={"disk": "4MiB"})
        self.assertIn("4.0 MiB", text)

    def test_all_files_together_are_bounded(self):
        script = "[ -z \"$MILLRACE_OBJECT\" ] && exit; for i in 1 2 3; do dd if=/dev/zero of=$i bs=1M count=3 2> /dev/null; done; exec sleep 1000"
        self.assertIn("raise 'sandbox.disk'", self.refusal("many-files", script, sandbox={"disk": "4MiB"}, obj_timeout="300s"))

    def test_a_refusal_says_what_opens_it(self):
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            os.chmod(folder, 0o755)
            model = pathlib.Path(folder) / "model"
            model.write_text("a model\n")
            model.chmod(0o644)
            text = self.refusal("model-closed", f"cat {model}")
            self.assertIn("'sandbox.read'", text)
            self.assertIn(str(model), text)
            self.cluster.add_filter("model-open", f"cat {model}", sandbox={"read": [folder]})
            self.assertEqual(self.cluster.read("in", "x", "&etl_name=model-open"), b"a model\n")
            self.assertIn("'sandbox.write'", self.refusal("scratch-closed", f"echo x > {folder}/made", sandbox={"read": [folder]}))
            os.chmod(folder, 0o777)
            self.cluster.add_filter("scratch-open", f"f=$(mktemp {folder}/XXXXXX) && echo x > $f && cat $f", sandbox={"write": [folder]})
            self.assertEqual(self.cluster.read("in", "x", "&etl_name=scratch-open"), b"x\n")
            self.cluster.call("POST", "/v1/transforms/scratch-open/stop")  # its trial writes there, too

    def test_the_network_is_opened_by_name(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            script = f"import socket; socket.create_connection(('127.0.0.1', {listener.getsockname()[1]})).close(); print('there')"
            text = self.refusal("net-closed", [PYTHON, "-c", script])
            self.assertIn("'sandbox: {network: true}'", text)
            self.cluster.add_filter("net-open", [PYTHON, "-c", script], sandbox={"network": True})
            self.assertEqual(self.cluster.read("in", "x", "&etl_name=net-open"), b"there\n")

    def test_objects_are_never_opened(self):
        answer = self.start_failure("all-open", {"read": ["/"]})
        self.assertIn("where the target keeps its objects", answer)
        self.assertIn("is not on this target", self.start_failure("absent", {"read": ["/no/such/folder"]}))

    def start_failure(self, name, sandbox):
        with self.assertRaises(Problem) as caught:
            self.cluster.add_filter(name, "cat", sandbox=sandbox)
            self.cluster.read("in", "x", f"&etl_name={name}")
        return caught.exception.document["detail"]


TEXT = b"".join(b"%d some words of a line, and a number %d\n" % (i, i * i % 97) for i in range(2000))
ORDINARY = {
    "gzip": "gzip -n -9",
    "xz": "xz -T1",
    "zstd": "zstd -q -c",
    "bzip2": "bzip2",
    "lz4": "lz4 -c",
    "brotli": "brotli -c",
    "sort": "sort -S 64K -k 6n",
    "sed": "sed s/words/letters/",
    "awk": "awk '{ n += $9 } END { print n }'",
    "gawk": "gawk '{ print NF }'",
    "cut": "cut -d' ' -f1",
    "tr": "tr a-z A-Z",
    "wc": "wc",
    "md5sum": "md5sum",
    "sha256sum": "sha256sum",
    "xxd": "xxd",
    "od": "od -c",
    "head": "head -n 3",
    "tail": "tail -n 3",
    "cat": "cat",
    "rev": "rev",
    "fold": "fold -w 20",
    "uniq": "uniq -c",
    "nl": "nl",
    "iconv": "iconv -f latin1 -t utf8",
    "base64": "base64",
    "openssl": "openssl dgst -sha3-256",
    "perl": "perl -ne 'print if /7/'",
    "python3": "python3 -c 'import sys, ssl, sqlite3, json, os; print(json.dumps(sys.stdin.read())[:99], os.cpu_count())'",
    "jq": "jq -R .",
    "sqlite3": "(echo 'create table t(a);'; sed 's/.*/insert into t values(\"&\");/'; echo 'select count(*) from t;') | sqlite3 db",
    "tar": "cat > file && tar --mtime=@0 --owner=0 --group=0 -c file",
    "git": "cat > f && git init -q . && git add f && git write-tree",
    "curl": "cat > f && curl -s file://$PWD/f",
    "busybox": "busybox md5sum",
    "split": "split -l 100 && cat x*",
    "tee": "tee /dev/stderr",
    "dd": "dd bs=1k status=none",
    "gpg": "gpg --batch --quiet --symmetric --passphrase x --s2k-count 1024 -o f.gpg && gpg --batch --quiet --decrypt --passphrase x f.gpg",
    "java": "cat > A.java; java A.java",
    "flac": "head -c 40000 | flac --totally-silent --force-raw-format --endian=little --sign=signed --channels=1 --bps=16 "
        "--sample-rate=8000 -c - | flac --totally-silent -d -c --force-raw-format --endian=little --sign=signed -",
    "ffmpeg": "ffmpeg -loglevel error -f s16le -ar 8000 -ac 1 -i - -f wav -bitexact -",
    "cjpeg": "(echo P5 200 200 255; head -c 40000) | cjpeg | djpeg -pnm",
    "find": "cat > f; find . -type f",
    "xargs": "xargs -n 3 echo",
    "bash": "bash -c 'cat <<< x'",
    "mktemp": "f=$(mktemp) && cat > $f && cat $f",
    "file": "file -",
    "diff": "cat > a; cp a b; diff a b",
    "date": "date -u -d @0",
    "mkfifo": "mkfifo p; exec 3<&0; cat <&3 > p & cat p",
}
JAVA = b'class A { public static void main(String[] a) throws Exception { System.out.println(java.time.ZoneId.of("Europe/Paris") + " " + ' \
       b'java.security.MessageDigest.getInstance("MD5")); } }\n'


class Ordinary(ClusterCase):
    targets = 1

    def test_programs_give_the_same_bytes_inside(self):
        self.cluster.create_bucket("in")
        self.cluster.put("in", "text", TEXT)
        self.cluster.put("in", "java", JAVA)
        for program, command in ORDINARY.items():
            with self.subTest(program):
                if shutil.which(shlex.split(program)[0]) is None:
                    self.skipTest("it is not installed")
                inside, outside = (self.result(program, command, sandbox) for sandbox in ("on", "off"))
                self.assertEqual(inside, outside)
                self.assertTrue(inside or program == "diff")

    def result(self, program, command, sandbox):
        name = f"is-{program}-{sandbox}"
        self.cluster.add_filter(name, command, sandbox=sandbox, obj_timeout="60s", env={"PATH": "/usr/local/bin:/usr/bin:/bin"})
        try:
            return self.cluster.read("in", "java" if program == "java" else "text", f"&etl_name={name}")
        finally:
            self.cluster.call("DELETE", f"/v1/transforms/{name}")


class Off(unittest.TestCase):
    def test_a_target_without_sandboxes_keeps_to_its_machine(self):
        with Cluster(BINARY, targets=1, target_settings={"sandbox": "off"}) as cluster:
            cluster.create_bucket("in")
            cluster.put("in", "x", b"x")
            with tempfile.NamedTemporaryFile(dir="/tmp") as file:
                cluster.add_filter("reader", f"wc -c < {file.name}")
                self.assertEqual(cluster.read("in", "x", "&etl_name=reader"), b"0\n")
            self.assertEqual(sandbox_of(cluster, "reader")["sandbox"], "off")
            self.assertIn("commands of transforms run with every right of this user", cluster.targets[0].log.read_text())
            target = cluster.targets[0]
            target.stop()
            target.configure({"proxy": f"file:{cluster.proxy.dir}/control_endpoint", "host": "0.0.0.0", "advertise": "127.0.0.1", "insecure": "true",
                              "sandbox": "off"})
            target.start()
            self.assertNotEqual(target.wait_end(), 0)
            self.assertIn("set 'host: 127.0.0.1'", target.log.read_text())


if __name__ == "__main__":
    unittest.main()
