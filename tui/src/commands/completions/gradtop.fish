# Completion of gradtop for fish: what may follow is asked of gradtop itself.
function __gradtop_complete
    set -l found (gradtop __complete (commandline -cp | string collect) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c gradtop -f -a '(__gradtop_complete)'
