/* SPDX-License-Identifier: MIT */
/* near: finds the known name that a misspelt word was probably meant to be. */
#ifndef PGTSIM_CLI_SCENARIO_NEAR_H
#define PGTSIM_CLI_SCENARIO_NEAR_H

#include <stddef.h>

/* A search for the known name nearest to a word. */
struct nearest {
	const char *word, *name; /* name: NULL while no name is near enough */
	size_t distance;         /* names farther away than this are not taken */
};

/* Begins a search. Short words match only names that differ in one letter. */
struct nearest nearest_to(const char *word);

/* Offers a known name to the search. It is kept if it is nearer than all before it. */
void nearest_offer(struct nearest *near, const char *name);

#endif
