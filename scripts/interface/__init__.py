"""The public interface of every package: written down, kept current, and guarded against breaks.

A package's `interface.txt` says what users can rely on, one fact a line: modules, names, parameters with kind, type and
default, fields, members of enumerations, block slugs, environment variables, extras, entry points and commands. It is
made from the source alone; nothing is imported.

python -m scripts.interface                      write the snapshots of all packages
python -m scripts.interface aws gcp              of some
python -m scripts.interface --check              exit 1 when one differs from the code
python -m scripts.interface guard --base REV     exit 1 on a break since REV that version and news do not tell
python -m scripts.interface published aws        add the snapshot to what the package has ever published
"""
