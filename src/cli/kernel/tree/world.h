/* SPDX-License-Identifier: MIT */
/*
 * The machine below the kernel's functions, and how a caller calls them. It is one of two:
 *
 * - In tests/conformance/linux a world of its own: RAM with a page allocator, a record of each table
 *   page, and the log of what the kernel did, to be compared with the library's.
 * - With KC_ENGINE a machine of the library, behind a struct kc_host (engine.h): bridge.c.
 */
#ifndef KC_WORLD_H
#define KC_WORLD_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * 1: the kernel's functions are to be measured. Stores are stores, descriptors are followed to
 * whatever RAM they point to, and what happens is counted, not logged. So nothing can be compared
 * or taken back, and the records of table pages are not kept.
 */
#ifndef KC_BARE
#define KC_BARE 0
#endif
#ifndef KC_ENGINE
#define KC_ENGINE 0
#endif

enum kc_what {
	KC_STORE,        /* entry (level, va): a is the old value, b the new one */
	KC_ALLOC,        /* b pages at address a, tables and others alike */
	KC_FREE,         /* the same */
	KC_BAD_FREE,     /* the same, refused: they are not one allocation of that size */
	KC_ALTMAP_ALLOC, /* b pages at a, from an altmap */
	KC_ALTMAP_FREE,  /* b pages, to an altmap */
	KC_DSB_ISHST,
	KC_DSB_ISH,
	KC_ISB,
	KC_TLBI_LEAF, /* va */
	KC_TLBI_WALK, /* va */
	KC_TLBI_RANGE, /* b bytes from va on */
	KC_TLBI_ALL,
	KC_DMB_ISHST,
	/* No release has these where the library looks; a patch may. */
	KC_DSB_NSH,
	KC_DSB_ISHLD,
	KC_DSB_SY,
	KC_DMB_ISH,
	KC_DMB_ISHLD,
	KC_TLBI_LEAF_LOCAL,
	KC_TLBI_WALK_LOCAL,
	KC_TLBI_ALL_LOCAL,
	KC_TLBI_RANGE_LOCAL,
	KC_WHATS,
};

struct kc_event {
	enum kc_what what;
	int level;
	uint64_t va, a, b;
};

struct kc_log {
	struct kc_event *event;
	size_t count, room;
};

/* realloc() that ends the program if there is no memory. */
void *kc_grow(void *memory, size_t size);

/* Adds an event. */
void kc_log_add(struct kc_log *log, struct kc_event event);

enum {
	KC_MAX_ORDER = 10,
	KC_RAM_BYTES = 64 << 20,
	KC_MAX_PAGES = KC_RAM_BYTES >> 12,
};

/* A page of RAM. */
struct kc_page {
	uint8_t order;  /* of the block that begins here */
	bool head;      /* an allocated block begins here */
	bool free;      /* a free block begins here */
	bool table;     /* a table page that an entry points to */
	int8_t level;   /* of the entries of that table */
	uint32_t place; /* of that table in kc_world.table */
	uint64_t va;    /* the first address it translates */
};

/* A store, to take it back. */
struct kc_undo {
	volatile uint64_t *entry;
	uint64_t old;
};

struct kc_world {
	unsigned page_shift;
	uint64_t ram_start, pages; /* bytes; pages of RAM */
	uint8_t *ram;              /* host memory of RAM */
	struct kc_page page[KC_MAX_PAGES];
	uint32_t lowest[KC_MAX_ORDER + 1]; /* no free block of this order below this page */
	uint32_t free_blocks[KC_MAX_ORDER + 1];
	uint64_t free_pages;
	uint64_t fail_in;             /* this allocation from now on fails; 0: none */
	uint64_t root;                /* address of the root table, bytes */
	uint32_t table[KC_MAX_PAGES]; /* the pages that are tables, the root the first */
	uint32_t tables;
	struct kc_log log;        /* of the operation under way */
	uint64_t noted[KC_WHATS]; /* if KC_BARE, how often; all but stores */
	struct kc_undo *undo;     /* its stores */
	size_t undo_count, undo_room;
	uint64_t constructed, destructed; /* table pages, where the release says so */
	bool bbm3;         /* the CPU has BBM level 3 … */
	bool tlbi_range;   /* … and range operations */
	bool invalid;      /* an entry became invalid, and not zero */
	unsigned warnings; /* of the operation under way */
};

extern struct kc_world kc_world;

/* What belongs to one call of the kernel's code: several may be under way, one a coroutine. */
struct kc_task {
	jmp_buf bug;        /* where a BUG() ends */
	bool lazy, pending; /* lazy MMU mode: barriers wait for its end */
	bool table_next;    /* the next page that is allocated is a table */
	bool asks;          /* only asks whether a memory block may go offline */
};

extern struct kc_task *kc_task;

/* An empty machine; all RAM free, then the root table allocated. */
void kc_world_start(unsigned page_shift, uint64_t ram_start, int root_level, uint64_t root_va);

/* One block of 2^order pages; 0 if there is none or a failure is injected. Zeroed if `zero`. */
uint64_t kc_alloc(unsigned order, bool zero);
void kc_free(uint64_t pa, unsigned order);
/* An allocation that takes no page: whether it succeeds. */
bool kc_alloc_small(void);

bool kc_is_ram(uint64_t pa);
/* Host memory of an address: RAM itself, or a pointer that must not be followed. */
void *kc_memory(uint64_t pa);
uint64_t kc_address(const volatile void *memory);
/* Host memory of a table; what is no table reads as junk that no walk can take for anything. */
void *kc_table(uint64_t pa);

/* Begins an operation: an empty log. */
void kc_begin(void);

/*
 * What an operation that is to be taken back must not change: save before it, restore after it.
 * One save at a time.
 */
void kc_save(void);
void kc_restore(void);

/* The first leaf in [va, last], whatever its level; false if there is none. */
bool kc_find_leaf(uint64_t va, uint64_t last, uint64_t *at);

/* Whether no page of [va, last] has an entry of zero, or none at all. */
bool kc_is_mapped(uint64_t va, uint64_t last);

void kc_store(volatile void *entry, uint64_t value);

/* What the engine wants to know, and nobody else. */
#if KC_ENGINE
/* Before the kernel loads an entry by READ_ONCE(). */
void kc_load(const volatile void *entry);
/* The next page that is allocated is a table. */
void kc_next_is_table(void);
/* The constructor or destructor of the table at pa is called. */
void kc_construct(uint64_t pa);
void kc_destruct(uint64_t pa);
/* Takes or releases a lock of this name, as the source has it: "&fixmap_lock". */
void kc_lock(const char *name);
void kc_unlock(const char *name);
/* Whether this call holds it. */
bool kc_holds(const char *name);
/* True if the section at pa was there at boot. */
bool kc_is_early(uint64_t pa);
/* These pages go to the page allocator, or leave it. */
void kc_block_pages(uint64_t pfn, uint64_t pages, bool online);
/* The KASAN shadow of these pages comes or goes. */
void kc_shadow(uint64_t pa, uint64_t pages, bool add);
/* What the kernel prints, as a reason. */
void kc_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A table page comes into a slot of the fixmap, under this lock or NULL; 0: the slot is cleared. Returns its memory. */
void *kc_fixmap(unsigned slot, uint64_t pa, const char *lock);
/* A call of the kernel's code has come to its end. */
void kc_call_ends(void);
/* A pass over [start, end) begins. */
void kc_pass(int pass, uint64_t start, uint64_t end);
#else
#define kc_load(entry) ((void)0)
#define kc_next_is_table() ((void)0)
#define kc_construct(pa) ((void)kc_world.constructed++)
#define kc_destruct(pa) ((void)kc_world.destructed++)
#define kc_lock(name) ((void)0)
#define kc_unlock(name) ((void)0)
#define kc_holds(name) true
#define kc_fixmap(slot, pa, lock) ((pa) ? kc_memory(pa) : NULL)
#define kc_pass(pass, start, end) ((void)0)
#define kc_call_ends() ((void)0)
#endif

static inline void kc_happened(struct kc_event event)
{
	if (KC_BARE)
		kc_world.noted[event.what]++;
	else
		kc_log_add(&kc_world.log, event);
}

static inline void kc_note(enum kc_what what, uint64_t va)
{
	kc_happened((struct kc_event){ .what = what, .va = va });
}

static inline void kc_note_range(bool local, uint64_t va, uint64_t bytes)
{
	kc_happened((struct kc_event){
		.what = local ? KC_TLBI_RANGE_LOCAL : KC_TLBI_RANGE, .va = va, .b = bytes });
}

static inline void kc_note_pages(enum kc_what what, uint64_t pa, uint64_t pages)
{
	kc_happened((struct kc_event){ .what = what, .a = pa, .b = pages });
}

/* A WARN() or BUG() of the kernel's, with its place in the tree: to whoever runs it. */
void kc_said(bool bug, const char *file, int line);

static inline void kc_warn(bool warn, const char *file, int line)
{
	if (!warn)
		return;
	kc_world.warnings++;
	kc_said(false, file, line);
}

static inline void kc_bug(bool bug, const char *file, int line)
{
	if (!bug)
		return;
	kc_said(true, file, line);
	longjmp(kc_task->bug, 1);
}

/* What every compiled kernel knows of its descriptors, for kc_store(). */
struct kc_entry {
	bool table;  /* points to a table */
	uint64_t pa; /* of that table */
};

/* ---- one kernel, one geometry ---- */

struct kc_altmap {
	uint64_t base, reserve, free, align, alloc; /* pages */
};

enum { KC_BLOCKS = 1, KC_CONT = 2, KC_EXEC = 4 };

/* How an operation ended. */
enum kc_end {
	KC_DONE,
	KC_FAILED,  /* -ENOMEM */
	KC_INVALID, /* -EINVAL */
	KC_NONE,    /* the kernel has no function for that */
	KC_REFUSED, /* -EPERM, by a notifier */
	KC_BUG,
};

/* What becomes of live leaves, in the order of enum pgtsim_protect. */
enum kc_change {
	KC_CHANGE_RO,
	KC_CHANGE_RW,
	KC_CHANGE_X,
	KC_CHANGE_NX,
	KC_CHANGE_INVALID,
	KC_CHANGE_VALID,
	KC_CHANGE_DEFAULT,
	KC_CHANGES,
};

/* A memory block that goes online or offline. */
struct kc_block {
	uint64_t start, pages, memmap_pages; /* the last: at its start, that hold its memmap */
	bool online, ask;
};

struct kc_layout {
	uint64_t page_offset, page_end, vmemmap_start, vmemmap_end;
	uint64_t memmap;             /* the struct page of PFN 0 */
	uint64_t linear_0;           /* __phys_to_virt(0) */
	uint64_t cont_pte, cont_pmd; /* entries of a contiguous group */
};

struct kc_knob {
	const char *name, *value;
};

struct kc_kernel {
	const char *release;
	const struct kc_knob *knobs; /* ends with a NULL name */
	unsigned page_shift, va_bits, pa_bits, struct_page, section_bits;
	/* va_actual: what the CPU runs. Sets the kernel's layout variables and starts the world. */
	void (*start)(unsigned va_actual, uint64_t ram_start);
	struct kc_layout (*layout)(void);
	enum kc_end (*map)(uint64_t va, uint64_t pa, uint64_t size, unsigned prot, unsigned flags);
	enum kc_end (*unmap)(uint64_t start, uint64_t end, bool free, struct kc_altmap *altmap);
	enum kc_end (*free_tables)(uint64_t start, uint64_t end, uint64_t floor, uint64_t ceiling);
	enum kc_end (*populate)(uint64_t start, uint64_t end, struct kc_altmap *altmap, bool pages);
	enum kc_end (*free_memmap)(uint64_t start, uint64_t end, struct kc_altmap *altmap);
	enum kc_end (*remove)(uint64_t start, uint64_t size);
	/* arch_add_memory() and arch_remove_memory(), addresses physical. */
	enum kc_end (*add)(uint64_t start, uint64_t size, struct kc_altmap *altmap, bool device,
			   bool blocks);
	enum kc_end (*take)(uint64_t start, uint64_t size, struct kc_altmap *altmap);
	uint64_t (*present)(uint64_t start, uint64_t size); /* 2 MiB each */
	/*
	 * set_memory_…(), or with `noflush` set_direct_map_…_noflush(), which is for one page and
	 * KC_CHANGE_INVALID or KC_CHANGE_DEFAULT only; as with rodata=full. NULL: not taken out.
	 */
	enum kc_end (*protect)(uint64_t va, uint64_t size, enum kc_change what, bool noflush);
	/* split_kernel_leaf_mapping(). NULL: this release has none. */
	enum kc_end (*split)(uint64_t start, uint64_t end);
	/* vmap_range_noflush(), with leaves of up to a pud if `huge`. NULL: not taken out. */
	enum kc_end (*vmap)(uint64_t va, uint64_t pa, uint64_t size, bool huge);
	/* vunmap_range(). NULL: not taken out. */
	enum kc_end (*vunmap)(uint64_t start, uint64_t end);
	/*
	 * memory_block_online() or memory_block_offline(), or with `ask` only what the latter says before
	 * anything changes; addresses in pages. NULL: not taken out.
	 */
	enum kc_end (*block)(const struct kc_block *block);
	/* ptdump_walk_pgd(). NULL: not taken out. */
	enum kc_end (*ptdump)(uint64_t start, uint64_t end);
	struct kc_entry (*decode)(int level, uint64_t desc);
};

extern const struct kc_kernel *kc_running;

/* All of them, NULL at the end: made by the build. */
extern const struct kc_kernel *const kc_kernels[];

#endif
