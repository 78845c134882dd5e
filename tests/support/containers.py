"""Containers for tests: an engine of their own, and images that are built here without any registry of images.

The engine is Podman's Docker-compatible service with its own configuration and storage, so it neither sees nor touches
the containers of the machine. Images are kept in build/containers (or $MILLRACE_CONTAINER_CACHE) and built again when
their recipe changes. Where containers cannot run, everything here raises unittest.SkipTest with the reason.
"""
import atexit
import contextlib
import fcntl
import functools
import hashlib
import http.client
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import tempfile
import unittest

import cluster

TREE = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("MILLRACE_CONTAINER_CACHE") or TREE / "build/containers").resolve()
IMAGES = pathlib.Path(__file__).resolve().parent / "images"
PYTHON = pathlib.Path("/usr/bin/python3")
AISTORE = "aistore[etl]==2.0.0"
PREFIX = "localhost/millrace-test/"
RECIPE_LABEL = "millrace-test.recipe"
NOT_NEEDED = ("test", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "config-*", "dist-packages")

# The cache may be of several trees: what must not be shared between engines has a number of its own.
_NUMBER = hashlib.sha256(str(CACHE).encode()).digest()
# Storage that must not outlive a reboot, on a short path.
VOLATILE = pathlib.Path("/run" if os.access("/run", os.W_OK) else tempfile.gettempdir()) / f"millrace-test-{_NUMBER.hex()[:8]}"

# Podman asks for limits of a million unless told otherwise, which fails where ours are lower and cannot be raised. runc,
# because crun refuses cgroups of both versions side by side. cgroupfs, because there may be no systemd.
CONFIGURATION = """\
[containers]
default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]
log_driver = "k8s-file"
netns = "none"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
runtime = "runc"
tmp_dir = "{volatile}/libpod"
[network]
default_subnet = "10.89.{subnet}.0/24"
network_backend = "netavark"
network_config_dir = "{cache}/networks"
"""


def no_containers(reason):
    return unittest.SkipTest(f"no container engine can run here: {reason}")


def _limit(kind, wanted):
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)


@functools.cache
def _podman_start():
    """How every podman command of these tests begins, and its environment."""
    for program, package in (("podman", "podman"), ("runc", "runc")):
        if not shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
            raise no_containers(f"{program} is not installed; tools/setup --tests installs {package}")
    CACHE.mkdir(parents=True, exist_ok=True)
    VOLATILE.mkdir(mode=0o700, exist_ok=True)
    text = CONFIGURATION.format(files=_limit(resource.RLIMIT_NOFILE, 16384), processes=_limit(resource.RLIMIT_NPROC, 4096),
                                volatile=VOLATILE, cache=CACHE, subnet=_NUMBER[0])
    configuration = CACHE / "containers.conf"
    if not configuration.exists() or configuration.read_text() != text:
        fresh = configuration.with_suffix(f".{os.getpid()}")
        fresh.write_text(text)
        fresh.rename(configuration)
    environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}
    environment["PATH"] = f"{environment.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    for name in ("CONTAINER_HOST", "DOCKER_HOST"):
        environment.pop(name, None)
    # skip_mount_home: the storage stays an ordinary folder, which can be removed.
    return ["podman", "--root", str(CACHE / "storage"), "--runroot", str(VOLATILE / "storage"),
            "--storage-driver", "overlay", "--storage-opt", "overlay.skip_mount_home=true"], environment


def podman(*arguments, check=True, seconds=300):
    """A podman command on the engine of the tests: its output as text, or None if it failed and check is false."""
    start, environment = _podman_start()
    done = subprocess.run([*start, *map(str, arguments)], env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="replace", timeout=seconds, cwd=VOLATILE)
    if done.returncode == 0:
        return done.stdout.strip()
    if check:
        raise RuntimeError(f"podman {arguments[0]}: {done.stderr.strip()[-2000:]}")
    return None


@contextlib.contextmanager
def _one_at_a_time():
    """Of all test processes that share the cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(name, recipe, fill, instructions, base):
    """Builds the image unless one of this recipe is there. fill(folder) writes what is laid over the base."""
    image = name if "/" in name else PREFIX + name
    recipe_digest = hashlib.sha256("\n".join([recipe, base, *instructions]).encode()).hexdigest()[:32]

    def is_there():
        return podman("image", "inspect", "--format", f'{{{{index .Labels "{RECIPE_LABEL}"}}}}', image, check=False) == recipe_digest

    if is_there():
        return image
    with _one_at_a_time():
        if is_there():
            return image
        with tempfile.TemporaryDirectory(prefix="image-", dir=CACHE) as folder:
            context = pathlib.Path(folder)
            content = context / "content"
            content.mkdir()
            fill(content)
            (context / "Containerfile").write_text("\n".join(
                [f"FROM {base}", "COPY content/ /", *instructions, f"LABEL {RECIPE_LABEL}={recipe_digest}", ""]))
            podman("build", "--quiet", "--pull=never", "--isolation", "chroot", "--layers=false", "--tag", image, context)
        podman("image", "prune", "--force")
    return image


def _of_file(path):
    status = path.stat()
    return f"{path} {status.st_size} {status.st_mtime_ns}"


def _here():
    return pathlib.Path(__file__).read_text()


def _libraries_of(files):
    """The shared libraries that the files need, whole paths."""
    listing = subprocess.run(["ldd", *files], capture_output=True, text=True, check=False).stdout
    words = (word for line in listing.splitlines() for word in line.split() if not line.endswith(":"))
    return {word for word in words if word.startswith("/")}


def _copy(source, content, to=None):
    """A file or folder into the image's content, readable by every user; links become what they point to."""
    to = content / str(to or source).lstrip("/")
    to.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, to, ignore=shutil.ignore_patterns(*NOT_NEEDED), ignore_dangling_symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, to)
    for path in (to, *to.rglob("*")) if to.is_dir() else (to,):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def _copy_libraries(files, content):
    for library in sorted(_libraries_of(files)):
        folder, name = os.path.split(library)
        target = f"{os.path.realpath(folder)}/{name}"
        if not (content / target.lstrip("/")).exists():
            _copy(pathlib.Path(library), content, target)


def _fill_base(content):
    for folder in ("usr/bin", "usr/lib", "usr/lib64", "etc", "proc", "sys", "dev", "run", "tmp"):
        (content / folder).mkdir(parents=True)
    for name in ("bin", "lib", "lib64"):
        (content / name).symlink_to(f"usr/{name}")
    (content / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    (content / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\n")
    shutil.copy2("/bin/busybox", content / "usr/bin/busybox")
    for tool in ("sh", "cat", "echo", "env", "false", "id", "kill", "ls", "md5sum", "sleep", "test", "true", "wget"):
        (content / "usr/bin" / tool).symlink_to("busybox")
    (content / "tmp").chmod(0o1777)


def _fill_python(content):
    _fill_base(content)
    program = PYTHON.resolve()
    library = pathlib.Path("/usr/lib") / program.name
    _copy(program, content)
    _copy(library, content)
    for name in ("python3", "python"):
        (content / "usr/bin" / name).symlink_to(program.name)
    _copy_libraries([program, *library.glob("lib-dynload/*.so")], content)


def shell_image():
    """A shell and the usual small tools (busybox), in a few megabytes."""
    with _skip_unless_it_runs():
        return _build("shell", _of_file(pathlib.Path("/bin/busybox")) + _here(), _fill_base, ['CMD ["/bin/sh"]'], "scratch")


def python_image():
    """The machine's own Python with its standard library, and a shell."""
    engine()
    return _build("python", _of_file(PYTHON.resolve()) + _here(), _fill_python, ['CMD ["/usr/bin/python3"]'], "scratch")


def aistore_venv():
    """The folder of a virtual environment that holds the AIStore SDK and its web frameworks, from the Python registry."""
    folder = CACHE / "aistore"
    ready = folder / "ready"
    wanted = f"{AISTORE} {_of_file(PYTHON.resolve())}"
    with _one_at_a_time():
        if ready.exists() and ready.read_text() == wanted:
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        for command in ([PYTHON, "-m", "venv", folder], [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check", AISTORE]):
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=600, check=False)
            if done.returncode != 0:
                said = (done.stderr or done.stdout).strip().splitlines() or ["no word why"]
                raise unittest.SkipTest(f"{AISTORE} cannot be installed from the Python registry (is it reachable?): {said[-1]}")
        ready.write_text(wanted)
    return folder


def beside_aistore(*requirements):
    """A folder with more packages of the registry for the Python of aistore_venv(), which is not changed."""
    venv = aistore_venv()
    folder = CACHE / ("with-" + "-".join(requirements))
    with _one_at_a_time():
        if not folder.exists():
            fresh = folder.with_suffix(".fresh")
            shutil.rmtree(fresh, ignore_errors=True)
            done = subprocess.run([venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", fresh, *requirements],
                                  capture_output=True, text=True, errors="replace", timeout=300, check=False)
            if done.returncode != 0:
                said = (done.stderr or done.stdout).strip().splitlines() or ["no word why"]
                raise unittest.SkipTest(f"{', '.join(requirements)} cannot be installed from the Python registry (is it reachable?): {said[-1]}")
            fresh.rename(folder)
    return folder


def aistore_image():
    """python_image() with the AIStore SDK and images/aistore_servers.py as /code/serve.py; runs FastAPI's echo unless told."""
    base = python_image()
    venv = aistore_venv()
    servers = IMAGES / "aistore_servers.py"

    def fill(content):
        site = next(venv.glob("lib/python3*/site-packages"))
        _copy(site, content, "/site")
        _copy(servers, content, "/code/serve.py")
        _copy_libraries(list(site.rglob("*.so*")), content)
        for script, call in (("uvicorn", "uvicorn.main"), ("gunicorn", "gunicorn.app.wsgiapp")):
            name = "main" if script == "uvicorn" else "run"
            path = content / "usr/bin" / script
            path.parent.mkdir(parents=True, exist_ok=True)
            # A worker imports what started it once more, and must not start everything again.
            path.write_text(f"#!/usr/bin/python3\nimport sys\nfrom {call} import {name}\nif __name__ == '__main__':\n    sys.exit({name}())\n")
            path.chmod(0o755)

    return _build("aistore", servers.read_text() + (venv / "ready").read_text() + _here(), fill,
                  ["ENV PYTHONPATH=/site:/code PYTHONUNBUFFERED=1", "WORKDIR /code", "EXPOSE 8000",
                   'CMD ["/usr/bin/python3", "/code/serve.py"]'], base)


def runtime_python_image():
    """The image that the SDK's init_class asks for, under AIStore's name and for the Python of this machine: it gets pip
    and the machine's certificates, so that it can install what a class depends on."""
    base = aistore_image()
    served = IMAGES / "runtime_python.py"
    certificates = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")

    def fill(content):
        _copy(served, content, "/code/runtime_python.py")
        if certificates.exists():
            _copy(certificates, content)

    name = f"docker.io/aistorage/runtime_python:{PYTHON.resolve().name.removeprefix('python')}"
    recipe = served.read_text() + (podman("image", "inspect", "--format", "{{.Id}}", base, check=False) or "")
    # The machine's Python is the system's and the SDK came beside it: both are the image's own here.
    return _build(name, recipe, fill, [f"ENV PIP_BREAK_SYSTEM_PACKAGES=1 PIP_CERT={certificates} SSL_CERT_FILE={certificates}",
                                       'CMD ["/usr/bin/python3", "/code/runtime_python.py"]'], base)


def image_from(name, files, command, base=None, user=None):
    """A small image: files is {path: text or bytes}, laid over the base (python_image() if None); the command is its CMD."""
    base = base or python_image()
    contents = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}

    def fill(content):
        for path, data in contents.items():
            file = content / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod(0o755)

    recipe = repr(sorted(contents.items())) + (podman("image", "inspect", "--format", "{{.Id}}", base, check=False) or "")
    return _build(name, recipe, fill, [f"CMD {json.dumps(list(command))}", *([f"USER {user}"] if user else [])], base)


@contextlib.contextmanager
def _skip_unless_it_runs():
    try:
        yield
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise no_containers(str(error)) from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def call(method, target, body=None):
    """A request to the engine's Docker-compatible API: its status and the JSON (or text) that it answers."""
    connection = _UnixConnection(engine())
    try:
        connection.request(method, f"/v1.41{target}", json.dumps(body) if body is not None else None,
                           {"Content-Type": "application/json"})
        reply = connection.getresponse()
        text = reply.read().decode(errors="replace")
    finally:
        connection.close()
    try:
        return reply.status, json.loads(text)
    except ValueError:
        return reply.status, text


def _answers(path):
    connection = _UnixConnection(path)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@functools.cache
def _started():
    """The socket, or the reason why there is none; tried once per process."""
    try:
        image = shell_image()
        with _skip_unless_it_runs():
            podman("run", "--rm", "--network", "none", "--memory", "64m", "--pids-limit", "16", "--read-only", "--cap-drop", "all",
                   "--security-opt", "no-new-privileges", "--user", "65534", image, "/bin/true", seconds=60)
    except unittest.SkipTest as skip:
        return None, str(skip)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-engine-"))
    path = str(folder / "podman.sock")
    start, environment = _podman_start()
    # setpriv: the service dies with this process, however that ends. The folder is where conmon leaves notes of containers.
    with open(folder / "log", "wb") as log:
        service = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", *start, "system", "service", "--time", "0", f"unix://{path}"],
                                   env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)

    def close():
        service.terminate()
        try:
            service.wait(10)
        except subprocess.TimeoutExpired:
            service.kill()
            service.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(close)
    with contextlib.suppress(cluster.Failed):
        cluster.wait_for("the engine", lambda: _answers(path) or service.poll() is not None, 30)
    if not _answers(path):
        said = (folder / "log").read_text(errors="replace").strip()
        return None, str(no_containers(f"podman system service does not answer: {said[-500:] or 'no word why'}"))
    return path, None


def engine():
    """The path of the socket of an engine that runs containers; it lives as long as this process."""
    path, reason = _started()
    if path is None:
        raise unittest.SkipTest(reason)
    return path


if __name__ == "__main__":
    print(engine(), python_image(), aistore_image(), runtime_python_image(), sep="\n")
