# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Debian's hook for initramfs-tools copies our executable as it stands, and its script for the end of a shutdown logs out with it.
# kernels: 6.12
# daemon: no
# limit: 90

# shellcheck source=Tests/VM/debian.sh
source /vm/debian.sh

target_start tgt
debian_install

echo '--- the image'
# What mkinitramfs gives its hooks.
export DESTDIR=$WORK/image CONFDIR=/etc/initramfs-tools version=$KERNEL MODULESDIR=/lib/modules/$KERNEL verbose=n
mkdir -p "$DESTDIR"/{conf/conf.d,etc,run,scripts,usr/{bin,lib,lib64,sbin}}
for name in bin lib lib64 sbin; do ln -s usr/$name "$DESTDIR/$name"; done
expect_exit 0 /usr/share/initramfs-tools/hooks/iscsi
expect_silent_stderr
cmp /etc/iscsi/initiatorname.iscsi "$DESTDIR/etc/initiatorname.iscsi"
[[ -n $(find "$DESTDIR/usr/lib/modules" -name 'iscsi_tcp.ko*') ]] || fail 'the image has no iscsi_tcp'
# The program goes there under its own name, and no library with it.
[[ -L $DESTDIR/sbin/iscsistart ]] || fail 'iscsistart is no link'
cmp /usr/bin/iscsi-admin "$(readlink -f "$DESTDIR/sbin/iscsistart")"
expect_equal '' "$(find "$DESTDIR" -name '*.so*')"
# It runs where there is nothing else but /proc, which an image's init mounts first: through the link as well. A program that is not
# found ends with 127, and so does one whose loader is not.
mkdir "$DESTDIR/proc"
mount -t proc proc "$DESTDIR/proc"
expect_exit 0 chroot "$DESTDIR" /usr/bin/iscsi-admin version
run chroot "$DESTDIR" /sbin/iscsistart
((STATUS < 126)) || fail 'iscsistart does not run in the image'
umount "$DESTDIR/proc"

echo '--- the end of a shutdown'
# A session that the boot has made, and nothing of the machine but what the script for the end copies.
# shellcheck disable=SC2119
daemon_start
expect_exit 0 iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS"
check_data "$(disk_of "$IQN")" 1
daemon_stop
rm -rf /etc/iscsi/{nodes,send_targets}
touch /open-iscsi.interface
expect_exit 0 /usr/share/finalrd/open-iscsi.finalrd
expect_stdout "^Logout of \\[sid: [0-9]*, target: $IQN, portal: $TARGET_ADDRESS,3260\\] successful\\.\$"
# Until it is in the background the daemon may tell what it does.
expect_equal '' "$(sed '/^iscsid: /d' "$OUT/stderr")"
expect_sessions 0
# The power goes off then.
kill "$(</run/iscsid.pid)"
rm /open-iscsi.interface
expect_nothing_left
