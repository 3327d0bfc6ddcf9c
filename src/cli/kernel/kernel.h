/* SPDX-License-Identifier: MIT */
/*
 * kernel: the functions of a kernel source, built for the host by `pgtsim kernel build`, as the
 * engine of machines. load.c opens such a file, host.c is the machine below the functions, tables.c
 * finds tables by the pointers that the functions have, and operations.c calls them.
 */
#ifndef PGTSIM_CLI_KERNEL_H
#define PGTSIM_CLI_KERNEL_H

#include <pgtsim/pgtsim.h>

#include "plug.h"
#include "scenario/runner.h"

/* An opened file; `run` first, so that a runner's kernel is one. */
struct kernel {
	struct run_kernel run;
	void *object; /* of dlopen() */
	const struct kc_plug *plug;
	const char *path;
};

/* Opens a file that was built. Returns 0, or -EINVAL with the reason. kernel_close() closes it. */
int kernel_open(struct kernel *kernel, const char *path, char *reason, size_t size);
void kernel_close(struct kernel *kernel);

/* Opens a file, or complains on stderr. Returns an exit status. */
int kernel_open_or_complain(struct kernel *kernel, const char *path);

/*
 * The profile that differs from what was read in the source in the fewest knobs; of two the older
 * one. `differ`, unless NULL, receives how many.
 */
const char *kernel_nearest_profile(const struct kc_kernel *kernel, unsigned *differ);

/* ---- tables by pointers ---- */

/* A table that the kernel's code has a pointer to. */
struct kernel_table {
	const uint64_t *entries; /* NULL: none */
	struct pgtsim_table *table;
	uint64_t va;                       /* what it translates, from here on, if `placed` */
	const struct pgtsim_table *parent; /* whose entry says so; NULL: the root */
	unsigned index;
	bool placed;
	bool waiting; /* allocated, not linked yet */
	bool fixmap;  /* in a fixmap slot, whose own barriers make its entries visible */
	bool constructed, destructed;
};

struct kernel_tables {
	struct kernel_table *slot;
	size_t room, count; /* slots, a power of two; used ones */
};

/* The slot of a table, new if it has none. NULL: the host is out of memory. */
struct kernel_table *kernel_tables_add(struct kernel_tables *tables, struct pgtsim_table *table);

/* The slot of the table that holds this memory; NULL if none does. `bytes`: of a table. */
struct kernel_table *kernel_tables_find(const struct kernel_tables *tables,
					const volatile void *memory, size_t bytes);
void kernel_tables_free(struct kernel_tables *tables);

/* ---- the engine of one machine ---- */

enum { KERNEL_WAITING = 8, KERNEL_LOCKS = PGTSIM_LOCKS - PGTSIM_LOCK_1, KERNEL_SLOTS = 8 };

/*
 * One call of the kernel's code. Where schedules are explored, several are under way, each in a
 * coroutine of its own.
 */
struct kernel_call {
	struct pgtsim_altmap *altmap;
	enum pgtsim_region region;
	int pass; /* 1 or 2, over [pass_start, pass_last]; 0: none */
	uint64_t pass_start, pass_last;
	bool no_memory; /* an allocation failed */
	const char *bug_file; /* where the tree said BUG(); NULL: nowhere */
	int bug_line;
	/*
	 * Tables that were allocated and that no entry points to yet, and what came since then: their
	 * event says what they are for, and that is known when they are linked.
	 */
	struct pgtsim_table *waiting[KERNEL_WAITING];
	struct kc_event later[KERNEL_WAITING];
	unsigned waiting_count, later_count;
	/* The leaf that was cleared last, and what it mapped: its memory is freed next. */
	struct pgtsim_run cleared;
	uint64_t cleared_pa;
	/* The entry that was loaded last: a new table is for it, if nobody says otherwise. */
	int loaded_level;
	uint64_t loaded_va;
	const volatile void *loaded;
	unsigned held, taken; /* locks, 1 << enum pgtsim_lock; those that an actor took here */
	uint64_t slot[KERNEL_SLOTS]; /* what is in the fixmap's slots for tables */
	struct kc_block block;       /* the memory block that it changes */
	uint64_t shadow;             /* pages whose KASAN shadow came or went */
	char said[200];              /* what the kernel printed last */
};

struct kernel_engine {
	struct pgtsim_engine engine; /* first */
	const struct kc_plug *plug;
	struct kc_host host;
	struct pgtsim_machine *machine;
	struct kernel_tables tables;
	void *call; /* the call that runs now, a struct kernel_call */
	char lock_names[KERNEL_LOCKS][40]; /* of the kernel's other locks; "" from the first free one on */
};

/* The functions of a struct kc_host, with an engine as context. In host.c. */
void kernel_host_init(struct kernel_engine *engine);

/* Says what the tables that wait are for, as well as can be known, and all that came later. */
void kernel_host_settle(struct kernel_engine *engine, struct kernel_call *call);

/* Locks of the kernel's; at the end of a call those that it has kept. `stopped`: by BUG(). In locks.c. */
void kernel_host_lock(void *ctx, const char *name, bool takes);
bool kernel_host_holds(void *ctx, const char *name);
void kernel_locks_end(struct kernel_engine *engine, struct kernel_call *call, bool stopped);

/* Memory blocks, for a struct kc_host; and the engine's functions for them. In blocks.c. */
void kernel_blocks_init(struct kernel_engine *engine);

/* Begins and ends a call of the kernel's code from va on; what the operation returns. In operations.c. */
struct kernel_call kernel_call_begin(struct kernel_engine *e, uint64_t va,
				     struct pgtsim_altmap *altmap);
int kernel_call_end(struct kernel_engine *e, struct kernel_call *call, enum kc_end end);

/* Keeps the reason for a code: before, what, after. Returns the code. */
int kernel_fail(struct kernel_engine *e, int code, const char *before, const char *what,
		const char *after);

/*
 * The kernel's code has stored something, or waited for it: it is no endless loop. What ended a call that did
 * not say BUG(), in words. In faults.c.
 */
void kernel_goes_on(void);
const char *kernel_end_reason(void);

/* From now on an access of memory that is not there, or an endless loop, ends the call, as BUG() does. */
void kernel_catch_faults(const struct kc_plug *plug);

/* Before a kernel is closed: its code is not there any more. */
void kernel_forget_faults(void);

/* Makes and frees an engine; in operations.c. */
int kernel_engine_new(const struct kernel *kernel, struct pgtsim_machine *machine,
		      struct kernel_engine **engine, char *reason, size_t size);
void kernel_engine_free(struct kernel_engine *engine);

#endif
