# Shell functions that start, disturb and stop a cluster of `millrace dev`; for the demo and the examples.
#
# To be sourced. The caller sets `millrace` (the binary) and `cluster_dir` (a new folder), and calls cluster_stop when it
# exits, however that happens. Only processes that were started here are ever signalled.

cluster_pids=()  # `millrace dev` and the targets that were started again

# The value of a Python expression over the JSON document `d` on standard input.
json() { python3 -c 'import json, sys; d = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

# eventually SECONDS COMMAND...: repeats the command until it succeeds; fails at the deadline.
eventually() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

# job_comes_to JOB SECONDS EXPRESSION: polls the job's document `d` until the Python expression holds; fails at the deadline.
job_comes_to() {
  python3 - "$MILLRACE_ENDPOINT/v1/jobs/$1" "$2" "$3" <<'PYTHON'
import json, signal, sys, time, urllib.request
signal.signal(signal.SIGINT, signal.SIG_DFL)  # the caller says that it was interrupted
url, seconds, expression = sys.argv[1:]
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # never through the environment's HTTP proxy
deadline = time.monotonic() + float(seconds)
while time.monotonic() < deadline:
    with opener.open(url, timeout=10) as reply:
        if eval(expression, {"d": json.load(reply)}):
            sys.exit(0)
    time.sleep(0.05)
sys.exit(1)
PYTHON
}

is_running() { kill -0 "$1" 2>/dev/null; }
is_gone() { ! is_running "$1"; }

# cluster_start TARGETS: a proxy and its targets, each a process of its own. Exports MILLRACE_ENDPOINT.
cluster_start() {
  setsid "$millrace" dev --dir "$cluster_dir/cluster" --port 0 --targets "$1" \
    </dev/null >"$cluster_dir/dev.out" 2>"$cluster_dir/dev.err" &
  cluster_pids=($!)
  if ! eventually 60 cluster_answered || ! cluster_is_ready; then
    echo "the cluster did not start:" >&2
    cat "$cluster_dir/dev.err" >&2
    return 1
  fi
  MILLRACE_ENDPOINT=$(sed -n 's/^millrace dev ready at //p' "$cluster_dir/dev.out")
  export MILLRACE_ENDPOINT
}
cluster_is_ready() { grep -q '^Ctrl-C' "$cluster_dir/dev.out"; }  # the last line that dev prints
cluster_answered() { cluster_is_ready || is_gone "${cluster_pids[0]}"; }

# cluster_node_pid NODE: the process that dev started for it.
cluster_node_pid() { awk -v node="$1" '$1 == node && $2 == "pid" {print $3}' "$cluster_dir/dev.out"; }

# cluster_start_again TARGET: what an operator does after a crash.
cluster_start_again() {
  setsid "$millrace" target --config "$cluster_dir/cluster/$1.yaml" </dev/null >>"$cluster_dir/cluster/$1.log" 2>&1 &
  cluster_pids+=($!)
}

# The last lines of every log, for an error message.
cluster_log_ends() {
  local log
  for log in "$cluster_dir"/dev.err "$cluster_dir"/cluster/*.log; do
    [ -s "$log" ] || continue
    echo "--- the end of $log"
    tail -n 8 "$log"
  done
}

# Returns when every process is gone: asks, and kills what has not ended after a while.
cluster_stop() {
  local i pid node
  for ((i = ${#cluster_pids[@]} - 1; i >= 0; --i)); do kill "${cluster_pids[i]}" 2>/dev/null || true; done
  for pid in "${cluster_pids[@]}"; do
    eventually 50 is_gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  # dev ends its nodes itself, unless it was killed.
  for node in $(awk '$2 == "pid" {print $3}' "$cluster_dir/dev.out" 2>/dev/null); do
    grep -qF "$cluster_dir/" "/proc/$node/cmdline" 2>/dev/null && kill -KILL "$node" 2>/dev/null || true
  done
  cluster_pids=()
}
