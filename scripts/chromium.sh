#!/bin/sh
# Install Debian's chromium where the tests of the page find no browser, and only where that asks
# nobody anything: on a machine with apt, as root. Anywhere else those tests are skipped and say so.
# MIEN_CHROMIUM names a browser of your own; MIEN_CHROMIUM=none leaves the machine as it is.
[ -z "$MIEN_CHROMIUM" ] || exit 0
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  command -v "$name" > /dev/null 2>&1 && exit 0
done
command -v apt-get > /dev/null 2>&1 && [ "$(id -u)" = 0 ] || exit 0
echo "Installing chromium, with which the page is tested (MIEN_CHROMIUM=none to do without)"
export DEBIAN_FRONTEND=noninteractive
{ apt-get -qq update && apt-get -qq install --yes --no-install-recommends chromium; } > /dev/null 2>&1 ||
  echo "It could not be installed; the tests of the page will be skipped"
exit 0
