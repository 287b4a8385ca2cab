#!/usr/bin/env bash
# Computes the table of hashes on an emulated aarch64, and compares it with the stored one. It says what it leaves out,
# and why.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    if ! command -v "$tool" >/dev/null; then
        echo "left out: aarch64, as there is no $tool (packages gcc-aarch64-linux-gnu and qemu-user)"
        exit 0
    fi
done
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    echo "left out: aarch64, as its standard library is not installed (rustup target add $target)"
    exit 0
fi
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
cargo build --locked --release --manifest-path tests/bits/Cargo.toml --target "$target" --target-dir target
found=$(mktemp)
trap 'rm -f "$found"' EXIT
qemu-aarch64 -L /usr/aarch64-linux-gnu "target/$target/release/tapegrad-bits" >"$found"
if ! diff snapshots/bits.txt "$found" >&2; then
    echo "error: these entries are other bits on aarch64 (< stored, > found)" >&2
    exit 1
fi
echo "aarch64: $(wc -l <"$found") entries are the same"
