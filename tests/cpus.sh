#!/usr/bin/env bash
# Runs tests of the linear algebra on CPUs that this one is not, as qemu-user emulates them: old ones, and new
# ones whose virtual machine hides a part. It says what it leaves out, and why.
#
# AVX-512 is not emulated, so that CPUs with a part of it (Knights Landing) are told from others by a unit test
# of the choice alone. `Haswell,-bmi1` cannot be asked for: the C library itself fails there.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(uname -m)" != x86_64 ] || ! command -v qemu-x86_64 >/dev/null; then
    echo "left out: other CPUs, as this is no x86-64 with qemu-x86_64 (package qemu-user)"
    exit 0
fi
cargo test --release --locked --lib --no-run
tests=$(cargo test --release --locked --lib --no-run 2>&1 | sed -n 's/^ *Executable .*(\(.*\))$/\1/p')
[ -x "$tests" ] || { echo "error: there is no binary of the library's tests" >&2; exit 1; }

# Neither AVX2 nor FMA; FMA alone (AMD Piledriver, and as a virtual machine may have it); AVX2 alone; both.
cpus=(Nehalem SandyBridge Opteron_G5 Haswell,-avx2 Haswell,-fma Haswell,-abm Haswell)
chosen=(linalg::gemm::tests::products linalg::product linalg::cholesky::tests::names linalg::eigen linalg::portable
    linalg::triangular linalg::tests ops::matmul)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for cpu in "${cpus[@]}"; do
    if ! qemu-x86_64 -cpu "$cpu" "$(type -P true)" >"$log" 2>&1; then
        echo "left out: $cpu, as this qemu does not know it: $(tail -n 1 "$log")"
        continue
    fi
    if ! qemu-x86_64 -cpu "$cpu" "$tests" "${chosen[@]}" >"$log" 2>&1; then
        cat "$log" >&2
        echo "error: the tests fail on $cpu" >&2
        exit 1
    fi
    echo "$cpu: $(sed -n 's/^test result: //p' "$log")"
done
