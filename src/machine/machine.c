/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <pgtsim/checker.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/error.h"
#include "events/events.h"
#include "memory/lookup.h"
#include "s390/vmem.h"

static_assert(sizeof(void *) != 8 || sizeof(struct pgtsim_machine_config) == 280,
	      "a new member takes reserved room: it moves no member of a program compiled before");

const char *pgtsim_version(void)
{
	return PGTSIM_VERSION;
}

static const struct pgtsim_ram default_ram = { 0x40000000, 0x80000000 };
static const struct pgtsim_ram default_ram_s390 = { 0, 0x40000000 };

int pgtsim_machine_config_init(struct pgtsim_machine_config *config, const char *profile)
{
	if (!config || !profile)
		return -EINVAL;
	*config = (struct pgtsim_machine_config){
		.granule = 4096,
		.va_bits = 48,
		.struct_page = 64,
		.checker = true,
	};
	return pgtsim_policy_init(&config->policy, profile);
}

int pgtsim_machine_config_s390(struct pgtsim_machine_config *config, const char *profile)
{
	int ret = pgtsim_machine_config_init(config, profile);

	if (ret == -EINVAL)
		return ret;
	config->format = PGTSIM_FORMAT_S390;
	config->va_bits = 42;
	config->edat = 1;
	return ret;
}

static bool is_s390(const struct pgtsim_machine_config *config)
{
	return config->format == PGTSIM_FORMAT_S390;
}

/* SECTION_SIZE_BITS */
static uint64_t section_size(const struct pgtsim_machine_config *config)
{
	if (is_s390(config))
		return UINT64_C(1) << 28;
	return UINT64_C(1) << (config->granule == 65536 ? 29 : 27);
}

/* The configuration with every default filled in. */
static void fill_defaults(struct pgtsim_machine_config *config)
{
	if (!config->ram_count) {
		config->ram = is_s390(config) ? &default_ram_s390 : &default_ram;
		config->ram_count = 1;
	}
	if (!config->section_size)
		config->section_size = section_size(config);
	if (!config->block_size)
		config->block_size = config->section_size;
}

static int init_geometry(struct pgtsim_geometry *geo, const struct pgtsim_machine_config *config)
{
	int ret = pgtsim_config_check(config);

	if (ret)
		return ret;
	if (is_s390(config))
		return pgtsim_geometry_s390(geo, config->va_bits, config->edat);
	if (pgtsim_geometry_linux(geo, config->granule, config->va_bits, config->va_actual,
				  config->pa_bits))
		return -EINVAL;
	geo->oa_keeps_49_48 = config->policy.oa_keeps_49_48 && geo->oa == PGTSIM_OA_64K_52;
	return 0;
}

static uint64_t lowest_ram(const struct pgtsim_machine_config *config)
{
	uint64_t lowest = UINT64_MAX;

	for (size_t i = 0; i < config->ram_count; i++)
		if (config->ram[i].start < lowest)
			lowest = config->ram[i].start;
	return lowest;
}

static size_t largest_table(const struct pgtsim_geometry *geo)
{
	unsigned bits = 0;

	for (int level = pgtsim_root_level(geo); level <= PGTSIM_PTE; level++)
		if (geo->bits[pgtsim_slot(level)] > bits)
			bits = geo->bits[pgtsim_slot(level)];
	return sizeof(uint64_t) << bits;
}

static int add_boot_memory(struct pgtsim_machine *machine,
			   const struct pgtsim_machine_config *config)
{
	for (size_t i = 0; i < config->ram_count; i++) {
		const struct pgtsim_ram *ram = &config->ram[i];
		int ret = pgtsim_add_boot_memory(&machine->hotplug, ram->start,
						 ram->end - ram->start);

		if (ret)
			return ret;
	}
	return 0;
}

static int init_rooms(struct pgtsim_machine *machine, const struct pgtsim_machine_config *config)
{
	const struct pgtsim_hotplug_config hotplug = {
		.pgt = &machine->pgt,
		.memory = machine->memory,
		.vmemmap = &machine->vmemmap,
		.layout = &machine->layout,
		.section_size = config->section_size,
		.block_size = config->block_size,
		.blocks = config->blocks,
		.cont = config->cont,
		.memmap_on_memory = config->memmap_on_memory,
	};
	int ret = pgtsim_pgtable_init(&machine->pgt, &machine->geo, &machine->policy, &machine->tlb,
				      pgtsim_memory_table_ops(machine->memory), config->access);

	if (ret)
		return ret;
	if (is_s390(config))
		pgtsim_engine_set(&machine->pgt, pgtsim_vmem_engine());
	machine->vmemmap = (struct pgtsim_vmemmap){
		.pgt = &machine->pgt,
		.memory = machine->memory,
		.start = machine->layout.vmemmap_start,
		.end = machine->layout.vmemmap_end,
		.base = machine->layout.vmemmap,
		.section_pages = config->section_size >> machine->geo.page_shift,
		.struct_page = config->struct_page,
	};
	ret = pgtsim_hotplug_init(&machine->hotplug, &hotplug);
	return ret ? ret : add_boot_memory(machine, config);
}

/* ---- all of it ---- */

/* The first two pages of s390's memory are each CPU's own; nobody allocates them. */
static void reserve_lowcore(struct pgtsim_machine *machine)
{
	if (pgtsim_memory_ram_in(machine->memory, 0, 2 * pgtsim_page_size(&machine->geo)) == 2)
		pgtsim_memory_reserve_boot(machine->memory, 0, 2);
}

/* Frames that nobody allocates. */
static int reserve_early(struct pgtsim_machine *machine, const struct pgtsim_machine_config *config)
{
	if (is_s390(config))
		reserve_lowcore(machine);
	return config->image ? pgtsim_boot_reserve(machine, config->image) : 0;
}

static int build_memory(struct pgtsim_machine *machine, const struct pgtsim_machine_config *config)
{
	int ret = pgtsim_memory_new(&machine->memory, machine->geo.page_shift,
				    largest_table(&machine->geo), config->ram, config->ram_count);

	if (ret == -EINVAL)
		ret = pgtsim_config_bad_ram(config);
	if (ret)
		return ret;
	if (config->access == PGTSIM_ACCESS_SHARED)
		pgtsim_memory_share(machine->memory);
	ret = reserve_early(machine, config);
	if (ret)
		return ret;
	if (machine->policy.half_page_tables)
		pgtsim_memory_share_pages(machine->memory);
	if (machine->tlb.checker)
		pgtsim_tlb_watch_memory(&machine->tlb, machine->memory);
	return 0;
}

static int build(struct pgtsim_machine *machine, const struct pgtsim_machine_config *config)
{
	int ret = init_geometry(&machine->geo, config);

	if (ret)
		return ret;
	machine->policy = config->policy;
	machine->rodata = config->rodata;
	if (config->kpti)
		pgtsim_policy_kpti(&machine->policy);
	if (is_s390(config)) {
		pgtsim_layout_init(&machine->layout, &machine->geo, PGTSIM_LAYOUT_S390, 0,
				   config->struct_page);
	} else {
		pgtsim_layout_init(&machine->layout, &machine->geo, machine->policy.layout,
				   lowest_ram(config), config->struct_page);
		machine->tlb.range_operations = config->tlbi_range;
		machine->tlb.bbml2 = config->bbml2;
		machine->tlb.repeat_tlbi = config->repeat_tlbi;
	}
	if (config->checker && config->access != PGTSIM_ACCESS_SHARED)
		ret = pgtsim_checker_start(&machine->tlb, &machine->geo, &machine->policy);
	if (ret)
		return ret;
	ret = build_memory(machine, config);
	if (!ret)
		ret = init_rooms(machine, config);
	if (!ret && config->boot) {
		ret = pgtsim_boot(machine, config);
		pgtsim_tlb_reset_counts(&machine->tlb);
		machine->tlb.counts.tables_allocated = 1;
	}
	return ret;
}

static int check_arguments(const struct pgtsim_machine_config *config)
{
	if (config->ram_count && !config->ram)
		return pgtsim_error_set(config->error, -EINVAL,
					"there are %zu ranges of RAM, but no array of them",
					config->ram_count);
	if ((unsigned)config->access > PGTSIM_ACCESS_HOOKED)
		return pgtsim_error_set(config->error, -EINVAL, "there is no access mode %u",
					(unsigned)config->access);
	return 0;
}

/* Why it could not be made, unless the configuration said so already. */
static void explain(const struct pgtsim_machine_config *config,
		    const struct pgtsim_machine *machine, int result)
{
	if (config->error && config->error->code != result)
		pgtsim_error_set(config->error, result, "%s",
				 pgtsim_machine_reason(machine, result));
}

int pgtsim_machine_new(struct pgtsim_machine **out, const struct pgtsim_machine_config *config)
{
	struct pgtsim_machine_config full;
	struct pgtsim_machine *machine;
	int ret;

	if (!out)
		return -EINVAL;
	*out = NULL;
	if (!config)
		return -EINVAL;
	if (config->error)
		*config->error = (struct pgtsim_error){ 0 };
	ret = check_arguments(config);
	if (ret)
		return ret;
	full = *config;
	machine = calloc(1, sizeof(*machine));
	if (!machine)
		return -ENOBUFS;
	pgtsim_tlb_init(&machine->tlb);
	machine->tlb.error = &machine->error;
	fill_defaults(&full);
	ret = build(machine, &full);
	if (pgtsim_machine_out_of_host_memory(machine))
		ret = -ENOBUFS;
	if (ret)
		explain(&full, machine, ret);
	if (ret)
		pgtsim_machine_free(&machine);
	*out = machine;
	return ret;
}

const char *pgtsim_machine_reason(const struct pgtsim_machine *machine, int result)
{
	if (machine && result != -ENOBUFS && machine->error.code == result)
		return machine->error.text;
	return pgtsim_error_meaning(result);
}

/* ---- what is meant ---- */

struct pgtsim_declared {
	struct pgtsim_declared *next;
	uint64_t va, last;
	enum pgtsim_meaning what;
};

static int check_declaration(struct pgtsim_machine *machine, uint64_t va, uint64_t size,
			     enum pgtsim_meaning what)
{
	uint64_t page = pgtsim_page_size(&machine->geo);

	if ((unsigned)what > PGTSIM_VMALLOC_HUGE)
		return pgtsim_fail(&machine->tlb, -EINVAL, "there is no meaning %u",
				   (unsigned)what);
	if (!size)
		return pgtsim_fail(&machine->tlb, -EINVAL, "the range is empty");
	if ((va | size) & (page - 1))
		return pgtsim_fail(&machine->tlb, -EINVAL,
				   "VA 0x%" PRIx64 "+%s does not begin and end with a page (%s)",
				   va, pgtsim_amount(size).text, pgtsim_amount(page).text);
	if (va + (size - 1) < va)
		return pgtsim_fail(&machine->tlb, -EINVAL,
				   "VA 0x%" PRIx64 "+%s goes beyond the end of the address space",
				   va, pgtsim_amount(size).text);
	return 0;
}

int pgtsim_declare(struct pgtsim_machine *machine, uint64_t va, uint64_t size,
		   enum pgtsim_meaning what)
{
	struct pgtsim_declared *declared;
	int ret;

	if (!machine)
		return -EINVAL;
	ret = check_declaration(machine, va, size, what);
	if (ret)
		return ret;
	declared = malloc(sizeof(*declared));
	if (!declared)
		return -ENOBUFS;
	*declared = (struct pgtsim_declared){ machine->declared, va, va + (size - 1), what };
	machine->declared = declared;
	return 0;
}

bool pgtsim_find_declared(const struct pgtsim_machine *machine, uint64_t va,
			  enum pgtsim_meaning what, uint64_t *start, uint64_t *last)
{
	bool found = false;

	for (const struct pgtsim_declared *d = machine->declared; d; d = d->next) {
		if (d->what != what || va < d->va || va > d->last || (found && d->last <= *last))
			continue;
		*start = d->va;
		*last = d->last;
		found = true;
	}
	return found;
}

bool pgtsim_is_declared(const struct pgtsim_machine *machine, uint64_t va, enum pgtsim_meaning what,
			uint64_t *last)
{
	uint64_t start;

	return machine && pgtsim_find_declared(machine, va, what, &start, last);
}

static void free_declared(struct pgtsim_machine *machine)
{
	while (machine->declared) {
		struct pgtsim_declared *declared = machine->declared;

		machine->declared = declared->next;
		free(declared);
	}
}

void pgtsim_machine_free(struct pgtsim_machine **machine)
{
	struct pgtsim_machine *m = machine ? *machine : NULL;

	if (!m)
		return;
	pgtsim_hotplug_fini(&m->hotplug);
	pgtsim_vmemmap_fini(&m->vmemmap);
	pgtsim_memory_free(&m->memory);
	pgtsim_tlb_fini(&m->tlb);
	free_declared(m);
	free(m);
	*machine = NULL;
}

bool pgtsim_machine_out_of_host_memory(const struct pgtsim_machine *machine)
{
	if (!machine)
		return false;
	return machine->tlb.host_failed ||
	       (machine->memory && pgtsim_memory_out_of_host_memory(machine->memory));
}

struct pgtsim_tlb *pgtsim_machine_tlb(struct pgtsim_machine *machine)
{
	return machine ? &machine->tlb : NULL;
}

struct pgtsim_pgtable *pgtsim_machine_pgtable(struct pgtsim_machine *machine)
{
	return machine ? &machine->pgt : NULL;
}

struct pgtsim_hotplug *pgtsim_machine_hotplug(struct pgtsim_machine *machine)
{
	return machine ? &machine->hotplug : NULL;
}

const struct pgtsim_layout *pgtsim_machine_layout(const struct pgtsim_machine *machine)
{
	return machine ? &machine->layout : NULL;
}

const struct pgtsim_policy *pgtsim_machine_policy(const struct pgtsim_machine *machine)
{
	return machine ? &machine->policy : NULL;
}

void pgtsim_machine_bounds(const struct pgtsim_machine *machine, uint64_t start, uint64_t end,
			   uint64_t *floor, uint64_t *ceiling)
{
	if (!machine || !floor || !ceiling)
		return;

	const struct pgtsim_layout *layout = &machine->layout;
	uint64_t last = end - 1;

	*floor = *ceiling = 0;
	if (start >= layout->page_offset && last < layout->page_end) {
		*floor = layout->page_offset;
		*ceiling = layout->page_end;
	} else if (start >= layout->vmemmap_start && last < layout->vmemmap_end) {
		*floor = layout->vmemmap_start;
		*ceiling = layout->vmemmap_end;
	}
}
