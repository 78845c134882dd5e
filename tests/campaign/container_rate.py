"""How much of what a transform's server can do reaches a job: objects per second of a job, as a share of what a load generator gets
straight from the same server, and of the framed stream as a multiple of HTTP to a FastAPI server. Echo of 4 KiB objects, one target.

    python3 tests/campaign/container_rate.py build/release/millrace --objects 20000

The servers run in containers. The load generator sends to the server from inside its network, on as many kept-alive connections as the
job uses. Interleaved rounds, medians. Needs wrk and nsenter (packages wrk and util-linux), and root.
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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster as rig  # noqa: E402
import containers  # noqa: E402

SDK = pathlib.Path(__file__).resolve().parents[2] / "sdk/python/millrace_transform.py"
STREAM = "from millrace_transform import serve\nserve(lambda data, name, args: data)\n"


def put_all(cluster, count):
    content = b"e" * 4096
    connection = http.client.HTTPConnection(cluster.targets[0].endpoint(), timeout=60)
    for index in range(count):
        connection.request("PUT", f"/v1/objects/src/object{index:06}", body=content)
        assert connection.getresponse().read() == b""


def direct_rate(pid, connections, seconds):
    """Objects per second that wrk gets with PUTs of 4 KiB."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write('wrk.method = "PUT"\nwrk.body = string.rep("e", 4096)\nwrk.path = "/src/object"\n')
        script.flush()
        done = subprocess.run(["nsenter", "-t", str(pid), "-n", "wrk", "-t", "2", "-c", str(connections), "-d", f"{seconds}s", "-s", script.name,
                               "http://127.0.0.1:8000/src/object"], capture_output=True, text=True, check=True)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1])


def job_rate(cluster, transform, round_number, workers, count):
    document = cluster.wait_job(cluster.submit(transform, "src", f"out-{transform}-{round_number}", num_workers=workers), seconds=600)
    assert document["state"] == "completed" and document["objects"]["done"] == count, document
    return count / document["elapsed_seconds"]


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--objects", type=int, default=20_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--workers", type=int, default=16)
    options = arguments.parse_args()
    stream = containers.image_from("stream-echo", {"/millrace_transform.py": SDK.read_text(), "/server.py": STREAM}, ["/usr/bin/python3", "-S", "/server.py"])
    aistore = containers.aistore_image()
    with rig.Cluster(options.binary, targets=1, target_settings={"container_engine": containers.engine()}) as cluster:
        cluster.create_bucket("src")
        put_all(cluster, options.objects)
        for server in ("fastapi", "flask", "http"):
            cluster.add_transform({"name": f"echo-{server}", "init_timeout": "1m", "runtime": {
                "image": aistore, "command": ["/usr/bin/python3", "/code/serve.py", "--server", server, "--transform", "echo"]}})
        cluster.add_transform({"name": "echo-stream", "communication": "stream://", "runtime": {"image": stream}})
        pids = {e["name"]: cluster.get(f"/v1/transforms/{e['name']}")["targets"][0]["pid"] for e in cluster.get("/v1/transforms")}
        rates = {}
        for number in range(options.rounds):
            for server in ("fastapi", "flask", "http"):
                rates.setdefault(f"{server} direct", []).append(direct_rate(pids[f"echo-{server}"], options.workers, 4))
                rates.setdefault(f"{server} job", []).append(job_rate(cluster, f"echo-{server}", number, options.workers, options.objects))
            rates.setdefault("stream job", []).append(job_rate(cluster, "echo-stream", number, 256, options.objects))
        middle = {name: statistics.median(values) for name, values in rates.items()}
        print(json.dumps({"objects_per_second": {n: [round(v) for v in values] for n, values in rates.items()},
                          "job_share_of_direct": {s: round(middle[f"{s} job"] / middle[f"{s} direct"], 2) for s in ("fastapi", "flask", "http")},
                          "stream_job_over_fastapi_job": round(middle["stream job"] / middle["fastapi job"], 2),
                          "stream_job_over_fastapi_direct": round(middle["stream job"] / middle["fastapi direct"], 2)}, indent=1))


if __name__ == "__main__":
    main()
