#!/usr/bin/env bash
# Generates the Go code of the .proto files: chain/proto into chain/x/*/types, messages and gRPC (gogoproto, as the
# Cosmos SDK wants it) and the gRPC gateway; wire/enclavev1 with protobuf-go and Connect.
# Usage: scripts/proto.sh [ROOT], where ROOT (default: the repository) receives the tree; `make check` generates into an
# empty folder and compares.
#
# Needs protoc (Debian: protobuf-compiler). Plugins and imported .proto files are those of the module versions in
# go.mod; grpc-gateway v1 is what the SDK's gateway runs on.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$(realpath -m "${1:-.}")
command -v protoc >/dev/null || { echo "proto.sh: protoc is missing; apt-get install protobuf-compiler" >&2; exit 1; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/bin" "$tmp/out"

# The plugins' own dependencies are not the project's: they are resolved in a copy of go.mod.
cp go.mod "$tmp/go.mod"
cp go.sum "$tmp/go.sum"
go build -modfile="$tmp/go.mod" -mod=mod -o "$tmp/bin/" \
	github.com/cosmos/gogoproto/protoc-gen-gocosmos \
	github.com/grpc-ecosystem/grpc-gateway/protoc-gen-grpc-gateway \
	google.golang.org/protobuf/cmd/protoc-gen-go \
	connectrpc.com/connect/cmd/protoc-gen-connect-go

dir() { go list -m -f '{{.Dir}}' "$1"; }
gogo=$(dir github.com/cosmos/gogoproto)
any=Mgoogle/protobuf/any.proto=github.com/cosmos/gogoproto/types/any

includes=(
	-I chain/proto
	-I "$(dir github.com/cosmos/cosmos-sdk)/proto"
	-I "$(dir github.com/cosmos/cosmos-proto)/proto"
	-I "$gogo" -I "$gogo/protobuf"
	-I "$(dir github.com/grpc-ecosystem/grpc-gateway)/third_party/googleapis"
)
for package in chain/proto/phalanx/*/v1; do
	PATH="$tmp/bin:$PATH" protoc "${includes[@]}" \
		--gocosmos_out="plugins=grpc,$any:$tmp/out" \
		--grpc-gateway_out="logtostderr=true,allow_colon_final_segments=true:$tmp/out" \
		"$package"/*.proto
done

module=$(go list -m)
mkdir -p "$tmp/out/$module/wire/enclavev1"
PATH="$tmp/bin:$PATH" protoc -I wire/enclavev1 \
	--go_out="$tmp/out/$module/wire/enclavev1" --go_opt=paths=source_relative \
	--connect-go_out="$tmp/out/$module/wire/enclavev1" --connect-go_opt=paths=source_relative \
	enclave.proto
gofmt -w "$tmp/out/$module"
mkdir -p "$root"
cp -R "$tmp/out/$module/." "$root/"
