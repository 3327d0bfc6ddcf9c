/* SPDX-License-Identifier: MIT */
/*
 * dump: prints a page table, or hands out its memory. Changes nothing.
 */
#ifndef PGTSIM_DUMP_H
#define PGTSIM_DUMP_H

#include <pgtsim/pgtable.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Receives text, a line or part of one at a time, NUL-terminated. */
struct pgtsim_printer {
	void (*print)(void *ctx, const char *text);
	void *ctx;
};

enum pgtsim_dump_form {
	PGTSIM_DUMP_TABLES, /* every entry that is not zero, a table's line before its children */
	PGTSIM_DUMP_LEAVES, /* without the tables */
	PGTSIM_DUMP_PTDUMP, /* as /sys/kernel/debug/kernel_page_tables prints it */
	PGTSIM_DUMP_JSON,   /* every entry that is not zero, as one JSON document */
};

/*
 * Prints the whole table. One line an entry: LEVEL VA DESCRIPTOR KIND. `layout` gives the region
 * markers of PTDUMP, which leaves them out if it is NULL.
 */
PGTSIM_API void pgtsim_dump(struct pgtsim_pgtable *pgt, const struct pgtsim_layout *layout,
			    enum pgtsim_dump_form form, const struct pgtsim_printer *out);

/* Prints how va splits into indices, each level's entry on the way, and the translation. */
PGTSIM_API void pgtsim_dump_walk(const struct pgtsim_pgtable *pgt, uint64_t va,
				 const struct pgtsim_printer *out);

/* Prints what a walk came to, a PA with its leaf or why there is none, without the end of line. */
PGTSIM_API void pgtsim_dump_translation(const struct pgtsim_pgtable *pgt,
					const struct pgtsim_translation *end,
					const struct pgtsim_printer *out);

/* Prints what each bit of a descriptor of this level means, one bit or field a line. Nothing of a level that no geometry has. */
PGTSIM_API void pgtsim_dump_desc(const struct pgtsim_geometry *geo, int level, uint64_t desc,
				 const struct pgtsim_printer *out);

/* Prints how a va splits in this geometry: each level's shift, bits, entries, block size, index. */
PGTSIM_API void pgtsim_dump_geometry(const struct pgtsim_geometry *geo, uint64_t va,
				     const struct pgtsim_printer *out);

/*
 * Hands out the memory of every table page, the root's first, a table's before those below it:
 * `pa` is the page's address in bytes, `bytes` its `size` bytes of entries, as a little-endian
 * machine has them in memory, valid until `table` returns. `arg` is the caller's. Copied to the
 * same addresses of another machine, with TTBR1 at the root, they translate as they do here.
 * A root whose first part va_bits leaves unused is handed out whole. A table that two entries
 * point to (poked) comes twice, an entry that points to no table brings none. Nothing is counted
 * or reported; no other thread may write to the tables meanwhile. Of format=s390 the entries are
 * the architecture's own values, in the host's byte order.
 */
PGTSIM_API void pgtsim_export_tables(struct pgtsim_pgtable *pgt,
				     void (*table)(void *arg, uint64_t pa, const void *bytes,
						   size_t size),
				     void *arg);

/* printf() to a printer; a line of over 511 bytes is cut. */
PGTSIM_API void pgtsim_printf(const struct pgtsim_printer *out, const char *format, ...)
#ifdef __GNUC__
	__attribute__((format(printf, 2, 3)))
#endif
	;

#ifdef __cplusplus
}
#endif

#endif
