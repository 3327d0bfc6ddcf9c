/* SPDX-License-Identifier: MIT */
/* subject: the machine of a sequence, and its operations done by the library. */
#include "../fixture.h"
#include "sequence.h"

const char *const release_names[] = { "linux-5.7", "linux-5.10", "linux-5.14",
				      "linux-6.1", "linux-6.12", "linux-7.3" };

static void set_knob(struct pgtsim_policy *policy, const char *knob, const char *value)
{
	assert_int_equal(pgtsim_policy_set(policy, knob, value), 0);
}

void subject_init(struct subject *subject, const struct sequence *s, bool checker)
{
	const struct oracle_config *c = &s->config;
	const struct pgtsim_ram ram = { c->ram, c->ram + c->ram_size };
	struct pgtsim_machine_config config;

	assert_int_equal(pgtsim_machine_config_init(&config, release_names[c->release]), 0);
	config.granule = UINT32_C(1) << c->page_shift;
	config.va_bits = c->va;
	config.va_actual = c->va_actual;
	config.pa_bits = c->pa;
	config.ram = &ram;
	config.ram_count = 1;
	config.blocks = c->blocks;
	config.cont = c->cont;
	config.checker = checker;
	config.memmap_on_memory = c->memmap_on_memory ? PGTSIM_MEMMAP_ON : PGTSIM_MEMMAP_OFF;
	set_knob(&config.policy, "map-failure", c->keep_map ? "keep" : "rollback");
	set_knob(&config.policy, "populate-failure", c->keep_populate ? "keep" : "rollback");
	set_knob(&config.policy, "free-tables", c->never_free_tables ? "never" : "floor-ceiling");
	assert_int_equal(pgtsim_machine_new(&subject->machine, &config), 0);
	for (size_t i = 0; i < ORACLE_ALTMAPS; i++)
		subject->altmap[i] = (struct pgtsim_altmap){
			.base = s->altmap[i].base,
			.reserve = s->altmap[i].reserve,
			.free = s->altmap[i].free,
			.align = s->altmap[i].align,
			.alloc = s->altmap[i].alloc,
		};
}

void subject_fini(struct subject *subject)
{
	pgtsim_machine_free(&subject->machine);
}

static int apply_map(struct pgtsim_machine *m, const struct operation *op)
{
	const struct pgtsim_map map = {
		.va = op->start,
		.pa = op->pa,
		.size = op->size,
		.attrs = m->policy.prot[op->prot],
		.table_attrs = m->policy.linear_table,
		.blocks = op->blocks,
		.cont = op->cont,
	};

	return pgtsim_map(&m->pgt, &map);
}

static void bounds_of(const struct pgtsim_machine *m, const struct operation *op, uint64_t *floor,
		      uint64_t *ceiling)
{
	*floor = op->floor;
	*ceiling = op->ceiling;
	if (!op->bounds)
		pgtsim_machine_bounds(m, op->start, op->start + op->size, floor, ceiling);
}

static int apply_teardown(struct pgtsim_machine *m, const struct operation *op,
			  struct pgtsim_altmap *altmap)
{
	const struct pgtsim_unmap unmap = {
		.start = op->start,
		.end = op->start + op->size,
		.free_mapped = op->free,
		.altmap = altmap,
		.memory = m->memory,
	};
	uint64_t floor, ceiling;

	bounds_of(m, op, &floor, &ceiling);
	if (op->kind == OP_UNMAP)
		return pgtsim_unmap_linear(&m->pgt, op->start, op->size, floor, ceiling);
	if (op->kind == OP_UNMAP_RANGE)
		return pgtsim_unmap_range(&m->pgt, &unmap);
	return pgtsim_free_tables(&m->pgt, unmap.start, unmap.end, floor, ceiling);
}

static int apply_vmemmap(struct pgtsim_machine *m, const struct operation *op,
			 struct pgtsim_altmap *altmap)
{
	uint64_t end = op->start + op->size;

	if (op->kind == OP_POPULATE)
		return pgtsim_vmemmap_populate(&m->vmemmap, op->start, end, altmap,
					       op->pages ? PGTSIM_POPULATE_PAGES : 0);
	return pgtsim_vmemmap_free(&m->vmemmap, op->start, end, altmap);
}

static int apply_hotplug(struct pgtsim_machine *m, const struct operation *op,
			 struct pgtsim_altmap *altmap)
{
	const struct pgtsim_add add = {
		.start = op->start,
		.size = op->size,
		.device = op->device,
		.memmap_on_memory = op->memmap_on_memory,
		.altmap = altmap,
	};

	switch (op->kind) {
	case OP_ADD:
		return pgtsim_add_range(&m->hotplug, &add);
	case OP_ONLINE:
		return pgtsim_online_memory(&m->hotplug, op->start, op->size, PGTSIM_ZONE_MOVABLE);
	case OP_OFFLINE:
		return pgtsim_offline_memory(&m->hotplug, op->start, op->size);
	default:
		return pgtsim_remove_memory(&m->hotplug, op->start, op->size);
	}
}

int subject_apply(struct subject *subject, const struct operation *op)
{
	struct pgtsim_altmap *altmap = op->altmap < 0 ? NULL : &subject->altmap[op->altmap];
	struct pgtsim_machine *m = subject->machine;
	int ret;

	pgtsim_memory_fail(m->memory, op->fail_nth, op->fail_every);
	if (op->kind == OP_MAP)
		ret = apply_map(m, op);
	else if (op->kind <= OP_FREE_TABLES)
		ret = apply_teardown(m, op, altmap);
	else if (op->kind <= OP_VMEMMAP_FREE)
		ret = apply_vmemmap(m, op, altmap);
	else
		ret = apply_hotplug(m, op, altmap);
	pgtsim_memory_fail(m->memory, 0, false);
	return ret;
}
