# What the script says for itself, and where it stands. Until `removed` is yes, everything is as it was.
dry_run=
whole=
resuming=
removed=
uid=$(id -u)
user=$(id -un 2>/dev/null) || user=$uid
host=$(uname -n)
journal_head='# SPIKE reset journal: time, script, instance, user, host, step, detail'
gone=$data.reset-$script_id
tab=$(printf '\t')

say() { printf '%s\n' "$1"; }

complain() { printf '%s\n' "$1" >&2; }

# Twice -a, and no >>: with either of them damaged it still empties nothing.
append() { tee -a -a "$journal" >/dev/null; }

# One line of the journal: a step, and what there is to know about it. Fails where it cannot be written. Until the
# script is known to be whole its path may be damaged, too: then only what is a journal already is written to.
note() {
  detail=$(printf '%s' "${2-}" | tr '\000-\037\177' '[ *]')
  line=$(date -u '+%Y-%m-%dT%H:%M:%SZ')$tab$script_id$tab$instance$tab$user$tab$host$tab$1$tab$detail
  if [ -L "$journal" ]; then return 1; fi
  if [ -n "$whole" ] && [ ! -e "$journal" ]; then printf '%s\n' "$journal_head" >"$journal" || return 1; fi
  if [ ! -f "$journal" ] || [ "$(head -n 1 "$journal")" != "$journal_head" ]; then return 1; fi
  # A line that a full disk has cut off gets an end of its own.
  if [ -n "$(tail -c 1 "$journal")" ]; then printf '\n' | append || return 1; fi
  printf '%s\n' "$line" | append
} 2>/dev/null

# For the steps without which nothing goes on.
must_note() { note "$@" || refuse "the journal $journal cannot be written, or is something else; free some space, or move it away"; }

# Ends the run. Nothing has been removed, or the renamed folder still has everything.
refuse() {
  if [ -n "$dry_run" ]; then word=dry-run-refused; else word=refused; fi
  note "$word" "$1" || complain "This is not in the journal: $journal cannot be written."
  complain "Refused: $1"
  if [ -n "$removed" ]; then unfinished; fi
  complain 'Nothing was changed.'
  exit 1
}

unfinished() {
  complain "The data of the instance are out of service and not deleted yet: they lie in $gone"
  complain "Run this script again to finish: sh $self"
  exit 3
}

interrupted() {
  trap '' HUP INT TERM
  if [ -e "$gone" ]; then removed=yes; fi
  note interrupted "by SIG$1" || complain "This is not in the journal: $journal cannot be written."
  complain ''
  complain "Interrupted by SIG$1."
  if [ -n "$removed" ]; then unfinished; fi
  complain 'Nothing was changed.'
  exit 1
}

sha256() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum
  elif command -v shasum >/dev/null 2>&1; then shasum -a 256
  else openssl dgst -sha256 -r; fi | cut -c 1-64
}

# An executable of SPIKE runs nothing but what it holds.
ask_node() {
  if [ -n "$node_holds_helper" ]; then "$node" --program=reset-helper "$@"
  else "$node" --no-warnings --input-type=commonjs -e "$helper" -- "$@"; fi
}

# The file that is run: whole, this user's own, and writable by nobody else.
check_self() {
  case $0 in /*) self=$0 ;; *) self=./$0 ;; esac
  if [ -L "$self" ] || [ ! -f "$self" ]; then
    refuse 'this has to run from a regular file, not from a pipe. Save it first: (umask 077; spike reset --force > reset.sh), read it, then run: sh reset.sh'
  fi
  last=$(tail -n 1 "$self")
  bytes=$(($(wc -c <"$self")))
  digest=$(head -c $((bytes - ${#last} - 1)) "$self" | sha256)
  [ "${#digest}" -eq 64 ] || refuse 'no checksum can be made: sha256sum, shasum or openssl is needed'
  [ "$last" = "# checksum sha256 $digest, $bytes bytes" ] || refuse 'this script is damaged, its checksum is another one: print a new one'
  whole=yes
  [ -n "$(find "$self" -prune -user "$uid")" ] || refuse "the script's file does not belong to you (uid $uid)"
  [ -z "$(find "$self" -prune -perm -020)" ] || refuse "the script's file may be written by its group: chmod go-w $self, and print a new one if you don't know who did"
  [ -z "$(find "$self" -prune -perm -002)" ] || refuse "the script's file may be written by everybody: chmod go-w $self, and print a new one if you don't know who did"
}

check_node() {
  [ -x "$node" ] || refuse "the Node.js that ran SPIKE is not at $node, so whether SPIKE still runs cannot be tried"
  [ "$(sha256 <"$node")" = "$node_sha256" ] || refuse "$node is not the Node.js that ran SPIKE when this script was printed: print a new one"
}

check_time() {
  now=$(date -u '+%Y%m%d%H%M%S')
  [ "$now" -lt "$expires" ] || refuse "this script was valid until $expires_text: print a new one"
  [ "$now" -ge "$valid_from" ] || refuse "this script was printed at $created_text, which this clock has not reached: set the clock"
}

check_data() {
  if [ -L "$data" ]; then refuse "the data directory $data is a link"; fi
  if [ ! -d "$data" ]; then refuse "there is no data directory at $data: run this on the host of Nexus"; fi
  found=$(ask_node instance "$data") || refuse "the data in $data cannot be read"
  [ "$found" = "$instance" ] || refuse "the data in $data are of instance ${found:-(none)}, this script is for $instance"
  if [ ! -w "$data" ] || [ ! -w "$data/.." ]; then refuse "you may not move $data away: run this as the user that Nexus runs as"; fi
}

# A reset that was broken off goes on only while nobody has begun anew in its place.
check_remains() {
  if [ -e "$data" ]; then
    found=$(ask_node instance "$data") || refuse "the data in $data cannot be read"
    [ -z "$found" ] || refuse "there is an instance in $data again ($found). The old data lie in $gone; delete that folder yourself"
  fi
  if [ -e "$gone" ]; then
    found=$(ask_node instance "$gone") || refuse "the data in $gone cannot be read"
    [ -z "$found" ] || [ "$found" = "$instance" ] || refuse "the data in $gone are of instance $found"
  fi
}

check_anchor() {
  found=$(ask_node anchor "$anchor") || refuse "the anchor file $anchor cannot be read"
  case $found in
  "$instance" | absent | damaged) ;;
  *) refuse "the anchor file $anchor names another instance, $found" ;;
  esac
}

running=0

try_address() {
  state=$(ask_node probe "$2" "$3") || state='unknown (Node.js failed)'
  case $state in
  closed) return ;;
  open) complain "$1 still runs: it accepts connections at $2:$3. To stop it: $4" ;;
  *) complain "$1 at $2:$3 can't be tried, $state, so it counts as running. Make that address refuse connections. To stop it: $4" ;;
  esac
  running=$((running + 1))
}

# A Keeper that runs is taken to hold a share, and the next Bootstrap would be refused by it.
check_stopped() {
  running=0
  for_each_address try_address
  if [ "$running" -eq 0 ] && [ -e "$data" ] && [ "$(ask_node locked "$data")" != free ]; then
    complain "A Nexus holds the store in $data, at whatever address. To stop it: $stop_nexus"
    running=1
  fi
  if [ "$running" -eq 0 ]; then return; fi
  if [ -n "$dry_run" ]; then
    say "(A real run would be refused until these $running are stopped.)"
  else
    refuse "$running of the parts of SPIKE still run, or can't be tried"
  fi
}

check_backup() {
  if [ -z "$backup" ]; then return; fi
  flaw=$(ask_node backup "$backup" "$backup_size" "$backup_sha256" "$data" "$gone") || flaw='it cannot be read'
  [ -z "$flaw" ] || refuse "the backup $backup is not the one that was verified: $flaw"
  say "Backup: $backup, $backup_size bytes, made $(ask_node age "$backup_created") ago ($backup_created)."
}

# Asks for these words exactly; once.
demand() {
  printf '%s\n> ' "$1"
  IFS= read -r answer || refuse 'nothing was typed'
  [ "$answer" = "$2" ] || refuse "$3"
}

confirm() {
  say "This removes instance $instance: $contents."
  say "Printed by $administrator at $created_text; valid until $expires_text."
  if [ -z "$backup" ] && [ -z "$resuming" ]; then
    demand "There is no backup. To go on, type: $loss_sentence" "$loss_sentence" 'the loss was not accepted'
    must_note loss-accepted "$contents"
  fi
  demand 'To go on, type the id of the instance:' "$instance" 'that is not the id of the instance'
  must_note confirmed
}

remove_data() {
  must_note removing "$data"
  if ! with_addresses ask_node remove "$self" "$instance" "$data" "$gone" >/dev/null; then
    [ -e "$gone" ] || refuse "$data could not be moved away"
  fi
  removed=yes
  must_note removed "$gone"
}

# What would keep the next Bootstrap from beginning, or is evidence: it is kept beside.
move_aside() {
  aside=$2.reset-$script_id
  if [ -e "$aside" ] || [ -L "$aside" ]; then
    if [ ! -e "$2" ]; then return; fi
    refuse "both $2 and $aside are there: move one of them away"
  fi
  if [ ! -e "$2" ]; then return; fi
  ask_node move "$2" "$aside" >/dev/null || refuse "$1 $2 could not be moved aside"
  must_note moved-aside "$1: $aside"
}

check_aside() {
  if [ -e "$2" ] || [ -L "$2" ]; then refuse "$1 $2 is still there"; fi
}

finish() {
  for_each_aside move_aside
  check_remains
  for_each_aside check_aside
  must_note verified 'no data, no anchor: as before the first Bootstrap'
  check_backup
  must_note deleting "$gone"
  rm -rf "$gone" || refuse "$gone could not be deleted"
  if [ -e "$gone" ]; then refuse "$gone could not be deleted"; fi
  # From here on there is nothing left that could be broken off.
  trap '' HUP INT TERM
  note 'done' || complain "The journal $journal cannot be written; the reset is done all the same."
}

show_aside() {
  if [ -e "$2.reset-$script_id" ]; then say "  $1: $2.reset-$script_id"; fi
}

say_next() {
  say ''
  say "Instance $instance is gone. Kept beside, for you to keep or to delete:"
  for_each_aside show_aside
  say "  journal: $journal"
  say ''
  say 'What comes next:'
  if [ -n "$pinned" ]; then say '  Take SPIKE_NEXUS_INSTANCE out of the settings of Nexus: it names the old instance.'; fi
  say '  Start SPIKE again (npm start, or the Keepers, Nexus, then Bootstrap), then run: spike init'
  if [ -n "$backup" ]; then say "  To bring the secrets back: spike backup restore $backup (it asks for the age identity and the recovery shares of $instance)"; fi
  say '  Policies, registration entries and recovery shares of the new instance: see doc/guide/reset.md'
}

show_removed() {
  if [ -e "$2" ]; then say "Would move aside: $1 $2"; fi
}

usage() {
  say "usage: sh $0 [--dry-run]"
  say 'Resets one SPIKE instance to the state before its first Bootstrap. --dry-run checks everything and changes nothing but a line in the journal.'
}

main() {
  trap 'interrupted HUP' HUP
  trap 'interrupted INT' INT
  trap 'interrupted TERM' TERM
  self=$0
  case $#:${1-} in
  0:) ;;
  1:--dry-run) dry_run=yes ;;
  1:--help) usage && exit 0 ;;
  *) usage && exit 2 ;;
  esac
  check_self
  if [ -z "$dry_run" ] && [ ! -t 0 ]; then refuse 'this asks questions and needs a terminal: run it by hand'; fi
  check_node
  if [ -e "$gone" ]; then
    resuming=yes
  elif [ ! -e "$data" ] && grep -q "$tab$script_id$tab.*${tab}removed$tab" "$journal" 2>/dev/null; then
    if grep -q "$tab$script_id$tab.*${tab}done$tab" "$journal"; then
      say 'This reset is done already.'
      exit 0
    fi
    resuming=yes
  fi
  if [ -n "$resuming" ]; then
    removed=yes
    if [ -n "$dry_run" ]; then refuse 'a reset was begun; finish it with a real run'; fi
    say 'This reset was broken off after the data were moved away; it goes on.'
    must_note resumed
    check_remains
  else
    if [ -n "$dry_run" ]; then must_note dry-run-started; else must_note started; fi
    check_time
    check_data
  fi
  check_anchor
  check_stopped
  check_backup
  if [ -n "$dry_run" ]; then
    say "Would remove: $data ($contents)"
    for_each_aside show_removed
    must_note dry-run-passed
    say 'Dry run passed; nothing was changed.'
    exit 0
  fi
  confirm
  if [ -z "$resuming" ]; then
    check_time
    remove_data
  fi
  finish
  say_next
}
