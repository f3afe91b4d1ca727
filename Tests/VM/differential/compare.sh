# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Compares the transcripts of two runs (engine.sh), block by block.

# How many lines of a difference are shown.
DIFFERENCE_LINES=60

# read_blocks FILE ARRAY: the transcript's blocks.
read_blocks() {
  local -n blocks=$2
  local line
  blocks=()
  while IFS= read -r line; do
    case $line in
      '== '*) ;;
      '$ '* | '? '*) blocks+=("$line") ;;
      *) blocks[-1]+=$'\n'$line ;;
    esac
  done <"$1"
}

# row_of BLOCK: the row that explains whatever else is done, by what open-iscsi says: it refuses keys of records that it wrote itself,
# of interfaces whose address was changed to one of the other version of IP.
row_of() {
  [[ $1 != *$'\n! iSCSI ERROR: Unknown parameter name '* ]] || echo unknown-keys
}

# compare_runs ONE OTHER: prints each difference and counts: COMPARED command lines, DIFFERENT blocks, EXPECTED of these with a mark.
compare_runs() {
  local file group i first second line row
  COMPARED=0 DIFFERENT=0 EXPECTED=0
  : >"$OUT/unneeded"
  for file in "$OUT/$1"/*.txt; do
    group=$(basename "$file" .txt)
    read_blocks "$file" first
    read_blocks "$OUT/$2/$group.txt" second
    ((${#first[@]} == ${#second[@]})) || fail "$group: the runs are not of the same cases"
    for ((i = 0; i < ${#first[@]}; i++)); do
      line=${first[i]%%$'\n'*}
      [[ $line != '$ '* ]] || COMPARED=$((COMPARED + 1))
      if [[ ${first[i]} == "${second[i]}" ]]; then
        [[ $line != *' ~ '* ]] || echo "$group: $line" >>"$OUT/unneeded"
        continue
      fi
      DIFFERENT=$((DIFFERENT + 1))
      row=$(row_of "${first[i]}")
      [[ $line == *' ~ '* || $1 != reference ]] || line+=${row:+ ~ $row}
      if [[ $line == *' ~ '* ]]; then EXPECTED=$((EXPECTED + 1)); fi
      echo "--- $group: $line"
      printf '%s\n' "${first[i]}" >"$SCRATCH/$1"
      printf '%s\n' "${second[i]}" >"$SCRATCH/$2"
      diff -U 3 -L "$1" -L "$2" "$SCRATCH/$1" "$SCRATCH/$2" >"$SCRATCH/difference" || true
      sed -n "3,$((DIFFERENCE_LINES + 2))p" "$SCRATCH/difference"
    done
  done
}

# check_marks FILE...: each mark in them names a row of docs/compatibility.md.
check_marks() {
  local mark marks
  mapfile -t marks < <(sed -n 's/^[^#].* ~ \([a-z-]*\)$/\1/p' "$@" | sort -u)
  for mark in "${marks[@]}"; do
    grep -q "^| \`$mark\` |" /vm/differential/compatibility.md || fail "docs/compatibility.md has no row $mark"
  done
}

# expect_same ONE OTHER: each difference is printed, and fails unless a row of the table explains it.
expect_same() {
  compare_runs "$1" "$2" >"$OUT/differences"
  head -n 400 "$OUT/differences"
  [[ $2 != ours || ! -s $OUT/unneeded ]] || sed 's/^/no difference, but marked: /' "$OUT/unneeded"
  echo "differential: $COMPARED command lines, $DIFFERENT differences ($EXPECTED expected)"
  ((COMPARED > 0)) || fail 'no group has this name'
  ((DIFFERENT == EXPECTED)) || fail "$((DIFFERENT - EXPECTED)) differences that no row of docs/compatibility.md explains"
}
