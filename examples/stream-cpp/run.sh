#!/usr/bin/env bash
# Halves some images with a job. Usage: run.sh MILLRACE [PROGRAM]
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../begin.sh"

program=$(realpath "${2:-$cluster_dir/pgm_half}")
if [ $# -lt 2 ]; then "${CXX:-c++}" -std=c++17 -O2 -I "$here/../.." "$here/pgm_half.cc" -o "$program" -pthread; fi

images=$cluster_dir/images
expected=$cluster_dir/expected
mkdir "$images" "$expected"
python3 - "$images" "$expected" <<'PYTHON'
import sys
for i in range(1, 101):
    width, height = 2 + i, 2 + i // 2
    rows = [bytes((x * i + y * y) % 256 for x in range(width)) for y in range(height)]
    with open(f"{sys.argv[1]}/image{i:03}.pgm", "wb") as file:
        file.write(b"P5\n%d %d\n255\n" % (width, height) + b"".join(rows))
    halves = [bytes((a[x] + a[x + 1] + b[x] + b[x + 1]) // 4 for x in range(0, width - 1, 2)) for a, b in zip(rows[::2], rows[1::2])]
    with open(f"{sys.argv[2]}/image{i:03}.pgm", "wb") as file:
        file.write(b"P5\n%d %d\n255\n" % (width // 2, height // 2) + b"".join(halves))
PYTHON
echo "this is not an image" >"$images/notes.pgm"

"$millrace" bucket create ais://images
"$millrace" bucket create ais://halves
"$millrace" put "$images" ais://images
sed "s|@PROGRAM@|$program|" "$here/pgm-half.yaml" | "$millrace" etl init -f -

status=0
job=$("$millrace" job run pgm-half ais://images ais://halves --timeout 1m) || status=$?
[ "$status" -eq 1 ] || wrong "exit status $status; 1 was expected: finished, with a failed object"
errors=$("$millrace" job errors "$job" -o json | json '[(e["object"], e["code"]) for e in d]')
[ "$errors" = "[('ais://images/notes.pgm', 'rejected')]" ] || wrong "the errors are $errors"

for file in "$expected"/*.pgm; do
  "$millrace" get "ais://halves/${file##*/}" -o - | cmp - "$file" || wrong "${file##*/}"
done
echo "100 images halved, one text refused"
