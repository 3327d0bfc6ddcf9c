/* SPDX-License-Identifier: MIT */
/*
 * fuzz: the interface of a fuzz target, for libFuzzer and for corpus.c, which only replays inputs.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs one input; a finding is a crash. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Crashes with a message if the condition is false. */
#define MUST(claim)                                                                 \
	do {                                                                        \
		if (!(claim)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim); \
			abort();                                                    \
		}                                                                   \
	} while (0)

#endif
