#!/usr/bin/env bash
# Miri over the arena, the operations at small sizes, gathering and IDX parsing: no undefined behaviour.
#
# Plain loops stand in for vector instructions, and tests that take minutes here are marked. Arguments are
# names of the library's tests, instead of all below.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly miri --version >/dev/null 2>&1; then
    echo "skipped: Miri is not installed (rustup +nightly component add miri rust-src)"
    exit 0
fi
# A folder of its own: what is compiled here is for the interpreter. IDX files are read from the disk.
export CARGO_TARGET_DIR=target/miri
# Where tests use sines of the standard library, the interpreter would change their last bits from call to call.
export MIRIFLAGS="${MIRIFLAGS:-} -Zmiri-disable-isolation -Zmiri-deterministic-floats"
# Interpreted, a backtrace takes longer than the test that panics as it should.
export RUST_BACKTRACE=0
miri() { cargo +nightly miri test --locked --no-default-features "$@"; }

if [ $# -gt 0 ]; then
    miri --lib -- "$@"
    exit
fi
miri --lib --test library --no-run
# Of an operation those that walk forward and back. Twenty at a time: the interpreter keeps a record of all memory
# that was ever used, and what a hundred tests have left there makes the next one ten times slower.
miri --lib -- --list tape:: ops:: data::idx linalg::matrix_ref linalg::gemm linalg::product linalg::sum linalg::column_sums linalg::view \
    linalg::reflector |
    sed -n 's/: test$//p' | grep -E '^(tape|data|linalg)::|^ops::.*gradients' |
    xargs -n 20 -P "$(nproc)" cargo +nightly miri test --locked --no-default-features --lib -- --exact
miri --test library -- gathering_is_exact views_of_views targets_go_with_their_rows
