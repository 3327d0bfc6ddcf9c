/* SPDX-License-Identifier: MIT */
/* dump: what the forms of a dump share. */
#ifndef PGTSIM_LOOK_DUMP_H
#define PGTSIM_LOOK_DUMP_H

#include <pgtsim/dump.h>

/* An entry as a dump meets it, or (desc 0) the first of several that are zero. */
struct pgtsim_dump_entry {
	int level;
	uint64_t va, desc;
	bool lost; /* a table entry that points to no table */
};

/* A line that the kernel's dump prints where a region begins or ends. */
struct pgtsim_marker {
	uint64_t start;
	const char *name;
};

/* A range of alike entries, not printed yet. */
struct pgtsim_ptdump {
	struct pgtsim_marker markers[5];  /* name NULL at the end */
	const struct pgtsim_marker *next; /* to print */
	uint64_t start, prot;             /* prot 0: nothing is mapped */
	int level;
};

struct pgtsim_dumping {
	struct pgtsim_pgtable *pgt;
	const struct pgtsim_printer *out;
	void (*show)(struct pgtsim_dumping *dump, const struct pgtsim_dump_entry *entry);
	uint64_t next; /* the first address not shown yet; 0: all are */
	bool any;      /* something was shown */
	struct pgtsim_ptdump ptdump;
};

/* Shows all entries in ascending order; runs of zeros as one. */
void pgtsim_dump_entries(struct pgtsim_dumping *dump);

/* The form of the kernel's /sys/kernel/debug/kernel_page_tables; `layout` may be NULL. */
void pgtsim_dump_ptdump(struct pgtsim_dumping *dump, const struct pgtsim_layout *layout);

#endif
