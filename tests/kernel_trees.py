#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""kernel_trees.py COMMAND SHARE

Runs scenarios on the functions of kernel trees: those of PGTSIM_LINUX_TREES (folders and tarballs,
colons between), else what Debian installs in /usr/src; a skip (77) without any. Patched trees are made
from them by editing rules of this test, and each must be found out: every third, or with
PGTSIM_KERNEL_FAULTS=all every one.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND, SHARE = sys.argv[1:3]
sys.path.insert(0, SHARE)
import extract  # pylint: disable=wrong-import-position
from kernel_faults import FAULTS  # pylint: disable=wrong-import-position

EVERY = os.environ.get("PGTSIM_KERNEL_FAULTS") == "all"
DEBIAN = ["/usr/src/linux-source-6.1.tar.xz", "/usr/src/linux-source-6.12.tar.xz"]
# Ptes, blocks and groups; a device whose memmap is in itself; parts that come and go.
PLAIN = """machine
add 0x80000000+256M
remove 0x80000000+128M
remove 0x88000000+128M
check
"""
BLOCKS = """machine blocks=on cont=on
add 0x80000000+256M
remove 0x80000000+256M
check
"""
DEVICE = """machine
altmap own base=0x90000 free=1024
add 0x90000000+66M device altmap=own
add 0x98000000+8M device
remove 0x98000000+8M
remove 0x90000000+66M
check
"""

# Attributes of pages; then of parts of blocks, which are split.
CHANGES = """machine
add 0x80000000+128M
protect linear+0x40000000 4K ro
protect linear+0x40200000 64K invalid
protect linear+0x40200000 64K valid
protect linear+0x40400000 4K invalid noflush
protect linear+0x40400000 4K default noflush
remove 0x80000000+128M
check
"""
SPLITS = """machine blocks=on cont=on bbm=3
add 0x80000000+128M
split linear+0x40004000 16K
protect linear+0x40204000 16K ro
protect linear+0x40204000 16K rw
protect linear+0x40601000 4K nx
protect linear+0x40c0f000 4K x
protect linear+0x41010000 2M ro
protect linear+0x40800000 4M invalid
protect linear+0x40800000 4M valid
check
remove 0x80000000+128M
check
"""
# Blocks where tables of pages were.
MAPS = """machine
vmap linear+0x800000000000 0x200000000 4M
vunmap linear+0x800000000000 4M
vmap linear+0x800000000000 0x200001000 2M huge
vunmap linear+0x800000000000 2M
vmap linear+0x800000000000 0x200000000 4M huge
vunmap linear+0x800000000000 4M
vmap linear+0x800000000000 0x240000000 1G huge
vunmap linear+0x800000000000 1G
check
"""

# Memory blocks; of one the memmap is in the block.
BLOCK = """machine
add 0x80000000+128M
online 0x80000000+128M
offline 0x80000000+128M
remove 0x80000000+128M
expect-error EPERM offline 0x40000000+128M
check
"""
OWN_MEMMAP = """machine memmap-on-memory=on blocks=on
add 0x80000000+128M memmap-on-memory
online 0x80000000+128M
check
offline 0x80000000+128M
remove 0x80000000+128M
check
"""
LARGE_LEAVES = """machine blocks=on cont=on bbm=3
add 0x80000000+1G
online 0x80000000+1G
offline 0x80000000+1G
remove 0x80000000+1G
check
"""
# Two at once, who exclude each other by the tree's own locks; by the function that takes one, and its name.
RACES = {
    ("ptdump_walk_pgd", "get_online_mems"): """machine
add 0x80000000+2M device
actor reader ptdump linear+1G 8K
actor remover remove 0x80000000+2M
explore
check
""",
    ("vmap_try_huge_pmd", "mmap_read"): """machine
vmap linear+0x800000000000 0x200001000 2M
vunmap linear+0x800000000000 2M
actor mapper vmap linear+0x800000000000 0x200000000 2M
actor reader ptdump linear+0x800000000000 8K
explore
check
""",
    ("__pte_alloc_kernel", "page_table_lock"): """machine
actor first vmap linear+0x800000000000 0x200000000 4K
actor second vmap linear+0x800000001000 0x200001000 4K
explore
check
""",
    ("split_kernel_leaf_mapping", "pgtable_split_lock"): """machine blocks=on bbm=3
add 0x80000000+128M
actor first protect linear+1G 4K ro
actor second protect linear+0x40002000 4K ro
explore bound=2000
check
""",
}

# Counters that differ: the library reads and keeps less than the kernel does.
OTHERWISE = {"entries.read", "lines.touched", "work.entries", "tables.kept"}

# Pages that share their table with others that stay.
SHARED = """machine
add 0x80000000+2M device
add 0x87e00000+2M device
remove 0x80000000+2M
check
remove 0x87e00000+2M
add 0x80000000+128M
add 0xb8000000+128M
remove 0x80000000+128M
check
"""

def run(text, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".pgt") as file:
        file.write(text)
        file.flush()
        return subprocess.run([COMMAND, "run", *options, file.name], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8", check=False)


def build(tree, output, **environment):
    return subprocess.run([COMMAND, "kernel", "build", str(tree), "-o", str(output)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False,
                          env={**os.environ, **environment})


def counters(text):
    return {name: int(value) for name, value in re.findall(r"^([a-z.]+) (\d+)$", text, re.M)
            if name not in OTHERWISE}


def violations(text):
    return set(re.findall(r"^([a-z-]+) 0x[0-9a-f]+ ", text, re.M))


def unpack(files, folder):
    for name, text in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def edit(files, file, function, pattern, replacement):
    """The files with one place changed; None if there is no such place."""
    text = files[file]
    span = extract.find_function_span(text, function) if function else (0, len(text))
    if not span:
        return None
    part, count = re.subn(pattern, replacement, text[slice(*span)], count=1)
    if not count:
        return None
    return {**files, file: text[:span[0]] + part + text[span[1]:]}


class Failures:
    def __init__(self):
        self.count = 0

    def check(self, good, says):
        if not good:
            self.count += 1
            print(f"FAILED: {says}")


def same_counters(tree, kernel, failed):
    """
    The library as that kernel and the kernel's own functions do and count the same. Returns what the
    kernel counts, by scenario.
    """
    info = subprocess.run([COMMAND, "kernel", "info", str(kernel)], stdout=subprocess.PIPE,
                          encoding="utf-8", check=False).stdout
    profile = re.search(r"^nearest profile +([\w.-]+)", info, re.M).group(1)
    clean = {}
    for text in scenarios(info):
        text = re.sub(r"check\n\Z", "stats\ncheck\n", text)
        own, genuine = run(text, "--profile=" + profile), run(text, "--kernel=" + str(kernel))
        failed.check(genuine.returncode == own.returncode and
                     violations(genuine.stdout) == violations(own.stdout),
                     f"{tree}: the library: {own.stdout[-300:]}, the kernel: {genuine.stdout[-300:]}")
        counted = counters(genuine.stdout)
        clean[text] = genuine.returncode, counted
        differ = {name: (value, counted.get(name)) for name, value in counters(own.stdout).items()
                  if counted.get(name) != value}
        failed.check(not differ, f"{tree}: {text.splitlines()[0]}: (library, kernel): {differ}")
    return clean


def scenarios(info):
    """Those that the kernel has the functions for, as `kernel info` says."""
    lacks = " ".join(re.findall(r"^lacks .*: no (.*)$", info, re.M))
    wanted = [("protect", CHANGES), ("split", SPLITS), ("vmap", MAPS)]
    wanted += [("online", BLOCK), ("online", OWN_MEMMAP), ("online", LARGE_LEAVES)]
    return [PLAIN, BLOCKS, DEVICE, SHARED] + [text for word, text in wanted if word not in lacks]


def races(tree, files, kernel, failed):
    """
    What explore finds where two exclude each other by a lock: nothing; where a tree has no such lock, something.
    Returns what the kernel counts, by scenario.
    """
    clean = {}
    for (function, lock), text in RACES.items():
        taker = next(filter(None, (extract.find_function(part, function) for part in files.values())), None)
        if not taker or "vmap" in text and not extract.vmaps(files):
            continue
        ran = run(text, f"--kernel={kernel}")
        locked = lock in taker
        failed.check((ran.returncode == 0) == locked, f"{tree}: {text}: {ran.stdout[-600:]}")
        if locked:
            clean[text] = 0, {}
    return clean


def patched_by(rule, files):
    """The files with a fault; None if this tree has no such place."""
    _, file, *rest = rule
    while files and rest:
        function, pattern, replacement, *rest = rest
        files = edit(files, file, function, pattern, replacement)
    return files


def signs_of(kernel, clean):
    """What tells a patched kernel from a clean one: violations, counters, commands that fail."""
    signs = set()
    for text, (status, before) in clean.items():
        after = run(text, "--kernel=" + str(kernel))
        signs |= violations(after.stdout)
        signs |= {name for name, value in counters(after.stdout).items()
                  if name in before and before[name] != value}
        if after.returncode != status:
            signs.add("crash" if after.returncode < 0 else "status")
    return signs


def find_faults(files, clean, folder, failed):
    """Plants each fault by itself. Returns how many there was a place for."""
    planted = 0
    for rule in FAULTS if EVERY else FAULTS[::3]:
        patched = patched_by(rule, files)
        if not patched:
            continue
        planted += 1
        tree, output = Path(folder) / "tree", Path(folder) / f"patched{planted}.so"
        unpack(patched, tree)
        built = build(tree, output)
        signs = set() if built.returncode else signs_of(output, clean)
        failed.check(not built.returncode, f"{rule[0]}: {built.stdout}")
        failed.check(signs, f"{rule[0]}: not found")
        failed.check("crash" not in signs, f"{rule[0]}: ends pgtsim")
    return planted


def fixed(number, kernel):
    """How the scenario in which a defect is mended ends on a kernel, and what it says."""
    text = (Path(__file__).parent.parent / f"examples/gallery/good_b{number:02}.pgt").read_text()
    ran = run(re.sub(r"profile=\S+", "", text), f"--kernel={kernel}")
    return ran.returncode, ran.stdout[-300:]


def check_gallery(tree, files, release, kernel, failed):
    """
    B1 is in trees up to 6.1.170, B5 where ptdump takes no hotplug lock by itself, B20 where the vmemmap
    shares tables with what vmalloc maps. With a lock, and within bounds, neither of the two shows.
    """
    listed = subprocess.run([COMMAND, "gallery", f"--kernel={kernel}"], stdout=subprocess.PIPE,
                            encoding="utf-8", check=False)
    words = dict(re.findall(r"^(B\d+) +(\w+)", listed.stdout, re.M))
    number = tuple(map(int, release.split(".")))
    old = number < (6, 1) or (6, 1) <= number < (6, 1, 176)
    failed.check(words.get("B1") == ("found" if old else "clean"), f"{tree}: B1 {words.get('B1')}")
    locked = "get_online_mems" in files[extract.PTDUMP_C]
    failed.check(words.get("B5") == ("clean" if locked else "found"), f"{tree}: {listed.stdout}")
    if number >= (6, 12):
        failed.check(words.get("B20") == "found", f"{tree}: {listed.stdout}")
    for fix in (5, 20) if not old else ():
        failed.check(fixed(fix, kernel)[0] == 0, f"{tree}: B{fix} with its fix: {fixed(fix, kernel)}")


def check_refusals(tree, kernel, failed):
    """What the library knows and this kernel's functions do not is refused, not left out."""
    for words in ("format=s390", "format=s390 edat=1 struct-page=56", "kpti=on", "repeat-tlbi=on"):
        ran = run(f"machine {words}\ncheck\n", f"--kernel={kernel}")
        failed.check(ran.returncode == 1 and f"{words.split()[0]} is not for --kernel" in ran.stdout,
                     f"{tree}: machine {words}: {ran.returncode}, {ran.stdout}")


def changed(files, folder, name, pattern, replacement, **environment):
    """What building says of the tree with one change of mmu.c, and the file."""
    text = {**files, extract.MMU_C: re.sub(pattern, replacement, files[extract.MMU_C])}
    output = Path(folder) / f"{name}.so"
    unpack(text, Path(folder) / name)
    return build(Path(folder) / name, output, **environment), output


def check_endless(tree, files, folder, failed):
    """A loop without an end is ended, and the row of the gallery that is asked for is the only one run."""
    built, output = changed(files, folder, "endless", r"(unmap_hotplug_range\([^;]*\{)", r"\1 for (;;) barrier();")
    ran = run("machine\nmap linear+0 0x40000000 4K\nunmap-range linear+0 4K\ncheck\n", f"--kernel={output}")
    failed.check(not built.returncode and ran.returncode == 1 and "loops without an end" in ran.stdout,
                 f"{tree}: {built.stdout}{ran.stdout}")
    listed = subprocess.run([COMMAND, "gallery", "B15", f"--kernel={folder}/genuine.so"], stdout=subprocess.PIPE,
                            encoding="utf-8", check=False)
    failed.check(re.match(r"B15 +clean.*\n0 of 1 defects show", listed.stdout), f"{tree}: {listed.stdout}")


def check_lacks(tree, files, folder, failed):
    """A function that is not there is told of, and what needs it is refused. One that is new is taken."""
    built, output = changed(files, folder, "lacks", "__create_pgd_mapping", "__create_mapping")
    failed.check("lacks __create_pgd_mapping() in arch/arm64/mm/mmu.c: not with this kernel: map, add\n"
                 in built.stdout, f"{tree}: {built.stdout}")
    ran = run(PLAIN, f"--kernel={output}")
    failed.check(ran.returncode == 1 and "built without __create_pgd_mapping()" in ran.stdout,
                 f"{tree}: without a function: {ran.returncode}, {ran.stdout[-300:]}")
    built, output = changed(files, folder, "unknown", r"flush_tlb_kernel_range\(start, end\);", "new_flush(start, end);")
    failed.check(built.returncode == 2 and re.search(r"/arch/arm64/mm/mmu\.c:\d+: new_flush is used here",
                                                     built.stdout), f"{tree}: {built.stdout}")
    failed.check(not output.exists(), f"{tree}: a file is left")
    built, output = changed(files, folder, "new", r"(?m)^static void unmap_hotplug_range\(([^{]*\{)",
                            r"static void new_one(unsigned long a)\n{\n}\n\n"
                            r"static void unmap_hotplug_range(\1 new_one(addr);")
    failed.check(built.returncode == 0 and "new_one from arch/arm64/mm/mmu.c" in built.stdout,
                 f"{tree}: {built.stdout}")


# A check of what will be removed, memmap included; no check of single memory blocks.
MENDED = [
    ("memmap-offline", OWN_MEMMAP, "can_unmap_without_split", r"phys_start = PFN_PHYS\(pfn\);",
     "nr_pages += pfn & ~PAGE_SECTION_MASK; pfn &= PAGE_SECTION_MASK; phys_start = PFN_PHYS(pfn);"),
    ("block-offline", LARGE_LEAVES, "prevent_memory_remove_notifier", r"if \(!can_unmap_without_split",
     "if (0 && !can_unmap_without_split"),
]


def check_mended(tree, files, folder, failed):
    """Each weakness of offline is named where a tree has it, and where it is mended all holds."""
    for name, text, function, pattern, replacement in MENDED:
        patched = edit(files, extract.MMU_C, function, pattern, replacement)
        if not patched:
            continue
        before = run(text, f"--kernel={folder}/genuine.so")
        failed.check("known weakness" in before.stdout and before.returncode == 1, f"{tree}: {name}: {before.stdout}")
        unpack(patched, Path(folder) / "mended")
        built, output = build(Path(folder) / "mended", Path(folder) / "mended.so"), Path(folder) / "mended.so"
        after = run(text, f"--kernel={output}")
        failed.check(not built.returncode and after.returncode == 0, f"{tree}: {name}: {built.stdout}{after.stdout}")


def differs(files, folder, changes, gone=()):
    """The exit status and the lines of `kernel diff` for a tree with other texts, and files that it lacks."""
    other = Path(folder) / "differs"
    shutil.rmtree(other, ignore_errors=True)
    unpack({**files, **changes}, other)
    for name in gone:
        (Path(folder) / "genuine" / name).write_text("/* gone */\n")
    listed = subprocess.run([COMMAND, "kernel", "diff", f"{folder}/genuine", other],
                            stdout=subprocess.PIPE, encoding="utf-8", check=False)
    for name in gone:
        (Path(folder) / "genuine" / name).unlink()
    return listed.returncode, listed.stdout.splitlines()[:-1]


def check_diff_elsewhere(tree, files, folder, failed):
    """A member of a struct, a comment and a file that is gone are told of as what they are."""
    struct = re.sub(r"(\nstruct page_change_data \{\n)", r"\1\tint more;\n", files[extract.PAGEATTR_C])
    rows = [({extract.PAGEATTR_C: struct}, (), (1, [f"does not run  what is in no function in {extract.PAGEATTR_C}"])),
            ({extract.MMU_C: files[extract.MMU_C] + "\n/* more */\n"}, (), (0, [])),
            ({extract.PTDUMP_C: ""}, (), (1, [f"is gone       {extract.PTDUMP_C}"])),
            ({}, ["arch/arm64/mm/gone.c"], (1, ["is not read   arch/arm64/mm/gone.c"]))]
    for changes, gone, wanted in rows:
        got = differs(files, folder, changes, gone)
        failed.check(got == wanted, f"{tree}: kernel diff: {got}, not {wanted}")


def check_diff(tree, files, folder, failed):
    """Of what a patch changes it is said what runs and what does not."""
    text = files[extract.MMU_C]
    for function in ("unmap_hotplug_range", "arch_remove_memory"):
        first, end = extract.find_function_span(text, function)
        text = text[:first] + text[first:end].replace("\n}\n", "\n\tbarrier();\n}\n") + text[end:]
    got = differs(files, folder, {extract.MMU_C: text})
    failed.check(got == (1, [f"runs          unmap_hotplug_range in {extract.MMU_C}",
                             f"does not run  arch_remove_memory in {extract.MMU_C}"]), f"{tree}: {got}")
    check_diff_elsewhere(tree, files, folder, failed)


def check_clang(tree, files, folder, text, failed):
    """The other compiler makes the same of a tree."""
    built, output = changed(files, folder, "clang", "^$", "", CC="clang")
    failed.check(not built.returncode, f"{tree}: clang: {built.stdout}")
    ran = run(text, f"--kernel={output}"), run(text, f"--kernel={Path(folder) / 'genuine.so'}")
    failed.check(ran[0].stdout == ran[1].stdout, f"{tree}: clang: {ran[0].stdout[-300:]}")


def try_tree(tree, faults, failed):
    files = extract.read_files(tree, extract.ALL_FILES)
    release = ".".join(extract.version(files["Makefile"]))
    with tempfile.TemporaryDirectory() as folder:
        unpack(files, Path(folder) / "genuine")
        kernel = Path(folder) / "genuine.so"
        start = time.monotonic()
        built = build(Path(folder) / "genuine", kernel)
        failed.check(not built.returncode, f"{tree}: {built.stdout}")
        if built.returncode:
            return
        clean = same_counters(tree, kernel, failed)
        seconds = time.monotonic() - start
        clean |= races(tree, files, kernel, failed)
        failed.check(seconds < 60, f"{tree}: {seconds:.0f} s to the verdicts")
        check_gallery(tree, files, release, kernel, failed)
        check_refusals(tree, kernel, failed)
        check_mended(tree, files, folder, failed)
        if faults:
            check_lacks(tree, files, folder, failed)
            check_endless(tree, files, folder, failed)
            check_diff(tree, files, folder, failed)
        if faults and shutil.which("clang"):
            check_clang(tree, files, folder, CHANGES, failed)
        planted = find_faults(files, clean, folder, failed) if faults else 0
    print(f"{tree}: Linux {release}, {seconds:.1f} s to the first verdicts, {planted} faults planted")


def main():
    named = os.environ.get("PGTSIM_LINUX_TREES", "")
    trees = named.split(":") if named else [tree for tree in DEBIAN if Path(tree).exists()]
    failed = Failures()
    if not trees:
        print("no kernel source: install linux-source-6.1 or linux-source-6.12, or set PGTSIM_LINUX_TREES")
        return 77
    for tree in trees:
        # Only into the last one: a fault takes more than a second.
        try_tree(tree, tree == trees[-1], failed)
    return failed.count != 0


if __name__ == "__main__":
    sys.exit(main())
