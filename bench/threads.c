/* SPDX-License-Identifier: MIT */
/* One machine a thread: what two threads get done, beside two that do a memset each. */
#include "bench.h"

#include <pthread.h>

#define PA (UINT64_C(1) << 40)

enum { TIMES = 20 };

struct worker {
	pthread_t thread;
	struct pgtsim_machine *machine; /* NULL: a memset */
	struct pgtsim_map map;
	void *buffer;
	size_t bytes;
	bool right;
};

static bool map_and_unmap(const struct worker *worker)
{
	struct pgtsim_machine *machine = worker->machine;

	return !pgtsim_map(&machine->pgt, &worker->map) &&
	       !pgtsim_unmap_linear(&machine->pgt, worker->map.va, worker->map.size,
				    machine->layout.page_offset, machine->layout.page_end);
}

static void *work(void *arg)
{
	static void *(*volatile do_memset)(void *, int, size_t) = memset;
	struct worker *worker = arg;

	worker->right = true;
	for (int i = 0; i < TIMES; i++) {
		if (worker->machine)
			worker->right = worker->right && map_and_unmap(worker);
		else
			do_memset(worker->buffer, i, worker->bytes);
	}
	return NULL;
}

static double run(struct worker *workers, unsigned count)
{
	double began = bench_now();

	for (unsigned i = 0; i < count; i++)
		must(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
	for (unsigned i = 0; i < count; i++)
		must(pthread_join(workers[i].thread, NULL) == 0);
	began = bench_now() - began;
	for (unsigned i = 0; i < count; i++)
		must(workers[i].right);
	return began;
}

static void init_worker(struct worker *worker, uint64_t size, bool machine)
{
	*worker = (struct worker){ .bytes = (size_t)(size / 512) };
	if (machine) {
		worker->machine = bench_machine(false, false, false);
		worker->map = (struct pgtsim_map){
			.va = worker->machine->layout.linear_start + TIB,
			.pa = PA,
			.size = size,
			.attrs = worker->machine->policy.prot[PGTSIM_PROT_TAGGED],
			.table_attrs = worker->machine->policy.linear_table,
			.region = PGTSIM_REGION_LINEAR,
		};
	} else {
		worker->buffer = malloc(worker->bytes);
		must(worker->buffer != NULL);
	}
}

static void one_case(struct bench *bench, uint64_t size)
{
	struct worker workers[4];
	uint64_t leaves = size / 4096 * TIMES;

	if (!bench_start(bench, 0, "threads/ptes/%s", bench_size(size)))
		return;
	for (unsigned i = 0; i < 4; i++)
		init_worker(&workers[i], size, i < 2);
	while (bench_round(bench)) {
		bench_time(bench, "memset-1", run(&workers[2], 1), leaves, "leaf");
		bench_time(bench, "memset-2", run(&workers[2], 2), 2 * leaves, "leaf");
		bench_time(bench, "machine-1", run(&workers[0], 1), leaves, "leaf");
		bench_time(bench, "machines-2", run(&workers[0], 2), 2 * leaves, "leaf");
	}
	for (unsigned i = 0; i < 2; i++) {
		bench_must_be_empty(workers[i].machine);
		pgtsim_machine_free(&workers[i].machine);
		free(workers[i + 2].buffer);
	}
}

void bench_threads(struct bench *bench)
{
	one_case(bench, GIB);
	if (!bench_quick(bench))
		one_case(bench, 64 * GIB);
}
