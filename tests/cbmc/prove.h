/* SPDX-License-Identifier: MIT */
/*
 * prove: claims about the library's arithmetic, for two readers. CBMC takes choose() for any number
 * below the bound and proves the claims for all of them (-DPGTSIM_CBMC). Compiled natively, main()
 * runs harness() once for every combination of choices below the smaller bound.
 */
#ifndef PROVE_H
#define PROVE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void harness(void);

#ifdef PGTSIM_CBMC

uint64_t nondet_number(void);

/* A number below 2^bits. */
static inline uint64_t choose(unsigned bits, unsigned toy_bits)
{
	uint64_t number = nondet_number();

	(void)toy_bits;
	__CPROVER_assume(bits == 64 || number >> bits == 0);
	return number;
}

#define PROVE(claim) __CPROVER_assert(claim, #claim)
#define ASSUME(condition) __CPROVER_assume(condition)

#else

enum { CHOICES_MAX = 16 };

/* The choices of this run, like the digits of a number that counts up. */
static struct {
	uint64_t value[CHOICES_MAX], limit[CHOICES_MAX];
	unsigned made, known;
} choices;

static inline uint64_t choose(unsigned bits, unsigned toy_bits)
{
	unsigned i = choices.made++;

	(void)bits;
	if (i == CHOICES_MAX)
		abort();
	if (i == choices.known) {
		choices.value[i] = 0;
		choices.limit[i] = UINT64_C(1) << toy_bits;
		choices.known++;
	}
	return choices.value[i];
}

static inline int next_run(void)
{
	choices.made = 0;
	while (choices.known) {
		unsigned i = choices.known - 1;

		if (++choices.value[i] < choices.limit[i])
			return 1;
		choices.known--;
	}
	return 0;
}

#define PROVE(claim)                                                                \
	do {                                                                        \
		if (!(claim)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim); \
			for (unsigned i = 0; i < choices.made; i++)                 \
				fprintf(stderr, "choice %u: 0x%llx\n", i,           \
					(unsigned long long)choices.value[i]);      \
			exit(1);                                                    \
		}                                                                   \
	} while (0)
#define ASSUME(condition)         \
	do {                      \
		if (!(condition)) \
			return;   \
	} while (0)

int main(void)
{
	unsigned long runs = 0;

	do {
		harness();
		runs++;
	} while (next_run());
	printf("%lu runs\n", runs);
	return 0;
}

#endif

#endif
