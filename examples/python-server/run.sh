#!/usr/bin/env bash
# Makes JSON of some WAV files with a job, and of one on the fly. Usage: run.sh MILLRACE
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../begin.sh"

clips=$cluster_dir/clips
expected=$cluster_dir/expected
mkdir "$clips" "$expected"
python3 - "$clips" "$expected" <<'PYTHON'
import json, sys, wave
for i in range(1, 21):
    channels, rate, frames = 1 + i % 2, 8000 * (1 + i % 3), 100 * i * i
    with wave.open(f"{sys.argv[1]}/clip{i:02}.wav", "wb") as clip:
        clip.setnchannels(channels), clip.setsampwidth(2), clip.setframerate(rate)
        clip.writeframes(bytes(frames * channels * 2))
    with open(f"{sys.argv[2]}/clip{i:02}.json", "w") as text:
        text.write(json.dumps({"bits": 16, "channels": channels, "rate": rate, "seconds": round(frames / rate, 3)}) + "\n")
PYTHON
echo "this is not a recording" >"$clips/notes.wav"

"$millrace" bucket create ais://clips
"$millrace" bucket create ais://info
"$millrace" put "$clips" ais://clips
sed "s|@FOLDER@|$here|" "$here/wav-info.yaml" | "$millrace" etl init -f -

status=0
job=$("$millrace" job run wav-info ais://clips ais://info --ext wav:json --timeout 1m) || status=$?
[ "$status" -eq 1 ] || wrong "exit status $status; 1 was expected: finished, with a failed object"
errors=$("$millrace" job errors "$job" -o json | json '[(e["object"], e["code"]) for e in d]')
[ "$errors" = "[('ais://clips/notes.wav', 'rejected')]" ] || wrong "the errors are $errors"

for file in "$expected"/*.json; do
  "$millrace" get "ais://info/${file##*/}" -o - | cmp - "$file" || wrong "${file##*/}"
done
[ "$("$millrace" ls ais://info -o json | json 'len(d)')" = 20 ] || wrong "20 results were expected"

# The same transform, for one object and without a job, once with an argument and once with any HTTP client.
"$millrace" get ais://clips/clip07.wav --etl wav-info --args indent -o - | cmp - <(python3 -m json.tool --indent 2 "$expected/clip07.json") || wrong "inline"
curl --noproxy '*' -sfL "$MILLRACE_ENDPOINT/v1/objects/clips/clip07.wav?etl_name=wav-info" | cmp - "$expected/clip07.json" || wrong "inline with curl"
if "$millrace" get ais://clips/notes.wav --etl wav-info -o - >/dev/null 2>"$cluster_dir/refusal"; then wrong "notes.wav was not refused"; fi
grep -q "does not begin as a WAV file does" "$cluster_dir/refusal" || wrong "the refusal does not say why: $(cat "$cluster_dir/refusal")"
echo "20 files described, one refused, and one described on the fly"
