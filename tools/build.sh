# Shell functions that build a preset quietly; for ./demo and ./test. To be sourced, in the root of the tree; who sources
# it kills build_pid, where it is set, when interrupted.

build_pid=""
if [ -t 2 ]; then build_hint_seconds=1; else build_hint_seconds=60; fi

configure() {
  mkdir -p build
  cmake --preset "$1" >"build/$1.log" 2>&1 && return
  cat "build/$1.log" >&2
  echo "cmake --preset $1 failed; its words are above" >&2
  return 1
}

# build PRESET TARGETS...: nothing is printed when nothing is to be done; a sign of life while it takes long; on failure
# the compiler's words, and where the whole log is.
build() {
  local preset=$1 log="build/$1.log"
  shift
  configure "$preset" || return 1
  ninja -C "build/$preset" "$@" >>"$log" 2>&1 &
  build_pid=$!
  local started=$SECONDS next=3 shown=no
  while kill -0 "$build_pid" 2>/dev/null; do
    sleep 0.2
    [ $((SECONDS - started)) -ge "$next" ] || continue
    shown=yes
    next=$((SECONDS - started + build_hint_seconds))
    build_progress "$preset" $((SECONDS - started)) "$log"
  done
  [ -t 2 ] && [ "$shown" = yes ] && printf '\r\033[K' >&2
  local status=0
  wait "$build_pid" || status=$?
  build_pid=""
  if [ "$status" -ne 0 ]; then
    sed -n '/^FAILED:/,$p' "$log" >&2
    echo "building $preset failed; the whole log: $log" >&2
    return 1
  fi
  [ "$shown" = no ] || echo "built $preset in $((SECONDS - started)) s" >&2
}

build_progress() {
  local at
  at=$(tail -n 1 "$3" | sed -n 's/^\[\([0-9]*\)\/\([0-9]*\)\].*/step \1 of \2, /p')
  if [ -t 2 ]; then
    printf '\r\033[Kbuilding %s: %s%s s' "$1" "$at" "$2" >&2
  else
    echo "building $1: $at$2 s" >&2
  fi
}
