#!/usr/bin/env bash
# Builds script.contract (wasm and metadata in cargo-contract's layout), which is committed beside its source.
#
#   build.sh          rebuilds it
#   build.sh --check  writes nothing; fails where the committed bundle differs from what is built
#
# Needs these packages of Debian 12 with its security archive, and the crate that Cargo.lock names, for the C source of
# QuickJS that it carries:
#
#   apt-get install cargo-web clang-22 lld-22 libclang-rt-22-dev-wasm32 wasi-libc binaryen jq
#
# The wasm's bytes depend on the versions of clang, lld, wasi-libc and wasm-opt, not on the machine or its paths.
set -euo pipefail
cd "$(dirname "$0")"

readonly PACKAGES="cargo-web clang-22 lld-22 libclang-rt-22-dev-wasm32 wasi-libc binaryen jq"
readonly CRATE=hirofa-quickjs-sys
readonly QUICKJS_FILES="cutils dtoa libregexp libunicode quickjs" OUR_FILES="script system"
readonly TARGET=wasm32-wasip1
readonly STACK_BYTES=262144   # far more than script.c lets scripts use: QuickJS compiles nested functions without a check
readonly MEMORY_BYTES=16777216 # 256 pages, the engine's limit
readonly MAX_WASM_BYTES=$((512 * 1024))
readonly FEATURES="--enable-mutable-globals --enable-sign-ext --enable-nontrapping-float-to-int --enable-bulk-memory"

fail() {
	echo "build.sh: $*" >&2
	exit 1
}

for tool in cargo clang-22 wasm-ld-22 wasm-opt wasm-dis jq; do
	command -v "$tool" >/dev/null || fail "$tool is missing; on Debian: apt-get install $PACKAGES"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

source_folder() { # where the locked crate keeps the C source of QuickJS
	local manifest
	manifest=$(cargo metadata --locked --format-version 1 |
		jq -er --arg name "$CRATE" '.packages[] | select(.name == $name) | .manifest_path')
	echo "$(dirname "$manifest")/bellard/quickjs"
}

compile() { # compile SOURCE OBJECT WARNINGS...: one file, for size
	local source=$1 object=$2
	shift 2
	# __EMSCRIPTEN__ is how QuickJS is told that there are no threads; that also turns its check for stack overflow off.
	clang-22 --target="$TARGET" -mcpu=mvp -mmutable-globals -msign-ext -mnontrapping-fptoint -mbulk-memory \
		-nostdlibinc -isystem /usr/include/wasm32-wasi -I"$work/include" -I"$quickjs" -Oz -std=gnu17 \
		-ffunction-sections -fdata-sections -DNDEBUG -D_GNU_SOURCE -D__EMSCRIPTEN__ -DCONFIG_STACK_CHECK \
		-DCONFIG_VERSION="\"$(cat "$quickjs/VERSION")\"" "$@" -c "$source" -o "$object"
}

link() { # link WASM: all objects, with what of the C library they use
	# Without bulk memory among the linker's features it writes zeroed data out, which wasm-opt drops, instead of a start
	# function that fills it. --stack-first: an overflowing C stack leaves the memory and traps.
	wasm-ld-22 "$work"/*.o -L/usr/lib/wasm32-wasi -lc "$(clang-22 --target="$TARGET" -print-libgcc-file-name)" \
		--no-check-features --features=mutable-globals,sign-ext,nontrapping-fptoint \
		--no-entry --import-memory --max-memory="$MEMORY_BYTES" --stack-first -z stack-size="$STACK_BYTES" \
		--gc-sections --strip-all -o "$1"
}

shrink() { # shrink IN OUT
	# shellcheck disable=SC2086 # the features are several words
	wasm-opt -Oz $FEATURES --zero-filled-memory --strip-debug --strip-producers --strip-target-features "$1" -o "$2"
}

verify() { # verify WASM: what a contract engine would refuse is refused here
	local text size exports imports
	# shellcheck disable=SC2086
	text=$(wasm-dis --mvp-features $FEATURES "$1") || fail "$1 uses more of WebAssembly than contracts may"
	size=$(stat -c %s "$1")
	((size <= MAX_WASM_BYTES)) || fail "$1 has $size bytes, over $MAX_WASM_BYTES"
	exports=$(grep -oE '^ \(export "[^"]*"' <<<"$text" | sort | tr -d '\n')
	[[ $exports == ' (export "call" (export "deploy"' ]] || fail "$1 exports$exports"
	imports=$(grep -oE '^ \(import "[^"]*" "[^"]*"' <<<"$text" |
		grep -vE '"env" "memory"$|"seal[0-9]" "[a-z0-9_]+"$' || true)
	[[ -z $imports ]] || fail "$1 imports$imports"
	grep -qE '^ \(import "env" "memory"' <<<"$text" || fail "$1 does not import its memory"
	! grep -qE '^ \(start ' <<<"$text" || fail "$1 has a start function"
	! grep -qaE '/(root|home|usr)/' "$1" || fail "$1 contains a path of the machine it was built on"
	echo "script: $size bytes" >&2
}

bundle() { # bundle WASM: prints the bundle
	od -An -v -tx1 "$1" | tr -d ' \n' >"$work/hex"
	jq --rawfile wasm "$work/hex" --arg hash "0x$(b2sum -l 256 "$1" | cut -d' ' -f1)" \
		--arg compiler "clang $(clang-22 -dumpversion)" \
		'. + {source: {hash: $hash, language: "C 17", compiler: $compiler, wasm: ("0x" + $wasm)}}' metadata.json
}

quickjs=$(source_folder)
mkdir "$work/include"
: >"$work/include/setjmp.h" # dtoa.c includes it and uses nothing of it; the C library has none
for file in $QUICKJS_FILES; do
	compile "$quickjs/$file.c" "$work/$file.o" -funsigned-char -w
done
for file in $OUR_FILES; do
	compile "$file.c" "$work/$file.o" -Wall -Wextra -Werror -isystem "$quickjs"
done
link "$work/raw.wasm"
shrink "$work/raw.wasm" "$work/script.wasm"
verify "$work/script.wasm"
bundle "$work/script.wasm" >"$work/script.contract"
if [[ ${1:-} == --check ]]; then
	cmp "$work/script.contract" script.contract || fail "script.contract is not what its source builds to"
	exit
fi
cp "$work/script.contract" script.contract
