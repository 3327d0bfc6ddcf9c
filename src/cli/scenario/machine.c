/* SPDX-License-Identifier: MIT */
/* machine: the command `machine` and all its keys. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner.h"
#include "syntax.h"

enum { RAM_MAX = 256 };

static int read_listing(struct run *run, const char *name, const char *text, size_t length,
			uint32_t granule, struct pgtsim_ram *ram)
{
	struct pgtsim_error error;
	int ret = pgtsim_iomem_read(text, length, granule, ram, RAM_MAX);

	if (ret > RAM_MAX)
		return run_refuse(run, -E2BIG, "%.100s has %d ranges of RAM, and %d are the most",
				  name, ret, RAM_MAX);
	if (ret >= 0)
		return ret;
	if (pgtsim_iomem_explain(text, length, granule, &error) != ret)
		return ret;
	return run_refuse(run, ret, "%.100s: %s", name, error.text);
}

static int read_iomem(struct run *run, const char *name, uint32_t granule, struct pgtsim_ram *ram,
		      size_t *count)
{
	const struct run_options *options = run->options;
	char *text = NULL;
	size_t length = 0;
	int ret = options->read_file ? options->read_file(options->ctx, name, &text, &length) :
				       -ENOENT;

	if (ret)
		run_refuse(run, ret, "%.100s: %s", name,
			   !options->read_file ? "files cannot be read here" :
						 run_file_reason(-ret));
	else
		ret = read_listing(run, name, text, length, granule, ram);
	free(text);
	if (ret < 0)
		return ret;
	*count = (size_t)ret;
	return 0;
}

static int collect_ram(struct run *run, const struct scenario_command *command,
		       struct pgtsim_machine_config *config, struct pgtsim_ram *ram)
{
	const struct scenario_value *iomem = scenario_option(command, SCENARIO_KEY_IOMEM);

	config->ram = ram;
	if (iomem)
		return read_iomem(run, iomem->word, config->granule, ram, &config->ram_count);
	for (size_t i = 0; i < command->option_count; i++) {
		const struct scenario_option *o = &command->options[i];

		if (o->key != SCENARIO_KEY_RAM)
			continue;
		if (config->ram_count == RAM_MAX)
			return run_refuse(run, -E2BIG, "there are at most %d ranges of RAM",
					  RAM_MAX);
		if (o->value.range.size > UINT64_MAX - o->value.range.base)
			return run_refuse(run, -EINVAL, "RAM range %zu goes beyond 64 bits",
					  config->ram_count + 1);
		ram[config->ram_count].start = o->value.range.base;
		ram[config->ram_count++].end = o->value.range.base + o->value.range.size;
	}
	return 0;
}

/* With a kernel its source decides: then a knob of the scenario's is an error. */
static int set_knobs(struct run *run, const struct scenario_command *command,
		     struct pgtsim_policy *policy)
{
	for (size_t i = 0; i < command->option_count; i++) {
		const struct scenario_option *option = &command->options[i];

		if (option->key != SCENARIO_KEY_KNOB ||
		    (run->options->kernel && run->options->kernel->leaves_out_knobs))
			continue;
		if (run->options->kernel) {
			snprintf(
				run->reason, sizeof(run->reason),
				"'%.60s=' cannot be set with --kernel: the source of the kernel decides",
				option->name);
			return -EINVAL;
		}
		pgtsim_policy_set(policy, option->name, option->value.word);
	}
	return 0;
}

/* What the CPUs can do, for the checker. Returns 0. */
static int set_cpus(struct run *run, const struct scenario_command *command)
{
	unsigned repeat = scenario_choice_or(command, SCENARIO_KEY_REPEAT_TLBI, 0);
	const struct pgtsim_checker_cpu cpu = {
		.bbm = (uint8_t)scenario_number_or(command, SCENARIO_KEY_BBM, 0),
		.ets2 = scenario_choice_or(command, SCENARIO_KEY_ETS2, 0),
		.repeat_tlbi = repeat != SCENARIO_REPEAT_OFF,
		.iommu = scenario_choice_or(command, SCENARIO_KEY_IOMMU, 0),
		.cpus = (unsigned)scenario_number_or(command, SCENARIO_KEY_CPUS, 0),
	};

	/* Without a checker nobody asks. */
	pgtsim_checker_set_cpu(&run->machine->tlb, &cpu);
	run->machine->tlb.repeat_tlbi = repeat == SCENARIO_REPEAT_ON;
	return 0;
}

/* A number of any size for a member of 32 bits: what is too much stays too much. */
static uint32_t at_most(uint64_t number, uint32_t most)
{
	return number > most ? most : (uint32_t)number;
}

/* The configuration before the scenario says anything: of a profile, or of a kernel. */
static int begin_config(struct run *run, const struct scenario_command *command,
			struct pgtsim_machine_config *config)
{
	const struct scenario_value *profile = scenario_option(command, SCENARIO_KEY_PROFILE);
	bool s390 = scenario_choice_or(command, SCENARIO_KEY_FORMAT, 0) == PGTSIM_FORMAT_S390;
	const char *name = profile ? profile->word : s390 ? "s390-6.12" : "latest";

	if (run->options->profile)
		name = run->options->profile;
	if (run->options->kernel) {
		run->options->kernel->defaults(run->options->kernel, config);
		return 0;
	}
	return s390 ? pgtsim_machine_config_s390(config, name) :
		      pgtsim_machine_config_init(config, name);
}

static int set_geometry(struct run *run, const struct scenario_command *command,
			struct pgtsim_machine_config *config)
{
	config->granule = at_most(
		scenario_number_or(command, SCENARIO_KEY_GRANULE, config->granule), UINT32_MAX);
	config->va_bits = (unsigned)scenario_number_or(command, SCENARIO_KEY_VA, config->va_bits);
	config->va_actual = (unsigned)scenario_number_or(command, SCENARIO_KEY_VA_ACTUAL, 0);
	config->pa_bits = (unsigned)scenario_number_or(command, SCENARIO_KEY_PA, config->pa_bits);
	config->section_size =
		scenario_number_or(command, SCENARIO_KEY_SECTION, config->section_size);
	config->block_size = scenario_number_or(command, SCENARIO_KEY_BLOCK, 0);
	config->edat = (uint8_t)scenario_number_or(command, SCENARIO_KEY_EDAT, config->edat);
	config->struct_page =
		at_most(scenario_number_or(command, SCENARIO_KEY_STRUCT_PAGE, config->struct_page),
			UINT_MAX);
	if (!run->options->kernel)
		return 0;
	return run->options->kernel->accept(run->options->kernel, config, run->reason,
					    sizeof(run->reason));
}

static void set_choices(const struct scenario_command *command,
			struct pgtsim_machine_config *config)
{
	config->blocks = scenario_choice_or(command, SCENARIO_KEY_BLOCKS, 0);
	config->cont = scenario_choice_or(command, SCENARIO_KEY_CONT, 0);
	config->memmap_on_memory = (enum pgtsim_memmap_on_memory)scenario_choice_or(
		command, SCENARIO_KEY_MEMMAP_ON_MEMORY, PGTSIM_MEMMAP_OFF);
	config->tlbi_range = scenario_choice_or(command, SCENARIO_KEY_TLBI_RANGE, 0);
	config->checker = scenario_choice_or(command, SCENARIO_KEY_CHECKER, 1);
	config->bbml2 = scenario_choice_or(command, SCENARIO_KEY_BBML2, 0) ||
			scenario_number_or(command, SCENARIO_KEY_BBM, 0) == 3;
	config->rodata = (uint8_t)scenario_choice_or(command, SCENARIO_KEY_RODATA, 0);
	config->kpti = scenario_choice_or(command, SCENARIO_KEY_KPTI, 0);
	config->boot = scenario_choice_or(command, SCENARIO_KEY_BOOT, 0);
}

/* What no kernel's functions are built with. */
static int check_kernel(struct run *run, const struct scenario_command *command)
{
	const char *unknown = NULL;

	if (scenario_choice_or(command, SCENARIO_KEY_FORMAT, 0) == PGTSIM_FORMAT_S390)
		unknown = "format=s390";
	if (scenario_choice_or(command, SCENARIO_KEY_KPTI, 0))
		unknown = "kpti=on";
	if (scenario_choice_or(command, SCENARIO_KEY_REPEAT_TLBI, 0) == SCENARIO_REPEAT_ON)
		unknown = "repeat-tlbi=on";
	if (!run->options->kernel || !unknown)
		return 0;
	snprintf(run->reason, sizeof(run->reason), "%s is not for --kernel", unknown);
	return -EINVAL;
}

/* A knob among a machine's keys that s390's functions do not ask for; NULL: there is none. */
static const char *arm64_knob(const struct scenario_command *command)
{
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	for (size_t i = 0; i < command->option_count; i++)
		for (size_t k = 0; k < count; k++)
			if (command->options[i].key == SCENARIO_KEY_KNOB &&
			    !(knobs[k].formats & 1u << PGTSIM_FORMAT_S390) &&
			    !strcmp(command->options[i].name, knobs[k].name))
				return knobs[k].name;
	return NULL;
}

/* Keys of arm64's CPUs and kernels, which would change nothing on s390. */
static int check_s390(struct run *run, const struct scenario_command *command)
{
	static const struct {
		enum scenario_key key;
		bool number;
		const char *name;
	} keys[] = {
		{ SCENARIO_KEY_VA_ACTUAL, true, "va-actual" }, { SCENARIO_KEY_PA, true, "pa" },
		{ SCENARIO_KEY_BBM, true, "bbm" },             { SCENARIO_KEY_BBML2, false, "bbml2" },
		{ SCENARIO_KEY_BLOCKS, false, "blocks" },      { SCENARIO_KEY_CONT, false, "cont" },
		{ SCENARIO_KEY_TLBI_RANGE, false, "tlbi-range" },
		{ SCENARIO_KEY_ETS2, false, "ets2" },          { SCENARIO_KEY_KPTI, false, "kpti" },
		{ SCENARIO_KEY_REPEAT_TLBI, false, "repeat-tlbi" },
		{ SCENARIO_KEY_IOMMU, false, "iommu" },        { SCENARIO_KEY_RODATA, false, "rodata" },
	};

	const char *knob = arm64_knob(command);

	if (scenario_choice_or(command, SCENARIO_KEY_FORMAT, 0) != PGTSIM_FORMAT_S390)
		return 0;
	if (knob)
		return run_refuse(run, -EINVAL, "%s is arm64's: it does not go with format=s390",
				  knob);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (keys[i].number ? scenario_number_or(command, keys[i].key, 0) :
				     scenario_choice_or(command, keys[i].key, 0))
			return run_refuse(run, -EINVAL,
					  "%s is arm64's: it does not go with format=s390",
					  keys[i].name);
	return 0;
}

static int attach_kernel(struct run *run)
{
	const struct run_kernel *kernel = run->options->kernel;
	int ret = 0;

	if (kernel)
		ret = kernel->attach(kernel, run->machine, &run->engine, run->reason,
				     sizeof(run->reason));
	if (ret)
		pgtsim_machine_free(&run->machine);
	return ret;
}

/* Divides an image: what the scenario doesn't say is a half, a quarter and an eighth of it. */
static int divide_image(struct run *run, const struct scenario_command *command,
			const struct scenario_range *range, struct pgtsim_image *image)
{
	const uint64_t head = 0x10000, mask = head - 1;
	uint64_t size = range->size, left = size - head;

	if (size <= head)
		return run_refuse(run, -EINVAL,
				  "image: a kernel image has more than its head of 64K");
	image->start = range->base;
	image->text = scenario_number_or(command, SCENARIO_KEY_TEXT, (size / 2) & ~mask);
	image->rodata = scenario_number_or(command, SCENARIO_KEY_RODATA_SIZE, (size / 4) & ~mask);
	image->init = scenario_number_or(command, SCENARIO_KEY_INIT, (size / 8) & ~mask);
	if (image->text > left || image->rodata > left - image->text ||
	    image->init > left - image->text - image->rodata)
		return run_refuse(run, -EINVAL,
				  "image: text, rodata and init do not fit into its size less its "
				  "head of 64K");
	image->data = left - image->text - image->rodata - image->init;
	return 0;
}

/* The kernel image and KFENCE's pool, if the scenario has any. */
static int set_image(struct run *run, const struct scenario_command *command,
		     struct pgtsim_image *image, struct pgtsim_machine_config *config)
{
	const struct scenario_value *range = scenario_option(command, SCENARIO_KEY_IMAGE);
	const struct scenario_value *kfence = scenario_option(command, SCENARIO_KEY_KFENCE);
	int ret = 0;

	*image = (struct pgtsim_image){ .start = 0 };
	if (range || kfence)
		config->image = image;
	if (range)
		ret = divide_image(run, command, &range->range, image);
	if (!ret && kfence && kfence->range.size > UINT64_MAX - kfence->range.base)
		return run_refuse(run, -EINVAL, "kfence goes beyond 64 bits");
	if (kfence)
		image->kfence = (struct pgtsim_ram){ kfence->range.base,
						     kfence->range.base + kfence->range.size };
	return ret;
}

static int create_machine(struct run *run, const struct scenario_command *command)
{
	struct pgtsim_machine_config config;
	struct pgtsim_error error;
	struct pgtsim_ram ram[RAM_MAX];
	struct pgtsim_image image;
	int ret = begin_config(run, command, &config);

	if (ret)
		return run_refuse(run, -EINVAL, "there is no profile of this name");
	if (scenario_number_or(command, SCENARIO_KEY_CPUS, 1) > PGTSIM_CPUS_MAX)
		return run_refuse(run, -EINVAL, "there are at most %d CPUs", PGTSIM_CPUS_MAX);
	config.error = &error;
	ret = check_kernel(run, command);
	if (!ret)
		ret = check_s390(run, command);
	if (!ret)
		ret = set_geometry(run, command, &config);
	if (!ret)
		ret = set_knobs(run, command, &config.policy);
	if (ret)
		return ret;
	set_choices(command, &config);
	ret = set_image(run, command, &image, &config);
	ret = ret ? ret : collect_ram(run, command, &config, ram);
	if (ret)
		return ret;
	ret = pgtsim_machine_new(&run->machine, &config);
	if (ret)
		return run_refuse(run, ret, "%s", error.text);
	ret = attach_kernel(run);
	return ret ? ret : set_cpus(run, command);
}

static int check_machine(struct parser *p)
{
	if (syntax_given(p, "ram") && syntax_given(p, "iomem"))
		return syntax_fail(p, "machine takes 'ram=' or 'iomem=', not both");
	if (syntax_given(p, "bbm") && syntax_given(p, "bbml2"))
		return syntax_fail(p, "machine takes 'bbm=' or 'bbml2=', not both");
	if (!syntax_given(p, "image") &&
	    (syntax_given(p, "text-size") || syntax_given(p, "rodata-size") ||
	     syntax_given(p, "init-size")))
		return syntax_fail(
			p, "'text-size=', 'rodata-size=' and 'init-size=' are parts of 'image='");
	return 0;
}

static const struct slot machine_options[] = {
	OPTION("profile", PROFILE, syntax_profile),
	NUMBER("granule", GRANULE),
	NUMBER_INT("va", VA, 0),
	NUMBER_INT("va-actual", VA_ACTUAL, 0),
	NUMBER_INT("pa", PA, 0),
	OPTION("ram", RAM, syntax_range),
	OPTION("iomem", IOMEM, syntax_file),
	NUMBER("section", SECTION),
	NUMBER("block", BLOCK),
	NUMBER("struct-page", STRUCT_PAGE),
	CHOICE("blocks", BLOCKS, ON_OFF),
	CHOICE("cont", CONT, ON_OFF),
	CHOICE("memmap-on-memory", MEMMAP_ON_MEMORY, CHOICES("off", "on", "force")),
	NUMBER_INT("cpus", CPUS, 1),
	CHOICE("tlbi-range", TLBI_RANGE, ON_OFF),
	CHOICE("boot", BOOT, ON_OFF),
	CHOICE("checker", CHECKER, ON_OFF),
	CHOICE("bbml2", BBML2, ON_OFF),
	{ .name = "bbm", .parse = syntax_number, .key = SCENARIO_KEY_BBM, .most = 3 },
	CHOICE("ets2", ETS2, ON_OFF),
	CHOICE("repeat-tlbi", REPEAT_TLBI, CHOICES("off", "on", "no-workaround")),
	CHOICE("iommu", IOMMU, ON_OFF),
	CHOICE("kpti", KPTI, ON_OFF),
	OPTION("image", IMAGE, syntax_range),
	NUMBER("text-size", TEXT),
	NUMBER("rodata-size", RODATA_SIZE),
	NUMBER("init-size", INIT),
	OPTION("kfence", KFENCE, syntax_range),
	CHOICE("rodata", RODATA, CHOICES("full", "noalias")),
	CHOICE("format", FORMAT, CHOICES("arm64", "s390")),
	{ .name = "edat", .parse = syntax_number, .key = SCENARIO_KEY_EDAT, .most = 2 },
	{ .name = NULL },
};

const struct scenario_row machine_commands[] = {
	COMMAND("machine", MACHINE, create_machine, .knobs = true, .alone = true,
		.options = machine_options, .finish = check_machine),
	COMMANDS_END,
};
