/* SPDX-License-Identifier: MIT */
/* rows: the tables of commands, one after the other. */
#include "syntax.h"

static const struct scenario_row *const tables[] = {
	machine_commands, table_commands, live_commands,      memory_commands,
	zone_commands,    tlb_commands,   show_commands,      statement_commands,
	actor_commands,
};

const struct scenario_row *scenario_row_at(size_t i)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct scenario_row *row = tables[t]; row->name; row++)
			if (i-- == 0)
				return row;
	return NULL;
}
