#!/bin/sh
# Install Debian's chromium where the page tests find no browser, if that needs no password: on a
# machine with apt, as root. On other machines those tests are skipped.
# MIEN_CHROMIUM is the path of another browser; MIEN_CHROMIUM=none installs nothing.
[ -z "$MIEN_CHROMIUM" ] || exit 0
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" > /dev/null 2>&1 && exit 0
done
command -v apt-get > /dev/null 2>&1 && [ "$(id -u)" = 0 ] || exit 0
echo "Installing chromium for the page tests (MIEN_CHROMIUM=none skips them)"
export DEBIAN_FRONTEND=noninteractive
{ apt-get -qq update && apt-get -qq install --yes --no-install-recommends chromium; } > /dev/null 2>&1 ||
  echo "It could not be installed; the page tests will be skipped"
exit 0
