/* SPDX-License-Identifier: MIT */
#include <pgtsim/violations.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/lock.h"
#include "events.h"

static const struct pgtsim_violation_kind kinds[] = {
#define VIOLATION_ROW(name, word, meaning, instead) { word, meaning, instead },
	PGTSIM_VIOLATIONS(VIOLATION_ROW)
#undef VIOLATION_ROW
};

/* Counts a violation, and keeps it if there is room. The lock is held on a shared machine. */
#ifdef __GNUC__
__attribute__((format(printf, 5, 0)))
#endif
static void
keep(struct pgtsim_tlb *tlb, enum pgtsim_violation_name name, uint64_t va, int level,
     const char *text, va_list args)
{
	struct pgtsim_violation *violation;

	tlb->counts.violations++;
	if (!tlb->violations)
		tlb->violations = calloc(PGTSIM_VIOLATIONS_KEPT, sizeof(*tlb->violations));
	if (!tlb->violations)
		tlb->host_failed = true;
	if (!tlb->violations || tlb->violation_count == PGTSIM_VIOLATIONS_KEPT)
		return;
	violation = &tlb->violations[tlb->violation_count++];
	violation->name = name;
	violation->va = va;
	violation->level = level;
	vsnprintf(violation->text, sizeof(violation->text), text, args);
}

void pgtsim_tlb_violation(struct pgtsim_tlb *tlb, enum pgtsim_violation_name name, uint64_t va,
			  int level, const char *text, ...)
{
	va_list args;

	if (!tlb || !text || (unsigned)name >= PGTSIM_V_COUNT || tlb->quiet)
		return;
	va_start(args, text);
	pgtsim_lock(tlb->shared, &tlb->lock);
	keep(tlb, name, va, level, text, args);
	pgtsim_unlock(tlb->shared, &tlb->lock);
	va_end(args);
}

const struct pgtsim_violation *pgtsim_violations(const struct pgtsim_tlb *tlb, size_t *count)
{
	if (!tlb || !count)
		return NULL;
	*count = tlb->violation_count;
	return tlb->violations;
}

const struct pgtsim_violation_kind *pgtsim_violation_kind(enum pgtsim_violation_name name)
{
	return (unsigned)name < PGTSIM_V_COUNT ? &kinds[name] : NULL;
}
