# Bash completion for pgtsim. Names come from `pgtsim list`, so that there is nothing to keep up to date.

_pgtsim_names() {
	pgtsim list "$1" 2>/dev/null | cut -f 1
}

# The options of a command, as its help has them.
_pgtsim_options() {
	pgtsim "$1" --help 2>/dev/null | sed -n 's/^  \(--[a-z-]*=\{0,1\}\).*/\1/p'
	echo --help
}

_pgtsim() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} names
	local command=${COMP_WORDS[1]}

	COMPREPLY=()
	# Bash cuts --profile=NAME into three words.
	if [ "$word" = = ]; then
		word=
	elif [ "$before" = = ]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	if [ "$COMP_CWORD" -eq 1 ]; then
		names="$(_pgtsim_names commands) --help --version"
	elif [ "$before" = --profile ] || [ "$before" = --profiles ]; then
		names=$(_pgtsim_names profiles)
	elif [ "$command" = list ] && [ "$COMP_CWORD" -eq 2 ]; then
		names="commands scenario counters knobs violations profiles constants"
	elif [[ $word == -* ]]; then
		names=$(_pgtsim_options "$command")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$names" -- "$word")
	[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace 2>/dev/null
}

complete -o filenames -F _pgtsim pgtsim
