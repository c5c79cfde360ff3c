#!/usr/bin/env bash
# Makes a host with systemd and cgroup version 2 that QEMU can boot without KVM: kernel, initrd and root file system of a
# Debian release, from the mirror that this system's own apt uses. Works as root and as an ordinary user.
# Usage: build_image.sh RELEASE DIRECTORY
set -euo pipefail
release=$1
target=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mirror=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list /etc/apt/sources.list 2>/dev/null |
    sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+) .*/\2/p' | head -1 || true)
if [ -z "$mirror" ]; then
    echo "build_image.sh: apt's sources name no mirror" >&2
    exit 1
fi

packages=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,passwd,login,procps,util-linux,iproute2,kmod
packages+=,busybox-static,bubblewrap,python3,libxeus6,libzmq5,libssl3
if ! mmdebstrap --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --customize-hook="sh $here/image/customize.sh \"\$1\" $work $here/image" \
    "$release" "$work/root.tar" "$mirror" >"$work/log" 2>&1; then
    tail -20 "$work/log" >&2
    exit 1
fi

# The initrd: just enough to put a writable layer over a root that stays as it is, boot after boot.
modules=$(find "$work/kernel" -path '*/lib/modules/*' -name modules.dep -printf '%h\n' | head -1)
mkdir -p "$work/initrd"/{bin,proc,sys,dev,ro,rw,newroot,host,mods}
cp "$work/busybox" "$work/initrd/bin/busybox"
for applet in sh mount insmod switch_root mkdir umount; do ln -s busybox "$work/initrd/bin/$applet"; done
number=0
copy_module() { # with what it depends on, in the order in which they must be loaded
    local line dependency
    line=$(grep -E "/$1\.ko[^:]*:" "$modules/modules.dep" || true)
    [ -n "$line" ] || return 0
    for file in $(printf '%s\n' ${line#*:} | tac) "${line%%:*}"; do
        dependency=$work/initrd/mods/.$(basename "$file")
        [ -e "$dependency" ] && continue
        touch "$dependency"
        number=$((number + 1))
        case $file in
            *.xz) xz -dc "$modules/$file" ;;
            *.zst) zstd -qdc "$modules/$file" ;;
            *) cat "$modules/$file" ;;
        esac >"$work/initrd/mods/$(printf %02d $number).ko"
    done
}
for module in virtio_pci virtio_blk overlay; do copy_module $module; done
cp "$here/image/init" "$work/initrd/init"
chmod +x "$work/initrd/init"
(cd "$work/initrd" && find . | cpio -o -H newc --quiet | gzip -1) >"$work/initrd.gz"

mkdir "$work/root"
make_file_system="tar -C $work/root -xf $work/root.tar --exclude='./dev/*' &&
    /sbin/mke2fs -q -t ext4 -O ^has_journal -d $work/root $work/root.ext4 1200M && rm -rf $work/root"
if [ "$(id -u)" = 0 ]; then sh -c "$make_file_system"; else unshare -Ur --map-auto sh -c "$make_file_system"; fi

mkdir -p "$target"
mv "$work"/{vmlinuz,initrd.gz,root.ext4} "$target/"
