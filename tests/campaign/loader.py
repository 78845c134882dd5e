"""Many objects into a cluster and their outputs out of it, over a few threads. Shared by the campaigns.

Every content is a function of its index, so nothing is kept in memory and outputs are checked against a second computation.
"""
import concurrent.futures
import http.client
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster as rig  # noqa: E402


def contents(index, seed):
    """1 to 64 KiB, every object another content."""
    chance = random.Random(f"{seed}/{index}")
    size = int(1024 * 64 ** chance.random())
    block = chance.randbytes(256)
    return (block * (size // 256 + 1))[:size]


def names(count):
    return [f"part{i % 50:02d}/object-{i:06d}.bin" for i in range(count)]


def per_target(cluster, work, items):
    """Calls work(connection of each target by id, item) for all items from a few threads."""
    def run(chunk):
        connections = {t.name: http.client.HTTPConnection(t.endpoint(), timeout=60) for t in cluster.targets}
        return [work(connections, item) for item in chunk]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return [r for part in pool.map(run, [items[i::4] for i in range(4)]) for r in part]


def exchange(connections, method, path, body=None):
    """Follows at most one redirect between targets."""
    target = next(iter(connections))
    for _ in range(2):
        connection = connections[target]
        connection.request(method, path, body=body)
        reply = connection.getresponse()
        answer = reply.read()
        if reply.status not in (301, 307):
            return reply.status, answer
        host = reply.headers["Location"].removeprefix("http://").split("/")[0]
        target = next(name for name, c in connections.items() if f"{c.host}:{c.port}" == host)
    raise rig.Failed("redirected twice")


def load(cluster, bucket, all_names, content):
    """Stores content(index) under the name of each index."""
    def put(connections, item):
        status, answer = exchange(connections, "PUT", f"/v1/objects/{bucket}/{item[1]}", content(item[0]))
        assert status == 200, answer
    per_target(cluster, put, list(enumerate(all_names)))


def wrong_outputs(cluster, bucket, all_names, expected):
    """The names whose output is not expected(index); None expects that there is none."""
    def check(connections, item):
        status, answer = exchange(connections, "GET", f"/v1/objects/{bucket}/{item[1]}")
        wanted = expected(item[0])
        return None if (status == 404 if wanted is None else (status, answer) == (200, wanted)) else item[1]
    return [name for name in per_target(cluster, check, list(enumerate(all_names))) if name is not None]
