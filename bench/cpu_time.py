"""The processor time that nodes have taken, in seconds."""
import os
import pathlib

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def fields_of(pid):
    """Of /proc/PID/stat, from the process's state on."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def cpu_seconds(nodes):
    """Of the nodes themselves."""
    return sum(int(ticks) for node in nodes for ticks in fields_of(node.process.pid)[11:13]) / TICKS_PER_SECOND


def cpu_seconds_of_families(nodes):
    """Of the nodes, of what they started, and of what has ended of that."""
    parents, ticks = {}, {}
    for folder in pathlib.Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = fields_of(folder.name)
        except OSError:
            continue  # it has ended meanwhile
        parents[int(folder.name)] = int(fields[1])
        ticks[int(folder.name)] = sum(int(field) for field in fields[11:15])
    heads = {node.process.pid for node in nodes}

    def is_ours(pid):
        while pid not in heads and pid in parents:
            pid = parents[pid]
        return pid in heads
    return sum(count for pid, count in ticks.items() if is_ours(pid)) / TICKS_PER_SECOND
