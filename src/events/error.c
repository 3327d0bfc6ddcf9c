/* SPDX-License-Identifier: MIT */
/* error: why an operation on a machine failed. */
#include "events.h"

#include "arch/lock.h"

int pgtsim_fail_list(struct pgtsim_tlb *tlb, int code, const char *format, va_list args)
{
	if (!tlb || !tlb->error)
		return code;
	pgtsim_lock(tlb->shared, &tlb->lock);
	pgtsim_error_set_list(tlb->error, code, format, args);
	pgtsim_unlock(tlb->shared, &tlb->lock);
	return code;
}

int pgtsim_fail(struct pgtsim_tlb *tlb, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	pgtsim_fail_list(tlb, code, format, args);
	va_end(args);
	return code;
}
