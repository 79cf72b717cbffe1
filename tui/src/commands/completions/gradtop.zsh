#compdef gradtop
# Completion of gradtop for zsh: what may follow is asked of gradtop itself.
_gradtop() {
    local -a all open closed
    all=("${(@f)$("${words[1]}" __complete "${(j: :)words[1,CURRENT]}" 2>/dev/null)}")
    all=(${all%%$'\t'*})
    open=(${(M)all:#*[=:,]})
    closed=(${all:#*[=:,]})
    (( $#open )) && compadd -S '' -a open
    (( $#closed )) && compadd -a closed
    (( $#open + $#closed )) || _files
}
if [[ ${funcstack[1]} == _gradtop ]]; then _gradtop "$@"; else compdef _gradtop gradtop; fi
