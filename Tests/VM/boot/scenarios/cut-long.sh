# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The same for five minutes.
# limit: 600
# default: no

cut_with_writers 300 90 -P node.session.timeo.replacement_timeout=86400
cut_ends_whole tgt
