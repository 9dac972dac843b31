#!/usr/bin/env bash
# Rebuilds the example contracts: tests each, compiles it to wasm and writes NAME/NAME.contract (wasm and metadata in
# cargo-contract's layout), which is committed beside its source.
#
#   examples/build.sh [--in DIR] [--check] [NAME...]
#
# Without a name it builds all contracts of DIR, which is examples unless said otherwise. With --check it writes nothing
# and fails where a committed bundle differs from what is built.
#
# Needs these packages of Debian 12 with its security archive, and the crates that Cargo.lock names:
#
#   apt-get install rustc-web cargo-web rust-web-src lld-22 binaryen
#
# Debian has no standard library for the wasm target, so it is compiled from rust-web-src, by an unstable feature of
# cargo, hence RUSTC_BOOTSTRAP. The wasm keeps to WebAssembly's first version (target-cpu=mvp, in core and alloc too), for
# rustc's default adds features that contract engines refuse. Its bytes depend on the versions of rustc, lld and wasm-opt,
# not on the machine or its paths; with others the contract works as well but has another code hash.
set -euo pipefail
cd "$(dirname "$0")"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}"

readonly PACKAGES="rustc-web cargo-web rust-web-src lld-22 binaryen"
readonly TARGET=wasm32-unknown-unknown
readonly STACK_BYTES=65536 MEMORY_BYTES=1048576 # 16 pages, pallet-contracts' limit
readonly MAX_WASM_BYTES=$((128 * 1024))

export RUSTC=/usr/bin/rustc
readonly CARGO=/usr/bin/cargo
LINKER="${WASM_LD:-$(command -v wasm-ld-22 || command -v wasm-ld || true)}"

fail() {
	echo "build.sh: $*" >&2
	exit 1
}

need() { # need WHAT COMMAND...: fails with the packages to install unless the command succeeds
	local what=$1
	shift
	"$@" >/dev/null 2>&1 || fail "$what is missing; on Debian: apt-get install $PACKAGES"
}

check_tools() {
	need "$RUSTC (rustc-web)" test -x "$RUSTC"
	need "$CARGO (cargo-web)" test -x "$CARGO"
	need "the standard library's source (rust-web-src)" test -f "$("$RUSTC" --print sysroot)/lib/rustlib/src/rust/library/core/src/lib.rs"
	need "wasm-ld (lld-22)" test -x "${LINKER:-}"
	need "wasm-opt (binaryen)" wasm-opt --version
	need "wasm-metadce (binaryen)" wasm-metadce --version
	need "wasm-dis (binaryen)" wasm-dis --version
}

compile() { # compile NAME: the contract as the compiler leaves it, in the target directory
	local flags="-Clinker-flavor=wasm-ld -Ctarget-cpu=mvp"
	# A panic is one trap instruction, without message or source path.
	flags+=" -Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none"
	flags+=" -Clink-arg=-zstack-size=$STACK_BYTES -Clink-arg=--import-memory -Clink-arg=--max-memory=$MEMORY_BYTES"
	RUSTC_BOOTSTRAP=1 CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$LINKER" \
		CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="$flags" \
		"$CARGO" build --manifest-path "$1/Cargo.toml" --locked --lib --release --no-default-features \
		--target "$TARGET" -Zbuild-std=core,alloc
}

shrink() { # shrink IN OUT: only `call` and `deploy` stay exported, and only what they reach stays at all
	local raw="$2.raw" roots="$2.roots"
	echo '[{"name":"deploy","export":"deploy","root":true},{"name":"call","export":"call","root":true}]' >"$roots"
	wasm-metadce "$1" --mvp-features -f "$roots" -o "$raw" >/dev/null
	wasm-opt -Oz --mvp-features --zero-filled-memory --strip-debug --strip-producers --strip-target-features \
		"$raw" -o "$2"
	rm "$raw" "$roots"
}

verify() { # verify WASM: what a contract engine would refuse is refused here
	local text size
	wasm-opt --mvp-features --quiet "$1" -o /dev/null || fail "$1 uses more than WebAssembly's first version"
	text=$(wasm-dis "$1")
	size=$(stat -c %s "$1")
	((size <= MAX_WASM_BYTES)) || fail "$1 has $size bytes, over $MAX_WASM_BYTES"
	local exports imports
	exports=$(grep -o '(export "[^"]*"' <<<"$text" | sort | tr -d '\n')
	[[ $exports == '(export "call"(export "deploy"' ]] || fail "$1 exports $exports"
	imports=$(grep -o '(import "[^"]*" "[^"]*"' <<<"$text" |
		grep -vE '^\(import "(env" "memory"|seal[0-9]" "[a-z0-9_]+")$' || true)
	[[ -z $imports ]] || fail "$1 imports $imports"
	grep -q '(import "env" "memory"' <<<"$text" || fail "$1 does not import its memory"
	! grep -qE '/(root|home|usr|rustc)/' "$1" || fail "$1 contains a path of the machine it was built on"
	echo "$1: $size bytes"
}

ink_version() { # ink_version NAME: of the ink! that the contract is locked to
	local version
	version=$(grep -A1 '^name = "ink_env"$' "$1/Cargo.lock" | sed -n 's/^version = "\(.*\)"$/\1/p')
	[[ -n $version ]] || fail "$1/Cargo.lock names no ink_env"
	echo "$version"
}

build() { # build NAME
	local name=$1 wasm="$CARGO_TARGET_DIR/contracts/$1.wasm" bundle="$CARGO_TARGET_DIR/contracts/$1.contract"
	[[ -f $name/Cargo.toml ]] || fail "no contract $name here"
	mkdir -p "$CARGO_TARGET_DIR/contracts"
	"$CARGO" test --manifest-path "$name/Cargo.toml" --locked --lib
	compile "$name"
	shrink "$CARGO_TARGET_DIR/$TARGET/release/$name.wasm" "$wasm"
	verify "$wasm"
	"$CARGO" run --manifest-path "$name/Cargo.toml" --locked --quiet --example bundle -- \
		"$wasm" "$("$RUSTC" --version | cut -d' ' -f2)" "$(ink_version "$name")" >"$bundle"
	if [[ $check == yes ]]; then
		cmp "$bundle" "$name/$name.contract" || fail "$name/$name.contract is not what its source builds to"
		return
	fi
	cp "$bundle" "$name/$name.contract"
}

check=no
while [[ ${1:-} == --* ]]; do
	case $1 in
	--check) check=yes ;;
	--in) cd "$2" && shift ;;
	*) fail "unknown option $1" ;;
	esac
	shift
done
check_tools
if (($# == 0)); then
	manifests=(*/Cargo.toml)
	set -- "${manifests[@]%/Cargo.toml}"
fi
for contract in "$@"; do
	build "$contract"
done
