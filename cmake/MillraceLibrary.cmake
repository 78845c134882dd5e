# The compile settings that all of our code shares, and the one way to declare a folder's library.

add_library(millrace_settings INTERFACE)
target_compile_features(millrace_settings INTERFACE cxx_std_23)
target_include_directories(millrace_settings INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(millrace_settings INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough -fno-omit-frame-pointer
  $<$<CXX_COMPILER_ID:Clang>:-Wno-missing-designated-field-initializers>)  # members have defaults
if(MILLRACE_SANITIZE)
  target_compile_options(millrace_settings INTERFACE -fsanitize=${MILLRACE_SANITIZE} -fno-sanitize-recover=all
    $<$<CXX_COMPILER_ID:Clang>:-fno-sanitize=function>)  # it reports Asio's coroutine frames
  target_link_options(millrace_settings INTERFACE -fsanitize=${MILLRACE_SANITIZE})
endif()
find_program(MILLRACE_CCACHE ccache)
if(MILLRACE_CCACHE)
  # Without it ccache takes no file that is compiled with a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${MILLRACE_CCACHE})
endif()

# millrace_library(NAME SOURCES a.cc ... PUBLIC deps ... PRIVATE deps ...)
# One static library for one folder. Every header of the folder must compile by itself.
function(millrace_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  file(GLOB headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  add_library(millrace_${name} STATIC ${arg_SOURCES})
  target_sources(millrace_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${headers})
  set_target_properties(millrace_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  target_link_libraries(millrace_${name} PUBLIC millrace_settings ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  millrace_use_precompiled(millrace_${name} millrace_precompiled)
endfunction()

# The same for files of a folder that only decide. Their tests and the simulation link nothing else of the folder.
function(millrace_decisions name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(millrace_${name} STATIC ${arg_SOURCES})
  target_link_libraries(millrace_${name} PUBLIC millrace_settings ${arg_PUBLIC} PRIVATE ${arg_PRIVATE})
  millrace_use_precompiled(millrace_${name} millrace_precompiled)
endfunction()
