/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

struct pgtsim_amount pgtsim_amount(uint64_t bytes)
{
	static const char suffixes[] = " KMGTP";
	struct pgtsim_amount amount;
	unsigned i = 0;

	while (i < 5 && bytes && !(bytes & 1023)) {
		bytes >>= 10;
		i++;
	}
	snprintf(amount.text, sizeof(amount.text), i ? "%" PRIu64 "%c" : "%" PRIu64, bytes,
		 suffixes[i]);
	return amount;
}

int pgtsim_error_set_list(struct pgtsim_error *error, int code, const char *format, va_list args)
{
	if (!error)
		return code;
	error->code = code;
	vsnprintf(error->text, sizeof(error->text), format, args);
	return code;
}

int pgtsim_error_set(struct pgtsim_error *error, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	pgtsim_error_set_list(error, code, format, args);
	va_end(args);
	return code;
}

const char *pgtsim_error_meaning(int code)
{
	static const struct {
		int code;
		const char *meaning;
	} meanings[] = {
		{ -ENOMEM, "no memory is left in the machine's RAM" },
		{ -ENOBUFS, "the host is out of memory" },
		{ -EINVAL, "an argument does not fit this machine" },
		{ -EEXIST, "it is there already" },
		{ -ENOENT, "there is nothing of that kind" },
		{ -EBUSY, "it is in use" },
		{ -EPERM, "the kernel of this profile refuses it" },
		{ -E2BIG, "it is larger than what this machine can hold" },
		{ -EFAULT, "a table entry on the way points to no table" },
		{ -ELOOP, "it does not come to an end" },
		{ -EINTR, "it was interrupted" },
	};

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].code == code)
			return meanings[i].meaning;
	return "it cannot be done";
}
