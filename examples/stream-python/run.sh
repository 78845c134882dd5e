#!/usr/bin/env bash
# Counts the words of some texts with a job, and of one on the fly. Usage: run.sh MILLRACE
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../begin.sh"
sdk=$(cd "$here/../../sdk/python" && pwd)

texts=$cluster_dir/texts
expected=$cluster_dir/expected
mkdir "$texts" "$expected"
python3 - "$texts" "$expected" <<'PYTHON'
import json, sys
for i in range(1, 201):
    text = "".join(f"line {n} of text {i}\n" for n in range(i))
    with open(f"{sys.argv[1]}/text{i:03}.txt", "w") as file:
        file.write(text)
    with open(f"{sys.argv[2]}/text{i:03}.json", "w") as file:
        file.write(json.dumps({"bytes": len(text), "lines": i, "words": 5 * i}) + "\n")
PYTHON
printf 'caf\xe9' >"$texts/latin1.txt"

"$millrace" bucket create ais://texts
"$millrace" bucket create ais://counts
"$millrace" put "$texts" ais://texts
sed -e "s|@FOLDER@|$here|" -e "s|@SDK@|$sdk|" "$here/word-counts.yaml" | "$millrace" etl init -f -

status=0
job=$("$millrace" job run word-counts ais://texts ais://counts --ext txt:json --timeout 1m) || status=$?
[ "$status" -eq 1 ] || wrong "exit status $status; 1 was expected: finished, with a failed object"
errors=$("$millrace" job errors "$job" -o json | json '[(e["object"], e["code"]) for e in d]')
[ "$errors" = "[('ais://texts/latin1.txt', 'rejected')]" ] || wrong "the errors are $errors"

for file in "$expected"/*.json; do
  "$millrace" get "ais://counts/${file##*/}" -o - | cmp - "$file" || wrong "${file##*/}"
done
"$millrace" get ais://texts/text007.txt --etl word-counts --args indent -o - | cmp - <(python3 -m json.tool --indent 2 "$expected/text007.json") || wrong "inline"
echo "200 texts counted, one refused, and one counted on the fly"
