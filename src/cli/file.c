/* SPDX-License-Identifier: MIT */
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "scenario/runner.h"

enum {
	FIRST_ROOM = 1 << 16,
	LARGEST = 1 << 28, /* more than any scenario, trace of one or recording has */
};

static int read_all(FILE *file, char **text, size_t *length)
{
	size_t room = FIRST_ROOM;
	char *buffer = malloc(room);

	errno = 0;
	for (*length = 0; buffer; room *= 2) {
		char *larger;

		*length += fread(buffer + *length, 1, room - *length - 1, file);
		if (*length < room - 1)
			break;
		if (room == LARGEST) {
			free(buffer);
			return -EFBIG;
		}
		larger = realloc(buffer, 2 * room);
		if (!larger)
			free(buffer);
		buffer = larger;
	}
	if (!buffer)
		return -ENOMEM;
	if (ferror(file)) {
		int error = errno;

		free(buffer);
		return error ? -error : -EIO;
	}
	buffer[*length] = '\0';
	*text = buffer;
	return 0;
}

int file_read(const char *path, char **text, size_t *length)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
	int ret;

	if (!file)
		return -errno;
	ret = read_all(file, text, length);
	if (file != stdin)
		fclose(file);
	return ret;
}

/* Returns 0 for a regular file, else -EISDIR, -ENODEV or why there is none. */
static int check_regular(const char *path)
{
	struct stat status;

	if (stat(path, &status))
		return -errno;
	if (S_ISDIR(status.st_mode))
		return -EISDIR;
	return S_ISREG(status.st_mode) ? 0 : -ENODEV;
}

int file_read_beside(void *path, const char *name, char **text, size_t *length)
{
	const char *beside = path, *slash = strrchr(beside, '/');
	size_t directory = slash && *name != '/' ? (size_t)(slash - beside) + 1 : 0;
	char *joined = malloc(directory + strlen(name) + 1);
	int ret = -ENOMEM;

	if (joined) {
		memcpy(joined, beside, directory);
		strcpy(joined + directory, name);
		ret = check_regular(joined);
		if (!ret)
			ret = file_read(joined, text, length);
	}
	free(joined);
	return ret;
}

int file_flush(FILE *file)
{
	if (fflush(file))
		return errno;
	/* An earlier write may have failed; fflush() does not report that again. */
	return ferror(file) ? EIO : 0;
}

bool file_is(const char *path, const char *other)
{
	struct stat one, two;

	if (stat(path, &one))
		return strcmp(path, "-") && !strcmp(path, other);
	return S_ISREG(one.st_mode) && !stat(other, &two) && one.st_dev == two.st_dev &&
	       one.st_ino == two.st_ino;
}

int file_complain_of_output(const char *path, int error)
{
	if (error != ENOENT)
		return file_complain(path, error);
	fprintf(stderr, "%s: there is no folder for it\n", *path ? path : "''");
	return RUN_BAD_SCENARIO;
}

int file_complain(const char *path, int error)
{
	bool memory = error == ENOMEM || error == ENOBUFS;

	fprintf(stderr, "%s: %s\n", *path ? path : "''",
		memory ? RUN_NO_MEMORY_TEXT : run_file_reason(error));
	return memory ? RUN_NO_MEMORY : RUN_BAD_SCENARIO;
}
