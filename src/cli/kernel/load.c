/* SPDX-License-Identifier: MIT */
/* load: opens a kernel that was built, and makes machines like it. */
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"

static const struct kernel *kernel_of(const struct run_kernel *run)
{
	return (const struct kernel *)(const void *)run;
}

const char *kernel_nearest_profile(const struct kc_kernel *kernel, unsigned *differ)
{
	const char *nearest = NULL;
	unsigned fewest = UINT_MAX;

	for (const char *const *name = pgtsim_profiles(); *name; name++) {
		struct pgtsim_policy policy;
		unsigned count = 0;

		pgtsim_policy_init(&policy, *name);
		for (const struct kc_knob *knob = kernel->knobs; knob->name; knob++) {
			const char *value = pgtsim_policy_get(&policy, knob->name);

			count += !value || strcmp(value, knob->value) != 0;
		}
		if (count < fewest) {
			fewest = count;
			nearest = *name;
		}
	}
	if (differ)
		*differ = fewest;
	return nearest;
}

/* ---- machines ---- */

static void defaults(const struct run_kernel *self, struct pgtsim_machine_config *config)
{
	const struct kc_kernel *kernel = kernel_of(self)->plug->kernel;

	pgtsim_machine_config_init(config, kernel_nearest_profile(kernel, NULL));
	for (const struct kc_knob *knob = kernel->knobs; knob->name; knob++)
		pgtsim_policy_set(&config->policy, knob->name, knob->value);
	config->granule = 1u << kernel->page_shift;
	config->va_bits = kernel->va_bits;
	config->pa_bits = kernel->pa_bits;
	config->struct_page = kernel->struct_page;
	config->section_size = UINT64_C(1) << kernel->section_bits;
	config->access = PGTSIM_ACCESS_HOOKED;
}

/* A number that was fixed when the kernel was built, and the option of the build that sets it. */
struct fixed {
	const char *option;
	uint64_t built, wanted;
	const char *unit;
};

static int accept(const struct run_kernel *self, const struct pgtsim_machine_config *config,
		  char *reason, size_t size)
{
	const struct kc_kernel *kernel = kernel_of(self)->plug->kernel;
	const struct fixed fixed[] = {
		{ "--granule", UINT64_C(1) << (kernel->page_shift - 10), config->granule >> 10,
		  "K" },
		{ "--va", kernel->va_bits, config->va_bits, "" },
		{ "--pa", kernel->pa_bits, config->pa_bits, "" },
		{ "--struct-page", kernel->struct_page, config->struct_page, "" },
		{ NULL, UINT64_C(1) << (kernel->section_bits - 20), config->section_size >> 20,
		  "M" },
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if (fixed[i].built == fixed[i].wanted)
			continue;
		if (fixed[i].option)
			snprintf(reason, size,
				 "%.100s was built with %s=%" PRIu64
				 "%s: build one with %s=%" PRIu64 "%s for this scenario",
				 kernel_of(self)->path, fixed[i].option, fixed[i].built,
				 fixed[i].unit, fixed[i].option, fixed[i].wanted, fixed[i].unit);
		else
			snprintf(reason, size, "the kernel of %.100s has sections of %" PRIu64 "%s",
				 kernel_of(self)->path, fixed[i].built, fixed[i].unit);
		return -EINVAL;
	}
	return 0;
}

static int attach(const struct run_kernel *self, struct pgtsim_machine *machine,
		  struct pgtsim_engine **engine, char *reason, size_t size)
{
	struct kernel_engine *made;
	int ret = kernel_engine_new(kernel_of(self), machine, &made, reason, size);

	if (!ret)
		*engine = &made->engine;
	return ret;
}

static void detach(const struct run_kernel *self, struct pgtsim_engine *engine)
{
	(void)self;
	kernel_engine_free((struct kernel_engine *)(void *)engine);
}

/* ---- files ---- */

/* dlopen() takes a name without a slash for a library of the system. */
static void *open_object(const char *path)
{
	char *named = NULL;
	void *object;

	if (strchr(path, '/'))
		return dlopen(path, RTLD_NOW | RTLD_LOCAL);
	named = malloc(strlen(path) + 3);
	if (!named)
		return NULL;
	sprintf(named, "./%s", path);
	object = dlopen(named, RTLD_NOW | RTLD_LOCAL);
	free(named);
	return object;
}

int kernel_open(struct kernel *kernel, const char *path, char *reason, size_t size)
{
	*kernel = (struct kernel){
		.run = { .defaults = defaults,
			 .accept = accept,
			 .attach = attach,
			 .detach = detach },
		.path = path,
		.object = open_object(path),
	};
	if (!kernel->object) {
		const char *error = dlerror();

		/* The linker's text begins with the name, which the caller says, too. */
		if (error && !strncmp(error, path, strlen(path)) &&
		    !strncmp(error + strlen(path), ": ", 2))
			error += strlen(path) + 2;
		snprintf(reason, size, "it cannot be loaded: %s", error ? error : "no memory");
		return -EINVAL;
	}
	kernel->plug = dlsym(kernel->object, "pgtsim_kernel");
	if (!kernel->plug || strcmp(kernel->plug->version, KC_PLUG_VERSION) != 0 ||
	    kernel->plug->host_bytes != sizeof(struct kc_host)) {
		snprintf(reason, size,
			 kernel->plug ? "another version of pgtsim built it: build it again" :
					"it was not built by pgtsim kernel build");
		kernel_close(kernel);
		return -EINVAL;
	}
	return 0;
}

void kernel_close(struct kernel *kernel)
{
	kernel_forget_faults();
	if (kernel->object)
		dlclose(kernel->object);
	kernel->object = NULL;
}

int kernel_open_or_complain(struct kernel *kernel, const char *path)
{
	char reason[300];

	if (!kernel_open(kernel, path, reason, sizeof(reason)))
		return RUN_OK;
	fprintf(stderr, "%s: %s\n", path, reason);
	return RUN_BAD_SCENARIO;
}
