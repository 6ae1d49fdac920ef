"""mkisofs for Ironic: makes ISO images through pycdlib, which comes with the pins, so no Debian package is needed.

Understands the options that Ironic and openstacksdk pass (config drives, UEFI and BIOS boot images), and refuses others
rather than make a different image from the one that was asked for.
"""

import os
import sys

import pycdlib

IGNORED = {
    "-l",
    "-r",
    "-J",
    "-ldots",
    "-allow-lowercase",
    "-allow-multidot",
    "-quiet",
    "-no-emul-boot",
    "-boot-info-table",
}
VALUED = {"-o", "-V", "-publisher", "-e", "-b", "-boot-load-size"}


def parse(argv: list[str]) -> tuple[dict, str]:
    options, folder, words = {}, None, iter(argv)
    for word in words:
        if word in VALUED:
            options[word] = next(words)
        elif word in IGNORED:
            options[word] = True
        elif word.startswith("-") or folder is not None:
            sys.exit(f"mkisofs stand-in: does not know {word!r} in {argv}")
        else:
            folder = word
    if folder is None or "-o" not in options:
        sys.exit(f"mkisofs stand-in: no folder or no -o in {argv}")
    return options, folder


def main() -> None:
    options, root = parse(sys.argv[1:])
    iso = pycdlib.PyCdlib()
    iso.new(
        interchange_level=4,
        joliet=3,
        rock_ridge="1.09",
        vol_ident=options.get("-V", ""),
        pub_ident_str=options.get("-publisher", ""),
    )
    for folder, folders, files in os.walk(root):
        folders.sort()
        inside = "/" if folder == root else "/" + os.path.relpath(folder, root) + "/"
        for name in folders:
            iso.add_directory(inside + name, rr_name=name, joliet_path=inside + name)
        for name in sorted(files):
            iso.add_file(os.path.join(folder, name), inside + name, rr_name=name, joliet_path=inside + name)
    boot = options.get("-e") or options.get("-b")
    if boot:
        iso.add_eltorito(
            "/" + boot,
            bootcatfile="/boot.cat",
            rr_bootcatname="boot.cat",
            joliet_bootcatfile="/boot.cat",
            efi="-e" in options,
            platform_id=0xEF if "-e" in options else 0,
        )
    iso.write(options["-o"])
    iso.close()


main()
