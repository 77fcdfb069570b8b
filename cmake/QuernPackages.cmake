# Debian packages by CPack: cpack -G DEB in a build directory makes libquern0 (the shared library), libquern-dev (headers, static
# library, CMake package, pkg-config) and quern (the shell). The components are those of the install rules.
# The licence; in a package of Debian's under the name that it has there.
include(GNUInstallDirs)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT license)
foreach(package libquern0 libquern-dev quern)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${package} RENAME copyright
          COMPONENT ${package} EXCLUDE_FROM_ALL)
endforeach()

set(CPACK_PACKAGE_NAME quern)
set(CPACK_PACKAGE_VENDOR quern)
set(CPACK_PACKAGE_CONTACT "the quern authors <quern@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_GENERATOR DEB)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL libquern0 libquern-dev quern)
set(CPACK_COMPONENTS_GROUPING IGNORE)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
# What a package needs of others is read from its files; where the library may change, versions before 1.0 are told apart.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/capi)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY >=)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_LIBQUERN0_PACKAGE_NAME libquern0)
set(CPACK_DEBIAN_LIBQUERN0_PACKAGE_SECTION libs)
set(CPACK_COMPONENT_LIBQUERN0_DESCRIPTION "Embedded vector database (shared library)
 One library, one file, no server: dense, sparse, text and hybrid search
 over records that are kept in an SQLite file.")
set(CPACK_DEBIAN_LIBQUERN-DEV_PACKAGE_NAME libquern-dev)
set(CPACK_DEBIAN_LIBQUERN-DEV_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_LIBQUERN-DEV_PACKAGE_DEPENDS "libquern0 (= ${PROJECT_VERSION})")
# Only who links the static library needs them.
set(CPACK_DEBIAN_LIBQUERN-DEV_PACKAGE_SUGGESTS
    "libsqlite3-dev, libzstd-dev, libxxhash-dev, libhwy-dev, libfaiss-dev, libopenblas-dev, pkg-config")
set(CPACK_DEBIAN_LIBQUERN-DEV_PACKAGE_SHLIBDEPS OFF)
set(CPACK_COMPONENT_LIBQUERN-DEV_DESCRIPTION "Embedded vector database (development files)
 Headers for C and C++, the static library, a CMake package and a
 pkg-config file.")
set(CPACK_DEBIAN_QUERN_PACKAGE_NAME quern)
set(CPACK_DEBIAN_QUERN_PACKAGE_SECTION database)
set(CPACK_COMPONENT_QUERN_DESCRIPTION "Embedded vector database (shell)
 Creates, fills, searches and looks after database files of quern, and
 reads and writes the file formats of vector data.")
include(CPack)
