#!/usr/bin/env bash
# Runs every fuzz target, or those named, for some seconds each:  bash fuzz/smoke.sh 60 [target…]
#
# The search starts from fuzz/corpus/ (chosen by hand) and fuzz/regressions/ (what once broke something); what it finds
# interesting is kept in fuzz/target/found/, what breaks a property in fuzz/artifacts/.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds="${1:-60}"
targets=("${@:2}")
if [ "${#targets[@]}" -eq 0 ]; then
    mapfile -t targets < <(cargo +nightly fuzz list)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# All at once: the library is compiled only once.
cargo +nightly fuzz build
for target in "${targets[@]}"; do
    found="fuzz/target/found/$target"
    mkdir -p "$found"
    folders=("$found")
    for folder in "fuzz/corpus/$target" "fuzz/regressions/$target"; do
        [ ! -d "$folder" ] || folders+=("$folder")
    done
    # Every example and every wrong file of the tests is a good beginning.
    [ "$target" != toml ] || folders+=(config tests/data/config)
    printf '\n--- %s, %d s\n' "$target" "$seconds"
    # Heads and configurations are small: long inputs only slow the search down.
    if ! cargo +nightly fuzz run "$target" "${folders[@]}" -- -max_total_time="$seconds" -max_len=4096 -timeout=10 \
        -rss_limit_mb=2048 -print_final_stats=1 >"$log" 2>&1; then
        tail -n 80 "$log"
        echo "$target found something, or did not run: see above, and fuzz/artifacts/$target"
        exit 1
    fi
    grep -E '^(stat::number|stat::average|Done)' "$log"
done
