# bash completion of spike: eval "$(spike completion bash)"
# It knows nothing of the commands: it asks the command itself, so that it never grows old.
_spike() {
  local rest=${COMP_LINE:0:COMP_POINT} program=${COMP_WORDS[0]} words=() last=-1 word i
  # Bash cuts words at = and : too; what no blank separates is one word.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if ((last >= 0)) && [[ $rest != [[:space:]]* && -n $rest ]]; then
      word=${word:0:${#rest}}
      words[last]+=$word
    else
      rest=${rest#"${rest%%[![:space:]]*}"}
      word=${word:0:${#rest}}
      words[++last]=$word
    fi
    rest=${rest:${#word}}
  done
  # Bash puts the answer in place of what stands behind the last cut.
  [[ $word != *[!=:@]* ]] && word=
  local token=${words[last]} kind= line found=() open=1
  local cut=$((${#token} - ${#word}))
  [[ $program == '~/'* ]] && program=$HOME/${program:2}
  while IFS=$'\t' read -r line _; do
    if [[ -z $kind ]]; then kind=$line; else found+=("$line"); fi
  done < <("$program" __complete -- "${words[@]:1}" 2>/dev/null)
  if [[ $kind == ':files '* ]]; then
    local before=${kind#:files }
    while IFS= read -r line; do
      if [[ -d $line ]]; then line+=/; else open=0; fi
      found+=("$before$line")
    done < <(compgen -f -- "${token#"$before"}")
  elif [[ $kind != :open ]]; then
    open=0
  fi
  COMPREPLY=()
  for line in "${found[@]}"; do
    line=${line:cut}
    [[ $token == [\"\']* ]] || printf -v line %q "$line"
    COMPREPLY+=("$line")
  done
  if ((open && ${#COMPREPLY[@]} > 0)); then compopt -o nospace 2>/dev/null; fi
}
complete -F _spike spike
