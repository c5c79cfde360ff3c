# In the file system that is being made: a user with a lasting session, one service of ours, and the kernel.
# Usage: customize.sh ROOT WORK HERE
set -e
root=$1 work=$2 here=$3
chroot "$root" useradd -m -u 1000 -s /bin/bash tester
chroot "$root" passwd -d root >/dev/null
echo rig >"$root/etc/hostname"
mkdir -p "$root/var/lib/systemd/linger" "$root/host" "$root/etc/systemd/system/multi-user.target.wants"
touch "$root/var/lib/systemd/linger/tester"
for unit in apt-daily.timer apt-daily-upgrade.timer getty.target serial-getty@ttyS0.service e2scrub_reap.service \
    fstrim.timer systemd-timesyncd.service systemd-networkd.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
cp "$here/rig.service" "$root/etc/systemd/system/"
ln -s ../rig.service "$root/etc/systemd/system/multi-user.target.wants/rig.service"

image=$(chroot "$root" apt-cache depends linux-image-cloud-amd64 | awk '/Depends:/ {print $2; exit}')
chroot "$root" sh -c "cd /tmp && apt-get -o APT::Sandbox::User=root download $image"
dpkg-deb -x "$root"/tmp/linux-image-*.deb "$work/kernel"
rm "$root"/tmp/linux-image-*.deb
modules=$(ls -d "$work"/kernel/lib/modules/* "$work"/kernel/usr/lib/modules/* 2>/dev/null | head -1)
version=$(basename "$modules")
/sbin/depmod -b "${modules%/lib/modules/*}" "$version"
mkdir -p "$root/usr/lib/modules"
cp -r "$modules" "$root/usr/lib/modules/"
cp "$work"/kernel/boot/vmlinuz-* "$work/vmlinuz"
cp "$root/bin/busybox" "$work/busybox"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*
