# SPDX-License-Identifier: GPL-2.0-only OR MIT
# What documents name in backticks exists: tests, mutants, fuzz targets, files.

# names_in_documents: FILE:LINE:TEXT for each name in backticks, and for each list of mutants.
names_in_documents() {
  local file
  while read -r -d '' file; do
    grep -noE '`[^`]+`|[Mm]utants? [0-9]+((, | and | to )[0-9]+)*' "$file" | sed "s,^,$file:,"
  done < <(files_of_git '*.md')
}

# exists_test SUITE NAME: a GoogleTest; NAME may be *.
exists_test() {
  local name=$2
  [ "$name" != '*' ] || name='[A-Za-z0-9_]+'
  grep -rqE "^ *TEST(_F|_P)?\($1, $name\)" tests
}

# exists_file FROM PATH: seen from the top or from the document.
exists_file() { [ -e "$2" ] || [ -e "$(dirname "$1")/$2" ]; }

# check_name FILE LINE TEXT
check_name() {
  local file=$1 line=$2 text=$3 number
  case $text in
    [Mm]utant*)
      while read -r number; do
        grep -q "{$number, " ports/sim/mutants.cc || complain "no mutant $number"
      done < <(grep -oE '[0-9]+' <<<"$text") ;;
    *)
      text=${text//\`/}
      if [[ $text =~ ^([A-Z][A-Za-z0-9]+)\.([A-Z][A-Za-z0-9]*|\*)$ ]]; then
        exists_test "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" || complain "no test $text"
      elif [[ $text =~ ^test_[a-z0-9_]+$ ]]; then
        grep -rqE "^ *$text\(\)" tests/guest lab/lib || complain "no test $text"
      elif [[ $text =~ ^[a-z_0-9]+_(to_guest|to_host|reader|writer|ranges)$ ]]; then
        [ -e "fuzz/targets/$text.cc" ] || complain "no fuzz target $text"
      elif [[ $text =~ ^[A-Za-z0-9_./-]+/[A-Za-z0-9_.-]+\.(cc|hpp|h|c|sh|md|txt|json)$ ]]; then
        case $text in
          build/* | linux/*.h | *NAME* | *NN* | *COMMAND*) ;; # made, the kernel's, patterns
          *) exists_file "$file" "$text" || complain "no file $text" ;;
        esac
      fi ;;
  esac
}
complain() { echo "$file:$line: $*"; bad=1; }

test_names_in_documents() {
  local bad=0 file line text names=0
  cd "$TOP_DIR" || return 1
  while IFS=: read -r file line text; do
    names=$((names + 1))
    check_name "$file" "$line" "$text"
  done < <(names_in_documents)
  [ "$names" -ge 100 ] || { echo "only $names names were found in documents"; bad=1; }
  return "$bad"
}
