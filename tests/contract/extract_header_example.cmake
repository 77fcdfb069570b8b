# Cuts the complete example and the output it promises out of quern.h:
#   cmake -DHEADER=quern.h -DPROGRAM=example.c -DOUTPUT=example.expected -P extract_header_example.cmake
# The example starts behind the line "A COMPLETE EXAMPLE", its output behind "prints:".
file(READ ${HEADER} text)
string(REGEX MATCH "\\*\\* A COMPLETE EXAMPLE[^\n]*\n(.*)\n\\*\\*   prints:([^/]*)\n\\*/" found "${text}")
if(NOT found)
  message(FATAL_ERROR "${HEADER}: there is no complete example")
endif()
set(program "${CMAKE_MATCH_1}")
set(output "${CMAKE_MATCH_2}")
string(REGEX REPLACE "(^|\n)\\*\\* ? ? ?" "\\1" program "${program}")
string(REGEX REPLACE "(^|\n)\\*\\* *" "\\1" output "${output}")
string(STRIP "${output}" output)
file(WRITE ${PROGRAM} "${program}\n")
file(WRITE ${OUTPUT} "${output}\n")
