/* SPDX-License-Identifier: MIT */
/* Replaces libFuzzer for compilers without it: runs a target on each file that is given. */
#include "fuzz.h"

static int run_file(const char *name)
{
	enum { LIMIT = 1 << 20 };
	FILE *file = fopen(name, "rb");
	uint8_t *data = malloc(LIMIT);
	size_t size = file && data ? fread(data, 1, LIMIT, file) : 0;

	if (!size)
		fprintf(stderr, "%s: no input\n", name);
	else
		LLVMFuzzerTestOneInput(data, size);
	if (file)
		fclose(file);
	free(data);
	return size ? 0 : 1;
}

int main(int argc, char **argv)
{
	int status = argc > 1 ? 0 : 1;

	for (int i = 1; i < argc; i++)
		status |= run_file(argv[i]);
	return status;
}
