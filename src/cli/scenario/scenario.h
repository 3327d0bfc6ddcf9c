/* SPDX-License-Identifier: MIT */
/*
 * scenario: text in, commands out. The whole text is parsed before anything runs; nothing is
 * read from files and nothing is printed. runner.h executes the commands.
 *
 * syntax.h says how to add a command.
 */
#ifndef PGTSIM_CLI_SCENARIO_SCENARIO_H
#define PGTSIM_CLI_SCENARIO_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pgtsim/tlb.h>

enum {
	SCENARIO_LINE_MAX = 4096,    /* bytes in a line, its end not counted */
	SCENARIO_ALTMAPS_MAX = 4096, /* altmap commands in a scenario */
	SCENARIO_ARGS_MAX = 6,
	SCENARIO_ACTORS_MAX = 8, /* before one explore */
};

/* The arguments of a command stand in args[] in the order given here; [] may be left out. */
enum scenario_kind {
	SCENARIO_MACHINE,          /* always commands[0] */
	SCENARIO_MAP,              /* address, number (PA), number (SIZE) */
	SCENARIO_UNMAP,            /* address, number */
	SCENARIO_UNMAP_RANGE,      /* address, number */
	SCENARIO_FREE_TABLES,      /* address, number */
	SCENARIO_BOUNDS,           /* [address, address]: none with the flag `default` */
	SCENARIO_ALTMAP,           /* altmap */
	SCENARIO_VMEMMAP_POPULATE, /* address, address */
	SCENARIO_VMEMMAP_FREE,     /* address, address */
	SCENARIO_ADD,              /* range */
	SCENARIO_ONLINE,           /* range */
	SCENARIO_OFFLINE,          /* range */
	SCENARIO_REMOVE,           /* range */
	SCENARIO_USE,              /* range, choice (enum scenario_use) */
	SCENARIO_UNUSE,            /* range */
	SCENARIO_FAIL,             /* choice (enum scenario_fail) */
	SCENARIO_POKE,             /* choice (enum scenario_level), address, number (DESCRIPTOR) */
	SCENARIO_PROTECT,          /* address, number, choice (enum pgtsim_protect) */
	SCENARIO_SPLIT,            /* address, [number] */
	SCENARIO_JOIN,             /* address */
	SCENARIO_VMAP,             /* address, number (PA), number (SIZE) */
	SCENARIO_VUNMAP,           /* address, number */
	SCENARIO_SET_MEMORY,       /* address, number, choice (enum pgtsim_protect) */
	SCENARIO_SET_DIRECT_MAP,   /* address, number, choice (enum scenario_direct_map) */
	SCENARIO_DECLARE,          /* address, number, choice (enum pgtsim_meaning) */
	SCENARIO_ZONES,
	SCENARIO_SECTIONS,
	SCENARIO_ONLINE_PAGE,      /* number (PFN) */
	SCENARIO_HIBERNATES,       /* range */
	SCENARIO_MEMMAP,           /* range */
	SCENARIO_VETO,             /* choice (enum scenario_veto) */
	SCENARIO_TLBI,             /* choice (enum scenario_tlbi), [address, [number: of a range]] */
	SCENARIO_BARRIER,          /* choice (enum scenario_barrier) */
	SCENARIO_WALK,             /* address */
	SCENARIO_ACCESS,           /* address */
	SCENARIO_DUMP,             /* [choice (enum scenario_dump)] */
	SCENARIO_STATS,
	SCENARIO_RESET_STATS,
	SCENARIO_CHECK,   /* [choice: strict] */
	SCENARIO_GIVE_BACK, /* number (PA) */
	SCENARIO_EXPECT,  /* counter, choice (enum scenario_compare), number */
	SCENARIO_ECHO,    /* its text; may be empty */
	SCENARIO_NOTE,    /* its text */
	SCENARIO_ACTOR,   /* its name, choice (enum scenario_actor), and what that takes */
	SCENARIO_EXPLORE, /* none: those actors that no explore before it had */
};

/* What `key=value` or flag an option is. */
enum scenario_key {
	SCENARIO_KEY_NONE,
	SCENARIO_KEY_KNOB, /* of machine: the name and value.word suit pgtsim_policy_set() */

	/* machine */
	SCENARIO_KEY_PROFILE, /* word: one of pgtsim_profiles() */
	SCENARIO_KEY_GRANULE, /* number: bytes, as all sizes below */
	SCENARIO_KEY_VA,      /* number that fits an int */
	SCENARIO_KEY_VA_ACTUAL,
	SCENARIO_KEY_PA,
	SCENARIO_KEY_RAM,   /* range; the only key that may be repeated; never beside iomem */
	SCENARIO_KEY_IOMEM, /* word: a file's name, not empty */
	SCENARIO_KEY_SECTION,
	SCENARIO_KEY_BLOCK,
	SCENARIO_KEY_STRUCT_PAGE,
	SCENARIO_KEY_MEMMAP_ON_MEMORY, /* choice (enum scenario_memmap); a flag of add */
	SCENARIO_KEY_CPUS,             /* number from 1 that fits an int */
	SCENARIO_KEY_TLBI_RANGE,       /* choice: 0 off, 1 on, as all on-off keys */
	SCENARIO_KEY_BOOT,
	SCENARIO_KEY_CHECKER,
	SCENARIO_KEY_BBML2,
	SCENARIO_KEY_BBM,         /* number from 0 to 3 */
	SCENARIO_KEY_ETS2,
	SCENARIO_KEY_REPEAT_TLBI, /* choice (enum scenario_repeat) */
	SCENARIO_KEY_IOMMU,
	SCENARIO_KEY_KPTI,
	SCENARIO_KEY_IMAGE,  /* range */
	SCENARIO_KEY_TEXT,   /* numbers */
	SCENARIO_KEY_RODATA_SIZE,
	SCENARIO_KEY_INIT,
	SCENARIO_KEY_KFENCE, /* range */
	SCENARIO_KEY_RODATA, /* choice (enum pgtsim_rodata) */
	SCENARIO_KEY_FORMAT, /* choice (enum pgtsim_format) */
	SCENARIO_KEY_EDAT,   /* number from 0 to 2 */

	/* machine and map */
	SCENARIO_KEY_BLOCKS, /* choice: 0 off, 1 on */
	SCENARIO_KEY_CONT,

	/* map */
	SCENARIO_KEY_PROT,   /* choice (enum pgtsim_prot) */
	SCENARIO_KEY_TABLES, /* choice (enum scenario_tables) */

	/* altmap: all numbers; reserve and align may be missing */
	SCENARIO_KEY_BASE, /* page frame number */
	SCENARIO_KEY_RESERVE,
	SCENARIO_KEY_FREE_PAGES,
	SCENARIO_KEY_ALIGN,

	/* the rest */
	SCENARIO_KEY_ALTMAP,   /* altmap; unmap-range, vmemmap-…, add (there with device only) */
	SCENARIO_KEY_FREE,     /* flag of unmap-range */
	SCENARIO_KEY_PAGES,    /* flag of vmemmap-populate */
	SCENARIO_KEY_DEVICE,   /* flag of add */
	SCENARIO_KEY_NODE,     /* number that fits an int */
	SCENARIO_KEY_ZONE,     /* choice (enum scenario_zone) */
	SCENARIO_KEY_NTH,      /* number from 1 */
	SCENARIO_KEY_CPU,      /* number that fits an int; access, tlbi, barrier */
	SCENARIO_KEY_LOCAL,    /* flags of tlbi */
	SCENARIO_KEY_OS,
	SCENARIO_KEY_IOMMU_ONLY,
	SCENARIO_KEY_TTL,      /* number from 0 to 3 */
	SCENARIO_KEY_NOFLUSH,  /* flag of protect */
	SCENARIO_KEY_VMAP_HUGE,/* flag of vmap */
	SCENARIO_KEY_EVERY,    /* flag of fail */
	SCENARIO_KEY_DEFAULT,  /* flag of bounds */
	SCENARIO_KEY_LOCK,     /* flag of actor: the lock that ptdump takes */
	SCENARIO_KEY_RCU,      /* flag of actor: in an RCU read section */
	SCENARIO_KEY_BOUND,    /* number from 1 */
	SCENARIO_KEY_SCHEDULE, /* word: the schedule of one run, of those actors */
	SCENARIO_KEY_PREEMPTIONS, /* number */
	SCENARIO_KEY_RANDOM,      /* flag */
	SCENARIO_KEY_SEED,        /* number */
	SCENARIO_KEY_RUNS,        /* number from 1 */
};

/* Choices, in the order of their names. */
enum scenario_memmap { SCENARIO_MEMMAP_OFF, SCENARIO_MEMMAP_ON, SCENARIO_MEMMAP_FORCE };
enum scenario_tables { SCENARIO_TABLES_NOEXEC, SCENARIO_TABLES_EXEC };
enum scenario_zone { SCENARIO_ZONE_NORMAL, SCENARIO_ZONE_MOVABLE };
enum scenario_use { SCENARIO_USE_MOVABLE, SCENARIO_USE_UNMOVABLE };
enum scenario_fail { SCENARIO_FAIL_ALLOC };
enum scenario_direct_map {
	SCENARIO_DIRECT_MAP_INVALID,
	SCENARIO_DIRECT_MAP_VALID,
	SCENARIO_DIRECT_MAP_DEFAULT,
};
enum scenario_veto { SCENARIO_VETO_ONLINE, SCENARIO_VETO_OFFLINE, SCENARIO_VETO_OFF };
enum scenario_level {
	SCENARIO_LEVEL_PGD,
	SCENARIO_LEVEL_P4D,
	SCENARIO_LEVEL_PUD,
	SCENARIO_LEVEL_PMD,
	SCENARIO_LEVEL_PTE,
};
enum scenario_actor {
	SCENARIO_ACTOR_ADD,          /* range */
	SCENARIO_ACTOR_REMOVE,       /* range */
	SCENARIO_ACTOR_UNMAP,        /* address, number */
	SCENARIO_ACTOR_VMEMMAP_FREE, /* address, address */
	SCENARIO_ACTOR_VMALLOC,      /* address, number (PAGES) */
	SCENARIO_ACTOR_PTDUMP,       /* address, number */
	SCENARIO_ACTOR_ACCESS,       /* address, up to four */
	SCENARIO_ACTOR_VMAP,         /* address, number (PA), number */
	SCENARIO_ACTOR_PROTECT,      /* address, number, choice (enum pgtsim_protect) */
	SCENARIO_ACTOR_POKE,         /* choice (enum scenario_level), address, number */
	SCENARIO_ACTOR_ONLINE_PAGE,  /* number (PFN) */
	SCENARIO_ACTOR_UNPLUG,       /* range */
};
enum scenario_tlbi {
	SCENARIO_TLBI_LEAF,
	SCENARIO_TLBI_WALK,
	SCENARIO_TLBI_ALL,
	SCENARIO_TLBI_RANGE,
	SCENARIO_TLBI_RANGE_WALK,
};
enum scenario_barrier {
	SCENARIO_DSB_ISHST,
	SCENARIO_DSB_ISH,
	SCENARIO_ISB,
	SCENARIO_DSB_ISHLD,
	SCENARIO_DSB_NSH,
	SCENARIO_DSB_OSH,
	SCENARIO_DSB_SY,
	SCENARIO_DMB_ISHST,
	SCENARIO_DMB_ISH,
	SCENARIO_DMB_ISHLD,
};
enum scenario_repeat { SCENARIO_REPEAT_OFF, SCENARIO_REPEAT_ON, SCENARIO_REPEAT_NO_WORKAROUND };
enum scenario_dump {
	SCENARIO_DUMP_TABLES,
	SCENARIO_DUMP_LEAVES,
	SCENARIO_DUMP_PTDUMP,
	SCENARIO_DUMP_JSON,
};
enum scenario_compare {
	SCENARIO_EQUAL,
	SCENARIO_NOT_EQUAL,
	SCENARIO_LESS,
	SCENARIO_LESS_EQUAL,
	SCENARIO_GREATER,
	SCENARIO_GREATER_EQUAL,
};

/* Where a virtual address counts from; the layout of the machine says where that is. */
enum scenario_origin { SCENARIO_ABSOLUTE, SCENARIO_LINEAR, SCENARIO_VMEMMAP };

struct scenario_address {
	enum scenario_origin origin;
	uint64_t value;
};

/* A physical range as written: it may be empty, and base + size may overflow. */
struct scenario_range {
	uint64_t base, size;
};

/* A value: its spelling and, by what its place takes, one of the fields below. */
struct scenario_value {
	const char *word; /* never NULL; a flag's own name */
	union {
		uint64_t number;
		struct scenario_address address;
		struct scenario_range range;
		unsigned choice;
		const struct pgtsim_counter *counter;
		size_t altmap; /* below altmap_count: each altmap command has a number of its own */
	};
};

struct scenario_option {
	enum scenario_key key;
	const char *name; /* "granule"; a constant */
	struct scenario_value value;
};

struct scenario_row;

struct scenario_command {
	const struct scenario_row *row; /* how it is written and executed: syntax.h */
	enum scenario_kind kind;
	const char *name;   /* "unmap-range"; a constant */
	const char *source; /* the line as written, `try` included, blanks and comment not */
	unsigned line;      /* from 1 */

	bool tolerated;            /* by `try` */
	int expected;              /* the negative errno of `expect-error`; 0: none */
	const char *expected_name; /* its spelling; NULL: none */

	struct scenario_value args[SCENARIO_ARGS_MAX];
	size_t arg_count;
	const struct scenario_option *options; /* as written, duplicates of ram only */
	size_t option_count;
	const char *text; /* of echo and note, trimmed; NULL for all others */
};

/* Owns everything that its commands point to, constants aside. */
struct scenario {
	struct scenario_command *commands;
	size_t command_count; /* at least 1: machine */
	size_t altmap_count;

	/* The parser's own. */
	struct scenario_option *options;
	const char **altmap_names; /* NULL for one that must fail */
	char *text;
};

struct scenario_error {
	unsigned line;     /* from 1 */
	char message[256]; /* printable ASCII, no newline, no FILE:LINE */
};

/*
 * Parses `length` bytes of any content. Returns 0; -EINVAL (bad syntax) or -ENOMEM, with the
 * first error in *error and nothing in *out that needs freeing.
 */
int scenario_parse(struct scenario *out, const char *text, size_t length,
		   struct scenario_error *error);

/* Frees what a scenario owns and empties it. One that is all zero, or was not parsed, is fine. */
void scenario_free(struct scenario *scenario);

/* The value of the first option with this key; NULL if it was not given. */
const struct scenario_value *scenario_option(const struct scenario_command *command,
					     enum scenario_key key);

/* The number or choice of an option; `otherwise` if it was not given. */
uint64_t scenario_number_or(const struct scenario_command *command, enum scenario_key key,
			    uint64_t otherwise);
unsigned scenario_choice_or(const struct scenario_command *command, enum scenario_key key,
			    unsigned otherwise);

/* True if the flag or option was given. */
bool scenario_flag(const struct scenario_command *command, enum scenario_key key);

/* Reads a number as scenarios have them: decimal or 0x hex, with K, M, G, T or P if wanted. */
bool scenario_number(const char *word, uint64_t *number);

/* What is wrong with a word that is no number: "does not fit in 64 bits". NULL for one that is. */
const char *scenario_number_fault(const char *word);

/*
 * The actors of an explore command: their indices in scenario->commands, in order, at most
 * SCENARIO_ACTORS_MAX. Returns how many.
 */
size_t scenario_actors(const struct scenario *scenario, const struct scenario_command *explore,
		       size_t actors[SCENARIO_ACTORS_MAX]);

/* "ENOMEM" for -ENOMEM; NULL if scenarios have no name for it. */
const char *scenario_errno_name(int error);

#endif
