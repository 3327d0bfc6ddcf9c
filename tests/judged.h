/* SPDX-License-Identifier: MIT */
/*
 * A judge of traces, with a checker of its own, that hears what another tlb's observers hear: what is
 * found beside the tables is to be found in the events alone, too.
 */
#ifndef TEST_JUDGED_H
#define TEST_JUDGED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <pgtsim/checker.h>
#include <pgtsim/judge.h>

struct judged {
	struct pgtsim_observer observer;
	struct pgtsim_end_observer end;
	struct pgtsim_tlb *heard, tlb;
	struct pgtsim_judge *judge;
	int error; /* of the first event that it refused */
};

static inline void judged_event(struct pgtsim_observer *self, const struct pgtsim_event *event)
{
	struct judged *j = (struct judged *)(void *)self;
	int ret = pgtsim_judge_event(j->judge, event);

	if (ret && !j->error)
		printf("the judge: %s\n", pgtsim_judge_error(j->judge));
	j->error = j->error ? j->error : ret;
}

static inline void judged_end(struct pgtsim_end_observer *self, uint64_t va, uint64_t last)
{
	struct judged *j =
		(struct judged *)(void *)((char *)self - offsetof(struct judged, end));

	pgtsim_judge_end(j->judge, va, last);
}

/* Returns 0, or what failed. The CPU is that of the tlb's own checker. */
static inline int judged_start(struct judged *j, struct pgtsim_tlb *heard,
			       const struct pgtsim_geometry *geo, const struct pgtsim_policy *policy,
			       const struct pgtsim_checker_cpu *cpu)
{
	int ret;

	*j = (struct judged){ .observer.event = judged_event, .end.end = judged_end, .heard = heard };
	pgtsim_tlb_init(&j->tlb);
	ret = pgtsim_checker_start(&j->tlb, geo, policy);
	if (!ret)
		ret = pgtsim_checker_set_cpu(&j->tlb, cpu);
	if (!ret)
		ret = pgtsim_judge_new(&j->judge, &j->tlb, geo);
	pgtsim_observe(heard, &j->observer);
	heard->end_observer = &j->end;
	return ret;
}

static inline void judged_stop(struct judged *j)
{
	pgtsim_unobserve(j->heard, &j->observer);
	j->heard->end_observer = NULL;
	pgtsim_judge_free(&j->judge);
	pgtsim_tlb_fini(&j->tlb);
}

/* True if a violation of the one is one of the other. */
static inline bool judged_has(const struct judged *j, const struct pgtsim_violation *violation)
{
	size_t count;
	const struct pgtsim_violation *v = pgtsim_violations(&j->tlb, &count);

	for (size_t i = 0; i < count; i++)
		if (v[i].name == violation->name && v[i].va == violation->va &&
		    v[i].level == violation->level)
			return true;
	return false;
}

/* True if the judge refused nothing, and found what the checker found beside the tables. */
static inline bool judged_alike(const struct judged *j)
{
	size_t count, judged;
	const struct pgtsim_violation *v = pgtsim_violations(j->heard, &count);

	(void)pgtsim_violations(&j->tlb, &judged);
	for (size_t i = 0; i < count; i++)
		if (!judged_has(j, &v[i]))
			return false;
	return count == judged && !j->error;
}

#endif
