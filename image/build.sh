#!/bin/bash
# Builds the guest image: one UKI that holds kernel, command line and the whole root file system with pruntime.
# docs/guide/image.md is its manual. Needs root, mmdebstrap and Go; every other tool comes from the pinned release.
set -euo pipefail

usage() {
  cat <<'HELP'
Usage: image/build.sh --chain-id ID --chain-uid HEX [--out DIR] [--mirror URL] [--accept-packages]

Builds OUT/phalanx.efi (the UKI), its parts OUT/vmlinuz, OUT/initrd and OUT/cmdline for direct boot, and OUT/SHA256SUMS.

  --chain-id ID       the network that the image is for; it is measured
  --chain-uid HEX     its chain uid, 0x and 64 hexadecimal digits
  --out DIR           where to build (default image/out); must not exist
  --mirror URL        Debian mirror; default: snapshot.debian.org at the date in image/pinned
  --accept-packages   write image/packages.lock anew, instead of refusing packages that are not in it

  image/build.sh --chain-id phalanx-1 --chain-uid 0x1f…9c
  image/build.sh --chain-id phalanx-1 --chain-uid 0x1f…9c --mirror http://deb.debian.org/debian --out /var/tmp/image
HELP
}

die() { echo "image/build.sh: $*" >&2; exit 1; }
step() { echo "==> $*" >&2; }

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
chain_id='' chain_uid='' out=$here/out mirror='' accept=''
while [ $# -gt 0 ]; do
  case $1 in
    --chain-id|--chain-uid|--out|--mirror)
      [ $# -ge 2 ] || die "$1 needs a value; see --help"
      case $1 in
        --chain-id) chain_id=$2 ;;
        --chain-uid) chain_uid=$2 ;;
        --out) out=$2 ;;
        --mirror) mirror=$2 ;;
      esac
      shift 2 ;;
    --accept-packages) accept=yes; shift ;;
    -h|--help) usage; exit 0 ;;
    *) die "unknown argument $1; see --help" ;;
  esac
done
[[ $chain_id =~ ^[A-Za-z0-9._-]{1,50}$ ]] || die "--chain-id: want up to 50 letters, digits, dots and dashes"
[[ $chain_uid =~ ^0x[0-9a-f]{64}$ ]] || die "--chain-uid: want 0x and 64 lower-case hexadecimal digits"
[ "$(id -u)" = 0 ] || die "must run as root: it makes device nodes and owners of a root file system"
for tool in mmdebstrap go chroot; do
  command -v "$tool" >/dev/null || die "$tool is missing (apt install mmdebstrap; Go from go.dev)"
done
[ ! -e "$out" ] || die "$out exists; remove it or give another --out"

# shellcheck source=image/pinned
. "$here/pinned"
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC
umask 022
mirror=${mirror:-http://snapshot.debian.org/archive/debian/$SNAPSHOT}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

# debian INCLUDE DIR makes a root of the pinned release. Valid-Until is of no use for a snapshot, which lies in the past.
debian() {
  mmdebstrap --quiet --mode=root --variant=minbase --include="$1" --aptopt='Acquire::Check-Valid-Until "false"' \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --keyring=/usr/share/keyrings "$RELEASE" "$2" "deb $mirror $RELEASE main"
}

step "tools of Debian $RELEASE from $mirror"
debian "$TOOLS" "$work/tools"
step "root file system"
debian "$PACKAGES" "$work/root"

step "packages"
for r in root tools; do
  chroot "$work/$r" dpkg-query -W -f "$r \${Package} \${Version} \${Architecture}\n"
done | sort > "$out/packages"
if [ -n "$accept" ]; then
  cp "$out/packages" "$here/packages.lock"
elif ! diff -u "$here/packages.lock" "$out/packages" >&2; then
  die "the mirror's packages are not those of image/packages.lock; use the snapshot, or --accept-packages for a new release"
fi

step "pruntime"
(cd "$here/.." && CGO_ENABLED=0 GOOS=linux GOARCH=amd64 GOAMD64=v1 GOFLAGS='' \
  go build -trimpath -buildvcs=false -ldflags '-buildid= -s -w' -o "$work/pruntime" ./cmd/pruntime)

step "configuration"
root=$work/root
kernel=$(basename "$(echo "$root"/boot/vmlinuz-*)")
cp "$root/boot/$kernel" "$out/vmlinuz"
version=${kernel#vmlinuz-}
install -m 0755 "$work/pruntime" "$root/usr/bin/pruntime"
cp -R --no-preserve=ownership "$here/root/." "$root/"
printf 'CHAIN_ID=%s\nCHAIN_UID=%s\n' "$chain_id" "$chain_uid" > "$root/etc/phalanx.env"
# What a guest has no use for, or what differs from build to build. No program may start a login or a shell by itself.
rm -rf "${root:?}"/boot "$root"/var/cache/* "$root"/var/lib/apt "$root"/var/lib/dpkg "$root"/var/log/* "$root"/tmp/* \
  "$root"/etc/hostname "$root"/etc/resolv.conf "$root"/etc/apt "$root"/var/lib/systemd/random-seed "$root"/var/lib/systemd/catalog \
  "$root"/etc/passwd- "$root"/etc/group- "$root"/etc/shadow- "$root"/etc/gshadow- "$root"/etc/machine-id "$root"/var/lib/dbus/machine-id \
  "$root"/usr/share/bash-completion "$root"/usr/share/zsh "$root"/var/cache/ldconfig "$root"/etc/ssl/certs/java
mkdir -p "$root/boot" "$root/var/lib/phalanx" "$root/var/cache" "$root/var/log"
: > "$root/etc/machine-id"
echo phalanx > "$root/etc/hostname"
ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
ln -sf /usr/lib/systemd/systemd "$root/init"
chroot "$root" /sbin/depmod "$version"
chroot "$root" systemctl --quiet preset-all
chroot "$root" systemctl --quiet set-default phalanx.target
for unit in getty@.service serial-getty@.service console-getty.service container-getty@.service debug-shell.service \
  emergency.service rescue.service systemd-ask-password-console.service systemd-ask-password-wall.service ctrl-alt-del.target \
  getty.target systemd-sysext.service systemd-confext.service systemd-firstboot.service systemd-pcrlock-make-policy.service; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
sed -i 's/^\(root\):[^:]*:\([0-9]*\|\):/\1:!*:1:/' "$root/etc/shadow"
awk -F: -v OFS=: '{ $3 = 1; print }' "$root/etc/shadow" > "$work/shadow"
cat "$work/shadow" > "$root/etc/shadow"
find "$root" -xdev -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

step "initrd: the whole root"
tools=$work/tools
mkdir "$tools/in" "$tools/made"
mount --bind "$root" "$tools/in"
trap 'umount "$tools/in" 2>/dev/null || true; rm -rf --one-file-system "$work"' EXIT
# shellcheck disable=SC2016
chroot "$tools" /bin/bash -euo pipefail -c '
  cd /in
  find . -xdev ! -path "./dev/*" ! -path "./proc/*" ! -path "./sys/*" ! -path "./run/*" -print0 | sort -z |
    cpio --quiet --null --create --format=newc --reproducible --owner=+0:+0 > /made/initrd.cpio
  zstd --quiet -T1 -12 --rm /made/initrd.cpio -o /made/initrd'
umount "$tools/in"

step "UKI"
cp "$out/vmlinuz" "$tools/made/vmlinuz"
printf '%s' "$CMDLINE" > "$tools/made/cmdline"
cp "$root/usr/lib/os-release" "$tools/made/os-release"
chroot "$tools" ukify build --linux=/made/vmlinuz --initrd=/made/initrd --cmdline=@/made/cmdline \
  --os-release=@/made/os-release --uname="$version" --stub=/usr/lib/systemd/boot/efi/linuxx64.efi.stub \
  --output=/made/phalanx.efi >&2
cp "$tools"/made/{phalanx.efi,initrd,cmdline} "$out/"

step "PCR 11"
# Of the sections of the finished file, for ukify adds some by itself. Without phases: the image has no TSS library, so
# systemd-pcrphase extends nothing, and this is the value that pruntime seals by.
chroot "$tools" /bin/bash -euo pipefail -c '
  mkdir /made/sections
  python3 -c "
import pefile
for s in pefile.PE(\"/made/phalanx.efi\", fast_load=True).sections:
    name = s.Name.rstrip(bytes(1)).decode()
    if name in (\".linux\", \".osrel\", \".cmdline\", \".initrd\", \".uname\", \".sbat\"):
        open(\"/made/sections/\" + name[1:], \"wb\").write(s.get_data()[:s.Misc_VirtualSize])
"
  cd /made/sections
  /usr/lib/systemd/systemd-measure calculate --bank=sha256 --phase= --linux=linux --osrel=osrel --cmdline=cmdline \
    --initrd=initrd --uname=uname --sbat=sbat' > "$out/pcr11" 2> "$work/measure" ||
  { cat "$work/measure" >&2; die "PCR 11 could not be predicted"; }
(cd "$out" && sha256sum phalanx.efi vmlinuz initrd cmdline | tee SHA256SUMS)
