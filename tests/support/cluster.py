"""A real cluster for tests: one proxy and some targets as processes of their own, on loopback ports that are free.

Every node may be killed, started again, and started with a fault armed. Every wait is for an event and has a deadline.
"""
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.parse


class Failed(Exception):
    """The cluster did not do what a test waited for."""


class Problem(Exception):
    """An HTTP answer with a status of 400 or more."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body[:500]!r}")
        self.status = status
        self.body = body
        try:
            self.document = json.loads(body)
        except ValueError:
            self.document = {}


def wait_for(what, condition, seconds=60.0):
    """Polls until the condition gives something true, which it returns."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds:g} s for {what}")
        pause.wait(0.02)


class Node:
    def __init__(self, binary, verb, name, folder, settings):
        self.binary, self.verb, self.name = binary, verb, name
        self.dir = folder / name
        self.config = folder / f"{name}.yaml"
        self.log = folder / f"{name}.log"
        self.process = None
        self.prefix = []  # of its command line
        self.configure(settings)

    def configure(self, settings):
        self.config.write_text("".join(f"{key}: {value}\n" for key, value in {"dir": self.dir, **settings}.items()))

    def start(self, fault=None, environment=None):
        assert self.process is None, f"{self.name} runs already"
        (self.dir / "endpoint").unlink(missing_ok=True)
        env = {k: v for k, v in os.environ.items() if not k.startswith("MILLRACE_")}
        env.update(environment or {})
        if fault:
            env["MILLRACE_FAULT"] = fault
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.prefix, self.binary, self.verb, "--config", str(self.config)], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=env, start_new_session=True)

    def endpoint(self):
        """host:port, or None while it is not up."""
        try:
            text = (self.dir / "endpoint").read_text().strip()
        except FileNotFoundError:
            return None
        return text.removeprefix("http://").removeprefix("https://") or None

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL, as a power cut to this process alone."""
        self.process.send_signal(signal.SIGKILL)
        self.wait_end()

    def wait_end(self, seconds=30.0):
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired as late:
            raise Failed(f"{self.name} did not end") from late
        self.process = None
        return status

    def stop(self, seconds=40.0):
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end(seconds)

    def resident_bytes(self, peak=False):
        field = "VmHWM:" if peak else "VmRSS:"
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
        return 0


class Cluster:
    def __init__(self, binary, targets=3, folder=None, proxy_settings=None, target_settings=None):
        self.binary = str(binary)
        self.authority = None  # file of the certificate by which nodes are believed; None: they speak plain HTTP
        self.token = None  # shown with every request and by the command, where the cluster asks for one
        self.owns_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="millrace-test-"))
        self.proxy = Node(self.binary, "proxy", "proxy", self.folder, {"port": 0, **(proxy_settings or {})})
        control = f"file:{self.proxy.dir}/control_endpoint"
        self.targets = [Node(self.binary, "target", f"t{i + 1}", self.folder, {"id": f"t{i + 1}", "proxy": control, **(target_settings or {})})
                        for i in range(targets)]

    @property
    def nodes(self):
        return [self.proxy, *self.targets]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, error, trace):
        if error is not None:
            self.print_logs()
        self.close()

    def start(self):
        for node in self.nodes:
            if not node.alive():
                node.start()
        self.wait_ready()

    def wait_ready(self, seconds=60.0):
        wait_for("the cluster to be ready", self.is_ready, seconds)

    def wait_online(self):
        """Every target, whether or not it can be asked."""
        wait_for("every target to be online", lambda: sum(t["online"] for t in self.get("/v1/cluster")["targets"]) == len(self.targets))

    def is_ready(self):
        for node in self.nodes:
            if not node.alive():
                raise Failed(f"{node.name} ended with status {node.process and node.process.returncode}:\n{tail(node.log)}")
            if not node.endpoint():
                return False
        try:
            online = [t for t in self.get("/v1/cluster")["targets"] if t["online"]]
            healthy = all(self.request("GET", "/health", node=t)[0] == 200 for t in self.targets)
        except (OSError, http.client.HTTPException, Problem):
            return False
        return len(online) == len(self.targets) and healthy

    def close(self):
        for node in reversed(self.nodes):
            if node.process is not None:
                try:
                    node.stop()
                except Failed:
                    node.kill()
        if self.owns_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def print_logs(self):
        for node in self.nodes:
            print(f"---- {node.log}\n{tail(node.log)}")

    # ---- HTTP

    def connect(self, endpoint, timeout=180):
        if self.authority is None:
            return http.client.HTTPConnection(endpoint, timeout=timeout)
        return http.client.HTTPSConnection(endpoint, timeout=timeout, context=ssl.create_default_context(cafile=self.authority))

    @property
    def url(self):
        return f"{'https' if self.authority else 'http'}://{self.proxy.endpoint()}"

    def request(self, method, path, body=None, headers=None, node=None, timeout=180):
        """One request without redirects: (status, headers, body)."""
        endpoint = (node or self.proxy).endpoint()
        if endpoint is None:
            raise ConnectionRefusedError(f"{(node or self.proxy).name} has no endpoint yet")
        connection = self.connect(endpoint, timeout)
        try:
            token = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            connection.request(method, path, body=body, headers={**token, **(headers or {})})
            reply = connection.getresponse()
            return reply.status, reply.headers, reply.read()
        finally:
            connection.close()

    def call(self, method, path, document=None, headers=None):
        body = None if document is None else json.dumps(document).encode()
        status, _, answer = self.request(method, path, body, headers)
        if status >= 400:
            raise Problem(status, answer)
        return json.loads(answer) if answer else None

    def get(self, path):
        return self.call("GET", path)

    def create_bucket(self, bucket, **value):
        self.call("POST", f"/v1/buckets/{bucket}", {"action": "create-bck", "value": value or None})

    def object_path(self, bucket, name, query=""):
        return f"/v1/objects/{bucket}/{urllib.parse.quote(name)}?redirect=no{query}"

    def put(self, bucket, name, content, headers=None):
        status, _, answer = self.request("PUT", self.object_path(bucket, name), content, headers)
        if status >= 400:
            raise Problem(status, answer)

    def read(self, bucket, name, query=""):
        status, _, answer = self.request("GET", self.object_path(bucket, name, query))
        if status >= 400:
            raise Problem(status, answer)
        return answer

    def list(self, bucket, prefix=""):
        names, token = [], ""
        while True:
            query = urllib.parse.urlencode({"prefix": prefix, "pagesize": 5000, "continuation_token": token})
            page = self.get(f"/v1/buckets/{bucket}?{query}")
            names += [entry["name"] for entry in page["entries"]]
            token = page["continuation_token"]
            if not token:
                return names

    def open_sandbox(self, specification):
        """What tests need beyond what a command may: one that leaves marks beside the cluster is not locked up, servers of tests lie here."""
        if "sandbox" in specification or not {"cmd", "command"} & set(specification):
            return specification
        if str(self.folder) in json.dumps(specification):
            return {**specification, "sandbox": "off"}
        if "command" in specification:
            return {**specification, "sandbox": {"read": [str(pathlib.Path(__file__).resolve().parent)]}}
        return specification

    def add_transform(self, specification):
        specification = self.open_sandbox(specification)
        status, _, answer = self.request("PUT", "/v1/transforms", json.dumps(specification).encode())
        if status >= 400:
            raise Problem(status, answer)
        return json.loads(answer)

    def add_filter(self, name, command, **more):
        return self.add_transform({"name": name, "cmd": command, **more})

    # ---- jobs

    def submit(self, transform, source, destination, **more):
        return self.call("POST", "/v1/jobs", {"transform": transform, "source": f"ais://{source}", "destination": f"ais://{destination}", **more})["id"]

    def job(self, job):
        return self.get(f"/v1/jobs/{job}")

    def command(self, job, verb):
        return self.call("POST", f"/v1/jobs/{job}/{verb}")

    TERMINAL = ("completed", "completed_with_errors", "failed", "cancelled")

    def end_job(self, job):
        """Cancels it, unless it ended by itself."""
        try:
            self.command(job, "cancel")
        except Problem as problem:
            if problem.status != 409:
                raise
        self.wait_job(job)

    def wait_job(self, job, states=TERMINAL, seconds=60.0):
        """The job document once it is in one of the states. Survives a proxy that is away for a while."""
        def look():
            try:
                document = self.job(job)
            except (OSError, http.client.HTTPException):
                return None
            return document if document["state"] in states else None
        return wait_for(f"job {job} to be {' or '.join(states)}", look, seconds)

    def errors(self, job):
        rows, cursor = [], ""
        while True:
            page = self.get(f"/v1/jobs/{job}/errors?limit=500&cursor={urllib.parse.quote(cursor, safe='')}")
            assert not page["unreachable"], page["unreachable"]
            rows += page["errors"]
            cursor = page["cursor"]
            if not cursor:
                return rows

    def metric(self, name, nodes=None):
        """Of all labels and all targets, or these nodes, since they started; unlike a job's counters it moves at once."""
        total = 0.0
        for node in nodes or self.targets:
            text = self.request("GET", "/metrics", node=node)[2].decode()
            total += sum(float(v) for v in re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.M))
        return total

    # ---- the command

    def run(self, *arguments, stdin=None, timeout=120):
        """The millrace command against this cluster: (exit status, stdout, stderr)."""
        env = {**os.environ, "MILLRACE_ENDPOINT": self.url}
        if self.authority:
            env["MILLRACE_CA"] = str(self.authority)
        if self.token:
            env["MILLRACE_TOKEN"] = self.token
        done = subprocess.run([self.binary, *map(str, arguments)], input=stdin, capture_output=True, env=env, timeout=timeout, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


def tail(path, lines=25):
    try:
        return "\n".join(pathlib.Path(path).read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
