"""How much of what a transform's server can do reaches a job: objects per second of a job, as a share of what a load generator (wrk)
gets straight from the same server, for echo servers in Python and in C++ and several sizes of objects; one target.

    python3 bench/efficiency.py build/release/millrace [--servers fastapi,flask,http,cpp,stream] [--bytes 4KiB,64KiB,1MiB]

The Python servers are those of AIStore's SDK, with one process, so that the load generator or the target has a core for itself on
small machines. FastAPI runs as in AIStore's published specifications: without a line in its log for every request (see --access-log).
They run in containers, and the load generator sends from inside their network, on as many kept-alive connections as the job uses.
Interleaved rounds, medians. Needs wrk, nsenter, and root.
"""
import argparse
import http.client
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

TREE = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests/support"))
import cluster as rig  # noqa: E402
import containers  # noqa: E402
from warm_memory import warm  # noqa: E402

SDK = TREE / "sdk/python/millrace_transform.py"
STREAM = "from millrace_transform import serve\nserve(lambda data, name, args: data)\n"
UNITS = {"KiB": 2**10, "MiB": 2**20}
LOAD_BYTES = 256 * 2**20  # of source objects, at most


def bytes_of(text):
    return int(text[:-3]) * UNITS[text[-3:]] if text[-3:] in UNITS else int(text)


def cpp_image(binary):
    program = pathlib.Path(binary).parent / "bench/echo_server"
    return containers.image_from("cpp-echo", {"/echo_server": program.read_bytes()}, ["/echo_server", "8000"], base="scratch")


def specification(server, options):
    if server == "cpp":
        return {"runtime": {"image": cpp_image(options.binary)}}
    if server == "stream":
        files = {"/millrace_transform.py": SDK.read_text(), "/server.py": STREAM}
        image = containers.image_from("stream-echo", files, ["/usr/bin/python3", "-S", "/server.py"])
        return {"communication": "stream://", "runtime": {"image": image}}
    command = ["/usr/bin/python3", "/code/serve.py", "--server", server, "--transform", "echo", "--workers", str(options.processes)]
    if server == "fastapi" and not options.access_log:
        command.append("--no-access-log")
    return {"runtime": {"image": containers.aistore_image(), "command": command}}


def put_all(cluster, bucket, size, count):
    content = b"e" * size
    connection = http.client.HTTPConnection(cluster.targets[0].endpoint(), timeout=60)
    for index in range(count):
        connection.request("PUT", f"/v1/objects/{bucket}/object{index:06}", body=content)
        assert connection.getresponse().read() == b""


def direct_rate(pid, connections, size, seconds):
    """Objects per second that wrk gets with PUTs."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method = "PUT"\nwrk.body = string.rep("e", {size})\nwrk.path = "/src/object"\n')
        script.flush()
        done = subprocess.run(["nsenter", "-t", str(pid), "-n", "wrk", "-t", "2", "-c", str(connections), "-d", f"{seconds}s", "-s", script.name,
                               "http://127.0.0.1:8000/src/object"], capture_output=True, text=True, check=True)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])


def job_rate(cluster, transform, bucket, workers, count, round_number):
    """Into a bucket of its own: removing the files of many objects would slow the next round down, on ext4."""
    warm(8 * LOAD_BYTES)
    document = cluster.wait_job(cluster.submit(transform, bucket, f"{bucket}-{transform}-{round_number}", num_workers=workers), seconds=600)
    assert document["state"] == "completed" and document["objects"]["done"] == count, document
    return count / document["elapsed_seconds"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--servers", default="fastapi,flask,http,cpp,stream")
    arguments.add_argument("--bytes", default="4KiB,64KiB,1MiB")
    arguments.add_argument("--objects", type=int, default=20_000, help="at most, and less of large ones")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--workers", type=int, default=32, help="objects in flight; ten times as many for the framed stream")
    arguments.add_argument("--processes", type=int, default=1, help="of FastAPI and Flask")
    arguments.add_argument("--access-log", action="store_true", help="FastAPI as it is by default")
    options = arguments.parse_args()
    servers = options.servers.split(",")
    with rig.Cluster(options.binary, targets=1, target_settings={"container_engine": containers.engine()}) as cluster:
        for server in servers:
            cluster.add_transform({"name": f"echo-{server}", "init_timeout": "1m", **specification(server, options)})
        rows = []
        for size_text in options.bytes.split(","):
            size = bytes_of(size_text)
            count = max(100, min(options.objects, LOAD_BYTES // size))
            bucket = f"src-{size}"
            cluster.create_bucket(bucket)
            put_all(cluster, bucket, size, count)
            rates = {}
            for number in range(options.rounds):
                for server in servers:
                    transform = f"echo-{server}"
                    workers = options.workers * (10 if server == "stream" else 1)
                    if server != "stream":
                        pid = cluster.get(f"/v1/transforms/{transform}")["targets"][0]["pid"]
                        rates.setdefault((server, "direct"), []).append(direct_rate(pid, options.workers, size, 3))
                    rates.setdefault((server, "job"), []).append(job_rate(cluster, transform, bucket, workers, count, number))
            for server in servers:
                row = {"server": server, "size": size_text, "job": round(statistics.median(rates[server, "job"]))}
                if server != "stream":
                    row["direct"] = round(statistics.median(rates[server, "direct"]))
                    row["share"] = round(statistics.median(j / d for j, d in zip(rates[server, "job"], rates[server, "direct"])), 2)
                row["rates"] = {kind: [round(v) for v in values] for (name, kind), values in rates.items() if name == server}
                rows.append(row)
                print(json.dumps(row), flush=True)
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
