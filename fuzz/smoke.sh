#!/usr/bin/env bash
# Runs every fuzz target, or those named, for some seconds each:  bash fuzz/smoke.sh 60 [target…]
#
# The search starts from fuzz/corpus/ (chosen by hand) and fuzz/regressions/ (what once broke something); what it finds
# interesting is kept in fuzz/target/found/, what breaks a property in fuzz/artifacts/.
#
# Without a sanitizer unless RINGGATE_FUZZ_SANITIZER names one (address): our code has next to no unsafe, what the targets
# check are properties, and the build takes two thirds of the processor time.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-60}"
targets=("${@:2}")
if [ "${#targets[@]}" -eq 0 ]; then
    for file in fuzz/targets/*.rs; do
        targets+=("$(basename "$file" .rs)")
    done
fi
host=$(rustc +nightly --version --verbose | sed -n 's/^host: //p')
# All at once, so that the library is compiled once; then the programs themselves: nothing asks cargo again. The library
# comes last and alone, so it is cut into units that keep all processors busy.
cargo +nightly fuzz build --sanitizer "${RINGGATE_FUZZ_SANITIZER:-none}" --codegen-units 8
# One after another on each processor, all processors at once.
try() {
    local seconds="$1" host="$2" target="$3" found="fuzz/target/found/$3" log folder
    mkdir -p "$found" "fuzz/artifacts/$target"
    local folders=("$found")
    for folder in "fuzz/corpus/$target" "fuzz/regressions/$target"; do
        [ ! -d "$folder" ] || folders+=("$folder")
    done
    # Every example and every wrong file of the tests is a good beginning.
    [ "$target" != toml ] || folders+=(config tests/data/config)
    log=$(mktemp)
    # Heads and configurations are small: long inputs only slow the search down.
    if "fuzz/target/$host/release/$target" "${folders[@]}" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="fuzz/artifacts/$target/" >"$log" 2>&1; then
        printf -- '--- %s, %d s\n%s\n' "$target" "$seconds" "$(grep -E '^(stat::number|stat::average|Done)' "$log")"
        rm -f "$log"
        return
    fi
    tail -n 80 "$log"
    echo "$target found something, or did not run: see above, and fuzz/artifacts/$target"
    rm -f "$log"
    # No more targets are begun.
    return 255
}
export -f try
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I '{}' bash -c 'try "$@"' try "$seconds" "$host" '{}'
