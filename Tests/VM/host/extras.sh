# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# udev, programs of others that call iscsiadm, what a server for diskless machines runs, and DHCP. Each is an extra: a cached
# layer that is loaded only by the machines whose scenarios need it.

# Their Debian packages besides udev, which gives disks the names under which these programs look for them.
declare -A EXTRA_PACKAGES=(
  [boot]=dnsmasq-base
  [ansible]='libc-bin libpython3.11-stdlib python3.11-minimal python3-jinja2 python3-markupsafe python3-packaging python3-yaml'
  [dhcp]='dhcpcd-base dnsmasq-base isc-dhcp-client klibc-utils'
  [libvirt]='libvirt-clients libvirt-daemon'
  [udev]=''
  [valgrind]=valgrind
)
# What is prepared; all of them by default.
# shellcheck disable=SC2034 # used by machine
EXTRAS=("${!EXTRA_PACKAGES[@]}")
# The newest on PyPI that Debian's Python can run.
ANSIBLE=12.3.0 ANSIBLE_CORE=2.19.14

# prepare_extra NAME: unpacks it under $VM_DIR/extra-NAME, once.
prepare_extra() {
  local packages
  [[ -v EXTRA_PACKAGES[$1] ]] || die "there is no extra $1"
  read -ra packages <<<"${EXTRA_PACKAGES[$1]}"
  unpack_packages "$VM_DIR/extra-$1" udev "${packages[@]}"
  [[ $1 != ansible ]] || prepare_ansible "$VM_DIR/extra-ansible"
}

# prepare_ansible DIRECTORY: from PyPI, ansible-core and, of all the collections, the module and what says that there is a collection.
prepare_ansible() {
  local collection=ansible_collections/community/general modules=usr/lib/python3/dist-packages name
  [[ $(tail -1 "$1/packages") != "ansible $ANSIBLE $ANSIBLE_CORE" ]] || return 0
  for name in "ansible-$ANSIBLE" "ansible_core-$ANSIBLE_CORE"; do
    [[ ! -e $VM_DIR/debs/$name-py3-none-any.whl ]] || continue
    note "downloading $name"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
      --dest "$VM_DIR/debs" "${name/-/==}" || die "cannot download: $name"
  done
  rm -rf "$1/$modules"/ansible*
  unzip_wheel "$1/$modules" "ansible-$ANSIBLE" $collection/{MANIFEST.json,meta/runtime.yml,plugins/modules/open_iscsi.py}
  unzip_wheel "$1/$modules" "ansible_core-$ANSIBLE_CORE"
  # Python compiles what it loads, which takes long in an emulated machine. That the sources are as old as they were is not checked.
  PYTHONHOME=$1/usr "$1/lib64/ld-linux-x86-64.so.2" --library-path "$1/lib/x86_64-linux-gnu:$1/usr/lib/x86_64-linux-gnu" \
    "$1/usr/bin/python3.11" -m compileall -q --invalidation-mode unchecked-hash \
    "$1/usr/lib/python3.11" "$1/$modules"
  echo "ansible $ANSIBLE $ANSIBLE_CORE" >>"$1/packages"
}

# unzip_wheel DIRECTORY WHEEL [MEMBER...]: all of it or these files.
unzip_wheel() {
  python3 -c 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2], sys.argv[3:] or None)' \
    "$VM_DIR/debs/$2-py3-none-any.whl" "$1" "${@:3}"
}

# extra_layer NAME: prints the path of the archive.
extra_layer() {
  local key archive tree=$VM_DIR/tree UNPACKED=$VM_DIR/extra-$1
  key=$(cache_key "$UNPACKED/packages" "$VM_SOURCE/host/extras.sh")
  archive=$VM_DIR/layers/extra-$1-$key.cpio
  if [[ ! -e $archive ]]; then
    note "building the layer of $1"
    rm -rf "$tree" "$VM_DIR/layers/extra-$1"-*
    copy_udev "$tree"
    [[ $1 == udev ]] || "copy_$1" "$tree"
    pack "$tree" "$archive"
    rm -rf "$tree"
  fi
  printf '%s' "$archive"
}

copy_udev() {
  copy_program "$1" /bin /bin/udevadm
  copy_program "$1" /lib/udev /lib/udev/scsi_id
  mkdir -p "$1/lib/systemd" "$1/etc/udev"
  ln -s /bin/udevadm "$1/lib/systemd/systemd-udevd"
  cp -r "$UNPACKED/lib/udev/rules.d" "$1/lib/udev/"
}

copy_ansible() {
  local modules
  copy_program "$1" /usr/bin /usr/bin/python3.11
  ln -s python3.11 "$1/usr/bin/python3"
  mkdir -p "$1/usr/lib/locale"
  cp -r "$UNPACKED/usr/lib"/python3{,.11} "$1/usr/lib/"
  mapfile -t modules < <(find "$1/usr/lib" -name '*.so')
  copy_libraries "$1" "${modules[@]}"
  # Ansible runs with an encoding of UTF-8 only.
  cp -r "$UNPACKED/usr/lib/locale/C.utf8" "$1/usr/lib/locale/"
}

# libvirt's daemon with the drivers that a storage pool takes.
copy_libvirt() {
  local directory=/usr/lib/x86_64-linux-gnu/libvirt
  copy_program "$1" /usr/bin /usr/bin/virsh
  copy_program "$1" /usr/sbin /usr/sbin/libvirtd
  copy_program "$1" $directory/connection-driver $directory/connection-driver/libvirt_driver_{secret,storage}.so
  copy_program "$1" $directory/storage-backend $directory/storage-backend/libvirt_storage_backend_iscsi.so
}

# The server for diskless machines gives out addresses and files.
copy_boot() {
  copy_program "$1" /usr/sbin /usr/sbin/dnsmasq
}

# Valgrind with the tool that counts calls.
copy_valgrind() {
  mkdir -p "$1/usr/libexec/valgrind"
  copy_program "$1" /usr/bin /usr/bin/valgrind.bin
  mv "$1/usr/bin/valgrind.bin" "$1/usr/bin/valgrind"
  cp "$UNPACKED/usr/libexec/valgrind"/{callgrind-amd64-linux,default.supp} "$1/usr/libexec/valgrind/"
}

# A server, and the clients, in a place where nobody looks for them. That of klibc has a loader of its own, and dhcpcd a library that it loads itself.
copy_dhcp() {
  copy_program "$1" /usr/sbin /usr/sbin/dnsmasq
  copy_program "$1" /opt/dhcp /sbin/dhclient /usr/sbin/dhcpcd
  cp "$UNPACKED/usr/lib/klibc/bin/ipconfig" "$1/opt/dhcp/"
  cp "$UNPACKED"/lib/klibc-*.so "$1/lib/"
  mkdir -p "$1/usr/lib/x86_64-linux-gnu" "$1/etc"
  cp -r "$UNPACKED/usr/lib/dhcpcd" "$1/usr/lib/"
  cp -r "$UNPACKED/usr/lib/x86_64-linux-gnu/dhcpcd" "$1/usr/lib/x86_64-linux-gnu/"
  cp "$UNPACKED/etc/dhcpcd.conf" "$1/etc/"
}
