/* SPDX-License-Identifier: MIT */
/*
 * judge: hands a recorded sequence of stores, barriers and invalidates to the checker (checker.h),
 * whoever made it: this library (trace.h), a kernel module, a hypervisor, an emulator. No machine's
 * tables are needed: the judge follows the tables of the trace, from a root or as they are linked.
 *
 *	pgtsim_judge_new(&judge, &tlb, &geo);    the tlb has a checker
 *	while (…)
 *		pgtsim_judge_line(judge, line, length);
 *	pgtsim_judge_end(judge, 0, UINT64_MAX);
 *	pgtsim_violations(&tlb, &count);
 *
 * The format of a line is described in the guide: traces.md.
 */
#ifndef PGTSIM_JUDGE_H
#define PGTSIM_JUDGE_H

#include <pgtsim/geometry.h>
#include <pgtsim/tlb.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pgtsim_judge; /* opaque */

/*
 * Makes a judge that emits what it is told on `tlb`, whose checker decides. tlb and geo stay the
 * caller's and must live as long; nobody else may emit events there. Returns 0, -EINVAL (no checker)
 * or -ENOBUFS.
 */
PGTSIM_API int pgtsim_judge_new(struct pgtsim_judge **judge, struct pgtsim_tlb *tlb,
				const struct pgtsim_geometry *geo);

/* Frees it and sets *judge to NULL; NULL is fine. */
PGTSIM_API void pgtsim_judge_free(struct pgtsim_judge **judge);

/*
 * Says that the root table stands at `pa` (bytes, page aligned): stores there are stores to entries
 * of the root. Not needed where events carry virtual addresses. Returns 0, -EINVAL or -ENOBUFS.
 */
PGTSIM_API int pgtsim_judge_root(struct pgtsim_judge *judge, uint64_t pa);

/*
 * Takes one event. PGTSIM_OP_STORE, of `count` values from `pa` on in one page, becomes the change of
 * entries once the table there is linked; until then the values are kept. Returns 0; -EINVAL if the
 * event cannot be (a field is out of range, or the tables of the trace hold something else than its
 * old descriptor): it has no effect then; -EINVAL, too, if a table entry leads to more tables than a
 * real one, and then not all of them were looked at; -ENOBUFS if the host's memory ran out, or the
 * trace has more than 1 GiB of tables.
 */
PGTSIM_API int pgtsim_judge_event(struct pgtsim_judge *judge, const struct pgtsim_event *event);

/*
 * The end of an operation on [va, last]: what is stale there is reported. At the end of a trace:
 * 0 and UINT64_MAX.
 */
PGTSIM_API void pgtsim_judge_end(struct pgtsim_judge *judge, uint64_t va, uint64_t last);

/*
 * Takes one line of a trace, without its newline; an empty line is nothing. Returns as
 * pgtsim_judge_event(); -EINVAL for a line that is not of the format, too.
 */
PGTSIM_API int pgtsim_judge_line(struct pgtsim_judge *judge, const char *line, size_t length);

/* What a trace did not tell, so that it was not judged. */
struct pgtsim_judge_unknown {
	uint64_t tables; /* that went, or were restricted: some of their entries may have been valid */
	uint64_t stores; /* PGTSIM_OP_STORE over entries whose value until then is not known */
	uint64_t pages;  /* that PGTSIM_OP_STORE wrote to, while no known table entry led to them */
	uint64_t shared; /* times that a table was linked that stood elsewhere: it is followed at the
			    last place alone */
};

/*
 * What was not judged; all 0 for nothing, as far as the judge can know. It looks at each table of the
 * trace.
 */
PGTSIM_API struct pgtsim_judge_unknown pgtsim_judge_unknown(const struct pgtsim_judge *judge);

/*
 * Why the last call that failed did, one sentence without a period; valid until the next call. NULL
 * without a judge.
 */
PGTSIM_API const char *pgtsim_judge_error(const struct pgtsim_judge *judge);

#ifdef __cplusplus
}
#endif

#endif
