#compdef pgtsim
# Zsh completion for pgtsim. Names come from `pgtsim list`, so that there is nothing to keep up to date.

_pgtsim() {
	local -a names
	local command=${words[2]}

	if (( CURRENT == 2 )); then
		names=(${(f)"$(pgtsim list commands 2>/dev/null | tr '\t' ':')"} --help --version)
		_describe command names
	elif [[ $words[CURRENT] == --profile(|s)=* ]]; then
		compset -P '*='
		names=(${(f)"$(pgtsim list profiles 2>/dev/null | cut -f 1)"})
		_describe profile names
	elif [[ $command == list && CURRENT -eq 3 ]]; then
		names=(commands scenario counters knobs violations profiles constants)
		_describe list names
	elif [[ $words[CURRENT] == -* ]]; then
		names=(${(f)"$(pgtsim $command --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*=\{0,1\}\).*/\1/p')"} --help)
		compadd -S '' -- $names
	else
		_files
	fi
}

_pgtsim "$@"
