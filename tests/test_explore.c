/* SPDX-License-Identifier: MIT */
#include <pgtsim/explore.h>

#include "hotplug.h"

static void to_stdout(void *ctx, const char *text)
{
	(void)ctx;
	fputs(text, stdout);
}
static const struct pgtsim_printer printer = { to_stdout, NULL };

struct world {
	struct pgtsim_machine_config config;
	uint64_t va, pa, size;
};

static int setup(void *ctx, struct pgtsim_machine **machine)
{
	struct world *w = ctx;
	int ret = pgtsim_machine_new(machine, &w->config);
	struct pgtsim_map map;

	if (ret)
		return ret;
	map = (struct pgtsim_map){ .va = w->va, .pa = w->pa, .size = w->size,
		.attrs = (*machine)->policy.prot[PGTSIM_PROT_TAGGED],
		.table_attrs = (*machine)->policy.linear_table };
	return pgtsim_map(&(*machine)->pgt, &map);
}

static void b5(void **state)
{
	struct world w = { .config = config_of("linux-6.12", 4, 48), .va = 0xffff000080000000, .pa = 0x80000000, .size = 4 * MIB };
	struct pgtsim_actor_range range = { .start = w.va, .size = w.size, .floor = 0xffff000000000000, .ceiling = 0xffff800000000000 };
	struct pgtsim_actor_spec actors[] = {
		{ "remover", pgtsim_actor_unmap, NULL, &range },
		{ "reader", pgtsim_actor_ptdump_unlocked, NULL, &(struct pgtsim_actor_range){ .start = w.va + MIB, .size = 0x3000 } },
	};
	struct pgtsim_explore_config config = { .setup = setup, .ctx = &w, .actors = actors, .actor_count = 2 };
	struct pgtsim_exploration out;

	(void)state;
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	pgtsim_exploration_print(&out, &printer);
	pgtsim_exploration_free(&out);
	actors[1].run = pgtsim_actor_ptdump;
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	pgtsim_exploration_print(&out, &printer);
	pgtsim_exploration_free(&out);
	actors[1] = (struct pgtsim_actor_spec){ "mapper", pgtsim_actor_vmalloc, pgtsim_actor_vmalloc_check, &(struct pgtsim_actor_range){ .start = w.va - MIB, .size = 0x1000 } };
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	pgtsim_exploration_print(&out, &printer);
	pgtsim_exploration_free(&out);
	range.floor = range.ceiling = 0;
	assert_int_equal(pgtsim_explore(&config, &out), 0);
	pgtsim_exploration_print(&out, &printer);
	pgtsim_exploration_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(b5) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
