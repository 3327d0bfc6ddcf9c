# SPDX-License-Identifier: MIT
"""libpgtsim from Python, by ctypes: a machine, its page table, its counters.

    from pgtsim import Machine

    machine = Machine("linux-6.12", granule=4096, va_bits=48)
    machine.add(0x80000000, 128 << 20)
    machine.remove(0x80000000, 128 << 20)
    print(machine.counters()["tlbi.all"], machine.check())

The shared library is found by the loader; PGTSIM_LIBRARY names another one. Errors are OSError
with the errno of the library. The structures below mirror the headers; examples/python/layout.py
holds them against the compiler's view.
"""

import ctypes as c
import os

u8, u32, u64, boolean = c.c_uint8, c.c_uint32, c.c_uint64, c.c_bool


class Policy(c.Structure):
    _fields_ = [("profile", c.c_char_p)] + [(name, u8) for name in (
        "flush flush_all map_failure populate_failure add_failure vmemmap_partial mark_unused "
        "block_failure altmap_full free_tables leaf_split free_order table_free_order table_dtor "
        "invalid_leaf block_over_table error_path early_memmap boot_guard mom_check mom_lock "
        "barriers layout memmap_on_memory").split()] + [(name, boolean) for name in (
            "lpa2 tlbi_range flush_rounds_out oa_keeps_49_48 cont_rewrite").split()] + [
        ("prot", u64 * 5), ("vmemmap_page", u64), ("vmemmap_block", u64),
        ("linear_table", u64), ("vmemmap_table", u64)]


class Ram(c.Structure):
    _fields_ = [("start", u64), ("end", u64)]


class MachineConfig(c.Structure):
    _fields_ = [
        ("policy", Policy), ("granule", u32), ("va_bits", c.c_uint), ("va_actual", c.c_uint),
        ("pa_bits", c.c_uint), ("ram", c.POINTER(Ram)), ("ram_count", c.c_size_t),
        ("section_size", u64), ("block_size", u64), ("struct_page", c.c_uint),
        ("blocks", boolean), ("cont", boolean), ("memmap_on_memory", c.c_int),
        ("tlbi_range", boolean), ("boot", boolean), ("access", c.c_int), ("checker", boolean),
        ("bbml2", boolean)]


class Geometry(c.Structure):
    _fields_ = [(name, u8) for name in (
        "page_shift levels va_bits pa_bits config_va_bits oa").split()] + [
        ("bits", u8 * 5), ("shift", u8 * 5), ("cont", u8 * 5), ("block", boolean * 5),
        ("block_legal", boolean * 5), ("oa_keeps_49_48", boolean), ("last_index", c.c_uint32 * 5),
        ("pa_mask", u64)]


class Layout(c.Structure):
    _fields_ = [(name, u64) for name in (
        "page_offset page_end linear_start memstart vmemmap_start vmemmap_end vmemmap").split()]


class Step(c.Structure):
    _fields_ = [("level", c.c_int), ("index", c.c_uint), ("desc", u64)]


class Translation(c.Structure):
    _fields_ = [("fault", c.c_int), ("level", c.c_int), ("pa", u64), ("size", u64),
                ("desc", u64)] + [(name, boolean) for name in (
                    "writable executable user_readable user_writable user_executable").split()] + [
        ("attr_index", u8), ("sh", u8), ("steps", c.c_uint), ("step", Step * 5)]


class Map(c.Structure):
    _fields_ = [("va", u64), ("pa", u64), ("size", u64), ("attrs", u64), ("table_attrs", u64),
                ("blocks", boolean), ("cont", boolean), ("region", c.c_int)]


class Unmap(c.Structure):
    _fields_ = [("start", u64), ("end", u64), ("free_mapped", boolean), ("altmap", c.c_void_p),
                ("memory", c.c_void_p)]


class Stale(c.Structure):
    _fields_ = [("level", c.c_int), ("va", u64), ("desc", u64), ("since", u64)]


class Counter(c.Structure):
    _fields_ = [("name", c.c_char_p), ("meaning", c.c_char_p), ("offset", c.c_size_t)]


class ViolationKind(c.Structure):
    _fields_ = [("name", c.c_char_p), ("meaning", c.c_char_p), ("instead", c.c_char_p)]


class Violation(c.Structure):
    _fields_ = [("name", c.c_int), ("level", c.c_int), ("va", u64), ("text", c.c_char * 232)]


lib = c.CDLL(os.environ.get("PGTSIM_LIBRARY", "libpgtsim.so.0"))


def declare(result, name, *arguments):
    function = getattr(lib, name)
    function.restype = result
    function.argtypes = arguments
    return function


P = c.POINTER
counter_table = declare(P(Counter), "pgtsim_counters", P(c.c_size_t))
violation_kind = declare(P(ViolationKind), "pgtsim_violation_kind", c.c_int)
config_init = declare(c.c_int, "pgtsim_machine_config_init", P(MachineConfig), c.c_char_p)
policy_set = declare(c.c_int, "pgtsim_policy_set", P(Policy), c.c_char_p, c.c_char_p)
machine_new = declare(c.c_int, "pgtsim_machine_new", P(c.c_void_p), P(MachineConfig))
machine_free = declare(None, "pgtsim_machine_free", P(c.c_void_p))
machine_rooms = {
    room: declare(c.c_void_p, f"pgtsim_machine_{room}", c.c_void_p)
    for room in ("tlb", "pgtable", "hotplug", "layout", "policy")}
violations = declare(P(Violation), "pgtsim_violations", c.c_void_p, P(c.c_size_t))
memory_operations = {
    name: declare(c.c_int, f"pgtsim_{name}_memory", c.c_void_p, u64, u64)
    for name in ("add", "remove", "offline")}
online_memory = declare(c.c_int, "pgtsim_online_memory", c.c_void_p, u64, u64, c.c_int)
map_range = declare(c.c_int, "pgtsim_map", c.c_void_p, P(Map))
unmap_range = declare(c.c_int, "pgtsim_unmap_range", c.c_void_p, P(Unmap))
free_tables = declare(c.c_int, "pgtsim_free_tables", c.c_void_p, u64, u64, u64, u64)
translate = declare(c.c_int, "pgtsim_translate", c.c_void_p, u64, P(Translation))
may_be_stale = declare(boolean, "pgtsim_may_be_stale", c.c_void_p, u64, P(Stale))
check_machine = declare(u64, "pgtsim_check_machine", c.c_void_p)
reset_counts = declare(None, "pgtsim_tlb_reset_counts", c.c_void_p)


def must(result):
    if result < 0:
        raise OSError(-result, os.strerror(-result))


class Machine:
    """One simulated machine. Options are the fields of MachineConfig, `ram` a list of ranges,
    and knobs by name, with underscores: Machine("latest", cont=True, flush="per-leaf")."""

    def __init__(self, profile="latest", ram=None, **options):
        config = MachineConfig()
        must(config_init(config, profile.encode()))
        fields = {name for name, _ in MachineConfig._fields_} - {"policy", "ram", "ram_count"}
        for name, value in options.items():
            if name in fields:
                setattr(config, name, value)
            else:
                must(policy_set(config.policy, name.replace("_", "-").encode(), value.encode()))
        if ram:
            config.ram = (Ram * len(ram))(*(Ram(start, end) for start, end in ram))
            config.ram_count = len(ram)
        self._machine = c.c_void_p()
        must(machine_new(self._machine, config))
        room = {name: function(self._machine) for name, function in machine_rooms.items()}
        self._tlb, self._pgt, self._hotplug = room["tlb"], room["pgtable"], room["hotplug"]
        self.layout = c.cast(room["layout"], P(Layout)).contents
        self.policy = c.cast(room["policy"], P(Policy)).contents

    def close(self):
        """Frees the machine; using it afterwards is an error."""
        self._tlb = self._pgt = self._hotplug = self.layout = self.policy = None
        machine_free(self._machine)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_machine", None):
            machine_free(self._machine)

    def linear(self, pa):
        """The linear-map address of a physical one."""
        return (self.layout.page_offset + pa - self.layout.memstart) % 2**64

    def add(self, start, size):
        must(memory_operations["add"](self._hotplug, start, size))

    def online(self, start, size, movable=False):
        must(online_memory(self._hotplug, start, size, 1 if movable else 0))

    def offline(self, start, size):
        must(memory_operations["offline"](self._hotplug, start, size))

    def remove(self, start, size):
        must(memory_operations["remove"](self._hotplug, start, size))

    def map(self, va, pa, size, blocks=True, cont=True):
        """Maps a range as hot-add does."""
        must(map_range(self._pgt, Map(va, pa, size, self.policy.prot[0], self.policy.linear_table,
                                      blocks, cont, 0)))

    def unmap(self, va, size, floor=0, ceiling=0):
        """Both passes."""
        end = (va + size) % 2**64
        must(unmap_range(self._pgt, Unmap(va, end, False, None, None)))
        must(free_tables(self._pgt, va, end, floor, ceiling))

    def translate(self, va):
        """The physical address, or None if va is not mapped."""
        at = Translation()
        return at.pa if translate(self._pgt, va, at) == 0 else None

    def stale(self, va):
        """The descriptor that may still be cached for va although it is gone, or None."""
        stale = Stale()
        return stale.desc if may_be_stale(self._tlb, va, stale) else None

    def counters(self):
        """All counters by name."""
        count = c.c_size_t()
        table = counter_table(count)
        return {table[i].name.decode():
                u64.from_address(self._tlb + table[i].offset).value for i in range(count.value)}

    def reset_counters(self):
        reset_counts(self._tlb)

    def check(self):
        """Verifies everything; every violation so far as (name, va, text)."""
        check_machine(self._machine)
        count = c.c_size_t()
        found = violations(self._tlb, count)
        return [(violation_kind(found[i].name).contents.name.decode(), found[i].va,
                 found[i].text.decode()) for i in range(count.value)]
