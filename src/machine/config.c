/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/error.h"

/* The VA sizes that Linux has with pages of so many bytes: "42, 48, 52". */
static void list_va_sizes(uint32_t granule, char *list, size_t size)
{
	size_t count, length = 0;
	const struct pgtsim_regime *regimes = pgtsim_regimes(&count);

	*list = '\0';
	for (size_t i = 0; i < count && length < size; i++)
		if (UINT32_C(1) << regimes[i].page_shift == granule)
			length += (size_t)snprintf(list + length, size - length, "%s%u",
						   length ? ", " : "", regimes[i].va_bits);
}

static const struct pgtsim_regime *find_regime(uint32_t granule, unsigned va_bits)
{
	size_t count;
	const struct pgtsim_regime *regimes = pgtsim_regimes(&count);

	for (size_t i = 0; i < count; i++)
		if (UINT32_C(1) << regimes[i].page_shift == granule &&
		    regimes[i].va_bits == va_bits)
			return &regimes[i];
	return NULL;
}

static int check_pages(const struct pgtsim_machine_config *config)
{
	struct pgtsim_amount page = pgtsim_amount(config->granule);
	char list[64];

	if (config->granule != 4096 && config->granule != 16384 && config->granule != 65536)
		return pgtsim_error_set(config->error, -EINVAL,
					"arm64 has no pages of %s; use 4K, 16K or 64K", page.text);
	if (!find_regime(config->granule, config->va_bits)) {
		list_va_sizes(config->granule, list, sizeof(list));
		return pgtsim_error_set(config->error, -EINVAL,
					"Linux has no configuration with %s pages and %u VA bits; "
					"use one of %s",
					page.text, config->va_bits, list);
	}
	/* 4K and 16K with 52 bits came with LPA2. */
	if (config->va_bits == 52 && config->granule != 65536 && !config->policy.lpa2)
		return pgtsim_error_set(config->error, -EINVAL,
					"%s has no 52-bit VA with %s pages: that came with LPA2, "
					"later",
					config->policy.profile, page.text);
	return 0;
}

/* What a CPU may lack of the kernel's configuration. */
static int check_cpu(const struct pgtsim_machine_config *config)
{
	unsigned va = config->va_bits, actual = config->va_actual, pa = config->pa_bits;
	unsigned less = find_regime(config->granule, va)->va_bits_without_52;

	if (actual && actual != va && actual != less)
		return pgtsim_error_set(
			config->error, -EINVAL,
			less < va ? "va-actual=%u: a kernel of %u bits runs with those, "
				    "or on a CPU without them with %u" :
				    "va-actual=%u: a kernel of %u bits runs with those "
				    "alone, not with %u",
			actual, va, less < va ? less : actual);
	if (pa && pa != 48 && pa != 52)
		return pgtsim_error_set(config->error, -EINVAL,
					"pa=%u: Linux is built for 48 or 52 bits of PA", pa);
	if (pa == 52 && va != 52 && config->granule != 65536)
		return pgtsim_error_set(config->error, -EINVAL, "pa=52 with %s pages needs va=52",
					pgtsim_amount(config->granule).text);
	return 0;
}

static bool is_profile_of(enum pgtsim_format format, const char *profile)
{
	const char *const *names = pgtsim_profiles_of(format);

	while (*names && strcmp(*names, profile) != 0)
		names++;
	return *names;
}

static int check_s390(const struct pgtsim_machine_config *config)
{
	if (config->granule != 4096)
		return pgtsim_error_set(config->error, -EINVAL,
					"s390 has no pages of %s, only of 4K",
					pgtsim_amount(config->granule).text);
	if (config->va_bits != 42 && config->va_bits != 53)
		return pgtsim_error_set(config->error, -EINVAL,
					"s390's kernel has no address space of %u bits; use 42 "
					"(three levels) or 53 (four)",
					config->va_bits);
	if (!is_profile_of(PGTSIM_FORMAT_S390, config->policy.profile))
		return pgtsim_error_set(
			config->error, -EINVAL, "%s is a profile of arm64; format=s390 takes %s",
			config->policy.profile, pgtsim_profiles_of(PGTSIM_FORMAT_S390)[0]);
	if (config->edat > 2)
		return pgtsim_error_set(config->error, -EINVAL,
					"edat=%u: 0 is pages alone, 1 has segments of 1M, 2 also "
					"regions of 2G",
					config->edat);
	return 0;
}

/* Refuses values that no arm64 kernel has. */
static int check_arm64_knobs(const struct pgtsim_machine_config *config)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	for (size_t i = 0; i < count; i++) {
		const char *value = pgtsim_policy_get(&config->policy, knobs[i].name);
		const char *first = knobs[i].values[0], *only = knobs[i].only_s390;
		bool known = knobs[i].formats & 1u << PGTSIM_FORMAT_ARM64;

		if (value && (known ? only && !strcmp(value, only) : strcmp(value, first) != 0))
			return pgtsim_error_set(config->error, -EINVAL,
						"%s=%s is s390's: it goes with format=s390",
						knobs[i].name, value);
	}
	return 0;
}

static int check_arm64(const struct pgtsim_machine_config *config)
{
	int ret = check_pages(config);

	if (is_profile_of(PGTSIM_FORMAT_S390, config->policy.profile))
		return pgtsim_error_set(config->error, -EINVAL,
					"%s is a profile of s390: it goes with format=s390",
					config->policy.profile);
	if (config->edat)
		return pgtsim_error_set(config->error, -EINVAL,
					"edat is s390's: it goes with format=s390");
	ret = ret ? ret : check_arm64_knobs(config);
	return ret ? ret : check_cpu(config);
}

/*
 * The head and the parts of an image. They add up to less than 2G, as module_init_limits() wants:
 * modules lie below the image, in 2G that end with it, so that their branches reach all of it.
 */
static int check_parts(const struct pgtsim_machine_config *config)
{
	const struct pgtsim_image *image = config->image;
	const uint64_t sizes[] = { image->text, image->rodata, image->init, image->data };
	const uint64_t head = 0x10000, most = UINT64_C(2) << 30;
	uint64_t sum = head, bits = image->start;

	for (unsigned i = 0; i < 4; i++) {
		bits |= sizes[i];
		sum = sizes[i] < most && sum < most ? sum + sizes[i] : most;
	}
	if (bits & (head - 1))
		return pgtsim_error_set(config->error, -EINVAL,
					"a kernel image begins at a multiple of 64K, and so do its "
					"parts");
	if (image->start >= UINT64_C(1) << 52)
		return pgtsim_error_set(config->error, -EINVAL,
					"image: 0x%" PRIx64 " is beyond 52 bits of PA",
					image->start);
	if (sum >= most)
		return pgtsim_error_set(
			config->error, -EINVAL,
			"a kernel image has less than 2G, its head of 64K included: "
			"its modules reach no further");
	return 0;
}

static int check_image(const struct pgtsim_machine_config *config)
{
	const struct pgtsim_image *image = config->image;
	int ret;

	if (!image)
		return 0;
	if (config->format == PGTSIM_FORMAT_S390)
		return pgtsim_error_set(config->error, -EINVAL,
					"image and kfence are arm64's alone");
	if (!config->boot)
		return pgtsim_error_set(config->error, -EINVAL,
					"image and kfence go with boot=on, which maps them");
	if (config->policy.layout != PGTSIM_LAYOUT_6_12)
		return pgtsim_error_set(config->error, -EINVAL,
					"image and kfence are mapped as 6.12 and later do; %s has "
					"another layout",
					config->policy.profile);
	ret = check_parts(config);
	if (ret)
		return ret;
	if (image->kfence.start > image->kfence.end ||
	    (image->kfence.start | image->kfence.end) & (config->granule - 1))
		return pgtsim_error_set(config->error, -EINVAL, "kfence is not whole pages (%s)",
					pgtsim_amount(config->granule).text);
	return 0;
}

int pgtsim_config_check(const struct pgtsim_machine_config *config)
{
	int ret;

	switch (config->format) {
	case PGTSIM_FORMAT_ARM64:
		ret = check_arm64(config);
		break;
	case PGTSIM_FORMAT_S390:
		ret = check_s390(config);
		break;
	default:
		return pgtsim_error_set(config->error, -EINVAL, "there is no format %u",
					config->format);
	}
	ret = ret ? ret : check_image(config);
	if (ret)
		return ret;
	if (config->rodata > PGTSIM_RODATA_NOALIAS)
		return pgtsim_error_set(config->error, -EINVAL, "there is no rodata %u",
					config->rodata);
	if (config->struct_page != 56 && config->struct_page != 64)
		return pgtsim_error_set(config->error, -EINVAL,
					"struct-page=%u: a struct page has 56 or 64 bytes",
					config->struct_page);
	return 0;
}

static bool overlap(const struct pgtsim_ram *a, const struct pgtsim_ram *b)
{
	return a->start < b->end && b->start < a->end;
}

int pgtsim_config_bad_ram(const struct pgtsim_machine_config *config)
{
	for (size_t i = 0; i < config->ram_count; i++) {
		const struct pgtsim_ram *ram = &config->ram[i];

		if (ram->start >= ram->end)
			return pgtsim_error_set(config->error, -EINVAL, "RAM range %zu is %s",
						i + 1,
						ram->start == ram->end ? "empty" : "reversed");
		if ((ram->start | ram->end) & (config->granule - 1))
			return pgtsim_error_set(config->error, -EINVAL,
						"RAM range %zu is not a multiple of the page size "
						"(%s)",
						i + 1, pgtsim_amount(config->granule).text);
		if (ram->end > UINT64_C(1) << 52)
			return pgtsim_error_set(config->error, -EINVAL,
						"RAM range %zu ends beyond 52 bits of PA", i + 1);
		for (size_t j = 0; j < i; j++)
			if (overlap(ram, &config->ram[j]))
				return pgtsim_error_set(config->error, -EINVAL,
							"RAM ranges %zu and %zu overlap", j + 1,
							i + 1);
	}
	return pgtsim_error_set(config->error, -EINVAL, "there is something wrong with the RAM");
}
