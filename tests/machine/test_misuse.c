/* SPDX-License-Identifier: MIT */
/*
 * misuse: a caller's mistake gets an error, never an abort. A table: each row is a call that nobody
 * should make, and what it must return.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <pgtsim/pgtsim.h>

#define M (UINT64_C(1) << 20)
#define G (UINT64_C(1) << 30)

static const uint64_t base = UINT64_C(0x80000000);

static unsigned rows;

/* What a call writes its reason into; NULL: there is no machine that it could tell. */
static struct pgtsim_error *reason;

static void row(int64_t expected, int64_t got, const char *call, int line)
{
	bool names_null = strstr(call, "(NULL") || strstr(call, ", NULL");

	rows++;
	if (expected != got) {
		print_error("line %d: %s: %lld instead of %lld\n", line, call, (long long)got,
			    (long long)expected);
		fail();
	}
	if (got >= 0 || !reason || names_null)
		return;
	if (reason->code != got || !*reason->text || reason->text[strlen(reason->text) - 1] == '.')
		fail_msg("line %d: %s: %lld, and the reason is %d: '%s'", line, call,
			 (long long)got, reason->code, reason->text);
	*reason = (struct pgtsim_error){ 0 };
}

/* A row: the call must return this, and if it fails say why. */
#define ROW(expected, call) row((int64_t)(expected), (int64_t)(call), #call, __LINE__)

static struct pgtsim_machine *machine_new(void)
{
	struct pgtsim_machine_config config;
	struct pgtsim_machine *machine;

	assert_int_equal(pgtsim_machine_config_init(&config, "latest"), 0);
	assert_int_equal(pgtsim_machine_new(&machine, &config), 0);
	reason = &machine->error;
	return machine;
}

static void machine_free(struct pgtsim_machine **machine)
{
	reason = NULL;
	pgtsim_machine_free(machine);
}

/* ---- machine ---- */

static void machines(void **state)
{
	struct pgtsim_machine *machine = NULL;
	struct pgtsim_machine_config config, wrong;
	struct pgtsim_error why;

	(void)state;
	ROW(-EINVAL, pgtsim_machine_config_init(NULL, "latest"));
	ROW(-EINVAL, pgtsim_machine_config_init(&config, NULL));
	ROW(-ENOENT, pgtsim_machine_config_init(&config, "linux-0.1"));
	ROW(0, pgtsim_machine_config_init(&config, "latest"));
	config.error = reason = &why;
	ROW(-EINVAL, pgtsim_machine_new(NULL, &config));
	ROW(-EINVAL, pgtsim_machine_new(&machine, NULL));
	wrong = config;
	wrong.ram_count = 1;
	ROW(-EINVAL, pgtsim_machine_new(&machine, &wrong));
	wrong = config;
	wrong.access = (enum pgtsim_access)3;
	ROW(-EINVAL, pgtsim_machine_new(&machine, &wrong));
	wrong = config;
	wrong.memmap_on_memory = (enum pgtsim_memmap_on_memory)3;
	ROW(-EINVAL, pgtsim_machine_new(&machine, &wrong));
	wrong = config;
	wrong.granule = 0;
	ROW(-EINVAL, pgtsim_machine_new(&machine, &wrong));
	wrong = config;
	wrong.va_bits = 64;
	ROW(-EINVAL, pgtsim_machine_new(&machine, &wrong));
	wrong = config;
	wrong.struct_page = 1;
	ROW(-EINVAL, pgtsim_machine_new(&machine, &wrong));
	wrong = config;
	wrong.section_size = 1;
	ROW(-EINVAL, pgtsim_machine_new(&machine, &wrong));
	wrong = config;
	wrong.block_size = 1;
	ROW(-EINVAL, pgtsim_machine_new(&machine, &wrong));
	reason = NULL;
	assert_null(machine);
	pgtsim_machine_free(NULL);
	pgtsim_machine_free(&machine);
}

/* ---- hotplug ---- */

static int say_nothing(struct pgtsim_notifier *self, const struct pgtsim_memory_notify *notify)
{
	(void)self;
	(void)notify;
	return 0;
}

/* What a reason says, what an errno means where there is none, and that it takes no machine. */
static void reasons(void **state)
{
	struct pgtsim_machine *machine = machine_new();

	(void)state;
	assert_int_equal(pgtsim_add_memory(&machine->hotplug, base, 100 * M), -EINVAL);
	assert_string_equal(pgtsim_machine_reason(machine, -EINVAL),
			    "its size is not a multiple of the memory block (128M)");
	assert_string_equal(pgtsim_machine_reason(machine, -ENOMEM),
			    "no memory is left in the machine's RAM");
	assert_string_equal(pgtsim_machine_reason(NULL, -ENOBUFS), "the host is out of memory");
	assert_string_equal(pgtsim_error_meaning(-ENOTSUP), "it cannot be done");
	machine_free(&machine);
}

static void hotplug_configs(void **state)
{
	struct pgtsim_machine *machine = machine_new();
	struct pgtsim_hotplug_config config = machine->hotplug.config, wrong;
	struct pgtsim_hotplug other;

	(void)state;
	ROW(-EINVAL, pgtsim_hotplug_init(NULL, &config));
	ROW(-EINVAL, pgtsim_hotplug_init(&other, NULL));
	wrong = config;
	wrong.pgt = NULL;
	reason = NULL; /* a machine is reached by its page table */
	ROW(-EINVAL, pgtsim_hotplug_init(&other, &wrong));
	reason = &machine->error;
	wrong = config;
	wrong.memory = NULL;
	ROW(-EINVAL, pgtsim_hotplug_init(&other, &wrong));
	wrong = config;
	wrong.vmemmap = NULL;
	ROW(-EINVAL, pgtsim_hotplug_init(&other, &wrong));
	wrong = config;
	wrong.layout = NULL;
	ROW(-EINVAL, pgtsim_hotplug_init(&other, &wrong));
	pgtsim_hotplug_fini(NULL);
	machine_free(&machine);
}

static void hotplug_operations(void **state)
{
	const struct pgtsim_add add = { .start = base, .size = 128 * M };
	struct pgtsim_machine *machine = machine_new();
	struct pgtsim_hotplug *hotplug = &machine->hotplug;

	(void)state;
	ROW(-EINVAL, pgtsim_add_boot_memory(NULL, base, 128 * M));
	ROW(-EINVAL, pgtsim_add_boot_memory(hotplug, base, 0));
	ROW(-EINVAL, pgtsim_add_range(NULL, &add));
	ROW(-EINVAL, pgtsim_add_range(hotplug, NULL));
	ROW(-EINVAL, pgtsim_add_memory(NULL, base, 128 * M));
	ROW(-EINVAL, pgtsim_remove_memory(NULL, base, 128 * M));
	ROW(-EINVAL, pgtsim_online_memory(NULL, base, 128 * M, PGTSIM_ZONE_MOVABLE));
	ROW(-EINVAL, pgtsim_online_memory(hotplug, base, 128 * M, PGTSIM_ZONES));
	ROW(-EINVAL, pgtsim_offline_memory(NULL, base, 128 * M));
	ROW(-EINVAL, pgtsim_use_memory(NULL, base, 4096, true));
	ROW(-EINVAL, pgtsim_unuse_memory(NULL, base, 4096));
	ROW(0, pgtsim_zone_state(NULL, 0, PGTSIM_ZONE_NORMAL).present);
	ROW(0, pgtsim_zone_state(hotplug, PGTSIM_NODES, PGTSIM_ZONE_NORMAL).present);
	ROW(0, pgtsim_zone_state(hotplug, 0, PGTSIM_ZONES).present);
	ROW(0, pgtsim_node_state(NULL, 0).present);
	ROW(0, pgtsim_node_state(hotplug, PGTSIM_NODES).present);
	machine_free(&machine);
}

static void notifiers(void **state)
{
	struct pgtsim_machine *machine = machine_new();
	struct pgtsim_hotplug *hotplug = &machine->hotplug;
	struct pgtsim_notifier notifier = { .notify = say_nothing }, silent = { 0 };

	(void)state;
	ROW(-EINVAL, pgtsim_notifier_add(NULL, &notifier));
	ROW(-EINVAL, pgtsim_notifier_add(hotplug, NULL));
	ROW(-EINVAL, pgtsim_notifier_add(hotplug, &silent));
	ROW(0, pgtsim_notifier_add(hotplug, &notifier));
	ROW(-EEXIST, pgtsim_notifier_add(hotplug, &notifier));
	ROW(-EINVAL, pgtsim_notifier_remove(NULL, &notifier));
	ROW(-EINVAL, pgtsim_notifier_remove(hotplug, NULL));
	ROW(0, pgtsim_notifier_remove(hotplug, &notifier));
	machine_free(&machine);
}

/* A notifier that calls whatever changes the machine's memory. */
struct caller {
	struct pgtsim_notifier notifier;
	struct pgtsim_hotplug *hotplug;
	unsigned told;
};

static int call_back(struct pgtsim_notifier *self, const struct pgtsim_memory_notify *notify)
{
	struct caller *caller = (struct caller *)(void *)self;
	struct pgtsim_hotplug *hotplug = caller->hotplug;
	const struct pgtsim_add add = { .start = base + G, .size = 128 * M };
	struct pgtsim_notifier other = { .notify = say_nothing };

	(void)notify;
	caller->told++;
	ROW(-EBUSY, pgtsim_add_boot_memory(hotplug, base + G, 128 * M));
	ROW(-EBUSY, pgtsim_add_range(hotplug, &add));
	ROW(-EBUSY, pgtsim_add_memory(hotplug, base + G, 128 * M));
	ROW(-EBUSY, pgtsim_remove_memory(hotplug, base, 128 * M));
	ROW(-EBUSY, pgtsim_online_memory(hotplug, base, 128 * M, PGTSIM_ZONE_MOVABLE));
	ROW(-EBUSY, pgtsim_offline_memory(hotplug, base, 128 * M));
	ROW(-EBUSY, pgtsim_use_memory(hotplug, base, 4096, true));
	ROW(-EBUSY, pgtsim_unuse_memory(hotplug, base, 4096));
	ROW(-EBUSY, pgtsim_notifier_add(hotplug, &other));
	ROW(-EBUSY, pgtsim_notifier_remove(hotplug, self));
	return 0;
}

/* A notifier that calls the library back gets -EBUSY, and the operation goes on as if it had not. */
static void notifier_calls_back(void **state)
{
	struct pgtsim_machine *twin = machine_new(), *machine = machine_new();
	struct caller caller = { { .notify = call_back }, &machine->hotplug, 0 };

	(void)state;
	assert_int_equal(pgtsim_notifier_add(&machine->hotplug, &caller.notifier), 0);
	for (int i = 0; i < 2; i++) {
		struct pgtsim_hotplug *hotplug = i ? &twin->hotplug : &machine->hotplug;

		assert_int_equal(pgtsim_add_memory(hotplug, base, 128 * M), 0);
		assert_int_equal(pgtsim_online_memory(hotplug, base, 128 * M, PGTSIM_ZONE_MOVABLE),
				 0);
		assert_int_equal(pgtsim_offline_memory(hotplug, base, 128 * M), 0);
		assert_int_equal(pgtsim_remove_memory(hotplug, base, 128 * M), 0);
	}
	assert_int_equal(caller.told, 4);
	assert_null(pgtsim_machine_difference(machine, twin));
	machine_free(&machine);
	pgtsim_machine_free(&twin);
}

/* ---- walks ---- */

/* A visitor that wants to look again, and moves by so much first. */
static int look_again(struct pgtsim_pgtable *pgt, struct pgtsim_run *run, void *arg)
{
	(void)pgt;
	run->va += *(const uint64_t *)arg;
	return PGTSIM_WALK_AGAIN;
}

static void walks(void **state)
{
	static const struct pgtsim_visitor visitor = { .entries = look_again };
	struct pgtsim_machine *machine = machine_new();
	uint64_t va = machine->layout.linear_start, last = va + M - 1;
	uint64_t none = 0, back = UINT64_C(0) - 4096, out = 2 * M;

	(void)state;
	ROW(-EINVAL, pgtsim_walk(NULL, va, last, &visitor, &none));
	ROW(-EINVAL, pgtsim_walk(&machine->pgt, va, last, NULL, &none));
	ROW(-EINVAL, pgtsim_walk(&machine->pgt, last, va, &visitor, &none));
	ROW(-EINVAL, pgtsim_walk(&machine->pgt, 0, last, &visitor, &none));
	ROW(-ELOOP, pgtsim_walk(&machine->pgt, va, last, &visitor, &none));
	ROW(-ELOOP, pgtsim_walk(&machine->pgt, va, last, &visitor, &back));
	ROW(-ELOOP, pgtsim_walk(&machine->pgt, va, last, &visitor, &out));
	machine_free(&machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(machines),        cmocka_unit_test(reasons),
		cmocka_unit_test(hotplug_configs), cmocka_unit_test(hotplug_operations),
		cmocka_unit_test(notifiers),       cmocka_unit_test(notifier_calls_back),
		cmocka_unit_test(walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
