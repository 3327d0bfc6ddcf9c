/* SPDX-License-Identifier: MIT */
/* error: why an operation on a machine failed. */
#include "events.h"

#include "arch/lock.h"

int pgtsim_fail(struct pgtsim_tlb *tlb, int code, const char *format, ...)
{
	va_list args;

	if (!tlb || !tlb->error)
		return code;
	va_start(args, format);
	pgtsim_lock(tlb->shared, &tlb->lock);
	pgtsim_error_set_list(tlb->error, code, format, args);
	pgtsim_unlock(tlb->shared, &tlb->lock);
	va_end(args);
	return code;
}
