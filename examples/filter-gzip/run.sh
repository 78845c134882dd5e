#!/usr/bin/env bash
# Compresses some logs with a job, and one of them on the fly. Usage: run.sh MILLRACE
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../begin.sh"

logs=$cluster_dir/logs
mkdir -p "$logs/web" "$logs/db"
for day in 01 02 03 04 05 06; do
  seq -f "2026-11-$day web request %g served" 1 "$((10#$day * 1500))" >"$logs/web/$day.log"
  seq -f "2026-11-$day db query %g took $((10#$day * 7)) ms" 1 200 >"$logs/db/$day.log"
done
: >"$logs/db/empty.log"

"$millrace" bucket create ais://logs
"$millrace" bucket create ais://packed
"$millrace" put "$logs" ais://logs
"$millrace" etl init -f "$here/gzip-logs.yaml"
"$millrace" job run gzip-logs ais://logs ais://packed --ext log:gz --timeout 1m

while read -r log; do
  "$millrace" get "ais://packed/${log%.log}.gz" -o - | cmp - <(gzip -n -9 <"$logs/$log") || wrong "${log%.log}.gz"
done < <(cd "$logs" && find . -name '*.log' -printf '%P\n')
[ "$("$millrace" ls ais://packed -o json | json 'len(d)')" = 13 ] || wrong "13 results were expected"

# The same transform, for one object and without a job. Nothing is stored.
"$millrace" get ais://logs/web/06.log --etl gzip-logs -o - | gunzip | cmp - "$logs/web/06.log" || wrong "inline"
echo "13 logs compressed as gzip does it, and one on the fly"
