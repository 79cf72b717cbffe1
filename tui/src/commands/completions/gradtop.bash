# Completion of gradtop for bash: what may follow is asked of gradtop itself.
_gradtop() {
    local line="${COMP_LINE:0:COMP_POINT}" strip="" reply
    local word="${line##*[[:space:]]}"
    # bash replaces only what comes after the last of these.
    case "$word" in *[=:]*) strip="${word%"${word##*[=:]}"}" ;; esac
    COMPREPLY=()
    while IFS= read -r reply; do
        reply="${reply%%$'\t'*}"
        COMPREPLY+=("${reply#"$strip"}")
    done < <("${COMP_WORDS[0]}" __complete "$line" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:,] ]]; then compopt -o nospace; fi
}
complete -o default -F _gradtop gradtop
