#!/bin/sh
# Installs Amarktai from a release: a tarball of `cargo xtask dist`, or a binary. No compiler.
#   sudo deploy/install.sh amarktai-0.1.0-linux-x86_64.tar.gz
# With DESTDIR=/some/root it only lays the files out there, for packages and tests.
set -eu

usage() {
    echo "usage: install.sh TARBALL|BINARY   (a file TARBALL.sha256 beside it is checked)" >&2
    exit 2
}
[ $# -eq 1 ] || usage
release=$1
[ -f "$release" ] || { echo "install.sh: there is no $release" >&2; exit 2; }
root=${DESTDIR:-}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)

if [ -z "$root" ] && [ "$(id -u)" -ne 0 ]; then
    echo "install.sh: run it as root, or set DESTDIR" >&2
    exit 1
fi
if [ -f "$release.sha256" ]; then
    (cd "$(dirname -- "$release")" && sha256sum --check --quiet "$(basename -- "$release").sha256")
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
files=$here
case $release in
    *.tar.gz|*.tgz)
        tar -xzf "$release" -C "$work" --strip-components=1
        binary=$work/bin/amarktai
        [ -d "$work/deploy" ] && files=$work/deploy
        ;;
    *) binary=$release ;;
esac
"$binary" --version >/dev/null || { echo "install.sh: $binary does not run here" >&2; exit 1; }

install -D -m 0755 "$binary" "$root/usr/bin/amarktai"
for unit in amarktai-api.service amarktai-api.socket; do
    install -D -m 0644 "$files/systemd/$unit" "$root/usr/lib/systemd/system/$unit"
done
# What is configured stays as it is.
[ -e "$root/etc/amarktai/amarktai.toml" ] || \
    install -D -m 0644 "$files/systemd/amarktai.toml.example" "$root/etc/amarktai/amarktai.toml"
[ -e "$root/etc/amarktai/amarktai.env" ] || \
    install -D -m 0640 "$files/systemd/amarktai.env.example" "$root/etc/amarktai/amarktai.env"

if [ -n "$root" ]; then
    echo "laid out in $root"
    exit 0
fi
id amarktai >/dev/null 2>&1 || \
    useradd --system --user-group --home-dir /var/lib/amarktai --shell /usr/sbin/nologin amarktai
install -d -o amarktai -g amarktai -m 0700 /var/lib/amarktai
chgrp amarktai /etc/amarktai/amarktai.env
systemctl daemon-reload
systemctl enable --now amarktai-api.socket amarktai-api.service
echo "Amarktai runs; the setup code of the first owner:"
echo "  sudo -u amarktai amarktai setup-code --data-dir /var/lib/amarktai"
