#!/usr/bin/env bash
# Computes the table of hashes in WebAssembly under Node, and compares it with the stored one. It says what it leaves
# out, and why.
set -euo pipefail
cd "$(dirname "$0")/.."

target=wasm32-unknown-unknown
if ! command -v node >/dev/null; then
    echo "left out: WebAssembly, as there is no node"
    exit 0
fi
if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    echo "left out: WebAssembly, as its standard library is not installed (rustup target add $target)"
    exit 0
fi
cargo build --locked --release --lib --manifest-path tests/bits/Cargo.toml --target "$target" --target-dir target
found=$(mktemp)
trap 'rm -f "$found"' EXIT
node tests/bits/table.mjs "target/$target/release/tapegrad_bits.wasm" >"$found"
if ! diff snapshots/bits.txt "$found" >&2; then
    echo "error: these entries are other bits in WebAssembly (< stored, > found)" >&2
    exit 1
fi
echo "WebAssembly: $(wc -l <"$found") entries are the same; left out: threads, file mapping"
