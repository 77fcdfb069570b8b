#!/usr/bin/env python3
"""The recipes for vcpkg and conan, run as far as that goes without either: vcpkg's functions and conan's classes are stood in for, and what
the recipes ask of them is compared with the tree.

Usage: recipes_test.py SOURCE_DIRECTORY CMAKE
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import types

FUNCTIONS = ("vcpkg_find_acquire_program", "vcpkg_check_features", "vcpkg_cmake_configure", "vcpkg_cmake_install", "vcpkg_cmake_config_fixup",
             "vcpkg_fixup_pkgconfig", "vcpkg_copy_tools", "vcpkg_install_copyright")


def check(right, what):
    if not right:
        sys.exit(f"recipes_test.py: {what}")


def project_version(root):
    with open(os.path.join(root, "CMakeLists.txt"), encoding="utf-8") as file:
        return re.search(r"project\(quern VERSION (\S+)", file.read()).group(1)


def options_of_tree(root):
    with open(os.path.join(root, "CMakeLists.txt"), encoding="utf-8") as file:
        return set(re.findall(r"^option\((\w+)", file.read(), re.MULTILINE))


def run_portfile(port, cmake, linkage, kept):
    """What the port asks vcpkg for. kept: the libraries that it leaves."""
    with tempfile.TemporaryDirectory() as place:
        script = os.path.join(place, "run.cmake")
        with open(script, "w", encoding="utf-8") as file:
            file.write("cmake_policy(VERSION 3.25)\n")
            for name in FUNCTIONS:
                file.write(f'function({name})\n  list(JOIN ARGN " " words)\n  message("{name} ${{words}}")\nendfunction()\n')
            file.write(f'set(CURRENT_PACKAGES_DIR "{place}")\nset(VCPKG_LIBRARY_LINKAGE {linkage})\nset(FEATURES core tools)\n'
                       f'set(PKGCONFIG pkgconf)\ninclude("{port}/portfile.cmake")\n')
        os.makedirs(os.path.join(place, "lib"))
        for name in ("libquern.so", "libquern.so.0", "libquern.a"):
            open(os.path.join(place, "lib", name), "w", encoding="utf-8").close()
        ran = subprocess.run([cmake, "-P", script], capture_output=True, text=True, timeout=60)
        check(ran.returncode == 0, f"portfile.cmake fails: {ran.stderr}")
        left = sorted(os.listdir(os.path.join(place, "lib")))
        check(left == kept, f"a {linkage} triplet keeps {left}")
        return ran.stderr


def test_vcpkg(root, cmake):
    port = os.path.join(root, "cmake", "vcpkg", "quern")
    with open(os.path.join(port, "vcpkg.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    check(manifest["version"] == project_version(root), "vcpkg.json has another version than the tree")
    asked = run_portfile(port, cmake, "static", ["libquern.a"])
    run_portfile(port, cmake, "dynamic", ["libquern.so", "libquern.so.0"])
    check(f"SOURCE_PATH {os.path.realpath(root)} " in asked, "portfile.cmake builds another tree")
    options = set(re.findall(r"-D(QUERN_\w+)=|(QUERN_BUILD_CLI)", asked))
    check({a or b for a, b in options} <= options_of_tree(root), "portfile.cmake sets an option that the tree has not")
    check(f"FILE_LIST {os.path.realpath(root)}/LICENSE" in asked and os.path.isfile(os.path.join(root, "LICENSE")), "no licence")


class Fake:
    """Whatever is called on it is remembered."""

    def __init__(self, calls, name=""):
        self.__dict__.update(_calls=calls, _name=name)

    def __getattr__(self, name):
        return Fake(self._calls, f"{self._name}.{name}")

    def __setattr__(self, name, value):
        self._calls.append((f"{self._name}.{name}", value))

    def __setitem__(self, name, value):
        self._calls.append((f"{self._name}[{name}]", value))

    def __call__(self, *arguments, **_):
        self._calls.append((self._name, arguments[1:] if arguments and isinstance(arguments[0], Recipe) else arguments))
        return self


class Recipe:
    """Stands in for conan.ConanFile."""


def test_conan(root):
    calls = []
    modules = {"conan": {"ConanFile": Recipe}, "conan.tools": {}, "conan.tools.files": ("copy", "rm", "rmdir"),
               "conan.tools.cmake": ("CMake", "CMakeDeps", "CMakeToolchain", "cmake_layout"), "conan.tools.gnu": ("PkgConfigDeps",)}
    for name, what in modules.items():
        module = types.ModuleType(name)
        for key in what:
            setattr(module, key, what[key] if isinstance(what, dict) else Fake(calls, key))
        sys.modules[name] = module
    path = os.path.join(root, "cmake", "conan", "conanfile.py")
    with open(path, encoding="utf-8") as file:
        names = {"__name__": "conanfile", "__file__": path}
        exec(compile(file.read(), path, "exec"), names)  # pylint: disable=exec-used
    for shared in (True, False):
        calls.clear()
        recipe = names["QuernConan"]()
        recipe.recipe_folder = os.path.dirname(path)
        recipe.export_sources_folder = recipe.source_folder = recipe.package_folder = "place"
        recipe.options = types.SimpleNamespace(shared=shared, tools=not shared)
        recipe.requires, recipe.cpp_info = Fake(calls, "requires"), Fake(calls, "cpp_info")
        for step in ("set_version", "export_sources", "requirements", "layout", "generate", "build", "package", "package_info"):
            getattr(recipe, step)()
        check(recipe.version == project_version(root), "conanfile.py has another version than the tree")
        removed = [arguments[0] for name, arguments in calls if name == "rm"]
        check(removed == ["libquern.a" if shared else "libquern.so*"], "conanfile.py leaves the other kind of library")
        required = {arguments[0].split("/")[0] for name, arguments in calls if name == "requires"}
        check({"sqlite3", "faiss", "zstd", "xxhash", "highway", "openblas"} <= required, "conanfile.py lacks a requirement")
        check(("cli11" in required) == recipe.options.tools, "conanfile.py does not follow the option tools")
        set_options = {name.split("[")[1][:-1] for name, _ in calls if name.startswith("CMakeToolchain.cache_variables[")}
        check(set_options and set_options <= options_of_tree(root), "conanfile.py sets an option that the tree has not")
        exported = [arguments[0].split("/")[0] for name, arguments in calls if name == "copy" and "place" in arguments[2:]]
        check(all(os.path.exists(os.path.join(root, name)) for name in exported), "conanfile.py exports what the tree has not")
        with open(os.path.join(root, "CMakeLists.txt"), encoding="utf-8") as file:
            needed = set(re.findall(r"^(?:add_subdirectory|include)\(([a-z]+)[/)]", file.read(), re.MULTILINE))
        check(needed <= set(exported), f"conanfile.py exports {exported}, the tree needs {needed}")


def main():
    root, cmake = sys.argv[1:3]
    test_vcpkg(root, cmake)
    test_conan(root)
    print("the recipes ask for what is there")


if __name__ == "__main__":
    main()
