#!/bin/sh
# Runs a command as Docker would: processes, mounts and cgroups of its own, no capability over the host, and /proc either
# `masked`, as it is by default, or `shown` (--security-opt systempaths=unconfined). `with-bus` is shown, too, and the bus of
# the host's systemd with it.
# Usage, as root: container.sh masked|shown|with-bus USER COMMAND...
set -eu
if [ "${CONTAINER:-}" != made ]; then
    export CONTAINER=made
    # Its cgroup has every controller, as Docker's.
    exec systemd-run --scope --quiet -p Delegate=yes \
        unshare --mount --propagation private --pid --fork --ipc --uts --cgroup "$0" "$@"
fi
view=$1 user=$2
shift 2
[ "$view" = with-bus ] || mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
mount -t proc -o nosuid,nodev,noexec proc /proc
mount -o remount,bind,ro /sys
umount /sys/fs/cgroup  # Linux does not mount one file system twice at the same place.
mount -t cgroup2 -o ro,nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
if [ "$view" = masked ]; then
    for path in acpi asound interrupts kcore keys latency_stats scsi timer_list timer_stats sched_debug; do
        if [ -d "/proc/$path" ]; then
            mount -t tmpfs -o ro tmpfs "/proc/$path"
        elif [ -e "/proc/$path" ]; then
            mount --bind /dev/null "/proc/$path"
        fi
    done
    for path in bus fs irq sys sysrq-trigger; do
        [ -e "/proc/$path" ] || continue
        mount --bind "/proc/$path" "/proc/$path"
        mount -o remount,bind,ro "/proc/$path"
    done
    mount -t tmpfs -o ro tmpfs /sys/firmware
fi
kept=-all
for name in chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw sys_chroot mknod \
    audit_write setfcap; do
    kept=$kept,+$name
done
[ "$user" = root ] || set -- setpriv --reuid "$user" --regid "$user" --clear-groups env HOME="${TMPDIR:-/tmp}" "$@"
exec setpriv --bounding-set "$kept" --inh-caps=-all "$@"
