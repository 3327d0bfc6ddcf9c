/* SPDX-License-Identifier: MIT */
/*
 * _pgtsim: a machine as a Python object, made by the scenario command `machine` and driven by the
 * others. What a command is, how it is written and what its errors say is the scenario reader's; the
 * names of counters, keys and violations are read from the library's tables. The package pgtsim puts
 * functions and types around it.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pgtsim/pgtsim.h>

#include "scenario/runner.h"
#include "scenario/syntax.h"

/* Text that grows. */
struct text {
	char *bytes;
	size_t length, room;
	bool failed; /* the host ran out of memory */
};

struct machine {
	PyObject_HEAD
	bool open;
	struct scenario scenario; /* of the machine; run points to it between commands */
	struct run_options options;
	struct run_watcher watcher;
	struct run run;
	struct text out;     /* what the commands under way print */
	/*
	 * What stands before new commands when they are read: `machine`, and each `altmap`, which may
	 * be named. Before `explore`, which builds the machine anew for each schedule, all commands
	 * that changed something.
	 */
	struct history {
		struct text text;
		size_t commands;
	} names, all;
	int result; /* of the last command: 0 or a negative errno */
};

/* pgtsim.Error and pgtsim.UsageError. */
static PyObject *error_type, *usage_type;

static void text_add(struct text *text, const char *more)
{
	size_t length = strlen(more), room = 2 * text->room + length + 256;

	if (text->length + length + 1 > text->room) {
		char *grown = realloc(text->bytes, room);

		text->failed |= !grown;
		if (!grown)
			return;
		text->bytes = grown;
		text->room = room;
	}
	memcpy(text->bytes + text->length, more, length + 1);
	text->length += length;
}

static void print(void *ctx, const char *text)
{
	text_add(ctx, text);
}

static void text_reset(struct text *text)
{
	free(text->bytes);
	*text = (struct text){ .bytes = NULL };
}

static struct machine *machine_of(struct run_watcher *watcher)
{
	return (struct machine *)(void *)((char *)watcher - offsetof(struct machine, watcher));
}

/* One that failed will fail again, and should not end anything then. */
static void remember(struct history *history, const struct scenario_command *command, int result)
{
	if (result && !command->tolerated && !command->expected_name && !command->row->alone)
		text_add(&history->text, "try ");
	text_add(&history->text, command->source);
	text_add(&history->text, "\n");
	history->commands++;
}

static void after(struct run_watcher *watcher, struct run *run, const struct scenario_command *command,
		  int result)
{
	struct machine *m = machine_of(watcher);

	(void)run;
	m->result = result;
	if (!command->row->looks)
		remember(&m->all, command, result);
	if (command->kind == SCENARIO_MACHINE || command->kind == SCENARIO_ALTMAP)
		remember(&m->names, command, result);
}

/* ---- errors ---- */

static PyObject *fail_usage(const char *message)
{
	PyErr_SetString(usage_type, message);
	return NULL;
}

/* A command that failed: OSError's arguments, the errno of the library and the sentence. */
static PyObject *fail_run(const struct machine *m, int status, const char *message)
{
	PyObject *arguments;

	if (status == RUN_NO_MEMORY)
		return PyErr_NoMemory();
	arguments = Py_BuildValue("(is)", m->result < 0 ? -m->result : EINVAL, message);
	if (arguments)
		PyErr_SetObject(error_type, arguments);
	Py_XDECREF(arguments);
	return NULL;
}

static struct machine *opened(PyObject *self)
{
	struct machine *m = (struct machine *)(void *)self;

	if (!m->open) {
		PyErr_SetString(PyExc_ValueError, "the machine is closed");
		return NULL;
	}
	return m;
}

/* ---- life ---- */

static void close_machine(struct machine *m)
{
	if (m->open)
		run_end(&m->run);
	m->open = false;
	scenario_free(&m->scenario);
	text_reset(&m->out);
	text_reset(&m->names.text);
	text_reset(&m->all.text);
	m->names.commands = m->all.commands = 0;
}

static void machine_dealloc(PyObject *self)
{
	close_machine((struct machine *)(void *)self);
	Py_TYPE(self)->tp_free(self);
}

/* Room for all altmaps there can be: memory keeps pointers to them, so they must not move. */
static bool make_altmaps(struct machine *m)
{
	free(m->run.altmaps);
	m->run.altmaps = calloc(SCENARIO_ALTMAPS_MAX + 1, sizeof(*m->run.altmaps));
	return m->run.altmaps != NULL;
}

static int machine_init(PyObject *self, PyObject *args, PyObject *keywords)
{
	static char keyword[] = "command";
	static char *const names[] = { keyword, NULL };
	struct machine *m = (struct machine *)(void *)self;
	struct scenario_error wrong;
	struct run_error error = { .line = 0 };
	const char *command;
	Py_ssize_t length;
	int status;

	if (!PyArg_ParseTupleAndKeywords(args, keywords, "s#", (char **)(uintptr_t)names, &command,
					 &length))
		return -1;
	close_machine(m);
	m->watcher.after = after;
	m->options = (struct run_options){ .out = { print, &m->out }, .watchers = &m->watcher };
	status = scenario_parse(&m->scenario, command, (size_t)length, &wrong);
	if (status == -ENOMEM)
		return PyErr_NoMemory(), -1;
	if (status)
		return fail_usage(wrong.message), -1;
	if (m->scenario.command_count != 1)
		return fail_usage("one command 'machine' makes a machine"), -1;
	m->open = true;
	status = run_start(&m->run, &m->scenario, &m->options, &error);
	if (status == RUN_OK && !make_altmaps(m))
		status = RUN_NO_MEMORY;
	if (status == RUN_OK)
		return 0;
	close_machine(m);
	fail_run(m, status, error.message);
	return -1;
}

static PyObject *machine_close(PyObject *self, PyObject *unused)
{
	(void)unused;
	close_machine((struct machine *)(void *)self);
	Py_RETURN_NONE;
}

static PyObject *machine_closed(PyObject *self, void *unused)
{
	(void)unused;
	return PyBool_FromLong(!((struct machine *)(void *)self)->open);
}

/* ---- commands ---- */

static const struct history *history_for(const struct machine *m, const char *commands)
{
	return strstr(commands, "explore") ? &m->all : &m->names;
}

/* Executes what follows the first `done` commands. */
static int run_new(struct machine *m, const struct scenario *scenario, size_t done,
		   struct run_error *error)
{
	int status;

	m->run.scenario = scenario;
	m->run.next = done;
	status = run_rest(&m->run, error);
	m->run.scenario = &m->scenario;
	return status;
}

/* Reads the commands behind what they may refer to. Returns false with an exception set. */
static bool parse_new(const struct history *before, const char *commands,
		      struct scenario *scenario)
{
	struct text all = { .bytes = NULL };
	struct scenario_error wrong;
	int ret = -ENOMEM;

	text_add(&all, before->text.bytes);
	text_add(&all, commands);
	if (!all.failed && !before->text.failed)
		ret = scenario_parse(scenario, all.bytes, all.length, &wrong);
	text_reset(&all);
	if (ret == -ENOMEM)
		PyErr_NoMemory();
	else if (ret)
		fail_usage(wrong.message);
	return !ret;
}

static PyObject *machine_run(PyObject *self, PyObject *args)
{
	struct machine *m = opened(self);
	const struct history *before;
	struct run_error error = { .line = 0 };
	struct scenario scenario;
	const char *commands;
	PyObject *printed = NULL;
	int status;

	if (!m || !PyArg_ParseTuple(args, "s", &commands))
		return NULL;
	before = history_for(m, commands);
	m->out.length = 0;
	text_add(&m->out, "");
	if (!parse_new(before, commands, &scenario))
		return NULL;
	status = run_new(m, &scenario, before->commands, &error);
	if (status != RUN_OK)
		fail_run(m, status, error.message);
	else if (m->out.failed)
		PyErr_NoMemory();
	else
		printed = PyUnicode_DecodeUTF8(m->out.bytes, (Py_ssize_t)m->out.length, "replace");
	scenario_free(&scenario);
	return printed;
}

/* ---- looking ---- */

/* Verifies everything; _violations() says what was found. */
static PyObject *machine_check(PyObject *self, PyObject *unused)
{
	struct machine *m = opened(self);

	(void)unused;
	if (!m)
		return NULL;
	pgtsim_check_machine(m->run.machine);
	if (pgtsim_machine_out_of_host_memory(m->run.machine))
		return PyErr_NoMemory();
	Py_RETURN_NONE;
}

static PyObject *machine_counters(PyObject *self, PyObject *unused)
{
	const struct machine *m = opened(self);
	PyObject *all = m ? PyDict_New() : NULL;
	size_t count;
	const struct pgtsim_counter *counters = pgtsim_counters(&count);

	(void)unused;
	for (size_t i = 0; all && i < count; i++) {
		PyObject *value = PyLong_FromUnsignedLongLong(
			pgtsim_counter_value(&m->run.machine->tlb.counts, &counters[i]));

		if (!value || PyDict_SetItemString(all, counters[i].name, value))
			Py_CLEAR(all);
		Py_XDECREF(value);
	}
	return all;
}

static PyObject *machine_violations(PyObject *self, PyObject *unused)
{
	const struct machine *m = opened(self);
	PyObject *all = m ? PyList_New(0) : NULL;
	size_t count = 0;
	const struct pgtsim_violation *found =
		m ? pgtsim_violations(&m->run.machine->tlb, &count) : NULL;

	(void)unused;
	for (size_t i = 0; all && i < count; i++) {
		const struct pgtsim_violation_kind *kind = pgtsim_violation_kind(found[i].name);
		PyObject *one = Py_BuildValue("(siKsss)", kind->name, found[i].level,
					      (unsigned long long)found[i].va, found[i].text,
					      kind->meaning, kind->instead);

		if (!one || PyList_Append(all, one))
			Py_CLEAR(all);
		Py_XDECREF(one);
	}
	return all;
}

/* An address argument; false with an exception set if it is none. */
static bool take_address(PyObject *value, uint64_t *address)
{
	PyObject *number = PyNumber_Index(value);
	unsigned long long result = number ? PyLong_AsUnsignedLongLong(number) : 0;

	Py_XDECREF(number);
	*address = result;
	return !PyErr_Occurred();
}

static PyObject *machine_linear(PyObject *self, PyObject *value)
{
	const struct machine *m = opened(self);
	uint64_t pa;

	if (!m || !take_address(value, &pa))
		return NULL;
	return PyLong_FromUnsignedLongLong(pgtsim_linear(&m->run.machine->layout, pa));
}

static PyObject *machine_translate(PyObject *self, PyObject *value)
{
	const struct machine *m = opened(self);
	struct pgtsim_translation found;
	uint64_t va;

	if (!m || !take_address(value, &va))
		return NULL;
	if (pgtsim_translate(&m->run.machine->pgt, va, &found) != PGTSIM_FAULT_NONE)
		Py_RETURN_NONE;
	return PyLong_FromUnsignedLongLong(found.pa);
}

static PyObject *machine_stale(PyObject *self, PyObject *value)
{
	const struct machine *m = opened(self);
	struct pgtsim_stale found;
	uint64_t va;

	if (!m || !take_address(value, &va))
		return NULL;
	if (!pgtsim_may_be_stale(&m->run.machine->tlb, va, &found))
		Py_RETURN_NONE;
	return PyLong_FromUnsignedLongLong(found.desc);
}

static PyMethodDef machine_methods[] = {
	{ "close", machine_close, METH_NOARGS, "Frees the machine." },
	{ "run", machine_run, METH_VARARGS, "Executes scenario commands; returns what they print." },
	{ "_check", machine_check, METH_NOARGS, "Verifies everything." },
	{ "_counters", machine_counters, METH_NOARGS, "All counters by name." },
	{ "_violations", machine_violations, METH_NOARGS, "All violations so far, as tuples." },
	{ "linear", machine_linear, METH_O, "The linear-map address of a physical one." },
	{ "translate", machine_translate, METH_O, "The physical address, or None." },
	{ "stale", machine_stale, METH_O,
	  "The descriptor that may still be cached for an address although it is gone, or None." },
	{ NULL, NULL, 0, NULL },
};

static PyGetSetDef machine_properties[] = {
	{ "closed", machine_closed, NULL, "True once it was closed.", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};

static PyTypeObject machine_type = {
	.ob_base = { PyObject_HEAD_INIT(NULL) 0 },
	.tp_name = "_pgtsim.Machine",
	.tp_doc = "A machine, from a scenario command `machine`.",
	.tp_basicsize = sizeof(struct machine),
	.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
	.tp_new = PyType_GenericNew,
	.tp_init = machine_init,
	.tp_dealloc = machine_dealloc,
	.tp_methods = machine_methods,
	.tp_getset = machine_properties,
};

/* ---- names ---- */

static PyObject *add_name(PyObject *list, const char *name)
{
	PyObject *text = list ? PyUnicode_FromString(name) : NULL;

	if (list && (!text || PyList_Append(list, text)))
		Py_CLEAR(list);
	Py_XDECREF(text);
	return list;
}

static PyObject *profiles(PyObject *self, PyObject *unused)
{
	PyObject *list = PyList_New(0);

	(void)self;
	(void)unused;
	for (const char *const *name = pgtsim_profiles(); list && *name; name++)
		list = add_name(list, *name);
	return list;
}

/* Keys of the command `machine`: its own, then the policy's knobs. */
static PyObject *keys(PyObject *self, PyObject *unused)
{
	PyObject *list = PyList_New(0);
	const struct scenario_row *row = scenario_row_at(0);
	size_t count;
	const struct pgtsim_knob *knobs = pgtsim_knobs(&count);

	(void)self;
	(void)unused;
	for (const struct slot *slot = row->options; list && slot->name; slot++)
		list = add_name(list, slot->name);
	for (size_t i = 0; list && i < count; i++)
		list = add_name(list, knobs[i].name);
	return list;
}

static PyMethodDef functions[] = {
	{ "profiles", profiles, METH_NOARGS, "The kernels that can be modelled, oldest first." },
	{ "keys", keys, METH_NOARGS, "What the command `machine` takes." },
	{ NULL, NULL, 0, NULL },
};

static int add_types(PyObject *module)
{
	error_type = PyErr_NewException("pgtsim.Error", PyExc_OSError, NULL);
	usage_type = PyErr_NewException("pgtsim.UsageError", PyExc_ValueError, NULL);
	if (!error_type || !usage_type || PyModule_AddType(module, &machine_type))
		return -1;
	if (PyModule_AddObjectRef(module, "Error", error_type))
		return -1;
	return PyModule_AddObjectRef(module, "UsageError", usage_type);
}

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT, .m_name = "_pgtsim", .m_size = -1, .m_methods = functions,
};

PyMODINIT_FUNC PyInit__pgtsim(void);

PyMODINIT_FUNC PyInit__pgtsim(void)
{
	PyObject *module = PyModule_Create(&definition);

	if (module && add_types(module))
		Py_CLEAR(module);
	return module;
}
