# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A login that fails, at whatever step and in whatever way, says why and leaves nothing behind.
# limit: 180
# kernels: 6.12

options=()
# attempt CODE REGEX STEP...: logs in to a target that plays these steps.
attempt() {
  local code=$1 text=$2 timeout=20
  shift 2
  echo "--- $*"
  [[ ${*: -1} != silent ]] || timeout=2
  fake_target 4000 "$@"
  expect_exit "$code" iscsi-admin login "$IQN" --portal "$TARGET_ADDRESS:4000" --timeout $timeout "${options[@]}"
  expect_silent_stdout
  expect_stderr "^iscsi-admin: login to $IQN at $TARGET_ADDRESS:4000 failed: .*($text)"
  expect_equal 1 "$(grep -vc ' s)$' "$OUT/stderr")"
  # Long enough for an emulated machine, and too short for a login that waits for what will not come.
  [[ ${*: -1} == again ]] || expect_within 8000
  expect_nothing_left 4000
}
# The loss of the connection is noticed as such, or by the next request that the kernel refuses.
closed='closed the connection' late='no Login Response in time'

# Before and after the first Login Request, in the middle of a header and of data.
attempt 4 "$closed" close
attempt 4 "$closed" reset
attempt 4 "$closed" read close
attempt 4 "$closed" read answer flags=04 reset
attempt 4 "$closed" read answer flags=04 read close
attempt 4 "$closed" read answer cut=20 close
attempt 4 "$closed" read answer text=TargetPortalGroupTag=1 cut=60 close
attempt 11 "$late" silent
attempt 11 "$late" read silent
attempt 11 "$late" read answer flags=04 read silent
attempt 11 "$late" read answer cut=20 silent
attempt 11 "$late" read answer text=TargetPortalGroupTag=1 cut=60 silent

# What is no Login Response of this login.
attempt 4 'DATALEN' read octets "$(printf '5a%.0s' {1..96})" close
attempt 4 'DATALEN' read octets "$(printf 'ff%.0s' {1..96})"
attempt 19 'answered the login' read answer opcode=26
attempt 4 'BAD_OPCODE' read answer opcode=3f
attempt 4 'BAD_ITT' read answer itt=12345678
attempt 19 'ISID' read answer isid=000000000000
attempt 19 'version' read answer version=0505
attempt 4 'DATALEN' read answer length=ffffff
attempt 4 'DATALEN' read answer length=002001
attempt 19 'TSIH' read answer tsih=0000
attempt 19 'StatSN' read answer flags=04 read answer statsn=00000077

# Stages and flags.
attempt 24 'requires authentication' read answer flags=00
attempt 19 'reserved login stage' read answer flags=08
attempt 19 'stage' read answer flags=85
attempt 19 'T and C' read answer flags=c7
attempt 19 'malformed' read answer text=novalue
attempt 19 'malformed' read answer text==value
attempt 19 'InitialR2T' read answer text=InitialR2T=Maybe
attempt 19 'MaxBurstLength' read answer text=MaxBurstLength=0
attempt 19 'twice' read answer text=MaxBurstLength=65536 text=MaxBurstLength=65536

# The same in the security stage.
options=(--user alice --password-file "$(password_file wonderland12)")
attempt 4 "$closed" read close
attempt 4 "$closed" read answer flags=00 text=AuthMethod=CHAP reset
attempt 11 "$late" read answer flags=00 text=AuthMethod=CHAP read silent
challenge=(read answer flags=00 text=AuthMethod=CHAP read answer flags=00 text=CHAP_A=5 text=CHAP_I=7 text=CHAP_C=0x0123456789abcdef0123456789abcdef)
attempt 4 "$closed" "${challenge[@]}" close
attempt 11 "$late" "${challenge[@]}" silent
attempt 24 0201 "${challenge[@]}" read answer status=0201
# After the security stage.
attempt 4 "$closed" "${challenge[@]}" read answer flags=81 close
attempt 4 "$closed" "${challenge[@]}" read answer flags=81 read close
attempt 11 "$late" "${challenge[@]}" read answer flags=81 read silent
attempt 19 'stage' "${challenge[@]}" read answer flags=81 read answer flags=00
attempt 19 'CHAP_A' read answer flags=00 text=AuthMethod=CHAP read answer flags=00 text=CHAP_A=99 text=CHAP_I=7 text=CHAP_C=0x00
attempt 24 'no authentication method' read answer flags=00 text=AuthMethod=Reject
expect_no_secret wonderland12

# Without end.
options=()
attempt 19 'no end of the login' read answer flags=44 text=X-key=1 again
