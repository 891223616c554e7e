# fish completion of spike: spike completion fish > ~/.config/fish/completions/spike.fish
# It knows nothing of the commands: it asks the command itself, so that it never grows old.
function __spike_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l lines (command $program __complete -- $words "$current" 2>/dev/null)
    set -l kind $lines[1]
    if string match -q -- ':files *' $kind
        set -l before (string sub -s 8 -- $kind)
        set -l part (string sub -s (math (string length -- $before) + 1) -- $current)
        for file in (__fish_complete_path $part)
            printf '%s\n' $before$file
        end
    else
        set -e lines[1]
        printf '%s\n' $lines
    end
end
complete -c spike -f -a '(__spike_complete)'
