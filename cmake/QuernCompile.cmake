# Warnings and instrumentation, as one interface target that every quern target links.
add_library(quern_compile INTERFACE)
target_include_directories(quern_compile INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(quern_compile INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion
                       $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
option(QUERN_WERROR "Treat warnings as errors" OFF)
if(QUERN_WERROR)
  target_compile_options(quern_compile INTERFACE -Werror)
endif()
if(QUERN_SANITIZE)
  target_compile_options(quern_compile INTERFACE -fsanitize=${QUERN_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(quern_compile INTERFACE -fsanitize=${QUERN_SANITIZE})
  # An access that is not within its object is found by AddressSanitizer. What UndefinedBehaviorSanitizer has to say of the pointers alone is a
  # third of the compile time of kernels and two fifths of that of the rest (gcc 12; a fifth of it for their alignment), and is left to the fuzzer.
  if(QUERN_SANITIZE MATCHES "address" AND QUERN_SANITIZE MATCHES "undefined" AND NOT QUERN_BUILD_FUZZ)
    target_compile_options(quern_compile INTERFACE -fno-sanitize=null,object-size,pointer-overflow,alignment)
  endif()
endif()
if(QUERN_BUILD_FUZZ)
  # Everything tells the fuzzer where it went; only the targets of fuzz/ link its main function.
  target_compile_options(quern_compile INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(quern_compile INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(QUERN_COVERAGE)
  target_compile_options(quern_compile INTERFACE --coverage -O0)
  target_link_options(quern_compile INTERFACE --coverage)
endif()
# CI builds once and from nothing, where a cache costs time and finds nothing.
if(NOT DEFINED ENV{CI})
  find_program(QUERN_CCACHE ccache)
endif()
if(QUERN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${QUERN_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${QUERN_CCACHE})
endif()
