"""The recipe of the tree it lies in: conan create cmake/conan"""
import os
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy, rm, rmdir
from conan.tools.gnu import PkgConfigDeps

ROOT = os.path.join("..", "..")
SOURCES = ("CMakeLists.txt", "LICENSE", "bindings/*", "capi/*", "cmake/*", "engine/*", "storage/*")


class QuernConan(ConanFile):
    name = "quern"
    description = "Embedded vector database: one library, one file, no server"
    license = "MIT"
    topics = ("vector-search", "database", "embedded")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False], "tools": [True, False]}
    default_options = {"shared": True, "tools": False, "sqlite3/*:enable_fts5": True}

    def set_version(self):
        with open(os.path.join(self.recipe_folder, ROOT, "CMakeLists.txt"), encoding="utf-8") as file:
            self.version = re.search(r"project\(quern VERSION (\S+)", file.read()).group(1)

    def export_sources(self):
        for pattern in SOURCES:
            copy(self, pattern, os.path.join(self.recipe_folder, ROOT), self.export_sources_folder)

    def requirements(self):
        for package in ("faiss/1.7.4", "highway/1.0.3", "openblas/0.3.20", "sqlite3/3.45.3", "xxhash/0.8.2", "zstd/1.5.5"):
            self.requires(package)
        if self.options.tools:
            for package in ("cli11/2.3.2", "nlohmann_json/3.11.2", "zlib/1.3.1"):
                self.requires(package)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["QUERN_BUILD_TESTS"] = False
        toolchain.cache_variables["QUERN_BUILD_BENCH"] = False
        toolchain.cache_variables["QUERN_BUILD_CLI"] = bool(self.options.tools)
        toolchain.generate()
        CMakeDeps(self).generate()
        PkgConfigDeps(self).generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        # Both libraries are built; a package has one kind.
        rm(self, "libquern.a" if self.options.shared else "libquern.so*", os.path.join(self.package_folder, "lib"))
        # Conan writes its own.
        rmdir(self, os.path.join(self.package_folder, "lib", "cmake"))
        rmdir(self, os.path.join(self.package_folder, "lib", "pkgconfig"))

    def package_info(self):
        self.cpp_info.libs = ["quern"]
        self.cpp_info.set_property("cmake_file_name", "quern")
        self.cpp_info.set_property("cmake_target_name", "quern::quern" if self.options.shared else "quern::static")
        self.cpp_info.set_property("pkg_config_name", "quern")
        if not self.options.shared:
            self.cpp_info.defines = ["QUERN_STATIC"]
            self.cpp_info.system_libs = ["m", "pthread", "stdc++", "gomp"]
