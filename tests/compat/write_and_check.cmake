# Writes a set of golden files with the library as it is, checks it, and proves that it is not written again.
file(REMOVE_RECURSE ${DIR})
file(MAKE_DIRECTORY ${DIR})
execute_process(COMMAND ${WRITER} ${DIR}/${VERSION} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CHECK} ${DIR} COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${WRITER} ${DIR}/${VERSION} RESULT_VARIABLE status ERROR_QUIET)
if(status EQUAL 0)
  message(FATAL_ERROR "the writer overwrote a set")
endif()
