#!/bin/sh
# Makes a Debian root file system a node: runs in it once, after its packages are installed (images/packages).
set -eu

# Vagrant's user, as in every Vagrant box; keys are mounted by the engine, see labctl/providers/engine.py.
useradd --create-home --shell /bin/bash vagrant
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/vagrant
chmod 0440 /etc/sudoers.d/vagrant
mkdir -p /etc/ssh/authorized_keys.d /etc/ssh/sshd_config.d
cat >/etc/ssh/sshd_config.d/novalab.conf <<X
AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u
PasswordAuthentication no
UseDNS no
HostKey /etc/ssh/ssh_host_ed25519_key
X

# Podman leaves this file alone (labctl/providers/engine.py); the names of the lab are added by the role node.
printf '127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n' >/etc/hosts

# Host keys are each node's own, made when it first starts.
rm -f /etc/ssh/ssh_host_*
mkdir -p /etc/systemd/system/ssh.service.d
cat >/etc/systemd/system/ssh.service.d/host-keys.conf <<X
[Service]
ExecStartPre=
ExecStartPre=/bin/sh -c 'key=/etc/ssh/ssh_host_ed25519_key; [ -s \$key ] || ssh-keygen -q -t ed25519 -N "" -f \$key'
ExecStartPre=/usr/sbin/sshd -t
X

# A privileged container sees the host's devices and kernel settings, and has no business with them.
systemctl mask --quiet systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
  systemd-udev-trigger.service systemd-sysctl.service systemd-modules-load.service systemd-binfmt.service \
  systemd-hwdb-update.service systemd-firstboot.service getty@tty1.service console-getty.service \
  apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
systemctl enable --quiet ssh.service
systemctl set-default --quiet multi-user.target

: >/etc/machine-id
rm -f /var/lib/dbus/machine-id
# PAM's session modules ask for locales that a minimal system lacks.
echo 'LANG=C.UTF-8' >/etc/default/locale

apt-get clean
rm -rf /var/lib/apt/lists/*
