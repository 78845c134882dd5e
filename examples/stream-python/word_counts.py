"""A transform in Python: a text in, a line of JSON about it out. Speaks the stream protocol through sdk/python."""
import json

from millrace_transform import Reject, serve


def transform(data, name, args):
    try:
        text = data.decode()
    except UnicodeDecodeError as why:
        raise Reject(f"not UTF-8: {why}")
    counts = {"bytes": len(data), "lines": text.count("\n"), "words": len(text.split())}
    return json.dumps(counts, sort_keys=True, indent=2 if args == "indent" else None) + "\n"


serve(transform)
