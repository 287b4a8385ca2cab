#!/usr/bin/env bash
# Runs tests of the linear algebra on CPUs that this one is not, as qemu-user emulates them: old ones, and new
# ones whose virtual machine hides a part; and computes the table of hashes on them (tests/library/same_bits.rs). It
# says what it leaves out, and why. Arguments are names of CPUs, instead of all below.
#
# AVX-512 is not emulated, so that CPUs with a part of it (Knights Landing) are told from others by a unit test
# of the choice alone. `Haswell,-bmi1` cannot be asked for: the C library itself fails there.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname -m)" != x86_64 ] || ! command -v qemu-x86_64 >/dev/null; then
    echo "left out: other CPUs, as this is no x86-64 with qemu-x86_64 (package qemu-user)"
    exit 0
fi
binary() {
    cargo test --release --locked "$@" --no-run 2>&1 | tee /dev/stderr | sed -n 's/^ *Executable .*(\(.*\))$/\1/p'
}
units=$(binary --lib)
library=$(binary --test library)
[ -x "$units" ] && [ -x "$library" ] || { echo "error: there is no binary of the tests" >&2; exit 1; }

# Neither AVX2 nor FMA; FMA alone (AMD Piledriver, and as a virtual machine may have it); AVX2 alone; both.
cpus=(Nehalem SandyBridge Opteron_G5 Haswell,-avx2 Haswell,-fma Haswell,-abm Haswell)
[ $# -eq 0 ] || cpus=("$@")
chosen=(linalg::product linalg::cholesky::tests::names linalg::triangular linalg::tests ops::matmul)
# These take up to half a minute each; products, eigenvalues and singular values stand in the table, too.
[ $# -gt 0 ] || chosen+=(linalg::gemm::tests::products linalg::eigen linalg::svd)
log=$(mktemp)
trap 'rm -f "$log" "$log.table"' EXIT
for cpu in "${cpus[@]}"; do
    if ! qemu-x86_64 -cpu "$cpu" "$(type -P true)" >"$log" 2>&1; then
        echo "left out: $cpu, as this qemu does not know it: $(tail -n 1 "$log")"
        continue
    fi
    table=(--exact same_bits::bits_of_this_cpu --nocapture)
    # Side by side: the table is one test, and keeps one thread busy.
    qemu-x86_64 -cpu "$cpu" "$library" "${table[@]}" >"$log.table" 2>&1 &
    failed=
    qemu-x86_64 -cpu "$cpu" "$units" "${chosen[@]}" >"$log" 2>&1 || failed=1
    wait $! || failed=1
    cat "$log.table" >>"$log"
    if [ "$failed" ]; then
        cat "$log" >&2
        echo "error: the tests fail on $cpu" >&2
        exit 1
    fi
    echo "$cpu: $(sed -n 's/^test result: //p' "$log" | head -n 1)"
    echo "$cpu: $(sed -n '/are the same by the kernel/p' "$log")"
done
