# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The network is cut while programs write to the root file system: with a diskless machine's timeouts nobody notices but by waiting.
# limit: 240

cut_with_writers 30 4 -P node.session.timeo.replacement_timeout=86400
cut_ends_whole tgt
