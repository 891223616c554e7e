#compdef spike
# zsh completion of spike: eval "$(spike completion zsh)", behind compinit
# It knows nothing of the commands: it asks the command itself, so that it never grows old.
_spike() {
  local kind line
  local -a lines texts shown
  lines=("${(@f)$("${(Q)words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  kind=$lines[1]
  if [[ $kind == ':files '* ]]; then
    compset -P "${(b)kind#:files }"
    _files
    return
  fi
  for line in "${(@)lines[2,-1]}"; do
    texts+=("${line%%$'\t'*}")
    shown+=("${line/$'\t'/  -- }")
  done
  (( $#texts )) || return 1
  if [[ $kind == ':open' ]]; then
    compadd -l -d shown -S '' -a texts
  else
    compadd -l -d shown -a texts
  fi
}
if [[ $funcstack[1] == _spike ]]; then _spike; else compdef _spike spike; fi
