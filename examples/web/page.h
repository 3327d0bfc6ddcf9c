/* SPDX-License-Identifier: MIT */
/* page: what of a machine is shown, and of which address. */
#ifndef PGTSIM_WEB_PAGE_H
#define PGTSIM_WEB_PAGE_H

#include <pgtsim/pgtsim.h>

struct viewing {
	uint64_t first, va; /* va: of the last event that had one */
	bool has_va;
	uint64_t focus;
	bool has_focus;
	unsigned rows_max;
};

/* The tables, the caches, counters and the walk, as fields of the object being written. */
void view_put_tables(const struct viewing *v, struct pgtsim_machine *machine);

/* What the script calls: each answers with JSON, which page.c describes. */
const char *page_about(void);
const char *page_load(const char *text);
const char *page_views(double first, double count, const char *focus, int rows);
const char *page_story(int line, const char *schedule, double first, double count, const char *focus,
		       int rows);
const char *page_run(const char *text);
const char *page_decode(int level, const char *desc);

#endif
