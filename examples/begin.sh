# What the examples begin with: a new folder, and a cluster of two targets that ends with the script. To be sourced with the
# script's arguments.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools/cluster.sh"

millrace=$(realpath "${1:?usage: run.sh MILLRACE, such as: run.sh build/release/millrace}")
cluster_dir=$(mktemp -d "${TMPDIR:-/tmp}/millrace-example.XXXXXX")
chmod o+x "$cluster_dir"  # in its sandbox a program that is built in here is another user

end() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  [ "$status" -eq 0 ] || cluster_log_ends >&2
  cluster_stop
  rm -rf "$cluster_dir"
  exit "$status"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

wrong() { echo "wrong: $*" >&2; exit 1; }

cluster_start 2
